/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who deletes what nothing holds: sweep.c, keep.c; and, if `pressed`, what is only kept: pressure.c.
 */

#ifdef SPARED
#define spares(d) (!now && kind == REMOVED && state[d] == SETTLED)
#else
#define spares(d) false
#endif

/* take_entry */
inline take_entry()
{
#if ROOTERS || defined(SPARED)
  STEP(                                          /* hf_keep_keeps */
    if
    :: kind != STAGING && place[d] == kind && (keeps(d) || spares(d)) -> out = PASSED
    :: else
    fi);
#endif
  if :: out == 0 -> entry_lock() :: else fi;
  if
  :: out == LOCKED && s == ABSENT -> delete_tree(); delete_rest(); entry_free()
  :: out == LOCKED && s == PRUNED -> entry_free()
  :: out == LOCKED && s != ABSENT && s != PRUNED -> batch = batch | entry_bit(kind, d)
  :: else
  fi;
  kind = 0; d = 0; s = 0; out = 0
}

/* hf_sweep_all; whatever is spared, too, if it is to be `now` */
proctype sweeper(byte id; bool pressed; bool now)
{
  REGISTERS;
  byte kind, d, s, out, known;
  bool taken; /* by the entry at hand: another name of it may be in the batch */
  short list, batch, left;
#if PRESSED
  byte stage;
  short surplus;
#endif
#if ROOTERS
  STEP(known = rooted);                          /* prepare: hf_keep_load */
#endif
  settle_if_marked();                            /* prepare */
  trash_list();
  do
  :: list != 0 -> next_of(list); take_entry()    /* sweep_entries */
  :: else -> break
  od;
#if ROOTERS && !defined(FAULT_ROOTS_READ_EARLY)
  leave_rooted();                                /* flush */
#endif
  known = 0;
  flush();
#if PRESSED
  if :: pressed -> relieve() :: else fi;
#endif
  settle_if_marked();                            /* settle_rest */
  END
}

/* Out of service, whole, since a root names it. */
#define left_rooted(d) ((rooted & bit(d)) && tree[d] == 2 && ref[d]                                  \
                        && (place[d] == REMOVED && state[d] == SETTLED                             \
                            || place[d] == DEPLOY && state[d] == RETIRED))
