/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which objects go with an entry: release.c, prune-fast.c, prune-full.c, marks.c.
 */

/* hf_links_strange */
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
     :: level < OBJECTS ->                       /* hf_prune_share_breathe: a pause */
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
