/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who holds a deployment, from the first lock to the end of the sandbox: lease.c, launch.c, bundle.c, relay.c.
 */

/* The last descriptor of a lock on one `.ref` goes. */
inline vanish_lock(id, d)
{
  held[d] = held[d] & ~bit(id);
  shared[d] = shared[d] & ~bit(id);
  if :: flocked[d] == id -> flocked[d] = 0 :: else fi
}

/* The sandbox, from the start of bubblewrap to the end of its first process.  It has the launcher's
 * record lock by the queued message. */
proctype sandbox(byte id; byte d)
{
  byte at;
  at = place[d];                                 /* realpath of the descriptor */
  assert(HELD_CAN_BE_FOUND && (place[d] == at    /* mount by it */
                               || at == DEPLOY && forwarding[d] && place[d] == REMOVED
#if RESTORERS
                               || at == REMOVED && place[d] == DEPLOY /* lead_back: a courtesy */
#endif
                               ));
  at = 0;
  atomic { vanish_lock(id, d) }                  /* the end of it: the message goes */
}

/* hf_lease_acquire: `d` is held after it, or 0 */
inline acquire(by_flock)
{
  do
  :: tries < TRIES ->
     STEP(d = current);                          /* hf_active_read */
     if :: d == 0 -> break :: else fi;
     tries++;
     STEP(if :: place[d] == DEPLOY :: else -> d = 0 fi);       /* try_acquire: the directory */
     if :: d == 0 -> goto again :: else fi;
     STEP(if :: ref[d] :: else -> tries = tries + 16 fi);      /* try_acquire: `.ref` */
     if
     :: tries >= 16 ->
        tries = tries - 16;
        STEP(assert(NO_FALSE_ALARM && !in_service(state[d])));  /* try_acquire: is_in_service */
        goto again
     :: else
     fi;
     STEP(                                       /* try_acquire: hf_ofd_lock */
       if
       :: !by_flock && excl[d] == 0 -> shared[d] = shared[d] | bit(id)
       :: by_flock && flocked[d] == 0 -> flocked[d] = id
       :: else ->
          /* Only a sweeper refuses it, and only what is out of service. */
          assert(NEVER_REFUSED && !(place[d] == DEPLOY && in_service(state[d])));
          tries = tries + 16
       fi);
     if :: tries >= 16 -> tries = tries - 16; goto again :: else fi;
#ifndef FAULT_LOCK_WITHOUT_VERIFY
     STEP(if :: ref[d] :: else -> vanish_lock(id, d); d = 0 fi); /* verify: `.ref` has a link */
     if :: d == 0 -> goto again :: else fi;
     STEP(                                       /* verify: is_in_service */
       if
       :: in_service(state[d]) -> held[d] = held[d] | bit(id)
       :: else -> vanish_lock(id, d); d = 0
       fi);
     if :: d == 0 -> goto again :: else fi;
#else
     held[d] = held[d] | bit(id);
#endif
     break;
again:
     d = 0
  :: else -> break
  od;
  tries = 0
}

proctype launcher(byte id; bool by_flock)
{
  byte v, d, tries;
  acquire(by_flock);
  if
  :: d != 0 ->
     STEP(assert(HELD_KEEPS_ITS_FILES && (tree[d] == 2)));     /* read_metadata */
     STEP(skip);                                 /* hf_bundle_new: sendmsg */
     STEP(run sandbox(id, d))                    /* hf_relay_start; our descriptors go */
  :: else -> assert(NEVER_REFUSED && was_removed) /* hf_lease_acquire: nothing is installed */
  fi;
  END
}
