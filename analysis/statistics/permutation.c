/* See permutation.h. The exact test never lists 2^n sums: the sums of each half of the differences are kept in order,
 * and pairs of them are counted, 2^(n/2) steps in all. */
#include "analysis/statistics/permutation.h"

#include "analysis/statistics/statistics.h"
#include "proto/base/rng.h"

#include <assert.h>
#include <math.h>

enum { HALF_SUMS_MAX = 1 << (SIGN_FLIP_EXACT_MAX / 2) };

/* All sums of n values under all signs, ascending, into sums; returns their number, 2^n. */
static int signed_sums(const double *values, int n, double *sums) {
    double merged[HALF_SUMS_MAX];
    int count = 1;
    sums[0] = 0;
    for (int i = 0; i < n; i++) {
        double size = fabs(values[i]);
        for (int minus = 0, plus = 0, at = 0; at < 2 * count; at++) {
            bool take_minus = minus < count && (plus == count || sums[minus] - size <= sums[plus] + size);
            merged[at] = take_minus ? sums[minus++] - size : sums[plus++] + size;
        }
        count *= 2;
        for (int k = 0; k < count; k++)
            sums[k] = merged[k];
    }
    return count;
}

/* How many pairs of one of a and one of b add up to at least bound; both ascending. */
static double count_at_least(const double *a, int n_a, const double *b, int n_b, double bound) {
    double count = 0;
    for (int i = 0, first = n_b; i < n_a; i++) {
        while (first > 0 && a[i] + b[first - 1] >= bound)
            first--;
        count += n_b - first;
    }
    return count;
}

static SignFlip exact_flip(const double *differences, int n, double shift, double sum, double slack) {
    double shifted[SIGN_FLIP_EXACT_MAX], a[HALF_SUMS_MAX], b[HALF_SUMS_MAX];
    for (int i = 0; i < n; i++)
        shifted[i] = differences[i] + shift;
    int n_a = signed_sums(shifted, n / 2, a), n_b = signed_sums(shifted + n / 2, n - n / 2, b);
    double all = (double)n_a * n_b;
    double greater = count_at_least(a, n_a, b, n_b, sum - slack) / all;
    double less = count_at_least(a, n_a, b, n_b, -sum - slack) / all; /* the sums lie symmetrically about 0 */
    double two_sided = 2 * count_at_least(a, n_a, b, n_b, fabs(sum) - slack) / all;
    return (SignFlip){greater, less, fmin(1, two_sided), true};
}

int sign_flip_samples(int n) {
    return n <= SIGN_FLIP_EXACT_MAX ? 0 : (int)fmax(999, fmin(SIGN_FLIP_SAMPLES, SIGN_FLIP_WORK / n));
}

static SignFlip sampled_flip(const double *differences, int n, double shift, double sum, double slack) {
    const int samples = sign_flip_samples(n);
    int greater = 1, less = 1, two_sided = 1; /* the observed pattern */
    for (int sample = 0; sample < samples; sample++) {
        RngStream stream = {RNG_BOOTSTRAP, STREAM_SIGNS, (uint32_t)n, (uint32_t)sample};
        double flipped = 0;
        uint32_t bits = 0;
        for (int i = 0; i < n; i++, bits >>= 1) {
            if (i % 32 == 0) bits = rng_bits(stream, (uint32_t)i / 32);
            flipped += (bits & 1) != 0 ? differences[i] + shift : -differences[i] - shift;
        }
        greater += flipped >= sum - slack;
        less += flipped <= sum + slack;
        two_sided += fabs(flipped) >= fabs(sum) - slack;
    }
    double all = samples + 1;
    return (SignFlip){greater / all, less / all, two_sided / all, false};
}

/* The test of the differences with a constant added. */
static SignFlip shifted_flip(const double *differences, int n, double shift) {
    assert(n >= 1);
    double sum = 0, size = 0;
    for (int i = 0; i < n; i++) {
        sum += differences[i] + shift;
        size += fabs(differences[i] + shift);
    }
    double slack = 1e-12 * size; /* sums that differ by rounding only are equal */
    return n <= SIGN_FLIP_EXACT_MAX ? exact_flip(differences, n, shift, sum, slack)
                                    : sampled_flip(differences, n, shift, sum, slack);
}

SignFlip sign_flip(const double *differences, int n) {
    return shifted_flip(differences, n, 0);
}

double equivalence_p(const double *differences, int n, double margin) {
    return fmax(shifted_flip(differences, n, margin).p_greater, shifted_flip(differences, n, -margin).p_less);
}

double beyond_margin_p(const double *differences, int n, double margin) {
    double above = shifted_flip(differences, n, -margin).p_greater, below = shifted_flip(differences, n, margin).p_less;
    return fmin(1, 2 * fmin(above, below));
}
