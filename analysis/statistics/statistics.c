/* See statistics.h. */
#include "analysis/statistics/statistics.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdbool.h>

MeanInterval mean_interval(const double *values, int count, double confidence) {
    MeanInterval result = {.mean = NAN, .standard_deviation = NAN, .low = NAN, .high = NAN};
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++) {
        result.n += isfinite(values[i]);
        sum += isfinite(values[i]) ? values[i] : 0;
    }
    result.undefined = count - result.n;
    if (result.n == 0) return result;
    result.mean = sum / result.n;
    if (result.n < 2) return result;
    for (int i = 0; i < count; i++) {
        double deviation = isfinite(values[i]) ? values[i] - result.mean : 0;
        squares += deviation * deviation;
    }
    result.standard_deviation = sqrt(squares / (result.n - 1));
    double half =
        gsl_cdf_tdist_Pinv((1 + confidence) / 2, result.n - 1) * result.standard_deviation / sqrt((double)result.n);
    result.low = result.mean - half;
    result.high = result.mean + half;
    return result;
}

double interval_half_width(const MeanInterval *interval) {
    return (interval->high - interval->low) / 2;
}

Order order_of(const double *values, int count, double *sorted) {
    Order result = {0, NAN, NAN, NAN, NAN};
    for (int i = 0; i < count; i++)
        if (isfinite(values[i])) sorted[result.n++] = values[i];
    const int n = result.n;
    if (n == 0) return result;
    gsl_sort(sorted, 1, (size_t)n);
    result.median = n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
    result.minimum = sorted[0];
    result.maximum = sorted[n - 1];
    double sum = 0;
    for (int i = n / 4; i < n - n / 4; i++)
        sum += sorted[i];
    result.interquartile_mean = sum / (n - 2 * (n / 4));
    return result;
}

/* The place of the smallest p above the one at place after (ties by place; -1: any); -1: there is none. */
static int next_smallest(const double *p, int count, int after) {
    int next = -1;
    for (int i = 0; i < count; i++) {
        if (isnan(p[i])) continue;
        bool later = after < 0 || p[i] > p[after] || (p[i] == p[after] && i > after);
        if (later && (next < 0 || p[i] < p[next])) next = i;
    }
    return next;
}

void holm_adjust(const double *p, int count, double *adjusted) {
    int left = 0;
    for (int i = 0; i < count; i++) {
        left += !isnan(p[i]);
        adjusted[i] = NAN;
    }
    double largest = 0;
    for (int i = next_smallest(p, count, -1); i >= 0; i = next_smallest(p, count, i), left--) {
        largest = fmax(largest, fmin(1, left * p[i]));
        adjusted[i] = largest;
    }
}
