/* See curves.h. */
#include "worker/evaluate/curves.h"

#include "worker/train/objective.h"

#include <math.h>
#include <stdlib.h>

/* Kendall's tau-b of two lists of n: (concordant - discordant) / sqrt(untied pairs of a x untied pairs of b); NaN when
 * a list is constant. Source: Kendall, "The treatment of ties in ranking problems", Biometrika 1945. */
static double kendall_tau_b(int n, const double *a, const float *b) {
    int64_t agreement = 0, untied_a = 0, untied_b = 0;
    for (int i = 0; i < n; i++) {
        if (isnan(a[i]) || isnan(b[i])) return NAN;
        for (int j = 0; j < i; j++) {
            int sign_a = (a[i] > a[j]) - (a[i] < a[j]), sign_b = (b[i] > b[j]) - (b[i] < b[j]);
            agreement += sign_a * sign_b;
            untied_a += sign_a != 0;
            untied_b += sign_b != 0;
        }
    }
    if (untied_a == 0 || untied_b == 0) return NAN;
    return (double)agreement / sqrt((double)untied_a * (double)untied_b);
}

static void metrics_of_prompt(const Prompts *prompt, const float *pred, double *const value[METRIC_COUNT]) {
    int N = prompt->N, d = prompt->d;
    double responses[(size_t)N * d], unit[d], aligned[d], score[N];
    int ranking[N];
    for (int i = 0; i < N; i++) {
        size_t at = (size_t)i * d;
        unit_vector(d, pred + at, unit);
        unit_vector(d, prompt->y_star + at, aligned);
        for (int j = 0; j < i; j++)
            score[j] = dot_product(d, unit, responses + (size_t)j * d);
        value[METRIC_NMSE][i] = 1 - dot_product(d, unit, aligned);
        value[METRIC_KENDALL_TAU][i] = i < 2 ? NAN : kendall_tau_b(i, score, prompt->rs);
        value[METRIC_ALIGNMENT_LOSS][i] = i < 2 ? NAN : plackett_luce_loss(i, score, ranking, NULL);
        unit_vector(d, prompt->ys + at, responses + at);
        ranking_insert(ranking, i, prompt->rs);
    }
}

void metrics_per_prompt(const Prompts *prompts, const float *pred, double *const value[METRIC_COUNT]) {
    int N = prompts->N, d = prompts->d;
    for (int p = 0; p < prompts->n; p++) {
        Prompts prompt = prompts_slice(prompts, p, 1);
        double *of_prompt[METRIC_COUNT];
        for (int metric = 0; metric < METRIC_COUNT; metric++)
            of_prompt[metric] = value[metric] + (size_t)p * N;
        metrics_of_prompt(&prompt, pred + (size_t)p * N * d, of_prompt);
    }
}

/* Mean and standard error of the numbers among values[0], values[stride], .. (n of them) that are not NaN. */
static void mean_and_error(const double *values, int n, int stride, double *mean, double *standard_error) {
    double sum = 0, square = 0;
    int count = 0;
    for (int p = 0; p < n; p++) {
        double value = values[(size_t)p * stride];
        if (isnan(value)) continue;
        sum += value;
        count++;
    }
    *mean = count > 0 ? sum / count : NAN;
    for (int p = 0; p < n; p++) {
        double deviation = values[(size_t)p * stride] - *mean;
        if (!isnan(deviation)) square += deviation * deviation;
    }
    *standard_error = count > 1 ? sqrt(square / (count - 1) / count) : NAN;
}

Status curves_of(const Prompts *prompts, const float *pred, Curves *out, Error *err) {
    int N = prompts->N;
    size_t count = (size_t)prompts->n * N;
    double *values = malloc(METRIC_COUNT * count * sizeof *values);
    if (values == NULL)
        return error_set(err, STATUS_NO_MEMORY, "cannot allocate the metrics of %d prompts", prompts->n);
    Status status = curves_create(out, N, err);
    if (status == STATUS_OK) {
        double *const value[METRIC_COUNT] = {values, values + count, values + 2 * count};
        metrics_per_prompt(prompts, pred, value);
        for (int metric = 0; metric < METRIC_COUNT; metric++)
            for (int i = 0; i < N; i++) {
                size_t at = curves_at(out, metric, i);
                mean_and_error(value[metric] + i, prompts->n, N, &out->value[at], &out->standard_error[at]);
            }
    }
    free(values);
    return status;
}
