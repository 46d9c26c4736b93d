/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sandbox of an instance as bubblewrap's options.  Opens, reads and starts nothing: everything
 * it is made from is gathered before, so what it says can be tested without running it.
 */
#pragma once

#include "core/metadata.h"
#include "host.h"
#include "image.h"

typedef struct
{
  const HfRef *ref;           /* of what is run */
  const HfMetadata *metadata; /* of it */
  const HfImage *app;         /* HF_IMAGE_APP or HF_IMAGE_ROOT; %NULL for a runtime by itself */
  const HfImage *runtime;     /* HF_IMAGE_USR; %NULL beside HF_IMAGE_ROOT */
  const HfHost *host;
  int sync_fd; /* what the sandbox's first process keeps open, or -1 */
} HfSandbox;

typedef struct
{
  GPtrArray *strings; /* owned; of char *, without the program's name and without a final %NULL */
  GArray *fds; /* owned; of int: what bubblewrap must inherit; the descriptors are not owned */
} HfBwrapOptions;

HfBwrapOptions *hf_sandbox_options (const HfSandbox *sandbox);
void hf_bwrap_options_free (HfBwrapOptions *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfBwrapOptions, hf_bwrap_options_free)
