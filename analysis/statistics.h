/* Numbers about numbers: what is said of a sample of seeds.
 *
 * Pure functions of arrays; they know nothing of records, settings or files. Undefined values (NaN) are left out and
 * counted, never read as 0; a statistic that does not exist (the interval of one value) is NaN. Every function names
 * its formula and a source. */
#ifndef ANALYSIS_STATISTICS_H
#define ANALYSIS_STATISTICS_H

#define CONFIDENCE_95 0.95

/* A mean over seeds and how sure it is. */
typedef struct MeanInterval {
    int n;                                /* defined values, that the rest is about */
    int undefined;                        /* NaN values, left out */
    double mean;                          /* NaN for n = 0 */
    double standard_deviation, low, high; /* NaN for n < 2 */
} MeanInterval;

/* Mean m = sum x / n, standard deviation s = sqrt(sum (x - m)^2 / (n - 1)) and Student's two-sided interval for the
 * mean, m -+ t s / sqrt(n),    t: the (1 + confidence) / 2 quantile of the t distribution with n - 1 degrees of
 * freedom, over the defined ones among values (count). confidence in (0, 1). The interval is exact for independent
 * normal values (Student, "The probable error of a mean", Biometrika 6, 1908). */
MeanInterval mean_interval(const double *values, int count, double confidence);

/* Half the width of the interval; NaN where there is none. */
double interval_half_width(const MeanInterval *interval);

#endif
