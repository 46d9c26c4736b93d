/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who deletes what nothing holds: sweep.c, keep.c.
 */

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
