/* Objectives against PyTorch in float64: losses and their derivatives with respect to the predictions.
 *
 * The files' predictions are F64; rounding them to float moves losses and derivatives by about 1e-7. */
#include "tests/harness.h"
#include "worker/files/safetensors.h"
#include "worker/train/objective.h"

#include <math.h>
#include <stdlib.h>

static const char *const files[] = {"softmax_ffn",      "one_head",      "no_ffn",
                                    "linear_attention", "twenty_points", "not_causal"};

/* The tensor as floats (malloc'd). */
static float *floats_of(const SafeTensorsFile *file, const char *name) {
    const SafeTensor *tensor = safetensors_find(file, name);
    if (tensor == NULL) fail_msg("no tensor %s", name);
    float *values = malloc(tensor->count * sizeof *values);
    safetensors_floats(tensor, values);
    return values;
}

static double *doubles_of(const SafeTensorsFile *file, const char *name) {
    const SafeTensor *tensor = safetensors_find(file, name);
    if (tensor == NULL) fail_msg("no tensor %s", name);
    double *values = malloc(tensor->count * sizeof *values);
    safetensors_doubles(tensor, values);
    return values;
}

static void compare(const SafeTensorsFile *file, Objective objective) {
    const SafeTensor *xs = safetensors_find(file, "in.xs");
    assert_non_null(xs);
    Prompts prompts = {.n = (int)xs->shape[0], .N = (int)xs->shape[1], .d = (int)xs->shape[2]};
    size_t count = xs->count;
    prompts.ys = floats_of(file, "in.ys");
    prompts.seen = floats_of(file, "in.rs");
    prompts.y_star = floats_of(file, "in.y_star");
    float *pred = floats_of(file, "out.pred"), *dpred = malloc(count * sizeof *dpred);
    char name[64];
    snprintf(name, sizeof name, "loss.%s", objective_name(objective));
    double *loss = doubles_of(file, name);
    snprintf(name, sizeof name, "dpred.%s", objective_name(objective));
    double *expected = doubles_of(file, name);

    double mean = objective_loss(objective, &prompts, pred, 1.0 / prompts.n, dpred) / prompts.n;
    assert_near(mean, *loss, 2e-6 * fabs(*loss));
    double largest = 0;
    for (size_t k = 0; k < count; k++)
        largest = fmax(largest, fabs(expected[k]));
    assert_true(largest > 0);
    for (size_t k = 0; k < count; k++)
        assert_near(dpred[k], expected[k], 2e-6 * largest);

    free(prompts.ys);
    free(prompts.seen);
    free(prompts.y_star);
    free(pred);
    free(dpred);
    free(loss);
    free(expected);
}

static void compare_all(Objective objective) {
    for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
        char path[512];
        snprintf(path, sizeof path, TESTS_DIR "/golden/%s.safetensors", files[k]);
        SafeTensorsFile *file = NULL;
        Error err;
        if (safetensors_open(path, &file, &err) != STATUS_OK) fail_msg("%s", err.text);
        compare(file, objective);
        safetensors_close(file);
    }
}

static void plackett_luce_agrees_with_pytorch(void **state) {
    (void)state;
    compare_all(OBJECTIVE_PLACKETT_LUCE);
}

static void bradley_terry_agrees_with_pytorch(void **state) {
    (void)state;
    compare_all(OBJECTIVE_BRADLEY_TERRY);
}

static void cosine_agrees_with_pytorch(void **state) {
    (void)state;
    compare_all(OBJECTIVE_COSINE);
}

static void mse_agrees_with_pytorch(void **state) {
    (void)state;
    compare_all(OBJECTIVE_MSE);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plackett_luce_agrees_with_pytorch),
        cmocka_unit_test(bradley_terry_agrees_with_pytorch),
        cmocka_unit_test(cosine_agrees_with_pytorch),
        cmocka_unit_test(mse_agrees_with_pytorch),
    };
    return run_tests(tests, argc, argv);
}
