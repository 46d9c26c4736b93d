/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who brings back what was removed, with what is to be kept beside it for rollback: restore.c.
 */

/* hold, check_runtime; `have` is whether it can come back */
inline hold_removed(e)
{
  STEP(have = (place[e] == REMOVED && ref[e]));  /* hold: hf_open_beneath */
#ifndef FAULT_RESTORE_WITHOUT_LOCK
  if
  :: have ->
     STEP(if :: excl[e] == 0 -> shared[e] = shared[e] | bit(id) :: else -> have = false fi)
  :: else                                        /* hold: hf_ofd_lock */
  fi;
#endif
#ifndef FAULT_RESTORE_WITHOUT_VERIFY
  if
  :: have -> STEP(have = (ref[e] && state[e] == SETTLED))      /* hold: hf_deployment_get_state */
  :: else
  fi;
#endif
#if RUNTIME && !defined(FAULT_RESTORED_WITHOUT_RUNTIME)
  STEP(have = (have && has_runtime(e)));         /* check_runtime */
#endif
}

/* move_back: the exchange.  Where it was there is a symlink now, that of the removal; lead_back replaces it by one
 * that leads back. */
#define move_back(e) STEP(place[e] = DEPLOY; forwarding[e] = false; prepared[e] = true)

/* hf_restorable_previous: as many as are to be kept, and what roots name; `d` is no previous one.  Which they are is
 * anybody's choice. */
#ifdef FAULT_RESTORE_KEEPS_ALL
#define comes_along(e) (e != d && is_restorable(e))
#else
#define comes_along(e) (e != d && is_restorable(e)                                                  \
                        && ((rooted & bit(e)) || SPARE - is_spare(d) < KEEP))
#endif

inline bring_previous_back()
{
#if N > 1
  k = 1;
  do
  :: k <= N && comes_along(k) ->
     hold_removed(k);
     if :: have -> move_back(k) :: else fi;
     STEP(vanish_lock(id, k));                   /* held_clear */
     k++
  :: k <= N -> k++
  :: else -> break
  od;
  k = 0
#else
  skip
#endif
}

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
     hold_removed(d);
     if
     :: have ->
        move_back(d);
        bring_previous_back();
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
