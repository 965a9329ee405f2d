/* See cached_attention.h. Keys stand in columns, so that neither scores nor outputs are sums across a vector: plain
 * loops that become vector code. Sums are in float as in the tuned kernels, exponentials in double. */
#include "worker/model/cached_attention.h"

#include "proto/base/elementary.h"

#include <math.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* e^x for x <= 0; below e^-700 it is that. With k the whole number nearest to x / log 2: 2^k e^(x - k log 2). */
ALWAYS_INLINE double exp_of_negative(double x) {
    const double to_whole = 0x1.8p52; /* a sum with it has the whole number in its lowest bits */
    double bounded = x < -700 ? -700 : x, shifted = bounded * 0x1.71547652b82fep+0 + to_whole;
    double k = shifted - to_whole, rest = bounded - k * 0x1.62e42fefa39efp-1;
    return elementary_exp(rest) * double_of_bits((bits_of_double(shifted) + 1023) << 52);
}

/* score (seen, rounded up to whole blocks) = query . key / sqrt(D) */
ALWAYS_INLINE void scores_of_keys(int D, int seen, int stride, const float *query, const float *keys, float *score) {
    const float scale = (float)(1 / sqrt(D));
    for (int block = 0; block < seen; block += KEY_BLOCK) {
        float sum[KEY_BLOCK] = {0};
        for (int c = 0; c < D; c++)
            for (int u = 0; u < KEY_BLOCK; u++)
                sum[u] += query[c] * keys[(size_t)c * stride + block + u];
        for (int u = 0; u < KEY_BLOCK; u++)
            score[block + u] = sum[u] * scale;
    }
}

/* Scores to weights, in place. The largest may miss a NaN; its exponential is NaN all the same. */
ALWAYS_INLINE void softmax(int seen, float *score) {
    float largest = score[0];
    double sum = 0;
    for (int u = 1; u < seen; u++)
        largest = score[u] > largest ? score[u] : largest;
    for (int u = 0; u < seen; u++)
        score[u] = (float)exp_of_negative((double)score[u] - largest);
    for (int u = 0; u < seen; u++)
        sum += score[u];
    const float inverse = (float)(1 / sum);
    for (int u = 0; u < seen; u++)
        score[u] *= inverse;
}

FOR_EVERY_CPU void cached_attention(const Shape *shape, int seen, int stride, const float *query, const float *keys,
                                    const float *values, float *score, float *out) {
    int D = shape->D, E = shape->E;
    for (int first = 0; first < E; first += D) {
        float *of_head = out + first;
        scores_of_keys(D, seen, stride, query + first, keys + (size_t)first * stride, score);
        if (shape->attention == ATTENTION_SOFTMAX) softmax(seen, score);
        for (int c = 0; c < D; c++)
            of_head[c] = 0;
        for (int u = 0; u < seen; u++)
            for (int c = 0; c < D; c++)
                of_head[c] += score[u] * values[(size_t)u * E + first + c];
    }
}
