/* See statistics.h. */
#include "analysis/statistics.h"

#include <assert.h>
#include <gsl/gsl_cdf.h>
#include <math.h>

MeanInterval mean_interval(const double *values, int count, double confidence) {
    assert(confidence > 0 && confidence < 1);
    MeanInterval result = {0, 0, NAN, NAN, NAN, NAN};
    double sum = 0;
    for (int i = 0; i < count; i++) {
        if (isnan(values[i])) continue;
        sum += values[i];
        result.n++;
    }
    result.undefined = count - result.n;
    if (result.n == 0) return result;
    result.mean = sum / result.n;
    if (result.n == 1) return result;

    double squares = 0; /* in a second pass: no cancellation however large the mean */
    for (int i = 0; i < count; i++)
        if (!isnan(values[i])) squares += (values[i] - result.mean) * (values[i] - result.mean);
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
