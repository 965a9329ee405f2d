/* See rng.h. One Philox block gives four 32-bit words: elements 4b .. 4b+3 for uniforms; normals use words (0, 1) and
 * (2, 3) as two Box-Muller pairs, which again makes four elements a block. */
#include "proto/base/rng.h"

#include <Random123/philox.h>
#include <math.h>

static philox4x32_ctr_t block_of(RngStream stream, uint32_t block) {
    philox4x32_ctr_t counter = {{block, stream.unit, stream.step, 0}};
    philox4x32_key_t key = {{stream.seed, stream.purpose}};
    return philox4x32(counter, key);
}

uint32_t rng_bits(RngStream stream, uint32_t element) {
    return block_of(stream, element / 4).v[element % 4];
}

static void uniform_block(philox4x32_ctr_t bits, float out[4]) {
    for (int i = 0; i < 4; i++)
        out[i] = (float)(bits.v[i] >> 8) * 0x1p-24f;
}

static void normal_block(philox4x32_ctr_t bits, float out[4]) {
    const double two_pi = 6.283185307179586476925286766559;
    for (int i = 0; i < 4; i += 2) {
        double u = ((double)bits.v[i] + 0.5) * 0x1p-32; /* in (0, 1): the logarithm is finite */
        double angle = two_pi * (((double)bits.v[i + 1] + 0.5) * 0x1p-32);
        double radius = sqrt(-2.0 * log(u));
        out[i] = (float)(radius * cos(angle));
        out[i + 1] = (float)(radius * sin(angle));
    }
}

static void fill(RngStream stream, uint32_t first, uint32_t n, float *out, void (*make)(philox4x32_ctr_t, float[4])) {
    float block[4];
    for (uint32_t i = 0; i < n; i++) {
        uint32_t element = first + i;
        if (i == 0 || element % 4 == 0) make(block_of(stream, element / 4), block);
        out[i] = block[element % 4];
    }
}

void rng_uniform(RngStream stream, uint32_t first, uint32_t n, float *out) {
    fill(stream, first, n, out, uniform_block);
}

void rng_normal(RngStream stream, uint32_t first, uint32_t n, float *out) {
    fill(stream, first, n, out, normal_block);
}
