/* See axis_tables.h. */
#include "analysis/report/axis_tables.h"

#include "analysis/claims/axis_trend.h"
#include "analysis/output/columns.h"
#include "analysis/output/rows.h"
#include "analysis/results/measure.h"
#include "analysis/results/slice.h"
#include "analysis/statistics/permutation.h"

#include <math.h>
#include <stdlib.h>

/* What is compared of the members of a family: all metrics where the tables read them, as far as all have them. */
typedef struct Measures {
    int count;
    Measure items[METRIC_COUNT + ROUND_METRIC_COUNT];
} Measures;

static Measures common_measures(const Summary *summary, const Configuration *const *members, int n) {
    Measures measures = {0};
    int examples = summary->at, rounds = measure_count(members[0]->series, MEASURE_ROUNDS) - 1;
    for (int i = 0; i < n; i++) {
        int at = configuration_at(members[i], summary->at),
            last = measure_count(members[i]->series, MEASURE_ROUNDS) - 1;
        if (at < examples) examples = at;
        if (last < rounds) rounds = last;
    }
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        measures.items[measures.count++] = (Measure){MEASURE_EXAMPLES, metric, examples};
    for (int metric = 0; metric < ROUND_METRIC_COUNT && rounds > 0; metric++)
        measures.items[measures.count++] = (Measure){MEASURE_ROUNDS, metric, rounds};
    return measures;
}

static double measured(const Series *series, const void *context) {
    return measure_of(series, *(const Measure *)context);
}

/* --- one pair ---------------------------------------------------------------------------------------------------- */

typedef struct Pair {
    MeanInterval difference; /* value - reference */
    Interval bootstrap;
    SignFlip test;
    EffectSize effect;
    Improvement improvement;
    int unpaired; /* seeds that only one of the two has */
} Pair;

/* Keeps the resamples of the last number of seeds. */
typedef struct Desk {
    const Summary *summary;
    const Families *families;
    const Verdicts *verdicts;
    bool detailed;
    Resamples *resamples;
} Desk;

/* *out stays NULL for too few or too many seeds. */
static Status resamples_for(Desk *desk, int n, const Resamples **out, Error *err) {
    *out = NULL;
    if (n < BOOTSTRAP_SEEDS_MIN || n > BOOTSTRAP_SEEDS_MAX) return STATUS_OK;
    if (desk->resamples == NULL || desk->resamples->n != n) {
        resamples_free(desk->resamples);
        desk->resamples = NULL;
        Status status = resamples_create(n, BOOTSTRAP_RESAMPLES, &desk->resamples, err);
        if (status != STATUS_OK) return status;
    }
    *out = desk->resamples;
    return STATUS_OK;
}

static const Pair no_pair = {{0, 0, NAN, NAN, NAN, NAN}, {NAN, NAN},        {NAN, NAN, NAN, false},
                             {NAN, {NAN, NAN}},          {NAN, {NAN, NAN}}, 0};

static Status compare(Desk *desk, const Configuration *value, const Configuration *reference, Measure measure,
                      Pair *pair, Error *err) {
    const Configuration *arms[2] = {value, reference};
    Pairing *pairing = NULL;
    Status status = pairing_of_configurations(desk->summary->table, arms, 2, measured, &measure, &pairing, err);
    if (status != STATUS_OK) return status;
    const int n = pairing->n_seeds;
    double *difference = pairing->values; /* of the first arm, from here on */
    for (int i = 0; i < n; i++)
        difference[i] -= pairing->values[n + i];
    *pair = no_pair;
    pair->difference = mean_interval(difference, n, CONFIDENCE_95);
    pair->unpaired = pairing->n_wanted - n;
    if (n > 0) pair->test = sign_flip(difference, n);
    pair->improvement = improvement(difference, n, CONFIDENCE_95);
    pair->effect.d_z = pair->difference.mean / pair->difference.standard_deviation;
    if (desk->detailed) {
        const Resamples *resamples;
        status = resamples_for(desk, n, &resamples, err);
        if (resamples != NULL) pair->bootstrap = bootstrap_t(difference, resamples, CONFIDENCE_95);
        pair->effect = effect_size(pair->difference.mean, pair->difference.standard_deviation, n, CONFIDENCE_95);
    }
    pairing_free(pairing);
    return status;
}

/* The member that a member is compared with; -1: it is the reference itself. */
static int counterpart(const Family *family, int member) {
    if (setting_is_ordered(family->axis)) return member - 1;
    int reference = family_reference(family);
    return member == reference ? -1 : reference;
}

/* --- paired.csv -------------------------------------------------------------------------------------------------- */

static void level_column(RowWriter *rows, const char *name, const Family *family, int member) {
    char text[64];
    row_text(rows, name, setting_format(family->axis, family_level(family, member), text, sizeof text));
}

static void pair_columns(RowWriter *rows, const Pair *pair) {
    row_integer(rows, "seeds", pair->difference.n);
    row_integer(rows, "unpaired_seeds", pair->unpaired);
    row_number(rows, "difference", pair->difference.mean);
    row_number(rows, "standard_deviation", pair->difference.standard_deviation);
    row_number(rows, "low", pair->difference.low);
    row_number(rows, "high", pair->difference.high);
    row_number(rows, "bootstrap_low", pair->bootstrap.low);
    row_number(rows, "bootstrap_high", pair->bootstrap.high);
    row_number(rows, "p", pair->test.p_two_sided);
    row_number(rows, "d_z", pair->effect.d_z);
    row_number(rows, "d_z_low", pair->effect.interval.low);
    row_number(rows, "d_z_high", pair->effect.interval.high);
    row_number(rows, "improvement", pair->improvement.share);
    row_number(rows, "improvement_low", pair->improvement.interval.low);
    row_number(rows, "improvement_high", pair->improvement.interval.high);
}

static void paired_row(RowWriter *rows, const Family *family, int member, int other, Measure measure,
                       const Pair *pair) {
    const Series *series = family->members[member]->series;
    settings_columns(rows, &series->settings, series->predictor, true);
    row_text(rows, "predictor", predictor_name(series->predictor));
    row_text(rows, "axis", family->axis->key);
    level_column(rows, "value", family, member);
    level_column(rows, "reference", family, other);
    row_text(rows, "metric", measure_name(measure));
    row_text(rows, "kind", measure_kind_name(measure.kind));
    row_integer(rows, "index", measure.index);
    pair_columns(rows, pair);
    row_end(rows);
}

/* A family to name columns by. */
static Family nameless(const Configuration *const *members) {
    int count;
    return (Family){settings_table(&count), 1, members};
}

static void write_paired(RowWriter *rows, const void *context) {
    Desk *desk = (Desk *)context;
    Series nothing = {.settings = desk->summary->table->defaults};
    const Configuration *members[] = {&(Configuration){&nothing, 1}};
    Family named = nameless(members);
    paired_row(rows, &named, 0, 0, (Measure){MEASURE_EXAMPLES, 0, 0}, &no_pair);
    rows_end_naming(rows);
    for (int i = 0; i < desk->families->count; i++) {
        const Family *family = &desk->families->items[i];
        for (int member = 0; member < family->n; member++) {
            int other = counterpart(family, member);
            if (other < 0) continue;
            const Configuration *both[] = {family->members[member], family->members[other]};
            Measures measures = common_measures(desk->summary, both, 2);
            for (int m = 0; m < measures.count; m++) {
                Pair pair;
                if (compare(desk, both[0], both[1], measures.items[m], &pair, NULL) != STATUS_OK)
                    rows_fail(rows);
                else
                    paired_row(rows, family, member, other, measures.items[m], &pair);
            }
        }
    }
}

/* --- trends.csv -------------------------------------------------------------------------------------------------- */

/* The margin of the first claim of a plateau over an axis in a metric; NaN: none was declared. */
static double declared_margin(const Verdicts *verdicts, const Setting *axis, Measure measure) {
    for (int i = 0; i < verdicts->count; i++) {
        const Claim *claim = verdicts->items[i].claim;
        Measure declared = measure_of_claim(claim);
        if (claim->test == CLAIM_PLATEAU && claim->over == axis && declared.metric == measure.metric &&
            declared.kind == measure.kind)
            return claim->margin;
    }
    return NAN;
}

static void write_trends(RowWriter *rows, const void *context) {
    Desk *desk = (Desk *)context;
    Series nothing = {.settings = desk->summary->table->defaults};
    const Configuration *members[] = {&(Configuration){&nothing, 1}};
    Family named = nameless(members);
    axis_trend_row(rows, &named, (Measure){MEASURE_EXAMPLES, 0, 0}, &axis_trend_none);
    rows_end_naming(rows);
    for (int i = 0; i < desk->families->count; i++) {
        const Family *family = &desk->families->items[i];
        if (!setting_is_ordered(family->axis) || family->n < 3 || family->n > AXIS_TREND_LEVELS_MAX) continue;
        Measures measures = common_measures(desk->summary, family->members, family->n);
        for (int m = 0; m < measures.count; m++) {
            Measure measure = measures.items[m];
            Pairing *pairing = NULL;
            AxisTrend trend;
            Status status = pairing_of_configurations(desk->summary->table, family->members, family->n, measured,
                                                      &measure, &pairing, NULL);
            const Resamples *resamples = NULL;
            if (status == STATUS_OK && desk->detailed) status = resamples_for(desk, pairing->n_seeds, &resamples, NULL);
            if (status == STATUS_OK)
                status = axis_trend(family, pairing, measure, declared_margin(desk->verdicts, family->axis, measure),
                                    resamples, &trend, NULL);
            if (status == STATUS_OK)
                axis_trend_row(rows, family, measure, &trend);
            else
                rows_fail(rows);
            pairing_free(pairing);
        }
    }
}

Status axis_tables_write(const Summary *summary, const Families *families, const Verdicts *verdicts, const char *dir,
                         Error *err) {
    Desk desk = {summary, families, verdicts, false, NULL};
    long comparisons = 0;
    for (int i = 0; i < families->count; i++)
        comparisons += (families->items[i].n - 1) * METRIC_COUNT;
    desk.detailed = comparisons <= AXIS_DETAILED_MAX;
    Status status = csv_write(dir, "paired.csv", write_paired, &desk, err);
    if (status == STATUS_OK) status = csv_write(dir, "trends.csv", write_trends, &desk, err);
    resamples_free(desk.resamples);
    return status;
}

/* --- the few that matter ----------------------------------------------------------------------------------------- */

/* Adds a row: from a reference to a value. */
static Status add_pair(Desk *desk, const Configuration *base, Sheet *sheet, const Family *family, int member, int other,
                       Error *err) {
    const Configuration *both[] = {family->members[member], family->members[other]};
    Measure measure = {MEASURE_EXAMPLES, METRIC_KENDALL_TAU, common_measures(desk->summary, both, 2).items[0].index};
    char label[128], from[64], to[64];
    Pair pair;
    Status status = compare(desk, both[0], both[1], measure, &pair, err);
    if (status != STATUS_OK) return status;
    sheet_add(sheet, "%s", slice_family_label(desk->summary, family, base, label, sizeof label));
    sheet_add(sheet, "%s", setting_format(family->axis, family_level(family, other), from, sizeof from));
    sheet_add(sheet, "%s", setting_format(family->axis, family_level(family, member), to, sizeof to));
    if (isfinite(pair.difference.low))
        sheet_add(sheet, "%+.3f [%+.3f, %+.3f]", pair.difference.mean, pair.difference.low, pair.difference.high);
    else
        sheet_add(sheet, isfinite(pair.difference.mean) ? "%+.3f" : "-", pair.difference.mean);
    if (pair.difference.n > 0)
        sheet_add(sheet, "%.2g", pair.test.p_two_sided);
    else
        sheet_add(sheet, "-");
    if (isfinite(pair.effect.d_z))
        sheet_add(sheet, "%.3g", pair.effect.d_z);
    else
        sheet_add(sheet, "-");
    sheet_add(sheet, "%d", pair.difference.n);
    return STATUS_OK;
}

/* Calls add for every row of the sheet; NULL sheet: only counts them. */
static int each_row(Desk *desk, const Configuration *base, Sheet *sheet) {
    int count = 0;
    for (int i = 0; i < desk->summary->table->n_axes; i++) {
        const Family *family = slice_family(desk->summary, desk->families, base, desk->summary->table->axes[i]);
        if (family == NULL) continue;
        bool ordered = setting_is_ordered(family->axis);
        for (int member = 0; member < family->n; member++) {
            int other = ordered ? 0 : family_reference(family);
            if (ordered ? member != family->n - 1 : member == other) continue;
            count++;
            if (sheet != NULL && add_pair(desk, base, sheet, family, member, other, NULL) != STATUS_OK) return -1;
        }
    }
    return count;
}

Sheet *axis_sheet(const Summary *summary, const Families *families) {
    const Configuration *base = slice_base(summary, families);
    Desk desk = {summary, families, NULL, false, NULL};
    int count = base != NULL ? each_row(&desk, base, NULL) : 0;
    Sheet *sheet = sheet_create(count + 1, 7);
    if (sheet == NULL) return NULL;
    static const char *const headings[] = {"axis", "from", "to", "kendall_tau changes by", "p", "d_z", "seeds"};
    for (int i = 0; i < 7; i++)
        sheet_add(sheet, "%s", headings[i]);
    if (count > 0) each_row(&desk, base, sheet);
    if (sheet_complete(sheet)) return sheet;
    sheet_free(sheet);
    return NULL;
}
