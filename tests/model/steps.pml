/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a step is: one system call, before which whoever would make it may die, as often as CRASHES says.
 * Everybody has a number, `id`, and vanish(id) is what the kernel knows of a process that is no more.
 */

byte crashes = CRASHES;
#ifdef POWER_CUT
bool cut;         /* all processes are dead at once */
#else
#define cut false
#endif

#define bit(id) (1 << (id))

/* One system call, or the crash of who would make it; WAIT blocks in the kernel until it can be. */
#define WAIT(guard, act)                                                                           \
  atomic {                                                                                         \
    if                                                                                             \
    :: crashes > 0 && !cut -> crashes--; goto crashed                                               \
    :: cut -> goto crashed                                                                         \
    :: !cut && (guard) -> act                                                                      \
    fi                                                                                             \
  }
/* The end of every actor, and what the kernel does when one crashes. */
#define END                                                                                        \
  atomic {                                                                                         \
    goto gone;                                                                                     \
crashed:                                                                                           \
    vanish(id);                                                                                    \
gone:                                                                                              \
    skip                                                                                           \
  }
#define STEP(act) WAIT(true, act)
#define TAKE(lock) WAIT(lock == 0, lock = id)       /* hf_lock_take */
#define RELEASE(lock) STEP(lock = 0)                /* hf_lock_release */
