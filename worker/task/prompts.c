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

/* y (d) = x W for a matrix W ~ N(0,1)^(d x d) of the stream. */
static void draw_answer(RngStream stream, uint32_t region, int d, const float *x, double *y) {
    float w[d * d];
    rng_normal(stream, region, (uint32_t)(d * d), w);
    memset(y, 0, (size_t)d * sizeof *y);
    for (int row = 0; row < d; row++)
        for (int k = 0; k < d; k++)
            y[k] += (double)x[row] * w[row * d + k];
}

/* Fills the one prompt of the slice. */
static void draw_prompt(const Prompts *prompt, TaskNoise noise, RngStream stream) {
    int N = prompt->N, d = prompt->d;
    float x[d];
    double y_star[d], y_minus[d];
    rng_normal(stream, PROMPT_X, (uint32_t)d, x);
    draw_answer(stream, PROMPT_W_STAR, d, x, y_star);
    rng_uniform(stream, PROMPT_REWARDS, (uint32_t)N, prompt->rs);
    memcpy(prompt->seen, prompt->rs, (size_t)N * sizeof *prompt->rs);
    for (int i = 0; i < N; i++) {
        if (i == 0 || noise == TASK_NOISE_INDEPENDENT)
            draw_answer(stream, PROMPT_W_NOISE + (uint32_t)i * PROMPT_REGION, d, x, y_minus);
        double r = prompt->rs[i];
        for (int k = 0; k < d; k++) {
            size_t at = (size_t)i * d + k;
            prompt->xs[at] = x[k];
            prompt->ys[at] = (float)(r * y_star[k] + (1 - r) * y_minus[k]);
            prompt->y_star[at] = (float)y_star[k];
        }
    }
}

void prompts_draw(Prompts *prompts, const TaskSettings *task, RngPurpose purpose, uint32_t seed, uint32_t step,
                  uint32_t first) {
    assert(prompts->N == task->n_points && prompts->d == task->n_dims);
    assert(prompts->d * prompts->d <= PROMPT_REGION && prompts->N < PROMPT_REGION - 3);
    for (int p = 0; p < prompts->n; p++) {
        Prompts prompt = prompts_slice(prompts, p, 1);
        RngStream stream = {.purpose = purpose, .seed = seed, .step = step, .unit = first + (uint32_t)p};
        draw_prompt(&prompt, task->noise, stream);
    }
}
