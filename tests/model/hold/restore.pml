/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who brings back what was removed: restore.c.
 */

proctype restorer(byte id)
{
  REGISTERS;
  byte d;
  bool have;
  STEP(                                          /* hf_restorable_list */
    if
    :: is_restorable(1) -> d = 1
#if N >= 2
    :: is_restorable(2) -> d = 2
#endif
#if N >= 3
    :: is_restorable(3) -> d = 3
#endif
    :: else -> goto gone
    fi);
  TAKE(change_lock);                             /* hf_restore */
  change_begin();
  if
  :: current == 0 ->                             /* check_absent */
     STEP(have = (place[d] == REMOVED && ref[d]));             /* hold: hf_open_beneath */
#ifndef FAULT_RESTORE_WITHOUT_LOCK
     if
     :: have ->
        STEP(if :: excl[d] == 0 -> shared[d] = shared[d] | bit(id) :: else -> have = false fi)
     :: else                                     /* hold: hf_ofd_lock */
     fi;
#endif
#ifndef FAULT_RESTORE_WITHOUT_VERIFY
     if
     :: have -> STEP(have = (ref[d] && state[d] == SETTLED))   /* hold: hf_deployment_get_state */
     :: else
     fi;
#endif
#if RUNTIME && !defined(FAULT_RESTORED_WITHOUT_RUNTIME)
     STEP(have = (have && has_runtime(d)));      /* check_runtime */
#endif
     if
     :: have ->
        /* move_back: the exchange.  Where it was there is a symlink now, that of the removal; lead_back
         * replaces it by one that leads back. */
        STEP(place[d] = DEPLOY; forwarding[d] = false; prepared[d] = true);
        STEP(current = d; removal = false; check_deployed()) /* hf_active_set */
     :: else
     fi;
     have = false
  :: else
  fi;
  change_end();
  STEP(vanish_lock(id, d));                      /* held_clear */
  RELEASE(change_lock);
  END
}
