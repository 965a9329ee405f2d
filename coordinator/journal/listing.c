/* See listing.h. The records are read twice: once for what is known of each training, once for the settings of those
 * that no job asks for. */
#include "coordinator/journal/listing.h"

#include "coordinator/journal/id_table.h"
#include "jobs/settings/identity.h"

typedef struct Listing {
    IdTable known, listed;
    ListingVisitor visit;
    void *context;
} Listing;

static Status note_state(void *context, uint64_t offset, Record *record, Error *err) {
    Listing *listing = context;
    if (record->kind != RECORD_TRAINING) return STATUS_OK;
    Status status = id_table_reserve(&listing->known, 1, err);
    if (status != STATUS_OK) return status;
    IdEntry *entry = id_table_add(&listing->known, record->of.training.training_id);
    entry->training = journal_state_after((TrainingState)entry->training, record->of.training.outcome);
    return STATUS_OK;
}

/* Visits a training unless it was. */
static Status list(Listing *listing, Id id, const TrainingSpec *spec, const Job *job, Error *err) {
    if (id_table_find(&listing->listed, id) != NULL) return STATUS_OK;
    Status status = id_table_reserve(&listing->listed, 1, err);
    if (status != STATUS_OK) return status;
    id_table_add(&listing->listed, id);
    const IdEntry *entry = id_table_find(&listing->known, id);
    TrainingState state = entry != NULL ? (TrainingState)entry->training : TRAINING_UNKNOWN;
    return listing->visit(listing->context, &(ListedTraining){id, spec, state, job}, err);
}

static Status list_record(void *context, uint64_t offset, Record *record, Error *err) {
    if (record->kind != RECORD_TRAINING) return STATUS_OK;
    return list(context, record->of.training.training_id, &record->of.training.spec, NULL, err);
}

static Status list_job(Listing *listing, const Job *job, Error *err) {
    Status status = STATUS_OK;
    for (uint64_t point = 0; point < job_grid_points(job) && status == STATUS_OK; point++) {
        TrainingSpec spec;
        if (job_training(job, point, &spec)) status = list(listing, training_id(&spec), &spec, job, err);
    }
    return status;
}

Status listing_visit(const char *dir, const JobList *jobs, ListingVisitor visit, void *context, char *warning,
                     size_t warning_bytes, Error *err) {
    Listing listing = {.visit = visit, .context = context};
    Status status = journal_read(dir, note_state, &listing, warning, warning_bytes, err);
    for (int i = 0; i < jobs->count && status == STATUS_OK; i++)
        status = list_job(&listing, jobs->items[i], err);
    char again[256]; /* the same damage */
    if (status == STATUS_OK) status = journal_read(dir, list_record, &listing, again, sizeof again, err);
    id_table_free(&listing.known);
    id_table_free(&listing.listed);
    return status;
}
