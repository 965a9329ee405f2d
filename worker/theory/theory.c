/* See theory.h. All prompts of a cell go through one set of weights in one batch: N, d, sharpness and step size are all
 * that the weights know of a prompt. */
#include "worker/theory/theory.h"

#include "proto/base/arena.h"
#include "proto/base/rng.h"
#include "worker/theory/descent.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double QUERY_SQUARE = 1.7, GAP = 1.0, LARGEST_STEP_OF_REWARD = 1.5;
const double theory_least_sharpness = 1.77;

/* What is drawn: the step of RNG_THEORY. */
enum { DRAW_QUERY, DRAW_RESPONSES, DRAW_LENGTHS, DRAW_REWARDS, DRAW_ORDER, DRAW_START };

/* Prompts of all seeds, and what gradient descent makes of them. */
typedef struct Batch {
    int n, d, N;
    float *xs;        /* (n, d) */
    float *ys;        /* (n, N, d) */
    float *rs;        /* (n, N) */
    float *W;         /* (n, d, d) */
    float *start;     /* (n, d) W_0 x, what the transformer begins with */
    double *expected; /* (n, d) */
    Arena arena;
} Batch;

/* --- prompts ---------------------------------------------------------------------------------------------------- */

static void set_length(int d, float *vector, double length) {
    double square = 0;
    for (int k = 0; k < d; k++)
        square += (double)vector[k] * vector[k];
    for (int k = 0; k < d; k++)
        vector[k] = (float)(vector[k] * length / sqrt(square));
}

/* rs (N) from the worst response up, and ranking (N), best first. Rewards are multiples of 2^-11. */
static void draw_rewards(RngStream stream, int N, float *rs, int *ranking) {
    for (int j = 0; j < N; j++)
        ranking[j] = j;
    stream.step = DRAW_ORDER;
    for (int j = N - 1; j > 0; j--) {
        int other = (int)(rng_bits(stream, (uint32_t)j) % (uint32_t)(j + 1)), swapped = ranking[j];
        ranking[j] = ranking[other];
        ranking[other] = swapped;
    }
    stream.step = DRAW_REWARDS;
    float reward = 0;
    for (int j = N - 1; j >= 0; j--) {
        rs[ranking[j]] = reward;
        reward += 1 + (float)(rng_bits(stream, (uint32_t)j) >> 22) * 0x1p-11f;
    }
}

static void draw_prompt(const TheorySettings *settings, Batch *batch, int prompt, int *ranking) {
    int d = batch->d, N = batch->N;
    RngStream stream = {.purpose = RNG_THEORY, .seed = settings->seeds[prompt], .unit = (uint32_t)N};
    float *x = batch->xs + (size_t)prompt * d, *ys = batch->ys + (size_t)prompt * N * d;
    float *W = batch->W + (size_t)prompt * d * d, lengths[THEORY_MOST_POINTS];
    stream.step = DRAW_QUERY;
    rng_normal(stream, 0, (uint32_t)d, x);
    set_length(d, x, sqrt(QUERY_SQUARE));
    stream.step = DRAW_RESPONSES;
    rng_normal(stream, 0, (uint32_t)(N * d), ys);
    stream.step = DRAW_LENGTHS;
    rng_uniform(stream, 0, (uint32_t)N, lengths);
    for (int j = 0; j < N; j++)
        set_length(d, ys + (size_t)j * d, settings->any_length ? 0.5 + lengths[j] : 1);
    stream.step = DRAW_START;
    rng_uniform(stream, 0, (uint32_t)(d * d), W);
    for (int k = 0; k < d * d; k++)
        W[k] = (float)((2 * W[k] - 1) / sqrt(d));
    draw_rewards(stream, N, batch->rs + (size_t)prompt * N, ranking);
}

/* c: diam(y) is at most twice the greatest length. */
static double step_of(const TheorySettings *settings, int N) {
    double diameter = settings->any_length ? 3 : 2;
    return 2 / ((N - 1) * diameter * diameter);
}

/* Start and expected answer of a prompt. */
static void descend(const TheorySettings *settings, Batch *batch, int prompt, int steps, const int *ranking) {
    int d = batch->d, N = batch->N;
    RankedResponses responses = {.d = d,
                                 .N = N,
                                 .x = batch->xs + (size_t)prompt * d,
                                 .ys = batch->ys + (size_t)prompt * N * d,
                                 .ranking = ranking};
    double W[d * d], *answer = batch->expected + (size_t)prompt * d;
    for (int k = 0; k < d * d; k++)
        W[k] = batch->W[(size_t)prompt * d * d + k];
    descent_answer(&responses, W, answer);
    for (int k = 0; k < d; k++)
        batch->start[(size_t)prompt * d + k] = (float)answer[k];
    descent_run(&responses, step_of(settings, N) / QUERY_SQUARE, steps, W);
    descent_answer(&responses, W, answer);
}

static void take_batch(Batch *batch, Arena *arena) {
    size_t n = (size_t)batch->n, d = (size_t)batch->d, N = (size_t)batch->N;
    batch->xs = arena_take(arena, n * d, sizeof(float));
    batch->ys = arena_take(arena, n * N * d, sizeof(float));
    batch->rs = arena_take(arena, n * N, sizeof(float));
    batch->W = arena_take(arena, n * d * d, sizeof(float));
    batch->start = arena_take(arena, n * d, sizeof(float));
    batch->expected = arena_take(arena, n * d, sizeof(double));
}

static Status batch_create(const TheorySettings *settings, int N, int steps, Batch *batch, Error *err) {
    Arena measure = {0};
    *batch = (Batch){.n = settings->n_seeds, .d = settings->d, .N = N};
    take_batch(batch, &measure);
    Status status = arena_create(&batch->arena, measure.used_bytes, err);
    if (status != STATUS_OK) return status;
    take_batch(batch, &batch->arena);
    for (int prompt = 0; prompt < batch->n; prompt++) {
        int ranking[THEORY_MOST_POINTS];
        draw_prompt(settings, batch, prompt, ranking);
        descend(settings, batch, prompt, steps, ranking);
    }
    return STATUS_OK;
}

/* --- measures --------------------------------------------------------------------------------------------------- */

static double diameter_of(const Batch *batch, int prompt) {
    const float *ys = batch->ys + (size_t)prompt * batch->N * batch->d;
    double largest = 0;
    for (int i = 0; i < batch->N; i++)
        for (int j = 0; j < i; j++) {
            double square = 0;
            for (int k = 0; k < batch->d; k++) {
                double difference = (double)ys[i * batch->d + k] - ys[j * batch->d + k];
                square += difference * difference;
            }
            largest = fmax(largest, square);
        }
    return sqrt(largest);
}

/* The larger, and NaN if either is. */
static double worse(double a, double b) {
    return a > b || isnan(a) ? a : b;
}

/* Roundings (2^-24 of a number) of what is added up, as large as the answer or the longest response: one a step, and
 * some for the first, whose errors do not average. Measured errors stay below half of it. */
static double rounding_allowance(const TheorySettings *settings, int steps, double answer_length, double diameter) {
    double longest = settings->any_length ? 1.5 : 1;
    return (steps + 8) * 0x1p-24 * (answer_length + longest) / diameter;
}

static void measure_prompt(const TheorySettings *settings, const Batch *batch, int prompt, const float *answer,
                           TheoryResult *result) {
    const float *start = batch->start + (size_t)prompt * batch->d;
    const double *expected = batch->expected + (size_t)prompt * batch->d;
    double error = 0, move = 0, length = 0, own = 0, product = 0, diameter = diameter_of(batch, prompt);
    for (int k = 0; k < batch->d; k++) {
        double wanted = expected[k] - start[k], made = (double)answer[k] - start[k];
        error += (made - wanted) * (made - wanted);
        move += wanted * wanted;
        own += made * made;
        product += made * wanted;
        length += expected[k] * expected[k];
    }
    double rounding = rounding_allowance(settings, result->steps, sqrt(length), diameter);
    double along = own == 0 ? 0 : product * product / (own * move); /* squared cosine */
    error = sqrt(error) / diameter;
    move = sqrt(move) / diameter;
    result->worst_error = worse(result->worst_error, error);
    result->rounding = fmax(result->rounding, rounding);
    result->within = result->within && error <= result->bound + rounding;
    result->mean_move += move / batch->n;
    result->relative_error += error / move / batch->n;
    result->scaled_error += sqrt(isnan(along) ? NAN : fmax(0, 1 - along)) / batch->n;
}

/* q / (1 - q): the weight that head A leaves to others than the best, q = exp(-kappa Delta). */
static double proven_bound(const HandSetSpec *spec, double sharpness, int steps) {
    double q = exp(-sharpness);
    return steps * 2 * spec->step * (spec->N - 1) * q / (1 - q);
}

Status theory_measure(const TheorySettings *settings, HandSetVariant variant, int N, int steps, double sharpness,
                      TheoryResult *out, Error *err) {
    assert(N >= 2 && N <= THEORY_MOST_POINTS && settings->d <= THEORY_MOST_DIMS && sharpness >= theory_least_sharpness);
    HandSetSpec spec = {.variant = variant,
                        .d = settings->d,
                        .N = N,
                        .kappa = sharpness / GAP,
                        .gap = GAP,
                        .largest_reward = LARGEST_STEP_OF_REWARD * (N - 1),
                        .step = step_of(settings, N)};
    HandSetLayout layout = hand_set_layout(&spec);
    size_t prompt_floats = (size_t)(N + 1) * layout.width;
    HandSet *set = NULL;
    float *tokens = NULL;
    Batch batch;
    Status status = batch_create(settings, N, steps, &batch, err);
    if (status == STATUS_OK) status = hand_set_create(&spec, settings->kernels, batch.n, &set, err);
    if (status != STATUS_OK) goto done;
    tokens = malloc((size_t)batch.n * prompt_floats * sizeof *tokens);
    if (tokens == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "no memory for %d prompts of %d tokens", batch.n, N + 1);
        goto done;
    }
    hand_set_embed(set, batch.n, batch.ys, batch.rs, batch.start, tokens);
    hand_set_run(set, batch.n, steps, tokens);
    *out = (TheoryResult){.N = N,
                          .steps = steps,
                          .blocks = hand_set_blocks(&spec, steps),
                          .width = layout.width,
                          .sharpness = sharpness,
                          .bound = proven_bound(&spec, sharpness, steps),
                          .within = true};
    for (int prompt = 0; prompt < batch.n; prompt++)
        measure_prompt(settings, &batch, prompt,
                       tokens + prompt * prompt_floats + (size_t)N * layout.width + layout.answer, out);
done:
    free(tokens);
    hand_set_free(set);
    arena_destroy(&batch.arena);
    return status;
}

bool theory_is_exact(HandSetVariant variant, int N) {
    return variant == HAND_SET_BIDIRECTIONAL || variant == HAND_SET_CAUSAL || (variant == HAND_SET_NO_FFN && N == 2);
}

const char *theory_variant_name(HandSetVariant variant) {
    static const char *const names[HAND_SET_VARIANTS] = {
        [HAND_SET_BIDIRECTIONAL] = "bidirectional",
        [HAND_SET_CAUSAL] = "causal",
        [HAND_SET_NO_FFN] = "no feed-forward",
        [HAND_SET_LINEAR_ATTENTION] = "linear attention",
        [HAND_SET_HEAD_A_ONLY] = "head A only",
        [HAND_SET_HEAD_B_ONLY] = "head B only",
        [HAND_SET_NO_MASK] = "no mask",
        [HAND_SET_NO_ACCUMULATOR] = "no accumulator",
        [HAND_SET_CAUSAL_MASK] = "causal attention",
        [HAND_SET_NO_NORMS] = "no ||y||^2",
    };
    return names[variant];
}
