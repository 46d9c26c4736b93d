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

/* Only a sweeper refuses it, and only what is out of service; under pressure, what is not active, too; and who
 * has waited for it while it was out of service. */
#if PRESSED
#define may_be_refused(d)                                                                           \
  (place[d] != DEPLOY || !in_service(state[d]) || !is_active(d) || is_waiter(excl[d]))
#else
#define may_be_refused(d) (place[d] != DEPLOY || !in_service(state[d]) || is_waiter(excl[d]))
#endif

/* lock; `opened` is false after it if somebody was faster */
inline take_lease(d, by_flock)
{
#ifndef FAULT_LAUNCH_DOES_NOT_WAIT
  if
  :: d == refused && !by_flock -> STEP(if :: in_service(state[d]) :: else -> refused = 0 fi) /* is_in_service */
  :: d != refused || by_flock -> refused = 0
  fi;
#else
  refused = 0;
#endif
  if
  :: refused != 0 ->
     WAIT(excl[d] == 0, shared[d] = shared[d] | bit(id));      /* hf_ofd_lock */
     refused = 0
  :: refused == 0 ->
     STEP(                                       /* hf_ofd_lock */
       if
       :: !by_flock && excl[d] == 0 -> shared[d] = shared[d] | bit(id)
       :: by_flock && flocked[d] == 0 -> flocked[d] = id
       :: else -> assert(NEVER_REFUSED && may_be_refused(d)); refused = d; opened = false
       fi)
  fi
}

/* `d` is held after it, or 0 if somebody was faster. */
inline try_acquire(d, by_flock)
{
  STEP(if :: place[d] == DEPLOY :: else -> d = 0 fi);          /* try_acquire: the directory */
  if
  :: d != 0 ->
     STEP(opened = ref[d]);                      /* try_acquire: `.ref` */
     if
     :: opened -> take_lease(d, by_flock)
     :: else ->                                  /* try_acquire: is_in_service */
        STEP(assert(NO_FALSE_ALARM && !in_service(state[d])))
     fi;
     if :: !opened -> d = 0 :: else fi;
     opened = false
  :: else
  fi;
#ifndef FAULT_LOCK_WITHOUT_VERIFY
  if
  :: d != 0 -> STEP(if :: ref[d] :: else -> vanish_lock(id, d); d = 0 fi) /* verify: `.ref` has a link */
  :: else
  fi;
  if
  :: d != 0 ->
     STEP(                                       /* verify: is_in_service */
       if
       :: in_service(state[d]) -> held[d] = held[d] | bit(id)
       :: else -> vanish_lock(id, d); d = 0
       fi)
  :: else
  fi
#else
  if :: d != 0 -> held[d] = held[d] | bit(id) :: else fi
#endif
}

/* hf_lease_acquire: `d` is held after it, or 0 */
inline acquire(d, named, by_flock)
{
  do
  :: tries < TRIES ->
     STEP(                                       /* hf_active_read */
       d = named;
       if :: tries == 0 && !removal -> missed = missed & ~bit(id) :: else fi);
     if :: d == 0 -> break :: else fi;
     tries++;
     try_acquire(d, by_flock);
     if :: d != 0 -> break :: else fi
  :: else -> break
  od;
  tries = 0;
  refused = 0
}

#if LAUNCHERS || FLOCKERS

/* What bubblewrap does to get at a deployment. */
inline mount(d)
{
  at = place[d];                                 /* realpath of the descriptor */
  assert(HELD_CAN_BE_FOUND && (place[d] == at    /* mount by it */
                               || at == DEPLOY && forwarding[d] && place[d] == REMOVED
#if RESTORERS
                               || at == REMOVED && place[d] == DEPLOY /* lead_back: a courtesy */
#endif
                               ));
  at = 0
}

/* The sandbox, from the start of bubblewrap to the end of its first process.  It has the launcher's
 * record locks by the queued message. */
proctype sandbox(byte id; byte d; byte runtime)
{
  byte at;
  mount(d);
#if RUNTIME
  if :: runtime != 0 -> mount(runtime) :: else fi;
  atomic { vanish_lock(id, d); vanish_lock(id, runtime) } /* the end of it: the message goes */
#else
  atomic { vanish_lock(id, d) }                  /* the end of it: the message goes */
#endif
}

/* lease: `d` is held after it, and the runtime that it needs, or neither */
inline lease(by_flock)
{
  acquire(d, current, by_flock);
  if
  :: d != 0 -> STEP(assert(HELD_KEEPS_ITS_FILES && (tree[d] == 2)))  /* read_metadata */
  :: else
  fi;
#if RUNTIME
  if
  :: d != 0 && needs_runtime(d) ->
     acquire(runtime, current_runtime, by_flock); /* acquire_runtime */
     if
     :: runtime == 0 -> STEP(vanish_lock(id, d)); was = d; d = 0 /* parts_clear */
     :: else
     fi
  :: else
  fi
#endif
}

proctype launcher(byte id; bool by_flock)
{
  byte v, d, runtime, tries, refused, was, lacking;
  bool opened;
#if RUNTIME && !defined(FAULT_RUNTIME_LEASED_ONCE)
  do
  :: true ->                                     /* lease_what_is_deployed */
     lease(by_flock);
     if :: d != 0 || was == 0 || was == lacking -> break :: else fi;
     lacking = was;
     was = 0
  od;
#else
  lease(by_flock);
#endif
  if
  :: d != 0 ->
     STEP(skip);                                 /* hf_bundle_new: sendmsg */
     STEP(run sandbox(id, d, runtime))           /* hf_relay_start; our descriptors go */
  :: else -> assert(NEVER_REFUSED && (missed & bit(id))) /* hf_launch: something is not installed */
  fi;
  END
}

#endif
