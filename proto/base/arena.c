/* See arena.h. */
#include "proto/base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

static size_t round_up(size_t bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

Status arena_create(Arena *arena, size_t capacity_bytes, Error *err) {
    size_t bytes = round_up(capacity_bytes > 0 ? capacity_bytes : 1);
    *arena = (Arena){.base = aligned_alloc(ALIGNMENT, bytes), .capacity_bytes = bytes};
    if (arena->base == NULL)
        return error_set(err, STATUS_NO_MEMORY, "cannot allocate %.1f MB of working memory", (double)bytes / 1e6);
    memset(arena->base, 0, bytes);
    return STATUS_OK;
}

void arena_destroy(Arena *arena) {
    if (arena == NULL) return;
    free(arena->base);
    *arena = (Arena){0};
}

void *arena_take(Arena *arena, size_t count, size_t element_bytes) {
    assert(element_bytes == 0 || count <= SIZE_MAX / 2 / element_bytes);
    size_t bytes = round_up(count * element_bytes);
    if (arena->base == NULL) {
        arena->used_bytes += bytes;
        return NULL;
    }
    assert(bytes <= arena->capacity_bytes - arena->used_bytes);
    void *piece = arena->base + arena->used_bytes;
    arena->used_bytes += bytes;
    return piece;
}
