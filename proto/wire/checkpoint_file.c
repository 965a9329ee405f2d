/* See checkpoint_file.h. */
#include "proto/wire/checkpoint_file.h"

#include "proto/wire/durable_file.h"
#include "proto/wire/record_file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char CONTENT[] = "checkpoint";

/* --- writing ---------------------------------------------------------------------------------------------------- */

/* Header, head and checkpoint into a new file. */
static Status write_records(const char *path, const CheckpointRecord *checkpoint, Error *err) {
    Record records[] = {
        {.kind = RECORD_HEADER,
         .of.header = {.schema = SCHEMA_VERSION, .content = (char *)CONTENT, .fingerprint = checkpoint->fingerprint}},
        {.kind = RECORD_CHECKPOINT, .of.checkpoint = *checkpoint},
        {.kind = RECORD_CHECKPOINT, .of.checkpoint = *checkpoint}};
    records[1].of.checkpoint.state = (TrainState){.step = checkpoint->state.step};
    return record_file_create(path, records, 3, err);
}

Status checkpoint_file_write(const char *path, const CheckpointRecord *checkpoint, Error *err) {
    char temporary[PATH_MAX];
    Status status = durable_temporary(path, temporary, NULL, err);
    if (status != STATUS_OK) return status;
    status = write_records(temporary, checkpoint, err);
    if (status == STATUS_OK && rename(temporary, path) != 0)
        status = error_set(err, STATUS_IO, "%s: cannot replace: %s", path, strerror(errno));
    if (status != STATUS_OK) {
        unlink(temporary);
        return status;
    }
    return durable_entry(path, err);
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

typedef struct Reading {
    Id training;
    bool head_only;
    int seen; /* records after the header */
    CheckpointRecord checkpoint;
} Reading;

static Status check_header(const HeaderRecord *header, Error *err) {
    if (strcmp(header->content, CONTENT) == 0) return STATUS_OK;
    return error_set(err, STATUS_DATA, "holds %s, expected a %s", header->content, CONTENT);
}

static Status check_checkpoint(const Reading *reading, const CheckpointRecord *checkpoint, Error *err) {
    const TrainState *state = &checkpoint->state;
    char id[ID_TEXT_BYTES], expected[ID_TEXT_BYTES];
    if (!id_equal(checkpoint->training_id, reading->training))
        return error_set(err, STATUS_DATA, "is of training %s, expected %s", id_text(checkpoint->training_id, id),
                         id_text(reading->training, expected));
    if (state->step < 1 || state->step > checkpoint->spec.train.steps)
        return error_set(err, STATUS_DATA, "is of step %lld, expected 1 to %lld", (long long)state->step,
                         (long long)checkpoint->spec.train.steps);
    bool last = state->step == checkpoint->spec.train.steps;
    if (state->n_moments != state->n_parameters && !(last && state->n_moments == 0))
        return error_set(err, STATUS_DATA, "has %lld moments for %lld parameters", (long long)state->n_moments,
                         (long long)state->n_parameters);
    if (reading->seen == 1 && state->step != reading->checkpoint.state.step)
        return error_set(err, STATUS_DATA, "has step %lld and %lld in one", (long long)reading->checkpoint.state.step,
                         (long long)state->step);
    return STATUS_OK;
}

/* Keeps the last checkpoint; STATUS_INCOMPLETE ends the scan when that is enough. */
static Status take_record(void *context, uint64_t offset, Record *record, Error *err) {
    Reading *reading = context;
    if (record->kind == RECORD_HEADER) return check_header(&record->of.header, err);
    if (record->kind != RECORD_CHECKPOINT || reading->seen == 2)
        return error_set(err, STATUS_DATA, "has a record at byte %llu that does not belong there",
                         (unsigned long long)offset);
    Status status = check_checkpoint(reading, &record->of.checkpoint, err);
    if (status != STATUS_OK) return status;
    Record before = {.kind = RECORD_CHECKPOINT, .of.checkpoint = reading->checkpoint};
    if (reading->seen > 0) record_free(&before);
    reading->checkpoint = record->of.checkpoint;
    memset(record, 0, sizeof *record);
    reading->seen++;
    return reading->head_only ? error_set(err, STATUS_INCOMPLETE, "has more") : STATUS_OK;
}

static Status read_file(const char *path, Id training, bool head_only, CheckpointRecord *out, Error *err) {
    Reading reading = {.training = training, .head_only = head_only};
    RecordScan scan;
    Status status = record_file_scan(path, take_record, &reading, &scan, err);
    if (status == STATUS_INCOMPLETE) status = STATUS_OK;
    if (status == STATUS_OK && scan.problem[0] != '\0')
        status = error_set(err, STATUS_DATA, "%s: %s", path, scan.problem);
    if (status == STATUS_OK && reading.seen < (head_only ? 1 : 2))
        status = error_set(err, STATUS_DATA, "%s: the file ends before its checkpoint", path);
    if (status == STATUS_OK) {
        *out = reading.checkpoint;
    } else if (reading.seen > 0) {
        Record record = {.kind = RECORD_CHECKPOINT, .of.checkpoint = reading.checkpoint};
        record_free(&record);
    }
    return status;
}

Status checkpoint_file_read(const char *path, Id training, bool *exists, CheckpointRecord *out, Error *err) {
    *exists = access(path, F_OK) == 0;
    return *exists ? read_file(path, training, false, out, err) : STATUS_OK;
}

Status checkpoint_file_step(const char *path, Id training, int64_t *step, Error *err) {
    Record record = {.kind = RECORD_CHECKPOINT};
    *step = 0;
    if (access(path, F_OK) != 0) return STATUS_OK;
    Status status = read_file(path, training, true, &record.of.checkpoint, err);
    if (status != STATUS_OK) return status;
    *step = record.of.checkpoint.state.step;
    record_free(&record);
    return STATUS_OK;
}

/* --- removing --------------------------------------------------------------------------------------------------- */

Status checkpoint_file_remove(const char *path, Error *err) {
    char folder[PATH_MAX], left[PATH_MAX + NAME_MAX + 2], prefix[NAME_MAX + 1];
    if (unlink(path) != 0 && errno != ENOENT)
        return error_set(err, STATUS_IO, "%s: cannot remove: %s", path, strerror(errno));
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path + 1) : 2, slash != NULL ? path : "./");
    snprintf(prefix, sizeof prefix, "%s.tmp-", slash != NULL ? slash + 1 : path);
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
            snprintf(left, sizeof left, "%s%s", folder, entry->d_name);
            unlink(left);
        }
    if (entries != NULL) closedir(entries);
    return STATUS_OK;
}
