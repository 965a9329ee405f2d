/* Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011)
 * from the Random123 library.
 *
 * A number is a pure function of (purpose, seed, step, unit, element): nothing depends on the order in which numbers
 * are asked for, on ranks or on retries, and the same seed gives the same prompts and initial weights to every
 * configuration, so that configurations can be compared pair by pair. */
#ifndef PROTO_BASE_RNG_H
#define PROTO_BASE_RNG_H

#include <stdint.h>

/* What a stream is for. The values are part of every result: append, never renumber. */
typedef enum RngPurpose {
    RNG_INIT = 1,          /* unit: hash of the tensor's name; element: index in the tensor */
    RNG_TRAIN_PROMPTS = 2, /* step; unit: prompt in the batch */
    RNG_TRAIN_CRITIC = 3,  /* as RNG_TRAIN_PROMPTS */
    RNG_EXPLORATION = 4,
    RNG_EVALUATION_PROMPTS = 5, /* step 0; unit: prompt */
    RNG_EVALUATION_CRITIC = 6,  /* as RNG_EVALUATION_PROMPTS */
    RNG_INITIAL_RESPONSES = 7,
    RNG_GD_START = 8, /* step 0; unit: prompt */
    RNG_BOOTSTRAP = 9,
    RNG_THEORY = 10 /* step: what is drawn; unit: responses in the prompt */
} RngPurpose;

/* A stream of 2^32 elements per (step, unit). step counts to 2^32 - 1. */
typedef struct RngStream {
    uint32_t purpose, seed, step, unit;
} RngStream;

/* Fills out[0..n) with elements first..first+n of the stream, uniform on [0, 1): multiples of 2^-24, exact in float. */
void rng_uniform(RngStream stream, uint32_t first, uint32_t n, float *out);

/* Fills out[0..n) with elements first..first+n of the stream, standard normal (Box-Muller in double, rounded to float).
 * Element e is made of the same bits wherever first lies. The same numbers on every CPU and with every C library. */
void rng_normal(RngStream stream, uint32_t first, uint32_t n, float *out);

/* The same elements of each of the units stream.unit, stream.unit + 1, ..: out (units, n). Many short rows made
 * together cost a fraction of what they cost one by one. */
void rng_uniform_units(RngStream stream, uint32_t units, uint32_t first, uint32_t n, float *out);
void rng_normal_units(RngStream stream, uint32_t units, uint32_t first, uint32_t n, float *out);

/* 32 bits of element e of the stream. */
uint32_t rng_bits(RngStream stream, uint32_t element);

#endif
