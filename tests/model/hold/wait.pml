/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who waits until nobody holds what a sweep had to leave, and then does nothing but end, so that another sweep
 * comes: sweep-wait.c, lock-wait.c.  Whoever notices a restore kills him, at any time or never.
 */

/* What a sweep has reported as held.  What is opened of it stays that, wherever it is moved to. */
#define is_left(d)                                                                                  \
  ((place[d] == REMOVED || place[d] == DEPLOY && state[d] == RETIRED)                              \
   && ref[d] && (shared[d] != 0 || flocked[d] != 0))

proctype waiter(byte id)
{
  byte v, d;
  STEP(                                          /* start_one */
    if
    :: is_left(1) -> d = 1
#if D >= 2
    :: is_left(2) -> d = 2
#endif
#if D >= 3
    :: is_left(3) -> d = 3
#endif
    :: else -> goto gone
    fi);
  if
  :: WAIT(flocked[d] == 0, flocked[d] = id);     /* wait_here: flock */
     if
     :: STEP(flocked[d] = 0);                    /* wait_here: flock */
        if
        :: WAIT(sweepers_lock_free(d), excl[d] = id)           /* wait_here: hf_ofd_lock */
        :: true
        fi
     :: true
     fi
  :: true                                        /* hf_lock_wait_end: pidfd_send_signal */
  fi;
  STEP(vanish(id));                              /* wait_here: its end */
  END
}
