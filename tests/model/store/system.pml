/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is stored, which links there are to it, who has which lock; and a process that dies at any of its
 * steps.  Also what holds at every instant.
 */

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
