/* See bootstrap.h. */
#include "analysis/statistics/bootstrap.h"

#include "analysis/statistics/statistics.h"
#include "proto/base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

Status resamples_create(int n, int count, Resamples **out, Error *err) {
    assert(n > 0 && n <= BOOTSTRAP_SEEDS_MAX && count > 0);
    Resamples *resamples = calloc(1, sizeof *resamples);
    if (resamples != NULL) {
        *resamples = (Resamples){n, count, malloc((size_t)count * (size_t)n * sizeof *resamples->index),
                                 malloc((size_t)count * sizeof *resamples->work), malloc((size_t)n * sizeof(double))};
    }
    if (resamples == NULL || resamples->index == NULL || resamples->work == NULL || resamples->seed_work == NULL) {
        resamples_free(resamples);
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d resamples of %d seeds", count, n);
    }
    for (int b = 0; b < count; b++) {
        RngStream stream = {RNG_BOOTSTRAP, STREAM_RESAMPLES, (uint32_t)n, (uint32_t)b};
        for (int i = 0; i < n; i++)
            resamples->index[b * (size_t)n + i] =
                (uint32_t)((uint64_t)rng_bits(stream, (uint32_t)i) * (uint64_t)n >> 32);
    }
    *out = resamples;
    return STATUS_OK;
}

void resamples_free(Resamples *resamples) {
    if (resamples == NULL) return;
    free(resamples->index);
    free(resamples->work);
    free(resamples->seed_work);
    free(resamples);
}

double select_smallest(double *values, int count, int k) {
    int low = 0, high = count - 1;
    while (low < high) { /* Hoare's quickselect; the middle as pivot */
        double pivot = values[low + (high - low) / 2];
        int i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i > j) break;
            double value = values[i];
            values[i++] = values[j];
            values[j--] = value;
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            break;
    }
    return values[k];
}

Interval bootstrap_interval(double mean, double error, const Resamples *resamples, double confidence) {
    int tail = (int)lround((resamples->count + 1) * (1 - confidence) / 2);
    assert(tail >= 1);
    double smallest = select_smallest(resamples->work, resamples->count, tail - 1);
    double largest = select_smallest(resamples->work, resamples->count, resamples->count - tail);
    if (!isfinite(smallest) || !isfinite(largest)) return (Interval){NAN, NAN};
    return (Interval){mean - largest * error, mean - smallest * error};
}

Interval bootstrap_t(const double *values, const Resamples *resamples, double confidence) {
    const int n = resamples->n;
    if (n < BOOTSTRAP_SEEDS_MIN) return (Interval){NAN, NAN};
    MeanInterval of = mean_interval(values, n, confidence);
    if (of.undefined > 0) return (Interval){NAN, NAN};
    if (of.standard_deviation == 0) return (Interval){of.mean, of.mean};
    for (int b = 0; b < resamples->count; b++) {
        const uint32_t *index = resamples->index + b * (size_t)n;
        double sum = 0, squares = 0; /* of deviations from the mean, which keeps them small */
        for (int i = 0; i < n; i++) {
            double deviation = values[index[i]] - of.mean;
            sum += deviation;
            squares += deviation * deviation;
        }
        double variance = (squares - sum * sum / n) / (n - 1);
        bool one_value = !(variance > 1e-12 * squares / n);
        double shift = sum / n;
        if (one_value)
            resamples->work[b] = shift == 0 ? 0 : copysign(INFINITY, shift);
        else
            resamples->work[b] = shift / sqrt(variance / n);
    }
    return bootstrap_interval(of.mean, of.standard_deviation / sqrt(n), resamples, confidence);
}
