/* One piece of work from its order to its records: the recipe that a child process follows. */
#ifndef WORKER_RUN_WORK_H
#define WORKER_RUN_WORK_H

#include "proto/base/status.h"
#include "proto/wire/messages.h"

/* Called now and then with how far the work has come (at most about 10 times a second). */
typedef void (*ProgressReporter)(void *context, const Progress *progress);

/* Trains (or takes the given parameters), evaluates under every order, and returns all records in *done (freed by
 * message_free of a Message holding it): first the TrainingRecord and, if kept, the ModelRecord, then a CellRecord or
 * BaselineRecord an order, in their order. A diverged training is a result: a TrainingRecord with OUTCOME_DIVERGED and
 * nothing else. rank, host and attempts are filled from the arguments; report may be NULL. Fails only for what the
 * machine did wrong, for unknown kernels (STATUS_USAGE) and for parameters that do not fit the model (STATUS_DATA);
 * *done is then empty. Local; uses no MPI. */
Status run_work(const WorkItem *item, int rank, const char *host, ProgressReporter report, void *context,
                WorkDone *done, Error *err);

#endif
