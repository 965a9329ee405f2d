/* See prompts.h. Values are made in double and rounded to float once. */
#include "worker/task/prompts.h"

#include <assert.h>
#include <string.h>

Prompts prompts_take(Arena *arena, const TaskSettings *task, int n) {
    Prompts prompts = {.n = n, .N = task->n_points, .d = task->n_dims};
    size_t rewards = (size_t)n * prompts.N, vectors = rewards * prompts.d;
    prompts.xs = arena_take(arena, vectors, sizeof *prompts.xs);
    prompts.ys = arena_take(arena, vectors, sizeof *prompts.ys);
    prompts.rs = arena_take(arena, rewards, sizeof *prompts.rs);
    prompts.seen = arena_take(arena, rewards, sizeof *prompts.seen);
    prompts.y_star = arena_take(arena, vectors, sizeof *prompts.y_star);
    return prompts;
}

Prompts prompts_slice(const Prompts *prompts, int first, int n) {
    assert(first >= 0 && n >= 0 && first + n <= prompts->n);
    size_t reward = (size_t)first * prompts->N, vector = reward * prompts->d;
    Prompts slice = *prompts;
    slice.n = n;
    slice.xs += vector;
    slice.ys += vector;
    slice.rs += reward;
    slice.seen += reward;
    slice.y_star += vector;
    return slice;
}

enum { GROUP = 8 }; /* prompts drawn together */

/* y (n, d) = x W for the n units from stream.unit on: x (n, d), W ~ N(0,1)^(d x d) of each one's stream. */
static void draw_answers(RngStream stream, uint32_t region, int n, int d, const float *x, double *y) {
    float w[(size_t)n * d * d];
    rng_normal_units(stream, (uint32_t)n, region, (uint32_t)(d * d), w);
    memset(y, 0, (size_t)n * d * sizeof *y);
    for (int p = 0; p < n; p++)
        for (int row = 0; row < d; row++)
            for (int k = 0; k < d; k++)
                y[p * d + k] += (double)x[p * d + row] * w[(p * d + row) * d + k];
}

/* Fills a slice of up to GROUP prompts; stream is that of the first. */
static void draw_group(const Prompts *group, TaskNoise noise, RngStream stream) {
    int n = group->n, N = group->N, d = group->d;
    float x[n * d];
    double y_star[n * d], y_minus[n * d];
    rng_normal_units(stream, (uint32_t)n, PROMPT_X, (uint32_t)d, x);
    draw_answers(stream, PROMPT_W_STAR, n, d, x, y_star);
    rng_uniform_units(stream, (uint32_t)n, PROMPT_REWARDS, (uint32_t)N, group->rs);
    memcpy(group->seen, group->rs, (size_t)n * N * sizeof *group->rs);
    for (int i = 0; i < N; i++) {
        if (i == 0 || noise == TASK_NOISE_INDEPENDENT)
            draw_answers(stream, PROMPT_W_NOISE + (uint32_t)i * PROMPT_REGION, n, d, x, y_minus);
        for (int p = 0; p < n; p++) {
            size_t row = (size_t)p * N + i;
            double r = group->rs[row];
            for (int k = 0; k < d; k++) {
                group->xs[row * d + k] = x[p * d + k];
                group->ys[row * d + k] = (float)(r * y_star[p * d + k] + (1 - r) * y_minus[p * d + k]);
                group->y_star[row * d + k] = (float)y_star[p * d + k];
            }
        }
    }
}

void prompts_draw(Prompts *prompts, const TaskSettings *task, RngPurpose purpose, uint32_t seed, uint32_t step,
                  uint32_t first) {
    assert(prompts->N == task->n_points && prompts->d == task->n_dims);
    assert(prompts->d * prompts->d <= PROMPT_REGION && prompts->N < PROMPT_REGION - 3);
    for (int p = 0; p < prompts->n; p += GROUP) {
        Prompts group = prompts_slice(prompts, p, prompts->n - p < GROUP ? prompts->n - p : GROUP);
        RngStream stream = {.purpose = purpose, .seed = seed, .step = step, .unit = first + (uint32_t)p};
        draw_group(&group, task->noise, stream);
    }
}
