/* The model against PyTorch in float64: predictions, gradients, ten Adam steps, for the best path and the reference.
 *
 * Errors are relative to a tensor's largest entry, and the largest of all files are printed. In softmax models a
 * constant added to all keys changes no weight: the gradient of the key third of c_attn.bias is exactly zero, what is
 * computed is rounding, and Adam turns it into steps; it is only required to be tiny, and to move by no more than ten
 * steps can. */
#include "tests/harness.h"
#include "worker/files/model_file.h"
#include "worker/model/model.h"
#include "worker/train/objective.h"

#include <math.h>
#include <stdlib.h>

static const char *const names[] = {"softmax_ffn",      "one_head",      "no_ffn",
                                    "linear_attention", "twenty_points", "not_causal"};

/* One golden file, and a model with its parameters. */
typedef struct Golden {
    SafeTensorsFile *file;
    Shape shape;
    int n_tensors;
    Tensor *tensors;
    size_t parameters_count;
    float *parameters, *gradient;
    Arena arena;
    Prompts prompts;
    float *pred, *dpred;
    Model *model;
} Golden;

/* Largest errors met. */
typedef struct Bounds {
    double pred, gradient, zero_gradient, adam;
} Bounds;

static Golden golden_open(const char *name, const Kernels *kernels) {
    Golden golden = {0};
    char path[512];
    Error err;
    ModelSettings model;
    TaskSettings task;
    snprintf(path, sizeof path, TESTS_DIR "/golden/%s.safetensors", name);
    if (model_file_read(path, &model, &task, &golden.parameters, &err) != STATUS_OK ||
        safetensors_open(path, &golden.file, &err) != STATUS_OK ||
        prompts_file_read(golden.file, path, true, &golden.arena, &golden.prompts, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    golden.shape = shape_of(&model, &task);
    golden.n_tensors = tensors_count(&golden.shape);
    golden.tensors = calloc((size_t)golden.n_tensors, sizeof *golden.tensors);
    tensors_list(&golden.shape, golden.tensors);
    golden.parameters_count = tensors_parameters(&golden.shape);
    golden.gradient = calloc(golden.parameters_count, sizeof(float));
    size_t values = (size_t)golden.prompts.n * golden.shape.N * golden.shape.d;
    golden.pred = calloc(values, sizeof(float));
    golden.dpred = calloc(values, sizeof(float));
    if (model_create(&golden.shape, kernels, golden.prompts.n, true, &golden.model, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return golden;
}

static void golden_close(Golden *golden) {
    safetensors_close(golden->file);
    model_free(golden->model);
    arena_destroy(&golden->arena);
    free(golden->tensors);
    free(golden->parameters);
    free(golden->gradient);
    free(golden->pred);
    free(golden->dpred);
}

/* A tensor of the file as doubles (malloc'd), which must have count elements. */
static double *golden_doubles(const Golden *golden, const char *kind, const char *name, size_t count) {
    char full[128];
    snprintf(full, sizeof full, "%s.%s", kind, name);
    const SafeTensor *tensor = safetensors_find(golden->file, full);
    if (!tensor) fail_msg("no tensor %s", full);
    assert_int_equal(tensor->count, count);
    double *values = malloc(count * sizeof *values);
    safetensors_doubles(tensor, values);
    return values;
}

static void forward(const Golden *golden) {
    const Prompts *prompts = &golden->prompts;
    model_set_parameters(golden->model, golden->parameters);
    model_forward(golden->model, prompts->n, prompts->xs, prompts->ys, prompts->seen, golden->pred);
}

static bool is_key_bias(const Golden *golden, const Tensor *tensor, size_t element) {
    size_t E = (size_t)golden->shape.E;
    return golden->shape.attention == ATTENTION_SOFTMAX && tensor->role == C_ATTN_BIAS && element / E == 1;
}

static double largest_of(size_t count, const double *values) {
    double largest = 0.0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(values[i]));
    return largest;
}

/* Fails unless actual is within tolerance of expected, relative to the largest of expected; key biases aside. slope:
 * NULL, or the first gradient, where it is too small to resolve tolerance is ten times as wide. Keeps the largest
 * relative error in *bound. */
static void compare_tensor(const Golden *golden, const Tensor *tensor, const float *actual, const double *expected,
                           const double *slope, double tolerance, double *bound) {
    double largest = largest_of(tensor->size, expected), steepest = slope ? largest_of(tensor->size, slope) : 0.0;
    assert_true(largest > 0.0);
    for (size_t e = 0; e < tensor->size; e++) {
        if (is_key_bias(golden, tensor, e)) continue;
        double error = fabs(actual[e] - expected[e]) / largest;
        bool unresolved = slope && fabs(slope[e]) < 3e-7 * steepest;
        if (!(error <= (unresolved ? 10.0 : 1.0) * tolerance))
            fail_msg("%s[%zu] is %.9g, not %.9g", tensor->name, e, actual[e], expected[e]);
        *bound = fmax(*bound, error);
    }
}

static void check_predictions(const Golden *golden, Bounds *bounds) {
    Tensor pred = {.name = "out.pred", .size = (size_t)golden->prompts.n * golden->shape.N * golden->shape.d};
    double *expected = golden_doubles(golden, "out", "pred", pred.size);
    forward(golden);
    compare_tensor(golden, &pred, golden->pred, expected, NULL, 2e-6, &bounds->pred);
    free(expected);
}

static void check_gradients(const Golden *golden, Bounds *bounds) {
    size_t values = (size_t)golden->prompts.n * golden->shape.N * golden->shape.d;
    double *dpred = golden_doubles(golden, "dpred", "plackett_luce", values);
    for (size_t i = 0; i < values; i++)
        golden->dpred[i] = (float)dpred[i];
    forward(golden);
    memset(golden->gradient, 0, golden->parameters_count * sizeof(float));
    model_backward(golden->model, golden->dpred, golden->gradient);
    for (int t = 0; t < golden->n_tensors; t++) {
        const Tensor *tensor = &golden->tensors[t];
        const float *actual = golden->gradient + tensor->offset;
        double *expected = golden_doubles(golden, "grad", tensor->name, tensor->size);
        compare_tensor(golden, tensor, actual, expected, NULL, 1e-5, &bounds->gradient);
        for (size_t e = 0; e < tensor->size; e++) {
            if (!is_key_bias(golden, tensor, e)) continue;
            assert_near(actual[e], 0.0, 1e-7);
            bounds->zero_gradient = fmax(bounds->zero_gradient, fabs(actual[e]));
        }
        free(expected);
    }
    free(dpred);
}

/* Ten steps of training on the file's own prompts, loss and all. */
static void check_adam(const Golden *golden, const Kernels *kernels, Bounds *bounds) {
    enum { STEPS = 10 };
    const double rate = 1e-3;
    size_t count = golden->parameters_count;
    float *m = calloc(count, sizeof(float)), *v = calloc(count, sizeof(float)), *start = calloc(count, sizeof(float));
    double *losses = golden_doubles(golden, "adam10", "loss", STEPS);
    memcpy(start, golden->parameters, count * sizeof(float));
    for (int step = 1; step <= STEPS; step++) {
        double scale = 1.0 / golden->prompts.n;
        forward(golden);
        double loss = objective_loss(OBJECTIVE_PLACKETT_LUCE, &golden->prompts, golden->pred, scale, golden->dpred);
        assert_near(loss * scale, losses[step - 1], 2e-6 * losses[step - 1]);
        memset(golden->gradient, 0, count * sizeof(float));
        model_backward(golden->model, golden->dpred, golden->gradient);
        kernels->adam(count, step, rate, golden->gradient, m, v, golden->parameters);
    }
    for (int t = 0; t < golden->n_tensors; t++) {
        const Tensor *tensor = &golden->tensors[t];
        double *expected = golden_doubles(golden, "adam10", tensor->name, tensor->size);
        double *slope = golden_doubles(golden, "grad", tensor->name, tensor->size);
        compare_tensor(golden, tensor, golden->parameters + tensor->offset, expected, slope, 1e-4, &bounds->adam);
        for (size_t e = 0; e < tensor->size; e++)
            if (is_key_bias(golden, tensor, e))
                assert_near(golden->parameters[tensor->offset + e], start[tensor->offset + e], STEPS * rate);
        free(expected);
        free(slope);
    }
    free(losses);
    free(m);
    free(v);
    free(start);
}

static void check_all_files(const Kernels *kernels) {
    Bounds bounds = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Golden golden = golden_open(names[i], kernels);
        check_predictions(&golden, &bounds);
        check_gradients(&golden, &bounds);
        check_adam(&golden, kernels, &bounds);
        golden_close(&golden);
    }
    print_message("%s: largest errors: pred %.1e, gradients %.1e (key biases %.1e), parameters after 10 steps %.1e\n",
                  kernels->name, bounds.pred, bounds.gradient, bounds.zero_gradient, bounds.adam);
}

static void the_best_path_agrees_with_pytorch(void **state) {
    (void)state;
    const Kernels *kernels;
    assert_int_equal(kernels_select(NULL, &kernels, NULL), STATUS_OK);
    check_all_files(kernels);
}

static void every_other_path_agrees_with_pytorch(void **state) {
    (void)state;
    for (int i = 1; kernels_at(i); i++)
        check_all_files(kernels_at(i));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_path_agrees_with_pytorch),
        cmocka_unit_test(every_other_path_agrees_with_pytorch),
    };
    return run_tests(tests, argc, argv);
}
