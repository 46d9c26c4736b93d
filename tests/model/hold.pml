/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names and locks: what launchers, updaters, removers, rollbacks, restorers, roots and sweepers do to
 * the deployments of one ref, one system call a step, with a crash possible before every step of
 * everybody.  Each step names the function that it stands for.  Proved for the configurations that
 * `check` lists: no file goes of a deployment that something holds or a root names, nor does its path
 * stop leading to it (G1); once all have ended, one sweep leaves nothing that is out of service and that
 * no root names, nor more previous deployments than are kept (G2), and none is given up before that;
 * the ref is deployed at every instant until somebody removes it (G3), and nobody who launches it is
 * refused; what a rollback chose is held at every instant; nobody reports damage where there is none
 * (G5); states only fall; there is no deadlock.  Each FAULT_ is a way to get it wrong that the search
 * finds.
 *
 * Left out: everything below repo/ (see store.pml); what a power cut may lose of changes that were
 * not synced (all processes can die at once, but the disk is what it was); failures of system calls
 * other than the refusal to move a deployment, and so the plain rename for NFS and the launcher that
 * stays since it has no bundle; directories above a deployment; more refs than one (an application
 * and its runtime are held one by one, by the same steps); the lock that bubblewrap takes besides,
 * which only ever adds to the launcher's; a launcher's RETRIES (more than TRIES would need more
 * updates than there are here); times: which previous deployments are kept and which one a rollback
 * goes to is anybody's choice, and an entry that is removed again has the name that it had before, as it
 * may within one second; trash that is spared for a while, which to others is a sweep that comes later;
 * the links of roots, which end a root as its removal does.  A directory is listed in one step.
 */

/* How many of each a configuration has. */
#ifndef N
#define N 2 /* deployments: PREVIOUS + 1 is in service at first, those after it updaters build */
#endif
#ifndef PREVIOUS
#define PREVIOUS 0 /* the first so many were in service before */
#endif
#ifndef KEEP
#define KEEP 0 /* keep-previous */
#endif
#ifndef LAUNCHERS
#define LAUNCHERS 0
#endif
#ifndef FLOCKERS
#define FLOCKERS 0 /* who hold by flock(2) in place of a record lock */
#endif
#ifndef UPDATERS
#define UPDATERS 0
#endif
#ifndef REMOVERS
#define REMOVERS 0
#endif
#ifndef RESTORERS
#define RESTORERS 0
#endif
#ifndef ROLLBACKS
#define ROLLBACKS 0
#endif
#ifndef ROOTERS
#define ROOTERS 0 /* who add a root */
#endif
#ifndef UNROOTERS
#define UNROOTERS 0 /* who remove all roots */
#endif
#ifdef UNNAMED
#define NAMED false /* the updates are of everything */
#else
#define NAMED true
#endif
#ifndef SWEEPERS
#define SWEEPERS 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef TRIES
#define TRIES 4 /* of a launcher */
#endif

/* What is checked.  The number stands at the head of each assertion, by which `check` knows it. */
#define HELD_KEEPS_ITS_FILES   11
#define HELD_CAN_BE_FOUND      12
#define UNHELD_IS_RECLAIMED    13
#define REF_STAYS_DEPLOYED     14
#define STATES_ONLY_FALL       15
#define NO_FALSE_ALARM         16
#define ROOTED_KEEPS_ITS_FILES 17
#define KEPT_STAYS             18
#define ROLLBACK_HOLDS         19
#define NEVER_REFUSED          20

/* Where a deployment's directory is, in the order in which hf_trash_list() sorts. */
#define NOWHERE 0
#define DEPLOY  1
#define REMOVED 2
#define STAGING 3

/* The mode of its `deployment`, in falling order. */
#define COMPLETE 5 /* 0744 */
#define SETTLED  4 /* 0644 */
#define RETIRED  3 /* 0444 */
#define DELETING 2 /* 0440 */
#define PRUNED   1 /* 0400 */
#define ABSENT   0

#define in_service(state) ((state) >= SETTLED)

byte place[N + 1];
byte state[N + 1];
byte tree[N + 1];    /* 2 is whole, 1 is half gone */
bool pins[N + 1];
bool ref[N + 1];     /* `.ref` has a link */
bool prepared[N + 1];   /* a symlink is at its name in removed/ */
bool forwarding[N + 1]; /* a symlink is at its name in deploy/ */
byte current;           /* what the link names; 0: there is none */
byte hold;              /* what `held` names */
byte hold_new;          /* what `held.new` names */
byte rooted;            /* what roots name: a bit for each */
bool unsettled;         /* the sticky bit of deploy/ */

/* The kernel's locks.  A process is an open file description: none has two of one file. */
byte shared[N + 1];  /* record locks on `.ref`, a bit for each owner */
byte excl[N + 1];    /* the one that has an exclusive one */
byte flocked[N + 1]; /* flock(2), shared or not: no two of those who take it can share */
byte change_lock, prune_lock, repo_excl, repo_shared;

byte held[N + 1]; /* who, by the protocol, may rely on a deployment: a bit for each */
bool removal;     /* somebody began to remove the ref, and nobody restored it */
bool was_removed; /* somebody did at some time */
byte chosen;      /* what a rollback went to last, and no update replaced since */
byte crashes = CRASHES;
#ifdef POWER_CUT
bool cut;         /* all processes are dead at once */
#else
#define cut false
#endif

#define bit(id) (1 << (id))
#define sweepers_lock_free(d) (shared[d] == 0 && excl[d] == 0)

/* All that the kernel knows of a process that is no more. */
inline vanish(id)
{
  d_step {
    v = 1;
    do
    :: v <= N ->
       shared[v] = shared[v] & ~bit(id);
       held[v] = held[v] & ~bit(id);
       if :: excl[v] == id -> excl[v] = 0 :: else fi;
       if :: flocked[v] == id -> flocked[v] = 0 :: else fi;
       v++
    :: else -> break
    od;
    v = 0;
    if :: change_lock == id -> change_lock = 0 :: else fi;
    if :: prune_lock == id -> prune_lock = 0 :: else fi;
    if :: repo_excl == id -> repo_excl = 0 :: else fi;
    repo_shared = repo_shared & ~bit(id)
  }
}

/* One system call, or the crash of who would make it; WAIT blocks in the kernel until it can be. */
#define WAIT(guard, act)                                                                           \
  atomic {                                                                                         \
    if                                                                                             \
    :: crashes > 0 && !cut -> crashes--; goto crashed                                        \
    :: cut -> goto crashed                                                                            \
    :: !cut && (guard) -> act                                                                      \
    fi                                                                                             \
  }
/* The end of every actor, and what the kernel does when one crashes. */
#define END                                                                                        \
  atomic {                                                                                         \
    goto gone;                                                                                     \
crashed:                                                                                           \
    vanish(id);                                                                                    \
gone:                                                                                              \
    skip                                                                                           \
  }
#define STEP(act) WAIT(true, act)
#define TAKE(lock) WAIT(lock == 0, lock = id)       /* hf_lock_take */
#define RELEASE(lock) STEP(lock = 0)                /* hf_lock_release */

#define is_previous(d) (place[d] == DEPLOY && state[d] == SETTLED && d != current)
#define is_spare(d) (is_previous(d) && !(rooted & bit(d)))
#if N >= 4
#define SPARE (is_spare(1) + is_spare(2) + is_spare(3) + is_spare(4))
#elif N == 3
#define SPARE (is_spare(1) + is_spare(2) + is_spare(3))
#elif N == 2
#define SPARE (is_spare(1) + is_spare(2))
#else
#define SPARE is_spare(1)
#endif

#define deployed (current != 0 && place[current] == DEPLOY && in_service(state[current]))

inline check_deployed() { assert(REF_STAYS_DEPLOYED && (removal || deployed)) }

inline check_unheld(d)
{
  assert(HELD_KEEPS_ITS_FILES && (held[d] == 0));
  assert(ROOTED_KEEPS_ITS_FILES && !(rooted & bit(d)))
}

/* hf_active_is_held */
#define is_held (current != 0 && (hold == current || hold_new == current))

inline check_chosen() { assert(ROLLBACK_HOLDS && (chosen == 0 || chosen != current || is_held)) }

/* hf_deployment_set_state */
inline set_state(d, new)
{
  assert(STATES_ONLY_FALL && (new <= state[d]));
  state[d] = new;
  check_deployed()
}

/* What every process that takes part needs: registers, all zero between their uses. */
#define REGISTERS byte v, k, keep, kept; bool pending

/* --- Taking out of service: retire.c ------------------------------------------------------------ */

/* hf_retire_deployment */
inline retire_deployment(d)
{
  /* Beside what is deployed, only what is past the number to be kept. */
  assert(KEPT_STAYS && (state[d] != SETTLED || removal || !deployed || is_spare(d) && SPARE > KEEP));
  STEP(prepared[d] = true);                      /* prepare_forwarding: symlinkat */
  atomic {
    if
    :: crashes > 0 && !cut -> crashes--; goto crashed
    :: cut -> goto crashed
    :: !cut -> place[d] = REMOVED; prepared[d] = false; forwarding[d] = true; /* exchange */
       check_deployed()
#ifdef IN_PLACE
    :: !cut -> pending = true;                   /* exchange: refused */
#endif
    fi
  }
  if
  :: place[d] == DEPLOY ->
     STEP(prepared[d] = false);                  /* exchange: unlinkat */
     STEP(set_state(d, RETIRED))                 /* retire_in_place */
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
     :: in_service(state[k]) -> retire_deployment(k)
#ifdef FAULT_RETIRE_AGAIN
     :: else -> retire_deployment(k)
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

/* --- The unsettled mark: settle.c -------------------------------------------------------------- */

/* hf_change_end */
inline change_end()
{
  if
  :: pending -> pending = false
  :: else -> STEP(unsettled = false)             /* set_mark */
  fi
}

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
     :: k != keep && place[k] == DEPLOY && in_service(state[k]) -> retire_deployment(k)
#else
     :: k != keep && place[k] == DEPLOY && (state[k] == COMPLETE || state[k] == SETTLED && keep == 0) ->
        retire_deployment(k)
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

/* --- Holding: lease.c, launch.c, bundle.c ------------------------------------------------------- */

/* The last descriptor of a lock on one `.ref` goes. */
inline vanish_lock(id, d)
{
  held[d] = held[d] & ~bit(id);
  shared[d] = shared[d] & ~bit(id);
  if :: flocked[d] == id -> flocked[d] = 0 :: else fi
}

/* The sandbox, from the start of bubblewrap to the end of its first process.  It has the launcher's
 * record lock by the queued message. */
proctype sandbox(byte id; byte d)
{
  byte at;
  at = place[d];                                 /* realpath of the descriptor */
  assert(HELD_CAN_BE_FOUND && (place[d] == at    /* mount by it */
                               || at == DEPLOY && forwarding[d] && place[d] == REMOVED
#if RESTORERS
                               || at == REMOVED && place[d] == DEPLOY /* lead_back: a courtesy */
#endif
                               ));
  at = 0;
  atomic { vanish_lock(id, d) }                  /* the end of it: the message goes */
}

/* hf_lease_acquire: `d` is held after it, or 0 */
inline acquire(by_flock)
{
  do
  :: tries < TRIES ->
     STEP(d = current);                          /* hf_active_read */
     if :: d == 0 -> break :: else fi;
     tries++;
     STEP(if :: place[d] == DEPLOY :: else -> d = 0 fi);       /* try_acquire: the directory */
     if :: d == 0 -> goto again :: else fi;
     STEP(if :: ref[d] :: else -> tries = tries + 16 fi);      /* try_acquire: `.ref` */
     if
     :: tries >= 16 ->
        tries = tries - 16;
        STEP(assert(NO_FALSE_ALARM && !in_service(state[d])));  /* try_acquire: is_in_service */
        goto again
     :: else
     fi;
     STEP(                                       /* try_acquire: hf_ofd_lock */
       if
       :: !by_flock && excl[d] == 0 -> shared[d] = shared[d] | bit(id)
       :: by_flock && flocked[d] == 0 -> flocked[d] = id
       :: else ->
          /* Only a sweeper refuses it, and only what is out of service. */
          assert(NEVER_REFUSED && !(place[d] == DEPLOY && in_service(state[d])));
          tries = tries + 16
       fi);
     if :: tries >= 16 -> tries = tries - 16; goto again :: else fi;
#ifndef FAULT_LOCK_WITHOUT_VERIFY
     STEP(if :: ref[d] :: else -> vanish_lock(id, d); d = 0 fi); /* verify: `.ref` has a link */
     if :: d == 0 -> goto again :: else fi;
     STEP(                                       /* verify: is_in_service */
       if
       :: in_service(state[d]) -> held[d] = held[d] | bit(id)
       :: else -> vanish_lock(id, d); d = 0
       fi);
     if :: d == 0 -> goto again :: else fi;
#else
     held[d] = held[d] | bit(id);
#endif
     break;
again:
     d = 0
  :: else -> break
  od;
  tries = 0
}

proctype launcher(byte id; bool by_flock)
{
  byte v, d, tries;
  acquire(by_flock);
  if
  :: d != 0 ->
     STEP(assert(HELD_KEEPS_ITS_FILES && (tree[d] == 2)));     /* read_metadata */
     STEP(skip);                                 /* hf_bundle_new: sendmsg */
     STEP(run sandbox(id, d))                    /* hf_relay_start; our descriptors go */
  :: else -> assert(NEVER_REFUSED && was_removed) /* hf_lease_acquire: nothing is installed */
  fi;
  END
}

/* --- Updating: staging.c, build.c, publish.c --------------------------------------------------- */

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
  :: current == expected && may_replace ->       /* check_still_wanted */
     assert(ROLLBACK_HOLDS && (named || chosen == 0 || chosen != current));
     chosen = 0;
#ifdef FAULT_ACTIVE_FIRST
     STEP(current = d; check_deployed());
#endif
     STEP(place[d] = DEPLOY);                    /* put_into_service: renameat */
#ifdef FAULT_MARK_CLEARED_EARLY
     STEP(unsettled = false);
#endif
     STEP(current = d; check_deployed());        /* flip_active: renameat */
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

/* --- Removing: remove.c ------------------------------------------------------------------------- */

proctype remover(byte id)
{
  REGISTERS;
  TAKE(change_lock);                             /* hf_remove_ref */
  change_begin();
  if
  :: current != 0 ->                             /* hf_branch_exists */
     removal = true;
     was_removed = true;
     chosen = 0;
     kept = bit(current);                        /* remove_branch: hf_link_read */
     retire_others();
     retire_others();
     STEP(current = 0);                          /* remove_branch: unlinkat */
     drop_stale(0)
  :: else
  fi;
  change_end();
  RELEASE(change_lock);
  END
}

/* --- Bringing back: rollback.c, restore.c -------------------------------------------------------- */

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

#define is_restorable(d) (place[d] == REMOVED && state[d] == SETTLED)

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

/* --- Roots: roots.c ------------------------------------------------------------------------------ */

proctype rooter(byte id)
{
  byte v, d, tries;
  acquire(false);                                /* hf_root_add */
  if
  :: d != 0 ->
#ifdef FAULT_ROOT_WITHOUT_REF
     STEP(vanish_lock(id, d));
#endif
     TAKE(change_lock);
     STEP(assert(ROOTED_KEEPS_ITS_FILES && (tree[d] == 2)); rooted = rooted | bit(d)); /* write_root */
     STEP(vanish_lock(id, d));                   /* hf_lease_free */
     RELEASE(change_lock)
  :: else
  fi;
  END
}

proctype unrooter(byte id)
{
  REGISTERS;
  TAKE(change_lock);                             /* hf_root_remove */
  if
  :: rooted != 0 ->
     change_begin();                             /* drop */
     STEP(rooted = 0);                           /* drop: unlinkat */
     if :: current != 0 -> keep = current; retain(keep); keep = 0 :: else fi; /* retain_branch */
     change_end()
  :: else
  fi;
  RELEASE(change_lock);
  END
}

/* --- Sweeping: trash.c, sweep.c ----------------------------------------------------------------- */

#define LOCKED  1
#define PASSED  2 /* held, or gone, or another sweeper's: all the same to the rest */
#define SYMLINK 3
#define NO_REF  4
#define DAMAGED 5
#if RESTORERS == 0
#define OTHER_THING DAMAGED
#else
#define OTHER_THING PASSED /* a restore has left a symlink; verify() takes that for gone, too */
#endif

#define link_there (kind == REMOVED && prepared[d] || kind == DEPLOY && forwarding[d])
#define is_empty(d) (tree[d] == 0 && !pins[d] && !ref[d] && state[d] == ABSENT)

inline look_again(otherwise)
{
  if
  :: place[d] == kind
  :: place[d] != kind && link_there -> out = otherwise
  :: else -> out = PASSED
  fi
}

/* drop_symlink */
inline drop_symlink()
{
  TAKE(change_lock);
  STEP(                                          /* drop_symlink: fstatat */
    if
    :: place[d] == kind -> out = 0;
#ifdef FAULT_MOVED_IS_DAMAGED
       out = DAMAGED
#endif
    :: place[d] != kind && link_there && kind == REMOVED
    :: place[d] != kind && link_there && kind != REMOVED -> out = DAMAGED
    :: else -> out = PASSED
    fi);
  if
  :: out == SYMLINK -> STEP(prepared[d] = false; out = PASSED)        /* drop_symlink: unlinkat */
  :: else
  fi;
  RELEASE(change_lock)
}

/* lock_ref */
inline lock_ref()
{
#ifdef FAULT_QUERY
  STEP(if :: sweepers_lock_free(d) && flocked[d] == 0 :: else -> out = PASSED fi);
#else
  STEP(                                          /* lock_ref: hf_ofd_lock */
    if
    :: sweepers_lock_free(d) -> excl[d] = id; taken = true
    :: else -> out = PASSED
    fi);
#ifndef FAULT_NO_FLOCK
  if
  :: out == 0 ->
     STEP(                                       /* lock_ref: flock */
       if
       :: flocked[d] == 0 -> flocked[d] = id
       :: else -> out = PASSED
       fi);
     if :: out != 0 -> STEP(excl[d] = 0; taken = false) :: else fi /* lock_ref: hf_ofd_unlock */
  :: else
  fi;
#endif
#endif
  if
  :: out == 0 ->
     STEP(                                       /* verify: still_named */
       if
#ifdef FAULT_VERIFY_BY_DESCRIPTOR
       :: ref[d]
#else
       :: place[d] == kind && ref[d]
#endif
       :: else -> out = PASSED
       fi)
  :: else
  fi;
  if
  :: out == 0 ->
     STEP(                                       /* verify: hf_deployment_get_state */
       s = state[d];
       if
       :: kind == DEPLOY && in_service(s) -> out = PASSED
       :: else -> out = LOCKED
       fi);
  :: else
  fi
}

/* hf_trash_entry_free */
inline entry_free()
{
  STEP(if :: flocked[d] == id -> flocked[d] = 0 :: else fi);
  STEP(if :: excl[d] == id -> excl[d] = 0 :: else fi)
}

/* hf_trash_entry_lock */
inline entry_lock()
{
  out = 0;
  STEP(look_again(SYMLINK));                     /* hf_trash_entry_lock: fstatat */
  if :: out == SYMLINK -> drop_symlink() :: else fi;
  if
  :: out == 0 ->
#ifdef FAULT_LOCK_OUTSIDE
     if :: kind == STAGING -> TAKE(change_lock) :: else fi;
#else
     TAKE(change_lock);
#endif
     STEP(look_again(OTHER_THING));              /* open_and_lock: the directory */
     if
     :: out == 0 -> STEP(if :: ref[d] :: else -> out = NO_REF fi)       /* open_and_lock: `.ref` */
     :: else
     fi;
     if
     :: out == NO_REF ->
        STEP(                                    /* drop_empty: unlinkat, AT_REMOVEDIR */
          if
          :: place[d] != kind -> out = PASSED
          :: place[d] == kind && is_empty(d) -> place[d] = NOWHERE; out = PASSED
          :: else -> out = DAMAGED
          fi)
     :: out == 0 -> lock_ref()
     :: else
     fi;
#ifdef FAULT_LOCK_OUTSIDE
     if :: kind == STAGING -> RELEASE(change_lock) :: else fi
#else
     RELEASE(change_lock)
#endif
  :: else
  fi;
  if
  :: taken && out != LOCKED -> entry_free()
  :: else
  fi;
  taken = false;
  assert(NO_FALSE_ALARM && (out != DAMAGED))
}

/* hf_trash_entry_delete_tree */
inline delete_tree()
{
  if
  :: tree[d] > 0 ->
     STEP(check_unheld(d); tree[d] = 1);
     STEP(check_unheld(d); tree[d] = 0)
  :: else
  fi
}

/* hf_trash_entry_delete_rest; `s` is the state that was read */
inline delete_rest()
{
  STEP(check_unheld(d); pins[d] = false);        /* hf_tree_delete */
  TAKE(change_lock);
  if
  :: s != ABSENT && kind == REMOVED -> STEP(check_unheld(d); forwarding[d] = false)
  :: else
  fi;
#ifdef FAULT_REF_BEFORE_DEPLOYMENT
  STEP(check_unheld(d); ref[d] = false);
  STEP(check_unheld(d); state[d] = ABSENT);
#else
  STEP(check_unheld(d); state[d] = ABSENT);      /* unlinkat: `deployment` */
  STEP(check_unheld(d); ref[d] = false);         /* unlinkat: `.ref` */
#endif
  STEP(                                          /* unlinkat, AT_REMOVEDIR */
    if
    :: place[d] == kind -> assert(NO_FALSE_ALARM && is_empty(d)); place[d] = NOWHERE
    :: place[d] != kind && link_there -> assert(NO_FALSE_ALARM && false)
    :: else
    fi);
  RELEASE(change_lock)
}

#define entry_bit(kind, d) (1 << ((kind - 1) * N + d - 1))

/* hf_trash_list */
inline trash_list()
{
  STEP(d = 1;                                    /* list_directory: staging/ */
    do
    :: d <= N && place[d] == STAGING -> list = list | entry_bit(STAGING, d); d++
    :: d <= N && place[d] != STAGING -> d++
    :: else -> break
    od; d = 0);
  STEP(d = 1;                                    /* list_directory: removed/ */
    do
    :: d <= N && (place[d] == REMOVED || prepared[d]) -> list = list | entry_bit(REMOVED, d); d++
    :: d <= N && !(place[d] == REMOVED || prepared[d]) -> d++
    :: else -> break
    od; d = 0);
  if
  :: unsettled ->                                /* hf_unsettled_is_marked */
     STEP(d = 1;                                 /* list_in_place */
       do
       :: d <= N && place[d] == DEPLOY && !in_service(state[d]) ->
          list = list | entry_bit(DEPLOY, d); d++
       :: d <= N && !(place[d] == DEPLOY && !in_service(state[d])) -> d++
       :: else -> break
       od; d = 0)
  :: else
  fi
}

/* The next of a list, by path. */
inline next_of(list)
{
  d_step {
    v = 0;
    do
    :: list & (1 << v) -> break
    :: else -> v++
    od;
    list = list & ~(1 << v);
    kind = 1 + v / N;
    d = 1 + v % N;
    v = 0
  }
}

/* hf_keep_rooted; what has begun to go, goes */
#define keeps(d) ((known & bit(d)) && (state[d] == SETTLED || state[d] == RETIRED))

/* leave_rooted */
inline leave_rooted()
{
  STEP(known = rooted);                          /* hf_keep_refresh */
  left = batch;
  do
  :: left != 0 ->
     next_of(left);
     if :: keeps(d) -> batch = batch & ~entry_bit(kind, d); entry_free() :: else fi;
     kind = 0; d = 0
  :: else -> break
  od;
  known = 0
}

proctype sweeper(byte id)
{
  REGISTERS;
  byte kind, d, s, out, known;
  bool taken; /* by the entry at hand: another name of it may be in the batch */
  short list, batch, left;
#if ROOTERS
  STEP(known = rooted);                          /* prepare: hf_keep_load */
#endif
  settle_if_marked();                            /* prepare */
  trash_list();
  do
  :: list != 0 ->                                /* sweep_entries: take_entry */
     next_of(list);
#if ROOTERS
     STEP(                                       /* hf_keep_keeps */
       if
       :: kind != STAGING && place[d] == kind && keeps(d) -> out = PASSED
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
  :: else -> break
  od;
#if ROOTERS && !defined(FAULT_ROOTS_READ_EARLY)
  leave_rooted();                                /* flush */
#endif
  known = 0;
  left = batch;
  do
  :: left != 0 ->                                /* delete_trees */
     next_of(left);
#ifdef FAULT_TREE_BEFORE_STATE
     delete_tree();
#endif
     TAKE(prune_lock);                           /* begin_deletion */
     WAIT(repo_excl == 0 && repo_shared == 0, repo_excl = id);
     STEP(if :: state[d] != DELETING -> set_state(d, DELETING) :: else fi);
     RELEASE(repo_excl);
     RELEASE(prune_lock);
     delete_tree();
     kind = 0; d = 0
  :: else -> break
  od;
  TAKE(prune_lock);                              /* prune_and_finish */
  trash_list();                                  /* finish_pruned */
  do
  :: list != 0 ->
     next_of(list);
     STEP(if :: place[d] == kind && state[d] == PRUNED -> out = 1 :: else fi);
     if                                          /* hf_trash_entry_may_be_pruned */
     :: out == 1 ->
        entry_lock();
        if
        :: out == LOCKED && s == PRUNED -> delete_rest()
        :: else
        fi;
        if :: out == LOCKED -> entry_free() :: else fi
     :: else
     fi;
     kind = 0; d = 0; s = 0; out = 0
  :: else -> break
  od;
  left = batch;
  do
  :: left != 0 ->                                /* prune_each_by_links */
     next_of(left);
     WAIT(repo_excl == 0 && repo_shared == 0, repo_excl = id); /* hf_prune_fast */
     RELEASE(repo_excl);
     STEP(set_state(d, PRUNED));                 /* finish_entry */
     s = PRUNED;
     delete_rest();
     kind = 0; d = 0; s = 0
  :: else -> break
  od;
  RELEASE(prune_lock);
  do
  :: batch != 0 ->                               /* flush: the batch's entries are freed */
     next_of(batch);
     entry_free();
     kind = 0; d = 0
  :: else -> break
  od;
  settle_if_marked();                            /* hf_sweep_all */
  END
}

/* Out of service, whole, since a root names it. */
#define left_rooted(d) ((rooted & bit(d)) && tree[d] == 2 && ref[d]                                  \
                        && (place[d] == REMOVED && state[d] == SETTLED                             \
                            || place[d] == DEPLOY && state[d] == RETIRED))

/* --- The world ---------------------------------------------------------------------------------- */

init
{
  byte d, n = 1;
  atomic {
    d = 1;
    do
    :: d <= PREVIOUS + 1 ->
       place[d] = DEPLOY; state[d] = SETTLED; tree[d] = 2; pins[d] = true; ref[d] = true; d++
    :: else -> break
    od;
    current = PREVIOUS + 1;
    d = 0;
    do :: d < LAUNCHERS -> run launcher(n, false); n++; d++ :: else -> break od;
    d = 0;
    do :: d < FLOCKERS -> run launcher(n, true); n++; d++ :: else -> break od;
    d = 0;
    do :: d < UPDATERS -> run updater(n, d + PREVIOUS + 2, NAMED); n++; d++ :: else -> break od;
    d = 0;
    do :: d < REMOVERS -> run remover(n); n++; d++ :: else -> break od;
    d = 0;
    do :: d < ROLLBACKS -> run roller(n); n++; d++ :: else -> break od;
    d = 0;
    do :: d < RESTORERS -> run restorer(n); n++; d++ :: else -> break od;
    d = 0;
    do :: d < ROOTERS -> run rooter(n); n++; d++ :: else -> break od;
    d = 0;
    do :: d < UNROOTERS -> run unrooter(n); n++; d++ :: else -> break od;
    d = 0;
    do :: d < SWEEPERS -> run sweeper(n); n++; d++ :: else -> break od;
    d = 0
  }
#ifdef POWER_CUT
  if
  :: atomic { _nr_pr > 1 -> cut = true; n = 0;
       do
       :: n <= N -> shared[n] = 0; excl[n] = 0; flocked[n] = 0; held[n] = 0; n++
       :: else -> break
       od;
       change_lock = 0; prune_lock = 0; repo_excl = 0; repo_shared = 0 }
  :: true
  fi;
#endif
  /* All have ended, one way or another.  One sweep, by itself, must be enough. */
  atomic {
    _nr_pr == 1 -> crashes = 0; n = 0;
#ifdef POWER_CUT
    cut = false;
#endif
    run sweeper(7)
  }
  atomic {
    _nr_pr == 1 -> d = 1; n = 0;
    do
    :: d <= N ->
       assert(UNHELD_IS_RECLAIMED && (place[d] == NOWHERE
              || place[d] == DEPLOY && state[d] == SETTLED && tree[d] == 2 && current != 0
              || left_rooted(d)));
       assert(UNHELD_IS_RECLAIMED && !prepared[d]);
       assert(UNHELD_IS_RECLAIMED && (!forwarding[d] || left_rooted(d)));
       if :: left_rooted(d) && place[d] == DEPLOY -> n = 1 :: else fi;
       d++
    :: else -> break
    od;
    assert(UNHELD_IS_RECLAIMED && (!unsettled || n == 1));
    assert(UNHELD_IS_RECLAIMED && (SPARE <= KEEP));
    assert(UNHELD_IS_RECLAIMED && (hold == 0 || hold == current) && hold_new == 0);
    check_chosen();
    assert(REF_STAYS_DEPLOYED && (removal || deployed))
  }
}
