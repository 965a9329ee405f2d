/* What a metric does along one ordered axis, over the seeds that all its values have. */
#ifndef ANALYSIS_CLAIMS_AXIS_TREND_H
#define ANALYSIS_CLAIMS_AXIS_TREND_H

#include "analysis/output/rows.h"
#include "analysis/results/family.h"
#include "analysis/results/measure.h"
#include "analysis/results/pairing.h"
#include "analysis/statistics/ordered.h"
#include "analysis/statistics/page_trend.h"

enum { AXIS_TREND_LEVELS_MAX = KNEE_LEVELS_MAX };

typedef struct AxisTrend {
    int n_seeds, n_levels;
    bool log2_scale; /* x is log2 of the axis: positive integers; else the axis itself */
    double mean[AXIS_TREND_LEVELS_MAX], isotonic[AXIS_TREND_LEVELS_MAX];
    bool monotone;             /* no step of the means goes against their trend */
    int against;               /* steps that do, significantly: sign_flip, Holm over the steps, at 5 % */
    PageTrend page;            /* NaN with no seed */
    MeanInterval slope;        /* of y on x, a line a seed */
    Interval slope_bootstrap;  /* seed-cluster bootstrap-t of the pooled line */
    double slope_p, r_squared; /* two-sided sign-flip p; of the pooled line */
    int best;                  /* level with the best mean */
    double margin, plateau_p;  /* NaN: no margin was declared */
    double plateau;            /* smallest level on the plateau, at 5 %; NaN: none */
    Knee knee;                 /* in units of x */
} AxisTrend;

extern const AxisTrend axis_trend_none;

/* pairing: the family's members as arms. margin NaN: no plateau is looked for. resamples of pairing's number of seeds,
 * or NULL: no bootstrap, no knee. STATUS_NO_MEMORY. */
Status axis_trend(const Family *family, const Pairing *pairing, Measure measure, double margin,
                  const Resamples *resamples, AxisTrend *out, Error *err);

/* A row of trends.csv. */
void axis_trend_row(RowWriter *rows, const Family *family, Measure measure, const AxisTrend *trend);

#endif
