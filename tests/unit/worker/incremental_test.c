/* Predictions position by position, from cached keys and values, against whole forward passes over the same prompts.
 *
 * Parameters are random everywhere and large enough for attention to choose; what a prediction may not see yet is NaN
 * in the prompts that the cache is fed from. */
#include "tests/harness.h"
#include "worker/model/incremental.h"

#include <math.h>
#include <stdlib.h>

enum { PROMPTS = 5 };
static const double TOLERANCE = 1e-5; /* of the largest prediction; reached: below 1e-6 */

typedef struct Case {
    Shape shape;
    size_t row; /* N d */
    float *parameters, *xs, *ys, *rs;
    float *whole; /* (PROMPTS, N, d) of model_forward */
    Model *model;
    ModelCache *cache;
} Case;

static float *noise(size_t count, float scale, uint32_t seed) {
    float *values = malloc(count * sizeof(float));
    uint32_t state = seed;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = scale * ((float)(state >> 8) * 0x1p-23f - 1.0f);
    }
    return values;
}

static float *parameters_of(const Shape *shape) {
    float *parameters = noise(tensors_parameters(shape), 0.4f, 1);
    Tensor *tensors = calloc((size_t)tensors_count(shape), sizeof *tensors);
    tensors_list(shape, tensors);
    for (int t = 0; t < tensors_count(shape); t++)
        for (size_t e = 0; e < tensors[t].size && tensors[t].init == INIT_ONE; e++)
            parameters[tensors[t].offset + e] += 1;
    free(tensors);
    return parameters;
}

static Case case_create(const Kernels *kernels, ModelSettings model) {
    const TaskSettings task = {.n_dims = 5, .n_points = 7};
    model.causal = true;
    Case test = {.shape = shape_of(&model, &task), .row = 7 * 5};
    test.parameters = parameters_of(&test.shape);
    test.xs = noise(PROMPTS * test.row, 1, 2);
    test.ys = noise(PROMPTS * test.row, 1, 3);
    test.rs = noise(PROMPTS * 7, 1, 4);
    test.whole = calloc(PROMPTS * test.row, sizeof(float));
    assert_int_equal(model_create(&test.shape, kernels, PROMPTS, false, &test.model, NULL), STATUS_OK);
    assert_int_equal(model_cache_create(&test.shape, PROMPTS, &test.cache, NULL), STATUS_OK);
    model_set_parameters(test.model, test.parameters);
    model_forward(test.model, PROMPTS, test.xs, test.ys, test.rs, test.whole);
    return test;
}

static void case_free(Case *test) {
    model_free(test->model);
    model_cache_free(test->cache);
    free(test->parameters);
    free(test->xs);
    free(test->ys);
    free(test->rs);
    free(test->whole);
}

/* The prompts as far as the prediction at a position sees them. */
static void reveal(const Case *test, int position, float *xs, float *ys, float *rs) {
    int N = test->shape.N, d = test->shape.d;
    for (int point = 0; point < PROMPTS * N; point++) {
        bool asked = point % N <= position, answered = point % N < position;
        rs[point] = answered ? test->rs[point] : NAN;
        for (int k = point * d; k < (point + 1) * d; k++) {
            xs[k] = asked ? test->xs[k] : NAN;
            ys[k] = answered ? test->ys[k] : NAN;
        }
    }
}

/* Asks at every stride-th position from first on, and compares with the whole pass. */
static void check_positions(const Case *test, int n, int first, int stride) {
    int N = test->shape.N, d = test->shape.d;
    float xs[PROMPTS * 35], ys[PROMPTS * 35], rs[PROMPTS * 7], pred[PROMPTS * 5];
    double largest = 0;
    for (size_t k = 0; k < (size_t)n * test->row; k++)
        largest = fmax(largest, fabs(test->whole[k]));
    model_cache_restart(test->cache, n);
    for (int position = first; position < N; position += stride) {
        reveal(test, position, xs, ys, rs);
        model_predict_at(test->model, test->cache, position, xs, ys, rs, pred);
        for (int prompt = 0; prompt < n; prompt++)
            for (int k = 0; k < d; k++)
                assert_near(pred[prompt * d + k], test->whole[prompt * test->row + (size_t)position * d + k],
                            TOLERANCE * largest);
    }
}

static void check_all_paths(ModelSettings model) {
    for (int i = 0; kernels_at(i); i++) {
        Case test = case_create(kernels_at(i), model);
        check_positions(&test, PROMPTS, 0, 1);
        case_free(&test);
    }
}

static void a_softmax_model_is_extended_token_by_token(void **state) {
    (void)state;
    check_all_paths((ModelSettings){.n_layer = 3, .n_head = 2, .n_embd = 12, .ffn = true});
}

static void a_model_without_feed_forward_network_is_extended_token_by_token(void **state) {
    (void)state;
    check_all_paths((ModelSettings){.n_layer = 3, .n_head = 3, .n_embd = 12, .ffn = false});
}

static void a_model_of_linear_attention_is_extended_token_by_token(void **state) {
    (void)state;
    ModelSettings model = {.n_layer = 2, .n_head = 3, .n_embd = 12, .attention = ATTENTION_LINEAR, .ffn = true};
    check_all_paths(model);
    model.ffn = false;
    check_all_paths(model);
}

static void one_layer_and_one_wide_head_are_extended_token_by_token(void **state) {
    (void)state;
    check_all_paths((ModelSettings){.n_layer = 1, .n_head = 1, .n_embd = 40, .ffn = true});
    check_all_paths((ModelSettings){.n_layer = 1, .n_head = 3, .n_embd = 96, .ffn = false});
}

static void several_responses_at_once_cost_one_call(void **state) {
    (void)state;
    Case test = case_create(kernels_at(0), (ModelSettings){.n_layer = 2, .n_head = 2, .n_embd = 12, .ffn = true});
    check_positions(&test, PROMPTS, 2, 1);
    check_positions(&test, PROMPTS, 1, 3);
    check_positions(&test, PROMPTS, 6, 1);
    case_free(&test);
}

static void a_restarted_cache_remembers_nothing(void **state) {
    (void)state;
    Case test = case_create(kernels_at(0), (ModelSettings){.n_layer = 2, .n_head = 2, .n_embd = 12, .ffn = true});
    float pred[PROMPTS * 5], *others = noise(PROMPTS * test.row, 3, 9);
    model_cache_restart(test.cache, PROMPTS);
    model_predict_at(test.model, test.cache, 6, others, others, others, pred);
    check_positions(&test, 3, 0, 1);
    check_positions(&test, PROMPTS, 0, 1);
    free(others);
    case_free(&test);
}

static void the_same_calls_give_the_same_bits(void **state) {
    (void)state;
    Case test = case_create(kernels_at(0), (ModelSettings){.n_layer = 2, .n_head = 2, .n_embd = 12, .ffn = true});
    float pred[2][PROMPTS * 5];
    for (int time = 0; time < 2; time++) {
        model_cache_restart(test.cache, PROMPTS);
        model_predict_at(test.model, test.cache, 2, test.xs, test.ys, test.rs, pred[time]);
        model_predict_at(test.model, test.cache, 4, test.xs, test.ys, test.rs, pred[time]);
    }
    assert_memory_equal(pred[0], pred[1], sizeof pred[0]);
    case_free(&test);
}

static void a_reward_that_is_not_a_number_is_seen_in_every_later_prediction(void **state) {
    (void)state;
    Case test = case_create(kernels_at(0), (ModelSettings){.n_layer = 2, .n_head = 2, .n_embd = 12, .ffn = true});
    float pred[PROMPTS * 5];
    test.rs[7 + 3] = NAN; /* of prompt 1 */
    model_cache_restart(test.cache, PROMPTS);
    for (int position = 2; position < 7; position++) {
        model_predict_at(test.model, test.cache, position, test.xs, test.ys, test.rs, pred);
        for (int k = 0; k < PROMPTS * 5; k++)
            assert_int_equal(isnan(pred[k]), k / 5 == 1 && position > 3);
    }
    case_free(&test);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_softmax_model_is_extended_token_by_token),
        cmocka_unit_test(a_model_without_feed_forward_network_is_extended_token_by_token),
        cmocka_unit_test(a_model_of_linear_attention_is_extended_token_by_token),
        cmocka_unit_test(one_layer_and_one_wide_head_are_extended_token_by_token),
        cmocka_unit_test(several_responses_at_once_cost_one_call),
        cmocka_unit_test(a_restarted_cache_remembers_nothing),
        cmocka_unit_test(the_same_calls_give_the_same_bits),
        cmocka_unit_test(a_reward_that_is_not_a_number_is_seen_in_every_later_prediction),
    };
    return run_tests(tests, argc, argv);
}
