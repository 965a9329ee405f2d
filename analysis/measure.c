/* See measure.h. */
#include "analysis/measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int measure_metrics(MeasureKind kind) {
    return kind == MEASURE_ROUNDS ? (int)ROUND_METRIC_COUNT : (int)METRIC_COUNT;
}

int measure_count(const Series *series, MeasureKind kind) {
    return kind == MEASURE_ROUNDS ? series->rounds.count : series->curves.n_points;
}

double measure_of(const Series *series, Measure measure) {
    if (measure.index < 0 || measure.index >= measure_count(series, measure.kind)) return NAN;
    if (measure.kind == MEASURE_ROUNDS)
        return series->rounds.value[round_curves_at(&series->rounds, (RoundMetric)measure.metric, measure.index)];
    return series->curves.value[curves_at(&series->curves, (Metric)measure.metric, measure.index)];
}

MeanInterval measure_interval(const Configuration *configuration, Measure measure) {
    double values[configuration->n_series];
    for (int i = 0; i < configuration->n_series; i++)
        values[i] = measure_of(&configuration->series[i], measure);
    return mean_interval(values, configuration->n_series, CONFIDENCE_95);
}

const char *measure_kind_name(MeasureKind kind) {
    return kind == MEASURE_ROUNDS ? "rounds" : "examples";
}

const char *measure_name(Measure measure) {
    return measure.kind == MEASURE_ROUNDS ? round_metric_name((RoundMetric)measure.metric)
                                          : metric_name((Metric)measure.metric);
}

static const char *const titles[] = {
    [METRIC_NMSE] = "Normalised MSE, 1 − cos (0: exact)",
    [METRIC_KENDALL_TAU] = "Kendall's τ with the true ranking (1: aligned)",
    [METRIC_ALIGNMENT_LOSS] = "Plackett-Luce loss against the true ranking (nats)",
};
static const char *const round_titles[] = {
    [ROUND_NMSE] = "Normalised MSE of the answer (0: exact)",
    [ROUND_GAIN] = "Gain: nmse of round 0 − nmse here",
    [ROUND_IMPROVED] = "Share improved by the round",
    [ROUND_WORSENED] = "Share worsened by the round",
    [ROUND_RIGHT_TO_WRONG] = "Share that went from right to wrong",
    [ROUND_WRONG_TO_RIGHT] = "Share that went from wrong to right",
};

const char *measure_title(Measure measure) {
    return measure.kind == MEASURE_ROUNDS ? round_titles[measure.metric] : titles[measure.metric];
}

const char *measure_place(Measure measure, char text[48]) {
    bool rounds = measure.kind == MEASURE_ROUNDS;
    snprintf(text, 48, "%s %d %s%s", rounds ? "after" : "at", measure.index, rounds ? "round" : "example",
             measure.index == 1 ? "" : "s");
    return text;
}
