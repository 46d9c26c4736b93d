/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who removes the ref: remove.c.
 */

proctype remover(byte id)
{
  REGISTERS;
  TAKE(change_lock);                             /* hf_remove_ref */
  change_begin();
  if
  :: current != 0 ->                             /* hf_branch_exists */
     removal = true;
     missed = 255;
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
