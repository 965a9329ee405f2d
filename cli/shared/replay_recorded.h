/* What a folder has recorded of one training (or one baseline), in the shape in which a worker would send it again. */
#ifndef CLI_SHARED_REPLAY_RECORDED_H
#define CLI_SHARED_REPLAY_RECORDED_H

#include "proto/base/status.h"
#include "proto/wire/messages.h"

typedef struct Recorded {
    Id id;           /* of the training, or of the baseline */
    RecordKind kind; /* RECORD_TRAINING or RECORD_BASELINE */
    int n_records;
    Record
        *records; /* each id once, the record that counts: the training, its model if kept, its cells; the baseline */
} Recorded;

/* Finds the training, or the baseline, that digits begin; a cell's id means its training. STATUS_DATA: none, several,
 * or one that has no result. Warnings of damaged files go to warning. */
Status recorded_read(const char *dir, const char *digits, Recorded *out, char *warning, size_t warning_bytes,
                     Error *err);
void recorded_free(Recorded *recorded);

/* The record of a kind and id, or NULL. */
const Record *recorded_find(const Recorded *recorded, RecordKind kind, Id id);

#endif
