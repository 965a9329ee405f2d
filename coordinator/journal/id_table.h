/* What a journal knows, by id: an open-addressing table of 24 bytes a place, at most three quarters full.
 *
 * Ids are hashes, so their own bits choose the place; trainings, cells and baselines share the table. */
#ifndef COORDINATOR_JOURNAL_ID_TABLE_H
#define COORDINATOR_JOURNAL_ID_TABLE_H

#include "proto/wire/codec.h"

enum { MODEL_SEGMENTS_MAX = 1 << 16 };

typedef struct IdEntry {
    Id id;
    uint64_t model_offset : 42;  /* of the model record in its file: up to 4 TiB */
    uint64_t model_segment : 16; /* index of the segment that has the model */
    uint64_t training : 2;       /* TrainingState */
    uint64_t used : 1;
    uint64_t result : 1;        /* of a cell or a baseline there is one */
    uint64_t result_failed : 1; /* of one without a result: it could not be measured */
    uint64_t model : 1;         /* the first two fields hold */
} IdEntry;

typedef struct IdTable {
    IdEntry *entries;
    size_t capacity, count; /* capacity: a power of two, or 0 */
} IdTable;

/* Makes room for extra more ids. STATUS_NO_MEMORY leaves the table as it was. */
Status id_table_reserve(IdTable *table, size_t extra, Error *err);
/* The entry of id, or NULL. */
const IdEntry *id_table_find(const IdTable *table, Id id);
/* The entry of id, added if it is new; room for it was reserved. */
IdEntry *id_table_add(IdTable *table, Id id);
/* Notes what the record of a cell or a baseline says; room for its id was reserved. A failure never hides a result. */
IdEntry *id_table_note_result(IdTable *table, const Record *record);
void id_table_free(IdTable *table);

#endif
