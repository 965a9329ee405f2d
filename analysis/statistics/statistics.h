/* Numbers about numbers: what is said of a sample of seeds.
 *
 * Pure functions of arrays; they know nothing of records, settings or files. Undefined values (NaN, or infinite) are
 * left out and counted, never read as 0; a statistic that does not exist (the interval of one value) is NaN. Every
 * function names its formula and a source. What resamples, compares or follows an axis has a file of its own:
 * bootstrap.h, permutation.h, effect.h, page_trend.h, ordered.h, regression.h. */
#ifndef ANALYSIS_STATISTICS_STATISTICS_H
#define ANALYSIS_STATISTICS_STATISTICS_H

#define CONFIDENCE_95 0.95

/* Streams of random numbers (RNG_BOOTSTRAP of proto/base/rng.h) by what they are drawn for: the stream's seed. */
enum { STREAM_RESAMPLES = 0, STREAM_SIGNS = 1 };

/* A mean over seeds and how sure it is. */
typedef struct MeanInterval {
    int n;                                /* defined values, that the rest is about */
    int undefined;                        /* NaN or infinite values, left out */
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

/* How values lie; all NaN for n = 0. */
typedef struct Order {
    int n; /* defined values */
    double median, minimum, maximum;
    double interquartile_mean;
} Order;

/* Of the defined ones among values (count); sorted (count) receives those, ascending. The median is the middle value,
 * or the mean of the two middle ones. The interquartile mean is the mean without the floor(n / 4) smallest and as many
 * largest values: nearly as robust as the median and nearly as efficient as the mean (Agarwal et al., "Deep
 * reinforcement learning at the edge of the statistical precipice", NeurIPS 2021; scipy.stats.trim_mean(x, 0.25)). */
Order order_of(const double *values, int count, double *sorted);

/* Holm's corrected p-values: adjusted(i) = max over j <= i of min(1, (m - j + 1) p(j)), p(1) <= .. <= p(m); rejecting
 * where adjusted <= alpha keeps the chance of any wrong rejection at most alpha, whatever the dependence. NaN is no
 * test: it does not count and stays NaN. (S. Holm, "A simple sequentially rejective multiple test procedure",
 * Scandinavian Journal of Statistics 6, 1979; R: p.adjust.) */
void holm_adjust(const double *p, int count, double *adjusted);

#endif
