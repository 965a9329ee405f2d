/* See replay_recorded.h. */
#include "cli/shared/replay_recorded.h"

#include "coordinator/journal/id_search.h"
#include "coordinator/journal/journal.h"
#include "proto/wire/record_content.h"

#include <stdlib.h>
#include <string.h>

/* All ids are offered; of cells it is remembered whose they are. */
typedef struct Finding {
    IdSearch search;
    Id training; /* of the cell that was found */
} Finding;

static Status offer(void *context, uint64_t offset, Record *record, Error *err) {
    Finding *finding = context;
    if (!record_has_id(record)) return STATUS_OK;
    int before = finding->search.n_found;
    id_search_offer(&finding->search, record_id(record), record->kind);
    if (before == 0 && finding->search.n_found == 1 && record->kind == RECORD_CELL)
        finding->training = record->of.cell.training_id;
    return STATUS_OK;
}

const Record *recorded_find(const Recorded *recorded, RecordKind kind, Id id) {
    for (int i = 0; i < recorded->n_records; i++)
        if (recorded->records[i].kind == kind && id_equal(record_id(&recorded->records[i]), id))
            return &recorded->records[i];
    return NULL;
}

/* Takes a record; a later one of the same id replaces an earlier one. */
static Status keep(Recorded *recorded, Record *record, Error *err) {
    Record *place = (Record *)recorded_find(recorded, record->kind, record_id(record));
    if (place == NULL) {
        Record *more = realloc(recorded->records, ((size_t)recorded->n_records + 1) * sizeof *more);
        if (more == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the records of a training");
        recorded->records = more;
        place = &recorded->records[recorded->n_records++];
    } else {
        record_free(place);
    }
    *place = *record;
    *record = (Record){0};
    return STATUS_OK;
}

static Status collect(void *context, const RecordPlace *place, Record *record, Error *err) {
    Recorded *recorded = context;
    if (!record_has_id(record) || record_is_failure(record)) return STATUS_OK;
    bool own = id_equal(record_id(record), recorded->id) ||
               (record->kind == RECORD_CELL && id_equal(record->of.cell.training_id, recorded->id));
    return own ? keep(recorded, record, err) : STATUS_OK;
}

Status recorded_read(const char *dir, const char *digits, Recorded *out, char *warning, size_t warning_bytes,
                     Error *err) {
    Finding finding;
    char text[ID_TEXT_BYTES];
    *out = (Recorded){0};
    Status status = id_search_begin(digits, &finding.search, err);
    if (status == STATUS_OK) status = journal_read(dir, offer, &finding, warning, warning_bytes, err);
    if (status == STATUS_OK) status = id_search_end(&finding.search, dir, &out->id, err);
    if (status != STATUS_OK) return status;
    out->kind = finding.search.kind == RECORD_BASELINE ? RECORD_BASELINE : RECORD_TRAINING;
    if (finding.search.kind == RECORD_CELL) out->id = finding.training;
    status = journal_visit(dir, collect, out, warning, warning_bytes, err);
    if (status == STATUS_OK && recorded_find(out, out->kind, out->id) == NULL)
        status = error_set(err, STATUS_DATA,
                           "%s: training %s has no result that could be compared (palinode explain tells why)", dir,
                           id_text(out->id, text));
    if (status != STATUS_OK) recorded_free(out);
    return status;
}

void recorded_free(Recorded *recorded) {
    for (int i = 0; i < recorded->n_records; i++)
        record_free(&recorded->records[i]);
    free(recorded->records);
    *recorded = (Recorded){0};
}
