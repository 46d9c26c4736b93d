/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a sweeper does with the entries that he has locked: sweep.c, keep.c.
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

/* begin_deletion */
inline begin_deletion()
{
  TAKE(prune_lock);
  WAIT(repo_excl == 0 && repo_shared == 0, repo_excl = id);
  STEP(if :: state[d] != DELETING -> check_unheld(d); set_state(d, DELETING) :: else fi);
  RELEASE(repo_excl);
  RELEASE(prune_lock)
}

/* finish_pruned; prune-lock is held */
inline finish_pruned()
{
  trash_list();
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
  od
}

/* flush, from hf_sweep_delete_trees on */
inline flush()
{
  left = batch;
  do
  :: left != 0 ->                                /* hf_sweep_delete_trees */
     next_of(left);
#ifdef FAULT_TREE_BEFORE_STATE
     delete_tree();
#endif
     begin_deletion();
     delete_tree();
     kind = 0; d = 0
  :: else -> break
  od;
  TAKE(prune_lock);                              /* hf_sweep_prune_and_finish */
  finish_pruned();
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
  od
}
