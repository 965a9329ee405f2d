/* Lengths and angles of single vectors, in double. */
#ifndef WORKER_TASK_DIRECTION_H
#define WORKER_TASK_DIRECTION_H

#include <math.h>

static inline double direction_product(int d, const float *a, const float *b) {
    double sum = 0;
    for (int k = 0; k < d; k++)
        sum += (double)a[k] * b[k];
    return sum;
}

/* At least 1e-8, as in the objectives; NaN stays. */
static inline double direction_norm(int d, const float *vector) {
    const double smallest = 1e-8;
    double root = sqrt(direction_product(d, vector, vector));
    return root < smallest ? smallest : root;
}

static inline double direction_cosine(int d, const float *a, const float *b) {
    return direction_product(d, a, b) / (direction_norm(d, a) * direction_norm(d, b));
}

#endif
