/* See curves.h. */
#include "worker/measure/curves.h"

#include "worker/task/ranked.h"

#include <math.h>

/* Kendall's tau-b of score and rewards (n; best reward first): (concordant - discordant) / sqrt(pairs not tied in score
 * x pairs not tied in reward); NaN where all are. Source: Kendall, "The treatment of ties in ranking problems",
 * Biometrika 1945. */
LANES_INLINE void lanes_kendall_tau(int n, const Lanes *score, const Lanes *rewards, Lanes tau) {
    Lanes agreement = {0}, untied_score = {0}, untied_reward = {0};
    for (int better = 0; better < n; better++) {
        FOR_LANES (l)
            agreement[l] += score[better][l] - score[better][l]; /* 0, or NaN */
        for (int worse = better + 1; worse < n; worse++)
            FOR_LANES (l) {
                double right = score[better][l] > score[worse][l] ? 1 : 0;
                double wrong = score[better][l] < score[worse][l] ? 1 : 0;
                double differ = rewards[better][l] > rewards[worse][l] ? 1 : 0;
                agreement[l] += differ * (right - wrong);
                untied_score[l] += right + wrong;
                untied_reward[l] += differ;
            }
    }
    FOR_LANES (l) {
        double pairs = untied_score[l] * untied_reward[l];
        tau[l] = pairs > 0 ? agreement[l] / sqrt(pairs) : NAN;
    }
}

/* value[metric] (n, N) of up to LANES prompts. */
FOR_EVERY_CPU static void metrics_of_group(const Prompts *group, const float *pred, double *const *value) {
    int n = group->n, N = group->N, d = group->d;
    size_t row = (size_t)N * d;
    Lanes rewards[N], responses[row], reward, response[d], unit[d], aligned[d], score[N], slope[N], norm;
    Lanes metric[METRIC_COUNT];
    for (int i = 0; i < N; i++) {
        size_t at = (size_t)i * d;
        lanes_load(n, row, d, pred + at, unit);
        lanes_normalise(d, unit, norm);
        lanes_load(n, row, d, group->y_star + at, aligned);
        lanes_normalise(d, aligned, norm);
        lanes_dot_product(d, unit, aligned, metric[METRIC_NMSE]);
        for (int k = 0; k < i; k++)
            lanes_dot_product(d, unit, responses + (size_t)k * d, score[k]);
        if (i >= 2) {
            lanes_plackett_luce(i, score, metric[METRIC_ALIGNMENT_LOSS], slope);
            lanes_kendall_tau(i, score, rewards, metric[METRIC_KENDALL_TAU]);
        }
        for (int p = 0; p < n; p++) {
            value[METRIC_NMSE][p * N + i] = 1 - metric[METRIC_NMSE][p];
            value[METRIC_KENDALL_TAU][p * N + i] = i < 2 ? NAN : metric[METRIC_KENDALL_TAU][p];
            value[METRIC_ALIGNMENT_LOSS][p * N + i] = i < 2 ? NAN : metric[METRIC_ALIGNMENT_LOSS][p];
        }
        lanes_load(n, (size_t)N, 1, group->rs + i, &reward);
        lanes_load(n, row, d, group->ys + at, response);
        lanes_normalise(d, response, norm);
        lanes_insert(d, i, reward, response, rewards, responses);
    }
}

void metrics_per_prompt(const Prompts *prompts, const float *pred, double *const value[METRIC_COUNT]) {
    int N = prompts->N;
    for (int p = 0; p < prompts->n; p += LANES) {
        Prompts group = prompts_slice(prompts, p, prompts->n - p < LANES ? prompts->n - p : LANES);
        double *of_group[METRIC_COUNT];
        for (int metric = 0; metric < METRIC_COUNT; metric++)
            of_group[metric] = value[metric] + (size_t)p * N;
        metrics_of_group(&group, pred + (size_t)p * N * prompts->d, of_group);
    }
}

void mean_and_error(const double *values, int n, int stride, double *mean, double *standard_error) {
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

Status curves_of(int n, int N, double *const value[METRIC_COUNT], Curves *out, Error *err) {
    Status status = curves_create(out, N, err);
    for (int metric = 0; metric < METRIC_COUNT && status == STATUS_OK; metric++)
        for (int i = 0; i < N; i++) {
            size_t at = curves_at(out, metric, i);
            mean_and_error(value[metric] + i, n, N, &out->value[at], &out->standard_error[at]);
        }
    return status;
}
