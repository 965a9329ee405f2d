/* Page's test for ordered alternatives: do the levels of an axis order the values, seed by seed? */
#ifndef ANALYSIS_STATISTICS_PAGE_TREND_H
#define ANALYSIS_STATISTICS_PAGE_TREND_H

#include "proto/base/status.h"

#include <stdbool.h>

typedef struct PageTrend {
    double statistic;             /* L */
    double p_increasing;          /* P(L >= observed) when every order within a seed is equally likely */
    double p_decreasing;          /* P(L <= observed) */
    double mean_rank_correlation; /* Spearman's correlation of levels and values, averaged over seeds; NaN: all tied */
    bool exact;                   /* false: by the normal distribution of L's conditional mean and variance */
} PageTrend;

enum {
    PAGE_EXACT_LEVELS_MAX = 12,
    PAGE_EXACT_WORK_MAX = 500000000 /* additions */
};

/* L = sum over levels j = 1 .. k of j (sum over seeds of the rank of the value at j within its seed), ties at their
 * mean rank. p is exact, given the ties: the k! orders of a seed's ranks are counted by a sum over subsets, the seeds'
 * distributions convolved; the smallest without ties is (1 / k!)^n. Too many levels or seeds for that: the normal
 * distribution. values (n_seeds, n_levels), all defined; n_levels at least 2. (E. B. Page, "Ordered hypotheses for
 * multiple treatments: a significance test for linear ranks", J. American Statistical Association 58, 1963;
 * scipy.stats.page_trend_test.) */
Status page_trend(const double *values, int n_seeds, int n_levels, PageTrend *out, Error *err);

#endif
