/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the file system and the kernel know: where each deployment is, its state, who has which lock; and a
 * process that dies at any of its steps.  Also what holds at every instant, whoever acts.
 */

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

/* The runtime is a ref of its own, with one deployment, which comes after those of the application. */
#if RUNTIME
#define D (N + 1)
#define THE_RUNTIME (N + 1)
byte current_runtime; /* what its `active` names; 0: there is none */
#define is_active(d) (d == current || d == current_runtime)
#define needs_runtime(d) ((NEED >> (d)) & 1)
#define runtime_deployed (current_runtime != 0 && place[THE_RUNTIME] == DEPLOY                       \
                          && in_service(state[THE_RUNTIME]))
#else
#define D N
#define is_active(d) (d == current)
#define needs_runtime(d) false
#define runtime_deployed false
#endif

byte place[D + 1];
byte state[D + 1];
byte tree[D + 1];       /* 2 is whole, 1 is half gone */
bool pins[D + 1];
bool ref[D + 1];        /* `.ref` has a link */
bool prepared[D + 1];   /* a symlink is at its name in removed/ */
bool forwarding[D + 1]; /* a symlink is at its name in deploy/ */
byte current;           /* what the link names; 0: there is none */
byte hold;              /* what `held` names */
byte hold_new;          /* what `held.new` names */
byte rooted;            /* what roots name: a bit for each */
bool unsettled;         /* the sticky bit of deploy/ */

/* The kernel's locks.  A process is an open file description: none has two of one file. */
byte shared[D + 1];  /* record locks on `.ref`, a bit for each owner */
byte excl[D + 1];    /* the one that has an exclusive one */
byte flocked[D + 1]; /* flock(2), shared or not: no two of those who take it can share */
byte change_lock, prune_lock, repo_excl, repo_shared;
byte turn;           /* flock(2) on removed/ */

byte held[D + 1]; /* who, by the protocol, may rely on a deployment: a bit for each */
bool removal;     /* somebody began to remove the ref, and nobody restored it */
byte missed;      /* who may have met it removed since he began to look for it: a bit for each */
byte chosen;      /* what a rollback went to last, and no update replaced since */

#define sweepers_lock_free(d) (shared[d] == 0 && excl[d] == 0)

/* All that the kernel knows of a process that is no more. */
inline vanish(id)
{
  d_step {
    v = 1;
    do
    :: v <= D ->
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
    if :: turn == id -> turn = 0 :: else fi;
    repo_shared = repo_shared & ~bit(id)
  }
}

#define is_restorable(d) (place[d] == REMOVED && state[d] == SETTLED)
#define has_runtime(d) (!needs_runtime(d) || runtime_deployed)
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

#define lacks_runtime(d) (place[d] == DEPLOY && state[d] == SETTLED && needs_runtime(d)             \
                          && !runtime_deployed)

inline check_deployed()
{
  assert(REF_STAYS_DEPLOYED && (removal || deployed));
#if RUNTIME
  assert(NEEDED_STAYS && !lacks_runtime(1));
#if N >= 2
  assert(NEEDED_STAYS && !lacks_runtime(2));
#endif
#if N >= 3
  assert(NEEDED_STAYS && !lacks_runtime(3));
#endif
#endif
}

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
