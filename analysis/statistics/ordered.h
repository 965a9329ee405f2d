/* The shape of a metric along an ordered axis: monotone fit, plateau, knee. Page's test, in page_trend.h, says only
 * that there is an order; here is which. */
#ifndef ANALYSIS_STATISTICS_ORDERED_H
#define ANALYSIS_STATISTICS_ORDERED_H

#include "analysis/statistics/bootstrap.h"

#include <stdbool.h>

/* The values closest (least squares) to values (count) that never fall, or never rise: fit (count). Pool adjacent
 * violators (Ayer et al., "An empirical distribution function for sampling with incomplete information", Annals of
 * Mathematical Statistics 26, 1955; R: isoreg). */
void isotonic_fit(const double *values, int count, bool rising, double *fit);

/* values everywhere below: (n_seeds, n_levels), all defined. */

/* From which level on a metric no longer differs from its best by a margin. */
typedef struct Plateau {
    int best;  /* the level with the best mean */
    int first; /* the smallest level such that it and all after it are equivalent to the best; n_levels: none, not even
                  the last */
    double p;  /* that the plateau holds more than the last level: the larger equivalence_p of the last two levels
                  against the best */
    double p_against; /* that it does not: of every level below the last, that it is worse than the best by more than
                         the margin (the largest one-sided p) */
} Plateau;

/* Each level's paired differences best - level are tested for lying within (-margin, margin) by equivalence_p; the
 * levels go in from the last downwards and the first that fails at alpha ends it, so no further correction is needed
 * (a fixed sequence: Maurer, Hothorn and Lehmacher 1995). The best level is equivalent to itself. higher_is_better:
 * what "best" means. n_levels at least 2. work (n_seeds). */
Plateau find_plateau(const double *values, int n_seeds, int n_levels, bool higher_is_better, double margin,
                     double alpha, double *work);

/* Where a broken stick bends. */
typedef struct Knee {
    bool found;
    double at;         /* x of the bend; NaN when there is none */
    Interval interval; /* 95 % percentile interval over resampled seeds; NaN with fewer than
                          BOOTSTRAP_SEEDS_MIN */
    double slope_before, slope_after;
    double p_straight; /* two-sided p that the seeds' curvatures are 0; NaN: too few levels or seeds */
} Knee;

enum { KNEE_LEVELS_MIN = 4, KNEE_LEVELS_MAX = 100, KNEE_STEPS = 200, KNEE_RESAMPLES = 499 };

/* Least squares of the mean over seeds on a continuous line of two pieces (D. V. Hinkley, "Inference in two-phase
 * regression", J. American Statistical Association 66, 1971) whose bend lies between x[1] and x[n_levels - 2], on a
 * grid of 200 steps. There is none when a straight line will do: the seeds' quadratic coefficients pass for 0 by
 * sign_flip at 5 %, or the best bend lies at an end of that range. x (n_levels) ascending. resamples: of n_seeds. */
Knee find_knee(const double *values, const double *x, int n_levels, const Resamples *resamples);

#endif
