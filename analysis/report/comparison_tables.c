/* See comparison_tables.h. */
#include "analysis/report/comparison_tables.h"

#include "analysis/output/columns.h"
#include "analysis/report/summary_tables.h"

#include <math.h>
#include <stdio.h>

enum { LABEL_BYTES = 256, SENTENCE_BYTES = 512 };

/* --- sheet ------------------------------------------------------------------------------------------------------ */

/* A number, "-" where it is undefined. */
static void add_number(Sheet *sheet, const char *format, double value) {
    char text[48];
    snprintf(text, sizeof text, format, value);
    sheet_add(sheet, "%s", isnan(value) ? "-" : text);
}

Sheet *differences_sheet(const Comparison *comparison, int n) {
    static const char *const headings[] = {"configuration", "metric", "seeds", "A", "B", "B - A", "±", "t", "p Holm"};
    enum { COLUMNS = sizeof headings / sizeof headings[0] };
    Sheet *sheet = sheet_create(n + 1, COLUMNS);
    if (sheet == NULL) return NULL;
    for (int i = 0; i < COLUMNS; i++)
        sheet_add(sheet, "%s", headings[i]);
    for (int i = 0; i < n; i++) {
        const Difference *difference = &comparison->differences[i];
        char label[LABEL_BYTES];
        sheet_add(sheet, "%s", comparison_label(comparison, difference->a, label, sizeof label));
        sheet_add(sheet, "%s%s %d", measure_name(difference->measure),
                  difference->measure.kind == MEASURE_ROUNDS ? " round" : "", difference->measure.index);
        sheet_add(sheet, "%d", difference->interval.n);
        add_number(sheet, "%.4g", difference->mean_a);
        add_number(sheet, "%.4g", difference->mean_b);
        add_number(sheet, "%+.2g", difference->interval.mean);
        add_number(sheet, "%.2g", interval_half_width(&difference->interval));
        add_number(sheet, "%+.3g", difference->t);
        add_number(sheet, "%.2g", difference->p_holm);
    }
    if (sheet_complete(sheet)) return sheet;
    sheet_free(sheet);
    return NULL;
}

/* --- JSON ------------------------------------------------------------------------------------------------------- */

static json_t *number_json(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *labels_json(const Comparison *comparison, const Configuration *const *configurations, int n) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        char label[LABEL_BYTES];
        json_array_append_new(list, json_string(comparison_label(comparison, configurations[i], label, sizeof label)));
    }
    return list;
}

static json_t *settings_json(const Comparison *comparison, const Series *series) {
    int count;
    const Setting *table = settings_table(&count);
    json_t *settings = json_object();
    for (int i = 0; i < count; i++)
        if (setting_applies(&table[i], series->predictor) && comparison_has_axis(comparison, &table[i]))
            json_object_set_new(settings, table[i].key, setting_json(&table[i], &series->settings));
    return settings;
}

static json_t *difference_json(const Comparison *comparison, const Difference *of) {
    char label[LABEL_BYTES];
    return json_pack(
        "{s:s, s:o, s:s, s:s, s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "configuration",
        comparison_label(comparison, of->a, label, sizeof label), "settings", settings_json(comparison, of->a->series),
        "predictor", predictor_name(of->a->series->predictor), "kind", measure_kind_name(of->measure.kind), "metric",
        measure_name(of->measure), "index", of->measure.index, "seeds", of->interval.n, "a", number_json(of->mean_a),
        "b", number_json(of->mean_b), "difference", number_json(of->interval.mean), "low",
        number_json(of->interval.low), "high", number_json(of->interval.high), "largest", number_json(of->largest), "t",
        number_json(of->t), "p", number_json(of->p), "p_holm", number_json(of->p_holm));
}

json_t *comparison_json(const Comparison *comparison, const char *a, const char *b) {
    char text[SENTENCE_BYTES];
    json_t *differences = json_array();
    for (int i = 0; i < comparison->n_differences; i++)
        json_array_append_new(differences, difference_json(comparison, &comparison->differences[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:f, s:i, s:o}", "outcome",
                     comparison_outcome_name(comparison_outcome(comparison)), "sentence",
                     comparison_sentence(comparison, text, sizeof text), "a", a, "b", b, "common",
                     (json_int_t)comparison->bits.common, "equal_bits", (json_int_t)comparison->bits.equal,
                     "unequal_with_equal_fingerprints", (json_int_t)comparison->bits.unexplained, "only_in_a",
                     (json_int_t)comparison->series_only_a, "only_in_b", (json_int_t)comparison->series_only_b,
                     "trainings_ended_differently", (json_int_t)comparison->outcomes, "configurations_only_in_a",
                     labels_json(comparison, comparison->only_a, comparison->n_only_a), "configurations_only_in_b",
                     labels_json(comparison, comparison->only_b, comparison->n_only_b), "alpha", comparison->alpha,
                     "significant", comparison->n_significant, "differences", differences);
}
