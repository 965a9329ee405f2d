/* Six rounds of self-correction against PyTorch in float64. */
#include "tests/harness.h"
#include "worker/files/model_file.h"
#include "worker/measure/rounds.h"

#include <math.h>
#include <stdlib.h>

enum { PROMPTS = 4, N = 10, D = 5, FIRST = 2, ROUNDS = 6, ANSWERS = ROUNDS + 1 };
static const double TOLERANCE = 1e-5; /* of the largest entry */

static void read(const SafeTensorsFile *file, const char *name, size_t count, float *out) {
    const SafeTensor *tensor = safetensors_find(file, name);
    if (tensor == NULL) fail_msg("no tensor %s", name);
    assert_int_equal(tensor->count, count);
    safetensors_floats(tensor, out);
}

static void compare(const SafeTensorsFile *file, const char *name, size_t count, const double *actual) {
    const SafeTensor *tensor = safetensors_find(file, name);
    double expected[PROMPTS * ANSWERS * D], largest = 0, worst = 0;
    if (tensor == NULL) fail_msg("no tensor %s", name);
    assert_int_equal(tensor->count, count);
    safetensors_doubles(tensor, expected);
    for (size_t k = 0; k < count; k++)
        largest = fmax(largest, fabs(expected[k]));
    for (size_t k = 0; k < count; k++) {
        assert_near(actual[k], expected[k], TOLERANCE * largest);
        worst = fmax(worst, fabs(actual[k] - expected[k]) / largest);
    }
    print_message("%s: largest error %.1e\n", name, worst);
}

static void check_rounds(const Kernels *kernels) {
    static const char path[] = TESTS_DIR "/golden/closed_loop.safetensors";
    static float xs[PROMPTS * N * D], ys[PROMPTS * N * D], y_star[PROMPTS * N * D], rs[PROMPTS * N], seen[PROMPTS * N];
    static float initial[PROMPTS * FIRST * D], answers[PROMPTS * ANSWERS * D];
    double values[PROMPTS * ANSWERS * D];
    SafeTensorsFile *file = NULL;
    ModelSettings settings;
    TaskSettings task;
    float *parameters = NULL;
    Model *model = NULL;
    ModelCache *cache = NULL;
    Error err;
    if (model_file_read(path, &settings, &task, &parameters, &err) != STATUS_OK ||
        safetensors_open(path, &file, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    read(file, "in.xs", PROMPTS * N * D, xs);
    read(file, "in.y_star", PROMPTS * N * D, y_star);
    read(file, "in.initial_responses", PROMPTS * FIRST * D, initial);
    for (int p = 0; p < PROMPTS; p++)
        memcpy(ys + p * N * D, initial + p * FIRST * D, FIRST * D * sizeof(float));
    Prompts prompts = {.n = PROMPTS, .N = N, .d = D, .xs = xs, .ys = ys, .rs = rs, .seen = seen, .y_star = y_star};

    Shape shape = shape_of(&settings, &task);
    assert_int_equal(model_create(&shape, kernels, 1, false, &model, &err), STATUS_OK);
    assert_int_equal(model_cache_create(&shape, MODEL_CACHE_PROMPTS, &cache, &err), STATUS_OK);
    model_set_parameters(model, parameters);
    const ClosedLoop loop = {.initial_responses = FIRST, .rounds = ROUNDS, .critic = {.quality = 1}};
    closed_loop_run(model, cache, &loop, &prompts, answers);

    for (int k = 0; k < PROMPTS * ANSWERS * D; k++)
        values[k] = answers[k];
    compare(file, "out.answers", PROMPTS * ANSWERS * D, values);
    for (int k = 0; k < PROMPTS * ROUNDS; k++)
        values[k] = seen[k / ROUNDS * N + FIRST + k % ROUNDS];
    compare(file, "out.rewards", PROMPTS * ROUNDS, values);
    for (int p = 0; p < PROMPTS; p++) {
        Prompts one = prompts_slice(&prompts, p, 1);
        RoundCurves curves = {0};
        assert_int_equal(round_curves_of(&one, ANSWERS, answers + p * ANSWERS * D, 0.9, &curves, &err), STATUS_OK);
        memcpy(values + p * ANSWERS, curves.value + round_curves_at(&curves, ROUND_NMSE, 0), ANSWERS * sizeof(double));
        round_curves_free(&curves);
    }
    compare(file, "out.nmse", PROMPTS * ANSWERS, values);

    model_cache_free(cache);
    model_free(model);
    free(parameters);
    safetensors_close(file);
}

static void rounds_agree_with_pytorch_on_every_path(void **state) {
    (void)state;
    for (int i = 0; kernels_at(i); i++)
        check_rounds(kernels_at(i));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rounds_agree_with_pytorch_on_every_path)};
    return run_tests(tests, argc, argv);
}
