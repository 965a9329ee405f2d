/* Results of a grid as large as one gets, made up, to time analyze and export on.
 *
 *     bench_analyze DIR [CONFIGURATIONS [SEEDS]]      (default 3360 x 10: 168,000 cells, 10 million rows of CSV)
 *     command time -v palinode analyze DIR
 *     command time -v palinode export DIR --format csv -o /dev/null
 *
 * Configurations are depths x batches x rates; five critic qualities each, 20 points, no baselines. Two claims are
 * declared. Every value is a pure function of the settings, noise included. */
#include "jobs/settings/identity.h"
#include "proto/base/rng.h"
#include "proto/wire/codec.h"
#include "proto/wire/record_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTHS = 16, BATCHES = 14, POINTS = 20, QUALITIES = 5 };

static TrainingSpec spec_of(int configuration, uint32_t seed) {
    TrainingSpec spec = settings_default().training;
    spec.model.n_layer = 1 + configuration % DEPTHS;
    spec.train.batch_size = 64 * (1 + configuration / DEPTHS % BATCHES);
    spec.train.learning_rate = 1e-5 * (1 + configuration / DEPTHS / BATCHES);
    spec.seed = seed;
    return spec;
}

static Record training_of(const TrainingSpec *spec) {
    static char nothing[1] = "", fingerprint[] = "numerics 1; kernels made up; no BLAS", host[] = "here";
    Record record = {.kind = RECORD_TRAINING};
    record.of.training = (TrainingRecord){.training_id = training_id(spec),
                                          .spec = *spec,
                                          .reason = nothing,
                                          .attempts = 1,
                                          .steps_done = spec->train.steps,
                                          .final_loss = 14.5,
                                          .fingerprint = fingerprint,
                                          .flops = 1e12,
                                          .wall_s = 60,
                                          .host = host,
                                          .ended_unix_ms = 1733821200123};
    return record;
}

/* Rises with depth and quality; of every seed a little different. */
static void fill_curves(Curves *curves, const TrainingSpec *spec, double quality) {
    float noise[METRIC_COUNT * POINTS];
    RngStream stream = {RNG_BOOTSTRAP, spec->seed, (uint32_t)(100 * quality),
                        (uint32_t)(spec->model.n_layer * 100000 + spec->train.batch_size)};
    rng_normal(stream, 0, METRIC_COUNT * POINTS, noise);
    for (int i = 0; i < METRIC_COUNT * POINTS; i++) {
        curves->value[i] = 0.02 * spec->model.n_layer + 0.3 * quality + 0.01 * (i % POINTS) + 0.02 * (double)noise[i];
        curves->standard_error[i] = 0.01;
    }
}

static Record cell_of(const TrainingSpec *spec, double quality, const Curves *curves) {
    static char fingerprint[] = "numerics 1; kernels made up; no BLAS";
    EvaluationSettings evaluation = settings_default().evaluation;
    CriticSettings critic = settings_default().critic;
    critic.quality = quality;
    Record record = {.kind = RECORD_CELL};
    record.of.cell = (CellRecord){.training_id = training_id(spec),
                                  .critic = critic,
                                  .prompts = evaluation.prompts,
                                  .self_check_accuracy = 0.5 + quality / 2,
                                  .curves = *curves,
                                  .fingerprint = fingerprint};
    record.of.cell.cell_id = cell_id(record.of.cell.training_id, &critic, &evaluation);
    return record;
}

static Record header_of(int seeds) {
    static char text[1024], nothing[1] = "", content[] = "records", name[] = "bench-analyze";
    snprintf(
        text, sizeof text,
        "name: bench-analyze\nmodel: {n_layer: [1, 2, 4, 8, 16]}\ntrain: {batch_size: 64, learning_rate: 1.0e-5}\n"
        "evaluate: {critique_quality: [1, 0.75, 0.5, 0.25, 0]}\nseeds: %d\nclaims:\n"
        "  - {id: depth, test: trend, metric: kendall_tau, over: model.n_layer, direction: increasing, where: "
        "{critique_quality: 1}}\n"
        "  - {id: quality, test: regression, metric: kendall_tau, over: critique_quality, on: self_check_accuracy, "
        "where: {model.n_layer: 8}}\n",
        seeds);
    Record record = {.kind = RECORD_HEADER};
    record.of.header = (HeaderRecord){.schema = SCHEMA_VERSION,
                                      .content = content,
                                      .version = nothing,
                                      .commit = nothing,
                                      .build = nothing,
                                      .mpi = nothing,
                                      .blas = nothing,
                                      .cpu = nothing,
                                      .host = nothing,
                                      .rank_hosts = nothing,
                                      .scheduler = nothing,
                                      .command_line = nothing,
                                      .job_name = name,
                                      .job_text = text,
                                      .n_ranks = 1,
                                      .n_workers = 1,
                                      .fingerprint = nothing};
    return record;
}

static Status write_results(RecordWriter *writer, int configurations, int seeds, Error *err) {
    Curves curves;
    Status status = curves_create(&curves, POINTS, err);
    for (int configuration = 0; configuration < configurations; configuration++)
        for (int seed = 0; seed < seeds && status == STATUS_OK; seed++) {
            TrainingSpec spec = spec_of(configuration, (uint32_t)seed);
            Record training = training_of(&spec);
            status = record_writer_append(writer, &training, NULL, err);
            for (int q = 0; q < QUALITIES && status == STATUS_OK; q++) {
                fill_curves(&curves, &spec, q / 4.0);
                Record cell = cell_of(&spec, q / 4.0, &curves);
                status = record_writer_append(writer, &cell, NULL, err);
            }
        }
    curves_free(&curves);
    return status != STATUS_OK ? status : record_writer_sync(writer, err);
}

int main(int argc, char **argv) {
    int configurations = argc > 2 ? atoi(argv[2]) : 3360, seeds = argc > 3 ? atoi(argv[3]) : 10;
    if (argc < 2 || argc > 4 || configurations < 1 || seeds < 1) {
        fprintf(stderr, "usage: bench_analyze DIR [CONFIGURATIONS [SEEDS]]\n");
        return STATUS_USAGE;
    }
    char path[4096];
    Error err;
    RecordWriter *writer = NULL;
    Record header = header_of(seeds);
    snprintf(path, sizeof path, "%s/records-0001.tfrecord", argv[1]);
    mkdir(argv[1], 0777);
    Status status = record_writer_create(path, &header, &writer, &err);
    if (status == STATUS_OK) status = write_results(writer, configurations, seeds, &err);
    record_writer_close(writer);
    if (status != STATUS_OK) {
        fprintf(stderr, "bench_analyze: %s\n", err.text);
        return (int)status;
    }
    printf("%s: %d configurations x %d seeds x %d critics: %.1f million rows of CSV\n", path, configurations, seeds,
           QUALITIES, 1e-6 * configurations * seeds * QUALITIES * METRIC_COUNT * POINTS);
    return 0;
}
