/* See record_content.h. Contents are compared as encoded bytes without provenance, so that no field can be forgotten;
 * only then is it found out which of them differs most. */
#include "proto/wire/record_content.h"

#include "proto/wire/codec.h"
#include "proto/wire/record_file.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *record_kind_name(RecordKind kind) {
    static const char *const names[] = {"record",   "header", "training", "cell",
                                        "baseline", "model",  "end",      "checkpoint"};
    return names[kind <= RECORD_CHECKPOINT ? kind : 0];
}

bool record_has_id(const Record *record) {
    return record->kind == RECORD_TRAINING || record->kind == RECORD_CELL || record->kind == RECORD_BASELINE ||
           record->kind == RECORD_MODEL;
}

Id record_id(const Record *record) {
    assert(record_has_id(record));
    return record->kind == RECORD_TRAINING   ? record->of.training.training_id
           : record->kind == RECORD_CELL     ? record->of.cell.cell_id
           : record->kind == RECORD_BASELINE ? record->of.baseline.baseline_id
                                             : record->of.model.training_id;
}

const char *record_fingerprint(const Record *record) {
    assert(record_has_id(record));
    return record->kind == RECORD_TRAINING   ? record->of.training.fingerprint
           : record->kind == RECORD_CELL     ? record->of.cell.fingerprint
           : record->kind == RECORD_BASELINE ? record->of.baseline.fingerprint
                                             : record->of.model.fingerprint;
}

/* NULL stands for "", as everywhere before a record is encoded. */
static bool is_said(const char *text) {
    return text != NULL && text[0] != '\0';
}

bool record_is_failure(const Record *record) {
    return (record->kind == RECORD_TRAINING && record->of.training.outcome == OUTCOME_FAILED) ||
           (record->kind == RECORD_CELL && is_said(record->of.cell.failure)) ||
           (record->kind == RECORD_BASELINE && is_said(record->of.baseline.failure));
}

void record_cell_evaluation(const CellRecord *cell, EvaluationSettings *evaluation) {
    evaluation->prompts = cell->prompts;
    evaluation->rounds = cell->rounds.count > 0 ? cell->rounds.count - 1 : 0;
    if (evaluation->rounds == 0) return;
    evaluation->initial_responses = cell->rounds.initial_responses;
    evaluation->right_cosine = cell->rounds.right_cosine;
}

/* Encodes a record without its provenance and fingerprint. */
static Status encode_content(const Record *record, Bytes *out, Error *err) {
    Record content = *record; /* borrows what the record owns */
    if (record->kind == RECORD_TRAINING) {
        TrainingRecord *training = &content.of.training;
        training->flops = training->wall_s = training->cpu_s = 0;
        training->peak_memory_bytes = training->ended_unix_ms = 0;
        training->attempts = training->rank = 0;
        training->host = training->fingerprint = "";
    } else if (record->kind == RECORD_CELL) {
        content.of.cell.wall_s = 0;
        content.of.cell.fingerprint = "";
    } else if (record->kind == RECORD_BASELINE) {
        content.of.baseline.wall_s = 0;
        content.of.baseline.fingerprint = "";
    } else if (record->kind == RECORD_MODEL) {
        content.of.model.fingerprint = "";
    }
    return record_encode(&content, out, err);
}

Status record_rank(const Record *record, RecordRank *out, Error *err) {
    Bytes content = {0};
    Status status = encode_content(record, &content, err);
    if (status != STATUS_OK) return status;
    *out = (RecordRank){.failure = record_is_failure(record),
                        .fingerprint = record_fingerprint(record),
                        .checksum = crc32c(content.data, content.size)};
    bytes_free(&content);
    return STATUS_OK;
}

bool record_rank_before(const RecordRank *a, const RecordRank *b) {
    if (a->failure != b->failure) return b->failure;
    int order = strverscmp(a->fingerprint, b->fingerprint);
    return order != 0 ? order > 0 : a->checksum < b->checksum;
}

bool record_rank_conflict(const RecordRank *a, const RecordRank *b) {
    return !a->failure && !b->failure && a->checksum != b->checksum && strcmp(a->fingerprint, b->fingerprint) == 0;
}

/* --- what differs most ------------------------------------------------------------------------------------------ */

/* The largest differences so far: of numbers with a standard error in units of it, of others in proportion. */
typedef struct Search {
    RecordDifference measured, other;
    double proportion; /* of other; -1: none yet */
} Search;

static bool same_bits(double a, double b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

/* |a - b| / unit; infinite where one is undefined or unit is 0. */
static double in_units(double a, double b, double unit) {
    if (isnan(a) && isnan(b)) return 0;
    double difference = fabs(a - b);
    return difference == 0 ? 0 : unit > 0 && isfinite(difference) ? difference / unit : INFINITY;
}

static void consider(Search *search, double a, double b, const char *format, ...) __attribute__((format(printf, 4, 5)));
static void consider(Search *search, double a, double b, const char *format, ...) {
    double proportion = in_units(a, b, fmax(fabs(a), fabs(b)));
    if (same_bits(a, b) || !(proportion > search->proportion)) return;
    search->proportion = proportion;
    search->other = (RecordDifference){.differs = true, .a = a, .b = b, .standard_errors = NAN};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(search->other.what, sizeof search->other.what, format, arguments);
    va_end(arguments);
}

/* A curve of count values with their standard errors, by round or by number of examples. */
static void consider_curve(Search *search, const char *metric, bool by_round, int count, const double *values[2],
                           const double *errors[2]) {
    char what[sizeof search->other.what / 2];
    for (int i = 0; i < count; i++) {
        double a = values[0][i], b = values[1][i];
        snprintf(what, sizeof what, by_round ? "%s at round %d" : "%s with %d examples", metric, i);
        consider(search, errors[0][i], errors[1][i], "the standard error of %s", what);
        double distance = in_units(a, b, fmax(errors[0][i], errors[1][i]));
        RecordDifference *best = &search->measured;
        if (same_bits(a, b) || (best->differs && !(distance > best->standard_errors))) continue;
        *best = (RecordDifference){.differs = true, .a = a, .b = b, .standard_errors = distance};
        memcpy(best->what, what, sizeof what);
    }
}

static void consider_curves(Search *search, const Curves *a, const Curves *b) {
    consider(search, a->n_points, b->n_points, "the number of points of the curves");
    if (a->n_points != b->n_points || a->n_points == 0) return;
    for (Metric metric = 0; metric < METRIC_COUNT; metric++) {
        size_t at = curves_at(a, metric, 0);
        const double *values[] = {a->value + at, b->value + at};
        const double *errors[] = {a->standard_error + at, b->standard_error + at};
        consider_curve(search, metric_name(metric), false, a->n_points, values, errors);
    }
}

static void consider_rounds(Search *search, const RoundCurves *a, const RoundCurves *b) {
    consider(search, a->count, b->count, "the number of rounds");
    if (a->count != b->count || a->count == 0) return;
    for (int metric = 0; metric < ROUND_METRIC_COUNT; metric++) {
        size_t at = (size_t)metric * (size_t)a->count;
        const double *values[] = {a->value + at, b->value + at};
        const double *errors[] = {a->standard_error + at, b->standard_error + at};
        consider_curve(search, round_metric_name((RoundMetric)metric), true, a->count, values, errors);
    }
    consider(search, a->self_check_accuracy, b->self_check_accuracy, "self_check_accuracy of the rounds");
}

static void consider_trainings(Search *search, const TrainingRecord *a, const TrainingRecord *b) {
    static const char *const outcomes[] = {"done", "diverged", "failed"};
    if (a->outcome != b->outcome)
        consider(search, NAN, INFINITY, "outcome, %s and %s", outcomes[a->outcome], outcomes[b->outcome]);
    consider(search, (double)a->steps_done, (double)b->steps_done, "steps_done");
    consider(search, a->final_loss, b->final_loss, "final_loss");
    consider(search, a->n_loss, b->n_loss, "the length of the loss curve");
    for (int i = 0; a->n_loss == b->n_loss && i < a->n_loss; i++)
        consider(search, a->loss[i], b->loss[i], "the loss up to step %lld", (long long)a->loss_step[i]);
}

static void consider_models(Search *search, const ModelRecord *a, const ModelRecord *b) {
    consider(search, (double)a->n_parameters, (double)b->n_parameters, "the number of parameters");
    for (int64_t i = 0; a->n_parameters == b->n_parameters && i < a->n_parameters; i++)
        consider(search, (double)a->parameters[i], (double)b->parameters[i], "parameter %lld of %lld", (long long)i,
                 (long long)a->n_parameters);
}

static void find_difference(const Record *a, const Record *b, RecordDifference *out) {
    Search search = {.proportion = -1};
    if (a->kind == RECORD_TRAINING) {
        consider_trainings(&search, &a->of.training, &b->of.training);
    } else if (a->kind == RECORD_MODEL) {
        consider_models(&search, &a->of.model, &b->of.model);
    } else if (a->kind == RECORD_CELL) {
        consider_curves(&search, &a->of.cell.curves, &b->of.cell.curves);
        consider_rounds(&search, &a->of.cell.rounds, &b->of.cell.rounds);
        consider(&search, a->of.cell.self_check_accuracy, b->of.cell.self_check_accuracy, "self_check_accuracy");
    } else if (a->kind == RECORD_BASELINE) {
        consider_curves(&search, &a->of.baseline.curves, &b->of.baseline.curves);
        consider(&search, a->of.baseline.self_check_accuracy, b->of.baseline.self_check_accuracy,
                 "self_check_accuracy");
    }
    *out = search.measured.differs ? search.measured : search.other;
    if (out->differs) return;
    *out = (RecordDifference){.differs = true, .a = NAN, .b = NAN, .standard_errors = NAN};
    snprintf(out->what, sizeof out->what, "the settings or another field that is no measurement");
}

Status record_compare(const Record *a, const Record *b, RecordDifference *out, Error *err) {
    assert(a->kind == b->kind);
    Bytes contents[2] = {{0}};
    *out = (RecordDifference){.a = NAN, .b = NAN, .standard_errors = NAN};
    Status status = encode_content(a, &contents[0], err);
    if (status == STATUS_OK) status = encode_content(b, &contents[1], err);
    if (status == STATUS_OK &&
        (contents[0].size != contents[1].size || memcmp(contents[0].data, contents[1].data, contents[0].size) != 0))
        find_difference(a, b, out);
    bytes_free(&contents[0]);
    bytes_free(&contents[1]);
    return status;
}

const char *record_difference_text(const RecordDifference *difference, char *text, size_t text_bytes) {
    int used = snprintf(text, text_bytes, "%s", difference->differs ? difference->what : "nothing");
    bool numbers = !(isnan(difference->a) && isnan(difference->b)) && !isinf(difference->b);
    if (numbers && used < (int)text_bytes)
        used += snprintf(text + used, text_bytes - (size_t)used, ": %.9g against %.9g", difference->a, difference->b);
    if (!isnan(difference->standard_errors) && used < (int)text_bytes)
        snprintf(text + used, text_bytes - (size_t)used, ", %.3g standard errors", difference->standard_errors);
    return text;
}
