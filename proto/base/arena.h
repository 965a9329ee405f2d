/* One block of memory handed out front to back, freed as a whole.
 *
 * Sized by running the same allocation code twice: an Arena with base NULL only measures. Every piece is aligned to 64
 * bytes (a cache line, an AVX-512 register) and zeroed. */
#ifndef PROTO_BASE_ARENA_H
#define PROTO_BASE_ARENA_H

#include "proto/base/status.h"

#include <stddef.h>

typedef struct Arena {
    unsigned char *base; /* NULL: measuring */
    size_t used_bytes, capacity_bytes;
} Arena;

/* Allocates capacity_bytes (rounded up to whole cache lines), zeroed. STATUS_NO_MEMORY names the size. */
Status arena_create(Arena *arena, size_t capacity_bytes, Error *err);

/* Frees the block; accepts NULL and an Arena that was never created but is zeroed. */
void arena_destroy(Arena *arena);

/* The next count * element_bytes bytes, or NULL while measuring. Running over the measured capacity is a bug. */
void *arena_take(Arena *arena, size_t count, size_t element_bytes);

#endif
