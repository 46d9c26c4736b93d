/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An entry that is out of service, or a builder's that died: its lock, its deletion: trash.c.
 */

#define LOCKED  1
#define PASSED  2 /* held, or gone, or another sweeper's: all the same to the rest */
#define SYMLINK 3
#define NO_REF  4
#define DAMAGED 5
#if RESTORERS == 0
#define OTHER_THING DAMAGED
#else
#define OTHER_THING PASSED /* a restore has left a symlink; verify() takes that for gone, too */
#endif

#define link_there (kind == REMOVED && prepared[d] || kind == DEPLOY && forwarding[d])
#define is_empty(d) (tree[d] == 0 && !pins[d] && !ref[d] && state[d] == ABSENT)

inline look_again(otherwise)
{
  if
  :: place[d] == kind
  :: place[d] != kind && link_there -> out = otherwise
  :: else -> out = PASSED
  fi
}

/* drop_symlink */
inline drop_symlink()
{
  TAKE(change_lock);
  STEP(                                          /* drop_symlink: fstatat */
    if
    :: place[d] == kind -> out = 0;
#ifdef FAULT_MOVED_IS_DAMAGED
       out = DAMAGED
#endif
    :: place[d] != kind && link_there && kind == REMOVED
    :: place[d] != kind && link_there && kind != REMOVED -> out = DAMAGED
    :: else -> out = PASSED
    fi);
  if
  :: out == SYMLINK -> STEP(prepared[d] = false; out = PASSED)        /* drop_symlink: unlinkat */
  :: else
  fi;
  RELEASE(change_lock)
}

/* lock_ref; whether `in_place` it must be out of service */
inline lock_ref(in_place)
{
#ifdef FAULT_QUERY
  STEP(if :: sweepers_lock_free(d) && flocked[d] == 0 :: else -> out = PASSED fi);
#else
  STEP(                                          /* lock_ref: hf_ofd_lock */
    if
    :: sweepers_lock_free(d) -> excl[d] = id; taken = true
    :: else -> out = PASSED
    fi);
#ifndef FAULT_NO_FLOCK
  if
  :: out == 0 ->
     STEP(                                       /* lock_ref: flock */
       if
       :: flocked[d] == 0 -> flocked[d] = id
       :: else -> out = PASSED
       fi);
     if :: out != 0 -> STEP(excl[d] = 0; taken = false) :: else fi /* lock_ref: hf_ofd_unlock */
  :: else
  fi;
#endif
#endif
  if
  :: out == 0 ->
     STEP(                                       /* verify: still_named */
       if
#ifdef FAULT_VERIFY_BY_DESCRIPTOR
       :: ref[d]
#else
       :: place[d] == kind && ref[d]
#endif
       :: else -> out = PASSED
       fi)
  :: else
  fi;
  if
  :: out == 0 ->
     STEP(                                       /* verify: hf_deployment_get_state */
       s = state[d];
       if
       :: in_place && in_service(s) -> out = PASSED
       :: else -> out = LOCKED
       fi);
  :: else
  fi
}

/* hf_trash_entry_free */
inline entry_free()
{
  STEP(if :: flocked[d] == id -> flocked[d] = 0 :: else fi);
  STEP(if :: excl[d] == id -> excl[d] = 0 :: else fi)
}

/* open_and_lock */
inline open_and_lock(in_place)
{
  STEP(look_again(OTHER_THING));                 /* open_and_lock: the directory */
  if
  :: out == 0 -> STEP(if :: ref[d] :: else -> out = NO_REF fi) /* open_and_lock: `.ref` */
  :: else
  fi;
  if
  :: out == NO_REF ->
     STEP(                                       /* drop_empty: unlinkat, AT_REMOVEDIR */
       if
       :: place[d] != kind -> out = PASSED
       :: place[d] == kind && is_empty(d) -> place[d] = NOWHERE; out = PASSED
       :: else -> out = DAMAGED
       fi)
  :: out == 0 -> lock_ref(in_place)
  :: else
  fi
}

/* hf_trash_entry_lock */
inline entry_lock()
{
  out = 0;
  STEP(look_again(SYMLINK));                     /* hf_trash_entry_lock: fstatat */
  if :: out == SYMLINK -> drop_symlink() :: else fi;
  if
  :: out == 0 ->
#ifdef FAULT_LOCK_OUTSIDE
     if :: kind == STAGING -> TAKE(change_lock) :: else fi;
#else
     TAKE(change_lock);
#endif
     open_and_lock(kind == DEPLOY);
#ifdef FAULT_LOCK_OUTSIDE
     if :: kind == STAGING -> RELEASE(change_lock) :: else fi
#else
     RELEASE(change_lock)
#endif
  :: else
  fi;
  if
  :: taken && out != LOCKED -> entry_free()
  :: else
  fi;
  taken = false;
  assert(NO_FALSE_ALARM && (out != DAMAGED))
}

/* hf_trash_entry_delete_tree */
inline delete_tree()
{
  if
  :: tree[d] > 0 ->
     STEP(check_unheld(d); tree[d] = 1);
     STEP(check_unheld(d); tree[d] = 0)
  :: else
  fi
}

/* hf_trash_entry_delete_rest; `s` is the state that was read */
inline delete_rest()
{
  STEP(check_unheld(d); pins[d] = false);        /* hf_tree_delete */
  TAKE(change_lock);
  if
  :: s != ABSENT && kind == REMOVED -> STEP(check_unheld(d); forwarding[d] = false)
  :: else
  fi;
#ifdef FAULT_REF_BEFORE_DEPLOYMENT
  STEP(check_unheld(d); ref[d] = false);
  STEP(check_unheld(d); state[d] = ABSENT);
#else
  STEP(check_unheld(d); state[d] = ABSENT);      /* unlinkat: `deployment` */
  STEP(check_unheld(d); ref[d] = false);         /* unlinkat: `.ref` */
#endif
  STEP(                                          /* unlinkat, AT_REMOVEDIR */
    if
    :: place[d] == kind -> assert(NO_FALSE_ALARM && is_empty(d)); place[d] = NOWHERE
    :: place[d] != kind && link_there -> assert(NO_FALSE_ALARM && false)
    :: else
    fi);
  RELEASE(change_lock)
}

#define entry_bit(kind, d) (1 << ((kind - 1) * D + d - 1))

/* hf_trash_list */
inline trash_list()
{
  STEP(d = 1;                                    /* list_directory: staging/ */
    do
    :: d <= D && place[d] == STAGING -> list = list | entry_bit(STAGING, d); d++
    :: d <= D && place[d] != STAGING -> d++
    :: else -> break
    od; d = 0);
  STEP(d = 1;                                    /* list_directory: removed/ */
    do
    :: d <= D && (place[d] == REMOVED || prepared[d]) -> list = list | entry_bit(REMOVED, d); d++
    :: d <= D && !(place[d] == REMOVED || prepared[d]) -> d++
    :: else -> break
    od; d = 0);
  if
  :: unsettled ->                                /* hf_unsettled_is_marked */
     STEP(d = 1;                                 /* list_in_place */
       do
       :: d <= D && place[d] == DEPLOY && !in_service(state[d]) ->
          list = list | entry_bit(DEPLOY, d); d++
       :: d <= D && !(place[d] == DEPLOY && !in_service(state[d])) -> d++
       :: else -> break
       od; d = 0)
  :: else
  fi
}

/* The next of a list, by path. */
inline next_of(list)
{
  d_step {
    v = 0;
    do
    :: list & (1 << v) -> break
    :: else -> v++
    od;
    list = list & ~(1 << v);
    kind = 1 + v / D;
    d = 1 + v % D;
    v = 0
  }
}
