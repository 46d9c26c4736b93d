/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who imports an image and publishes it: import.c, import-object.c, import-link.c.
 */

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
