/* What is still to be done, and in which order: a state machine without clock, files or MPI.
 *
 * The grid is walked lazily. A piece of work is a training with all its missing cells, the missing cells of a training
 * whose model was kept, or the missing baselines of a (task, seed), which all trainings on it share. What is in the
 * journal is never handed out again. */
#ifndef COORDINATOR_SCHEDULE_H
#define COORDINATOR_SCHEDULE_H

#include "coordinator/journal.h"
#include "jobs/job.h"

typedef struct Schedule Schedule;

typedef enum Rerun { RERUN_MISSING = 0, RERUN_FAILED = 1, RERUN_ALL = 2 } Rerun;

typedef struct ScheduleOptions {
    int retries;    /* further attempts after a piece of work failed */
    Rerun rerun;    /* what counts as missing besides what never ran */
    uint64_t limit; /* after this many trainings, stop at whatever else is missing; 0: no limit */
    bool keep_models;
    const char *kernels; /* path for the workers, "" for the best */
} ScheduleOptions;

/* Counts over the whole grid, as found when the schedule was made; what is to be done stops at the limit. */
typedef struct ScheduleTotals {
    uint64_t trainings, trainings_done, trainings_diverged, trainings_failed; /* before this run */
    uint64_t to_train, to_evaluate, baseline_sets;                            /* pieces of work of each kind */
    uint64_t cells, cells_done, to_retrain; /* to_retrain: in to_train only because no model was kept */
    uint64_t models_bytes;                  /* that keeping the models of to_train takes */
    double flops, longest_flops;            /* of all pieces of work; of the largest */
} ScheduleTotals;

/* job and known must outlive the schedule. Walks the grid once to count. */
Status schedule_create(const Job *job, const Journal *known, const ScheduleOptions *options, Schedule **out,
                       Error *err);
void schedule_free(Schedule *schedule);
const ScheduleTotals *schedule_totals(const Schedule *schedule);

/* The next piece of work, *found false when there is none to hand out now. Parameters of a WORK_EVALUATION are left
 * to the caller. item is freed by work_item_free. */
Status schedule_next(Schedule *schedule, bool *found, WorkItem *item, Error *err);
/* A piece of work is done. */
void schedule_completed(Schedule *schedule, uint64_t work);
/* A piece of work was broken off by no fault of its own: it will be handed out again, as the same attempt. */
void schedule_paused(Schedule *schedule, uint64_t work);
/* A piece of work failed on its attempt: true when it will be handed out again. */
bool schedule_failed(Schedule *schedule, uint64_t work);
/* Nothing is left to hand out and nothing is out. */
bool schedule_finished(const Schedule *schedule);
/* The limit, not the end of the grid, stopped handing out: something is still missing. */
bool schedule_limited(const Schedule *schedule);

void work_item_free(WorkItem *item);

#endif
