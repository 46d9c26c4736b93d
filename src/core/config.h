/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An installation's `config`: a keyfile that people may write by hand or with `holdfast config`.  What
 * it does not say has a default.  A value that makes no sense is an error that names the key, and never
 * taken for the default: it may be what keeps somebody's data.
 */
#pragma once

#include "installation.h"
#include "ref.h"

/* An amount of something that a file system has, or a part of all of it. */
typedef struct
{
  guint64 value; /* 0: no limit */
  gboolean percent;
} HfAmount;

typedef struct
{
  guint64 keep_previous; /* deployments that a ref keeps beside its active one */
  guint64 keep_removed;  /* seconds that the trash is spared */
  gboolean auto_sweep;   /* whether commands start a sweep of what they take out of service */
  HfAmount min_free;     /* bytes; with less than this free, a sweep gives up what is spared... */
  HfAmount max_free;     /* ...until so much is free */
  HfAmount min_free_inodes;
  HfAmount max_free_inodes;
  gboolean give_up_unused; /* also runtimes that nothing needs */
  gboolean exports;        /* names for the desktop and the shell are made */
  GStrv masked;            /* owned; patterns of refs that are not updated */
  GStrv pinned;            /* owned; patterns of refs that are never unused */
} HfConfig;

HfConfig *hf_config_load (HfInstallation *installation, GError **error);
HfConfig *hf_config_parse (GBytes *bytes, GError **error);
HfConfig *hf_config_new_default (void);
void hf_config_free (HfConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfConfig, hf_config_free)

guint64 hf_amount_of (const HfAmount *amount, guint64 all);

/* One of the keys, as people see it. */
typedef struct
{
  const char *name;
  const char *fallback; /* the default */
  const char *range;    /* what a value can be */
  const char *summary;  /* what it does */
} HfConfigKey;

const HfConfigKey **hf_config_keys (gsize *out_n);
char *hf_config_get (HfInstallation *installation, const char *key, gboolean *out_is_default,
                     GError **error);
gboolean hf_config_set (HfInstallation *installation, const char *key, const char *value,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_config_add_pattern (HfInstallation *installation, const char *key, const char *pattern,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean hf_config_remove_pattern (HfInstallation *installation, const char *key,
                                   const char *pattern, GError **error) G_GNUC_WARN_UNUSED_RESULT;
