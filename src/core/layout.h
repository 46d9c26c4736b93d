/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every name and mode that holdfast has on disk, format 1.  They stand here and nowhere else; a
 * test checks that.  holdfast-format(5) describes them.
 */
#pragma once

#define HF_FORMAT 1

/* The installation's root. */
#define HF_FORMAT_FILE         "format"
#define HF_FORMAT_FILE_NEW     "format.new" /* renamed to the former */
#define HF_CONFIG_FILE         "config"
#define HF_CONFIG_FILE_NEW     "config.new" /* renamed to the former */
#define HF_LOCK_FILE           "lock"
#define HF_PRUNE_LOCK_FILE     "prune-lock"
#define HF_TURN_LOCK_FILE      "turn-lock"
#define HF_REPO_DIR            "repo"
#define HF_DEPLOY_DIR          "deploy"
#define HF_STAGING_DIR         "staging"
#define HF_REMOVED_DIR         "removed"
#define HF_ROOTS_DIR           "roots.d"
#define HF_EXPORTS_DIR         "exports"
#define HF_HISTORY_FILE        "history"
#define HF_HISTORY_OLD_FILE    "history.old"

#define HF_SYSTEM_INSTALLATION "/var/lib/holdfast"
#define HF_USER_INSTALLATION   "holdfast" /* below $XDG_DATA_HOME */

/* Below the system's configuration: which installations there are besides. */
#define HF_SYSCONF_NAME "holdfast"
#define HF_NAMED_DIR    "installations.d"
#define HF_NAMED_SUFFIX ".conf"

/* A branch directory, deploy/KIND/ID/ARCH/BRANCH. */
#define HF_ACTIVE_LINK     "active"
#define HF_ACTIVE_LINK_NEW "active.new" /* renamed over the former */
#define HF_HELD_LINK       "held"       /* names the deployment that a rollback chose */
#define HF_HELD_LINK_NEW   "held.new"   /* what a rollback under way chose; renamed over it */

/* A deployment. */
#define HF_REF_FILE            ".ref"
#define HF_DEPLOYMENT_FILE     "deployment"
#define HF_DEPLOYMENT_FILE_NEW "deployment.new" /* renamed to the former */
#define HF_ORIGIN_LOCAL        "local" /* in it: not from a remote, and no remote is called so */
#define HF_TREE_DIR            "tree"
#define HF_PINS_DIR            "pins"
#define HF_FETCH_DIR           "fetch"
#define HF_SHADOW_DIR          "shadow"

/* A namespace, roots.d/NAMESPACE. */
#define HF_ROOTS_OWN     "local" /* where a name without a namespace goes */
#define HF_ROOT_FILE_NEW ".new"  /* renamed to a root's name */

/* An image, below tree/. */
#define HF_METADATA_FILE "metadata"
#define HF_FILES_DIR     "files"
#define HF_EXPORT_DIR    "export" /* also of a deployment: what is made from it */

/* What a deployment exports, below its own export/, beside its tree. */
#define HF_EXPORT_MANIFEST "manifest" /* the names of all of it */

/* exports/, below which every name of an application stands as it does in an image's export/. */
#define HF_EXPORTS_OWNERS  "owners" /* for each ID a link to what exports its names */
#define HF_EXPORTS_NEW     ".new"   /* renamed to one of them, or to a cache */
#define HF_EXPORT_SHARE    "share"
#define HF_EXPORT_WRAPPERS "bin"
#define HF_EXPORT_DESKTOP  "share/applications"
#define HF_EXPORT_SERVICES "share/dbus-1/services"
#define HF_EXPORT_ICONS    "share/icons"
#define HF_EXPORT_METAINFO "share/metainfo"
#define HF_EXPORT_APPDATA  "share/appdata"
#define HF_EXPORT_MIME     "share/mime"
#define HF_EXPORT_PACKAGES "share/mime/packages"
#define HF_EXPORT_MAN      "share/man"

/* The repository. */
#define HF_OBJECTS_DIR       "objects"
#define HF_REPO_LOCK         ".lock"
#define HF_REPO_CONFIG       "config"
#define HF_REPO_CONFIG_NEW   "config.new"       /* renamed to the former */
#define HF_REPO_REMOTE_GROUP "remote \"%s\""    /* in it: of a remote, as libostree has it */
#define HF_KEYRING_SUFFIX    ".trustedkeys.gpg" /* after a remote's name, as libostree has it */
#define HF_KEYRING_NEW       "trustedkeys.new"  /* renamed to one of those */
#define HF_REPO_TMP          "repo/tmp"         /* below the root, as the next */
#define HF_REPO_STATE        "repo/state"
#define HF_REPAIR_TEMPORARY  "holdfast-repair" /* below HF_REPO_TMP */
#define HF_REPO_REFS         "refs/heads"
#define HF_REPO_REMOTE_REFS  "refs/remotes"
#define HF_REPO_MIRROR_REFS  "refs/mirrors"
#define HF_REPO_DEPLOY_REFS  "deploy" /* our refs, below the former: one for each kept commit */
#define HF_OBJECT_NAME_BYTES 64       /* of a checksum in hexadecimal digits */

#define HF_MODE_DIR          0755
#define HF_MODE_STAGING      0700 /* what is being built is nobody's business */
#define HF_MODE_REMOVED      0711 /* forwarding links go through it; nobody lists it */
#define HF_MODE_LOCK         0600 /* taking one needs write permission */
#define HF_MODE_REF          0644 /* everybody may hold an image, only its owner may sweep it */

/* The sticky bit of deploy/: a change of several steps is under way, or was cut short. */
#define HF_MODE_UNSETTLED 01000

/* The sticky bit of exports/share/applications, icons or mime: the cache there is out of date. */
#define HF_MODE_STALE 01000

/* The sticky bit of repo/: some deployment has copies where it should have links. */
#define HF_MODE_COPIES 01000
