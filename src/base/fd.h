/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files by directory descriptor: opening below a directory without ever leaving it, reading and
 * writing small files whole, and directories made durable.  Every path that holdfast touches below
 * an installation goes through here.
 */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/stat.h>

void hf_fd_clear (int *fd);
#define hf_autofd __attribute__ ((cleanup (hf_fd_clear)))
int hf_fd_steal (int *fd);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DIR, closedir)

gboolean hf_throw_at (GError **error, const char *message, int dfd, const char *path);
int hf_open_beneath (int dfd, const char *path, int flags, mode_t mode);
int hf_open_same_mount (int dfd, const char *path, int flags);
int hf_open_dir (int dfd, const char *path, GError **error);

DIR *hf_dir_open (int dfd, const char *path, GError **error);
gboolean hf_dir_next (DIR *dir, const struct dirent **out,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

gboolean hf_fd_sync (int fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_dir_sync (int dfd, const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_mkdir (int dfd, const char *path, mode_t mode,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

int hf_make_dirs (int dfd, const char *path, mode_t mode, GError **error);

GBytes *hf_file_read (int dfd, const char *path, gsize limit, GError **error);
gboolean hf_file_write_new (int dfd, const char *name, const char *data, gsize length, mode_t mode,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_file_replace (int dfd, const char *temporary, const char *name, const char *data,
                          gsize length, mode_t mode, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_fd_write_all (int fd, const void *data, gsize length);
char *hf_link_read (int dfd, const char *path);
gboolean hf_stat_same_file (const struct stat *a, const struct stat *b);
