/* gelu_new and its derivative, compiled once per instruction set with KERNELS_PATH defined as its name. One
 * exponential and one division serve both. */
#include "worker/kernels/paths.h"
#include "worker/kernels/paths/vector.h"

/* e^(-2 u), u = sqrt(2 / pi) (x + 0.044715 x^3): gelu_new(x) = x / (1 + it). */
VECTOR_INLINE Vector gelu_exponential(Vector x) {
    const Vector minus_twice = vector_all(-1.5957691216f); /* -2 sqrt(2 / pi) */
    return vector_exp(x * vector_fma(x * x, 0.044715f * minus_twice, minus_twice));
}

VECTOR_INLINE void gelu_of(size_t count, const float *x, float *y, float *slope) {
    const float twice = 1.5957691216f; /* 2 sqrt(2 / pi) */
    for (size_t i = 0; i < count; i += LANES) {
        int left = count - i < LANES ? (int)(count - i) : LANES;
        Vector in = vector_load_first(x + i, left);
        Vector e = gelu_exponential(in), gate = 1.0f / (1.0f + e), out = in * gate;
        vector_store_first(y + i, left, out);
        if (!slope) continue;
        Vector twice_u = vector_fma(in * in, vector_all(3.0f * 0.044715f * twice), vector_all(twice)); /* 2 du/dx */
        /* e gate is 1 - gate without cancellation */
        vector_store_first(slope + i, left, vector_fma(out * (e * gate), twice_u, gate));
    }
}

void PATH_NAME(gelu)(size_t count, const float *x, float *y, float *slope) {
    if (slope)
        gelu_of(count, x, y, slope);
    else
        gelu_of(count, x, y, NULL);
}
