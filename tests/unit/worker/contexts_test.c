/* Training on the model's own rollouts: which prompts are rollouts, what is in them, which bits they have, and that
 * they are data to the gradient. */
#include "tests/harness.h"
#include "worker/task/closed_loop.h"
#include "worker/train/contexts.h"
#include "worker/train/train.h"

#include <math.h>
#include <stdlib.h>

enum { BATCH = 24, N = 8, D = 4, SEED = 9, STEP = 5, OWN = CONTEXT_INITIAL_RESPONSES };

static TrainingSpec spec_of(TrainContext context) {
    return (TrainingSpec){
        .model = {.n_layer = 2, .n_head = 2, .n_embd = 8, .ffn = true, .causal = true},
        .task = {.n_dims = D, .n_points = N},
        .train = {.steps = 1,
                  .batch_size = BATCH,
                  .gradient_shards = 1,
                  .learning_rate = 1e-3,
                  .context = context,
                  .critic_quality = 1,
                  .on_policy_share = 0.5,
                  .exploration = 1},
        .seed = SEED,
    };
}

/* Contexts of a model that is far from trained. */
typedef struct Case {
    TrainingSpec spec;
    const Kernels *kernels;
    float *parameters;
    Model *model;
    Arena arena;
    Contexts contexts;
    Prompts batch; /* room for a whole one */
} Case;

static void take_pieces(Case *test) {
    contexts_take(&test->contexts, &test->spec, &test->arena);
    test->batch = prompts_take(&test->arena, &test->spec.task, test->spec.train.batch_size);
}

static void case_create(Case *test, const TrainingSpec *spec) {
    *test = (Case){.spec = *spec};
    Shape shape = shape_of(&spec->model, &spec->task);
    test->parameters = calloc(tensors_parameters(&shape), sizeof(float));
    tensors_init(&shape, SEED, test->parameters);
    for (size_t k = 0; k < tensors_parameters(&shape); k++)
        if (test->parameters[k] != 1) test->parameters[k] *= 6; /* small ones make answers that ignore the prompt */
    assert_int_equal(kernels_select(NULL, &test->kernels, NULL), STATUS_OK);
    assert_int_equal(model_create(&shape, test->kernels, 1, true, &test->model, NULL), STATUS_OK);
    model_set_parameters(test->model, test->parameters);
    take_pieces(test);
    assert_int_equal(arena_create(&test->arena, test->arena.used_bytes, NULL), STATUS_OK);
    take_pieces(test);
    assert_int_equal(contexts_create(&test->contexts, NULL), STATUS_OK);
}

static void case_free(Case *test) {
    contexts_destroy(&test->contexts);
    model_free(test->model);
    free(test->parameters);
    arena_destroy(&test->arena);
}

static void copy_prompts(const Prompts *from, const Prompts *to) {
    size_t rewards = (size_t)from->n * N;
    memcpy(to->xs, from->xs, rewards * D * sizeof(float));
    memcpy(to->ys, from->ys, rewards * D * sizeof(float));
    memcpy(to->rs, from->rs, rewards * sizeof(float));
    memcpy(to->seen, from->seen, rewards * sizeof(float));
    memcpy(to->y_star, from->y_star, rewards * D * sizeof(float));
}

/* The batch of a step as a training of one shard sees it; valid until the next call. */
static Prompts whole_batch(Case *test, const Model *model, uint32_t step) {
    for (int first = 0; first < test->batch.n; first += CONTEXTS_AT_ONCE) {
        int n = test->batch.n - first < CONTEXTS_AT_ONCE ? test->batch.n - first : CONTEXTS_AT_ONCE;
        Prompts some = contexts_of_step(&test->contexts, model, step, first, n);
        Prompts place = prompts_slice(&test->batch, first, n);
        copy_prompts(&some, &place);
    }
    return test->batch;
}

static double dot(const float *a, const float *b) {
    double sum = 0;
    for (int k = 0; k < D; k++)
        sum += (double)a[k] * b[k];
    return sum;
}

static double cosine(const float *a, const float *b) {
    return dot(a, b) / sqrt(dot(a, a) * dot(b, b));
}

static const float *response(const Prompts *prompts, int p, int i) {
    return prompts->ys + (p * N + i) * D;
}

/* Whether responses, rewards and what is seen of them agree to the bit at those a prediction may see. */
static bool same_context(const Prompts *a, int p, const Prompts *b, int q) {
    return memcmp(response(a, p, 0), response(b, q, 0), (N - 1) * D * sizeof(float)) == 0 &&
           memcmp(a->rs + p * N, b->rs + q * N, (N - 1) * sizeof(float)) == 0 &&
           memcmp(a->seen + p * N, b->seen + q * N, (N - 1) * sizeof(float)) == 0 &&
           memcmp(a->xs + p * N * D, b->xs + q * N * D, N * D * sizeof(float)) == 0 &&
           memcmp(a->y_star + p * N * D, b->y_star + q * N * D, N * D * sizeof(float)) == 0;
}

/* Queries and aligned answers are the same in every context; a random direction is no mixture of the offline task. */
static void the_first_half_of_a_mixed_batch_is_rollouts_and_the_rest_offline(void **state) {
    TrainingSpec specs[3] = {spec_of(CONTEXT_OFFLINE), spec_of(CONTEXT_ON_POLICY), spec_of(CONTEXT_MIXED)};
    Case test[3];
    Prompts batch[3];
    for (int i = 0; i < 3; i++) {
        specs[i].train.critic_quality = 0.5;
        case_create(&test[i], &specs[i]);
        batch[i] = whole_batch(&test[i], test[i].model, STEP);
    }
    for (int p = 0; p < BATCH; p++) {
        assert_false(same_context(&batch[0], p, &batch[1], p));
        assert_true(same_context(&batch[2], p, &batch[p < BATCH / 2 ? 1 : 0], p));
        assert_memory_equal(batch[0].xs + p * N * D, batch[1].xs + p * N * D, N * D * sizeof(float));
        assert_memory_equal(batch[0].y_star + p * N * D, batch[1].y_star + p * N * D, N * D * sizeof(float));
    }
    for (int i = 0; i < 3; i++)
        case_free(&test[i]);
}

/* By hand, from whole forward passes: the loop is tested in rounds_test.c; here are its settings. */
static void a_rollout_begins_with_two_random_directions_and_goes_on_with_the_models_answers(void **state) {
    TrainingSpec spec = spec_of(CONTEXT_ON_POLICY);
    spec.train.exploration = 0;
    spec.train.critic_quality = 0.6;
    Case test;
    case_create(&test, &spec);
    Prompts batch = whole_batch(&test, test.model, STEP);
    float directions[OWN * D], pred[N * D], decision[N], replacement[N];
    for (int p = 0; p < BATCH; p++) {
        RngStream stream = {RNG_INITIAL_RESPONSES, SEED, STEP + 1, (uint32_t)p};
        rng_normal(stream, 0, OWN * D, directions);
        const float *y_star = batch.y_star + p * N * D;
        Prompts prompt = prompts_slice(&batch, p, 1);
        model_forward(test.model, 1, prompt.xs, prompt.ys, prompt.seen, pred);
        stream = (RngStream){RNG_TRAIN_CRITIC, SEED, STEP, (uint32_t)p};
        rng_uniform(stream, CRITIC_DECISION, N, decision);
        rng_uniform(stream, CRITIC_REPLACEMENT, N, replacement);
        for (int i = 0; i < N - 1; i++) {
            assert_near(cosine(response(&batch, p, i), i < OWN ? directions + i * D : pred + i * D), 1, 1e-5);
            assert_near(dot(response(&batch, p, i), response(&batch, p, i)) / dot(y_star, y_star), 1, 1e-5);
            assert_near(batch.rs[p * N + i], clean_score(D, response(&batch, p, i), y_star), 1e-7);
            bool wrong = decision[i] < 1 - spec.train.critic_quality;
            assert_true(batch.seen[p * N + i] == (wrong ? replacement[i] : batch.rs[p * N + i]));
        }
    }
    case_free(&test);
}

/* The cosine of what is responded with the answer o of unit length: u = o + s v. */
static void answers_are_perturbed_by_uniform_lengths_in_random_directions(void **state) {
    enum { MANY = 2000 };
    TrainingSpec spec = spec_of(CONTEXT_ON_POLICY);
    spec.train.batch_size = MANY;
    spec.train.exploration = 2;
    Case test;
    case_create(&test, &spec);
    Prompts batch = whole_batch(&test, test.model, STEP);
    float pred[N * D], length[N], direction[N * D];
    double mean = 0, square = 0, along = 0;
    for (int p = 0; p < MANY; p++) {
        Prompts prompt = prompts_slice(&batch, p, 1);
        RngStream stream = {RNG_EXPLORATION, SEED, STEP, (uint32_t)p};
        model_forward(test.model, 1, prompt.xs, prompt.ys, prompt.seen, pred);
        rng_uniform(stream, EXPLORATION_LENGTH, N, length);
        rng_normal(stream, EXPLORATION_DIRECTION, N * D, direction);
        for (int i = OWN; i < N - 1; i++) {
            const float *o = pred + i * D, *v = direction + i * D;
            float u[D];
            double s = 2 * length[i];
            for (int k = 0; k < D; k++)
                u[k] = (float)(o[k] / sqrt(dot(o, o)) + s * v[k] / sqrt(dot(v, v)));
            assert_near(cosine(u, response(&batch, p, i)), 1, 1e-5);
            mean += s / (MANY * (N - 1 - OWN));
            square += s * s / (MANY * (N - 1 - OWN));
            along += cosine(o, v) / (MANY * (N - 1 - OWN));
        }
    }
    double error = 1 / sqrt(MANY * (N - 1 - OWN)); /* of a mean of numbers with standard deviation 1 */
    assert_near(mean, 1, 4 * error * 2 / sqrt(12));
    assert_near(square, 4.0 / 3, 4 * error * 4 * sqrt(4.0 / 45));
    assert_near(along, 0, 4 * error * 0.5); /* a cosine in 4 dimensions has standard deviation 1/2 */
    case_free(&test);
}

static void every_step_and_prompt_explores_on_its_own(void **state) {
    TrainingSpec spec = spec_of(CONTEXT_ON_POLICY);
    Case test;
    case_create(&test, &spec);
    Prompts batch = whole_batch(&test, test.model, STEP);
    float before[N * D];
    memcpy(before, response(&batch, 3, 0), sizeof before);
    batch = whole_batch(&test, test.model, STEP + 1);
    for (int i = 0; i < N - 1; i++)
        assert_memory_not_equal(before + i * D, response(&batch, 3, i), D * sizeof(float));
    case_free(&test);
}

/* Asked for alone and in another process they are the same to the bit. */
static void contexts_have_the_same_bits_whatever_was_asked_before(void **state) {
    TrainingSpec spec = spec_of(CONTEXT_MIXED);
    spec.train.critic_quality = 0.7;
    spec.train.on_policy_share = 0.6; /* the second group has both */
    Case busy, fresh;
    case_create(&busy, &spec);
    case_create(&fresh, &spec);
    whole_batch(&busy, busy.model, STEP - 1);
    Prompts all = whole_batch(&busy, busy.model, STEP);
    Prompts alone = contexts_of_step(&fresh.contexts, fresh.model, STEP, 8, 8);
    for (int p = 0; p < 8; p++)
        assert_true(same_context(&all, 8 + p, &alone, p));
    case_free(&busy);
    case_free(&fresh);
}

static float *fresh_parameters(const TrainingSpec *spec) {
    Shape shape = shape_of(&spec->model, &spec->task);
    float *parameters = malloc(tensors_parameters(&shape) * sizeof *parameters);
    tensors_init(&shape, spec->seed, parameters);
    return parameters;
}

static void check_trained(const TrainingSpec *spec, const Kernels *kernels, const Prompts *fixed, float *parameters,
                          double *loss) {
    TrainResult result;
    Error err;
    if (train(spec, kernels, fixed, parameters, NULL, NULL, &result, &err) != STATUS_OK) fail_msg("%s", err.text);
    assert_false(result.diverged);
    *loss = result.final_loss;
    train_result_free(&result);
}

static void check_no_gradient_through_the_rollout(Precision precision) {
    TrainingSpec spec = spec_of(CONTEXT_MIXED);
    spec.train.gradient_shards = 3;
    spec.train.critic_quality = 0.8;
    spec.train.objective = OBJECTIVE_COSINE;
    spec.train.precision = precision;
    Case test;
    case_create(&test, &spec);
    Shape shape = shape_of(&spec.model, &spec.task);
    float *rolled = fresh_parameters(&spec), *given = fresh_parameters(&spec);
    const Kernels *kernels = kernels_with_precision(test.kernels, precision);
    Model *model = NULL;
    assert_int_equal(model_create(&shape, kernels, 1, false, &model, NULL), STATUS_OK);
    model_set_parameters(model, given);
    Prompts batch = whole_batch(&test, model, 0);
    double loss_rolled, loss_given;
    check_trained(&spec, test.kernels, NULL, rolled, &loss_rolled);
    check_trained(&spec, test.kernels, &batch, given, &loss_given);
    assert_memory_equal(rolled, given, tensors_parameters(&shape) * sizeof *rolled);
    assert_true(loss_rolled == loss_given);
    model_free(model);
    free(rolled);
    free(given);
    case_free(&test);
}

/* A step on rollouts is to the bit the step on the same prompts given from outside. */
static void no_gradient_goes_through_the_rollout(void **state) {
    check_no_gradient_through_the_rollout(PRECISION_FLOAT32);
}

static void a_rollout_in_bfloat16_is_that_of_the_model_in_bfloat16(void **state) {
    check_no_gradient_through_the_rollout(PRECISION_BF16);
}

static void training_on_rollouts_repeats_its_bits_with_one_shard_and_with_eight(void **state) {
    for (int shards = 1; shards <= 8; shards *= 8) {
        TrainingSpec spec = spec_of(CONTEXT_ON_POLICY);
        spec.train.steps = 5;
        spec.train.batch_size = 21; /* shards of 2 and 3 */
        spec.train.gradient_shards = shards;
        Shape shape = shape_of(&spec.model, &spec.task);
        const Kernels *kernels;
        assert_int_equal(kernels_select(NULL, &kernels, NULL), STATUS_OK);
        float *first = fresh_parameters(&spec), *second = fresh_parameters(&spec);
        double loss[2];
        check_trained(&spec, kernels, NULL, first, &loss[0]);
        check_trained(&spec, kernels, NULL, second, &loss[1]);
        assert_memory_equal(first, second, tensors_parameters(&shape) * sizeof *first);
        assert_true(loss[0] == loss[1]);
        free(first);
        free(second);
    }
}

static void the_shortest_prompt_with_a_rollout_trains(void **state) {
    TrainingSpec spec = spec_of(CONTEXT_ON_POLICY);
    spec.task.n_points = 4;
    const Kernels *kernels;
    assert_int_equal(kernels_select(NULL, &kernels, NULL), STATUS_OK);
    float *parameters = fresh_parameters(&spec);
    double loss;
    check_trained(&spec, kernels, NULL, parameters, &loss);
    assert_true(isfinite(loss));
    free(parameters);
}

static void a_model_that_is_not_finite_diverges_in_its_rollout(void **state) {
    TrainingSpec spec = spec_of(CONTEXT_ON_POLICY);
    const Kernels *kernels;
    assert_int_equal(kernels_select(NULL, &kernels, NULL), STATUS_OK);
    float *parameters = fresh_parameters(&spec);
    parameters[5] = NAN;
    TrainResult result;
    assert_int_equal(train(&spec, kernels, NULL, parameters, NULL, NULL, &result, NULL), STATUS_OK);
    assert_true(result.diverged);
    assert_int_equal(result.diverged_step, 1);
    train_result_free(&result);
    free(parameters);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_half_of_a_mixed_batch_is_rollouts_and_the_rest_offline),
        cmocka_unit_test(a_rollout_begins_with_two_random_directions_and_goes_on_with_the_models_answers),
        cmocka_unit_test(answers_are_perturbed_by_uniform_lengths_in_random_directions),
        cmocka_unit_test(every_step_and_prompt_explores_on_its_own),
        cmocka_unit_test(contexts_have_the_same_bits_whatever_was_asked_before),
        cmocka_unit_test(no_gradient_goes_through_the_rollout),
        cmocka_unit_test(a_rollout_in_bfloat16_is_that_of_the_model_in_bfloat16),
        cmocka_unit_test(training_on_rollouts_repeats_its_bits_with_one_shard_and_with_eight),
        cmocka_unit_test(the_shortest_prompt_with_a_rollout_trains),
        cmocka_unit_test(a_model_that_is_not_finite_diverges_in_its_rollout),
    };
    return run_tests(tests, argc, argv);
}
