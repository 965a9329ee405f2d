/* Records as a run would leave them, made up: for the tests of analysis. Values are simple functions of the settings,
 * so that a test can say what must come out. */
#ifndef TESTS_FAKE_RESULTS_H
#define TESTS_FAKE_RESULTS_H

#include "analysis/table.h"
#include "jobs/identity.h"

#include <math.h>
#include <stdlib.h>

enum { FAKE_POINTS = 8 };

/* What every fake metric is: larger with the quality and the examples, apart for every seed. */
static inline double fake_value(double quality, uint32_t seed, int examples) {
    return 0.5 * quality + 0.01 * examples + 0.001 * seed;
}

static inline TrainingSpec fake_spec(int n_layer, uint32_t seed) {
    TrainingSpec spec = settings_default().training;
    spec.model.n_layer = n_layer;
    spec.task.n_points = FAKE_POINTS;
    spec.seed = seed;
    return spec;
}

static inline CriticSettings fake_critic(double quality) {
    CriticSettings critic = settings_default().critic;
    critic.quality = quality;
    return critic;
}

static inline Record fake_training(const TrainingSpec *spec, Outcome outcome) {
    Record record = {.kind = RECORD_TRAINING};
    record.of.training =
        (TrainingRecord){.training_id = training_id(spec),
                         .spec = *spec,
                         .outcome = outcome,
                         .reason = strdup(outcome == OUTCOME_DONE ? "" : "killed by signal 9, \"why\""),
                         .attempts = 1,
                         .steps_done = 3000,
                         .final_loss = 14.5,
                         .n_loss = 2,
                         .loss_step = calloc(2, sizeof(int64_t)),
                         .loss = calloc(2, sizeof(double)),
                         .fingerprint = strdup("fake 1"),
                         .flops = 3e12,
                         .wall_s = 60,
                         .host = strdup("here"),
                         .ended_unix_ms = 1733821200123};
    record.of.training.loss_step[0] = 1500;
    record.of.training.loss_step[1] = 3000;
    record.of.training.loss[0] = 17;
    record.of.training.loss[1] = 14.5;
    return record;
}

static inline Curves fake_curves(double quality, uint32_t seed) {
    Curves curves;
    assert_int_equal(curves_create(&curves, FAKE_POINTS, NULL), STATUS_OK);
    for (int examples = 2; examples < FAKE_POINTS; examples++) {
        for (Metric metric = 0; metric < METRIC_COUNT; metric++) {
            curves.value[curves_at(&curves, metric, examples)] = fake_value(quality, seed, examples);
            curves.standard_error[curves_at(&curves, metric, examples)] = 0.0625;
        }
    }
    return curves;
}

/* What every metric of rounds is, exact in binary: larger with the quality and the round, apart for every seed. */
static inline double fake_round_value(double quality, uint32_t seed, int round) {
    return quality / 4 + round / 8.0 + seed / 1024.0;
}

static inline RoundCurves fake_rounds(double quality, uint32_t seed, int rounds) {
    RoundCurves curves;
    assert_int_equal(round_curves_create(&curves, rounds + 1, NULL), STATUS_OK);
    for (RoundMetric metric = 0; metric < ROUND_METRIC_COUNT; metric++)
        for (int round = metric < ROUND_IMPROVED ? 0 : 1; round <= rounds; round++) {
            curves.value[round_curves_at(&curves, metric, round)] = fake_round_value(quality, seed, round);
            curves.standard_error[round_curves_at(&curves, metric, round)] = 0.03125;
        }
    curves.self_check_accuracy = 0.25 + quality / 2;
    curves.initial_responses = 3;
    curves.right_cosine = 0.75;
    return curves;
}

static inline Record fake_cell(const TrainingSpec *spec, double quality) {
    EvaluationSettings evaluation = settings_default().evaluation;
    CriticSettings critic = fake_critic(quality);
    Record record = {.kind = RECORD_CELL};
    record.of.cell = (CellRecord){.training_id = training_id(spec),
                                  .critic = critic,
                                  .prompts = evaluation.prompts,
                                  .self_check_accuracy = 0.5 + quality / 2,
                                  .curves = fake_curves(quality, spec->seed),
                                  .fingerprint = strdup("fake 1")};
    record.of.cell.cell_id = cell_id(record.of.cell.training_id, &critic, &evaluation);
    return record;
}

static inline Record fake_baseline(const TrainingSpec *spec, double quality, Predictor predictor) {
    EvaluationSettings evaluation = settings_default().evaluation;
    CriticSettings critic = fake_critic(quality);
    Record record = {.kind = RECORD_BASELINE};
    record.of.baseline = (BaselineRecord){.task = spec->task,
                                          .seed = spec->seed,
                                          .critic = critic,
                                          .prompts = evaluation.prompts,
                                          .predictor = predictor,
                                          .gd_steps = predictor == PREDICTOR_GD ? 50 : 0,
                                          .self_check_accuracy = 0.5 + quality / 2,
                                          .curves = fake_curves(quality, spec->seed),
                                          .fingerprint = strdup("fake 1")};
    record.of.baseline.baseline_id = baseline_id(&spec->task, spec->seed, &critic, &evaluation, predictor);
    return record;
}

static inline Record fake_header(void) {
    Record record = {.kind = RECORD_HEADER};
    record.of.header = (HeaderRecord){.schema = SCHEMA_VERSION,
                                      .content = strdup("records"),
                                      .version = strdup("0"),
                                      .commit = strdup("abc"),
                                      .build = strdup("gcc"),
                                      .mpi = strdup("none"),
                                      .blas = strdup("none"),
                                      .cpu = strdup("a CPU"),
                                      .host = strdup("here"),
                                      .rank_hosts = strdup(""),
                                      .scheduler = strdup(""),
                                      .command_line = strdup("palinode run <job>"),
                                      .job_name = strdup("fake & job"),
                                      .job_text = strdup("name: fake\nmodel: {}\n"),
                                      .n_ranks = 1,
                                      .n_workers = 1,
                                      .started_unix_ms = 1733821100000};
    return record;
}

/* The same, measured in rounds as well. */
static inline Record fake_cell_with_rounds(const TrainingSpec *spec, double quality, int rounds) {
    Record record = fake_cell(spec, quality);
    CellRecord *cell = &record.of.cell;
    EvaluationSettings evaluation = settings_default().evaluation;
    cell->rounds = fake_rounds(quality, spec->seed, rounds);
    evaluation.rounds = rounds;
    evaluation.initial_responses = cell->rounds.initial_responses;
    evaluation.right_cosine = cell->rounds.right_cosine;
    cell->cell_id = cell_id(cell->training_id, &cell->critic, &evaluation);
    return record;
}

/* Adds a record to a table; frees what the table did not take. */
static inline void add_fake(Table *table, Record record) {
    Error err = {{0}};
    if (table_add(table, 0, &record, &err) != STATUS_OK) fail_msg("%s", err.text);
    if (record.kind != 0) record_free(&record);
}

/* A training with its cell and gd and mean baselines at qualities 1 and 0.5. */
static inline void add_fake_training(Table *table, TrainingSpec spec) {
    static const double qualities[] = {0.5, 1};
    add_fake(table, fake_training(&spec, OUTCOME_DONE));
    for (int i = 0; i < 2; i++) {
        add_fake(table, fake_cell(&spec, qualities[i]));
        add_fake(table, fake_baseline(&spec, qualities[i], PREDICTOR_MEAN));
        add_fake(table, fake_baseline(&spec, qualities[i], PREDICTOR_GD));
    }
}

/* depths x seeds, as add_fake_training, finished. */
static inline Table *fake_table(const int *depths, int n_depths, int n_seeds) {
    Table *table = table_create();
    assert_non_null(table);
    add_fake(table, fake_header());
    for (int seed = n_seeds - 1; seed >= 0; seed--)
        for (int i = 0; i < n_depths; i++)
            add_fake_training(table, fake_spec(depths[i], (uint32_t)seed));
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    return table;
}

#endif
