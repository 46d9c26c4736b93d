/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Giving up what is only kept, where there is too little room: pressure.c, surplus.c, and remove.c and
 * unused.c for runtimes.  How much room there is nobody knows here: of what may be given up, any part is.
 * What is done to the repository is what any sweep does that takes one entry at a time (store.pml).
 */

#if PRESSED

/* What is given up at which stage. */
#define SPARE_TRASH 1
#define EARLIER     2
#define UNUSED      3

#define given_up_rightly(d) NEVER_GIVEN_UP                                                          \
  && (!is_active(d) && !(rooted & bit(d)) && held[d] == 0)

#if RUNTIME
#ifdef FAULT_EARLIER_NEEDS_NOTHING
#define counts(d) (d == current)
#else
#define counts(d) (place[d] == DEPLOY && in_service(state[d]))
#endif
#define needs_it(d) (needs_runtime(d) && (counts(d) || is_restorable(d) && (known & bit(d))))
#if N >= 3
#define is_needed (needs_it(1) || needs_it(2) || needs_it(3))
#elif N == 2
#define is_needed (needs_it(1) || needs_it(2))
#else
#define is_needed needs_it(1)
#endif
/* hf_unused_list, but for who holds it; the roots are `known` */
#define is_unused (runtime_deployed && !is_needed && !(known & bit(THE_RUNTIME)))
#else
#define is_unused false
#endif

/* hf_surplus_list */
inline surplus_list()
{
  STEP(known = rooted);                          /* hf_roots_load */
  STEP(d = 1;                                    /* list_removed, list_previous, list_unused */
    do
    :: d <= D ->
       if
       :: stage == SPARE_TRASH && is_restorable(d) && !(known & bit(d)) ->
          surplus = surplus | entry_bit(REMOVED, d)
       :: stage == EARLIER && d <= N && deployed && is_previous(d) && !(known & bit(d)) ->
          surplus = surplus | entry_bit(DEPLOY, d)
       :: stage == UNUSED && d > N && is_unused ->
          surplus = surplus | entry_bit(DEPLOY, d)
       :: else
       fi;
       d++
    :: else -> break
    od;
    d = 0)
}

/* judge */
inline judge()
{
#ifndef FAULT_ROOTS_NOT_READ_AGAIN
  if
  :: out == LOCKED -> STEP(known = rooted)       /* hf_roots_load */
  :: else
  fi;
#endif
  if
  :: out == LOCKED && (s != SETTLED || (known & bit(d))) -> out = PASSED; entry_free()
  :: out != LOCKED && taken -> entry_free()
  :: else
  fi;
  taken = false
}

/* is_previous */
inline decide_previous()
{
  STEP(if :: is_previous(d) :: else -> out = PASSED fi)        /* hf_active_read, hf_previous_list */
}

/* take_previous, retire_previous */
inline take_previous()
{
  TAKE(change_lock);
  change_begin();
#ifdef FAULT_LOCK_ACTIVE
  open_and_lock(false);                          /* hf_trash_entry_lock_previous */
  judge();
  if
  :: out == LOCKED -> decide_previous(); if :: out == PASSED -> entry_free() :: else fi
  :: else
  fi;
#else
#ifndef FAULT_DECIDED_EARLY
  decide_previous();
#endif
#ifndef FAULT_RETIRED_UNLOCKED
  if :: out == 0 -> open_and_lock(false); judge() :: else fi;  /* hf_trash_entry_lock_previous */
#else
  if :: out == 0 -> out = LOCKED :: else fi;
#endif
#endif
  if
  :: out == LOCKED ->
     retire_deployment(d, given_up_rightly(d));
#if defined(FAULT_UNLOCKED_BETWEEN) || defined(FAULT_RETIRED_UNLOCKED)
     entry_free();
     out = 0;
#endif
     kind = place[d]                             /* move_entry */
  :: else
  fi;
  change_end();
  RELEASE(change_lock)
}

/* hf_remove_unused: remove_ref */
inline remove_unused()
{
#if RUNTIME
  TAKE(change_lock);
#ifndef FAULT_UNUSED_SEEN_EARLY
  STEP(known = rooted);                          /* hf_unused_check: hf_roots_load */
  STEP(if :: is_unused :: else -> out = PASSED fi);            /* hf_unused_check: hf_unused_list */
#endif
  if
  :: out == 0 ->
     STEP(                                       /* is_held */
       if
       :: shared[THE_RUNTIME] == 0 && flocked[THE_RUNTIME] == 0
       :: else -> out = PASSED
       fi)
  :: else
  fi;
  if
  :: out == 0 ->
     change_begin();
     if
     :: current_runtime != 0 ->                  /* hf_branch_exists, remove_branch */
        retire_deployment(THE_RUNTIME, NEVER_GIVEN_UP && !(rooted & bit(THE_RUNTIME)));
        STEP(current_runtime = 0; check_deployed())            /* remove_branch: unlinkat */
     :: else -> out = PASSED
     fi;
     change_end()
  :: else
  fi;
  RELEASE(change_lock)
#else
  skip
#endif
}

/* give_up: hf_surplus_take, and then the sweep of what was taken */
inline give_up()
{
  if
  :: kind == DEPLOY && d <= N -> take_previous()
  :: kind == DEPLOY && d > N ->                  /* take_unused */
     remove_unused();
     STEP(if :: out == 0 && is_restorable(d) -> kind = REMOVED :: else fi)   /* hf_restorable_list */
  :: else
  fi;
  if
  :: kind == REMOVED && out == 0 ->              /* take_removed */
     entry_lock();
#if !defined(FAULT_UNLOCKED_BETWEEN) && !defined(FAULT_RETIRED_UNLOCKED)
     judge()
#endif
  :: else
  fi;
  if
  :: out == LOCKED ->                            /* sweep_entries */
     batch = entry_bit(kind, d);
     kind = 0; d = 0; s = 0; out = 0;
     flush()
  :: else
  fi;
  kind = 0; d = 0; s = 0; out = 0; known = 0
}

/* hf_pressure_relieve */
inline relieve()
{
#ifndef NO_TURN
  TAKE(turn);                                    /* take_turn */
#endif
  stage = SPARE_TRASH;
  do
  :: stage <= UNUSED ->                          /* give_up_kind */
     surplus_list();
     do
     :: surplus != 0 ->
        next_of(surplus);
        if
        :: give_up()
        :: kind = 0; d = 0                       /* there is enough, or others are older */
        fi
     :: else -> break
     od;
     stage++
  :: else -> break
  od;
  stage = 0;
  known = 0;
#ifndef NO_TURN
  RELEASE(turn)                                  /* relief_clear */
#endif
}

#endif
