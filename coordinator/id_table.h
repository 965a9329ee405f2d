/* What a journal knows, by id: an open-addressing table of 32 bytes a place, at most three quarters full.
 *
 * Ids are hashes, so their own bits choose the place; trainings, cells and baselines share the table. */
#ifndef COORDINATOR_ID_TABLE_H
#define COORDINATOR_ID_TABLE_H

#include "proto/wire/codec.h"

typedef struct IdEntry {
    Id id;
    uint64_t model_offset;    /* of the model record in its file */
    uint32_t model_segment;   /* index of the segment that has the model */
    uint8_t training;         /* TrainingState */
    bool used, result, model; /* result: a cell or a baseline; model: the two fields above hold */
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
void id_table_free(IdTable *table);

#endif
