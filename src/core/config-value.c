/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one table of keys.  Every value is parsed whole: `7days` or `5 %` is refused rather than taken
 * for what it begins with.
 */
#include "config-value.h"

#include "base/error.h"
#include "base/language.h"
#include "layout.h"
#include "ref-glob.h"

#include <string.h>

#define MOST_PREVIOUS 1000

typedef gboolean (*Parse) (const char *text, gpointer field);

typedef struct
{
  HfConfigKey key;
  Parse parse;
  gsize offset; /* of the field in HfConfig */
} Entry;

typedef struct
{
  const char *suffix;
  guint64 factor;
} Unit;

/* A number with one of @units after it.  An empty suffix among them allows a bare number. */
static gboolean
parse_units (const char *text, const Unit *units, gsize n_units, guint64 *out)
{
  gsize digits = strspn (text, "0123456789");
  g_autofree char *number = g_strndup (text, digits);
  guint64 value;
  if (!g_ascii_string_to_unsigned (number, 10, 0, G_MAXINT64, &value, NULL))
    return FALSE;
  for (gsize i = 0; i < n_units; i++)
    if (strcmp (text + digits, units[i].suffix) == 0)
      return g_uint64_checked_mul (out, value, units[i].factor) && *out <= G_MAXINT64;
  return FALSE;
}

static gboolean
parse_count (const char *text, gpointer field)
{
  return g_ascii_string_to_unsigned (text, 10, 0, MOST_PREVIOUS, field, NULL);
}

static gboolean
parse_duration (const char *text, gpointer field)
{
  static const Unit units[]
      = { { "s", 1 }, { "min", 60 }, { "h", 3600 }, { "d", 86400 }, { "w", 7 * 86400 } };
  if (strcmp (text, "0") == 0)
    {
      *(guint64 *)field = 0;
      return TRUE;
    }
  return parse_units (text, units, G_N_ELEMENTS (units), field);
}

static gboolean
parse_percent (const char *text, HfAmount *amount)
{
  static const Unit unit = { "%", 1 };
  amount->percent = parse_units (text, &unit, 1, &amount->value);
  return amount->percent && amount->value < 100;
}

static gboolean
parse_bytes (const char *text, gpointer field)
{
  static const Unit units[] = { { "", 1 },
                                { "K", G_GUINT64_CONSTANT (1) << 10 },
                                { "M", G_GUINT64_CONSTANT (1) << 20 },
                                { "G", G_GUINT64_CONSTANT (1) << 30 },
                                { "T", G_GUINT64_CONSTANT (1) << 40 } };
  HfAmount *amount = field;
  return parse_percent (text, amount)
         || (!amount->percent && parse_units (text, units, G_N_ELEMENTS (units), &amount->value));
}

static gboolean
parse_inodes (const char *text, gpointer field)
{
  static const Unit unit = { "", 1 };
  HfAmount *amount = field;
  return parse_percent (text, amount)
         || (!amount->percent && parse_units (text, &unit, 1, &amount->value));
}

static gboolean
parse_boolean (const char *text, gpointer field)
{
  gboolean yes = strcmp (text, "yes") == 0 || strcmp (text, "true") == 0;
  *(gboolean *)field = yes;
  return yes || strcmp (text, "no") == 0 || strcmp (text, "false") == 0;
}

static gboolean
parse_patterns (const char *text, gpointer field)
{
  g_auto (GStrv) patterns = g_strsplit (text, ";", -1);
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func (g_free);
  for (char **pattern = patterns; *pattern != NULL; pattern++)
    {
      if (**pattern == '\0')
        continue; /* a keyfile's list ends with its separator */
      if (!hf_ref_glob_is_valid (*pattern))
        return FALSE;
      g_ptr_array_add (kept, g_strdup (*pattern));
    }
  g_ptr_array_add (kept, NULL);
  g_strfreev (*(GStrv *)field);
  *(GStrv *)field = (GStrv)g_ptr_array_free (g_steal_pointer (&kept), FALSE);
  return TRUE;
}

#define BYTES_RANGE                                                                                \
  N_ ("0 (no limit), bytes with K, M, G or T after them or nothing, or from 0% to 99%")
#define INODES_RANGE N_ ("0 (no limit), a number, or from 0% to 99%")
#define PATTERNS     N_ ("refs or parts of refs, which may have * and ? in them, with ; between them")

static const Entry entries[] = {
  { { "keep-previous", "1", N_ ("a number from 0 to 1000"),
      N_ ("Deployments that a ref keeps beside the active one, for rollback") },
    parse_count,
    G_STRUCT_OFFSET (HfConfig, keep_previous) },
  { { "keep-removed", "0", N_ ("0, or a number with s, min, h, d or w after it, such as 7d"),
      N_ ("How long a sweep spares what was taken out of service, for restore") },
    parse_duration,
    G_STRUCT_OFFSET (HfConfig, keep_removed) },
  { { "auto-sweep", "yes", N_ ("yes or no"),
      N_ ("Whether commands that take something out of service have it swept in the background") },
    parse_boolean,
    G_STRUCT_OFFSET (HfConfig, auto_sweep) },
  { { "min-free", "0", BYTES_RANGE,
      N_ ("With less free than this, a sweep gives up what is kept for rollback and restore") },
    parse_bytes,
    G_STRUCT_OFFSET (HfConfig, min_free) },
  { { "max-free", "0", BYTES_RANGE,
      N_ ("It stops giving up when so much is free; 0: as min-free") },
    parse_bytes,
    G_STRUCT_OFFSET (HfConfig, max_free) },
  { { "min-free-inodes", "0", INODES_RANGE, N_ ("As min-free, of inodes") },
    parse_inodes,
    G_STRUCT_OFFSET (HfConfig, min_free_inodes) },
  { { "max-free-inodes", "0", INODES_RANGE, N_ ("As max-free, of inodes; 0: as min-free-inodes") },
    parse_inodes,
    G_STRUCT_OFFSET (HfConfig, max_free_inodes) },
  { { "give-up-unused", "no", N_ ("yes or no"),
      N_ ("Whether a sweep that is short of space also gives up runtimes that nothing needs") },
    parse_boolean,
    G_STRUCT_OFFSET (HfConfig, give_up_unused) },
  { { HF_EXPORTS_DIR, "yes", N_ ("yes or no"),
      N_ ("Whether applications are found by the desktop and the shell, through exports/") },
    parse_boolean,
    G_STRUCT_OFFSET (HfConfig, exports) },
  { { "masked", "", PATTERNS, N_ ("What `holdfast update` leaves as it is; see `holdfast mask`") },
    parse_patterns,
    G_STRUCT_OFFSET (HfConfig, masked) },
  { { "pinned", "", PATTERNS, N_ ("Runtimes that are never unused; see `holdfast pin`") },
    parse_patterns,
    G_STRUCT_OFFSET (HfConfig, pinned) },
};

/**
 * hf_config_keys:
 * @out_n: (out): how many there are
 *
 * Returns: (transfer full): the keys, in the order in which they are listed; free with g_free()
 */
const HfConfigKey **
hf_config_keys (gsize *out_n)
{
  const HfConfigKey **keys = g_new0 (const HfConfigKey *, G_N_ELEMENTS (entries));
  for (gsize i = 0; i < G_N_ELEMENTS (entries); i++)
    keys[i] = &entries[i].key;
  *out_n = G_N_ELEMENTS (entries);
  return keys;
}

/**
 * hf_config_key_find:
 * @name: a key's name
 *
 * Returns: (transfer none): the key, or %NULL with %HF_ERROR_USAGE, whose message has all of them
 */
const HfConfigKey *
hf_config_key_find (const char *name, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (entries); i++)
    {
      if (strcmp (entries[i].key.name, name) == 0)
        return &entries[i].key;
      g_string_append_printf (known, "%s%s", i > 0 ? ", " : "", entries[i].key.name);
    }
  (void)hf_throw (error, HF_ERROR_USAGE, "'%s' is no key of the configuration: there are %s", name,
                  known->str);
  return NULL;
}

/**
 * hf_config_value_parse:
 * @key: a key
 * @text: its value, as it stands in the file
 * @config: (inout): where it goes
 *
 * Returns: %FALSE with %HF_ERROR_USAGE, whose message has the key and what it can be
 */
gboolean
hf_config_value_parse (const HfConfigKey *key, const char *text, HfConfig *config, GError **error)
{
  const Entry *entry = (const Entry *)(gconstpointer)key; /* its first member */
  return entry->parse (text, G_STRUCT_MEMBER_P (config, entry->offset))
         || hf_throw (error, HF_ERROR_USAGE, "%s cannot be '%s': it takes %s", key->name, text,
                      hf_text (key->range));
}

/**
 * hf_config_new_default:
 *
 * Returns: (transfer full): what holds where nothing is configured
 */
HfConfig *
hf_config_new_default (void)
{
  HfConfig *config = g_new0 (HfConfig, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (entries); i++)
    if (!hf_config_value_parse (&entries[i].key, entries[i].key.fallback, config, NULL))
      g_assert_not_reached ();
  return config;
}

/**
 * hf_amount_of:
 * @amount: an amount
 * @all: what there is in all
 *
 * Returns: @amount as a number, not as a part
 */
guint64
hf_amount_of (const HfAmount *amount, guint64 all)
{
  return amount->percent ? all / 100 * amount->value + all % 100 * amount->value / 100
                         : amount->value;
}
