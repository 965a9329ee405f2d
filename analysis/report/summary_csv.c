/* See summary_csv.h. */
#include "analysis/report/summary_csv.h"

#include "analysis/output/columns.h"
#include "analysis/output/rows.h"
#include "analysis/results/measure.h"
#include "analysis/statistics/bootstrap.h"

#include <math.h>
#include <stdlib.h>

/* --- summary.csv ------------------------------------------------------------------------------------------------- */

/* Room for one configuration's values, and the resamples for as many seeds as the last one had. */
typedef struct Workshop {
    int at;
    double *values, *sorted; /* as many as the largest configuration has seeds */
    Resamples *resamples;    /* NULL: none yet, or too few or too many seeds */
} Workshop;

static const Resamples *resamples_for(RowWriter *rows, Workshop *workshop, int n) {
    if (workshop->resamples != NULL && workshop->resamples->n == n) return workshop->resamples;
    resamples_free(workshop->resamples);
    workshop->resamples = NULL;
    if (n >= BOOTSTRAP_SEEDS_MIN && n <= BOOTSTRAP_SEEDS_MAX &&
        resamples_create(n, BOOTSTRAP_RESAMPLES, &workshop->resamples, NULL) != STATUS_OK)
        rows_fail(rows);
    return workshop->resamples;
}

/* The statistics of workshop->values (count) of a measure; studentised: the bootstrap-t interval as well. */
static void statistics_columns(RowWriter *rows, Measure measure, Workshop *workshop, int count, bool studentised) {
    MeanInterval interval = measure_within_mean(measure, mean_interval(workshop->values, count, CONFIDENCE_95));
    Order order = order_of(workshop->values, count, workshop->sorted);
    Interval bootstrap = {NAN, NAN};
    const Resamples *resamples = studentised ? resamples_for(rows, workshop, order.n) : NULL;
    if (resamples != NULL) bootstrap = measure_within(measure, bootstrap_t(workshop->sorted, resamples, CONFIDENCE_95));
    row_integer(rows, "seeds", interval.n);
    row_integer(rows, "undefined", interval.undefined);
    row_number(rows, "mean", interval.mean);
    row_number(rows, "median", order.median);
    row_number(rows, "standard_deviation", interval.standard_deviation);
    row_number(rows, "interquartile_mean", order.interquartile_mean);
    row_number(rows, "minimum", order.minimum);
    row_number(rows, "maximum", order.maximum);
    row_number(rows, "low", interval.low);
    row_number(rows, "high", interval.high);
    row_text(rows, "interval", interval.n > 1 ? "95 % Student's t" : NULL);
    row_number(rows, "bootstrap_low", bootstrap.low);
    row_number(rows, "bootstrap_high", bootstrap.high);
}

static void example_rows(RowWriter *rows, const Configuration *configuration, Workshop *workshop) {
    const int read_at = configuration_at(configuration, workshop->at);
    for (Metric metric = 0; metric < METRIC_COUNT; metric++)
        for (int examples = 0; examples < configuration->series->curves.n_points; examples++) {
            configuration_values(configuration, metric, examples, workshop->values);
            row_text(rows, "metric", metric_name(metric));
            row_text(rows, "kind", "examples");
            row_integer(rows, "index", examples);
            const Measure measure = {MEASURE_EXAMPLES, (int)metric, examples};
            statistics_columns(rows, measure, workshop, configuration->n_series, examples == read_at);
            row_end(rows);
        }
}

static void round_rows(RowWriter *rows, const Configuration *configuration, Workshop *workshop) {
    const int count = configuration->series->rounds.count;
    for (RoundMetric metric = 0; metric < ROUND_METRIC_COUNT; metric++)
        for (int round = 0; round < count; round++) {
            for (int i = 0; i < configuration->n_series; i++) {
                const RoundCurves *curves = &configuration->series[i].rounds;
                workshop->values[i] =
                    round < curves->count ? curves->value[round_curves_at(curves, metric, round)] : NAN;
            }
            row_text(rows, "metric", round_metric_name(metric));
            row_text(rows, "kind", "rounds");
            row_integer(rows, "index", round);
            const Measure measure = {MEASURE_ROUNDS, (int)metric, round};
            statistics_columns(rows, measure, workshop, configuration->n_series, round == count - 1);
            row_end(rows);
        }
}

static void configuration_rows(RowWriter *rows, const Configuration *configuration, Workshop *workshop) {
    const Series *series = configuration->series;
    settings_columns(rows, &series->settings, series->predictor, true);
    row_text(rows, "predictor", predictor_name(series->predictor));
    row_number(rows, "self_check_accuracy", configuration_self_check(configuration));
    row_keep(rows);
    example_rows(rows, configuration, workshop);
    round_rows(rows, configuration, workshop);
    rows_restart(rows);
}

static void write_summary(RowWriter *rows, const void *context) {
    const Summary *summary = context;
    int most = 1;
    for (int i = 0; i < summary->n_configurations; i++)
        if (summary->configurations[i].n_series > most) most = summary->configurations[i].n_series;
    Workshop workshop = {summary->at, malloc((size_t)most * sizeof(double)), malloc((size_t)most * sizeof(double)),
                         NULL};
    if (workshop.values == NULL || workshop.sorted == NULL) {
        rows_fail(rows);
    } else {
        Curves curves = {
            .n_points = 1, .value = (double[METRIC_COUNT]){0}, .standard_error = (double[METRIC_COUNT]){0}};
        Series nothing = {.settings = summary->table->defaults, .curves = curves};
        configuration_rows(rows, &(Configuration){&nothing, 1}, &workshop); /* names the columns */
        rows_end_naming(rows);
        for (int i = 0; i < summary->n_configurations; i++)
            configuration_rows(rows, &summary->configurations[i], &workshop);
    }
    free(workshop.values);
    free(workshop.sorted);
    resamples_free(workshop.resamples);
}

/* --- seeds.csv and trainings.csv --------------------------------------------------------------------------------- */

static void seed_rows(RowWriter *rows, const Series *series, int examples) {
    settings_columns(rows, &series->settings, series->predictor, true);
    row_text(rows, "predictor", predictor_name(series->predictor));
    row_integer(rows, "seed", series->settings.training.seed);
    row_text(rows, "kind", "examples");
    row_integer(rows, "index", examples);
    for (Metric metric = 0; metric < METRIC_COUNT; metric++) {
        char name[64];
        size_t place = curves_at(&series->curves, metric, examples);
        row_number(rows, metric_name(metric), rows_naming(rows) ? NAN : series->curves.value[place]);
        snprintf(name, sizeof name, "%s_standard_error", metric_name(metric));
        row_number(rows, name, rows_naming(rows) ? NAN : series->curves.standard_error[place]);
    }
    row_end(rows);
}

static void write_seeds(RowWriter *rows, const void *context) {
    const Summary *summary = context;
    seed_rows(rows, &(Series){.settings = summary->table->defaults}, 0); /* names the columns */
    rows_end_naming(rows);
    for (int i = 0; i < summary->n_configurations; i++) {
        const Configuration *configuration = &summary->configurations[i];
        for (int j = 0; j < configuration->n_series; j++)
            seed_rows(rows, &configuration->series[j], configuration_at(configuration, summary->at));
    }
}

static void training_row(RowWriter *rows, const Training *training, const Settings *defaults) {
    Settings settings = *defaults;
    settings.training = training->record.spec;
    bool ended = training->ended;
    row_id(rows, "training_id", &training->record.training_id);
    row_integer(rows, "seed", training->record.spec.seed);
    settings_columns(rows, &settings, PREDICTOR_MODEL, false);
    row_text(rows, "outcome", ended ? outcome_name(training->record.outcome) : "not finished");
    row_text(rows, "reason", ended ? training->record.reason : NULL);
    row_number(rows, "steps_done", ended ? (double)training->record.steps_done : NAN);
    row_number(rows, "final_loss", ended ? training->record.final_loss : NAN);
    row_number(rows, "wall_s", ended ? training->record.wall_s : NAN);
    row_end(rows);
}

static void write_trainings(RowWriter *rows, const void *context) {
    const Summary *summary = context;
    const Table *table = summary->table;
    training_row(rows, &(Training){0}, &table->defaults); /* names the columns */
    rows_end_naming(rows);
    for (int i = 0; i < table->n_trainings; i++)
        training_row(rows, &table->trainings[i], &table->defaults);
}

Status summary_write_csv(const Summary *summary, const char *dir, Error *err) {
    Status status = csv_write(dir, "summary.csv", write_summary, summary, err);
    if (status == STATUS_OK) status = csv_write(dir, "seeds.csv", write_seeds, summary, err);
    if (status == STATUS_OK) status = csv_write(dir, "trainings.csv", write_trainings, summary, err);
    return status;
}
