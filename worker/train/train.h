/* The training loop: fresh prompts every step (contexts.h), a loss over all context sizes, backward, Adam. */
#ifndef WORKER_TRAIN_TRAIN_H
#define WORKER_TRAIN_TRAIN_H

#include "proto/wire/messages.h"
#include "worker/model/model.h"
#include "worker/task/prompts.h"

typedef struct TrainResult {
    bool diverged;
    int64_t diverged_step;     /* 1-based, when diverged */
    const char *diverged_what; /* what was not finite then: "the loss", "the gradient", "a parameter"; else NULL */
    bool paused;               /* stopped by its watch before the last step */
    int64_t steps_done;
    double final_loss; /* mean loss of the last tenth of the steps (at least one); NaN before the last step */
    int n_loss;        /* averaged loss curve, as TrainingRecord; ends before the step that diverged */
    int64_t *loss_step;
    double *loss;
} TrainResult;

/* Called after every step; a callee that wants fewer calls keeps its own count. */
typedef void (*StepReporter)(void *context, int64_t step, double loss);

/* Trains parameters (flat, initialised by the caller) in place by spec->train.steps steps.
 * fixed: NULL for fresh prompts every step, else the batch that every step uses (its seen rewards; batch_size is its
 * n). The model's products are made in spec->train.precision (kernels_with_precision). The gradient of a batch is
 * summed over spec->train.gradient_shards contiguous shards of prompts (at most one a prompt) in a fixed binary-tree
 * order, each in micro-batches of model_best_micro_batch: the result depends on the job alone. report may be NULL. A
 * diverged training is STATUS_OK; result's arrays are freed by train_result_free. */
Status train(const TrainingSpec *spec, const Kernels *kernels, const Prompts *fixed, float *parameters,
             StepReporter report, void *context, TrainResult *result, Error *err);

/* What happens during and between steps. context goes to all; each may be NULL. */
typedef struct TrainWatch {
    /* Called within a step that has several shards, after each but the last: share of its gradient that is summed. A
     * long step shows that it lives. */
    void (*pulse)(void *context, double share);
    StepReporter report;
    /* Called after report, unless the step diverged, with what the training goes on from: valid during the call; its
     * parameters are the caller's, its loss curve is result's. False: stop here. */
    bool (*keep)(void *context, const TrainState *state);
    void *context;
} TrainWatch;

/* Whether state can be that of a training of spec between two steps, or after the last. */
bool train_state_fits(const TrainingSpec *spec, const TrainState *state);

/* As train, on fresh prompts; goes on from a state that watch->keep was given (NULL: from the beginning), in this
 * process or another of equal numerics, with the bits of a training that never stopped. from must fit spec. */
Status train_resumable(const TrainingSpec *spec, const Kernels *kernels, const TrainState *from, float *parameters,
                       const TrainWatch *watch, TrainResult *result, Error *err);

void train_result_free(TrainResult *result);

/* The learning rate of a step (1-based): linear warm-up over warmup_steps, then constant, or a half cosine from the
 * full rate towards 0 after the last step. */
double learning_rate_at(const TrainSettings *train, int64_t step);

#endif
