/* What is still to be done, and in which order: a state machine without clock, files or MPI.
 *
 * A piece of work is a training with all its missing cells, the missing cells of a training whose model was kept, or
 * the missing baselines of a (task, seed), which all trainings on it share. What is in the journal is never handed out
 * again. The longest work goes out first, so that the end of a run is short; how long it takes is predicted by the cost
 * model, which learns as the run goes on. Trainings that were begun before go first as long as that makes no tail. */
#ifndef COORDINATOR_SCHEDULE_SCHEDULE_H
#define COORDINATOR_SCHEDULE_SCHEDULE_H

#include "coordinator/forecast/cost_model.h"
#include "coordinator/journal/journal.h"
#include "coordinator/journal/unfinished.h"
#include "coordinator/schedule/pending.h"
#include "jobs/grid/shard.h"
#include "jobs/job/job.h"

typedef struct Schedule Schedule;

typedef enum Rerun { RERUN_MISSING = 0, RERUN_FAILED = 1, RERUN_ALL = 2 } Rerun;

typedef struct ScheduleOptions {
    int retries;    /* further attempts after a piece of work failed */
    Rerun rerun;    /* what counts as missing besides what never ran */
    uint64_t limit; /* of the missing trainings only this many, in the order of the grid; 0: no limit */
    bool keep_models;
    const char *kernels;    /* path for the workers, "" for the best */
    Shard shard;            /* part of the grid */
    int workers;            /* that there are, 0: one */
    Unfinished *unfinished; /* NULL: no training was begun before. Files that no training needs are marked as ended */
} ScheduleOptions;

/* Counts over the grid, or over the shard's part of it, as found when the schedule was made; what is to be done stops
 * at the limit. */
typedef struct ScheduleTotals {
    Shard shard;                                                              /* as in the options */
    uint64_t trainings, trainings_done, trainings_diverged, trainings_failed; /* before this run */
    uint64_t to_train, to_evaluate, baseline_sets;                            /* pieces of work of each kind */
    uint64_t cells, cells_done, to_retrain; /* to_retrain: in to_train only because no model was kept */
    uint64_t cells_served;                  /* of cells_done, those that a cell with more rounds answers */
    uint64_t results_failed;                /* cells and baselines that could not be measured and are left alone */
    uint64_t begun;                         /* of to_train, those that go on from a checkpoint */
    uint64_t models_bytes;                  /* that keeping the models of to_train takes */
    double flops, longest_flops;            /* that are left, of all pieces of work; of the largest */
    double grid_flops;                      /* of the part of the grid, done or not, with its baselines */
} ScheduleTotals;

/* job, known, costs and options->unfinished must outlive the schedule. Walks the grid once to count, for a shard twice.
 */
Status schedule_create(const Job *job, const Journal *known, CostModel *costs, const ScheduleOptions *options,
                       Schedule **out, Error *err);
void schedule_free(Schedule *schedule);
const ScheduleTotals *schedule_totals(const Schedule *schedule);

/* A piece of work that goes out. */
typedef struct Assignment {
    WorkItem item;       /* freed by work_item_free */
    int rate;            /* its class in the cost model */
    double flops_before; /* of its operations, those that were done before: of the steps in its checkpoint */
} Assignment;

/* The next piece of work for a worker that has left_s seconds (INFINITY: no deadline): the longest that fits; when none
 * does, a training that gets some steps further. *found false when there is none to hand out. Parameters of a
 * WORK_EVALUATION and the path of a checkpoint are left to the caller. */
Status schedule_next(Schedule *schedule, double left_s, bool *found, Assignment *out, Error *err);
/* A piece of work is done. */
void schedule_completed(Schedule *schedule, uint64_t work);
/* A piece of work failed on its attempt, by its own fault: true when it will be handed out again. saved_step: of its
 * checkpoint, 0: none. */
bool schedule_failed(Schedule *schedule, uint64_t work, int64_t saved_step);
/* A piece of work was broken off by no fault of its own: it will be handed out again, as the same attempt. */
void schedule_paused(Schedule *schedule, uint64_t work, int64_t saved_step);
/* The machine failed under a piece of work: as schedule_paused, but false when that has happened to it so often that it
 * is left to a later run. */
bool schedule_put_back(Schedule *schedule, uint64_t work, int64_t saved_step);
/* Nothing is left to hand out and nothing is out. */
bool schedule_finished(const Schedule *schedule);
/* The limit, not the end of the grid, stopped handing out: something is still missing. */
bool schedule_limited(const Schedule *schedule);

/* What waits, as batches of equal pieces of work: one for every class, and one for each piece that is known by itself.
 */
typedef struct WaitingBatch {
    int rate;
    double flops; /* left to do, of each */
    uint64_t count;
} WaitingBatch;
/* malloc'd. STATUS_NO_MEMORY. */
Status schedule_waiting(const Schedule *schedule, WaitingBatch **batches, int *count, Error *err);

void work_item_free(WorkItem *item);

#endif
