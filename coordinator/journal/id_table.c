/* See id_table.h. */
#include "coordinator/journal/id_table.h"

#include "proto/wire/record_content.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The place of id: its entry, or the unused one where it would go. capacity > count. */
static size_t place_of(const IdEntry *entries, size_t capacity, Id id) {
    uint64_t start;
    memcpy(&start, id.bytes, sizeof start);
    size_t place = (size_t)(start * 0x9e3779b97f4a7c15u >> 32) & (capacity - 1); /* also for ids that are no hashes */
    while (entries[place].used && !id_equal(entries[place].id, id))
        place = (place + 1) & (capacity - 1);
    return place;
}

Status id_table_reserve(IdTable *table, size_t extra, Error *err) {
    size_t capacity = table->capacity > 0 ? table->capacity : 64;
    while (table->count + extra > capacity / 4 * 3)
        capacity *= 2;
    if (capacity == table->capacity) return STATUS_OK;
    IdEntry *entries = calloc(capacity, sizeof *entries);
    if (entries == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for an index of %zu ids", capacity);
    for (size_t i = 0; i < table->capacity; i++)
        if (table->entries[i].used) entries[place_of(entries, capacity, table->entries[i].id)] = table->entries[i];
    free(table->entries);
    table->entries = entries;
    table->capacity = capacity;
    return STATUS_OK;
}

const IdEntry *id_table_find(const IdTable *table, Id id) {
    if (table->capacity == 0) return NULL;
    const IdEntry *entry = &table->entries[place_of(table->entries, table->capacity, id)];
    return entry->used ? entry : NULL;
}

IdEntry *id_table_add(IdTable *table, Id id) {
    assert(table->count < table->capacity / 4 * 3 || id_table_find(table, id) != NULL);
    IdEntry *entry = &table->entries[place_of(table->entries, table->capacity, id)];
    if (!entry->used) {
        *entry = (IdEntry){.id = id, .used = true};
        table->count++;
    }
    return entry;
}

IdEntry *id_table_note_result(IdTable *table, const Record *record) {
    IdEntry *entry = id_table_add(table, record_id(record));
    bool failed = record_is_failure(record);
    entry->result = entry->result || !failed;
    entry->result_failed = !entry->result;
    return entry;
}

void id_table_free(IdTable *table) {
    free(table->entries);
    *table = (IdTable){0};
}
