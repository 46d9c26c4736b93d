/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who adds a root, and who removes it: roots.c.
 */

proctype rooter(byte id)
{
  byte v, d, tries, refused;
  bool opened;
#ifdef ROOT_OF_RUNTIME
  acquire(d, current_runtime, false);             /* hf_root_add */
#else
  acquire(d, current, false);                    /* hf_root_add */
#endif
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
