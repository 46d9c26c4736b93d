/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Doing the same to several installations, one after another, whatever becomes of one of them.
 */
#include "base/language.h"
#include "output.h"
#include "places.h"

/* Of several failures the exit status tells the worst: what could not be done at all before what needs a
 * person, that before what wants room, and all of these before what will be done another time. */
static guint
weight (const GError *error)
{
  if (hf_error_is (error, HF_ERROR_IN_USE))
    return 1;
  if (hf_error_is (error, HF_ERROR_NO_SPACE))
    return 2;
  return hf_error_is (error, HF_ERROR_DAMAGED) ? 3 : 4;
}

static gboolean
visit_one (HfProgram *program, const HfPlace *place, HfEach each, gpointer data, GError **error)
{
  g_autoptr (HfInstallation) installation = NULL;
  if (!hf_program_open_place (program, place, HF_OPEN_EXISTING, &installation, error))
    return FALSE;
  if (installation != NULL)
    hf_program_share (program, installation);
  return each (program, installation, data, error);
}

/**
 * hf_places_visit:
 * @program: the program; if @each sets `stopped` in it, the rest is left
 * @places: (element-type HfPlace): some installations
 * @each: what to do with each of them; for one that does not exist it is given %NULL
 * @data: for @each
 *
 * Goes on past one that fails.  With several, each failure is printed as it comes.
 *
 * Returns: %FALSE with @error set if one failed: that, or of several one of the worst kind
 */
gboolean
hf_places_visit (HfProgram *program, const GPtrArray *places, HfEach each, gpointer data,
                 GError **error)
{
  g_autoptr (GError) worst = NULL;
  guint failures = 0;
  for (guint i = 0; i < places->len && !program->stopped; i++)
    {
      const HfPlace *place = places->pdata[i];
      g_autoptr (GError) failed = NULL;
      if (visit_one (program, place, each, data, &failed))
        continue;
      failures++;
      if (places->len > 1 && !program->stopped)
        {
          g_prefix_error (&failed, _ ("Installation %s: "),
                          place->name != NULL ? place->name : place->path);
          hf_output_error (failed);
        }
      if (worst != NULL && weight (worst) >= weight (failed))
        continue;
      g_clear_error (&worst);
      worst = g_steal_pointer (&failed);
    }
  if (worst == NULL)
    return TRUE;
  if (places->len > 1 && !program->stopped && worst->domain == HF_ERROR)
    return hf_throw (error, (HfErrorCode)worst->code,
                     ngettext ("%u of %u installations was not brought to an end",
                               "%u of %u installations were not brought to an end", failures),
                     failures, places->len);
  g_propagate_error (error, g_steal_pointer (&worst));
  return FALSE;
}
