/* See estimate.h. */
#include "cli/plan/estimate.h"

#include "coordinator/forecast/deadline.h"
#include "coordinator/forecast/rates.h"
#include "proto/base/clock.h"
#include "proto/wire/cost.h"
#include "worker/train/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --- measuring -------------------------------------------------------------------------------------------------- */

enum { MEASURED_MAX = 4 };

/* A kind of training and how much of the job it is. */
typedef struct Share {
    int rate;
    double flops;
    TrainingSpec spec;
} Share;

/* Step times of a calibration. */
typedef struct Stopwatch {
    double last_s, shortest_s;
} Stopwatch;

static void note_step(void *context, int64_t step, double loss) {
    Stopwatch *watch = context;
    double now_s = clock_monotonic_s();
    if (step > 1) watch->shortest_s = fmin(watch->shortest_s, now_s - watch->last_s);
    watch->last_s = now_s;
}

/* Trains three steps of 16 prompts; the best of them counts. */
static Status measure(const Share *share, CostModel *costs, Error *err) {
    TrainingSpec spec = share->spec;
    spec.train.steps = 4;
    spec.train.batch_size = 16;
    spec.train.gradient_shards = 1;
    spec.train.warmup_steps = 0;
    Shape shape = shape_of(&spec.model, &spec.task);
    float *parameters = malloc(tensors_parameters(&shape) * sizeof *parameters);
    if (parameters == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the parameters of a model");
    const Kernels *kernels;
    TrainResult result = {0};
    Stopwatch watch = {.shortest_s = INFINITY};
    tensors_init(&shape, spec.seed, parameters);
    Status status = kernels_select(NULL, &kernels, err);
    if (status == STATUS_OK) status = train(&spec, kernels, NULL, parameters, note_step, &watch, &result, err);
    if (status == STATUS_OK) cost_model_observe(costs, share->rate, cost_step_flops(&spec), watch.shortest_s, 1);
    train_result_free(&result);
    free(parameters);
    return status;
}

static int dearer_first(const void *a, const void *b) {
    double left = ((const Share *)a)->flops, right = ((const Share *)b)->flops;
    return (left < right) - (left > right);
}

/* All kinds of training of the job, those that are most of its work first; malloc'd. */
static Status list_kinds(const Job *job, CostModel *costs, Share **kinds, int *count, Error *err) {
    int capacity = 0;
    *kinds = NULL;
    *count = 0;
    for (uint64_t point = 0; point < job_grid_points(job); point++) {
        TrainingSpec spec;
        int rate;
        if (!job_training(job, point, &spec)) continue;
        Status status = cost_model_rate(costs, WORK_TRAINING, &spec, &rate, err);
        if (status != STATUS_OK) return status;
        if (rate >= capacity) {
            int more = rate * 2 + 16;
            Share *larger = realloc(*kinds, (size_t)more * sizeof *larger);
            if (larger == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for %d kinds of training", more);
            for (int i = capacity; i < more; i++)
                larger[i] = (Share){.rate = i};
            *kinds = larger;
            capacity = more;
        }
        Share *share = &(*kinds)[rate];
        if (share->flops == 0) share->spec = spec;
        share->flops += cost_step_flops(&spec) * (double)spec.train.steps;
        if (rate >= *count) *count = rate + 1;
    }
    if (*count > 0) qsort(*kinds, (size_t)*count, sizeof **kinds, dearer_first);
    return STATUS_OK;
}

static Status measure_job(const Job *job, CostModel *costs, char *source, size_t source_bytes, Error *err) {
    Share *kinds;
    int n_kinds, measured = 0;
    Status status = list_kinds(job, costs, &kinds, &n_kinds, err);
    while (status == STATUS_OK && measured < n_kinds && measured < MEASURED_MAX && kinds[measured].flops > 0)
        status = measure(&kinds[measured++], costs, err);
    snprintf(source, source_bytes, "measured here, on %d of the job's models", measured);
    free(kinds);
    return status;
}

/* --- predicting ------------------------------------------------------------------------------------------------- */

Status estimate_rates(const Job *job, const char *dir, double given_rate, CostModel *costs, char *source,
                      size_t source_bytes, Error *err) {
    uint64_t count = 0;
    source[0] = '\0';
    if (given_rate > 0) {
        cost_model_assume(costs, given_rate);
        snprintf(source, source_bytes, "as given");
        return STATUS_OK;
    }
    Status status = rates_learn(dir, costs, &count, err);
    if (status != STATUS_OK || count == 0)
        return status == STATUS_OK ? measure_job(job, costs, source, source_bytes, err) : status;
    snprintf(source, source_bytes, "learned from %llu measurement%s in the folder", (unsigned long long)count,
             count == 1 ? "" : "s");
    return STATUS_OK;
}

Status estimate_schedule(const Schedule *schedule, CostModel *costs, int n_workers, double walltime_s, Estimate *out,
                         Error *err) {
    Status status = outlook_of(schedule, costs, NULL, 0, n_workers, &out->outlook, err);
    if (status != STATUS_OK) return status;
    double flops = schedule_totals(schedule)->flops;
    out->rate = flops > 0 ? flops / out->outlook.work_s : NAN;
    out->jobs = NAN;
    if (!(walltime_s > 0)) return STATUS_OK;
    Deadline deadline = deadline_after(0, walltime_s);
    out->jobs = ceil(out->outlook.end_s / deadline_drain_at(&deadline, 0)); /* what was begun goes on in the next */
    return STATUS_OK;
}
