/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The repository: what imports and sweeps do to the links of stored objects, one system call a
 * step, with a crash possible before every step of everybody.  Each step names the function that it
 * stands for.  Two commits share a directory and a file.  Proved for the configurations that
 * `check` lists: a commit in the repository implies all that it reaches, at every instant (G4); no
 * object goes that a published deployment needs; once all have ended, one sweep leaves in the
 * repository what is needed and nothing else (G2), which is also what the full prune would leave;
 * there is no deadlock.  Each FAULT_ is a way to get it wrong that the search finds.
 *
 * Left out: the steps of locking a `.ref`, which has one owner here (hold.pml shows what that is
 * good for), and of moving a deployment; what a power cut may lose of changes that were not synced;
 * detached metadata, refs, directory metadata and the directories of objects/; full disks, foreign
 * refs, and copies in place of links, so that the full prune comes only where the fast one gives up;
 * and turn-lock, which is about who comes first: nothing is taken while a pruner has it.
 * A walk meets the file once, in the commit's own directory.
 */

#ifndef E
#define E 2 /* entries: 1 and 3 are of commit A, 2 of commit B, unless more is defined */
#endif
#ifndef IMPORTS
#define IMPORTS 0 /* the last of them are to be imported; the others were removed before */
#endif
#ifndef SWEEPERS
#define SWEEPERS 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef MOST
#define MOST 7 /* entries in a batch of a sweep */
#endif

/* What is checked.  The number stands at the head of each assertion, by which `check` knows it. */
#define COMMIT_IMPLIES_CLOSURE  21
#define NEEDED_IS_KEPT          22
#define UNNEEDED_IS_RECLAIMED   23
#define ENTRIES_ARE_RECLAIMED   24
#define NO_FALSE_ALARM          25

/* Objects: two commits, the directory of each, and in both of those one more directory, and a file
 * that is also in that one.  All but the file are pinned; the file is linked by tree/. */
#define OBJECTS 6
#define SHARED_DIR  4
#define SHARED_FILE 5
#define object(c, level) ((level) == 0 -> (c) : ((level) == 1 -> 2 + (c) : (level) + 2))
#define reaches(c, o) ((o) >= 4 || (o) == (c) || (o) == 2 + (c))

#define NOWHERE   0
#define STAGING   1
#define PUBLISHED 2
#define OUT       3 /* in removed/ */

#define COMPLETE 5
#define SETTLED  4
#define DELETING 2
#define PRUNED   1
#define ABSENT   0

byte place[E + 1];
byte state[E + 1];
byte owner[E + 1];   /* who has locked its `.ref` */
bool pins_dir[E + 1];
byte adopted[E + 1]; /* the object that a link under a temporary name is to, and one more */
byte adopted_inode[E + 1];

/* Inodes of an object are told apart by the entry whose import made them; 0: there is no link. */
byte store[OBJECTS];
byte link[(E + 1) * OBJECTS];
#define links(e, o) link[(e) * OBJECTS + (o)]

byte change_lock, prune_lock, repo_excl, repo_shared;
byte crashes = CRASHES;

#define bit(id) (1 << (id))
#define commit_of(e) (((e) + 1) % 2)
#ifdef B_THEN_A_TWICE
#undef commit_of
#define commit_of(e) ((e) == 1 -> 1 : 0)
#endif
#ifdef SAME_COMMIT
#undef commit_of
#define commit_of(e) 0
#endif

inline vanish(id)
{
  d_step {
    v = 1;
    do
    :: v <= E -> if :: owner[v] == id -> owner[v] = 0 :: else fi; v++
    :: else -> break
    od;
    v = 0;
    if :: change_lock == id -> change_lock = 0 :: else fi;
    if :: prune_lock == id -> prune_lock = 0 :: else fi;
    if :: repo_excl == id -> repo_excl = 0 :: else fi;
    repo_shared = repo_shared & ~bit(id)
  }
}

/* One system call, or the crash of who would make it; WAIT blocks in the kernel until it can be. */
#define WAIT(guard, act)                                                                           \
  atomic {                                                                                         \
    if                                                                                             \
    :: crashes > 0 -> crashes--; goto crashed                                             \
    :: (guard) -> act                                                                              \
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
#define TAKE(lock) WAIT(lock == 0, lock = id)
#define RELEASE(lock) STEP(lock = 0)

#ifdef FAULT_NO_REPOSITORY_LOCK
#define TAKE_REPO skip
#define RELEASE_REPO skip
#else
#define TAKE_REPO WAIT(repo_excl == 0 && repo_shared == 0, repo_excl = id)
#define RELEASE_REPO RELEASE(repo_excl)
#endif
#ifdef FAULT_TWO_PRUNERS
#define TAKE_PRUNE skip
#define RELEASE_PRUNE skip
#else
#define TAKE_PRUNE TAKE(prune_lock)
#define RELEASE_PRUNE RELEASE(prune_lock)
#endif

#define closed(c) (store[c] == 0 || (store[2 + (c)] != 0 && store[SHARED_DIR] != 0                  \
                                     && store[SHARED_FILE] != 0))
#define stored(c) (store[c] != 0 && closed(c))

inline check_closure()
{
  assert(COMMIT_IMPLIES_CLOSURE && (closed(0) && closed(1)))
}

/* unlinkat in objects/ */
inline unlink_object(o)
{
  v = 1;
  do
  :: v <= E ->
     assert(NEEDED_IS_KEPT && !(place[v] == PUBLISHED && reaches(commit_of(v), o)));
     v++
  :: else -> break
  od;
  v = 0;
  store[o] = 0;
  check_closure()
}

/* st_nlink of the stored object */
inline count(o)
{
  n = 1;
  v = 1;
  do
  :: v <= E ->
     if :: links(v, o) == store[o] -> n++ :: else fi;
     if :: adopted[v] == o + 1 && adopted_inode[v] == store[o] -> n++ :: else fi;
     v++
  :: else -> break
  od;
  v = 0
}

/* --- Import: import.c, import-object.c, import-link.c -------------------------------------------- */

/* link_object: the second link of what is new, or the stored one in place of our own */
inline link_object(o)
{
  STEP(                                          /* linkat into objects/ */
    if
    :: store[o] == 0 -> store[o] = links(e, o); check_closure()
    :: else -> clash = true
    fi);
#ifndef FAULT_NOT_ADOPTED
  if
  :: clash ->
     STEP(adopted[e] = o + 1; adopted_inode[e] = store[o]);    /* adopt_at: linkat */
     STEP(links(e, o) = adopted_inode[e];                      /* replace_in_tree: renameat */
       adopted[e] = 0; adopted_inode[e] = 0)
  :: else
  fi;
#endif
  clash = false
}

inline link_new_objects()
{
  do
  :: new & ~bit(commit_of(e)) ->                 /* hf_import_link_all: in whatever order */
     if
     :: new & bit(2 + commit_of(e)) -> o = 2 + commit_of(e)
     :: new & bit(SHARED_DIR) -> o = SHARED_DIR
     :: new & bit(SHARED_FILE) -> o = SHARED_FILE
     fi;
     new = new & ~bit(o);
     link_object(o)
  :: else -> break
  od;
  o = 0;
  if
  :: new & bit(commit_of(e)) -> link_object(commit_of(e)); new = 0 /* link_commit */
  :: else
  fi
}

proctype importer(byte id; byte e)
{
  byte v, o, level, new;
  bool clash;
  TAKE(change_lock);                             /* hf_staging_create */
  STEP(place[e] = STAGING; owner[e] = id);
  RELEASE(change_lock);
  WAIT(repo_excl == 0, repo_shared = repo_shared | bit(id)); /* hf_import_layout */
  STEP(pins_dir[e] = true);                      /* make_directories */
  do
  :: level <= 2 ->                               /* hf_import_pin: take_metadata */
     o = object(commit_of(e), level);
     STEP(links(e, o) = store[o]);               /* linkat */
     if
     :: links(e, o) == 0 -> STEP(links(e, o) = e); new = new | bit(o) /* renameat from fetch/ */
     :: else
     fi;
     level++
  :: else -> break
  od;
  level = 0;
  o = SHARED_FILE;
  STEP(clash = store[o] != 0);                   /* hf_import_file: fstatat */
  if
  :: clash -> STEP(links(e, o) = store[o])       /* put_from: linkat */
  :: else -> STEP(links(e, o) = e); new = new | bit(o) /* take_fetched: renameat */
  fi;
  clash = links(e, o) == 0;
  o = 0;
  if
  :: clash || IMPORTS > 0 ->                     /* something is wrong with the image */
     STEP(links(e, SHARED_FILE) = 0);            /* clear_layout: tree/ */
     STEP(links(e, commit_of(e)) = 0; links(e, 2 + commit_of(e)) = 0);  /* clear_layout: pins/ */
     STEP(links(e, SHARED_DIR) = 0; pins_dir[e] = false);
     STEP(repo_shared = repo_shared & ~bit(id));
     STEP(owner[e] = 0);                         /* hf_build_end; any sweeper takes it from there */
     goto gone
  :: !clash
  fi;
#ifdef FAULT_DEPLOYMENT_LAST
  link_new_objects();
  STEP(state[e] = COMPLETE);
#else
  STEP(state[e] = COMPLETE);                     /* hf_deployment_write: renameat */
#ifdef FAULT_COMMIT_LINKED_FIRST
  if :: new & bit(commit_of(e)) -> link_object(commit_of(e)); new = new & ~bit(commit_of(e)) :: else fi;
#endif
  link_new_objects();
#endif
  STEP(repo_shared = repo_shared & ~bit(id));    /* hf_import_finish */
  TAKE(change_lock);                             /* hf_publish */
  STEP(place[e] = PUBLISHED; state[e] = SETTLED;
    assert(NEEDED_IS_KEPT && stored(commit_of(e))));
  RELEASE(change_lock);
  STEP(owner[e] = 0);                            /* hf_build_end */
#ifdef REMOVED_AGAIN
  if
  :: STEP(place[e] = OUT)                        /* hf_remove_ref */
  :: true
  fi;
#endif
  END
}

/* --- Sweep: sweep.c, trash.c, prune.c ----------------------------------------------------------- */

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

/* has_strange_pin */
#define strange(e) (store[commit_of(e)] != 0 && links(e, commit_of(e)) != store[commit_of(e)])

#define needs_nothing(e)                                                                           \
  (place[e] == OUT && (state[e] == DELETING || state[e] == PRUNED)                                 \
   || place[e] == STAGING && (state[e] == DELETING || state[e] == PRUNED || state[e] == ABSENT))

/* begin_deletion, release_commit */
inline begin_deletion()
{
  TAKE_PRUNE;
  TAKE_REPO;
  STEP(state[e] = DELETING);                     /* hf_deployment_set_state */
#ifndef FAULT_COMMIT_LAST
  o = commit_of(e);
  idle = 0;
  do
  :: idle == 0 ->
     STEP(                                       /* release_commit: fstatat */
       count(o);
       if :: strange(e) || store[o] == 0 -> n = 0; idle = 1 :: else -> idle = 2 fi);
#ifndef FAULT_COMMIT_STAYS
     if
     :: n > 2 ->
        STEP(idle = 1; v = 1;                    /* is_needed_by_none */
          do
          :: v <= E ->
             if :: links(v, o) == store[o] && needs_nothing(v) -> idle++ :: else fi;
             v++
          :: else -> break
          od; v = 0);
#ifndef FAULT_STALE_COUNT
        was = n;
        STEP(count(o); if :: n != was -> idle = 0 :: else fi); /* is_needed_by_none: fstatat */
        was = 0
#endif
     :: else
     fi
#endif
  :: else -> break
  od;
  if
  :: n == idle -> STEP(unlink_object(o))         /* release_commit: unlinkat */
  :: else
  fi;
  idle = 0;
  n = 0;
  o = 0;
#endif
  RELEASE_REPO;
  RELEASE_PRUNE
}

/* check_links_tell */
inline check_links_tell()
{
#ifndef FAULT_DEAD_IMPORT_COUNTS
  STEP(v = 1;
    do
    :: v <= E ->
       if
       :: place[v] == STAGING && state[v] == ABSENT && pins_dir[v] -> failed = true
       :: else
       fi;
       v++
    :: else -> break
    od; v = 0)
#else
  skip
#endif
}

/* hf_prune_fast: decide */
inline decide(o)
{
  if
  :: true                                        /* hf_prune_share_breathe: time enough */
#ifndef FAULT_NO_REPOSITORY_LOCK
  :: RELEASE_REPO;                               /* hf_prune_share_breathe: a pause */
     TAKE_REPO;
     check_links_tell()
#endif
  fi;
  if
  :: !failed ->
     STEP(                                       /* fstatat */
       if
       :: store[o] == 0 -> n = 0
       :: else ->
          count(o);
          if
          :: n > 2 || n == 2 && links(e, o) != store[o] -> kept = true; n = 0
          :: else
          fi
       fi);
#ifdef FAULT_STALE_DECISION
     RELEASE_REPO;
     TAKE_REPO;
#endif
     if
     :: n != 0 -> STEP(n = 0; if :: store[o] != 0 -> unlink_object(o) :: else fi) /* hf_prune_share_unlink */
     :: else
     fi
  :: else
  fi
}

/* hf_prune_fast */
inline prune_by_links()
{
  TAKE_REPO;
  check_links_tell();
#ifdef FAULT_COMMIT_LAST
  level = 1;
#endif
  do
  :: level <= 3 && !failed && !kept ->
     if                                          /* hf_pin_load */
     :: (level == 1 || level == 2) && links(e, object(commit_of(e), level - 1)) == 0 ->
        failed = true
     :: else ->                                  /* decide_top; walk_tree: files, then directories */
        o = object(commit_of(e), (level < 2 -> level : 5 - level));
        decide(o);
        o = 0;
        if :: level >= 2 -> kept = false :: else fi; /* what else there is goes by its own links */
        level++
     fi
  :: else -> break
  od;
#ifdef FAULT_COMMIT_LAST
  kept = false;
  if :: !failed -> decide(commit_of(e)) :: else fi;
#endif
  level = 0;
  kept = false;
  RELEASE_REPO
}

/* hf_marks_refresh: what entries besides @targets reach */
inline refresh_marks(targets)
{
  TAKE(change_lock);                             /* list_paths */
  RELEASE(change_lock);
  STEP(marks = 0; v = 1;                         /* mark_all */
    do
    :: v <= E && place[v] != NOWHERE && !(targets & bit(v)) && state[v] > PRUNED ->
       marks = marks | bit(commit_of(v)) | bit(2 + commit_of(v)) | bit(SHARED_DIR)
               | bit(SHARED_FILE);
       o = 0;
       do                                        /* hf_marks_walk: load */
       :: o < SHARED_FILE ->
          assert(NO_FALSE_ALARM && (!reaches(commit_of(v), o) || links(v, o) != 0 || store[o] != 0));
          o++
       :: else -> break
       od;
       o = 0;
       v++
    :: v <= E && !(place[v] != NOWHERE && !(targets & bit(v)) && state[v] > PRUNED) -> v++
    :: else -> break
    od; v = 0)
}

/* hf_prune_full */
inline prune_by_marks(targets)
{
  TAKE_REPO;
  refresh_marks(targets);
  do
  :: level < OBJECTS ->                          /* prune_pass: commits have the lowest numbers */
     if
     :: store[level] != 0 && !(marks & bit(level)) -> STEP(unlink_object(level)) /* decide */
     :: else
     fi;
     level++;
     if
     :: true
     :: level < OBJECTS ->                       /* breathe: a pause */
        RELEASE_REPO;
        TAKE_REPO;
        refresh_marks(targets)
     fi
  :: else -> break
  od;
  level = 0;
  marks = 0;
  RELEASE_REPO
}

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
  :: left != 0 -> next_of(left); begin_deletion(); delete_tree(); e = 0 /* delete_trees */
  :: else -> break
  od;
  TAKE_PRUNE;                                    /* prune_and_finish */
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

/* --- The world ---------------------------------------------------------------------------------- */

init
{
  byte e, o, n = 1;
  atomic {
    e = 1;
    do
    :: e <= E - IMPORTS ->
       place[e] = OUT;
       state[e] = SETTLED;
       pins_dir[e] = true;
       o = 0;
       do
       :: o < OBJECTS ->
          if
          :: reaches(commit_of(e), o) ->
             if :: store[o] == 0 -> store[o] = e :: else fi;
             links(e, o) = store[o]
          :: else
          fi;
          o++
       :: else -> break
       od;
       e++
    :: else -> break
    od;
    do :: e <= E -> run importer(n, e); n++; e++ :: else -> break od;
    o = 0;
    do :: o < SWEEPERS -> run sweeper(n); n++; o++ :: else -> break od;
    o = 0;
    e = 0
  }
  /* All have ended, one way or another.  One sweep, by itself, must be enough. */
  atomic { _nr_pr == 1 -> crashes = 0; run sweeper(7) }
  atomic {
    _nr_pr == 1 -> n = 0; e = 1;
    do
    :: e <= E ->
       assert(ENTRIES_ARE_RECLAIMED && (place[e] == NOWHERE || place[e] == PUBLISHED));
       if
       :: place[e] == PUBLISHED -> n = n | bit(commit_of(e)) | bit(2 + commit_of(e)) | 48
       :: else
       fi;
       e++
    :: else -> break
    od;
    do
    :: o < OBJECTS ->
       assert(NEEDED_IS_KEPT && (store[o] != 0 || !(n & bit(o))));
       assert(UNNEEDED_IS_RECLAIMED && (store[o] == 0 || (n & bit(o))));
       o++
    :: else -> break
    od
  }
}
