/* See rng.h. One Philox block gives four 32-bit words: elements 4b .. 4b+3 for uniforms; normals use words (0, 1) and
 * (2, 3) as two Box-Muller pairs, which again makes four elements a block.
 *
 * Blocks are made by the CHUNK, whichever units and places they belong to, in loops that the compiler turns into vector
 * code; compiled without contraction, so that numbers are the same on every CPU. */
#include "proto/base/rng.h"

#include "proto/base/elementary.h"

#include <Random123/philox.h>
#include <math.h>

enum { CHUNK = 16 };

/* CHUNK blocks of a stream: word w of block i is [w][i]. */
typedef struct Chunk {
    uint32_t unit[CHUNK], block[CHUNK];
    uint32_t bits[4][CHUNK];
    float value[4][CHUNK];
} Chunk;

uint32_t rng_bits(RngStream stream, uint32_t element) {
    philox4x32_ctr_t counter = {{element / 4, stream.unit, stream.step, 0}};
    philox4x32_key_t key = {{stream.seed, stream.purpose}};
    return philox4x32(counter, key).v[element % 4];
}

FOR_EVERY_CPU static void fill_bits(RngStream stream, Chunk *chunk) {
    philox4x32_key_t key = {{stream.seed, stream.purpose}};
    for (int i = 0; i < CHUNK; i++) {
        philox4x32_ctr_t counter = {{chunk->block[i], chunk->unit[i], stream.step, 0}};
        philox4x32_ctr_t bits = philox4x32(counter, key);
        for (int w = 0; w < 4; w++)
            chunk->bits[w][i] = bits.v[w];
    }
}

FOR_EVERY_CPU static void bits_to_uniforms(Chunk *chunk) {
    for (int w = 0; w < 4; w++)
        for (int i = 0; i < CHUNK; i++)
            chunk->value[w][i] = (float)(int32_t)(chunk->bits[w][i] >> 8) * 0x1p-24f;
}

FOR_EVERY_CPU static void bits_to_normals(Chunk *chunk) {
    for (int w = 0; w < 4; w += 2)
        for (int i = 0; i < CHUNK; i++) {
            double u = ((double)chunk->bits[w][i] + 0.5) * 0x1p-32; /* in (0, 1): the logarithm is finite */
            double radius = sqrt(-2.0 * elementary_log(u)), cosine, sine;
            elementary_cosine_sine(chunk->bits[w + 1][i], &cosine, &sine);
            chunk->value[w][i] = (float)(radius * cosine);
            chunk->value[w + 1][i] = (float)(radius * sine);
        }
}

/* out (units, n) */
static void fill(RngStream stream, uint32_t units, uint32_t first, uint32_t n, float *out, void (*convert)(Chunk *)) {
    if (n == 0) return;
    const uint32_t first_block = first / 4, last_block = (first + (n - 1)) / 4;
    uint32_t unit = 0, block = first_block;
    while (unit < units) {
        Chunk chunk = {0};
        float *row[CHUNK];
        int count = 0;
        for (; count < CHUNK && unit < units; count++) {
            chunk.unit[count] = stream.unit + unit;
            chunk.block[count] = block;
            row[count] = out + (size_t)unit * n;
            if (block++ == last_block) {
                block = first_block;
                unit++;
            }
        }
        fill_bits(stream, &chunk);
        convert(&chunk);
        for (int i = 0; i < count; i++)
            for (uint32_t w = 0; w < 4; w++) {
                uint32_t place = 4 * chunk.block[i] + w - first; /* wraps round before the first */
                if (place < n) row[i][place] = chunk.value[w][i];
            }
    }
}

void rng_uniform(RngStream stream, uint32_t first, uint32_t n, float *out) {
    fill(stream, 1, first, n, out, bits_to_uniforms);
}

void rng_normal(RngStream stream, uint32_t first, uint32_t n, float *out) {
    fill(stream, 1, first, n, out, bits_to_normals);
}

void rng_uniform_units(RngStream stream, uint32_t units, uint32_t first, uint32_t n, float *out) {
    fill(stream, units, first, n, out, bits_to_uniforms);
}

void rng_normal_units(RngStream stream, uint32_t units, uint32_t first, uint32_t n, float *out) {
    fill(stream, units, first, n, out, bits_to_normals);
}
