/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What commands print: tables for people and for pipes, JSON documents for programs, and errors.
 * Everything that may come from outside, names above all, has its control characters escaped.
 */
#pragma once

#include "core/deployed.h"

/* Rows of text in columns. */
typedef struct
{
  GPtrArray *titles; /* owned; of strings */
  GPtrArray *cells;  /* owned; of strings, row by row */
} HfTable;

HfTable *hf_table_new (void);
void hf_table_free (HfTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HfTable, hf_table_free)

void hf_table_add_column (HfTable *table, const char *title);
void hf_table_take_cell (HfTable *table, char *text);
void hf_table_add_cell (HfTable *table, const char *text);
guint hf_table_width (const HfTable *table);
void hf_table_print (HfTable *table);

gboolean hf_output_is_terminal (void);
gboolean hf_output_is_journal (void);
guint hf_output_width (void);
char *hf_output_escape (const char *text);
glong hf_output_text_width (const char *text);
char *hf_output_commit (const char *commit);
char *hf_output_time (gint64 seconds);
char *hf_output_size (guint64 bytes);
char *hf_output_state (const HfDeployed *deployed);
const char *hf_output_installation (const HfInstallation *installation);
char *hf_output_deployment_path (const HfInstallation *installation, const HfDeployed *deployed);
void hf_output_set_quiet (gboolean quiet);
void hf_output_line (const char *format, ...) G_GNUC_PRINTF (1, 2);
void hf_output_heading (const HfInstallation *installation);
void hf_output_change (const char *message, const HfRef *ref, const char *commit);
void hf_output_pinned (const HfRef *ref);
void hf_output_begin (void);
void hf_output_error (const GError *error);
void hf_output_warning (const char *text);
gboolean hf_output_finish (GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The shapes of documents and of what is in them. */
#define HF_JSON_OBJECT  G_VARIANT_TYPE_VARDICT
#define HF_JSON_LIST    G_VARIANT_TYPE ("aa{sv}")
#define HF_JSON_NUMBERS G_VARIANT_TYPE ("ax")
#define HF_JSON_STRINGS G_VARIANT_TYPE ("as")

void hf_json_add_string (GVariantBuilder *builder, const char *key, const char *value);
void hf_json_add_int (GVariantBuilder *builder, const char *key, gint64 value);
void hf_json_add_bool (GVariantBuilder *builder, const char *key, gboolean value);
void hf_json_add_deployed (GVariantBuilder *builder, const HfInstallation *installation,
                           const HfDeployed *deployed);
void hf_json_begin_object (GVariantBuilder *builder);
void hf_json_end_object (GVariantBuilder *builder);
void hf_json_begin_list (GVariantBuilder *builder, const char *key, const GVariantType *type);
void hf_json_end_list (GVariantBuilder *builder);
gboolean hf_json_print (GVariantBuilder *builder, GError **error) G_GNUC_WARN_UNUSED_RESULT;
