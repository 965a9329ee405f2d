/* See regression.h. */
#include "analysis/statistics/regression.h"

#include "analysis/statistics/statistics.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* Of n seeds' points, seed i of them being seed index[i] of x and y (NULL: i). */
typedef struct Points {
    const double *x, *y;
    int n, n_points;
    const uint32_t *index;
} Points;

static const double *row(const Points *points, const double *of, int i) {
    return of + (points->index == NULL ? (size_t)i : points->index[i]) * (size_t)points->n_points;
}

typedef struct Line {
    double slope, intercept, r_squared, error;
} Line;

static Line fit_line(const Points *points) {
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0, yy = 0, meat = 0;
    const double count = (double)points->n * points->n_points;
    for (int i = 0; i < points->n; i++)
        for (int k = 0; k < points->n_points; k++) {
            mean_x += row(points, points->x, i)[k] / count;
            mean_y += row(points, points->y, i)[k] / count;
        }
    for (int i = 0; i < points->n; i++)
        for (int k = 0; k < points->n_points; k++) {
            double dx = row(points, points->x, i)[k] - mean_x, dy = row(points, points->y, i)[k] - mean_y;
            xx += dx * dx;
            xy += dx * dy;
            yy += dy * dy;
        }
    if (!(xx > 1e-24 * count * (1 + mean_x * mean_x))) return (Line){NAN, NAN, NAN, NAN};
    Line line = {.slope = xy / xx, .r_squared = yy > 0 ? xy * xy / (xx * yy) : NAN};
    line.intercept = mean_y - line.slope * mean_x;
    for (int i = 0; i < points->n; i++) {
        double score = 0;
        for (int k = 0; k < points->n_points; k++) {
            double x = row(points, points->x, i)[k];
            score += (x - mean_x) * (row(points, points->y, i)[k] - line.intercept - line.slope * x);
        }
        meat += score * score;
    }
    line.error = sqrt(meat * points->n / (points->n - 1)) / xx;
    return line;
}

Regression regress(const double *x, const double *y, int n_points, const Resamples *resamples) {
    const int n = resamples->n;
    Line line = fit_line(&(Points){x, y, n, n_points, NULL});
    Regression result = {line.slope, line.intercept, line.r_squared, line.error, {NAN, NAN}};
    if (n < BOOTSTRAP_SEEDS_MIN || isnan(line.slope)) return result;
    for (int b = 0; b < resamples->count; b++) {
        Line again = fit_line(&(Points){x, y, n, n_points, resamples->index + b * (size_t)n});
        double shift = again.slope - line.slope;
        bool studentised = again.error > 1e-9 * line.error; /* not of one seed over and over */
        resamples->work[b] = studentised ? shift / again.error : shift == 0 ? 0 : copysign(INFINITY, shift);
    }
    result.interval = bootstrap_interval(line.slope, line.error, resamples, CONFIDENCE_95);
    return result;
}

double slope_of(const double *x, const double *y, int count) {
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
    for (int i = 0; i < count; i++) {
        mean_x += x[i] / count;
        mean_y += y[i] / count;
    }
    for (int i = 0; i < count; i++) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    return xx > 1e-24 * count * (1 + mean_x * mean_x) ? xy / xx : NAN;
}
