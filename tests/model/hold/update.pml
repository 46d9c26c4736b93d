/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who builds a deployment and publishes it: staging.c, build.c, publish.c.
 */

#ifdef FAULT_HELD_SEEN_EARLY
#define may_replace true
#else
#define may_replace (named || !is_held)
#endif

/* Who updates everything leaves what a rollback chose; who names the ref does not. */
proctype updater(byte id; byte d; bool named)
{
  REGISTERS;
  byte expected;
#ifdef FAULT_HELD_SEEN_EARLY
  STEP(if :: !named && is_held -> goto gone :: else fi);
#endif
  STEP(expected = current);                      /* hf_build_begin: hf_active_read */
  /* Where nothing is deployed it is an install, whose steps are the same. */
  TAKE(change_lock);                             /* hf_staging_create */
  STEP(place[d] = STAGING);                      /* make_entry: hf_mkdir */
  STEP(ref[d] = true);                           /* make_entry: openat, O_CREAT */
#ifdef FAULT_UNLOCKED_AT_BIRTH
  RELEASE(change_lock);
#endif
  STEP(                                          /* make_entry: hf_ofd_lock */
    if
    :: excl[d] == 0 -> shared[d] = shared[d] | bit(id); held[d] = held[d] | bit(id)
    :: else -> goto gone
    fi);
#ifndef FAULT_UNLOCKED_AT_BIRTH
  RELEASE(change_lock);
#endif
  /* hf_import_layout, hf_import_finish: what they do in the repository is store.pml's. */
  WAIT(repo_excl == 0, repo_shared = repo_shared | bit(id));
  STEP(assert(HELD_KEEPS_ITS_FILES && ref[d]); tree[d] = 2; pins[d] = true);
  STEP(state[d] = COMPLETE);                     /* hf_deployment_write: renameat */
  STEP(repo_shared = repo_shared & ~bit(id));
  TAKE(change_lock);                             /* hf_publish */
  change_begin();
  if
#ifdef FAULT_PUBLISHED_WITHOUT_RUNTIME
  :: current == expected && may_replace ->
#else
  :: current == expected && may_replace && has_runtime(d) -> /* check_still_wanted */
#endif
     assert(ROLLBACK_HOLDS && (named || chosen == 0 || chosen != current));
     chosen = 0;
#ifdef FAULT_ACTIVE_FIRST
     STEP(current = d; check_deployed());
#endif
     STEP(place[d] = DEPLOY);                    /* put_into_service: renameat */
#ifdef FAULT_MARK_CLEARED_EARLY
     STEP(unsettled = false);
#endif
     STEP(current = d; check_deployed());        /* hf_active_set: renameat */
     STEP(set_state(d, SETTLED));                /* put_into_service */
     drop_stale(d);
     retain(d);
     change_end()
  :: else -> change_end()
  fi;
  RELEASE(change_lock);
  /* What was not published hf_build_end sweeps after this, as any sweeper would. */
  STEP(vanish_lock(id, d));                      /* hf_build_end: hf_staging_unlock */
  END
}
