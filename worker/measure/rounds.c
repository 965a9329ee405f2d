/* See rounds.h. */
#include "worker/measure/rounds.h"

#include "worker/measure/curves.h"
#include "worker/task/direction.h"

#include <stdlib.h>

/* value[metric] (count) of one prompt's answers (count, d). */
static void metrics_of_prompt(int d, int count, const float *answers, const float *y_star, double right_cosine,
                              double *const *value) {
    double aligned[count];
    for (int t = 0; t < count; t++) {
        aligned[t] = direction_cosine(d, answers + (size_t)t * d, y_star);
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
    out->right_cosine = right_cosine;
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
