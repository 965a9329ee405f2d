/* See ordered.h. */
#include "analysis/statistics/ordered.h"

#include "analysis/statistics/permutation.h"

#include <math.h>
#include <stddef.h>

void isotonic_fit(const double *values, int count, bool rising, double *fit) {
    int last[count > 0 ? count : 1]; /* of each pool */
    double mean[count > 0 ? count : 1];
    int pools = 0;
    for (int i = 0; i < count; i++) {
        mean[pools] = rising ? values[i] : -values[i];
        last[pools++] = i;
        while (pools > 1 && mean[pools - 2] > mean[pools - 1]) {
            int start = pools > 2 ? last[pools - 3] + 1 : 0;
            int before = last[pools - 2] - start + 1, after = last[pools - 1] - last[pools - 2];
            mean[pools - 2] = (before * mean[pools - 2] + after * mean[pools - 1]) / (before + after);
            last[pools - 2] = last[pools - 1];
            pools--;
        }
    }
    for (int pool = 0, i = 0; pool < pools; pool++)
        for (; i <= last[pool]; i++)
            fit[i] = rising ? mean[pool] : -mean[pool];
}

/* --- plateau ----------------------------------------------------------------------------------------------------- */

static double level_mean(const double *values, int n_seeds, int n_levels, int level) {
    double sum = 0;
    for (int i = 0; i < n_seeds; i++)
        sum += values[i * n_levels + level];
    return sum / n_seeds;
}

/* By how much each seed's best level is better than another. */
static void shortfalls(const double *values, int n_seeds, int n_levels, int best, int level, bool higher_is_better,
                       double *out) {
    for (int i = 0; i < n_seeds; i++) {
        double difference = values[i * n_levels + best] - values[i * n_levels + level];
        out[i] = higher_is_better ? difference : -difference;
    }
}

Plateau find_plateau(const double *values, int n_seeds, int n_levels, bool higher_is_better, double margin,
                     double alpha, double *work) {
    Plateau result = {.first = n_levels};
    for (int level = 1; level < n_levels; level++) {
        double gain = level_mean(values, n_seeds, n_levels, level) - level_mean(values, n_seeds, n_levels, result.best);
        if (higher_is_better ? gain > 0 : gain < 0) result.best = level;
    }
    bool holds = true;
    for (int level = n_levels - 1; level >= 0; level--) {
        double within = 0, worse = 1;
        if (level != result.best) {
            shortfalls(values, n_seeds, n_levels, result.best, level, higher_is_better, work);
            within = equivalence_p(work, n_seeds, margin);
            for (int i = 0; i < n_seeds; i++)
                work[i] -= margin;
            worse = sign_flip(work, n_seeds).p_greater;
        }
        if (level >= n_levels - 2) result.p = fmax(result.p, within);
        if (level <= n_levels - 2) result.p_against = fmax(result.p_against, worse);
        holds = holds && within <= alpha;
        if (holds) result.first = level;
    }
    return result;
}

/* --- knee -------------------------------------------------------------------------------------------------------- */

typedef struct Stick {
    double at, slope_before, slope_after, residual; /* sum of squares */
} Stick;

/* Least squares of y on 1, x and max(x - at, 0), centred at their means. */
static Stick fit_stick(const double *x, const double *y, int n, double at) {
    double mean_x = 0, mean_h = 0, mean_y = 0, xx = 0, xh = 0, hh = 0, xy = 0, hy = 0, yy = 0;
    for (int i = 0; i < n; i++) {
        mean_x += x[i] / n;
        mean_h += fmax(x[i] - at, 0) / n;
        mean_y += y[i] / n;
    }
    for (int i = 0; i < n; i++) {
        double dx = x[i] - mean_x, dh = fmax(x[i] - at, 0) - mean_h, dy = y[i] - mean_y;
        xx += dx * dx;
        xh += dx * dh;
        hh += dh * dh;
        xy += dx * dy;
        hy += dh * dy;
        yy += dy * dy;
    }
    double determinant = xx * hh - xh * xh;
    double slope = (xy * hh - hy * xh) / determinant, bend = (xx * hy - xh * xy) / determinant;
    return (Stick){at, slope, slope + bend, yy - slope * xy - bend * hy};
}

static Stick best_stick(const double *x, const double *y, int n, int steps) {
    Stick best = {.residual = INFINITY};
    for (int step = 0; step <= steps; step++) {
        Stick stick = fit_stick(x, y, n, x[1] + (x[n - 2] - x[1]) * step / steps);
        if (stick.residual < best.residual) best = stick;
    }
    return best;
}

/* Weights (n) of a contrast that is 0 for every straight line over x: the quadratic one, orthogonal to 1 and x. */
static void curvature_weights(const double *x, int n, double *weights) {
    double mean = 0, xx = 0, cubes = 0;
    for (int i = 0; i < n; i++)
        mean += x[i] / n;
    for (int i = 0; i < n; i++) {
        xx += pow(x[i] - mean, 2);
        cubes += pow(x[i] - mean, 3);
    }
    for (int i = 0; i < n; i++)
        weights[i] = pow(x[i] - mean, 2) - xx / n - cubes / xx * (x[i] - mean);
}

static double p_straight(const double *values, const double *x, int n_seeds, int n_levels, double *curvature) {
    double weights[KNEE_LEVELS_MAX];
    curvature_weights(x, n_levels, weights);
    for (int i = 0; i < n_seeds; i++) {
        curvature[i] = 0;
        for (int level = 0; level < n_levels; level++)
            curvature[i] += weights[level] * values[i * n_levels + level];
    }
    return sign_flip(curvature, n_seeds).p_two_sided;
}

/* The bends of the means over resampled seeds, and from them the percentile interval. */
static Interval knee_interval(const double *values, const double *x, int n_levels, const Resamples *resamples) {
    const int n = resamples->n, count = resamples->count < KNEE_RESAMPLES ? resamples->count : KNEE_RESAMPLES;
    double mean[KNEE_LEVELS_MAX];
    for (int b = 0; b < count; b++) {
        for (int level = 0; level < n_levels; level++) {
            mean[level] = 0;
            for (int i = 0; i < n; i++)
                mean[level] += values[(int)resamples->index[b * (size_t)n + i] * n_levels + level] / n;
        }
        resamples->work[b] = best_stick(x, mean, n_levels, KNEE_STEPS / 4).at;
    }
    int tail = (int)lround((count + 1) * 0.025);
    double low = select_smallest(resamples->work, count, tail - 1);
    return (Interval){low, select_smallest(resamples->work, count, count - tail)};
}

Knee find_knee(const double *values, const double *x, int n_levels, const Resamples *resamples) {
    Knee knee = {.at = NAN, .interval = {NAN, NAN}, .slope_before = NAN, .slope_after = NAN, .p_straight = NAN};
    const int n = resamples->n;
    if (n_levels < KNEE_LEVELS_MIN || n_levels > KNEE_LEVELS_MAX || n < 2) return knee;
    knee.p_straight = p_straight(values, x, n, n_levels, resamples->seed_work);
    if (!(knee.p_straight <= 0.05)) return knee;
    double mean[KNEE_LEVELS_MAX];
    for (int level = 0; level < n_levels; level++)
        mean[level] = level_mean(values, n, n_levels, level);
    Stick stick = best_stick(x, mean, n_levels, KNEE_STEPS);
    if (!(stick.at > x[1] && stick.at < x[n_levels - 2])) return knee;
    knee.found = true;
    knee.at = stick.at;
    knee.slope_before = stick.slope_before;
    knee.slope_after = stick.slope_after;
    if (n >= BOOTSTRAP_SEEDS_MIN) knee.interval = knee_interval(values, x, n_levels, resamples);
    return knee;
}
