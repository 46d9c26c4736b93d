/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who prunes the entries that he has locked: sweep.c.
 */

/* finish_pruned */
inline finish_pruned()
{
  list_entries(pruned_list);
  do
  :: pruned_list != 0 ->
     next_of(pruned_list);
     if
     :: state[e] == PRUNED ->                    /* hf_trash_entry_may_be_pruned */
        entry_lock();
        if
        :: locked && state[e] == PRUNED -> delete_rest()
        :: locked && state[e] != PRUNED -> STEP(owner[e] = 0)
        :: !locked -> reason = true
        fi;
        locked = false
     :: else
     fi;
     e = 0
  :: else -> break
  od
}

/* flush */
inline flush()
{
  left = batch;
  do
  :: left != 0 -> next_of(left); begin_deletion(); delete_tree(); e = 0 /* hf_sweep_delete_trees */
  :: else -> break
  od;
  TAKE_PRUNE;                                    /* hf_sweep_prune_and_finish */
#ifndef FAULT_PRUNED_LAST
  finish_pruned();
#endif
  left = batch;
  do
  :: left != 0 ->                                /* hf_links_count */
     next_of(left);
     STEP(if :: strange(e) -> reason = true :: else fi);
     e = 0
  :: else -> break
  od;
  if
  :: reason && batch != 0 -> prune_by_marks(batch); pruned = true /* prune_batch */
  :: else
  fi;
  do
  :: batch != 0 ->                               /* prune_each_by_links */
     left = batch;
     next_of(batch);
     if
     :: !pruned ->
        prune_by_links();
        if :: failed -> prune_by_marks(left); pruned = true :: else fi;
        failed = false
     :: else
     fi;
     left = 0;
     STEP(state[e] = PRUNED);                    /* finish_entry */
     delete_rest();
     e = 0
  :: else -> break
  od;
#ifdef FAULT_PRUNED_LAST
  finish_pruned();
#endif
  RELEASE_PRUNE;
  taken = 0;
  reason = false;
  pruned = false
}

proctype sweeper(byte id)
{
  byte v, e, o, n, idle, was, level, list, pruned_list, batch, left, marks, taken;
  bool locked, failed, kept, reason, pruned, done;
  list_entries(list);                            /* hf_trash_list */
  do
  :: !done ->                                    /* sweep_entries */
     if
     :: list != 0 ->                             /* take_entry */
        next_of(list);
        entry_lock();
        if
        :: locked && state[e] == ABSENT -> delete_tree(); delete_rest()
        :: locked && state[e] == PRUNED -> STEP(owner[e] = 0)
        :: locked && state[e] > PRUNED -> batch = batch | bit(e); taken++
        :: else
        fi;
        locked = false;
        e = 0
     :: else
     fi;
     done = list == 0;
     if
     :: done || taken == MOST -> flush()
     :: else
     fi
  :: else -> break
  od;
  END
}
