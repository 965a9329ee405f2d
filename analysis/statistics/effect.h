/* How large an effect is, in units that do not depend on the metric, and how many seeds it takes to see it. */
#ifndef ANALYSIS_STATISTICS_EFFECT_H
#define ANALYSIS_STATISTICS_EFFECT_H

#include "analysis/statistics/bootstrap.h"

#include <stdbool.h>

/* P(T <= t) of the noncentral t distribution, T = (Z + delta) / sqrt(V / degrees), Z standard normal, V chi-squared
 * with degrees: the series of R. V. Lenth, "Algorithm AS 243: cumulative distribution function of the non-central t
 * distribution", Applied Statistics 38, 1989. For |delta| > 37 the normal distribution of AS 243's predecessors
 * (Abramowitz and Stegun 26.7.10). R: pt(t, degrees, delta). */
double noncentral_t_cdf(double t, double degrees, double delta);

/* d_z = mean / standard deviation of paired differences (J. Cohen, "Statistical power analysis for the behavioral
 * sciences", 1988, 2.3). */
typedef struct EffectSize {
    double d_z;
    Interval interval; /* exact for normal differences: the noncentralities that put sqrt(n) d_z at the quantiles */
} EffectSize;

/* Of n differences of that mean and standard deviation. NaN where the standard deviation is 0 or n < 2; the interval by
 * inverting the noncentral t distribution (Steiger and Fouladi, "Noncentrality interval estimation", 1997). */
EffectSize effect_size(double mean, double standard_deviation, int n, double confidence);

/* The probability that a seed's difference is positive: the share of positive ones, zeros half, of n differences, with
 * the Clopper-Pearson interval, which holds the true probability at least as often as it says (C. J. Clopper and E. S.
 * Pearson, Biometrika 26, 1934; R: binom.test). The paired form of the probability of improvement of Agarwal et al.
 * 2021. */
typedef struct Improvement {
    double share;
    Interval interval;
} Improvement;
Improvement improvement(const double *differences, int n, double confidence);

/* The power of Student's paired t test at level alpha with n seeds when the true effect is d_z, in its direction:
 * P(T > t) with noncentrality d_z sqrt(n), and for a two-sided test also P(T < -t). R: power.t.test(type = "paired",
 * strict = TRUE). */
double paired_power(double d_z, int n, double alpha, bool two_sided);

enum { SEEDS_NEEDED_MAX = 1000000 };
/* The fewest seeds with that power at the effect |d_z|, at least 2; 0: more than SEEDS_NEEDED_MAX, or d_z undefined. */
int seeds_needed(double d_z, double power, double alpha, bool two_sided);

#endif
