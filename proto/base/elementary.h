/* Elementary functions of doubles in plain arithmetic, for loops over many numbers.
 *
 * There is no branch, call or table in them, so that a compiler turns a loop over them into vector code; and every
 * operation is one that IEEE 754 defines to the bit, so that their values do not depend on compiler, instruction set or
 * C library, in files compiled without contraction (-ffp-contract=off). Polynomials are Taylor series over a range so
 * short that what is left out lies below rounding. NaN gives NaN. */
#ifndef PROTO_BASE_ELEMENTARY_H
#define PROTO_BASE_ELEMENTARY_H

#include <stdint.h>
#include <string.h>

/* Has a function compiled for each level of x86-64; the loader chooses. The function's loops should be of a length that
 * the compiler knows. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EVERY_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EVERY_CPU
#endif

static inline uint64_t bits_of_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double double_of_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Natural logarithm of a positive, finite, normal number, within 4 units in the last place. With u = 2^e m, m in [sqrt
 * 1/2, sqrt 2), s = (m - 1) / (m + 1): log u = e log 2 + 2 (s + s^3 / 3 + s^5 / 5 + ..). Infinity gives NaN. */
static inline double elementary_log(double u) {
    const uint64_t one = 0x3ff0000000000000, root_half = 0x3fe6a09e667f3bcd, two_to_52 = 0x4330000000000000;
    uint64_t exponent = (bits_of_double(u) + (one - root_half)) >> 52; /* e + 1023 */
    double m = double_of_bits(bits_of_double(u) - (exponent << 52) + one);
    double e = double_of_bits(exponent | two_to_52) - (0x1p52 + 1023);
    double s = (m - 1) / (m + 1), z = s * s, series = 1.0 / 21;
    for (int k = 19; k >= 3; k -= 2)
        series = series * z + 1.0 / k;
    return (e * 0x1.62e42fefa39efp-1 + (2 * s + 2 * s * z * series)) + (u - u); /* what is not finite stays so */
}

/* e^x for |x| <= 1 (a little more does no harm), within 16 units in the last place: (e^(x/8))^8. */
static inline double elementary_exp(double x) {
    static const double factorial[11] = {1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800};
    double eighth = x * 0.125, series = 1 / factorial[10];
    for (int k = 9; k >= 0; k--)
        series = series * eighth + 1 / factorial[k];
    series *= series;
    series *= series;
    return series * series;
}

/* Cosine and sine of an angle of (turn + 1/2) 2^-32 full turns, within 1e-15. */
static inline void elementary_cosine_sine(uint32_t turn, double *cosine, double *sine) {
    static const double factorial[17] = {
        1,      1,       2,        6,         24,         120,         720,           5040,          40320,
        362880, 3628800, 39916800, 479001600, 6227020800, 87178291200, 1307674368000, 20922789888000};
    uint32_t from_eighth = turn + (1U << 29), quarter = from_eighth >> 30; /* the nearest multiple of a quarter turn */
    double rest = (int32_t)(from_eighth & ((1U << 30) - 1)) - (0x1p29 - 0.5);
    double angle = rest * (0x1.921fb54442d18p+0 * 0x1p-30), z = -angle * angle; /* within pi / 4 of it */
    double c = 1 / factorial[16], s = 1 / factorial[15];
    for (int k = 14; k >= 0; k -= 2)
        c = c * z + 1 / factorial[k];
    for (int k = 13; k >= 1; k -= 2)
        s = s * z + 1 / factorial[k];
    s *= angle;
    double along = quarter & 1 ? s : c, across = quarter & 1 ? c : s;
    *cosine = (quarter + 1) & 2 ? -along : along;
    *sine = quarter & 2 ? -across : across;
}

#endif
