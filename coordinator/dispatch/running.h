/* The pieces of work that are under way: which rank has them, how far they are, and what that teaches the cost model.
 */
#ifndef COORDINATOR_DISPATCH_RUNNING_H
#define COORDINATOR_DISPATCH_RUNNING_H

#include "coordinator/schedule/schedule.h"

typedef struct Running {
    uint64_t work;
    int rank;
    WorkKind kind;
    Id training_id;
    TrainingSpec spec;
    int attempt;
    int64_t first_step, saved_step; /* where this attempt began; what its checkpoint holds, 0: nothing */
    double flops, flops_before;     /* nominal; of them those of the steps before first_step */
    double flops_done;              /* with flops_before */
    double step_flops;              /* of a training */
    double loss;                    /* NaN: not known yet */
    int rate_class;                 /* in the cost model */
    int n_orders;                   /* of an evaluation or baselines, so that a failure can name them; else 0 */
    CriticOrder *orders;            /* (n_orders) */
    EvaluationSettings evaluation;
    double begun_s, seen_s, seen_flops; /* when it was given out; up to when and where the cost model has seen it */
} Running;

typedef struct RunningTable {
    Running *items;
    int count, capacity;
} RunningTable;

/* Notes that a rank has got work at time now_s. STATUS_NO_MEMORY. */
Status running_add(RunningTable *table, int rank, const Assignment *assignment, double now_s, Error *err);
/* The piece of that number, or NULL. It stays in its place until another one is taken out. */
Running *running_find(RunningTable *table, uint64_t work);
Running running_take_out(RunningTable *table, Running *running);
/* Frees what a piece that was taken out owns. */
void running_release(Running *running);
void running_free(RunningTable *table);

/* A child has reported how far it is. */
void running_progressed(Running *running, const Progress *progress, double now_s, CostModel *costs);
/* It is done. */
void running_completed(Running *running, double now_s, CostModel *costs);
/* The steps of an attempt that are not lost when it has come to last_step. */
int64_t running_own_steps(const Running *running, int64_t last_step);
/* Bytes of its checkpoint: parameters and both of Adam's moments. */
double running_checkpoint_bytes(const Running *running);

#endif
