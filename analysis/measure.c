/* See measure.h. */
#include "analysis/measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int measure_count(const Series *series, MeasureKind kind) {
    return series->curves.n_points;
}

double measure_of(const Series *series, Measure measure) {
    if (measure.index < 0 || measure.index >= measure_count(series, measure.kind)) return NAN;
    return series->curves.value[curves_at(&series->curves, (Metric)measure.metric, measure.index)];
}

MeanInterval measure_interval(const Configuration *configuration, Measure measure) {
    double values[configuration->n_series];
    for (int i = 0; i < configuration->n_series; i++)
        values[i] = measure_of(&configuration->series[i], measure);
    return mean_interval(values, configuration->n_series, CONFIDENCE_95);
}

const char *measure_kind_name(MeasureKind kind) {
    return "examples";
}

const char *measure_name(Measure measure) {
    return metric_name((Metric)measure.metric);
}

const char *measure_title(Measure measure) {
    switch ((Metric)measure.metric) {
    case METRIC_NMSE:
        return "Normalised MSE, 1 − cos (0: exact)";
    case METRIC_KENDALL_TAU:
        return "Kendall's τ with the true ranking (1: aligned)";
    case METRIC_ALIGNMENT_LOSS:
        return "Plackett-Luce loss against the true ranking";
    case METRIC_COUNT:
        break;
    }
    return "?";
}

const char *measure_place(Measure measure, char text[48]) {
    snprintf(text, 48, "at %d example%s", measure.index, measure.index == 1 ? "" : "s");
    return text;
}
