/* See page_trend.h. Ranks are doubled, so that mean ranks are whole numbers too. */
#include "analysis/statistics/page_trend.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Doubled ranks of one seed's values: 2 for the smallest, 2 k for the largest. */
static void double_ranks(const double *values, int k, int *ranks) {
    for (int i = 0; i < k; i++) {
        ranks[i] = 1;
        for (int j = 0; j < k; j++)
            ranks[i] += values[j] < values[i] ? 2 : values[j] == values[i] ? 1 : 0;
    }
}

/* Probabilities of sums from least on. */
typedef struct Distribution {
    int least, count;
    double *probability; /* (count) */
} Distribution;

static int compare_ints(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* The distribution of sum j ranks(order j) over all orders of ranks (k), none twice as likely as another. A subset of
 * the ranks stands for those given to the first levels: from each, every rank left may come next. */
static bool orders_distribution(const int *ranks, int k, Distribution *out) {
    int sorted[PAGE_EXACT_LEVELS_MAX], least = 0, most = 0;
    memcpy(sorted, ranks, (size_t)k * sizeof *sorted);
    qsort(sorted, (size_t)k, sizeof *sorted, compare_ints);
    for (int j = 0; j < k; j++) {
        most += (j + 1) * sorted[j];
        least += (j + 1) * sorted[k - 1 - j];
    }
    const size_t sums = (size_t)most + 1, subsets = (size_t)1 << k;
    double *share = calloc(subsets * sums, sizeof *share);
    out->probability = malloc((size_t)(most - least + 1) * sizeof *out->probability);
    if (share == NULL || out->probability == NULL) {
        free(share);
        return false;
    }
    share[0] = 1;
    for (size_t subset = 0; subset < subsets; subset++) {
        int level = 1 + __builtin_popcountll(subset);
        for (int rank = 0; rank < k; rank++) {
            if ((subset >> rank & 1) != 0) continue;
            size_t step = (size_t)(level * ranks[rank]);
            double *from = share + subset * sums, *to = share + (subset | (size_t)1 << rank) * sums + step;
            for (size_t sum = 0; sum + step < sums; sum++)
                to[sum] += from[sum] / (k - level + 1);
        }
    }
    out->least = least;
    out->count = most - least + 1;
    memcpy(out->probability, share + (subsets - 1) * sums + least, (size_t)out->count * sizeof *share);
    free(share);
    return true;
}

/* Adds an independent sum to a sum. */
static bool convolve(Distribution *sum, const Distribution *next) {
    int count = sum->count + next->count - 1;
    double *result = calloc((size_t)count, sizeof *result);
    if (result == NULL) return false;
    for (int j = 0; j < next->count; j++) {
        if (next->probability[j] == 0) continue; /* half of them without ties */
        for (int i = 0; i < sum->count; i++)
            result[i + j] += sum->probability[i] * next->probability[j];
    }
    free(sum->probability);
    *sum = (Distribution){sum->least + next->least, count, result};
    return true;
}

/* The distribution of doubled L over all orders within all seeds; one seed's is kept for the next of the same ranks. */
static bool statistic_distribution(const int *ranks, int n, int k, Distribution *out) {
    Distribution one = {0};
    int of[PAGE_EXACT_LEVELS_MAX] = {0};
    bool whole = true;
    *out = (Distribution){0, 1, calloc(1, sizeof(double))};
    whole = out->probability != NULL;
    if (whole) out->probability[0] = 1;
    for (int i = 0; i < n && whole; i++) {
        int sorted[PAGE_EXACT_LEVELS_MAX];
        memcpy(sorted, ranks + i * k, (size_t)k * sizeof *sorted);
        qsort(sorted, (size_t)k, sizeof *sorted, compare_ints);
        if (i == 0 || memcmp(sorted, of, (size_t)k * sizeof *of) != 0) {
            free(one.probability);
            one.probability = NULL;
            memcpy(of, sorted, (size_t)k * sizeof *of);
            whole = orders_distribution(sorted, k, &one);
        }
        whole = whole && convolve(out, &one);
    }
    free(one.probability);
    return whole;
}

/* What ranks alone say: doubled L, and its mean and variance over all orders. */
typedef struct Moments {
    double statistic, mean, variance, correlation;
} Moments;

static Moments find_moments(const int *ranks, int n, int k) {
    Moments moments = {0};
    double middle = (k + 1) / 2.0, of_levels = k * (k * (double)k - 1) / 12;
    int correlated = 0;
    for (int i = 0; i < n; i++) {
        double spread = 0, together = 0;
        for (int j = 0; j < k; j++) {
            double from_middle = ranks[i * k + j] - 2 * middle;
            moments.statistic += (j + 1.0) * ranks[i * k + j];
            spread += from_middle * from_middle;
            together += (j + 1 - middle) * from_middle;
        }
        moments.mean += middle * 2 * middle * k;
        moments.variance += of_levels * spread / (k - 1);
        if (spread == 0) continue;
        moments.correlation += together / sqrt(of_levels * spread);
        correlated++;
    }
    moments.correlation = correlated > 0 ? moments.correlation / correlated : NAN;
    return moments;
}

static Status exact_page(const int *ranks, int n, int k, PageTrend *out, Error *err) {
    Distribution distribution;
    if (!statistic_distribution(ranks, n, k, &distribution)) {
        free(distribution.probability);
        return error_set(err, STATUS_NO_MEMORY, "no memory for Page's test of %d levels over %d seeds", k, n);
    }
    int at = (int)(2 * out->statistic) - distribution.least;
    out->p_increasing = out->p_decreasing = 0;
    for (int i = distribution.count - 1; i >= at; i--) /* the smallest probabilities first */
        out->p_increasing += distribution.probability[i];
    for (int i = 0; i <= at; i++)
        out->p_decreasing += distribution.probability[i];
    out->p_increasing = fmin(1, out->p_increasing);
    out->p_decreasing = fmin(1, out->p_decreasing);
    out->exact = true;
    free(distribution.probability);
    return STATUS_OK;
}

Status page_trend(const double *values, int n_seeds, int n_levels, PageTrend *out, Error *err) {
    const int n = n_seeds, k = n_levels;
    int *ranks = malloc((size_t)n * (size_t)k * sizeof *ranks);
    if (ranks == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for %d ranks", n * k);
    for (int i = 0; i < n; i++)
        double_ranks(values + (size_t)i * (size_t)k, k, ranks + (size_t)i * (size_t)k);
    Moments moments = find_moments(ranks, n, k);
    *out = (PageTrend){.statistic = moments.statistic / 2, .mean_rank_correlation = moments.correlation};
    double range = k * (k * (double)k - 1) / 3, work = (double)n * n * range * range / 2;
    Status status = STATUS_OK;
    if (k <= PAGE_EXACT_LEVELS_MAX && work <= PAGE_EXACT_WORK_MAX) {
        status = exact_page(ranks, n, k, out, err);
    } else {
        double z = moments.variance > 0 ? (moments.statistic - moments.mean) / sqrt(moments.variance) : 0;
        out->p_increasing = gsl_cdf_ugaussian_Q(z);
        out->p_decreasing = gsl_cdf_ugaussian_P(z);
    }
    free(ranks);
    return status;
}
