/* See train.h.
 *
 * Shard gradients are merged as a binary counter counts: after shard number s (from 1) as many of the last sums are
 * added together as s has trailing zero bits. The order of additions is that of a binary tree over the shards, with
 * only floor(log2 shards) + 1 gradients in memory. */
#include "worker/train/train.h"

#include "worker/train/contexts.h"
#include "worker/train/objective.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 32 };

/* Partial sums of loss and gradient over shards, the oldest and largest first. */
typedef struct ShardSums {
    int depth;
    double loss[MAX_DEPTH];
    float *gradient[MAX_DEPTH];
} ShardSums;

typedef struct Training {
    const TrainingSpec *spec;
    const Kernels *kernels;
    const Prompts *fixed;
    const TrainWatch *watch;
    int batch, shards, micro_batch;
    size_t n_parameters;
    float *parameters;
    Model *model;
    Arena arena;
    Contexts contexts;
    float *pred, *dpred; /* (micro_batch, N, d) */
    float *m, *v;        /* Adam's moments */
    ShardSums sums;
} Training;

double learning_rate_at(const TrainSettings *settings, int64_t step) {
    double rate = settings->learning_rate;
    if (step <= settings->warmup_steps) return rate * (double)step / (double)settings->warmup_steps;
    if (settings->decay == RATE_CONSTANT) return rate;
    double after = (double)(step - 1 - settings->warmup_steps);
    return rate * 0.5 * (1 + cos(M_PI * after / (double)(settings->steps - settings->warmup_steps)));
}

static int minimum(int a, int b) {
    return a < b ? a : b;
}

static void take_pieces(Training *training) {
    const TaskSettings *task = &training->spec->task;
    size_t vectors = (size_t)training->micro_batch * (size_t)task->n_points * (size_t)task->n_dims;
    Arena *arena = &training->arena;
    if (training->fixed == NULL) contexts_take(&training->contexts, training->spec, arena);
    training->pred = arena_take(arena, vectors, sizeof(float));
    training->dpred = arena_take(arena, vectors, sizeof(float));
    training->m = arena_take(arena, training->n_parameters, sizeof(float));
    training->v = arena_take(arena, training->n_parameters, sizeof(float));
    for (int shards = training->shards, depth = 0; shards > 0; shards /= 2, depth++)
        training->sums.gradient[depth] = arena_take(arena, training->n_parameters, sizeof(float));
}

static Status training_create(Training *training, Error *err) {
    Shape shape = shape_of(&training->spec->model, &training->spec->task);
    training->n_parameters = tensors_parameters(&shape);
    training->micro_batch = minimum(model_best_micro_batch(&shape), training->batch);
    assert(CONTEXTS_AT_ONCE % model_best_micro_batch(&shape) == 0);
    take_pieces(training);
    Status status = arena_create(&training->arena, training->arena.used_bytes, err);
    if (status != STATUS_OK) return error_prefix(err, status, "a training of %zu parameters", training->n_parameters);
    take_pieces(training);
    if (training->fixed == NULL) status = contexts_create(&training->contexts, err);
    if (status != STATUS_OK) return status;
    return model_create(&shape, training->kernels, training->micro_batch, true, &training->model, err);
}

static void training_destroy(Training *training) {
    model_free(training->model);
    contexts_destroy(&training->contexts);
    arena_destroy(&training->arena);
}

/* Prompts first .. first + n of the batch of a step (0-based). */
static Prompts prompts_of_step(Training *training, uint32_t step, int first, int n) {
    return training->fixed != NULL ? prompts_slice(training->fixed, first, n)
                                   : contexts_of_step(&training->contexts, training->model, step, first, n);
}

/* Adds to gradient that of the batch mean over prompts first .. end; returns the sum of their losses. */
static double shard_gradient(Training *training, uint32_t step, int first, int end, float *gradient) {
    double loss = 0;
    memset(gradient, 0, training->n_parameters * sizeof *gradient);
    for (; first < end; first += CONTEXTS_AT_ONCE) {
        Prompts some = prompts_of_step(training, step, first, minimum(end - first, CONTEXTS_AT_ONCE));
        for (int at = 0; at < some.n; at += training->micro_batch) {
            int n = minimum(some.n - at, training->micro_batch);
            Prompts prompts = prompts_slice(&some, at, n);
            model_forward(training->model, n, prompts.xs, prompts.ys, prompts.seen, training->pred);
            loss += objective_loss(training->spec->train.objective, &prompts, training->pred, 1.0 / training->batch,
                                   training->dpred);
            model_backward(training->model, training->dpred, gradient);
        }
    }
    return loss;
}

/* Adds the last partial sum to the one before it. */
static void merge_last(ShardSums *sums, size_t n_parameters) {
    assert(sums->depth >= 2);
    int into = sums->depth - 2;
    float *restrict sum = sums->gradient[into];
    const float *restrict last = sums->gradient[into + 1];
    for (size_t k = 0; k < n_parameters; k++)
        sum[k] += last[k];
    sums->loss[into] += sums->loss[into + 1];
    sums->depth--;
}

/* Leaves the gradient of the batch mean in sums.gradient[0]; returns the batch's mean loss. */
static double batch_gradient(Training *training, uint32_t step) {
    ShardSums *sums = &training->sums;
    sums->depth = 0;
    model_set_parameters(training->model, training->parameters);
    for (int shard = 0; shard < training->shards; shard++) {
        int first = (int)((int64_t)training->batch * shard / training->shards);
        int end = (int)((int64_t)training->batch * (shard + 1) / training->shards);
        int top = sums->depth++;
        sums->loss[top] = shard_gradient(training, step, first, end, sums->gradient[top]);
        for (int count = shard + 1; count % 2 == 0; count /= 2)
            merge_last(sums, training->n_parameters);
        if (training->watch->pulse != NULL && shard + 1 < training->shards)
            training->watch->pulse(training->watch->context, (shard + 1.0) / training->shards);
    }
    while (sums->depth > 1)
        merge_last(sums, training->n_parameters);
    return sums->loss[0] / training->batch;
}

/* Sum of squares in double; several running sums, so that it need not wait for one. */
static double square_sum(const float *values, size_t count) {
    enum { LANES = 8 };
    double lane[LANES] = {0}, sum = 0;
    size_t k = 0;
    for (; k + LANES <= count; k += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += (double)values[k + l] * values[k + l];
    for (; k < count; k++)
        sum += (double)values[k] * values[k];
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

/* One step (1-based). Returns its mean loss; *what gets what was not finite, or NULL. */
static double train_step(Training *training, int64_t step, const char **what) {
    const TrainSettings *settings = &training->spec->train;
    size_t count = training->n_parameters;
    float *gradient = training->sums.gradient[0];
    *what = NULL;

    double loss = batch_gradient(training, (uint32_t)(step - 1));
    double norm = sqrt(square_sum(gradient, count));
    if (!isfinite(loss) || !isfinite(norm)) {
        *what = isfinite(loss) ? "the gradient" : "the loss";
        return loss;
    }
    if (settings->clip_norm > 0 && norm > settings->clip_norm) {
        float factor = (float)(settings->clip_norm / norm);
        for (size_t k = 0; k < count; k++)
            gradient[k] *= factor;
    }
    training->kernels->adam(count, step, learning_rate_at(settings, step), gradient, training->m, training->v,
                            training->parameters);
    if (!isfinite(square_sum(training->parameters, count))) *what = "a parameter";
    return loss;
}

/* The loss curve in at most LOSS_CURVE_POINTS averages, and the mean of the last tenth. */
typedef struct LossCurve {
    int64_t steps, stretch; /* of all; of one average */
    int64_t last_tenth;     /* steps in it */
    double stretch_sum, tenth_sum;
} LossCurve;

/* Steps that one point of the curve averages. */
static int64_t stretch_of(int64_t steps) {
    return (steps + LOSS_CURVE_POINTS - 1) / LOSS_CURVE_POINTS;
}

static Status loss_curve_create(LossCurve *curve, int64_t steps, TrainResult *result, Error *err) {
    *curve = (LossCurve){.steps = steps};
    curve->stretch = stretch_of(steps);
    curve->last_tenth = steps >= 10 ? steps / 10 : 1;
    result->loss_step = calloc(LOSS_CURVE_POINTS, sizeof *result->loss_step);
    result->loss = calloc(LOSS_CURVE_POINTS, sizeof *result->loss);
    if (result->loss_step == NULL || result->loss == NULL)
        return error_set(err, STATUS_NO_MEMORY, "cannot allocate a loss curve");
    return STATUS_OK;
}

static void loss_curve_add(LossCurve *curve, int64_t step, double loss, TrainResult *result) {
    curve->stretch_sum += loss;
    if (step > curve->steps - curve->last_tenth) curve->tenth_sum += loss;
    int64_t in_stretch = (step - 1) % curve->stretch + 1;
    if (in_stretch == curve->stretch || step == curve->steps) {
        result->loss_step[result->n_loss] = step;
        result->loss[result->n_loss++] = curve->stretch_sum / (double)in_stretch;
        curve->stretch_sum = 0;
    }
}

bool train_state_fits(const TrainingSpec *spec, const TrainState *state) {
    Shape shape = shape_of(&spec->model, &spec->task);
    int64_t steps = spec->train.steps, stretch = stretch_of(steps);
    return state->step >= 1 && state->step <= steps && (size_t)state->n_parameters == tensors_parameters(&shape) &&
           (state->n_moments == state->n_parameters || (state->n_moments == 0 && state->step == steps)) &&
           state->n_loss == state->step / stretch + (state->step == steps && steps % stretch != 0);
}

/* Takes over what a training had when it was saved. */
static void resume(Training *training, const TrainState *from, LossCurve *curve, TrainResult *result) {
    assert(train_state_fits(training->spec, from));
    memmove(training->parameters, from->parameters, training->n_parameters * sizeof *from->parameters);
    for (int64_t k = 0; k < from->n_moments; k++) {
        training->m[k] = from->m[k];
        training->v[k] = from->v[k];
    }
    result->steps_done = from->step;
    result->n_loss = from->n_loss;
    for (int k = 0; k < from->n_loss; k++) {
        result->loss_step[k] = from->loss_step[k];
        result->loss[k] = from->loss[k];
    }
    curve->stretch_sum = from->stretch_sum;
    curve->tenth_sum = from->tenth_sum;
}

/* What the training goes on from, by reference. */
static TrainState state_of(const Training *training, const LossCurve *curve, const TrainResult *result) {
    return (TrainState){.step = result->steps_done,
                        .n_loss = result->n_loss,
                        .loss_step = result->loss_step,
                        .loss = result->loss,
                        .stretch_sum = curve->stretch_sum,
                        .tenth_sum = curve->tenth_sum,
                        .n_parameters = (int64_t)training->n_parameters,
                        .parameters = training->parameters,
                        .n_moments = (int64_t)training->n_parameters,
                        .m = training->m,
                        .v = training->v};
}

/* The steps that are left. */
static void run_steps(Training *training, LossCurve *curve, TrainResult *result) {
    const TrainWatch *watch = training->watch;
    for (int64_t step = result->steps_done + 1; step <= curve->steps && !result->diverged && !result->paused; step++) {
        double loss = train_step(training, step, &result->diverged_what);
        result->diverged = result->diverged_what != NULL;
        if (result->diverged) {
            result->diverged_step = step;
        } else {
            result->steps_done = step;
            loss_curve_add(curve, step, loss, result);
        }
        if (watch->report != NULL) watch->report(watch->context, step, loss);
        if (watch->keep != NULL && !result->diverged) {
            TrainState state = state_of(training, curve, result);
            result->paused = !watch->keep(watch->context, &state);
        }
    }
    if (result->steps_done == curve->steps) {
        result->paused = false; /* nothing is left to be done later */
        result->final_loss = curve->tenth_sum / (double)curve->last_tenth;
    }
}

static Status train_any(Training *training, const TrainState *from, TrainResult *result, Error *err) {
    const TrainSettings *settings = &training->spec->train;
    training->kernels = kernels_with_precision(training->kernels, settings->precision);
    training->batch = training->fixed != NULL ? training->fixed->n : settings->batch_size;
    training->shards = minimum(settings->gradient_shards, training->batch);
    assert(training->shards >= 1 && settings->steps >= 1);
    *result = (TrainResult){.final_loss = NAN};
    LossCurve curve;
    Status status = loss_curve_create(&curve, settings->steps, result, err);
    if (status == STATUS_OK) status = training_create(training, err);
    if (status == STATUS_OK) {
        if (from != NULL) resume(training, from, &curve, result);
        run_steps(training, &curve, result);
    }
    training_destroy(training);
    if (status != STATUS_OK) train_result_free(result);
    return status;
}

Status train(const TrainingSpec *spec, const Kernels *kernels, const Prompts *fixed, float *parameters,
             StepReporter report, void *context, TrainResult *result, Error *err) {
    TrainWatch watch = {.report = report, .context = context};
    Training training = {.spec = spec, .kernels = kernels, .fixed = fixed, .watch = &watch, .parameters = parameters};
    return train_any(&training, NULL, result, err);
}

Status train_resumable(const TrainingSpec *spec, const Kernels *kernels, const TrainState *from, float *parameters,
                       const TrainWatch *watch, TrainResult *result, Error *err) {
    Training training = {.spec = spec, .kernels = kernels, .watch = watch, .parameters = parameters};
    return train_any(&training, from, result, err);
}

void train_result_free(TrainResult *result) {
    if (result == NULL) return;
    free(result->loss_step);
    free(result->loss);
    *result = (TrainResult){0};
}
