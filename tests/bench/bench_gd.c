/* Speed of the gd baseline on one core: 256 prompts x 19 context sizes x 50 steps of Adam.
 *
 *     bench_gd [PROMPTS]
 *
 * Beside it a plain one, as one would write it first: prompt by prompt, with the matrix, its gradient and Adam's
 * moments written out, the C library's exponential and no vectors. Both take turns; medians, the median of the ratios,
 * and the largest difference of their predictions are printed, and a difference above 1e-5 is a failure. */
#include "worker/measure/predictors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPEATS = 7, STEPS = 50, N = 20, D = 5 };

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

static double median(double *values) {
    qsort(values, REPEATS, sizeof *values, by_value);
    return values[REPEATS / 2];
}

static double length(const double *vector) {
    double square = 0;
    for (int k = 0; k < D; k++)
        square += vector[k] * vector[k];
    return fmax(sqrt(square), 1e-8);
}

/* gradient (D) of the Plackett-Luce loss of n unit responses, best first, with respect to the answer. */
static void naive_gradient(int n, const double *answer, double ranked[][D], double *gradient) {
    double score[N], tail[N + 1] = {0}, norm = length(answer), along = 0, inverse = 0;
    for (int k = n - 1; k >= 0; k--) {
        score[k] = 0;
        for (int c = 0; c < D; c++)
            score[k] += answer[c] * ranked[k][c] / norm;
        tail[k] = exp(score[k]) + (k + 1 < n ? tail[k + 1] : 0);
    }
    memset(gradient, 0, D * sizeof *gradient);
    for (int k = 0; k < n; k++) {
        inverse += 1 / tail[k];
        double slope = exp(score[k]) * inverse - 1;
        along += slope * score[k];
        for (int c = 0; c < D; c++)
            gradient[c] += slope * ranked[k][c];
    }
    for (int c = 0; c < D; c++)
        gradient[c] = (gradient[c] - along * answer[c] / norm) / norm;
}

static void naive_answer(double W[D][D], const float *x, double *answer) {
    for (int row = 0; row < D; row++) {
        answer[row] = 0;
        for (int k = 0; k < D; k++)
            answer[row] += W[row][k] * x[k];
    }
}

/* Prediction from n unit responses, best first. */
static void naive_descent(int n, const float *x, double ranked[][D], const float *start, float *pred) {
    double W[D][D], m[D][D] = {{0}}, v[D][D] = {{0}}, answer[D], gradient[D];
    for (int k = 0; k < D * D; k++)
        W[k / D][k % D] = start[k];
    naive_answer(W, x, answer);
    for (int step = 1; step <= STEPS && n >= 2; step++) {
        double rate = 0.1 / (1 - pow(0.9, step)), scale = 1 / (1 - pow(0.999, step));
        naive_gradient(n, answer, ranked, gradient);
        for (int row = 0; row < D; row++)
            for (int k = 0; k < D; k++) {
                double g = gradient[row] * x[k];
                m[row][k] = 0.9 * m[row][k] + 0.1 * g;
                v[row][k] = 0.999 * v[row][k] + 0.001 * g * g;
                W[row][k] -= rate * m[row][k] / (sqrt(v[row][k] * scale) + 1e-8);
            }
        naive_answer(W, x, answer);
    }
    for (int k = 0; k < D; k++)
        pred[k] = (float)answer[k];
}

static void naive_predict(const Prompts *prompts, const float *start, float *pred) {
    for (int p = 0; p < prompts->n; p++) {
        const float *seen = prompts->seen + (size_t)p * N;
        double ranked[N][D], reward[N];
        for (int i = 0; i < N; i++) {
            size_t at = ((size_t)p * N + (size_t)i) * D;
            naive_descent(i, prompts->xs + at, ranked, start + (size_t)p * D * D, pred + at);
            double y[D];
            int place = i;
            for (int k = 0; k < D; k++)
                y[k] = prompts->ys[at + (size_t)k];
            for (; place > 0 && reward[place - 1] < seen[i]; place--) {
                reward[place] = reward[place - 1];
                memcpy(ranked[place], ranked[place - 1], sizeof y);
            }
            reward[place] = seen[i];
            for (int k = 0; k < D; k++)
                ranked[place][k] = y[k] / length(y);
        }
    }
}

int main(int argc, char **argv) {
    const TaskSettings task = {.n_dims = D, .n_points = N};
    int n = argc > 1 ? atoi(argv[1]) : 256;
    Arena arena = {0};
    Error err;
    if (n < 1) {
        fprintf(stderr, "usage: bench_gd [PROMPTS]\n");
        return 64;
    }
    size_t values = (size_t)n * N * D;
    float *start = malloc((size_t)n * D * D * sizeof *start);
    float *pred = malloc(values * sizeof *pred), *naive = malloc(values * sizeof *naive);
    prompts_take(&arena, &task, n);
    if (start == NULL || pred == NULL || naive == NULL || arena_create(&arena, arena.used_bytes, &err) != STATUS_OK) {
        fprintf(stderr, "out of memory\n");
        return 71;
    }
    Prompts prompts = prompts_take(&arena, &task, n);
    prompts_draw(&prompts, &task, RNG_EVALUATION_PROMPTS, 0, 0, 0);
    gd_start_draw(0, 0, n, D, start);

    double ours_s[REPEATS], naive_s[REPEATS], ratio[REPEATS], difference = 0;
    for (int i = 0; i < REPEATS; i++) {
        double began = seconds();
        predictor_apply(PREDICTOR_GD, &prompts, start, STEPS, pred);
        ours_s[i] = seconds() - began;
        began = seconds();
        naive_predict(&prompts, start, naive);
        naive_s[i] = seconds() - began;
        ratio[i] = naive_s[i] / ours_s[i];
    }
    for (size_t k = 0; k < values; k++)
        difference = fmax(difference, fabs((double)pred[k] - naive[k]));
    printf("gd, %d prompts x %d sizes x %d steps: %.4f s; plain %.4f s; ratio %.1f; largest difference %.1e\n", n,
           N - 1, STEPS, median(ours_s), median(naive_s), median(ratio), difference);
    arena_destroy(&arena);
    free(start);
    free(pred);
    free(naive);
    return difference <= 1e-5 ? 0 : 1;
}
