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
#define N 2 /* of deployments: PREVIOUS + 1 is in service at first, those after it updaters build */
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

#include "steps.pml"
#include "hold/system.pml"
#include "hold/retire.pml"
#include "hold/settle.pml"
#include "hold/launch.pml"
#include "hold/update.pml"
#include "hold/remove.pml"
#include "hold/rollback.pml"
#include "hold/restore.pml"
#include "hold/root.pml"
#include "hold/trash.pml"
#include "hold/sweep.pml"

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
