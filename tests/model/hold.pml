/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names and locks: what launchers, updaters, removers, rollbacks, restorers, roots and sweepers, also those
 * that wait or have too little room, do to the deployments of one application and to the runtime that some of
 * them need, one system call a step, with a crash possible before every step of everybody.  Each step names
 * the function that it stands for.  Proved for the configurations that `check` lists: no file goes of a
 * deployment that something holds or a root names, nor does its path stop leading to it (G1); once all have
 * ended, one sweep leaves nothing that is out of service and that no root names, nor more previous deployments
 * than are kept (G2), and none is given up before that, unless room is needed, and then never what is active,
 * rooted or held; a runtime stays while something in service needs it; the ref is deployed at every instant
 * until somebody removes it (G3), and nobody is refused who launches it meanwhile; what a rollback chose is
 * held at every instant; nobody reports damage where there is none (G5); states only fall; there is no
 * deadlock.  Each FAULT_ is a way to get it wrong that the search finds.
 *
 * Left out: everything below repo/ (see store.pml); what a power cut may lose of changes that were not synced
 * (all processes can die at once, but the disk is what it was); failures of system calls other than the
 * refusal to move a deployment, and so the plain rename for NFS and the launcher that stays since it has no
 * bundle; directories above a deployment; more refs than those two, whoever installs a runtime, as its steps
 * are those of an update, and runtimes of other installations, where nothing is locked; the lock that
 * bubblewrap takes besides, which only ever adds to the launcher's; that the kernel closes the files of who
 * dies one after the other; a launcher's RETRIES (more than TRIES would need more updates than there are
 * here); times: which previous deployments are kept, which one a rollback goes to and what is given up first
 * is anybody's choice, trash is spared for ever or not at all, and an entry that is removed again has the name
 * that it had before, as it may within one second; how much room there is; the links of roots, which end a
 * root as its removal does.  A directory is listed in one step.
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
#ifndef ENDERS
#define ENDERS 0 /* who update, find nothing newer, and end the hold of a rollback */
#endif
#ifndef ROOTERS
#define ROOTERS 0 /* who add a root */
#endif
#ifndef UNROOTERS
#define UNROOTERS 0 /* who remove all roots */
#endif
#ifndef RUNTIME
#define RUNTIME 0 /* whether there is one */
#endif
#ifndef NEED
#define NEED 2 /* which of the application's deployments need it: a bit for each, the second for the first */
#endif
#ifdef UNNAMED
#define NAMED false /* the updates are of everything */
#else
#define NAMED true
#endif
#ifndef SWEEPERS
#define SWEEPERS 1
#endif
#ifndef PRESSED
#define PRESSED 0 /* sweepers with too little room, beside the others */
#endif
#ifndef WAITERS
#define WAITERS 0 /* who wait for what a sweep had to leave */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef TRIES
#define TRIES 4 /* of a launcher */
#endif

/* In which order they are numbered; the sweep at the end is the last one. */
#define ACTORS                                                                                      \
  (LAUNCHERS + FLOCKERS + UPDATERS + REMOVERS + ROLLBACKS + ENDERS + RESTORERS + ROOTERS          \
   + UNROOTERS + SWEEPERS + PRESSED)
#define is_waiter(id) (id > ACTORS && id < LAST)
#define LAST 7

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
#define NEVER_GIVEN_UP         31
#define NEEDED_STAYS           32

#include "steps.pml"
#include "hold/system.pml"
#include "hold/retire.pml"
#include "hold/settle.pml"
#include "hold/launch.pml"
#if UPDATERS
#include "hold/update.pml"
#endif
#if REMOVERS
#include "hold/remove.pml"
#endif
#if ROLLBACKS
#include "hold/rollback.pml"
#endif
#if RESTORERS
#include "hold/restore.pml"
#endif
#if ROOTERS || UNROOTERS
#include "hold/root.pml"
#endif
#include "hold/trash.pml"
#include "hold/batch.pml"
#include "hold/pressure.pml"
#include "hold/sweep.pml"
#if WAITERS
#include "hold/wait.pml"
#endif

/* --- The world ---------------------------------------------------------------------------------- */

/* What a sweep leaves in service. */
#define stays(d) ((d) <= N -> current != 0 : is_active(d))

/* So many of an actor; `n` is the number of the next, `d` counts them. */
#define START(number, one) d = 0; do :: d < number -> one; n++; d++ :: else -> break od

init
{
  byte d, n = 1;
  atomic {
    d = 1;
    do
    :: d <= PREVIOUS + 1 || d > N && d <= D ->
       place[d] = DEPLOY; state[d] = SETTLED; tree[d] = 2; pins[d] = true; ref[d] = true; d++
    :: d > PREVIOUS + 1 && d <= N -> d++
    :: else -> break
    od;
    current = PREVIOUS + 1;
#if RUNTIME
    current_runtime = THE_RUNTIME;
#endif
#if LAUNCHERS || FLOCKERS
    START(LAUNCHERS, run launcher(n, false));
    START(FLOCKERS, run launcher(n, true));
#endif
#if UPDATERS
    START(UPDATERS, run updater(n, d + PREVIOUS + 2, NAMED));
#endif
#if REMOVERS
    START(REMOVERS, run remover(n));
#endif
#if ROLLBACKS
    START(ROLLBACKS, run roller(n));
    START(ENDERS, run ender(n));
#endif
#if RESTORERS
    START(RESTORERS, run restorer(n));
#endif
#if ROOTERS || UNROOTERS
    START(ROOTERS, run rooter(n));
    START(UNROOTERS, run unrooter(n));
#endif
    START(SWEEPERS, run sweeper(n, false, false));
    START(PRESSED, run sweeper(n, true, false));
#if WAITERS
    START(WAITERS, run waiter(n));
#endif
    d = 0
  }
#ifdef POWER_CUT
  if
  :: atomic { _nr_pr > 1 -> cut = true; n = 0;
       do
       :: n <= D -> shared[n] = 0; excl[n] = 0; flocked[n] = 0; held[n] = 0; n++
       :: else -> break
       od;
       change_lock = 0; prune_lock = 0; repo_excl = 0; repo_shared = 0; turn = 0 }
  :: true
  fi;
#endif
  /* All have ended, one way or another.  One sweep, by itself, must be enough. */
  atomic {
    _nr_pr == 1 -> crashes = 0; n = 0;
#ifdef POWER_CUT
    cut = false;
#endif
    run sweeper(LAST, false, true)
  }
  atomic {
    _nr_pr == 1 -> d = 1; n = 0;
    do
    :: d <= D ->
       assert(UNHELD_IS_RECLAIMED && (place[d] == NOWHERE
              || place[d] == DEPLOY && state[d] == SETTLED && tree[d] == 2 && stays(d)
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
