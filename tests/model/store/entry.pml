/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An entry of staging/ or removed/, as far as the repository is concerned: trash.c.
 */

/* hf_trash_entry_lock */
inline entry_lock()
{
  STEP(
    if
    :: (place[e] == STAGING || place[e] == OUT) && owner[e] == 0 -> owner[e] = id; locked = true
    :: else
    fi)
}

/* hf_trash_entry_delete_tree */
inline delete_tree()
{
  STEP(links(e, SHARED_FILE) = 0);
  if
  :: adopted[e] != 0 -> STEP(adopted[e] = 0; adopted_inode[e] = 0)
  :: else
  fi
}

/* hf_trash_entry_delete_rest, and with the entry goes its lock */
inline delete_rest()
{
  STEP(links(e, commit_of(e)) = 0);              /* hf_tree_delete: pins/ */
  STEP(links(e, 2 + commit_of(e)) = 0);
  STEP(links(e, SHARED_DIR) = 0; pins_dir[e] = false);
  TAKE(change_lock);
  STEP(state[e] = ABSENT);                       /* unlinkat */
  STEP(place[e] = NOWHERE; owner[e] = 0);        /* unlinkat */
  RELEASE(change_lock)
}

inline list_entries(list)
{
  STEP(e = 1;
    do
    :: e <= E -> if :: place[e] == STAGING || place[e] == OUT -> list = list | bit(e) :: else fi; e++
    :: else -> break
    od; e = 0)
}

inline next_of(list)
{
  d_step {
    e = 1;
    do
    :: list & bit(e) -> break
    :: else -> e++
    od;
    list = list & ~bit(e)
  }
}
