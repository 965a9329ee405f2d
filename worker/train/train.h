/* The training loop: fresh prompts every step, a loss over all context sizes, backward, Adam. */
#ifndef WORKER_TRAIN_TRAIN_H
#define WORKER_TRAIN_TRAIN_H

#include "worker/model/model.h"
#include "worker/task/prompts.h"

typedef struct TrainResult {
    bool diverged;
    int64_t diverged_step; /* 1-based, when diverged */
    int64_t steps_done;
    double final_loss;
    int n_loss; /* averaged loss curve, as TrainingRecord */
    int64_t *loss_step;
    double *loss;
} TrainResult;

/* Called after every step; a callee that wants fewer calls keeps its own count. */
typedef void (*StepReporter)(void *context, int64_t step, double loss);

/* Trains parameters (flat, initialised by the caller) in place by spec->train.steps steps.
 * fixed: NULL for fresh prompts every step, else the batch that every step uses (its seen rewards; batch_size is its n).
 * The gradient of a batch is summed over spec->train.gradient_shards contiguous shards of prompts in a fixed binary-tree
 * order: the result depends on the job alone. result's arrays are freed by train_result_free. */
Status train(const TrainingSpec *spec, const Kernels *kernels, const Prompts *fixed, float *parameters,
             StepReporter report, void *context, TrainResult *result, Error *err);
void train_result_free(TrainResult *result);

#endif
