/* The training loop: its order of sums, its options, its loss curve, and what it says when a training diverges. */
#include "tests/harness.h"

#include "worker/train/objective.h"
#include "worker/train/train.h"

#include <math.h>
#include <stdlib.h>

static TrainingSpec tiny_spec(void) {
    return (TrainingSpec){
        .model = {.n_layer = 1, .n_head = 2, .n_embd = 8, .ffn = true, .causal = true},
        .task = {.n_dims = 2, .n_points = 4},
        .train = {.steps = 3, .batch_size = 11, .gradient_shards = 1, .learning_rate = 1e-3, .critic_quality = 1},
        .seed = 6,
    };
}

static const Kernels *best_kernels(void) {
    const Kernels *kernels = NULL;
    assert_int_equal(kernels_select("", &kernels, NULL), STATUS_OK);
    return kernels;
}

/* Freshly initialised parameters (malloc'd) of spec; count NULL: not wanted. */
static float *fresh_parameters(const TrainingSpec *spec, size_t *count) {
    Shape shape = shape_of(&spec->model, &spec->task);
    float *parameters = malloc(tensors_parameters(&shape) * sizeof *parameters);
    assert_non_null(parameters);
    tensors_init(&shape, spec->seed, parameters);
    if (count != NULL) *count = tensors_parameters(&shape);
    return parameters;
}

/* Parameters (malloc'd) after training; the result is freed by the caller. */
static float *trained(const TrainingSpec *spec, const Prompts *fixed, TrainResult *result) {
    Error err;
    float *parameters = fresh_parameters(spec, NULL);
    if (train(spec, best_kernels(), fixed, parameters, NULL, NULL, result, &err) != STATUS_OK) fail_msg("%s", err.text);
    return parameters;
}

static Prompts drawn_prompts(Arena *arena, const TaskSettings *task, int n) {
    *arena = (Arena){0};
    prompts_take(arena, task, n);
    assert_int_equal(arena_create(arena, arena->used_bytes, NULL), STATUS_OK);
    Prompts prompts = prompts_take(arena, task, n);
    prompts_draw(&prompts, task, RNG_TRAIN_PROMPTS, 6, 0, 0);
    return prompts;
}

/* Largest absolute difference of two parameter arrays of spec. */
static double difference(const TrainingSpec *spec, const float *a, const float *b) {
    Shape shape = shape_of(&spec->model, &spec->task);
    double largest = 0;
    for (size_t k = 0; k < tensors_parameters(&shape); k++)
        largest = fmax(largest, fabs((double)a[k] - b[k]));
    return largest;
}

static void the_rate_warms_up_and_then_stays(void **state) {
    (void)state;
    TrainSettings settings = {.steps = 100, .learning_rate = 0.5, .warmup_steps = 10};
    for (int step = 1; step <= 10; step++)
        assert_near(learning_rate_at(&settings, step), 0.05 * step, 1e-12);
    assert_near(learning_rate_at(&settings, 11), 0.5, 0);
    assert_near(learning_rate_at(&settings, 100), 0.5, 0);
    settings.warmup_steps = 0;
    assert_near(learning_rate_at(&settings, 1), 0.5, 0);
}

static void the_rate_decays_along_half_a_cosine(void **state) {
    (void)state;
    TrainSettings settings = {.steps = 110, .learning_rate = 0.5, .warmup_steps = 10, .decay = RATE_COSINE};
    assert_near(learning_rate_at(&settings, 5), 0.25, 1e-12);
    assert_near(learning_rate_at(&settings, 11), 0.5, 1e-12);
    assert_near(learning_rate_at(&settings, 61), 0.25, 1e-12);
    assert_near(learning_rate_at(&settings, 111), 0, 1e-12);
    assert_true(learning_rate_at(&settings, 110) > 0);
}

static void the_same_job_gives_the_same_bits(void **state) {
    (void)state;
    TrainingSpec spec = tiny_spec();
    TrainResult first, second;
    float *a = trained(&spec, NULL, &first), *b = trained(&spec, NULL, &second);
    assert_near(difference(&spec, a, b), 0, 0);
    assert_memory_equal(first.loss, second.loss, 3 * sizeof(double));
    free(a);
    free(b);
    train_result_free(&first);
    train_result_free(&second);
}

static void training_uses_the_prompts_of_its_seed_and_step(void **state) {
    (void)state;
    TrainingSpec spec = tiny_spec();
    spec.train.steps = 1;
    Arena arena;
    Prompts batch = drawn_prompts(&arena, &spec.task, spec.train.batch_size);
    TrainResult fresh, fixed;
    float *a = trained(&spec, NULL, &fresh), *b = trained(&spec, &batch, &fixed);
    assert_near(difference(&spec, a, b), 0, 0);
    assert_near(fresh.final_loss, fixed.final_loss, 0);
    free(a);
    free(b);
    train_result_free(&fresh);
    train_result_free(&fixed);
    spec.train.steps = 2;
    a = trained(&spec, NULL, &fresh);
    b = trained(&spec, &batch, &fixed);
    assert_true(fresh.loss[0] == fixed.loss[0] && fresh.loss[1] != fixed.loss[1]);
    free(a);
    free(b);
    train_result_free(&fresh);
    train_result_free(&fixed);
    arena_destroy(&arena);
}

static void losses_in_bfloat16_are_near_those_in_float32(void **state) {
    (void)state;
    TrainingSpec whole = tiny_spec(), rounded = whole;
    whole.train.steps = rounded.train.steps = 60;
    whole.train.learning_rate = rounded.train.learning_rate = 1e-2;
    rounded.train.precision = PRECISION_BF16;
    TrainResult first, second;
    float *a = trained(&whole, NULL, &first), *b = trained(&rounded, NULL, &second);
    assert_near(second.loss[0], first.loss[0], 1e-2);
    assert_true(second.loss[0] != first.loss[0]);
    for (int k = 0; k < 60; k++)
        assert_near(second.loss[k], first.loss[k], 3e-2);
    free(a);
    free(b);
    train_result_free(&first);
    train_result_free(&second);
}

static void shards_change_the_result_by_rounding_only(void **state) {
    (void)state;
    TrainingSpec whole = tiny_spec(), sharded = whole;
    sharded.train.gradient_shards = 4;
    TrainResult first, second;
    float *a = trained(&whole, NULL, &first), *b = trained(&sharded, NULL, &second);
    assert_near(first.final_loss, second.final_loss, 1e-6);
    assert_near(difference(&whole, a, b), 0, 1e-4); /* an Adam step is 1e-3 */
    free(a);
    free(b);
    train_result_free(&first);
    train_result_free(&second);
}

/* Adds the gradient of prompts first .. end, of the mean over the whole batch, to a zeroed array (malloc'd). */
static float *gradient_of(const TrainingSpec *spec, const Prompts *batch, int first, int end, const float *parameters) {
    Shape shape = shape_of(&spec->model, &spec->task);
    int n = end - first;
    size_t vectors = (size_t)n * (size_t)(shape.N * shape.d);
    Model *model = NULL;
    assert_true(n <= model_best_micro_batch(&shape));
    assert_int_equal(model_create(&shape, best_kernels(), n, true, &model, NULL), STATUS_OK);
    float *pred = malloc(2 * vectors * sizeof *pred), *gradient = calloc(tensors_parameters(&shape), sizeof *gradient);
    Prompts part = prompts_slice(batch, first, n);
    model_set_parameters(model, parameters);
    model_forward(model, n, part.xs, part.ys, part.seen, pred);
    objective_loss(spec->train.objective, &part, pred, 1.0 / batch->n, pred + vectors);
    model_backward(model, pred + vectors, gradient);
    model_free(model);
    free(pred);
    return gradient;
}

static void shard_gradients_are_added_as_a_binary_tree(void **state) {
    (void)state;
    enum { SHARDS = 5 };
    const int first[SHARDS + 1] = {0, 2, 4, 6, 8, 11};
    TrainingSpec spec = tiny_spec();
    spec.train.gradient_shards = SHARDS;
    spec.train.steps = 1;
    Arena arena;
    Prompts batch = drawn_prompts(&arena, &spec.task, spec.train.batch_size);
    size_t count = 0;
    float *parameters = fresh_parameters(&spec, &count), *shard[SHARDS];
    for (int s = 0; s < SHARDS; s++)
        shard[s] = gradient_of(&spec, &batch, first[s], first[s + 1], parameters);
    for (size_t k = 0; k < count; k++) {
        float left = shard[0][k] + shard[1][k], right = shard[2][k] + shard[3][k], four = left + right;
        shard[0][k] = four + shard[4][k];
    }
    float *moments = calloc(2 * count, sizeof *moments);
    best_kernels()->adam(count, 1, 1e-3, shard[0], moments, moments + count, parameters);

    TrainResult result;
    float *actual = trained(&spec, NULL, &result);
    assert_near(difference(&spec, actual, parameters), 0, 0);
    for (int s = 0; s < SHARDS; s++)
        free(shard[s]);
    free(moments);
    free(parameters);
    free(actual);
    train_result_free(&result);
    arena_destroy(&arena);
}

static void clipping_bounds_the_gradient_and_only_when_it_is_longer(void **state) {
    (void)state;
    TrainingSpec plain = tiny_spec(), loose = plain, tight = plain;
    plain.train.steps = loose.train.steps = tight.train.steps = 1;
    loose.train.clip_norm = 1e6;
    tight.train.clip_norm = 1e-10; /* so short that Adam's 1e-8 decides */
    TrainResult result[3];
    float *start = fresh_parameters(&plain, NULL), *a = trained(&plain, NULL, &result[0]),
          *b = trained(&loose, NULL, &result[1]), *c = trained(&tight, NULL, &result[2]);
    assert_near(difference(&plain, a, b), 0, 0);
    assert_near(difference(&plain, start, a), 1e-3, 1e-5);
    assert_near(difference(&plain, start, c), 0, 1e-3 * 0.01);
    assert_true(difference(&plain, start, c) > 0);
    float *all[4] = {start, a, b, c};
    for (int k = 0; k < 4; k++) {
        free(all[k]);
        if (k < 3) train_result_free(&result[k]);
    }
}

static void a_noisy_critic_changes_what_is_seen_and_ranked(void **state) {
    (void)state;
    TrainingSpec spec = tiny_spec();
    spec.train.steps = 1;
    spec.train.critic_quality = 0.5;
    Arena arena;
    Prompts batch = drawn_prompts(&arena, &spec.task, spec.train.batch_size);
    CriticSettings critic = {.quality = 0.5};
    critic_apply(&batch, &critic, RNG_TRAIN_CRITIC, spec.seed, 0, 0);
    TrainResult fresh, fixed;
    float *a = trained(&spec, NULL, &fresh), *b = trained(&spec, &batch, &fixed);
    assert_near(difference(&spec, a, b), 0, 0);
    free(a);
    free(b);
    train_result_free(&fresh);
    train_result_free(&fixed);
    arena_destroy(&arena);
}

typedef struct Losses {
    int64_t count;
    double loss[2000];
} Losses;

static void keep_loss(void *context, int64_t step, double loss) {
    Losses *losses = context;
    assert_int_equal(step, losses->count + 1);
    losses->loss[losses->count++] = loss;
}

static void the_loss_curve_averages_equal_stretches(void **state) {
    (void)state;
    TrainingSpec spec = tiny_spec();
    spec.train.batch_size = 1;
    spec.train.steps = 1003; /* stretches of 3: 334 whole ones and a last one of 1 */
    Losses losses = {0};
    TrainResult result;
    float *parameters = fresh_parameters(&spec, NULL);
    assert_int_equal(train(&spec, best_kernels(), NULL, parameters, keep_loss, &losses, &result, NULL), STATUS_OK);
    assert_int_equal(losses.count, 1003);
    assert_int_equal(result.steps_done, 1003);
    assert_int_equal(result.n_loss, 335);
    for (int k = 0; k < 334; k++) {
        assert_int_equal(result.loss_step[k], 3 * k + 3);
        double mean = (losses.loss[3 * k] + losses.loss[3 * k + 1] + losses.loss[3 * k + 2]) / 3;
        assert_near(result.loss[k], mean, 1e-12);
    }
    assert_int_equal(result.loss_step[334], 1003);
    assert_near(result.loss[334], losses.loss[1002], 0);
    double tenth = 0;
    for (int k = 903; k < 1003; k++)
        tenth += losses.loss[k] / 100;
    assert_near(result.final_loss, tenth, 1e-12);
    free(parameters);
    train_result_free(&result);
}

static void a_training_that_diverges_says_when_and_what(void **state) {
    (void)state;
    TrainingSpec spec = tiny_spec();
    spec.train.learning_rate = 1e30;
    spec.train.steps = 50;
    TrainResult result;
    float *parameters = trained(&spec, NULL, &result);
    assert_true(result.diverged);
    assert_true(result.diverged_step >= 1 && result.diverged_step <= 50);
    assert_int_equal(result.steps_done, result.diverged_step - 1);
    assert_non_null(result.diverged_what);
    assert_true(isnan(result.final_loss));
    for (int k = 0; k < result.n_loss; k++)
        assert_true(isfinite(result.loss[k]));
    free(parameters);
    train_result_free(&result);
}

static void a_parameter_that_is_not_finite_ends_the_training_at_once(void **state) {
    (void)state;
    TrainingSpec spec = tiny_spec();
    TrainResult result;
    float *parameters = fresh_parameters(&spec, NULL);
    parameters[3] = NAN;
    assert_int_equal(train(&spec, best_kernels(), NULL, parameters, NULL, NULL, &result, NULL), STATUS_OK);
    assert_true(result.diverged);
    assert_int_equal(result.diverged_step, 1);
    assert_string_equal(result.diverged_what, "the loss");
    free(parameters);
    train_result_free(&result);
}

/* --- interruptions ---------------------------------------------------------------------------------------------- */

enum { LONG = 1010 }; /* steps: the loss curve has stretches of 3, the last tenth is longer than one */

/* Keeps a copy of the state of one step and stops there. */
typedef struct Stop {
    int64_t at;
    TrainState copy; /* owns its arrays */
} Stop;

static void *copy_of(const void *from, size_t bytes) {
    void *copy = malloc(bytes + 1);
    assert_non_null(copy);
    return memcpy(copy, from, bytes);
}

static bool stop_at(void *context, const TrainState *state) {
    Stop *stop = context;
    if (state->step != stop->at) return true;
    size_t bytes = (size_t)state->n_parameters * sizeof(float), points = (size_t)state->n_loss;
    stop->copy = *state;
    stop->copy.loss_step = copy_of(state->loss_step, points * sizeof(int64_t));
    stop->copy.loss = copy_of(state->loss, points * sizeof(double));
    stop->copy.parameters = copy_of(state->parameters, bytes);
    stop->copy.m = copy_of(state->m, bytes);
    stop->copy.v = copy_of(state->v, bytes);
    return false;
}

static void free_state(TrainState *state) {
    free(state->loss_step);
    free(state->loss);
    free(state->parameters);
    free(state->m);
    free(state->v);
}

/* Trains with stops after the given steps (0 ends the list), each time in fresh memory. */
static float *trained_in_parts(const TrainingSpec *spec, const int64_t *stops, TrainResult *result) {
    TrainState from = {0};
    for (;; stops++) {
        Stop stop = {.at = *stops};
        TrainWatch watch = {.keep = stop_at, .context = &stop};
        float *parameters = fresh_parameters(spec, NULL);
        assert_int_equal(
            train_resumable(spec, best_kernels(), from.step > 0 ? &from : NULL, parameters, &watch, result, NULL),
            STATUS_OK);
        free_state(&from);
        assert_int_equal(result->paused, stop.at > 0 && stop.at < spec->train.steps);
        if (stop.at == 0) return parameters;
        assert_int_equal(result->steps_done, stop.at);
        from = stop.copy;
        free(parameters);
        train_result_free(result);
    }
}

/* Fails unless a training of spec with stops has the bits of one without. */
static void check_resume(const TrainingSpec *spec, const int64_t *stops) {
    TrainResult whole, parts;
    size_t count;
    float *a = trained(spec, NULL, &whole), *b = trained_in_parts(spec, stops, &parts);
    free(fresh_parameters(spec, &count));
    assert_memory_equal(a, b, count * sizeof *a);
    assert_int_equal(parts.steps_done, whole.steps_done);
    assert_memory_equal(&parts.final_loss, &whole.final_loss, sizeof(double));
    assert_int_equal(parts.n_loss, whole.n_loss);
    assert_memory_equal(parts.loss_step, whole.loss_step, (size_t)whole.n_loss * sizeof(int64_t));
    assert_memory_equal(parts.loss, whole.loss, (size_t)whole.n_loss * sizeof(double));
    free(a);
    free(b);
    train_result_free(&whole);
    train_result_free(&parts);
}

static void a_training_in_parts_has_the_bits_of_one_in_a_piece(void **state) {
    (void)state;
    TrainingSpec spec = tiny_spec();
    spec.train.steps = LONG;
    spec.train.batch_size = 2;
    spec.train.warmup_steps = 10;
    spec.train.decay = RATE_COSINE;
    check_resume(&spec, (const int64_t[]){1, 2, 5, 9, 500, 501, 907, LONG - 1, 0});
    check_resume(&spec, (const int64_t[]){LONG, 0}); /* saved after the last step */
}

static void it_has_them_under_every_precision_context_and_sharding(void **state) {
    (void)state;
    for (int variant = 0; variant < 5; variant++) {
        TrainingSpec spec = tiny_spec();
        spec.train.steps = 6;
        spec.task.n_points = 6;
        spec.train.clip_norm = 0.5;
        spec.train.critic_quality = 0.7;
        spec.train.precision = variant == 1 ? PRECISION_BF16 : PRECISION_FLOAT32;
        spec.train.context = variant == 2 ? CONTEXT_ON_POLICY : variant >= 3 ? CONTEXT_MIXED : CONTEXT_OFFLINE;
        spec.train.on_policy_share = 0.5;
        spec.train.exploration = 0.1;
        spec.train.gradient_shards = variant == 4 ? 3 : 1;
        check_resume(&spec, (const int64_t[]){1, 4, 0});
    }
}

static void the_moments_are_part_of_what_is_kept(void **state) {
    (void)state;
    TrainingSpec spec = tiny_spec();
    spec.train.steps = 4;
    Stop stop = {.at = 2};
    TrainWatch watch = {.keep = stop_at, .context = &stop};
    TrainResult result, whole;
    float *parameters = fresh_parameters(&spec, NULL), *expected = trained(&spec, NULL, &whole);
    assert_int_equal(train_resumable(&spec, best_kernels(), NULL, parameters, &watch, &result, NULL), STATUS_OK);
    train_result_free(&result);
    stop.copy.v[3] *= 1.5f;
    stop.at = 0;
    assert_int_equal(train_resumable(&spec, best_kernels(), &stop.copy, parameters, &watch, &result, NULL), STATUS_OK);
    assert_true(difference(&spec, parameters, expected) > 0);
    free_state(&stop.copy);
    free(parameters);
    free(expected);
    train_result_free(&result);
    train_result_free(&whole);
}

typedef struct Pulses {
    int count;
    double last;
    int64_t steps;
} Pulses;

static void count_pulse(void *context, double share) {
    Pulses *pulses = context;
    assert_true(share > pulses->last && share < 1);
    pulses->last = share;
    pulses->count++;
}

static void end_step(void *context, int64_t step, double loss) {
    Pulses *pulses = context;
    (void)loss;
    assert_near(pulses->last, 3.0 / 4, 0);
    pulses->last = 0;
    pulses->steps = step;
}

static void a_step_of_several_shards_shows_how_far_it_is(void **state) {
    (void)state;
    TrainingSpec spec = tiny_spec();
    spec.train.gradient_shards = 4;
    Pulses pulses = {0};
    TrainWatch watch = {.pulse = count_pulse, .report = end_step, .context = &pulses};
    TrainResult result;
    float *parameters = fresh_parameters(&spec, NULL);
    assert_int_equal(train_resumable(&spec, best_kernels(), NULL, parameters, &watch, &result, NULL), STATUS_OK);
    assert_int_equal(pulses.count, 3 * 3);
    assert_int_equal(pulses.steps, 3);
    free(parameters);
    train_result_free(&result);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_warms_up_and_then_stays),
        cmocka_unit_test(the_rate_decays_along_half_a_cosine),
        cmocka_unit_test(the_same_job_gives_the_same_bits),
        cmocka_unit_test(training_uses_the_prompts_of_its_seed_and_step),
        cmocka_unit_test(losses_in_bfloat16_are_near_those_in_float32),
        cmocka_unit_test(shards_change_the_result_by_rounding_only),
        cmocka_unit_test(shard_gradients_are_added_as_a_binary_tree),
        cmocka_unit_test(clipping_bounds_the_gradient_and_only_when_it_is_longer),
        cmocka_unit_test(a_noisy_critic_changes_what_is_seen_and_ranked),
        cmocka_unit_test(the_loss_curve_averages_equal_stretches),
        cmocka_unit_test(a_training_that_diverges_says_when_and_what),
        cmocka_unit_test(a_parameter_that_is_not_finite_ends_the_training_at_once),
        cmocka_unit_test(a_training_in_parts_has_the_bits_of_one_in_a_piece),
        cmocka_unit_test(it_has_them_under_every_precision_context_and_sharding),
        cmocka_unit_test(the_moments_are_part_of_what_is_kept),
        cmocka_unit_test(a_step_of_several_shards_shows_how_far_it_is),
    };
    return run_tests(tests, argc, argv);
}
