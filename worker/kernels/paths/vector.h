/* Vectors of the widest register of the instruction set that a file is compiled for, by GCC's vector extension.
 *
 * Only for the files that are compiled once per path. Every operation is exactly defined lane by lane and sums over
 * lanes have a fixed order, so results do not depend on alignment. Tails shorter than a vector are filled with zeros.
 */
#ifndef WORKER_KERNELS_PATHS_VECTOR_H
#define WORKER_KERNELS_PATHS_VECTOR_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
enum { LANES = 16 };
#elif defined(__AVX2__)
#include <immintrin.h>
enum { LANES = 8 };
#else
#include <math.h>
enum { LANES = 4 };
#endif

typedef float Vector __attribute__((vector_size(4 * LANES)));
typedef uint32_t Bits __attribute__((vector_size(4 * LANES)));
typedef int32_t Lanes __attribute__((vector_size(4 * LANES)));
typedef float LooseVector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef float HalfVector __attribute__((vector_size(2 * LANES)));
typedef double HalfDoubles __attribute__((vector_size(4 * LANES)));

#define VECTOR_INLINE static inline __attribute__((always_inline, unused))

/* Before a loop with a constant number of turns, whose arrays of vectors are to live in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

VECTOR_INLINE Vector vector_all(float value) {
    return value - (Vector){0};
}

VECTOR_INLINE Vector vector_load(const float *from) {
    return *(const LooseVector *)from;
}

VECTOR_INLINE void vector_store(float *to, Vector v) {
    *(LooseVector *)to = v;
}

/* The first count lanes (all when count >= LANES), the others 0. */
VECTOR_INLINE Vector vector_load_first(const float *from, int count) {
    if (count >= LANES) return vector_load(from);
    Vector v = {0};
    memcpy(&v, from, (size_t)count * sizeof(float));
    return v;
}

VECTOR_INLINE void vector_store_first(float *to, int count, Vector v) {
    if (count >= LANES)
        vector_store(to, v);
    else
        memcpy(to, &v, (size_t)count * sizeof(float));
}

VECTOR_INLINE Lanes vector_lane_numbers(void) {
    Lanes numbers;
    for (int i = 0; i < LANES; i++)
        numbers[i] = i;
    return numbers;
}

/* v with the lanes from count on set to 0, whatever they held. */
VECTOR_INLINE Vector vector_keep_first(Vector v, int count) {
    return (Vector)((Lanes)v & (vector_lane_numbers() < count));
}

/* v with the lanes before first set to value. */
VECTOR_INLINE Vector vector_from_or(Vector v, int first, float value) {
    Lanes kept = vector_lane_numbers() >= first;
    return (Vector)(((Lanes)v & kept) | ((Lanes)vector_all(value) & ~kept));
}

/* Lane i of the result is lane lanes[i] of a, or of b where that is LANES or more. */
VECTOR_INLINE Vector vector_pick(Vector a, Vector b, Lanes lanes) {
#if defined(__AVX512F__)
    return _mm512_permutex2var_ps(a, (__m512i)lanes, b);
#elif defined(__clang__)
    Vector picked;
    for (int i = 0; i < LANES; i++)
        picked[i] = lanes[i] < LANES ? a[lanes[i]] : b[lanes[i] - LANES];
    return picked;
#else
    return __builtin_shuffle(a, b, lanes);
#endif
}

/* Every 2 half lanes with their halves exchanged. */
VECTOR_INLINE Vector vector_exchange_halves(Vector v, int half) {
    return vector_pick(v, v, vector_lane_numbers() ^ half);
}

/* a b + c, rounded once where the instruction set can. The compiler is not left to choose where (-ffp-contract=off), so
 * that the bits do not depend on it. */
VECTOR_INLINE Vector vector_fma(Vector a, Vector b, Vector c) {
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
    return _mm256_fmadd_ps(a, b, c);
#else
    return a * b + c;
#endif
}

/* a > b ? a : b, so that a NaN in b reaches the result. */
VECTOR_INLINE Vector vector_max(Vector a, Vector b) {
#if defined(__AVX512F__)
    return _mm512_max_ps(a, b);
#elif defined(__AVX2__)
    return _mm256_max_ps(a, b);
#else
    for (int i = 0; i < LANES; i++)
        b[i] = a[i] > b[i] ? a[i] : b[i];
    return b;
#endif
}

/* a < b ? a : b */
VECTOR_INLINE Vector vector_min(Vector a, Vector b) {
    return -vector_max(-a, -b);
}

VECTOR_INLINE Vector vector_sqrt(Vector v) {
#if defined(__AVX512F__)
    return _mm512_sqrt_ps(v);
#elif defined(__AVX2__)
    return _mm256_sqrt_ps(v);
#else
    for (int i = 0; i < LANES; i++)
        v[i] = sqrtf(v[i]);
    return v;
#endif
}

VECTOR_INLINE float vector_sum(Vector v) {
    for (int half = LANES / 2; half > 0; half /= 2)
        v += vector_exchange_halves(v, half);
    return v[0];
}

/* Transposes LANES rows of LANES: in turn for half = 1, 2, 4, .., every 2 x 2 block of squares with side half has its
 * two off-diagonal squares exchanged. */
VECTOR_INLINE void vector_transpose(Vector rows[LANES]) {
    const Lanes lane = vector_lane_numbers();
    UNROLL for (int half = 1; half < LANES; half *= 2) {
        Lanes upper = (lane & half) != 0;
        UNROLL for (int i = 0; i < LANES; i++) {
            if (i & half) continue;
            Vector a = rows[i], b = rows[i + half];
            rows[i] = vector_pick(a, b, (upper & (lane + (LANES - half))) | (~upper & lane));
            rows[i + half] = vector_pick(a, b, (upper & (lane + LANES)) | (~upper & (lane + half)));
        }
    }
}

/* e^x within 1.2e-7 relative for x in [-87, 88], clamped outside. With x = n ln 2 + r, |r| <= ln 2 / 2: e^r by
 * 1 + r + r^2 P(r), P the polynomial of degree 4 of least relative error (3e-9); n is added to the exponent. */
VECTOR_INLINE Vector vector_exp(Vector x) {
    const float round_to_integer = 0x1.8p23f; /* adding it leaves n in the low bits */
    x = vector_min(vector_all(88.0f), vector_max(vector_all(-87.0f), x));
    Vector shifted = vector_fma(x, vector_all(0x1.715476p+0f), vector_all(round_to_integer));
    Vector n = shifted - round_to_integer;
    /* ln 2 in two parts, the first short enough that n times it is exact */
    Vector r = vector_fma(n, vector_all(-0x1.7f7d1cp-20f), vector_fma(n, vector_all(-0x1.62e4p-1f), x));
    Vector p = vector_all(0x1.6a23cep-10f);
    p = vector_fma(p, r, vector_all(0x1.123a2p-7f));
    p = vector_fma(p, r, vector_all(0x1.5558f2p-5f));
    p = vector_fma(p, r, vector_all(0x1.555492p-3f));
    p = vector_fma(p, r, vector_all(0x1.fffffcp-2f));
    Vector e = vector_fma(p * r, r, r) + 1.0f;
    return (Vector)((Bits)e + ((Bits)shifted << 23));
}

/* Doubles of the lower and upper half of v added to two accumulators. */
VECTOR_INLINE void vector_accumulate(HalfDoubles sums[2], Vector v) {
    HalfVector halves[2];
    memcpy(halves, &v, sizeof v);
    sums[0] += __builtin_convertvector(halves[0], HalfDoubles);
    sums[1] += __builtin_convertvector(halves[1], HalfDoubles);
}

/* to[0 .. count) += sums, rounded to float after the addition. */
VECTOR_INLINE void vector_add_sums(float *to, int count, const HalfDoubles sums[2]) {
    for (int i = 0; i < LANES && i < count; i++)
        to[i] = (float)(to[i] + sums[i / (LANES / 2)][i % (LANES / 2)]);
}

#endif
