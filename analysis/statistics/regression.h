/* A straight line through many seeds' points, with the seed as the unit. */
#ifndef ANALYSIS_STATISTICS_REGRESSION_H
#define ANALYSIS_STATISTICS_REGRESSION_H

#include "analysis/statistics/bootstrap.h"

typedef struct Regression {
    double slope, intercept, r_squared; /* of all points; NaN where x does not vary */
    double error;                       /* standard error of the slope, seeds as clusters */
    Interval interval;                  /* of the slope: seed-cluster bootstrap-t, 95 % */
} Regression;

/* Ordinary least squares of y on x over all points of all seeds, x and y (resamples->n, n_points), all defined. R^2 is
 * the share of y's variance that the line explains. The standard error takes the seeds as clusters,
 * error^2 = n / (n - 1) sum over seeds (sum over its points (x - mean x) residual)^2 / (sum (x - mean x)^2)^2
 * (Cameron and Miller, "A practitioner's guide to cluster-robust inference", J. Human Resources 50, 2015, with the
 * factor n / (n - 1)), and the interval studentises by it in every resample of whole seeds (Cameron, Gelbach and
 * Miller, "Bootstrap-based improvements for inference with clustered errors", 2008). */
Regression regress(const double *x, const double *y, int n_points, const Resamples *resamples);

/* The slope of least squares of y on x (count); NaN where x does not vary. */
double slope_of(const double *x, const double *y, int count);

#endif
