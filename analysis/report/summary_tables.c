/* See summary_tables.h. */
#include "analysis/report/summary_tables.h"

#include "analysis/output/columns.h"
#include "analysis/results/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- sheets ------------------------------------------------------------------------------------------------------ */

/* As interval_text; says how many seeds count when not all do. */
static void add_interval(Sheet *sheet, const MeanInterval *interval, int decimals) {
    char text[INTERVAL_TEXT_BYTES], left_out[32] = "";
    if (interval->n > 0 && interval->undefined > 0) snprintf(left_out, sizeof left_out, " (n %d)", interval->n);
    sheet_add(sheet, "%s%s", interval_text(interval, decimals, text), left_out);
}

/* What a sheet's leading columns are: the axes that models and baselines share, which its sections go by, then the
 * others; without critics those of trainings alone. Returns their number. */
static int order_axes(const Table *table, bool critics, const Setting *axes[AXES_MAX]) {
    int count = 0;
    for (int shared = 1; shared >= 0; shared--)
        for (int i = 0; i < table->n_axes; i++) {
            const Setting *axis = table->axes[i];
            if (setting_applies(axis, PREDICTOR_MEAN) != (shared == 1)) continue;
            if (critics || axis->role == ROLE_TRAINING) axes[count++] = axis;
        }
    return count;
}

static void add_axes(Sheet *sheet, const Setting *const *axes, int n_axes, const Settings *settings,
                     Predictor predictor) {
    for (int i = 0; i < n_axes; i++) {
        char text[64] = "";
        if (setting_applies(axes[i], predictor))
            setting_format(axes[i], setting_get(axes[i], settings), text, sizeof text);
        sheet_add(sheet, "%s", text);
    }
}

static void add_axis_headings(Sheet *sheet, const Setting *const *axes, int n_axes) {
    char text[64];
    for (int i = 0; i < n_axes; i++)
        sheet_add(sheet, "%s", setting_label(axes[i], text, sizeof text));
}

static Sheet *complete_or_null(Sheet *sheet) {
    if (sheet_complete(sheet)) return sheet;
    sheet_free(sheet);
    return NULL;
}

Sheet *summary_sheet(const Summary *summary) {
    const Table *table = summary->table;
    const Setting *axes[AXES_MAX];
    int n_axes = order_axes(table, true, axes);
    Sheet *sheet = sheet_create(summary->n_configurations + 1, n_axes + 3 + METRIC_COUNT);
    if (sheet == NULL) return NULL;
    add_axis_headings(sheet, axes, n_axes);
    sheet_add(sheet, "self-check");
    sheet_add(sheet, "predictor");
    sheet_add(sheet, "seeds");
    for (Metric metric = 0; metric < METRIC_COUNT; metric++)
        sheet_add(sheet, "%s", metric_name(metric));
    for (int i = 0; i < summary->n_configurations; i++) {
        const Configuration *configuration = &summary->configurations[i];
        const Series *series = configuration->series;
        sheet->section[i + 1] = i == 0 || !series_same_task(configuration[-1].series, series);
        add_axes(sheet, axes, n_axes, &series->settings, series->predictor);
        sheet_add(sheet, "%.3f", configuration_self_check(configuration));
        sheet_add(sheet, "%s", predictor_name(series->predictor));
        sheet_add(sheet, "%d", configuration->n_series);
        for (Metric metric = 0; metric < METRIC_COUNT; metric++) {
            const Measure measure = {MEASURE_EXAMPLES, (int)metric, configuration_at(configuration, summary->at)};
            MeanInterval interval = measure_interval(configuration, measure);
            add_interval(sheet, &interval, 3);
        }
    }
    sheet = complete_or_null(sheet);
    if (sheet != NULL && sheet_width(sheet) > SHEET_WIDTH) sheet->hidden[n_axes] = true; /* self-check */
    if (sheet != NULL && sheet_width(sheet) > SHEET_WIDTH)
        sheet->hidden[sheet->n_columns - 1] = true; /* alignment_loss */
    return sheet;
}

/* Mean over seeds of a share, summed over all rounds: how often it happens to an answer. */
static double total_share(const Configuration *configuration, RoundMetric metric) {
    double total = 0;
    for (int round = 1; round < measure_count(configuration->series, MEASURE_ROUNDS); round++)
        total += measure_interval(configuration, (Measure){MEASURE_ROUNDS, (int)metric, round}).mean;
    return total;
}

static void add_rounds(Sheet *sheet, const Configuration *configuration) {
    const int last = measure_count(configuration->series, MEASURE_ROUNDS) - 1;
    double accuracy[configuration->n_series];
    for (int i = 0; i < configuration->n_series; i++)
        accuracy[i] = configuration->series[i].rounds.self_check_accuracy;
    sheet_add(sheet, "%.3f", mean_interval(accuracy, configuration->n_series, CONFIDENCE_95).mean);
    sheet_add(sheet, "%d", configuration->n_series);
    sheet_add(sheet, "%d", last);
    const Measure shown[] = {
        {MEASURE_ROUNDS, ROUND_NMSE, 0}, {MEASURE_ROUNDS, ROUND_NMSE, last}, {MEASURE_ROUNDS, ROUND_GAIN, last}};
    for (int i = 0; i < 3; i++) {
        MeanInterval interval = measure_interval(configuration, shown[i]);
        add_interval(sheet, &interval, 3);
    }
    sheet_add(sheet, "%.3f/%.3f", total_share(configuration, ROUND_WRONG_TO_RIGHT),
              total_share(configuration, ROUND_RIGHT_TO_WRONG));
}

Sheet *rounds_sheet(const Summary *summary) {
    const Setting *axes[AXES_MAX];
    int n_axes = order_axes(summary->table, true, axes), count = 0;
    for (int i = 0; i < summary->n_configurations; i++)
        count += measure_count(summary->configurations[i].series, MEASURE_ROUNDS) > 0;
    for (int i = 0; i < n_axes; i++) /* a column anyway */
        if (axes[i] == settings_find("evaluate.rounds")) memmove(&axes[i], &axes[i + 1], (--n_axes - i) * sizeof *axes);
    Sheet *sheet = sheet_create(count + 1, n_axes + 7);
    if (sheet == NULL) return NULL;
    add_axis_headings(sheet, axes, n_axes);
    static const char *const headings[] = {"self-check", "seeds", "rounds",     "first nmse",
                                           "last nmse",  "gain",  "right/wrong"};
    for (int i = 0; i < 7; i++)
        sheet_add(sheet, "%s", headings[i]);
    if (count > 0) sheet->section[1] = true;
    for (int i = 0; i < summary->n_configurations; i++) {
        const Series *series = summary->configurations[i].series;
        if (measure_count(series, MEASURE_ROUNDS) == 0) continue;
        add_axes(sheet, axes, n_axes, &series->settings, series->predictor);
        add_rounds(sheet, &summary->configurations[i]);
    }
    sheet = complete_or_null(sheet);
    if (sheet != NULL && sheet_width(sheet) > SHEET_WIDTH) sheet->hidden[sheet->n_columns - 1] = true;
    return sheet;
}

/* Mean and interval of a number of the trainings that are done. */
static MeanInterval over_trainings(const TrainingGroup *of, double (*number)(const TrainingRecord *)) {
    double values[of->n_trainings];
    int count = 0;
    for (int i = 0; i < of->n_trainings; i++)
        if (training_is_done(&of->trainings[i])) values[count++] = number(&of->trainings[i].record);
    return mean_interval(values, count, CONFIDENCE_95);
}

static double final_loss(const TrainingRecord *training) {
    return training->final_loss;
}
static double minutes(const TrainingRecord *training) {
    return training->wall_s / 60;
}
static double gflops(const TrainingRecord *training) {
    return training->wall_s > 0 ? training->flops / training->wall_s / 1e9 : NAN;
}

Sheet *trainings_sheet(const Summary *summary) {
    const Table *table = summary->table;
    const Setting *axes[AXES_MAX];
    int n_axes = order_axes(table, false, axes);
    Sheet *sheet = sheet_create(summary->n_training_groups + 1, n_axes + 4);
    if (sheet == NULL) return NULL;
    add_axis_headings(sheet, axes, n_axes);
    sheet_add(sheet, "done");
    sheet_add(sheet, "final loss");
    sheet_add(sheet, "minutes each");
    sheet_add(sheet, "GFLOP/s");
    for (int i = 0; i < summary->n_training_groups; i++) {
        const TrainingGroup *group = &summary->training_groups[i];
        Settings settings = {.training = group->trainings->record.spec};
        add_axes(sheet, axes, n_axes, &settings, PREDICTOR_MODEL);
        sheet_add(sheet, "%d of %d", group->done, group->n_trainings);
        MeanInterval loss = over_trainings(group, final_loss), time = over_trainings(group, minutes),
                     speed = over_trainings(group, gflops);
        add_interval(sheet, &loss, 3);
        add_interval(sheet, &time, 2);
        add_interval(sheet, &speed, 1);
    }
    return complete_or_null(sheet);
}

/* --- JSON ------------------------------------------------------------------------------------------------------- */

static json_t *real_or_null(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

/* Of values (count) of a measure, which are put in order. */
static json_t *statistics_json(Measure measure, double *values, int count) {
    MeanInterval interval = measure_within_mean(measure, mean_interval(values, count, CONFIDENCE_95));
    Order order = order_of(values, count, values);
    return json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "n", interval.n, "undefined",
                     interval.undefined, "mean", real_or_null(interval.mean), "standard_deviation",
                     real_or_null(interval.standard_deviation), "low", real_or_null(interval.low), "high",
                     real_or_null(interval.high), "median", real_or_null(order.median), "interquartile_mean",
                     real_or_null(order.interquartile_mean), "minimum", real_or_null(order.minimum), "maximum",
                     real_or_null(order.maximum));
}

json_t *setting_json(const Setting *setting, const Settings *settings) {
    char text[64];
    SettingValue value = setting_get(setting, settings);
    if (setting->type == SETTING_BOOLEAN) return json_boolean(value != 0);
    if (setting->type == SETTING_INTEGER && !(setting->keyword != NULL && value == setting->keyword_value))
        return json_integer((json_int_t)value);
    if (setting->type == SETTING_REAL) return json_real(value);
    return json_string(setting_format(setting, value, text, sizeof text));
}

/* Every metric of the last round, over seeds. */
static json_t *rounds_json(const Configuration *configuration) {
    const int n = configuration->n_series, last = measure_count(configuration->series, MEASURE_ROUNDS) - 1;
    double values[n];
    for (int i = 0; i < n; i++)
        values[i] = configuration->series[i].rounds.self_check_accuracy;
    json_t *rounds = json_pack("{s:i, s:o}", "round", last, "self_check_accuracy",
                               real_or_null(mean_interval(values, n, CONFIDENCE_95).mean));
    for (int metric = 0; rounds != NULL && metric < measure_metrics(MEASURE_ROUNDS); metric++) {
        const Measure measure = {MEASURE_ROUNDS, metric, last};
        for (int i = 0; i < n; i++)
            values[i] = measure_of(&configuration->series[i], measure);
        json_object_set_new(rounds, measure_name(measure), statistics_json(measure, values, n));
    }
    return rounds;
}

static json_t *configuration_json(const Summary *summary, const Configuration *configuration) {
    const Table *table = summary->table;
    const Series *series = configuration->series;
    json_t *settings = json_object(), *seeds = json_array();
    for (int i = 0; i < table->n_axes; i++)
        if (setting_applies(table->axes[i], series->predictor))
            json_object_set_new(settings, table->axes[i]->key, setting_json(table->axes[i], &series->settings));
    for (int i = 0; i < configuration->n_series; i++)
        json_array_append_new(seeds, json_integer(series[i].settings.training.seed));
    int examples = configuration_at(configuration, summary->at);
    json_t *result = json_pack("{s:o, s:s, s:o, s:i, s:o}", "settings", settings, "predictor",
                               predictor_name(series->predictor), "seeds", seeds, "examples", examples,
                               "self_check_accuracy", real_or_null(configuration_self_check(configuration)));
    for (Metric metric = 0; result != NULL && metric < METRIC_COUNT; metric++) {
        const Measure measure = {MEASURE_EXAMPLES, (int)metric, examples};
        double values[configuration->n_series];
        configuration_values(configuration, metric, examples, values);
        json_object_set_new(result, metric_name(metric), statistics_json(measure, values, configuration->n_series));
    }
    if (result != NULL && measure_count(series, MEASURE_ROUNDS) > 0)
        json_object_set_new(result, "rounds", rounds_json(configuration));
    return result;
}

/* The remarks, a string a line. */
static json_t *remarks_json(const Summary *summary) {
    json_t *lines = json_array();
    char *text = summary_remarks(summary), *rest = text;
    for (char *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL;)
        if (line[0] != '\0') json_array_append_new(lines, json_string(line + strspn(line, " ")));
    free(text);
    return lines;
}

json_t *summary_json(const Summary *summary) {
    const Table *table = summary->table;
    json_t *axes = json_array(), *seeds = json_array(), *configurations = json_array();
    for (int i = 0; i < table->n_axes; i++)
        json_array_append_new(axes, json_string(table->axes[i]->key));
    for (int i = 0; i < table->n_seeds; i++)
        json_array_append_new(seeds, json_integer(table->seeds[i]));
    for (int i = 0; i < summary->n_configurations; i++)
        json_array_append_new(configurations, configuration_json(summary, &summary->configurations[i]));
    return json_pack("{s:i, s:o, s:b, s:{s:i, s:i, s:i, s:i}, s:o, s:o, s:o}", "at", summary->at, "axes", axes,
                     "complete", summary_is_complete(summary), "trainings", "asked", table->n_trainings, "done",
                     summary->done, "diverged", summary->diverged, "failed", summary->failed, "seeds", seeds,
                     "configurations", configurations, "remarks", remarks_json(summary));
}
