/* See cost_model.h. */
#include "coordinator/cost_model.h"

#include "proto/wire/cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is believed before there is data, each worth a few observations: single pieces differ by a fifth, classes of
 * one kind by a factor of 1.6, kinds by one of 2.7. */
static const double SPREAD = 0.2, SPREAD_WORTH = 2, BETWEEN = 0.5, BETWEEN_WORTH = 3, BETWEEN_KINDS = 1;

enum { KINDS = WORK_BASELINES + 1 };

/* The settings that decide how fast work runs. Without padding, so that keys can be compared as bytes. */
typedef struct RateKey {
    int32_t kind, n_layer, n_head, n_embd, attention, ffn, causal, n_dims, n_points, batch, rollouts, precision,
        objective;
} RateKey;

typedef struct RateClass {
    RateKey key;
    double flops, seconds, pieces; /* observed */
    double n, mean, squares;       /* of the logarithms of completed pieces' rates: number, mean, squared deviations */
} RateClass;

/* The prior of a kind's classes: normal with this mean and deviation of the logarithm. */
typedef struct Prior {
    double mean, deviation; /* mean NaN: nothing is known */
} Prior;

struct CostModel {
    RateClass *classes;
    int n_classes, capacity, latest; /* latest: that was asked for last */
    double assumed_rate;
    bool knows, stale; /* stale: the following are older than the observations */
    double spread;
    Prior priors[KINDS];
};

Status cost_model_create(CostModel **out, Error *err) {
    CostModel *model = calloc(1, sizeof *model);
    if (model == NULL) return error_set(err, STATUS_NO_MEMORY, "out of memory");
    model->assumed_rate = NAN;
    model->stale = true;
    *out = model;
    return STATUS_OK;
}

void cost_model_free(CostModel *model) {
    if (model == NULL) return;
    free(model->classes);
    free(model);
}

static RateKey key_of(WorkKind kind, const TrainingSpec *spec) {
    RateKey key = {.kind = (int32_t)kind, .n_dims = spec->task.n_dims, .n_points = spec->task.n_points};
    if (kind == WORK_BASELINES) return key;
    key.n_layer = spec->model.n_layer;
    key.n_head = spec->model.n_head;
    key.n_embd = spec->model.n_embd;
    key.attention = (int32_t)spec->model.attention;
    key.ffn = spec->model.ffn;
    key.causal = spec->model.causal;
    if (kind == WORK_EVALUATION) return key;
    key.batch = spec->train.batch_size;
    key.rollouts = rollouts_of_batch(&spec->train);
    key.precision = (int32_t)spec->train.precision;
    key.objective = (int32_t)spec->train.objective;
    return key;
}

Status cost_model_rate(CostModel *model, WorkKind kind, const TrainingSpec *spec, int *rate, Error *err) {
    RateKey key = key_of(kind, spec);
    for (int i = 0; i < model->n_classes; i++) { /* a grid's classes come in turn, again and again */
        *rate = (model->latest + i) % model->n_classes;
        if (memcmp(&model->classes[*rate].key, &key, sizeof key) != 0) continue;
        model->latest = *rate;
        return STATUS_OK;
    }
    if (model->n_classes == model->capacity) {
        int capacity = model->capacity * 2 + 16;
        RateClass *more = realloc(model->classes, (size_t)capacity * sizeof *more);
        if (more == NULL) return error_set(err, STATUS_NO_MEMORY, "out of memory");
        model->classes = more;
        model->capacity = capacity;
    }
    *rate = model->latest = model->n_classes++;
    model->classes[*rate] = (RateClass){.key = key};
    return STATUS_OK;
}

/* --- learning --------------------------------------------------------------------------------------------------- */

void cost_model_observe(CostModel *model, int rate, double flops, double seconds, double share) {
    RateClass *class = &model->classes[rate];
    if (!(flops > 0 && seconds > 0 && share > 0)) return;
    class->flops += flops;
    class->seconds += seconds;
    class->pieces += share;
    model->knows = model->stale = true;
}

void cost_model_completed(CostModel *model, int rate, double flops, double seconds) {
    RateClass *class = &model->classes[rate];
    if (!(flops > 0 && seconds > 0)) return;
    double value = log(flops / seconds), before = value - class->mean;
    class->n += 1;
    class->mean += before / class->n;
    class->squares += before * (value - class->mean);
    model->stale = true;
}

void cost_model_assume(CostModel *model, double flops_per_s) {
    model->assumed_rate = flops_per_s;
    model->stale = true;
}

bool cost_model_knows(const CostModel *model) {
    return model->knows;
}

static double observed_log_rate(const RateClass *class) {
    return log(class->flops / class->seconds);
}

static double pooled_spread(const CostModel *model) {
    double squares = SPREAD_WORTH * SPREAD * SPREAD, n = SPREAD_WORTH;
    for (int i = 0; i < model->n_classes; i++)
        if (model->classes[i].n > 1) {
            squares += model->classes[i].squares;
            n += model->classes[i].n - 1;
        }
    return sqrt(squares / n);
}

/* The prior of a kind (0: of all kinds) from the classes that were observed; mean NaN without any. */
static Prior learn_prior(const CostModel *model, int kind) {
    double weights = 0, sum = 0, squares = BETWEEN_WORTH * BETWEEN * BETWEEN, n = BETWEEN_WORTH;
    for (int i = 0; i < model->n_classes; i++) {
        const RateClass *class = &model->classes[i];
        if (class->pieces == 0 || (kind != 0 && class->key.kind != kind)) continue;
        double weight = 1 / (BETWEEN * BETWEEN + model->spread * model->spread / class->pieces);
        weights += weight;
        sum += weight * observed_log_rate(class);
    }
    if (weights == 0) return (Prior){.mean = NAN, .deviation = NAN};
    double mean = sum / weights;
    for (int i = 0; i < model->n_classes; i++) {
        const RateClass *class = &model->classes[i];
        if (class->pieces == 0 || (kind != 0 && class->key.kind != kind)) continue;
        double share = fmin(1, class->pieces), off = observed_log_rate(class) - mean;
        squares += share * off * off;
        n += share;
    }
    return (Prior){.mean = mean, .deviation = sqrt(squares / n + 1 / weights)};
}

/* A kind that was never seen takes what is known of the others; without any observation, what is assumed. */
static void refresh(CostModel *model) {
    model->spread = pooled_spread(model);
    Prior any = learn_prior(model, 0);
    if (isnan(any.mean))
        any = (Prior){.mean = log(model->assumed_rate), .deviation = SPREAD};
    else
        any.deviation = hypot(any.deviation, BETWEEN_KINDS);
    for (int kind = 0; kind < KINDS; kind++) {
        model->priors[kind] = kind == 0 ? any : learn_prior(model, kind);
        if (isnan(model->priors[kind].mean)) model->priors[kind] = any;
    }
    model->stale = false;
}

/* --- predicting ------------------------------------------------------------------------------------------------- */

RateBelief cost_model_belief(CostModel *model, int rate) {
    const RateClass *class = &model->classes[rate];
    if (model->stale) refresh(model);
    const Prior *prior = &model->priors[class->key.kind];
    double trust_prior = 1 / (prior->deviation * prior->deviation);
    double trust_own = class->pieces / (model->spread * model->spread);
    double mean = trust_own > 0
                      ? (trust_prior * prior->mean + trust_own * observed_log_rate(class)) / (trust_prior + trust_own)
                      : prior->mean;
    return (RateBelief){.rate = exp(mean), .deviation = 1 / sqrt(trust_prior + trust_own), .spread = model->spread};
}

Forecast cost_model_forecast(CostModel *model, int rate, double flops) {
    RateBelief belief = cost_model_belief(model, rate);
    double expected_s = flops / belief.rate, factor = exp(QUANTILE_90 * hypot(belief.deviation, belief.spread));
    return (Forecast){.expected_s = expected_s, .lower_s = expected_s / factor, .upper_s = expected_s * factor};
}
