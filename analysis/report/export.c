/* See export.h. The index is a binary tree of the C library (tsearch), a node per id. */
#include "analysis/report/export.h"

#include "analysis/output/columns.h"
#include "analysis/results/table.h"
#include "coordinator/journal/journal.h"
#include "proto/wire/record_content.h"

#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* A record of an id: the how manieth of its folder, and what decides between it and others. */
typedef struct Candidate {
    int folder, at;
    RecordRank rank; /* its fingerprint is one of the export's */
} Candidate;

/* What is known of an id after the first pass. */
typedef struct Entry {
    Id id;
    bool is_training, has_best;
    int in_folder;         /* records met in the folder of own */
    Candidate own, best;   /* the answer of the folder met last; the best of those before */
    int seen_folder, seen; /* in the second pass so far */
    TrainingSpec spec;
} Entry;

typedef struct Export {
    ExportTable table;
    RowWriter *rows;
    void *index; /* tree of Entry */
    int folder;  /* that is being read */
    char **fingerprints;
    int n_fingerprints;
    Settings defaults;
    HeaderRecord header; /* of the run being read, until its end is known */
    bool header_open;
    long orphans, runs, conflicts;
    Id first_conflict;
} Export;

const char *export_table_name(int table) {
    static const char *const names[] = {"metrics", "trainings", "loss", "provenance"};
    return table >= 0 && table < (int)(sizeof names / sizeof names[0]) ? names[table] : NULL;
}

/* --- index ------------------------------------------------------------------------------------------------------ */

static int compare_entries(const void *a, const void *b) {
    return memcmp(&((const Entry *)a)->id, &((const Entry *)b)->id, sizeof(Id));
}

static Entry *find_entry(const Export *export, Id id) {
    Entry key = {.id = id};
    Entry *const *node = tfind(&key, &export->index, compare_entries);
    return node != NULL ? *node : NULL;
}

/* The entry of an id, made when new; NULL: no memory. */
static Entry *make_entry(Export *export, Id id) {
    Entry *entry = find_entry(export, id);
    if (entry != NULL) return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    entry->id = id;
    if (tsearch(entry, &export->index, compare_entries) != NULL) return entry;
    free(entry);
    return NULL;
}

static const Id *id_of(const Record *record) {
    switch (record->kind) {
    case RECORD_TRAINING:
        return &record->of.training.training_id;
    case RECORD_CELL:
        return &record->of.cell.cell_id;
    case RECORD_BASELINE:
        return &record->of.baseline.baseline_id;
    case RECORD_HEADER:
    case RECORD_MODEL:
    case RECORD_END:
    case RECORD_CHECKPOINT:
        return NULL;
    }
    return NULL;
}

/* The export's own copy of a fingerprint, of which there are few; NULL: no memory. */
static const char *known_fingerprint(Export *export, const char *text) {
    for (int i = export->n_fingerprints; i > 0; i--) /* mostly the last one again */
        if (strcmp(export->fingerprints[i - 1], text) == 0) return export->fingerprints[i - 1];
    char **more = realloc(export->fingerprints, ((size_t) export->n_fingerprints + 1) * sizeof *more);
    if (more != NULL) export->fingerprints = more;
    char *copy = more != NULL ? strdup(text) : NULL;
    if (copy != NULL) export->fingerprints[export->n_fingerprints++] = copy;
    return copy;
}

/* The record that stands for an id. */
static const Candidate *taken(const Entry *entry) {
    return entry->has_best && !record_rank_before(&entry->own.rank, &entry->best.rank) ? &entry->best : &entry->own;
}

/* Takes a further record of an id into account. */
static void add_candidate(Export *export, Entry *entry, const RecordRank *rank) {
    bool first = entry->in_folder == 0;
    bool conflict = (!first && record_rank_conflict(&entry->own.rank, rank)) ||
                    (entry->has_best && record_rank_conflict(&entry->best.rank, rank));
    if (conflict && export->conflicts++ == 0) export->first_conflict = entry->id;
    if (!first && entry->own.folder != export->folder) {
        entry->best = *taken(entry);
        entry->has_best = true;
        entry->in_folder = 0;
    }
    int at = entry->in_folder++;
    if (at > 0 && rank->failure && !entry->own.rank.failure) return;
    entry->own = (Candidate){export->folder, at, *rank};
}

static Status index_record(void *context, uint64_t offset, Record *record, Error *err) {
    Export *export = context;
    const Id *id = id_of(record);
    RecordRank rank;
    export->runs += record->kind == RECORD_HEADER;
    if (id == NULL) return STATUS_OK;
    Status status = record_rank(record, &rank, err);
    if (status != STATUS_OK) return status;
    rank.fingerprint = known_fingerprint(export, rank.fingerprint);
    Entry *entry = rank.fingerprint != NULL ? make_entry(export, *id) : NULL;
    if (entry == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the index of results");
    if (record->kind == RECORD_TRAINING) entry->spec = record->of.training.spec;
    entry->is_training = record->kind == RECORD_TRAINING;
    add_candidate(export, entry, &rank);
    return STATUS_OK;
}

/* Whether this record is the one of its id that counts; what a live run added since the first pass is not looked at. */
static bool counts(Export *export, const Record *record) {
    Entry *entry = find_entry(export, *id_of(record));
    if (entry == NULL) return false;
    if (entry->seen_folder != export->folder) entry->seen = 0;
    entry->seen_folder = export->folder;
    const Candidate *one = taken(entry);
    return entry->seen++ == one->at && one->folder == export->folder &&
           !record_is_failure(record) == !one->rank.failure;
}

/* --- rows ------------------------------------------------------------------------------------------------------- */

/* One predictor under one critic; training NULL: a baseline. */
typedef struct Measurement {
    const Id *training, *cell;
    Settings settings;
    Predictor predictor;
    const char *fingerprint;
} Measurement;

static void begin_measurement(RowWriter *rows, const Measurement *of, const char *kind, double self_check_accuracy) {
    row_id(rows, "training_id", of->training);
    row_id(rows, "cell_id", of->cell);
    row_integer(rows, "seed", of->settings.training.seed);
    settings_columns(rows, &of->settings, of->predictor, true);
    row_text(rows, "predictor", predictor_name(of->predictor));
    row_text(rows, "kind", kind);
    row_number(rows, "self_check_accuracy", self_check_accuracy);
    row_keep(rows);
}

static void metric_row(RowWriter *rows, const Measurement *of, int index, const char *metric, double value,
                       double standard_error) {
    row_integer(rows, "index", index);
    row_text(rows, "metric", metric);
    row_number(rows, "value", value);
    row_number(rows, "standard_error", standard_error);
    row_text(rows, "fingerprint", of->fingerprint);
    row_end(rows);
}

static void example_rows(RowWriter *rows, const Measurement *of, double self_check_accuracy, const Curves *curves) {
    begin_measurement(rows, of, "examples", self_check_accuracy);
    for (Metric metric = 0; metric < METRIC_COUNT; metric++)
        for (int examples = 0; examples < curves->n_points; examples++) {
            size_t at = curves_at(curves, metric, examples);
            metric_row(rows, of, examples, metric_name(metric), curves->value[at], curves->standard_error[at]);
        }
    rows_restart(rows);
}

static void round_rows(RowWriter *rows, const Measurement *of, const RoundCurves *curves) {
    begin_measurement(rows, of, "rounds", curves->self_check_accuracy);
    for (RoundMetric metric = 0; metric < ROUND_METRIC_COUNT; metric++)
        for (int round = 0; round < curves->count; round++) {
            size_t at = round_curves_at(curves, metric, round);
            metric_row(rows, of, round, round_metric_name(metric), curves->value[at], curves->standard_error[at]);
        }
    rows_restart(rows);
}

static void begin_training(RowWriter *rows, const TrainingRecord *training, const Settings *defaults) {
    Settings settings = *defaults;
    settings.training = training->spec;
    row_id(rows, "training_id", &training->training_id);
    row_integer(rows, "seed", training->spec.seed);
    settings_columns(rows, &settings, PREDICTOR_MODEL, false);
}

static void training_row(RowWriter *rows, const TrainingRecord *training, const Settings *defaults) {
    char time_text[64];
    begin_training(rows, training, defaults);
    row_text(rows, "outcome", outcome_name(training->outcome));
    row_text(rows, "reason", training->reason);
    row_integer(rows, "attempts", training->attempts);
    row_integer(rows, "steps_done", training->steps_done);
    row_number(rows, "final_loss", training->final_loss);
    row_text(rows, "fingerprint", training->fingerprint);
    row_number(rows, "flops", training->flops);
    row_number(rows, "wall_s", training->wall_s);
    row_number(rows, "cpu_s", training->cpu_s);
    row_integer(rows, "peak_memory_bytes", training->peak_memory_bytes);
    row_integer(rows, "rank", training->rank);
    row_text(rows, "host", training->host);
    row_text(rows, "ended_utc", utc_text(training->ended_unix_ms, time_text, sizeof time_text));
    row_end(rows);
}

static void loss_rows(RowWriter *rows, const TrainingRecord *training, const Settings *defaults) {
    begin_training(rows, training, defaults);
    row_keep(rows);
    for (int i = 0; i < training->n_loss; i++) {
        row_integer(rows, "step", training->loss_step[i]);
        row_number(rows, "loss", training->loss[i]);
        row_end(rows);
    }
    rows_restart(rows);
}

/* end NULL: the run's end is in no record, so it still goes on or was cut off. */
static void provenance_row(RowWriter *rows, const HeaderRecord *header, const EndRecord *end) {
    char time_text[64];
    row_text(rows, "started_utc", utc_text(header->started_unix_ms, time_text, sizeof time_text));
    row_text(rows, "ended_utc", end != NULL ? utc_text(end->ended_unix_ms, time_text, sizeof time_text) : NULL);
    row_text(rows, "end_reason", end != NULL ? end->reason : NULL);
    row_number(rows, "trainings_done", end != NULL ? (double)end->trainings_done : NAN);
    row_number(rows, "trainings_diverged", end != NULL ? (double)end->trainings_diverged : NAN);
    row_number(rows, "trainings_failed", end != NULL ? (double)end->trainings_failed : NAN);
    row_number(rows, "cells_done", end != NULL ? (double)end->cells_done : NAN);
    row_number(rows, "baselines_done", end != NULL ? (double)end->baselines_done : NAN);
    row_integer(rows, "schema", header->schema);
    row_text(rows, "version", header->version);
    row_text(rows, "commit", header->commit);
    row_text(rows, "build", header->build);
    row_text(rows, "mpi", header->mpi);
    row_text(rows, "blas", header->blas);
    row_text(rows, "cpu", header->cpu);
    row_text(rows, "host", header->host);
    row_integer(rows, "ranks", header->n_ranks);
    row_integer(rows, "workers", header->n_workers);
    row_text(rows, "rank_hosts", header->rank_hosts);
    row_text(rows, "scheduler", header->scheduler);
    row_text(rows, "command_line", header->command_line);
    row_text(rows, "job_name", header->job_name);
    row_text(rows, "job_text", header->job_text);
    row_text(rows, "fingerprint", header->fingerprint);
    row_text(rows, "sources", header->sources);
    row_end(rows);
}

/* CSV's header line: the code of one row, of nothing. */
static void name_columns(Export *export) {
    double nothing = NAN;
    int64_t step = 0;
    Curves curves = {.n_points = 1, .value = (double[METRIC_COUNT]){0}, .standard_error = (double[METRIC_COUNT]){0}};
    const Measurement measurement = {.settings = export->defaults};
    TrainingRecord training = {.n_loss = 1, .loss_step = &step, .loss = &nothing};
    switch (export->table) {
    case EXPORT_METRICS:
        example_rows(export->rows, &measurement, NAN, &curves);
        break;
    case EXPORT_TRAININGS:
        training_row(export->rows, &training, &export->defaults);
        break;
    case EXPORT_LOSS:
        loss_rows(export->rows, &training, &export->defaults);
        break;
    case EXPORT_PROVENANCE:
        provenance_row(export->rows, &export->header, NULL);
        break;
    }
    rows_end_naming(export->rows);
}

/* --- second pass ------------------------------------------------------------------------------------------------ */

static void write_cell(Export *export, const CellRecord *cell) {
    const Entry *training = find_entry(export, cell->training_id);
    if (training == NULL || !training->is_training) {
        export->orphans++;
        return;
    }
    Measurement measurement = {&cell->training_id, &cell->cell_id, export->defaults, PREDICTOR_MODEL,
                               cell->fingerprint};
    measurement.settings.training = training->spec;
    measurement.settings.critic = cell->critic;
    record_cell_evaluation(cell, &measurement.settings.evaluation);
    example_rows(export->rows, &measurement, cell->self_check_accuracy, &cell->curves);
    round_rows(export->rows, &measurement, &cell->rounds);
}

static void write_baseline(Export *export, const BaselineRecord *baseline) {
    Measurement measurement = {NULL, &baseline->baseline_id, export->defaults, baseline->predictor,
                               baseline->fingerprint};
    measurement.settings.training.task = baseline->task;
    measurement.settings.training.seed = baseline->seed;
    measurement.settings.critic = baseline->critic;
    measurement.settings.evaluation.prompts = baseline->prompts;
    measurement.settings.evaluation.gd_steps = baseline->gd_steps;
    example_rows(export->rows, &measurement, baseline->self_check_accuracy, &baseline->curves);
}

/* Writes the run whose header is open, with its end where that is known. */
static void close_header(Export *export, const EndRecord *end) {
    if (!export->header_open) return;
    provenance_row(export->rows, &export->header, end);
    Record record = {.kind = RECORD_HEADER, .of.header = export->header};
    record_free(&record);
    export->header_open = false;
}

static Status write_record(void *context, uint64_t offset, Record *record, Error *err) {
    Export *export = context;
    if (export->table == EXPORT_METRICS) {
        if (record->kind == RECORD_CELL && counts(export, record)) write_cell(export, &record->of.cell);
        if (record->kind == RECORD_BASELINE && counts(export, record)) write_baseline(export, &record->of.baseline);
    } else if (export->table == EXPORT_PROVENANCE) {
        if (record->kind == RECORD_END) close_header(export, &record->of.end);
        if (record->kind == RECORD_HEADER) {
            close_header(export, NULL);
            export->header = record->of.header;
            export->header_open = true;
            memset(record, 0, sizeof *record); /* taken */
        }
    } else if (record->kind == RECORD_TRAINING && counts(export, record)) {
        if (export->table == EXPORT_TRAININGS) training_row(export->rows, &record->of.training, &export->defaults);
        if (export->table == EXPORT_LOSS) loss_rows(export->rows, &record->of.training, &export->defaults);
    }
    return rows_status(export->rows, err);
}

/* Reads all folders. What is wrong with their files is told in warning once, by the first pass. */
static Status read_all(Export *export, const char *const *dirs, int n_dirs, RecordVisitor visit, char *warning,
                       size_t warning_bytes, Error *err) {
    Status status = STATUS_OK;
    for (int i = 0; i < n_dirs && status == STATUS_OK; i++) {
        size_t used = warning != NULL ? strlen(warning) : 0;
        char again[256];
        long runs = export->runs;
        export->folder = i;
        if (warning != NULL && used > 0 && used + 1 < warning_bytes) warning[used++] = '\n';
        status = journal_read(dirs[i], visit, export, warning != NULL ? warning + used : again,
                              warning != NULL ? warning_bytes - used : sizeof again, err);
        if (warning != NULL && warning[used] == '\0' && used > 0) warning[used - 1] = '\0';
        if (status == STATUS_OK && warning != NULL && export->runs == runs)
            status = error_set(err, STATUS_DATA, "%s: no results: expected records-*.tfrecord files of a run", dirs[i]);
    }
    return status;
}

/* Writes a table of the folders by a writer (NULL: no memory), and frees that. */
static Status write_table(const char *const *dirs, int n_dirs, ExportTable table, RowWriter *rows, char *warning,
                          size_t warning_bytes, Error *err) {
    Export export = {.table = table, .rows = rows, .defaults = settings_default()};
    char id[ID_TEXT_BYTES];
    warning[0] = '\0';
    if (export.rows == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the rows of a table");
    Status status = read_all(&export, dirs, n_dirs, index_record, warning, warning_bytes, err);
    if (status == STATUS_OK) {
        if (rows_naming(export.rows)) name_columns(&export);
        status = read_all(&export, dirs, n_dirs, write_record, NULL, 0, err);
        close_header(&export, NULL);
    }
    if (export.orphans > 0) {
        size_t used = strlen(warning);
        snprintf(warning + used, warning_bytes - used, "%s%ld cells left out: their training is in no record",
                 used > 0 ? "\n" : "", export.orphans);
    }
    if (status == STATUS_OK && export.conflicts > 0)
        status =
            error_set(err, STATUS_FAILED,
                      "%ld result%s differ%s from another of the same id under the same numerics, which must not be "
                      "(the first: %s); one of each was taken, palinode merge shows the places",
                      export.conflicts, export.conflicts == 1 ? "" : "s", export.conflicts == 1 ? "s" : "",
                      id_text(export.first_conflict, id));
    tdestroy(export.index, free);
    for (int i = 0; i < export.n_fingerprints; i++)
        free(export.fingerprints[i]);
    free(export.fingerprints);
    Status written = rows_finish(export.rows, err); /* it is not about a record file: its message goes first */
    return written != STATUS_OK ? written : status;
}

Status export_table(const char *const *dirs, int n_dirs, ExportTable table, RowFormat format, FILE *out, char *warning,
                    size_t warning_bytes, Error *err) {
    return write_table(dirs, n_dirs, table, rows_create(out, format), warning, warning_bytes, err);
}

Status export_database(const char *const *dirs, int n_dirs, const char *path, char *warning, size_t warning_bytes,
                       Error *err) {
    Database *database;
    Status status = database_create(path, &database, err), alarm = STATUS_OK;
    if (status != STATUS_OK) return status;
    char again[512]; /* the same files are read again: what is wrong with them is told once, with the metrics */
    for (ExportTable table = EXPORT_METRICS; export_table_name(table) != NULL && status == STATUS_OK; table++) {
        bool first = table == EXPORT_METRICS;
        status = write_table(dirs, n_dirs, table, rows_create_table(database, export_table_name(table)),
                             first ? warning : again, first ? warning_bytes : sizeof again, err);
        if (status != STATUS_FAILED) continue;
        alarm = status; /* the table is whole; err says what is wrong */
        status = STATUS_OK;
    }
    database_add_index(database, "metrics", "metric, predictor, \"index\"");
    database_add_index(database, "metrics", "training_id");
    database_add_index(database, "trainings", "training_id");
    database_add_index(database, "loss", "training_id, step");
    Error trouble;
    Status finished = database_finish(database, &trouble);
    if (status != STATUS_OK) return status;
    return finished != STATUS_OK ? error_set(err, finished, "%s: %s", path, trouble.text) : alarm;
}
