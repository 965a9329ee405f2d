/* See rounds.h. Directions, lengths and scores are made in double and rounded to float once. */
#include "worker/evaluate/rounds.h"

#include "worker/evaluate/curves.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SMALLEST_NORM = 1e-8;

static double product(int d, const float *a, const float *b) {
    double sum = 0;
    for (int k = 0; k < d; k++)
        sum += (double)a[k] * b[k];
    return sum;
}

/* At least SMALLEST_NORM; NaN stays. */
static double norm(int d, const float *vector) {
    double root = sqrt(product(d, vector, vector));
    return root < SMALLEST_NORM ? SMALLEST_NORM : root;
}

static double cosine(int d, const float *a, const float *b) {
    return product(d, a, b) / (norm(d, a) * norm(d, b));
}

double clean_score(int d, const float *response, const float *y_star) {
    double c = cosine(d, response, y_star), sine = sqrt(fmax(1 - c * c, 0)); /* c may pass 1 by rounding */
    return c <= 0 ? 0 : c / (c + sine);
}

/* response (d) = |y*| direction / |direction| */
static void respond(int d, const float *direction, const float *y_star, float *response) {
    double scale = norm(d, y_star) / norm(d, direction);
    for (int k = 0; k < d; k++)
        response[k] = (float)(scale * direction[k]);
}

void initial_responses_draw(Prompts *prompts, int count, uint32_t seed, uint32_t step, uint32_t first) {
    int d = prompts->d;
    float directions[(size_t)count * d];
    assert(count <= prompts->N);
    for (int p = 0; p < prompts->n; p++) {
        size_t at = (size_t)p * prompts->N * d;
        RngStream stream = {.purpose = RNG_INITIAL_RESPONSES, .seed = seed, .step = step, .unit = first + (uint32_t)p};
        rng_normal(stream, 0, (uint32_t)(count * d), directions);
        for (int j = 0; j < count; j++)
            respond(d, directions + (size_t)j * d, prompts->y_star + at, prompts->ys + at + (size_t)j * d);
    }
}

/* rs at positions first .. end. */
static void score(const Prompts *prompts, int first, int end) {
    int N = prompts->N, d = prompts->d;
    for (int p = 0; p < prompts->n; p++)
        for (int i = first; i < end; i++) {
            size_t row = (size_t)p * N + i;
            prompts->rs[row] = (float)clean_score(d, prompts->ys + row * d, prompts->y_star + row * d);
        }
}

/* Of no more prompts than the cache holds; stream: of the first of them. */
static void run_group(const Model *model, ModelCache *cache, const ClosedLoop *loop, RngStream stream, Prompts *group,
                      float *answers) {
    int n = group->n, N = group->N, d = group->d, n0 = loop->initial_responses;
    float answer[(size_t)n * d];
    memset(group->rs, 0, (size_t)n * N * sizeof *group->rs); /* the critic reads whole rows */
    score(group, 0, n0);
    model_cache_restart(cache, n);
    for (int t = 0; t <= loop->rounds; t++) {
        int position = n0 + t;
        critic_apply(group, &loop->critic, (RngPurpose)stream.purpose, stream.seed, stream.step, stream.unit);
        model_predict_at(model, cache, position, group->xs, group->ys, group->seen, answer);
        for (int p = 0; p < n; p++) {
            const float *from = answer + (size_t)p * d;
            size_t at = ((size_t)p * N + position) * d;
            memcpy(answers + ((size_t)p * (loop->rounds + 1) + t) * d, from, (size_t)d * sizeof *from);
            if (t < loop->rounds) respond(d, from, group->y_star + at, group->ys + at);
        }
        if (t < loop->rounds) score(group, position, position + 1);
    }
}

void closed_loop_run(const Model *model, ModelCache *cache, const ClosedLoop *loop, const Prompts *prompts,
                     float *answers) {
    int at_once = model_cache_prompts(cache);
    assert(loop->initial_responses >= 1 && loop->rounds >= 0);
    assert(loop->initial_responses + loop->rounds <= prompts->N - 1);
    for (int first = 0; first < prompts->n; first += at_once) {
        Prompts group = prompts_slice(prompts, first, prompts->n - first < at_once ? prompts->n - first : at_once);
        RngStream stream = loop->stream;
        stream.unit += (uint32_t)first;
        run_group(model, cache, loop, stream, &group, answers + (size_t)first * (loop->rounds + 1) * prompts->d);
    }
}

/* value[metric] (count) of one prompt's answers (count, d). */
static void metrics_of_prompt(int d, int count, const float *answers, const float *y_star, double right_cosine,
                              double *const *value) {
    double aligned[count];
    for (int t = 0; t < count; t++) {
        aligned[t] = cosine(d, answers + (size_t)t * d, y_star);
        double last = t > 0 ? aligned[t - 1] : NAN, change = aligned[t] - last;
        bool was_right = last > right_cosine, is_right = aligned[t] > right_cosine;
        value[ROUND_NMSE][t] = 1 - aligned[t];
        value[ROUND_GAIN][t] = aligned[t] - aligned[0];
        value[ROUND_IMPROVED][t] = isnan(change) ? NAN : change > 0;
        value[ROUND_WORSENED][t] = isnan(change) ? NAN : change < 0;
        value[ROUND_RIGHT_TO_WRONG][t] = isnan(change) ? NAN : was_right && !is_right;
        value[ROUND_WRONG_TO_RIGHT][t] = isnan(change) ? NAN : !was_right && is_right;
    }
}

Status round_curves_of(const Prompts *prompts, int count, const float *answers, double right_cosine, RoundCurves *out,
                       Error *err) {
    int n = prompts->n, d = prompts->d;
    size_t of_metric = (size_t)n * count;
    double *values = malloc(ROUND_METRIC_COUNT * of_metric * sizeof *values);
    if (values == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the rounds of %d prompts", n);
    Status status = round_curves_create(out, count, err);
    for (int p = 0; p < n && status == STATUS_OK; p++) {
        double *value[ROUND_METRIC_COUNT];
        for (int metric = 0; metric < ROUND_METRIC_COUNT; metric++)
            value[metric] = values + metric * of_metric + (size_t)p * count;
        metrics_of_prompt(d, count, answers + (size_t)p * count * d, prompts->y_star + (size_t)p * prompts->N * d,
                          right_cosine, value);
    }
    for (RoundMetric metric = 0; metric < ROUND_METRIC_COUNT && status == STATUS_OK; metric++)
        for (int t = 0; t < count; t++) {
            size_t at = round_curves_at(out, metric, t);
            mean_and_error(values + metric * of_metric + t, n, count, &out->value[at], &out->standard_error[at]);
        }
    free(values);
    return status;
}
