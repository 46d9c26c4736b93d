/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The configuration: values are taken whole or refused by name.
 */
#include "core/config.h"

#include "base/error.h"
#include "support.h"

#include <string.h>

static HfConfig *
parse (const char *line, GError **error)
{
  g_autofree char *text = g_strconcat ("[Installation]\n", line, "\n", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));
  return hf_config_parse (bytes, error);
}

static HfConfig *
parsed (const char *line)
{
  g_autoptr (GError) error = NULL;
  HfConfig *config = parse (line, &error);
  g_assert_no_error (error);
  return config;
}

static void
test_defaults (void)
{
  g_autoptr (GBytes) empty = g_bytes_new (NULL, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (HfConfig) config = hf_config_parse (empty, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (config->keep_previous, ==, 1);
  g_assert_cmpuint (config->keep_removed, ==, 0);
  g_assert_cmpuint (config->min_free.value, ==, 0);
  g_assert_false (config->give_up_unused);
  g_assert_null (config->masked[0]);
}

static void
test_durations (void)
{
  static const struct
  {
    const char *line;
    guint64 seconds;
  } cases[] = {
    { "keep-removed=0", 0 },          { "keep-removed=90s", 90 },
    { "keep-removed=3min", 180 },     { "keep-removed=2h", 7200 },
    { "keep-removed=7d", 7 * 86400 }, { "keep-removed=2w", 14 * 86400 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (HfConfig) config = parsed (cases[i].line);
      g_assert_cmpuint (config->keep_removed, ==, cases[i].seconds);
    }
}

static void
test_amounts (void)
{
  g_autoptr (HfConfig) config
      = parsed ("min-free=5%\nmax-free=3G\nmin-free-inodes=1000\nmax-free-inodes=99%");
  g_assert_cmpuint (hf_amount_of (&config->min_free, 1000), ==, 50);
  g_assert_cmpuint (hf_amount_of (&config->min_free, 1999), ==, 99);
  g_assert_cmpuint (hf_amount_of (&config->max_free, 1000), ==, 3 * (G_GUINT64_CONSTANT (1) << 30));
  g_assert_cmpuint (hf_amount_of (&config->min_free_inodes, 7), ==, 1000);
  g_assert_cmpuint (hf_amount_of (&config->max_free_inodes, G_MAXUINT64), <, G_MAXUINT64);
}

/* Each message has the key: people look for it. */
static void
test_refused (void)
{
  static const char *const lines[] = {
    "keep-previous=-1",   "keep-previous=",     "keep-previous=1001",
    "keep-previous=1 ;",  "keep-removed=7",     "keep-removed=days",
    "keep-removed=7days", "keep-removed=-7d",   "min-free=100%",
    "min-free=5 %",       "min-free=1.5G",      "min-free=9999999999999T",
    "max-free=5g",        "min-free-inodes=5K", "give-up-unused=1",
    "masked=a b",         "pinned=a/b/c/d/e",   "keep-removed=99999999999999999999d",
  };
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *key = g_strndup (lines[i], strcspn (lines[i], "="));
      g_autoptr (HfConfig) config = parse (lines[i], &error);
      g_assert_null (config);
      g_assert_true (hf_error_is (error, HF_ERROR_USAGE));
      g_assert_nonnull (strstr (error->message, key));
    }
}

/* And what it could be: there is no need to look that up. */
static void
test_ranges (void)
{
  gsize n;
  g_autofree const HfConfigKey **keys = hf_config_keys (&n);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *line = g_strconcat (keys[i]->name, "=no such thing!", NULL);
      g_autofree char *start = g_strdup_printf ("%s cannot be 'no such thing!'", keys[i]->name);
      g_autoptr (HfConfig) config = parse (line, &error);
      g_assert_null (config);
      g_assert_nonnull (strstr (error->message, start));
      g_assert_true (g_str_has_suffix (error->message, keys[i]->range));
      g_autofree char *fallback = g_strconcat (keys[i]->name, "=", keys[i]->fallback, NULL);
      g_autoptr (HfConfig) with_default = parsed (fallback);
    }
}

static void
test_set (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  gboolean is_default;
  HfInstallation *installation = fixture->installation;
  configure (installation, "# kept\nkeep-previous=2\nmin-free=soon");
  g_assert_false (hf_config_set (installation, "keep-previous", "-1", &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_USAGE);
  g_clear_error (&error);
  g_assert_false (hf_config_set (installation, "keep", "1", &error));
  g_assert_error (error, HF_ERROR, HF_ERROR_USAGE);
  g_assert_nonnull (strstr (error->message, "keep-previous"));
  g_clear_error (&error);
  /* A bad value elsewhere keeps nobody from setting it right. */
  (void)!(hf_config_set (installation, "keep-removed", "7d", &error)
          && hf_config_set (installation, "min-free", NULL, &error));
  g_assert_no_error (error);
  g_autofree char *previous = hf_config_get (installation, "keep-previous", &is_default, &error);
  g_assert_cmpstr (previous, ==, "2");
  g_assert_false (is_default);
  g_autofree char *free_space = hf_config_get (installation, "min-free", &is_default, &error);
  g_assert_cmpstr (free_space, ==, "0");
  g_assert_true (is_default);
  g_autoptr (GBytes) bytes = hf_file_read (installation->root_fd, HF_CONFIG_FILE, 1024, &error);
  g_assert_nonnull (g_strstr_len (g_bytes_get_data (bytes, NULL), -1, "# kept\n"));
}

static void
test_unknown_key (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (HfConfig) config = parse ("keep-remove=7d", &error);
  g_assert_null (config);
  g_assert_nonnull (strstr (error->message, "'keep-remove' is no key"));
}

static void
test_lists (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  HfInstallation *installation = fixture->installation;
  configure (installation, "# kept\nkeep-previous=2");
  static const char *const patterns[] = { "org.a.*", "org.b.*", "org.a.*" };
  for (gsize i = 0; i < G_N_ELEMENTS (patterns); i++)
    g_assert_true (hf_config_add_pattern (installation, "masked", patterns[i], &error));
  g_assert_true (hf_config_remove_pattern (installation, "masked", "org.a.*", &error));
  g_assert_false (hf_config_remove_pattern (installation, "masked", "org.a.*", &error));
  g_assert_true (hf_error_is (error, HF_ERROR_NOT_FOUND));
  g_clear_error (&error);
  g_autoptr (HfConfig) config = hf_config_load (installation, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (config->masked), ==, 1);
  g_assert_cmpstr (config->masked[0], ==, "org.b.*");
  g_assert_cmpuint (config->keep_previous, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/nothing written means the defaults", test_defaults);
  g_test_add_func ("/config/durations have a unit", test_durations);
  g_test_add_func ("/config/amounts are numbers or parts", test_amounts);
  g_test_add_func ("/config/what makes no sense is refused, by its key", test_refused);
  g_test_add_func ("/config/whoever refuses says what it could be", test_ranges);
  g_test_add ("/config/one key is set, and all else stays", Fixture, NULL, fixture_set_up, test_set,
              fixture_tear_down);
  g_test_add_func ("/config/an unknown key is not passed over", test_unknown_key);
  g_test_add ("/config/lists are changed one by one, and the rest stays", Fixture, NULL,
              fixture_set_up, test_lists, fixture_tear_down);
  return g_test_run ();
}
