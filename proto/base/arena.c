/* See arena.h. */
#include "proto/base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Large arenas start where a huge page does and ask for them: matrices whose rows are far apart spare address
 * translations (10 % of the products of weight gradients). */
enum { ALIGNMENT = 64, HUGE_PAGE = 1 << 21 };

static size_t round_up(size_t bytes, size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

Status arena_create(Arena *arena, size_t capacity_bytes, Error *err) {
    size_t unit = capacity_bytes >= HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    size_t bytes = round_up(capacity_bytes > 0 ? capacity_bytes : 1, unit);
    *arena = (Arena){.base = aligned_alloc(unit, bytes), .capacity_bytes = bytes};
    if (arena->base == NULL)
        return error_set(err, STATUS_NO_MEMORY, "cannot allocate %.1f MB of working memory", (double)bytes / 1e6);
    if (unit == HUGE_PAGE) madvise(arena->base, bytes, MADV_HUGEPAGE); /* no promise: small pages do as well */
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
    size_t bytes = round_up(count * element_bytes, ALIGNMENT);
    if (arena->base == NULL) {
        arena->used_bytes += bytes;
        return NULL;
    }
    assert(bytes <= arena->capacity_bytes - arena->used_bytes);
    void *piece = arena->base + arena->used_bytes;
    arena->used_bytes += bytes;
    return piece;
}
