/* See journal.h. Segments are record files (proto/wire/record_file.h); what they hold is indexed by id in an IdTable,
 * and nothing of them stays in memory but that index. */
#include "coordinator/journal/journal.h"

#include "coordinator/journal/measured.h"
#include "coordinator/journal/segments.h"
#include "jobs/settings/identity.h"
#include "proto/wire/durable_file.h"
#include "proto/wire/record_content.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct Journal {
    char *dir;
    IdTable ids;
    RoundsSeen rounds;
    SegmentList model_segments; /* IdEntry.model_segment counts in it; a writer's own segment is the last */
    uint64_t models_bytes, models_limit_bytes;
    char **fingerprints; /* of results, each once: few */
    size_t n_fingerprints;
    /* of a writer: */
    char segment[24];
    Record models_header;
    RecordWriter *records, *models; /* models: NULL before the first model */
    uint64_t records_synced, models_synced;
};

/* --- reading ---------------------------------------------------------------------------------------------------- */

typedef struct Warnings {
    char *text;
    size_t bytes;
} Warnings;

static Warnings warnings_in(char *text, size_t bytes) {
    if (bytes > 0) text[0] = '\0';
    return (Warnings){text, bytes};
}

static void add_warning(Warnings *warnings, const char *path, const char *problem, const char *advice) {
    size_t used = warnings->bytes > 0 ? strlen(warnings->text) : 0;
    if (used < warnings->bytes)
        snprintf(warnings->text + used, warnings->bytes - used, "%s%s: %s; %s", used > 0 ? "\n" : "", path, problem,
                 advice);
}

/* Scans one segment's file. What a run that died left at its end is a warning; of a run that goes on it is nothing. */
static Status scan_segment(const char *dir, const char *kind, const char *segment, RecordVisitor visit, void *context,
                           Warnings *warnings, Error *err) {
    char path[PATH_MAX];
    RecordScan scan;
    segment_path(dir, kind, segment, path);
    Status status = record_file_scan(path, visit, context, &scan, err);
    bool died_at_once = status == STATUS_DATA && scan.records == 0 && scan.torn;
    if (status == STATUS_DATA && scan.records == 0 && !died_at_once && err != NULL) {
        Error why = *err;
        return error_set(err, status, "%s; without this file the folder can be used: move it away", why.text);
    }
    if (status != STATUS_OK && !died_at_once) return status;
    if (scan.problem[0] == '\0' || segment_is_alive(dir, segment)) return STATUS_OK;
    add_warning(warnings, path, scan.problem,
                died_at_once ? "its run ended before the first record, the file is ignored"
                             : "all before is used, the rest is ignored; palinode verify --repair cuts it off");
    return STATUS_OK;
}

Status journal_read(const char *dir, RecordVisitor visit, void *context, char *warning, size_t warning_bytes,
                    Error *err) {
    Warnings warnings = warnings_in(warning, warning_bytes);
    SegmentList segments;
    Status status = segments_list(dir, "records", &segments, err);
    for (size_t i = 0; status == STATUS_OK && i < segments.count; i++)
        status = scan_segment(dir, "records", segments.names[i], visit, context, &warnings, err);
    segments_free(&segments);
    return status;
}

typedef struct Placing {
    PlacedVisitor visit;
    void *context;
    RecordPlace place;
} Placing;

static Status visit_placed(void *context, uint64_t offset, Record *record, Error *err) {
    Placing *placing = context;
    placing->place.offset = offset;
    return placing->visit(placing->context, &placing->place, record, err);
}

Status journal_visit(const char *dir, PlacedVisitor visit, void *context, char *warning, size_t warning_bytes,
                     Error *err) {
    static const char *const kinds[] = {"records", "models"};
    Warnings warnings = warnings_in(warning, warning_bytes);
    Status status = STATUS_OK;
    for (int k = 0; status == STATUS_OK && k < 2; k++) {
        SegmentList segments;
        status = segments_list(dir, kinds[k], &segments, err);
        for (size_t i = 0; status == STATUS_OK && i < segments.count; i++) {
            char path[PATH_MAX];
            segment_path(dir, kinds[k], segments.names[i], path);
            Placing placing = {visit, context, {.path = path, .segment = segments.names[i]}};
            status = scan_segment(dir, kinds[k], segments.names[i], visit_placed, &placing, &warnings, err);
        }
        segments_free(&segments);
    }
    return status;
}

/* --- index ------------------------------------------------------------------------------------------------------ */

static uint64_t parameter_bytes(const ModelRecord *model) {
    return (uint64_t)model->n_parameters * sizeof *model->parameters;
}

TrainingState journal_state_after(TrainingState before, Outcome outcome) {
    switch (outcome) {
    case OUTCOME_DONE:
        return TRAINING_DONE;
    case OUTCOME_DIVERGED:
        return TRAINING_DIVERGED;
    case OUTCOME_FAILED:
        break; /* what was found before a failure stays found */
    }
    return before == TRAINING_UNKNOWN ? TRAINING_FAILED : before;
}

/* Notes what a record says; room for its id was reserved. */
static void index_record(Journal *journal, const Record *record, uint32_t segment, uint64_t offset) {
    if (record->kind == RECORD_TRAINING) {
        IdEntry *entry = id_table_add(&journal->ids, record->of.training.training_id);
        entry->training = journal_state_after((TrainingState)entry->training, record->of.training.outcome);
    } else if (record->kind == RECORD_CELL || record->kind == RECORD_BASELINE) {
        id_table_note_result(&journal->ids, record);
    } else if (record->kind == RECORD_MODEL) {
        IdEntry *entry = id_table_add(&journal->ids, record->of.model.training_id);
        entry->model = true;
        entry->model_segment = segment;
        entry->model_offset = offset;
        journal->models_bytes += parameter_bytes(&record->of.model);
    }
}

/* Notes the numerics of a result. */
static Status index_fingerprint(Journal *journal, const Record *record, Error *err) {
    if (!record_has_id(record) || record_is_failure(record)) return STATUS_OK;
    const char *fingerprint = record_fingerprint(record);
    for (size_t i = journal->n_fingerprints; i > 0; i--) /* mostly the last one again */
        if (strcmp(journal->fingerprints[i - 1], fingerprint) == 0) return STATUS_OK;
    char **more = realloc(journal->fingerprints, (journal->n_fingerprints + 1) * sizeof *more);
    if (more != NULL) journal->fingerprints = more;
    char *copy = more != NULL ? strdup(fingerprint) : NULL;
    if (copy == NULL) return error_set(err, STATUS_NO_MEMORY, "%s: no memory for a fingerprint", journal->dir);
    journal->fingerprints[journal->n_fingerprints++] = copy;
    return STATUS_OK;
}

typedef struct Indexing {
    Journal *journal;
    uint32_t segment;
} Indexing;

static Status index_visited(void *context, uint64_t offset, Record *record, Error *err) {
    Indexing *indexing = context;
    if (indexing->segment >= MODEL_SEGMENTS_MAX)
        return error_set(err, STATUS_DATA,
                         "a folder may have %d files of models, here are more; palinode merge makes one of them",
                         MODEL_SEGMENTS_MAX);
    Status status = id_table_reserve(&indexing->journal->ids, 1, err);
    if (status == STATUS_OK) status = index_fingerprint(indexing->journal, record, err);
    if (status == STATUS_OK && record->kind == RECORD_CELL)
        status = rounds_seen_add(&indexing->journal->rounds, &record->of.cell, err);
    if (status == STATUS_OK) index_record(indexing->journal, record, indexing->segment, offset);
    return status;
}

Status journal_open_reader(const char *dir, Journal **out, char *warning, size_t warning_bytes, Error *err) {
    Warnings warnings = warnings_in(warning, warning_bytes);
    Journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL || (journal->dir = strdup(dir)) == NULL) {
        free(journal);
        return error_set(err, STATUS_NO_MEMORY, "%s: no memory for a journal", dir);
    }
    if (access(dir, F_OK) != 0 && errno == ENOENT) {
        *out = journal;
        return STATUS_OK;
    }
    Indexing indexing = {.journal = journal};
    SegmentList records = {0};
    Status status = segments_list(dir, "records", &records, err);
    for (size_t i = 0; status == STATUS_OK && i < records.count; i++)
        status = scan_segment(dir, "records", records.names[i], index_visited, &indexing, &warnings, err);
    segments_free(&records);
    if (status == STATUS_OK) status = segments_list(dir, "models", &journal->model_segments, err);
    for (size_t i = 0; status == STATUS_OK && i < journal->model_segments.count; i++) {
        indexing.segment = (uint32_t)i;
        status =
            scan_segment(dir, "models", journal->model_segments.names[i], index_visited, &indexing, &warnings, err);
    }
    if (status == STATUS_OK)
        *out = journal;
    else
        journal_close(journal, NULL, NULL);
    return status;
}

const char *journal_segment(const Journal *journal) {
    return journal->segment;
}

TrainingState journal_training(const Journal *journal, Id training_id) {
    const IdEntry *entry = id_table_find(&journal->ids, training_id);
    return entry == NULL ? TRAINING_UNKNOWN : (TrainingState)entry->training;
}

static ResultState result_state(const IdEntry *entry) {
    if (entry == NULL) return RESULT_UNKNOWN;
    return entry->result ? RESULT_MEASURED : entry->result_failed ? RESULT_FAILED : RESULT_UNKNOWN;
}

ResultState journal_cell(const Journal *journal, Id training, const CriticSettings *critic,
                         const EvaluationSettings *evaluation, bool *served) {
    const IdEntry *entry = measured_cell(&journal->ids, &journal->rounds, training, critic, evaluation);
    if (served != NULL) *served = entry != NULL && !id_equal(entry->id, cell_id(training, critic, evaluation));
    return result_state(entry);
}

ResultState journal_result(const Journal *journal, Id id) {
    return result_state(id_table_find(&journal->ids, id));
}

bool journal_has_model(const Journal *journal, Id training_id) {
    const IdEntry *entry = id_table_find(&journal->ids, training_id);
    return entry != NULL && entry->model;
}

const char *journal_fingerprint(const Journal *journal, size_t index) {
    return index < journal->n_fingerprints ? journal->fingerprints[index] : NULL;
}

uint64_t journal_models_bytes(const Journal *journal) {
    return journal->models_bytes;
}

Status journal_read_model(const Journal *journal, Id training_id, Record *out, Error *err) {
    char path[PATH_MAX], text[ID_TEXT_BYTES];
    const IdEntry *entry = id_table_find(&journal->ids, training_id);
    if (entry == NULL || !entry->model)
        return error_set(err, STATUS_DATA, "%s: no model of training %s is kept", journal->dir,
                         id_text(training_id, text));
    segment_path(journal->dir, "models", journal->model_segments.names[entry->model_segment], path);
    Status status = record_file_read_at(path, entry->model_offset, out, err);
    if (status != STATUS_OK) return status;
    if (out->kind == RECORD_MODEL && id_equal(out->of.model.training_id, training_id)) return STATUS_OK;
    record_free(out);
    return error_set(err, STATUS_DATA, "%s: record at byte %" PRIu64 " is not the model of training %s", path,
                     (uint64_t)entry->model_offset, id_text(training_id, text));
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

/* Creates a segment's file of one kind under the header given. */
static Status create_file(const Journal *journal, const char *kind, const Record *header, RecordWriter **out,
                          Error *err) {
    char path[PATH_MAX];
    Record own = *header; /* borrows header's texts */
    own.of.header.schema = SCHEMA_VERSION;
    own.of.header.content = (char *)kind;
    segment_path(journal->dir, kind, journal->segment, path);
    return record_writer_create(path, &own, out, err);
}

/* Starts the records file of the next free segment; another run on the same folder may take a number first. */
static Status start_segment(Journal *journal, const Record *header, Error *err) {
    enum { ATTEMPTS = 100 };
    unsigned long number;
    char path[PATH_MAX];
    Status status = segments_next_number(journal->dir, &number, err);
    if (status != STATUS_OK) return status;
    for (int i = 0; i < ATTEMPTS; i++, number++) {
        snprintf(journal->segment, sizeof journal->segment, "%04lu", number);
        segment_path(journal->dir, "records", journal->segment, path);
        if (access(path, F_OK) == 0) continue;
        status = create_file(journal, "records", header, &journal->records, err);
        if (status == STATUS_OK || access(path, F_OK) != 0) return status;
    }
    return status == STATUS_OK ? error_set(err, STATUS_IO, "%s: no free segment number", journal->dir) : status;
}

/* Keeps a copy of header for the models file, which may come much later. */
static Status copy_header(const Record *header, Record *copy, Error *err) {
    Bytes bytes = {0};
    Status status = record_encode(header, &bytes, err);
    if (status == STATUS_OK) status = record_decode(bytes.data, bytes.size, copy, err);
    bytes_free(&bytes);
    return status;
}

Status journal_start(Journal *journal, const Record *header, uint64_t models_limit_bytes, Error *err) {
    assert(header->kind == RECORD_HEADER && journal->records == NULL);
    journal->models_limit_bytes = models_limit_bytes;
    Status status = copy_header(header, &journal->models_header, err);
    if (status == STATUS_OK) status = start_segment(journal, header, err);
    if (status == STATUS_OK) journal->records_synced = record_writer_size(journal->records);
    return status;
}

Status journal_open(const char *dir, const Record *header, uint64_t models_limit_bytes, Journal **out, char *warning,
                    size_t warning_bytes, Error *err) {
    Journal *journal;
    if (mkdir(dir, 0777) == 0) {
        Status status = durable_entry(dir, err);
        if (status != STATUS_OK) return status;
    } else if (errno != EEXIST) {
        return error_set(err, STATUS_IO, "%s: cannot make the folder: %s", dir, strerror(errno));
    }
    Status status = journal_open_reader(dir, &journal, warning, warning_bytes, err);
    if (status != STATUS_OK) return status;
    status = journal_start(journal, header, models_limit_bytes, err);
    if (status == STATUS_OK)
        *out = journal;
    else
        journal_close(journal, NULL, NULL);
    return status;
}

/* Appends a model unless it would pass the limit. */
static Status append_model(Journal *journal, const Record *record, bool *dropped, Error *err) {
    uint64_t own = parameter_bytes(&record->of.model);
    if (journal->models_bytes > journal->models_limit_bytes ||
        own > journal->models_limit_bytes - journal->models_bytes) {
        *dropped = true;
        return STATUS_OK;
    }
    Status status = STATUS_OK;
    if (journal->models == NULL)
        status = create_file(journal, "models", &journal->models_header, &journal->models, err);
    if (status == STATUS_OK) status = record_writer_append(journal->models, record, NULL, err);
    if (status == STATUS_OK) journal->models_bytes += own;
    return status;
}

Status journal_append(Journal *journal, const Record *records, int n_records, bool *dropped_model, Error *err) {
    bool dropped = false;
    if (dropped_model != NULL) *dropped_model = false;
    if (journal->records == NULL)
        return error_set(err, STATUS_IO, "%s: the journal was opened for reading only", journal->dir);
    Status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && i < n_records; i++)
        if (records[i].kind == RECORD_MODEL) status = append_model(journal, &records[i], &dropped, err);
    for (int i = 0; status == STATUS_OK && i < n_records; i++) {
        if (records[i].kind == RECORD_MODEL) continue;
        status = record_writer_append(journal->records, &records[i], NULL, err);
    }
    if (dropped_model != NULL) *dropped_model = dropped;
    return status;
}

static Status sync_file(RecordWriter *writer, uint64_t *synced, Error *err) {
    if (writer == NULL || record_writer_size(writer) == *synced) return STATUS_OK;
    Status status = record_writer_sync(writer, err);
    if (status == STATUS_OK) *synced = record_writer_size(writer);
    return status;
}

Status journal_sync(Journal *journal, Error *err) {
    Status status = sync_file(journal->models, &journal->models_synced, err);
    return status == STATUS_OK ? sync_file(journal->records, &journal->records_synced, err) : status;
}

Status journal_close(Journal *journal, const Record *end, Error *err) {
    Status status = STATUS_OK;
    if (journal == NULL) return status;
    if (end != NULL) {
        assert(end->kind == RECORD_END && journal->records != NULL);
        if (journal->models != NULL) status = record_writer_append(journal->models, end, NULL, err);
        if (status == STATUS_OK) status = record_writer_append(journal->records, end, NULL, err);
        if (status == STATUS_OK) status = journal_sync(journal, err);
    }
    record_writer_close(journal->records);
    record_writer_close(journal->models);
    record_free(&journal->models_header);
    segments_free(&journal->model_segments);
    rounds_seen_free(&journal->rounds);
    id_table_free(&journal->ids);
    for (size_t i = 0; i < journal->n_fingerprints; i++)
        free(journal->fingerprints[i]);
    free(journal->fingerprints);
    free(journal->dir);
    free(journal);
    return status;
}

Status journal_replace_file(const char *path, const char *text, Error *err) {
    return durable_replace(path, text, strlen(text), err);
}
