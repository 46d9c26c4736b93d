/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who goes back to a previous deployment, which is held then, and who ends that hold: rollback.c.
 */

proctype roller(byte id)
{
  REGISTERS;
  byte to;
  TAKE(change_lock);                             /* hf_rollback */
  change_begin();
  STEP(                                          /* choose */
    if
    :: current != 0 && is_previous(1) -> to = 1
#if N >= 2
    :: current != 0 && is_previous(2) -> to = 2
#endif
#if N >= 3
    :: current != 0 && is_previous(3) -> to = 3
#endif
#if N >= 4
    :: current != 0 && is_previous(4) -> to = 4
#endif
    :: else
    fi);
#if RUNTIME
  STEP(if :: has_runtime(to) :: else -> to = 0 fi); /* check_runtime */
#endif
  if
  :: to != 0 ->
#ifdef FAULT_HOLD_REPLACED_FIRST
     STEP(hold = to; check_chosen());
#endif
#if !defined(FAULT_HOLD_REPLACED_FIRST) && !defined(FAULT_FLIP_BEFORE_HOLD)
     STEP(hold_new = to; check_chosen());        /* hf_held_announce */
#endif
     STEP(current = to; chosen = to; check_deployed(); check_chosen()); /* hf_active_set */
#ifdef FAULT_FLIP_BEFORE_HOLD
     STEP(hold = to);
#endif
     drop_stale(to);                             /* the announced one takes its place */
#ifndef FAULT_ROLLBACK_KEEPS_ALL
     retain(to);
#endif
     to = 0
  :: else
  fi;
  change_end();
  RELEASE(change_lock);
  END
}

/* hf_rollback_end */
proctype ender(byte id)
{
  REGISTERS;
  byte name;
  STEP(name = current);                          /* hf_deployed_find */
  STEP(if :: is_held :: else -> goto gone fi);   /* hf_active_is_held */
  TAKE(change_lock);
  change_begin();
  STEP(                                          /* hf_active_read, hf_active_is_held */
    if
    :: current == name && is_held -> chosen = 0
#ifndef FAULT_ANY_HOLD_ENDS
    :: else -> name = 0
#else
    :: else
#endif
    fi);
  if :: name != 0 -> drop_stale(0) :: else fi;   /* drop_hold */
  change_end();
  RELEASE(change_lock);
  END
}
