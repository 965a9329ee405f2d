/* See cost_model.h. */
#include "coordinator/forecast/cost_model.h"

#include "proto/wire/cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is believed before there is data, each worth a few observations: single pieces differ by a fifth, classes of
 * one kind and width by a factor of 1.6, kinds by one of 2.7; the rate grows with the width of a model (small matrices
 * are slow), with its power of 0.7, give or take 0.5. */
static const double SPREAD = 0.2, SPREAD_WORTH = 2, BETWEEN = 0.5, BETWEEN_WORTH = 3, BETWEEN_KINDS = 1;
static const double SLOPE = 0.7, SLOPE_DEVIATION = 0.5;

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

/* The prior of a kind's classes: the logarithm of the rate is normal about a line over that of the width. */
typedef struct Prior {
    double mean, deviation; /* at the centre; mean NaN: nothing is known */
    double centre, slope, slope_deviation;
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
    if (model == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the rates of work");
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
        if (more == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for %d rates of work", capacity);
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

/* Logarithm of the width of a class's model; baselines have none. */
static double log_width(const RateClass *class) {
    return class->key.n_embd > 0 ? log(class->key.n_embd) : 0;
}

static bool counts(const RateClass *class, int kind) {
    return class->pieces > 0 && (kind == 0 || class->key.kind == kind);
}

/* The prior of a kind (0: of all kinds) from the classes that were observed; mean NaN without any. */
static Prior learn_prior(const CostModel *model, int kind) {
    double weights = 0, width = 0, rate = 0, trust_slope = 1 / (SLOPE_DEVIATION * SLOPE_DEVIATION);
    for (int i = 0; i < model->n_classes; i++) {
        const RateClass *class = &model->classes[i];
        if (!counts(class, kind)) continue;
        double weight = 1 / (BETWEEN * BETWEEN + model->spread * model->spread / class->pieces);
        weights += weight;
        width += weight * log_width(class);
        rate += weight * observed_log_rate(class);
    }
    if (weights == 0) return (Prior){.mean = NAN};
    Prior prior = {.mean = rate / weights, .centre = width / weights};
    double product = SLOPE * trust_slope, squared_widths = trust_slope;
    for (int i = 0; i < model->n_classes; i++) {
        const RateClass *class = &model->classes[i];
        if (!counts(class, kind)) continue;
        double weight = 1 / (BETWEEN * BETWEEN + model->spread * model->spread / class->pieces);
        double off = log_width(class) - prior.centre;
        product += weight * off * (observed_log_rate(class) - prior.mean);
        squared_widths += weight * off * off;
    }
    prior.slope = product / squared_widths;
    prior.slope_deviation = 1 / sqrt(squared_widths);
    double squares = BETWEEN_WORTH * BETWEEN * BETWEEN, n = BETWEEN_WORTH;
    for (int i = 0; i < model->n_classes; i++) {
        const RateClass *class = &model->classes[i];
        if (!counts(class, kind)) continue;
        double share = fmin(1, class->pieces);
        double off = observed_log_rate(class) - prior.mean - prior.slope * (log_width(class) - prior.centre);
        squares += share * off * off;
        n += share;
    }
    prior.deviation = sqrt(squares / n + 1 / weights);
    return prior;
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
    double off = log_width(class) - prior->centre, prior_mean = prior->mean + prior->slope * off;
    double prior_deviation = hypot(prior->deviation, prior->slope_deviation * off);
    double trust_prior = 1 / (prior_deviation * prior_deviation);
    double trust_own = class->pieces / (model->spread * model->spread), trust = trust_prior + trust_own;
    double own_mean = trust_own > 0 ? observed_log_rate(class) : 0;
    return (RateBelief){.rate = exp((trust_prior * prior_mean + trust_own * own_mean) / trust),
                        .deviation = 1 / sqrt(trust),
                        .borrowed = trust_prior / trust,
                        .spread = model->spread};
}

Forecast cost_model_forecast(CostModel *model, int rate, double flops) {
    RateBelief belief = cost_model_belief(model, rate);
    double expected_s = flops / belief.rate, factor = exp(QUANTILE_90 * hypot(belief.deviation, belief.spread));
    return (Forecast){.expected_s = expected_s, .lower_s = expected_s / factor, .upper_s = expected_s * factor};
}
