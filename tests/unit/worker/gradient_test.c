/* The hand-written backward pass against central differences of an independent forward pass in double.
 *
 * The double model below is written straight from the design's equations, token by token, and shares nothing with the
 * kernels; the loss is the sum of pred times fixed numbers. Its step of 1e-5 leaves an error near 1e-9, so that what is
 * compared is the float gradient's own. The double forward pass also checks the predictions. */
#include "tests/harness.h"
#include "worker/model/model.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROMPTS = 3 };

/* A tiny model, its inputs, and the numbers that make its predictions a loss. */
typedef struct Case {
    Shape shape;
    int n_tensors;
    Tensor *tensors;
    size_t parameters_count;
    float *parameters, *xs, *ys, *rs, *dpred;
} Case;

static float *noise(size_t count, uint32_t seed) {
    float *values = malloc(count * sizeof(float));
    uint32_t state = seed;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) * 0x1p-23f - 1.0f;
    }
    return values;
}

static Case case_create(Attention attention, bool ffn, bool causal) {
    ModelSettings model = {
        .n_layer = 2, .n_head = 2, .n_embd = 6, .attention = attention, .ffn = ffn, .causal = causal};
    TaskSettings task = {.n_dims = 3, .n_points = 3};
    Case test = {.shape = shape_of(&model, &task)};
    test.n_tensors = tensors_count(&test.shape);
    test.tensors = calloc((size_t)test.n_tensors, sizeof *test.tensors);
    tensors_list(&test.shape, test.tensors);
    test.parameters_count = tensors_parameters(&test.shape);
    test.parameters = noise(test.parameters_count, 1); /* large and nowhere 0 or 1: every term counts */
    test.xs = noise((size_t)PROMPTS * 3 * 3, 2);
    test.ys = noise((size_t)PROMPTS * 3 * 3, 3);
    test.rs = noise((size_t)PROMPTS * 3, 4);
    test.dpred = noise((size_t)PROMPTS * 3 * 3, 5);
    return test;
}

static void case_free(Case *test) {
    free(test->tensors);
    free(test->parameters);
    free(test->xs);
    free(test->ys);
    free(test->rs);
    free(test->dpred);
}

/* The parameters of the double model, by role. */
static const double *find(const Case *test, const double *parameters, int layer, TensorRole role) {
    for (int t = 0; t < test->n_tensors; t++)
        if (test->tensors[t].role == role && (test->tensors[t].layer == layer || test->tensors[t].layer < 0))
            return parameters + test->tensors[t].offset;
    fail_msg("no tensor of role %d", role);
    return NULL;
}

/* y (out) = bias + x (in) W with W (in, out). */
static void linear(int in, int out, const double *x, const double *weight, const double *bias, double *y) {
    for (int o = 0; o < out; o++) {
        y[o] = bias[o];
        for (int i = 0; i < in; i++)
            y[o] += x[i] * weight[i * out + o];
    }
}

static void layer_norm(int E, const double *x, const double *gain, const double *bias, double *y) {
    double mean = 0.0, variance = 0.0;
    for (int c = 0; c < E; c++)
        mean += x[c] / E;
    for (int c = 0; c < E; c++)
        variance += (x[c] - mean) * (x[c] - mean) / E;
    for (int c = 0; c < E; c++)
        y[c] = (x[c] - mean) / sqrt(variance + 1e-5) * gain[c] + bias[c];
}

enum { MAX_T = 9, MAX_E = 6 };

/* h (T, E) += c_proj(attention(c_attn(ln_1(h)))) */
static void attention_branch(const Case *test, const double *p, int layer, double h[][MAX_E]) {
    const Shape *shape = &test->shape;
    int T = shape->T, E = shape->E, D = shape->D;
    double qkv[MAX_T][3 * MAX_E], mixed[MAX_E], projected[MAX_E], normed[MAX_E];
    for (int t = 0; t < T; t++) {
        layer_norm(E, h[t], find(test, p, layer, LN_1_WEIGHT), find(test, p, layer, LN_1_BIAS), normed);
        linear(E, 3 * E, normed, find(test, p, layer, C_ATTN_WEIGHT), find(test, p, layer, C_ATTN_BIAS), qkv[t]);
    }
    for (int t = 0; t < T; t++) {
        memset(mixed, 0, sizeof mixed);
        for (int head = 0; head < shape->H; head++) {
            double weight[MAX_T], sum = 0.0;
            int seen = shape->causal ? t + 1 : T;
            for (int u = 0; u < seen; u++) {
                double score = 0.0;
                for (int c = head * D; c < (head + 1) * D; c++)
                    score += qkv[t][c] * qkv[u][E + c] / sqrt(D);
                weight[u] = shape->attention == ATTENTION_SOFTMAX ? exp(score) : score;
                sum += weight[u];
            }
            for (int u = 0; u < seen; u++)
                for (int c = head * D; c < (head + 1) * D; c++)
                    mixed[c] += weight[u] / (shape->attention == ATTENTION_SOFTMAX ? sum : 1.0) * qkv[u][2 * E + c];
        }
        linear(E, E, mixed, find(test, p, layer, ATTN_C_PROJ_WEIGHT), find(test, p, layer, ATTN_C_PROJ_BIAS),
               projected);
        for (int c = 0; c < E; c++)
            h[t][c] += projected[c];
    }
}

/* h (T, E) += c_proj(gelu_new(c_fc(ln_2(h)))) */
static void feed_forward_branch(const Case *test, const double *p, int layer, double h[][MAX_E]) {
    int E = test->shape.E, F = test->shape.F;
    double normed[MAX_E], hidden[4 * MAX_E], projected[MAX_E];
    for (int t = 0; t < test->shape.T; t++) {
        layer_norm(E, h[t], find(test, p, layer, LN_2_WEIGHT), find(test, p, layer, LN_2_BIAS), normed);
        linear(E, F, normed, find(test, p, layer, C_FC_WEIGHT), find(test, p, layer, C_FC_BIAS), hidden);
        for (int f = 0; f < F; f++)
            hidden[f] *= 0.5 * (1.0 + tanh(sqrt(2.0 / M_PI) * (hidden[f] + 0.044715 * pow(hidden[f], 3))));
        linear(F, E, hidden, find(test, p, layer, MLP_C_PROJ_WEIGHT), find(test, p, layer, MLP_C_PROJ_BIAS), projected);
        for (int c = 0; c < E; c++)
            h[t][c] += projected[c];
    }
}

/* The double model on one prompt: pred (N, d). */
static void predict(const Case *test, const double *p, int prompt, double *pred) {
    const Shape *shape = &test->shape;
    int E = shape->E, d = shape->d;
    double h[MAX_T][MAX_E], normed[MAX_E];
    for (int t = 0; t < shape->T; t++) {
        size_t point = (size_t)prompt * shape->N + t / 3;
        for (int c = 0; c < E; c++) {
            h[t][c] = find(test, p, 0, READ_IN_BIAS)[c] + find(test, p, 0, POSITIONS)[t * E + c];
            for (int i = 0; i < d; i++) {
                double token = t % 3 == 0 ? test->xs[point * d + i] : test->ys[point * d + i];
                if (t % 3 == 2) token = i == 0 ? test->rs[point] : 0.0;
                h[t][c] += token * find(test, p, 0, READ_IN_WEIGHT)[c * d + i];
            }
        }
    }
    for (int layer = 0; layer < shape->L; layer++) {
        attention_branch(test, p, layer, h);
        if (shape->ffn) feed_forward_branch(test, p, layer, h);
    }
    for (int point = 0; point < shape->N; point++) {
        layer_norm(E, h[3 * point], find(test, p, 0, LN_F_WEIGHT), find(test, p, 0, LN_F_BIAS), normed);
        for (int i = 0; i < d; i++) {
            pred[point * d + i] = find(test, p, 0, READ_OUT_BIAS)[i];
            for (int c = 0; c < E; c++)
                pred[point * d + i] += normed[c] * find(test, p, 0, READ_OUT_WEIGHT)[i * E + c];
        }
    }
}

static double loss_of(const Case *test, const double *parameters) {
    double pred[MAX_T], loss = 0.0;
    int values = test->shape.N * test->shape.d;
    for (int prompt = 0; prompt < PROMPTS; prompt++) {
        predict(test, parameters, prompt, pred);
        for (int i = 0; i < values; i++)
            loss += pred[i] * test->dpred[prompt * values + i];
    }
    return loss;
}

static void check_predictions(const Case *test, const double *parameters, const float *pred) {
    double expected[MAX_T];
    int values = test->shape.N * test->shape.d;
    for (int prompt = 0; prompt < PROMPTS; prompt++) {
        predict(test, parameters, prompt, expected);
        for (int i = 0; i < values; i++)
            assert_near(pred[prompt * values + i], expected[i], 3e-6);
    }
}

/* Every entry of the gradient, relative to the largest of its tensor. */
static void check_gradient(const Case *test, double *parameters, const float *gradient, double *worst) {
    const double step = 1e-5;
    for (int t = 0; t < test->n_tensors; t++) {
        const Tensor *tensor = &test->tensors[t];
        double largest = 0.0, error = 0.0;
        for (size_t e = tensor->offset; e < tensor->offset + tensor->size; e++) {
            double kept = parameters[e];
            parameters[e] = kept + step;
            double above = loss_of(test, parameters);
            parameters[e] = kept - step;
            double slope = (above - loss_of(test, parameters)) / (2.0 * step);
            parameters[e] = kept;
            largest = fmax(largest, fabs(slope));
            error = fmax(error, fabs(gradient[e] - slope));
        }
        if (!(error <= 1e-5 * largest)) fail_msg("%s: gradient is wrong by %.2e of %.2e", tensor->name, error, largest);
        *worst = fmax(*worst, error / largest);
    }
}

/* Forward and backward in two calls of different size: the gradient is that of all prompts together. */
static void check_case(const Kernels *kernels, Attention attention, bool ffn, bool causal, double *worst) {
    Case test = case_create(attention, ffn, causal);
    double *parameters = malloc(test.parameters_count * sizeof *parameters);
    float *gradient = calloc(test.parameters_count, sizeof *gradient);
    for (size_t e = 0; e < test.parameters_count; e++)
        parameters[e] = test.parameters[e];
    Model *model = NULL;
    Error err;
    if (model_create(&test.shape, kernels, 2, true, &model, &err) != STATUS_OK) fail_msg("%s", err.text);
    int values = test.shape.N * test.shape.d;
    float pred[PROMPTS * MAX_T];
    model_set_parameters(model, test.parameters);
    for (int first = 0; first < PROMPTS; first += 2) {
        model_forward(model, PROMPTS - first < 2 ? 1 : 2, test.xs + first * values, test.ys + first * values,
                      test.rs + first * test.shape.N, pred + first * values);
        model_backward(model, test.dpred + first * values, gradient);
    }
    check_predictions(&test, parameters, pred);
    check_gradient(&test, parameters, gradient, worst);
    model_free(model);
    free(parameters);
    free(gradient);
    case_free(&test);
}

static void check_all_kinds(const Kernels *kernels) {
    double worst = 0.0;
    for (int kind = 0; kind < 8; kind++)
        check_case(kernels, kind & 1 ? ATTENTION_LINEAR : ATTENTION_SOFTMAX, kind & 2, kind & 4, &worst);
    print_message("%s: largest error of a gradient %.1e\n", kernels->name, worst);
}

static void gradients_of_the_best_path_are_central_differences(void **state) {
    (void)state;
    check_all_kinds(kernels_at(0));
}

static void gradients_of_the_reference_path_are_central_differences(void **state) {
    (void)state;
    const Kernels *kernels;
    assert_int_equal(kernels_select("reference", &kernels, NULL), STATUS_OK);
    check_all_kinds(kernels);
}

static void a_model_without_room_for_training_predicts_the_same(void **state) {
    (void)state;
    for (int kind = 0; kind < 8; kind++) {
        Case test = case_create(kind & 1 ? ATTENTION_LINEAR : ATTENTION_SOFTMAX, kind & 2, kind & 4);
        float pred[2][PROMPTS * MAX_T];
        size_t bytes[2];
        for (int training = 0; training < 2; training++) {
            Model *model = NULL;
            assert_int_equal(model_create(&test.shape, kernels_at(0), PROMPTS, training, &model, NULL), STATUS_OK);
            model_set_parameters(model, test.parameters);
            model_forward(model, PROMPTS, test.xs, test.ys, test.rs, pred[training]);
            bytes[training] = model_memory_bytes(model);
            model_free(model);
        }
        assert_memory_equal(pred[0], pred[1], sizeof(float) * PROMPTS * test.shape.N * test.shape.d);
        assert_true(bytes[0] < bytes[1]);
        case_free(&test);
    }
}

static void a_causal_model_does_not_see_later_responses(void **state) {
    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        Case test = case_create(ATTENTION_SOFTMAX, true, causal);
        int N = test.shape.N, d = test.shape.d;
        float pred[2][PROMPTS * MAX_T];
        Model *model = NULL;
        assert_int_equal(model_create(&test.shape, kernels_at(0), PROMPTS, false, &model, NULL), STATUS_OK);
        model_set_parameters(model, test.parameters);
        model_forward(model, PROMPTS, test.xs, test.ys, test.rs, pred[0]);
        for (int prompt = 0; prompt < PROMPTS; prompt++) {
            test.ys[(prompt * N + 1) * d] += 1.0f;
            test.rs[prompt * N + 1] += 1.0f;
        }
        model_forward(model, PROMPTS, test.xs, test.ys, test.rs, pred[1]);
        for (int prompt = 0; prompt < PROMPTS; prompt++)
            for (int i = 0; i < N * d; i++) {
                bool same = pred[0][prompt * N * d + i] == pred[1][prompt * N * d + i];
                assert_int_equal(same, causal && i / d <= 1);
            }
        model_free(model);
        case_free(&test);
    }
}

static void a_pass_after_a_forgotten_change_of_parameters_is_an_assertion(void **state) {
    (void)state;
    Case test = case_create(ATTENTION_SOFTMAX, true, true);
    float pred[PROMPTS * MAX_T];
    Model *model = NULL;
    assert_int_equal(model_create(&test.shape, kernels_at(0), PROMPTS, false, &model, NULL), STATUS_OK);
    model_set_parameters(model, test.parameters);
    for (int forgets = 0; forgets < 2; forgets++) {
        pid_t child = fork();
        if (child == 0) {
            if (!freopen("/dev/null", "w", stderr)) _exit(1);
            for (size_t e = 0; e < test.parameters_count; e++)
                test.parameters[e] += 1e-3f;
            if (!forgets) model_set_parameters(model, test.parameters);
            model_forward(model, PROMPTS, test.xs, test.ys, test.rs, pred);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, forgets);
        if (!forgets) assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    model_free(model);
    case_free(&test);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_the_best_path_are_central_differences),
        cmocka_unit_test(gradients_of_the_reference_path_are_central_differences),
        cmocka_unit_test(a_model_without_room_for_training_predicts_the_same),
        cmocka_unit_test(a_causal_model_does_not_see_later_responses),
        cmocka_unit_test(a_pass_after_a_forgotten_change_of_parameters_is_an_assertion),
    };
    return run_tests(tests, argc, argv);
}
