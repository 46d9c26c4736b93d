/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The unsettled mark, and what a writer or sweeper does that finds it: settle.c.
 */

/* hf_change_end */
inline change_end()
{
  if
  :: pending -> pending = false
  :: else -> STEP(unsettled = false)             /* set_mark */
  fi
}

#if RUNTIME
/* settle_branch of the runtime */
inline settle_runtime()
{
  STEP(k = current_runtime);                     /* settle_active: hf_link_read */
  if
  :: k != 0 ->
     STEP(if :: runtime_deployed :: else -> k = 0 fi);         /* settle_active: look_at */
     if :: k == 0 -> STEP(current_runtime = 0) :: else fi      /* settle_active: unlinkat */
  :: else
  fi;
  if                                             /* settle_other */
  :: k == 0 && place[THE_RUNTIME] == DEPLOY ->
     /* It went last, so there is nothing to take out of service. */
     assert(NEVER_GIVEN_UP && (!in_service(state[THE_RUNTIME])));
     pending = true
  :: place[THE_RUNTIME] == NOWHERE && forwarding[THE_RUNTIME] && !prepared[THE_RUNTIME] ->
     STEP(forwarding[THE_RUNTIME] = false)       /* drop_dangling: unlinkat */
  :: else
  fi;
  k = 0
}
#endif

/* hf_settle; `lock` is held */
inline settle()
{
#ifdef FAULT_MARK_CLEARED_FIRST
  STEP(unsettled = false);
#endif
  STEP(keep = current);                          /* settle_active: hf_link_read */
  if
  :: keep != 0 ->
     STEP(                                       /* settle_active: look_at */
       if
       :: place[keep] == DEPLOY && in_service(state[keep])
       :: else -> keep = 0
       fi);
     if
     :: keep != 0 && state[keep] == COMPLETE -> STEP(set_state(keep, SETTLED)) /* settle_active */
     :: keep != 0 && state[keep] != COMPLETE
     :: keep == 0 -> STEP(current = 0; check_deployed())               /* settle_active: unlinkat */
     fi
  :: else
  fi;
  k = 1;
  do
  :: k <= N ->                                   /* settle_other */
     if
#ifdef FAULT_SETTLE_RETIRES_ALL
     :: k != keep && place[k] == DEPLOY && in_service(state[k]) -> retire_deployment(k, surplus_by_number(k))
#else
     :: k != keep && place[k] == DEPLOY && (state[k] == COMPLETE || state[k] == SETTLED && keep == 0) ->
        retire_deployment(k, surplus_by_number(k))
     :: k != keep && place[k] == DEPLOY && state[k] == SETTLED && keep != 0 /* retention's */
#endif
     :: k != keep && place[k] == DEPLOY && !in_service(state[k]) -> pending = true
     :: k != keep && place[k] != DEPLOY && forwarding[k] && place[k] != REMOVED && !prepared[k] ->
        STEP(forwarding[k] = false)              /* drop_dangling: unlinkat */
     :: else
     fi;
     k++
  :: else -> break
  od;
  k = 0;
  if :: keep != 0 -> retain(keep) :: else fi;    /* settle_branch */
  drop_stale(keep);
  keep = 0;
#if RUNTIME
  settle_runtime();
#endif
  change_end()
}

/* hf_change_begin; `lock` is held */
inline change_begin()
{
  if
  :: unsettled -> settle(); pending = unsettled
  :: else
  fi;
  STEP(unsettled = true)                         /* set_mark */
}

/* settle_if_marked */
inline settle_if_marked()
{
  TAKE(change_lock);
  if :: unsettled -> settle() :: else fi;
  pending = false;
  RELEASE(change_lock)
}
