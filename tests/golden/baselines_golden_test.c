/* Baselines and metrics against PyTorch in float64, on prompts whose critic has quality 0.5. */
#include "tests/harness.h"
#include "worker/files/safetensors.h"
#include "worker/measure/curves.h"
#include "worker/measure/predictors.h"

#include <stdlib.h>

enum { PROMPTS = 16, N = 8, D = 5, SIZES = N - 2 };
static const double TOLERANCE = 2e-7; /* reached: 6e-8, the rounding of predictions to float */

static void read(const SafeTensorsFile *file, const char *name, size_t count, float *out) {
    const SafeTensor *tensor = safetensors_find(file, name);
    if (tensor == NULL) fail_msg("no tensor %s", name);
    assert_int_equal(tensor->count, count);
    safetensors_floats(tensor, out);
}

static void compare(Predictor predictor) {
    static float xs[PROMPTS * N * D], ys[PROMPTS * N * D], y_star[PROMPTS * N * D], rs[PROMPTS * N], seen[PROMPTS * N];
    static float gd_start[PROMPTS * D * D], pred[PROMPTS * N * D];
    static double value[METRIC_COUNT][PROMPTS * N], expected[PROMPTS * SIZES];
    SafeTensorsFile *file = NULL;
    Error err;
    if (safetensors_open(TESTS_DIR "/golden/baselines.safetensors", &file, &err) != STATUS_OK) fail_msg("%s", err.text);
    read(file, "in.xs", PROMPTS * N * D, xs);
    read(file, "in.ys", PROMPTS * N * D, ys);
    read(file, "in.y_star", PROMPTS * N * D, y_star);
    read(file, "in.rs", PROMPTS * N, rs);
    read(file, "in.rs_seen", PROMPTS * N, seen);
    read(file, "in.gd_start", PROMPTS * D * D, gd_start);
    Prompts prompts = {.n = PROMPTS, .N = N, .d = D, .xs = xs, .ys = ys, .rs = rs, .seen = seen, .y_star = y_star};

    predictor_apply(predictor, &prompts, gd_start, 50, pred);
    double *const values[METRIC_COUNT] = {value[0], value[1], value[2]};
    metrics_per_prompt(&prompts, pred, values);
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        char name[64];
        snprintf(name, sizeof name, "out.%s.%s", predictor_name(predictor), metric_name((Metric)metric));
        const SafeTensor *tensor = safetensors_find(file, name);
        if (tensor == NULL) fail_msg("no tensor %s", name);
        assert_int_equal(tensor->count, PROMPTS * SIZES);
        safetensors_doubles(tensor, expected);
        for (int p = 0; p < PROMPTS; p++)
            for (int i = 2; i < N; i++)
                assert_near(value[metric][p * N + i], expected[p * SIZES + i - 2], TOLERANCE);
    }
    safetensors_close(file);
}

static void gradient_descent_agrees_with_pytorch(void **state) {
    (void)state;
    compare(PREDICTOR_GD);
}

static void the_mean_agrees_with_pytorch(void **state) {
    (void)state;
    compare(PREDICTOR_MEAN);
}

static void the_best_agrees_with_pytorch(void **state) {
    (void)state;
    compare(PREDICTOR_BEST);
}

static void the_contrast_agrees_with_pytorch(void **state) {
    (void)state;
    compare(PREDICTOR_CONTRAST);
}

static void the_extrapolation_agrees_with_pytorch(void **state) {
    (void)state;
    compare(PREDICTOR_EXACT);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_descent_agrees_with_pytorch),  cmocka_unit_test(the_mean_agrees_with_pytorch),
        cmocka_unit_test(the_best_agrees_with_pytorch),          cmocka_unit_test(the_contrast_agrees_with_pytorch),
        cmocka_unit_test(the_extrapolation_agrees_with_pytorch),
    };
    return run_tests(tests, argc, argv);
}
