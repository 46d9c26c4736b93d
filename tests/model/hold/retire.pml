/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Taking deployments out of service, and which of them are kept: retire.c, previous.c, active.c.
 */

/* Beside what is deployed, only what is past the number to be kept. */
#define surplus_by_number(d) KEPT_STAYS                                                             \
  && (state[d] != SETTLED || removal || !deployed || is_spare(d) && SPARE > KEEP)

/* hf_retire_deployment; `rightly` is what must be so then */
inline retire_deployment(d, rightly)
{
  STEP(prepared[d] = true);                      /* prepare_forwarding: symlinkat */
  atomic {
    if
    :: crashes > 0 && !cut -> crashes--; goto crashed
    :: cut -> goto crashed
    :: !cut -> assert(rightly); place[d] = REMOVED; prepared[d] = false; forwarding[d] = true; /* exchange */
       check_deployed()
#ifdef IN_PLACE
    :: !cut -> pending = true;                   /* exchange: refused */
#endif
    fi
  }
  if
  :: place[d] == DEPLOY ->
     STEP(prepared[d] = false);                  /* exchange: unlinkat */
     STEP(assert(rightly); set_state(d, RETIRED)) /* retire_in_place */
  :: else
  fi
}

/* hf_retire_others, but those in `kept` */
inline retire_others()
{
  k = 1;
  do
  :: k <= N && !(kept & bit(k)) && place[k] == DEPLOY ->
     /* is_retired: whatever lies out of service in place is a sweeper's. */
     if
     :: in_service(state[k]) -> retire_deployment(k, surplus_by_number(k))
#ifdef FAULT_RETIRE_AGAIN
     :: else -> retire_deployment(k, true)
#else
     :: else -> pending = true
#endif
     fi;
     k++
  :: k <= N && ((kept & bit(k)) || place[k] != DEPLOY) -> k++
  :: else -> break
  od;
  k = 0;
  kept = 0
}

#define could_be_kept(d) (v > 0 && is_spare(d) && !(kept & bit(d)))

/* hf_previous_retain; under `lock` nothing of what it looks at changes */
inline retain(but)
{
  STEP(                                          /* hf_retention_load, hf_previous_list */
    kept = bit(but);
    k = 1;
    do
    :: k <= N && is_previous(k) && (rooted & bit(k)) -> kept = kept | bit(k); k++
    :: k <= N && !(is_previous(k) && (rooted & bit(k))) -> k++
    :: else -> break
    od;
    k = 0;
    v = KEEP;
    do
    :: could_be_kept(1) -> kept = kept | bit(1); v--
#if N >= 2
    :: could_be_kept(2) -> kept = kept | bit(2); v--
#endif
#if N >= 3
    :: could_be_kept(3) -> kept = kept | bit(3); v--
#endif
#if N >= 4
    :: could_be_kept(4) -> kept = kept | bit(4); v--
#endif
    :: else -> break
    od;
    v = 0);
  retire_others()
}

/* hf_held_drop_stale */
inline drop_stale(now)
{
#if ROLLBACKS
  if
  :: hold_new != 0 && hold_new == now -> STEP(hold = hold_new; hold_new = 0; check_chosen())
  :: hold_new != 0 && hold_new != now -> STEP(hold_new = 0; check_chosen())
  :: else
  fi;
  if :: hold != 0 && hold != now -> STEP(hold = 0; check_chosen()) :: else fi
#else
  skip
#endif
}
