/* See comparison.h. */
#include "analysis/results/comparison.h"
#include "analysis/output/columns.h"

#include <assert.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what both have --------------------------------------------------------------------------------------------- */

/* Calls visit for each pair of series with the same seed; adds up the series of one side only. Both are by seed. */
static void for_common_seeds(const Configuration *a, const Configuration *b, Comparison *comparison,
                             void (*visit)(const Series *, const Series *, Comparison *)) {
    int i = 0, j = 0;
    while (i < a->n_series || j < b->n_series) {
        int64_t left = i < a->n_series ? (int64_t)a->series[i].settings.training.seed : INT64_MAX;
        int64_t right = j < b->n_series ? (int64_t)b->series[j].settings.training.seed : INT64_MAX;
        if (left == right) {
            visit(&a->series[i++], &b->series[j++], comparison);
        } else if (left < right) {
            comparison->series_only_a++;
            i++;
        } else {
            comparison->series_only_b++;
            j++;
        }
    }
}

/* Whether values (count) are equal to the bit; all undefined ones are alike. */
static bool same_bits(const double *a, const double *b, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof a[i]) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

static bool same_series(const Series *a, const Series *b) {
    if (a->curves.n_points != b->curves.n_points || a->rounds.count != b->rounds.count) return false;
    size_t count = (size_t)a->curves.n_points * METRIC_COUNT, rounds = (size_t)a->rounds.count * ROUND_METRIC_COUNT;
    return same_bits(&a->self_check_accuracy, &b->self_check_accuracy, 1) &&
           same_bits(a->curves.value, b->curves.value, count) &&
           same_bits(a->curves.standard_error, b->curves.standard_error, count) &&
           same_bits(a->rounds.value, b->rounds.value, rounds) &&
           same_bits(a->rounds.standard_error, b->rounds.standard_error, rounds);
}

static void count_bits(const Series *a, const Series *b, Comparison *comparison) {
    bool same = same_series(a, b);
    comparison->bits.common++;
    comparison->bits.equal += same;
    comparison->bits.unexplained += !same && strcmp(a->fingerprint, b->fingerprint) == 0;
}

static int compare_trainings(const Training *a, const Training *b) {
    int order = spec_compare_configuration(&a->record.spec, &b->record.spec);
    uint32_t left = a->record.spec.seed, right = b->record.spec.seed;
    return order != 0 ? order : (left > right) - (left < right);
}

static int64_t count_outcomes(const Table *a, const Table *b) {
    int64_t count = 0;
    for (int i = 0, j = 0; i < a->n_trainings && j < b->n_trainings;) {
        const Training *left = &a->trainings[i], *right = &b->trainings[j];
        int order = compare_trainings(left, right);
        if (order == 0) count += left->ended && right->ended && left->record.outcome != right->record.outcome;
        i += order <= 0;
        j += order >= 0;
    }
    return count;
}

/* --- differences ------------------------------------------------------------------------------------------------ */

/* Whether it is equal at every seed: such a difference needs no test, and takes nothing from those that do. */
static bool is_equal(const Difference *difference) {
    return difference->largest == 0;
}

/* Paired differences of a measure at the common seeds. differences: room for every series of a. */
static Difference difference_of(const Configuration *a, const Configuration *b, Measure measure, double *differences) {
    Difference result = {.a = a, .b = b, .measure = measure, .largest = NAN};
    int n = 0;
    for (int i = 0, j = 0; i < a->n_series && j < b->n_series;) {
        uint32_t left = a->series[i].settings.training.seed, right = b->series[j].settings.training.seed;
        double value_a = measure_of(&a->series[i], measure), value_b = measure_of(&b->series[j], measure);
        i += left <= right;
        j += right <= left;
        if (left != right || isnan(value_a) || isnan(value_b)) continue;
        result.mean_a += value_a;
        result.mean_b += value_b;
        differences[n] = value_b - value_a;
        result.largest = fmax(result.largest, fabs(differences[n])); /* fmax passes NaN over */
        n++;
    }
    result.mean_a = n > 0 ? result.mean_a / n : NAN;
    result.mean_b = n > 0 ? result.mean_b / n : NAN;
    result.interval = mean_interval(differences, n, CONFIDENCE_95);
    double mean = result.interval.mean, error = result.interval.standard_deviation / sqrt((double)n);
    if (is_equal(&result)) {
        result.t = 0;
        result.p = n < 2 ? NAN : 1;
    } else {
        result.t = n < 2 ? NAN : mean / error; /* infinite where all differences are equal */
        result.p = n < 2 ? NAN : 2 * gsl_cdf_tdist_Q(fabs(result.t), n - 1);
    }
    return result;
}

/* The last round that both have; -1: none. */
static int last_round(const Configuration *a, const Configuration *b) {
    int left = a->series->rounds.count, right = b->series->rounds.count;
    return (left < right ? left : right) - 1;
}

static void add_differences(Comparison *comparison, const Configuration *a, const Configuration *b,
                            double *differences) {
    int points = b->series->curves.n_points < a->series->curves.n_points ? b->series->curves.n_points
                                                                         : a->series->curves.n_points;
    int at = comparison->a->at < points ? comparison->a->at : points - 1;
    for (MeasureKind kind = MEASURE_EXAMPLES; kind <= MEASURE_ROUNDS; kind++) {
        int index = kind == MEASURE_ROUNDS ? last_round(a, b) : at;
        for (int metric = 0; metric < measure_metrics(kind) && index >= 0; metric++) {
            Difference difference = difference_of(a, b, (Measure){kind, metric, index}, differences);
            if (difference.interval.n > 0) comparison->differences[comparison->n_differences++] = difference;
        }
    }
}

static int compare_numbers(double a, double b) {
    return (a > b) - (a < b);
}

/* With a t, without one, equal. */
static int difference_class(const Difference *difference) {
    return difference->t == 0 ? 2 : isnan(difference->t) ? 1 : 0;
}

/* By |t|, the largest first; then what has none, by size; what is equal last. */
static int compare_differences(const void *a, const void *b) {
    const Difference *left = a, *right = b;
    int order = difference_class(left) - difference_class(right);
    if (order == 0 && !isnan(left->t)) order = -compare_numbers(fabs(left->t), fabs(right->t));
    if (order == 0) order = -compare_numbers(left->largest, right->largest);
    if (order == 0) order = (left->a > right->a) - (left->a < right->a);
    if (order == 0) order = (int)left->measure.kind - (int)right->measure.kind;
    return order != 0 ? order : left->measure.metric - right->measure.metric;
}

static Status correct(Comparison *comparison, Error *err) {
    int n = comparison->n_differences;
    double *p = malloc(2 * ((size_t)n + 1) * sizeof *p);
    if (p == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for %d comparisons", n);
    for (int i = 0; i < n; i++)
        p[i] = is_equal(&comparison->differences[i]) ? NAN : comparison->differences[i].p;
    holm_adjust(p, n, p + n);
    for (int i = 0; i < n; i++) {
        comparison->differences[i].p_holm = is_equal(&comparison->differences[i]) ? 1 : p[n + i];
        comparison->n_significant += p[n + i] <= comparison->alpha;
    }
    free(p);
    if (n > 1) qsort(comparison->differences, (size_t)n, sizeof *comparison->differences, compare_differences);
    return STATUS_OK;
}

/* --- matching --------------------------------------------------------------------------------------------------- */

/* Both summaries list their configurations in the same order. */
static void match(Comparison *comparison, double *differences) {
    const Summary *a = comparison->a, *b = comparison->b;
    for (int i = 0, j = 0; i < a->n_configurations || j < b->n_configurations;) {
        const Configuration *left = i < a->n_configurations ? &a->configurations[i] : NULL;
        const Configuration *right = j < b->n_configurations ? &b->configurations[j] : NULL;
        int order = left == NULL ? 1 : right == NULL ? -1 : series_compare_configuration(left->series, right->series);
        i += order <= 0;
        j += order >= 0;
        if (order < 0) {
            comparison->only_a[comparison->n_only_a++] = left;
            comparison->series_only_a += left->n_series;
        } else if (order > 0) {
            comparison->only_b[comparison->n_only_b++] = right;
            comparison->series_only_b += right->n_series;
        } else {
            comparison->n_matched++;
            for_common_seeds(left, right, comparison, count_bits);
            add_differences(comparison, left, right, differences);
        }
    }
}

Status comparison_create(const Summary *a, const Summary *b, Comparison **out, Error *err) {
    Comparison *comparison = calloc(1, sizeof *comparison);
    int fewer = a->n_configurations < b->n_configurations ? a->n_configurations : b->n_configurations;
    double *differences = malloc(((size_t)a->table->n_series + 1) * sizeof *differences);
    if (comparison != NULL) {
        *comparison = (Comparison){.a = a, .b = b, .alpha = 0.05};
        comparison->only_a = calloc((size_t)a->n_configurations + 1, sizeof *comparison->only_a);
        comparison->only_b = calloc((size_t)b->n_configurations + 1, sizeof *comparison->only_b);
        comparison->differences =
            calloc((size_t)fewer * (METRIC_COUNT + ROUND_METRIC_COUNT) + 1, sizeof *comparison->differences);
    }
    Status status = STATUS_OK;
    if (comparison == NULL || differences == NULL || comparison->only_a == NULL || comparison->only_b == NULL ||
        comparison->differences == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "no memory to compare %d with %d configurations", a->n_configurations,
                           b->n_configurations);
    } else {
        match(comparison, differences);
        comparison->outcomes = count_outcomes(a->table, b->table);
        status = correct(comparison, err);
    }
    free(differences);
    if (status == STATUS_OK)
        *out = comparison;
    else
        comparison_free(comparison);
    return status;
}

void comparison_free(Comparison *comparison) {
    if (comparison == NULL) return;
    free(comparison->only_a);
    free(comparison->only_b);
    free(comparison->differences);
    free(comparison);
}

/* --- words ------------------------------------------------------------------------------------------------------ */

ComparisonOutcome comparison_outcome(const Comparison *comparison) {
    const BitCount *bits = &comparison->bits;
    if (bits->common == 0 && comparison->outcomes == 0) return COMPARISON_NOTHING_COMMON;
    if (bits->equal < bits->common || comparison->outcomes > 0) return COMPARISON_DIFFERENT;
    return comparison->series_only_a > 0 || comparison->series_only_b > 0 ? COMPARISON_EXTENDED : COMPARISON_IDENTICAL;
}

const char *comparison_outcome_name(ComparisonOutcome outcome) {
    static const char *const names[] = {"nothing_common", "identical", "extended", "different"};
    return names[outcome];
}

/* What is behind bits that are not equal. */
static void print_bits(const Comparison *comparison, FILE *out) {
    const BitCount *bits = &comparison->bits;
    int64_t unequal = bits->common - bits->equal;
    fprintf(out, "%lld of %lld results that both have are not equal to the bit", (long long)unequal,
            (long long)bits->common);
    if (unequal > 0 && bits->unexplained == unequal)
        fprintf(out, ", though their numerics fingerprints are equal: something altered them");
    else if (unequal > 0 && bits->unexplained == 0)
        fprintf(out, ", as their numerics fingerprints are not either");
    else if (unequal > 0)
        fprintf(out, ", %lld of them with equal numerics fingerprints", (long long)bits->unexplained);
    int changed = 0, tested = 0;
    for (int i = 0; i < comparison->n_differences; i++) {
        const Difference *difference = &comparison->differences[i];
        changed += !is_equal(difference);
        tested += !is_equal(difference) && !isnan(difference->p);
    }
    if (unequal > 0 && changed == 0)
        fprintf(out, "; the means that are compared are equal");
    else if (unequal > 0 && tested == 0)
        fprintf(out, "; one seed in common: whether means differ cannot be tested");
    else if (unequal > 0)
        fprintf(out, "; of %d means that differ %d do so significantly (paired t, Holm, %g)", tested,
                comparison->n_significant, comparison->alpha);
    if (comparison->outcomes > 0)
        fprintf(out, "; %lld training%s ended differently", (long long)comparison->outcomes,
                comparison->outcomes == 1 ? "" : "s");
}

const char *comparison_sentence(const Comparison *comparison, char *text, size_t text_bytes) {
    const BitCount *bits = &comparison->bits;
    FILE *out = fmemopen(text, text_bytes, "w");
    text[0] = '\0';
    if (out == NULL) return text;
    switch (comparison_outcome(comparison)) {
    case COMPARISON_NOTHING_COMMON:
        fprintf(out, "nothing to compare: no result is on both sides");
        break;
    case COMPARISON_IDENTICAL:
        fprintf(out, "identical: all %lld results are equal to the bit", (long long)bits->common);
        break;
    case COMPARISON_EXTENDED:
        fprintf(out,
                "unaltered: all %lld results that both have are equal to the bit; %lld are only in A, %lld only in B",
                (long long)bits->common, (long long)comparison->series_only_a, (long long)comparison->series_only_b);
        break;
    case COMPARISON_DIFFERENT:
        fprintf(out, "different: ");
        print_bits(comparison, out);
        break;
    }
    fclose(out);
    text[text_bytes - 1] = '\0';
    return text;
}

bool comparison_has_axis(const Comparison *comparison, const Setting *setting) {
    const Table *tables[] = {comparison->a->table, comparison->b->table};
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < tables[side]->n_axes; i++)
            if (tables[side]->axes[i] == setting) return true;
    return false;
}

const char *comparison_label(const Comparison *comparison, const Configuration *of, char *text, size_t text_bytes) {
    int count;
    const Setting *table = settings_table(&count);
    Predictor predictor = of->series->predictor;
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < count && used < text_bytes; i++) {
        if (!setting_applies(&table[i], predictor) || !comparison_has_axis(comparison, &table[i])) continue;
        char name[64], value[64];
        setting_label(&table[i], name, sizeof name);
        setting_format(&table[i], setting_get(&table[i], &of->series->settings), value, sizeof value);
        used += (size_t)snprintf(text + used, text_bytes - used, "%s %s, ", name, value);
    }
    if (used < text_bytes) snprintf(text + used, text_bytes - used, "%s", predictor_name(predictor));
    return text;
}

static int compare_doubles(const void *a, const void *b) {
    return compare_numbers(*(const double *)a, *(const double *)b);
}

/* The values of a setting among a table's series to which it applies, ascending, into values (n_series). */
static int values_of(const Table *table, const Setting *setting, double *values) {
    int n = 0;
    for (int i = 0; i < table->n_series; i++)
        if (setting_applies(setting, table->series[i].predictor))
            values[n++] = setting_get(setting, &table->series[i].settings);
    if (n > 1) qsort(values, (size_t)n, sizeof *values, compare_doubles);
    return n;
}

/* Whether two ascending lists have a value in common. */
static bool intersect(const double *a, int n_a, const double *b, int n_b) {
    for (int i = 0, j = 0; i < n_a && j < n_b;) {
        if (a[i] == b[j]) return true;
        if (a[i] < b[j])
            i++;
        else
            j++;
    }
    return false;
}

const char *comparison_apart(const Comparison *comparison, char *text, size_t text_bytes) {
    const Table *a = comparison->a->table, *b = comparison->b->table;
    double *values = malloc(((size_t)a->n_series + (size_t)b->n_series + 1) * sizeof *values);
    int count;
    const Setting *settings = settings_table(&count);
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < count && used < text_bytes && values != NULL; i++) {
        int n_a = values_of(a, &settings[i], values), n_b = values_of(b, &settings[i], values + n_a);
        if (n_a == 0 || n_b == 0 || intersect(values, n_a, values + n_a, n_b)) continue;
        char value_a[64], value_b[64];
        setting_format(&settings[i], values[0], value_a, sizeof value_a);
        setting_format(&settings[i], values[n_a], value_b, sizeof value_b);
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s %s%s / %s%s", used > 0 ? ", " : "",
                                 settings[i].key, value_a, values[n_a - 1] > values[0] ? " .." : "", value_b,
                                 values[n_a + n_b - 1] > values[n_a] ? " .." : "");
    }
    free(values);
    return text;
}
