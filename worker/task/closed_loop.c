/* See closed_loop.h. Directions, lengths and scores are made in double and rounded to float once. */
#include "worker/task/closed_loop.h"

#include "worker/task/direction.h"

#include <assert.h>
#include <string.h>

double clean_score(int d, const float *response, const float *y_star) {
    double c = direction_cosine(d, response, y_star), sine = sqrt(fmax(1 - c * c, 0)); /* c may pass 1 by rounding */
    return c <= 0 ? 0 : c / (c + sine);
}

/* response (d) = |y*| direction / |direction| */
static void respond(int d, const float *direction, const float *y_star, float *response) {
    double scale = direction_norm(d, y_star) / direction_norm(d, direction);
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

/* answer (n, d) / |answer| + s v, in place; stream: of the critic for the first of n prompts. */
static void explore(double exploration, RngStream stream, int n, int d, int position, float *answer) {
    float length[n], direction[(size_t)n * d];
    stream.purpose = RNG_EXPLORATION;
    rng_uniform_units(stream, (uint32_t)n, EXPLORATION_LENGTH + (uint32_t)position, 1, length);
    rng_normal_units(stream, (uint32_t)n, EXPLORATION_DIRECTION + (uint32_t)(position * d), (uint32_t)d, direction);
    for (int p = 0; p < n; p++) {
        float *o = answer + (size_t)p * d;
        const float *v = direction + (size_t)p * d;
        double scale = 1 / direction_norm(d, o), along = exploration * length[p] / direction_norm(d, v);
        for (int k = 0; k < d; k++)
            o[k] = (float)(scale * o[k] + along * v[k]);
    }
}

/* Of no more prompts than the cache holds; stream: of the first of them; answers may be NULL. */
static void run_group(const Model *model, ModelCache *cache, const ClosedLoop *loop, RngStream stream, Prompts *group,
                      float *answers) {
    int n = group->n, N = group->N, d = group->d, n0 = loop->initial_responses;
    int count = answers == NULL ? loop->rounds : loop->rounds + 1; /* of answers */
    float answer[(size_t)n * d];
    memset(group->rs, 0, (size_t)n * N * sizeof *group->rs); /* the critic reads whole rows */
    score(group, 0, n0);
    critic_apply(group, &loop->critic, (RngPurpose)stream.purpose, stream.seed, stream.step, stream.unit);
    model_cache_restart(cache, n);
    for (int t = 0; t < count; t++) {
        int position = n0 + t;
        model_predict_at(model, cache, position, group->xs, group->ys, group->seen, answer);
        for (int p = 0; p < n && answers != NULL; p++)
            memcpy(answers + ((size_t)p * count + t) * d, answer + (size_t)p * d, (size_t)d * sizeof *answer);
        if (t == loop->rounds) break;
        if (loop->exploration > 0) explore(loop->exploration, stream, n, d, position, answer);
        for (int p = 0; p < n; p++) {
            size_t at = ((size_t)p * N + position) * d;
            respond(d, answer + (size_t)p * d, group->y_star + at, group->ys + at);
        }
        score(group, position, position + 1);
        critic_apply(group, &loop->critic, (RngPurpose)stream.purpose, stream.seed, stream.step, stream.unit);
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
        if (answers != NULL && first > 0) answers += (size_t)at_once * (loop->rounds + 1) * prompts->d;
        run_group(model, cache, loop, stream, &group, answers);
    }
}
