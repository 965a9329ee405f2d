/* See axis_trend.h. */
#include "analysis/claims/axis_trend.h"

#include "analysis/output/columns.h"
#include "analysis/statistics/permutation.h"
#include "analysis/statistics/regression.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NO_INTERVAL                                                                                                    \
    { NAN, NAN }
const AxisTrend axis_trend_none = {.page = {NAN, NAN, NAN, NAN, false},
                                   .slope = {0, 0, NAN, NAN, NAN, NAN},
                                   .slope_bootstrap = NO_INTERVAL,
                                   .slope_p = NAN,
                                   .r_squared = NAN,
                                   .margin = NAN,
                                   .plateau_p = NAN,
                                   .plateau = NAN,
                                   .knee = {false, NAN, NO_INTERVAL, NAN, NAN, NAN}};

static bool higher_is_better(Measure measure) {
    if (measure.kind == MEASURE_EXAMPLES) return measure.metric == METRIC_KENDALL_TAU;
    return measure.metric == ROUND_GAIN || measure.metric == ROUND_IMPROVED || measure.metric == ROUND_WRONG_TO_RIGHT;
}

/* Room for one trend. */
typedef struct Sheets {
    double *y, *x; /* (n_seeds, n_levels) */
    double *work;  /* (n_seeds) */
} Sheets;

static void find_levels(const Family *family, AxisTrend *trend, double *x) {
    trend->log2_scale = family->axis->type == SETTING_INTEGER;
    for (int level = 0; level < family->n; level++)
        trend->log2_scale = trend->log2_scale && family_level(family, level) > 0;
    for (int level = 0; level < family->n; level++)
        x[level] = trend->log2_scale ? log2(family_level(family, level)) : family_level(family, level);
}

static void find_slope(const Sheets *sheets, const Resamples *resamples, AxisTrend *trend) {
    const int n = trend->n_seeds, k = trend->n_levels;
    for (int i = 0; i < n; i++)
        sheets->work[i] = slope_of(sheets->x, sheets->y + (size_t)i * (size_t)k, k);
    trend->slope = mean_interval(sheets->work, n, CONFIDENCE_95);
    trend->slope_p = sign_flip(sheets->work, n).p_two_sided;
    if (resamples == NULL) return;
    Regression line = regress(sheets->x, sheets->y, k, resamples);
    trend->slope_bootstrap = line.interval;
    trend->r_squared = line.r_squared;
}

/* Whether the means are monotone in the direction of their slope, and how many steps are shown not to be. */
static void find_steps(const Sheets *sheets, AxisTrend *trend) {
    const int n = trend->n_seeds, k = trend->n_levels;
    const bool rising = trend->slope.mean >= 0;
    double p[AXIS_TREND_LEVELS_MAX], corrected[AXIS_TREND_LEVELS_MAX];
    isotonic_fit(trend->mean, k, rising, trend->isotonic);
    trend->monotone = true;
    for (int level = 0; level + 1 < k; level++) {
        for (int i = 0; i < n; i++)
            sheets->work[i] = sheets->y[i * k + level + 1] - sheets->y[i * k + level];
        SignFlip test = sign_flip(sheets->work, n);
        p[level] = rising ? test.p_less : test.p_greater;
        double step = trend->mean[level + 1] - trend->mean[level];
        trend->monotone = trend->monotone && (rising ? step >= 0 : step <= 0);
    }
    holm_adjust(p, k - 1, corrected);
    for (int level = 0; level + 1 < k; level++)
        trend->against += corrected[level] <= 0.05;
}

static Status find_all(const Family *family, const Sheets *sheets, Measure measure, double margin,
                       const Resamples *resamples, AxisTrend *trend, Error *err) {
    const int n = trend->n_seeds, k = trend->n_levels;
    const bool higher = higher_is_better(measure);
    Status status = page_trend(sheets->y, n, k, &trend->page, err);
    if (status != STATUS_OK) return status;
    for (int level = 0; level < k; level++) {
        for (int i = 0; i < n; i++)
            trend->mean[level] += sheets->y[i * k + level] / n;
        if (higher ? trend->mean[level] > trend->mean[trend->best] : trend->mean[level] < trend->mean[trend->best])
            trend->best = level;
    }
    find_slope(sheets, resamples, trend);
    find_steps(sheets, trend);
    trend->margin = margin;
    if (!isnan(margin)) {
        Plateau plateau = find_plateau(sheets->y, n, k, higher, margin, 0.05, sheets->work);
        trend->plateau_p = plateau.p;
        trend->plateau = plateau.first < k - 1 ? family_level(family, plateau.first) : NAN;
    }
    if (resamples != NULL) trend->knee = find_knee(sheets->y, sheets->x, k, resamples);
    return STATUS_OK;
}

Status axis_trend(const Family *family, const Pairing *pairing, Measure measure, double margin,
                  const Resamples *resamples, AxisTrend *out, Error *err) {
    const size_t n = (size_t)pairing->n_seeds, k = (size_t)family->n;
    *out = axis_trend_none;
    out->n_seeds = (int)n;
    out->n_levels = (int)k;
    if (n == 0) return STATUS_OK;
    Sheets sheets = {malloc(n * k * sizeof(double)), malloc(n * k * sizeof(double)), malloc(n * sizeof(double))};
    Status status = STATUS_OK;
    if (sheets.y == NULL || sheets.x == NULL || sheets.work == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "no memory for the trend over %s", family->axis->key);
    } else {
        find_levels(family, out, sheets.x);
        for (size_t i = 0; i < n; i++) {
            memcpy(sheets.x + i * k, sheets.x, i > 0 ? k * sizeof(double) : 0);
            for (size_t level = 0; level < k; level++)
                sheets.y[i * k + level] = pairing->values[level * n + i];
        }
        status = find_all(family, &sheets, measure, margin, resamples, out, err);
    }
    free(sheets.y);
    free(sheets.x);
    free(sheets.work);
    return status;
}

/* --- as a row ---------------------------------------------------------------------------------------------------- */

/* Numbers separated by semicolons. */
static void list_column(RowWriter *rows, const char *name, const double *values, int count) {
    char text[AXIS_TREND_LEVELS_MAX * NUMBER_TEXT_BYTES], number[NUMBER_TEXT_BYTES];
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < count; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? ";" : "", number_text(values[i], number));
    row_text(rows, name, text);
}

static void slope_columns(RowWriter *rows, const AxisTrend *trend) {
    row_text(rows, "slope_over", trend->log2_scale ? "log2" : "value");
    row_number(rows, "slope", trend->slope.mean);
    row_number(rows, "slope_low", trend->slope.low);
    row_number(rows, "slope_high", trend->slope.high);
    row_number(rows, "slope_bootstrap_low", trend->slope_bootstrap.low);
    row_number(rows, "slope_bootstrap_high", trend->slope_bootstrap.high);
    row_number(rows, "slope_p", trend->slope_p);
    row_number(rows, "r_squared", trend->r_squared);
}

static void shape_columns(RowWriter *rows, const Family *family, const AxisTrend *trend) {
    const Knee *knee = &trend->knee;
    row_text(rows, "monotone", trend->n_seeds == 0 ? NULL : trend->monotone ? "true" : "false");
    row_integer(rows, "steps_against", trend->against);
    row_number(rows, "best", trend->n_seeds > 0 ? family_level(family, trend->best) : NAN);
    row_number(rows, "plateau_margin", trend->margin);
    row_number(rows, "plateau_p", trend->plateau_p);
    row_number(rows, "plateau_from", trend->plateau);
    row_text(rows, "knee", isnan(knee->p_straight) ? "not tested" : knee->found ? "found" : "none");
    row_number(rows, "straight_line_p", knee->p_straight);
    row_number(rows, "knee_at", trend->log2_scale ? exp2(knee->at) : knee->at);
    row_number(rows, "knee_low", trend->log2_scale ? exp2(knee->interval.low) : knee->interval.low);
    row_number(rows, "knee_high", trend->log2_scale ? exp2(knee->interval.high) : knee->interval.high);
    row_number(rows, "slope_before_knee", knee->slope_before);
    row_number(rows, "slope_after_knee", knee->slope_after);
}

void axis_trend_row(RowWriter *rows, const Family *family, Measure measure, const AxisTrend *trend) {
    const Series *series = family->members[0]->series;
    double levels[AXIS_TREND_LEVELS_MAX];
    for (int level = 0; level < trend->n_levels; level++)
        levels[level] = family_level(family, level);
    settings_columns(rows, &series->settings, series->predictor, true);
    row_text(rows, "predictor", predictor_name(series->predictor));
    row_text(rows, "axis", family->axis->key);
    row_text(rows, "metric", measure_name(measure));
    row_text(rows, "kind", measure_kind_name(measure.kind));
    row_integer(rows, "index", measure.index);
    row_integer(rows, "seeds", trend->n_seeds);
    list_column(rows, "values", levels, trend->n_levels);
    list_column(rows, "means", trend->mean, trend->n_seeds > 0 ? trend->n_levels : 0);
    list_column(rows, "isotonic_fit", trend->isotonic, trend->n_seeds > 0 ? trend->n_levels : 0);
    row_number(rows, "page_l", trend->page.statistic);
    row_number(rows, "page_p_increasing", trend->page.p_increasing);
    row_number(rows, "page_p_decreasing", trend->page.p_decreasing);
    row_text(rows, "page_method", trend->n_seeds == 0 ? NULL : trend->page.exact ? "exact" : "normal");
    row_number(rows, "mean_rank_correlation", trend->page.mean_rank_correlation);
    slope_columns(rows, trend);
    shape_columns(rows, family, trend);
    row_end(rows);
}
