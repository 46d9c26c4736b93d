/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The repository: what imports and sweeps do to the links of stored objects, one system call a
 * step, with a crash possible before every step of everybody.  Each step names the function that it
 * stands for.  Two commits share a directory and a file.  Proved for the configurations that
 * `check` lists: a commit in the repository implies all that it reaches, at every instant (G4); no
 * object goes that a published deployment needs; once all have ended, one sweep leaves in the
 * repository what is needed and nothing else (G2), which is also what the full prune would leave;
 * there is no deadlock.  Each FAULT_ is a way to get it wrong that the search finds.
 *
 * Left out: the steps of locking a `.ref`, which has one owner here (hold.pml shows what that is
 * good for), and of moving a deployment; what a power cut may lose of changes that were not synced;
 * detached metadata, refs, directory metadata and the directories of objects/; full disks, foreign
 * refs, and copies in place of links, so that the full prune comes only where the fast one gives up;
 * and turn-lock, which is about who comes first: nothing is taken while a pruner has it.
 * A walk meets the file once, in the commit's own directory.
 */

#ifndef E
#define E 2 /* of entries: 1 and 3 are of commit A, 2 of commit B, unless more is defined */
#endif
#ifndef IMPORTS
#define IMPORTS 0 /* the last of them are to be imported; the others were removed before */
#endif
#ifndef SWEEPERS
#define SWEEPERS 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef MOST
#define MOST 7 /* entries in a batch of a sweep */
#endif

/* What is checked.  The number stands at the head of each assertion, by which `check` knows it. */
#define COMMIT_IMPLIES_CLOSURE  21
#define NEEDED_IS_KEPT          22
#define UNNEEDED_IS_RECLAIMED   23
#define ENTRIES_ARE_RECLAIMED   24
#define NO_FALSE_ALARM          25

#include "steps.pml"
#include "store/system.pml"
#include "store/import.pml"
#include "store/entry.pml"
#include "store/prune.pml"
#include "store/sweep.pml"

/* --- The world ---------------------------------------------------------------------------------- */

init
{
  byte e, o, n = 1;
  atomic {
    e = 1;
    do
    :: e <= E - IMPORTS ->
       place[e] = OUT;
       state[e] = SETTLED;
       pins_dir[e] = true;
       o = 0;
       do
       :: o < OBJECTS ->
          if
          :: reaches(commit_of(e), o) ->
             if :: store[o] == 0 -> store[o] = e :: else fi;
             links(e, o) = store[o]
          :: else
          fi;
          o++
       :: else -> break
       od;
       e++
    :: else -> break
    od;
    do :: e <= E -> run importer(n, e); n++; e++ :: else -> break od;
    o = 0;
    do :: o < SWEEPERS -> run sweeper(n); n++; o++ :: else -> break od;
    o = 0;
    e = 0
  }
  /* All have ended, one way or another.  One sweep, by itself, must be enough. */
  atomic { _nr_pr == 1 -> crashes = 0; run sweeper(7) }
  atomic {
    _nr_pr == 1 -> n = 0; e = 1;
    do
    :: e <= E ->
       assert(ENTRIES_ARE_RECLAIMED && (place[e] == NOWHERE || place[e] == PUBLISHED));
       if
       :: place[e] == PUBLISHED -> n = n | bit(commit_of(e)) | bit(2 + commit_of(e)) | 48
       :: else
       fi;
       e++
    :: else -> break
    od;
    do
    :: o < OBJECTS ->
       assert(NEEDED_IS_KEPT && (store[o] != 0 || !(n & bit(o))));
       assert(UNNEEDED_IS_RECLAIMED && (store[o] == 0 || (n & bit(o))));
       o++
    :: else -> break
    od
  }
}
