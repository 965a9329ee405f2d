/* The bits of tiny trainings, on offline prompts and on the model's own rollouts, and of a tiny cell with rounds: they
 * change only together with the numerics version of the fingerprint.
 *
 * Equal fingerprints promise equal bits, over program versions too. Whoever changes the bits raises the version in
 * kernels_fingerprint and adds the new hashes here; a fingerprint that is not listed (another CPU or library) is
 * skipped. */
#include "proto/wire/codec.h"
#include "tests/harness.h"
#include "worker/train/train.h"
#include "worker/work/run_work.h"

#include <math.h>
#include <stdlib.h>

static const uint64_t HASH_START = 14695981039346656037u;

/* FNV-1a over bytes, going on from a hash. */
static uint64_t hash_on(uint64_t hash, const void *values, size_t size) {
    const unsigned char *bytes = values;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

static uint64_t trained_bits(const Kernels *kernels, Precision precision, TrainContext context) {
    TrainingSpec spec = {.model = {.n_layer = 2, .n_head = 2, .n_embd = 12, .ffn = true, .causal = true},
                         .task = {.n_dims = 3, .n_points = 6},
                         .train = {.steps = 20,
                                   .batch_size = 12,
                                   .gradient_shards = 3,
                                   .learning_rate = 1e-3,
                                   .context = context,
                                   .critic_quality = 0.9,
                                   .clip_norm = 1,
                                   .warmup_steps = 5,
                                   .precision = precision,
                                   .on_policy_share = 0.6,
                                   .exploration = 1},
                         .seed = 7};
    Shape shape = shape_of(&spec.model, &spec.task);
    size_t count = tensors_parameters(&shape);
    float *parameters = malloc(count * sizeof *parameters);
    TrainResult result = {0};
    Error err = {{0}};
    assert_non_null(parameters);
    tensors_init(&shape, spec.seed, parameters);
    if (train(&spec, kernels, NULL, parameters, NULL, NULL, &result, &err) != STATUS_OK) fail_msg("%s", err.text);
    assert_false(result.diverged);
    uint64_t hash = hash_on(HASH_START, parameters, count * sizeof *parameters);
    train_result_free(&result);
    free(parameters);
    return hash;
}

static const struct {
    const char *fingerprint;
    uint64_t offline, mixed;
} known[] = {
    {"numerics 2; kernels reference; OpenBLAS 0.3.21 Cooperlake; libm 2.36", 0x3ad66fa38cb902f8, 0x8ee082f417a100b6},
    {"numerics 2; kernels portable; OpenBLAS 0.3.21 Cooperlake; libm 2.36", 0xf4edd75713916013, 0x477b5e16b3caea41},
    {"numerics 2; kernels avx2; OpenBLAS 0.3.21 Cooperlake; libm 2.36", 0x5d2fb1c927bdf9aa, 0xc82696bd93b72b38},
    {"numerics 2; kernels avx512; OpenBLAS 0.3.21 Cooperlake; libm 2.36", 0xe630275306561dc9, 0x8a30aba6b275767a},
    {"numerics 2; kernels reference-bf16; OpenBLAS 0.3.21 Cooperlake; libm 2.36", 0xe6b5877119e44544,
     0x8d050a989b2773cb},
    {"numerics 2; kernels avx512bf16; OpenBLAS 0.3.21 Cooperlake; libm 2.36", 0x1af045e8a15283e2, 0x5972498f93b0dacb},
};

/* NaN has many bit patterns, none of them a promise. */
static uint64_t hash_numbers(uint64_t hash, const double *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i])) hash = hash_on(hash, &values[i], sizeof values[i]);
    return hash;
}

/* Of the curves and rounds of an untrained model under a noisy critic. */
static uint64_t measured_bits(char *kernels) {
    CriticOrder order = {.critic = {.quality = 0.6}};
    WorkItem item = {.kind = WORK_EVALUATION,
                     .spec = {.model = {.n_layer = 2, .n_head = 2, .n_embd = 12, .ffn = true, .causal = true},
                              .task = {.n_dims = 3, .n_points = 8},
                              .seed = 7},
                     .evaluation = {.prompts = 21, .rounds = 5, .initial_responses = 2, .right_cosine = 0.5},
                     .n_orders = 1,
                     .orders = &order,
                     .kernels = kernels};
    Shape shape = shape_of(&item.spec.model, &item.spec.task);
    item.n_parameters = (int64_t)tensors_parameters(&shape);
    item.parameters = malloc((size_t)item.n_parameters * sizeof(float));
    assert_non_null(item.parameters);
    tensors_init(&shape, item.spec.seed, item.parameters);
    Error err = {{0}};
    Message done = {.kind = MESSAGE_DONE};
    if (run_work(&item, 0, "", NULL, NULL, &done.of.done, &err) != STATUS_OK) fail_msg("%s", err.text);
    const CellRecord *cell = &done.of.done.records[0].of.cell;
    size_t points = METRIC_COUNT * (size_t)cell->curves.n_points;
    size_t rounds = ROUND_METRIC_COUNT * (size_t)cell->rounds.count;
    uint64_t hash = hash_numbers(HASH_START, cell->curves.value, points);
    hash = hash_numbers(hash, cell->rounds.value, rounds);
    hash = hash_numbers(hash, cell->rounds.standard_error, rounds);
    hash = hash_numbers(hash, &cell->rounds.self_check_accuracy, 1);
    message_free(&done);
    free(item.parameters);
    return hash;
}

static const struct {
    const char *fingerprint;
    uint64_t measured;
} known_cells[] = {
    {"numerics 2; kernels reference; OpenBLAS 0.3.21 Cooperlake; libm 2.36", 0x314fb901ac9339df},
    {"numerics 2; kernels portable; OpenBLAS 0.3.21 Cooperlake; libm 2.36", 0x2841842965a71bcb},
    {"numerics 2; kernels avx2; OpenBLAS 0.3.21 Cooperlake; libm 2.36", 0xd1117ebcea1b57c6},
    {"numerics 2; kernels avx512; OpenBLAS 0.3.21 Cooperlake; libm 2.36", 0x0080dc2b77c571a9},
};

static void bits_of_a_cell_change_only_with_the_numerics_version(void **state) {
    char paths[][16] = {"reference", "portable", "avx2", "avx512"};
    int checked = 0;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const Kernels *kernels;
        char fingerprint[256];
        if (kernels_select(paths[i], &kernels, NULL) != STATUS_OK) continue;
        kernels_fingerprint(kernels, fingerprint, sizeof fingerprint);
        uint64_t measured = measured_bits(paths[i]);
        print_message("{\"%s\", 0x%016llx},\n", fingerprint, (unsigned long long)measured);
        assert_true(measured_bits(paths[i]) == measured);
        for (size_t k = 0; k < sizeof known_cells / sizeof known_cells[0]; k++)
            if (strcmp(known_cells[k].fingerprint, fingerprint) == 0) {
                assert_true(known_cells[k].measured == measured);
                checked++;
            }
    }
    if (checked == 0) skip();
}

static void bits_change_only_with_the_numerics_version(void **state) {
    static const char *const paths[] = {"reference", "portable", "avx2", "avx512"};
    int checked = 0;
    for (size_t i = 0; i < 2 * sizeof paths / sizeof paths[0]; i++) {
        Precision precision = i % 2 ? PRECISION_BF16 : PRECISION_FLOAT32;
        const Kernels *kernels;
        char fingerprint[256];
        if (kernels_select(paths[i / 2], &kernels, NULL) != STATUS_OK) continue;
        kernels_fingerprint(kernels_with_precision(kernels, precision), fingerprint, sizeof fingerprint);
        uint64_t offline = trained_bits(kernels, precision, CONTEXT_OFFLINE);
        uint64_t mixed = trained_bits(kernels, precision, CONTEXT_MIXED);
        print_message("{\"%s\", 0x%016llx, 0x%016llx},\n", fingerprint, (unsigned long long)offline,
                      (unsigned long long)mixed);
        assert_true(trained_bits(kernels, precision, CONTEXT_OFFLINE) == offline);
        assert_true(trained_bits(kernels, precision, CONTEXT_MIXED) == mixed);
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            if (strcmp(known[k].fingerprint, fingerprint) == 0) {
                assert_true(known[k].offline == offline && known[k].mixed == mixed);
                checked++;
            }
    }
    if (checked == 0) skip();
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_change_only_with_the_numerics_version),
        cmocka_unit_test(bits_of_a_cell_change_only_with_the_numerics_version),
    };
    return run_tests(tests, argc, argv);
}
