/* A helper process that starts and buries child processes.
 *
 * It is forked before MPI_Init, so that nothing that ever touched MPI is forked (on some fabrics that corrupts memory).
 * Each child gets one end of a socket pair, its only tie to the rest; it dies with the nursery, and the nursery with
 * the rank. A child's death, whatever the cause, is reported with its wait status and harms nobody else. */
#ifndef WORKER_PROCESS_NURSERY_H
#define WORKER_PROCESS_NURSERY_H

#include "proto/base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Nursery Nursery;

/* Runs in a child: talks through fd, returns the child's exit code. */
typedef int (*ChildMain)(void *context, int fd);

/* A child has started, or ended. */
typedef struct ChildNews {
    uint64_t token;
    pid_t pid;       /* not 0: it has started as this process */
    int wait_status; /* when it has ended: as waitpid gives it */
    int fork_errno;  /* not 0: the child could not be started */
} ChildNews;

/* Forks the nursery. Call before MPI_Init and before any thread exists. context must outlive it. */
Status nursery_start(ChildMain child_main, void *context, Nursery **out, Error *err);
/* Starts a child with fd as its socket (closed here in any case). token comes back with what becomes of it. */
Status nursery_spawn(Nursery *nursery, uint64_t token, int fd, Error *err);
/* Kills a child (SIGKILL); its exit is reported like any other. An unknown token is ignored: it has just ended. */
Status nursery_kill(Nursery *nursery, uint64_t token, Error *err);
/* The next news, if there is any: of each child that it has started, unless it ended before that could be told, and
 * that it has ended. STATUS_IO when the nursery itself died. */
Status nursery_news(Nursery *nursery, bool *any, ChildNews *out, Error *err);
/* Readable when there is news. */
int nursery_fd(const Nursery *nursery);
/* Kills all children, ends the nursery, waits for all of them. Accepts NULL. */
void nursery_stop(Nursery *nursery);

#endif
