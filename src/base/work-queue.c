/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Work that makes more work.  The newest task is done first: walking a tree, the queue then holds the
 * siblings along one path and not a whole level.  Its mutex is POSIX's and not GLib's, which
 * ThreadSanitizer does not see.
 */
#include "work-queue.h"

#include <linux/ioprio.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More threads only wait for each other in the file system. */
#define MOST_THREADS 8

struct HfWorkQueue
{
  HfWorkFunc func;
  gpointer data;
  HfWorkPriority priority;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  GPtrArray *tasks; /* owned elements */
  guint busy;       /* threads that have a task, and may push more */
  GError *error;    /* the first */
};

/**
 * hf_work_queue_push:
 * @queue: the queue
 * @task: (transfer full): another task
 */
void
hf_work_queue_push (HfWorkQueue *queue, gpointer task)
{
  (void)pthread_mutex_lock (&queue->mutex);
  g_ptr_array_add (queue->tasks, task);
  (void)pthread_cond_signal (&queue->changed);
  (void)pthread_mutex_unlock (&queue->mutex);
}

/* Takes a task, or waits for one; NULL once nobody can push any more, or something failed. */
static gpointer
take (HfWorkQueue *queue)
{
  gpointer task = NULL;
  (void)pthread_mutex_lock (&queue->mutex);
  while (queue->tasks->len == 0 && queue->busy > 0 && queue->error == NULL)
    (void)pthread_cond_wait (&queue->changed, &queue->mutex);
  if (queue->tasks->len > 0 && queue->error == NULL)
    {
      task = g_ptr_array_steal_index_fast (queue->tasks, queue->tasks->len - 1);
      queue->busy++;
    }
  (void)pthread_mutex_unlock (&queue->mutex);
  return task;
}

static void
finish (HfWorkQueue *queue, GError *error)
{
  (void)pthread_mutex_lock (&queue->mutex);
  queue->busy--;
  if (queue->error == NULL)
    queue->error = g_steal_pointer (&error);
  (void)pthread_cond_broadcast (&queue->changed);
  (void)pthread_mutex_unlock (&queue->mutex);
  g_clear_error (&error);
}

static gpointer
work (gpointer data)
{
  HfWorkQueue *queue = data;
  gpointer task;
  while ((task = take (queue)) != NULL)
    {
      GError *error = NULL;
      (void)!queue->func (queue, task, queue->data, &error);
      finish (queue, error);
    }
  return NULL;
}

/* Both are refused nowhere that matters, and a thread that runs as before does the same work. */
static gpointer
thread_main (gpointer data)
{
  const HfWorkQueue *queue = data;
  const struct sched_param none = { 0 };
  if (queue->priority == HF_WORK_IDLE)
    {
      (void)sched_setscheduler (0, SCHED_IDLE, &none);
      (void)syscall (SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                     IOPRIO_PRIO_VALUE (IOPRIO_CLASS_IDLE, 0));
    }
  return work (data);
}

/**
 * hf_work_queue_run:
 * @tasks: (transfer full): what to begin with; its free function is for tasks that are not done
 * @priority: of the threads; %HF_WORK_IDLE only where no lock that others wait for is held
 * @func: does one task, which is then its own; called from several threads at once
 * @data: for @func
 *
 * Returns when every task is done, and every task that those pushed.
 *
 * Returns: %FALSE with the first error in @error; tasks may be left undone then
 */
gboolean
hf_work_queue_run (GPtrArray *tasks, HfWorkPriority priority, HfWorkFunc func, gpointer data,
                   GError **error)
{
  HfWorkQueue queue = { .func = func, .data = data, .priority = priority, .tasks = tasks };
  GThread *threads[MOST_THREADS];
  guint n = 0, wanted = MIN (g_get_num_processors (), MOST_THREADS);
  (void)pthread_mutex_init (&queue.mutex, NULL);
  (void)pthread_cond_init (&queue.changed, NULL);
  guint others = priority == HF_WORK_IDLE ? wanted : wanted - 1;
  while (n < others
         && (threads[n] = g_thread_try_new ("worker", thread_main, &queue, NULL)) != NULL)
    n++;
  /* This thread works too, and where no other can be had it does all of it. */
  if (n == 0 || priority == HF_WORK_NORMAL)
    (void)work (&queue);
  for (guint i = 0; i < n; i++)
    (void)g_thread_join (threads[i]);
  g_ptr_array_unref (queue.tasks);
  (void)pthread_cond_destroy (&queue.changed);
  (void)pthread_mutex_destroy (&queue.mutex);
  if (queue.error == NULL)
    return TRUE;
  g_propagate_error (error, queue.error);
  return FALSE;
}
