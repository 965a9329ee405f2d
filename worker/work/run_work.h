/* One piece of work from its order to its records: the recipe that a child process follows. */
#ifndef WORKER_WORK_RUN_WORK_H
#define WORKER_WORK_RUN_WORK_H

#include "proto/base/status.h"
#include "proto/wire/messages.h"

/* Called now and then with how far the work has come (at most about 10 times a second). */
typedef void (*ProgressReporter)(void *context, const Progress *progress);

/* How a piece of work is watched and interrupted. context goes to both; each may be NULL. */
typedef struct WorkWatch {
    ProgressReporter report;
    /* Asked between steps and between orders; once true it must stay so. The work is then saved and left. */
    bool (*told_to_pause)(void *context);
    void *context;
} WorkWatch;

/* Trains (or takes the given parameters), evaluates under every order, and answers with a MESSAGE_DONE that holds all
 * records: first the TrainingRecord and, if kept, the ModelRecord, then a CellRecord or BaselineRecord an order, in
 * their order. A diverged training is a result: a TrainingRecord with OUTCOME_DIVERGED and nothing else. rank, host and
 * attempts are filled from the arguments.
 *
 * A training with a checkpoint file goes on from it, if it is whole and of the same numerics, and saves to it every
 * checkpoint_every_s; records are the same to the bit as without interruption, but for times. Told to pause it saves
 * and answers MESSAGE_PAUSED; a training that is being measured is saved as of its last step.
 *
 * *answer is freed by message_free. Fails only for what the machine did wrong (not: a checkpoint that cannot be read or
 * written, which progress tells of), for unknown kernels (STATUS_USAGE) and for parameters that do not fit the model
 * (STATUS_DATA); there is no answer then. Local; uses no MPI. */
Status run_work_watched(const WorkItem *item, int rank, const char *host, const WorkWatch *watch, Message *answer,
                        Error *err);

/* The same without pauses: *done is freed by message_free of a Message holding it, and empty after a failure. */
Status run_work(const WorkItem *item, int rank, const char *host, ProgressReporter report, void *context,
                WorkDone *done, Error *err);

#endif
