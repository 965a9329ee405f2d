/* What a forward pass computed on its way: read-outs and attention weights against the pass itself. */
#include "tests/harness.h"
#include "worker/model/intermediate.h"
#include "worker/model/workspace.h"
#include "worker/task/prompts.h"

#include <math.h>
#include <stdlib.h>

enum { PROMPTS = 5, N = 7, D = 4, E = 12, H = 3, L = 3, SEED = 3 };

/* A model that is far from trained, after a pass over prompts. */
typedef struct Case {
    Shape shape;
    float *parameters;
    Model *model;
    Arena arena;
    Prompts prompts;
    float pred[PROMPTS * N * D];
} Case;

static void case_create(Case *test, const Kernels *kernels, Attention attention, bool ffn, bool causal) {
    const ModelSettings model = {
        .n_layer = L, .n_head = H, .n_embd = E, .attention = attention, .ffn = ffn, .causal = causal};
    const TaskSettings task = {.n_dims = D, .n_points = N};
    *test = (Case){.shape = shape_of(&model, &task)};
    test->parameters = calloc(tensors_parameters(&test->shape), sizeof(float));
    tensors_init(&test->shape, SEED, test->parameters);
    for (size_t k = 0; k < tensors_parameters(&test->shape); k++)
        if (test->parameters[k] != 1) test->parameters[k] *= 6; /* small ones make attention that is nearly even */
    assert_int_equal(model_create(&test->shape, kernels, PROMPTS, true, &test->model, NULL), STATUS_OK);
    prompts_take(&test->arena, &task, PROMPTS);
    assert_int_equal(arena_create(&test->arena, test->arena.used_bytes, NULL), STATUS_OK);
    test->prompts = prompts_take(&test->arena, &task, PROMPTS);
    prompts_draw(&test->prompts, &task, RNG_EVALUATION_PROMPTS, SEED, 0, 0);
    model_set_parameters(test->model, test->parameters);
    model_forward(test->model, PROMPTS, test->prompts.xs, test->prompts.ys, test->prompts.seen, test->pred);
}

static void case_free(Case *test) {
    model_free(test->model);
    free(test->parameters);
    arena_destroy(&test->arena);
}

/* Every kind of model on every path that this CPU runs. */
static void for_every_model(void (*check)(Case *test)) {
    const Kernels *kernels;
    for (int path = 0; (kernels = kernels_at(path)) != NULL; path++)
        for (int kind = 0; kind < 8; kind++) {
            Case test;
            case_create(&test, kernels, (Attention)(kind & 1), (kind & 2) == 0, (kind & 4) == 0);
            check(&test);
            case_free(&test);
        }
}

static void check_last_read_out(Case *test) {
    float after[PROMPTS * N * D];
    model_read_out_after(test->model, 1, after);
    assert_memory_not_equal(after, test->pred, sizeof after);
    model_read_out_after(test->model, L, after);
    assert_memory_equal(after, test->pred, sizeof after);
}

static void the_read_out_after_all_layers_is_the_prediction(void **state) {
    for_every_model(check_last_read_out);
}

static void the_read_out_after_no_layer_knows_the_query_alone(void **state) {
    const Kernels *kernels = kernels_at(0);
    Case test;
    float before[PROMPTS * N * D], after[PROMPTS * N * D];
    case_create(&test, kernels, ATTENTION_SOFTMAX, true, true);
    model_read_out_after(test.model, 0, before);
    for (int k = 0; k < PROMPTS * N * D; k++)
        test.prompts.ys[k] *= -1;
    for (int k = 0; k < PROMPTS * N; k++)
        test.prompts.seen[k] = 1 - test.prompts.seen[k];
    model_forward(test.model, PROMPTS, test.prompts.xs, test.prompts.ys, test.prompts.seen, test.pred);
    model_read_out_after(test.model, 0, after);
    assert_memory_equal(before, after, sizeof after);
    case_free(&test);
}

static void a_read_out_leaves_the_others_as_they_are(void **state) {
    Case test;
    float first[PROMPTS * N * D], again[PROMPTS * N * D];
    case_create(&test, kernels_at(0), ATTENTION_SOFTMAX, true, true);
    model_read_out_after(test.model, 1, first);
    for (int layers = L; layers >= 0; layers--)
        model_read_out_after(test.model, layers, again);
    model_read_out_after(test.model, 1, again);
    assert_memory_equal(first, again, sizeof again);
    case_free(&test);
}

/* What the weights make of the values is what the kernels made of them. */
static void check_weights(Case *test) {
    int T = model_tokens(test->model);
    double weights[H * 3 * N];
    assert_int_equal(T, test->shape.causal ? 3 * (N - 1) + 1 : 3 * N);
    for (int layer = 0; layer < L; layer++) {
        const Block *block = &test->model->blocks[layer];
        for (int prompt = 0; prompt < PROMPTS; prompt++)
            for (int position = 0; position < N; position++) {
                model_attention_at(test->model, layer, prompt, position, weights);
                int reads = block_queries(test->model, block);
                const float *attended =
                    block->attended + ((size_t)prompt * reads + position * 3 / block->query_stride) * E;
                for (int c = 0; c < E; c++) {
                    double sum = 0;
                    for (int u = 0; u < T; u++)
                        sum += weights[c / test->shape.D * T + u] *
                               block->qkv[((size_t)prompt * T + u) * 3 * E + 2 * E + c];
                    assert_near(sum, attended[c], 1e-5 * (1 + fabs(sum)));
                }
            }
    }
}

static void attention_weights_are_those_that_the_pass_used(void **state) {
    for_every_model(check_weights);
}

static void check_rows(Case *test) {
    int T = model_tokens(test->model);
    double weights[H * 3 * N];
    if (test->shape.attention == ATTENTION_LINEAR) return;
    for (int layer = 0; layer < L; layer++)
        for (int position = 0; position < N; position++) {
            model_attention_at(test->model, layer, PROMPTS - 1, position, weights);
            for (int h = 0; h < H; h++) {
                double sum = 0;
                for (int u = 0; u < T; u++) {
                    bool seen = !test->shape.causal || u <= 3 * position;
                    assert_true(seen ? weights[h * T + u] > 0 : weights[h * T + u] == 0);
                    sum += weights[h * T + u];
                }
                assert_near(sum, 1, 1e-12);
            }
        }
}

static void rows_of_softmax_attention_sum_to_one_over_the_tokens_seen(void **state) {
    for_every_model(check_rows);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_read_out_after_all_layers_is_the_prediction),
        cmocka_unit_test(the_read_out_after_no_layer_knows_the_query_alone),
        cmocka_unit_test(a_read_out_leaves_the_others_as_they_are),
        cmocka_unit_test(attention_weights_are_those_that_the_pass_used),
        cmocka_unit_test(rows_of_softmax_attention_sum_to_one_over_the_tokens_seen),
    };
    return run_tests(tests, argc, argv);
}
