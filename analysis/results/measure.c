/* See measure.h. */
#include "analysis/results/measure.h"

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

Measure measure_of_claim(const Claim *claim) {
    bool rounds = claim->kind == CLAIM_ROUNDS;
    return (Measure){rounds ? MEASURE_ROUNDS : MEASURE_EXAMPLES, rounds ? (int)claim->round_metric : (int)claim->metric,
                     claim->at.first};
}

MeanInterval measure_interval(const Configuration *configuration, Measure measure) {
    double values[configuration->n_series];
    for (int i = 0; i < configuration->n_series; i++)
        values[i] = measure_of(&configuration->series[i], measure);
    return measure_within_mean(measure, mean_interval(values, configuration->n_series, CONFIDENCE_95));
}

const char *measure_kind_name(MeasureKind kind) {
    return kind == MEASURE_ROUNDS ? "rounds" : "examples";
}

const char *measure_name(Measure measure) {
    return measure.kind == MEASURE_ROUNDS ? round_metric_name((RoundMetric)measure.metric)
                                          : metric_name((Metric)measure.metric);
}

/* What is known of a metric beside its name. */
typedef struct MetricFacts {
    const char *title;
    Interval range;
} MetricFacts;

static const MetricFacts facts[] = {
    [METRIC_NMSE] = {"Normalised MSE, 1 − cos (0: exact)", {0, 2}},
    [METRIC_KENDALL_TAU] = {"Kendall's τ with the true ranking (1: aligned)", {-1, 1}},
    [METRIC_ALIGNMENT_LOSS] = {"Plackett-Luce loss against the true ranking (nats)", {0, INFINITY}},
};
static const MetricFacts round_facts[] = {
    [ROUND_NMSE] = {"Normalised MSE of the answer (0: exact)", {0, 2}},
    [ROUND_GAIN] = {"Gain: nmse of round 0 − nmse here", {-2, 2}},
    [ROUND_IMPROVED] = {"Share improved by the round", {0, 1}},
    [ROUND_WORSENED] = {"Share worsened by the round", {0, 1}},
    [ROUND_RIGHT_TO_WRONG] = {"Share that went from right to wrong", {0, 1}},
    [ROUND_WRONG_TO_RIGHT] = {"Share that went from wrong to right", {0, 1}},
};

static const MetricFacts *facts_of(Measure measure) {
    return measure.kind == MEASURE_ROUNDS ? &round_facts[measure.metric] : &facts[measure.metric];
}

const char *measure_title(Measure measure) {
    return facts_of(measure)->title;
}

Interval measure_range(Measure measure) {
    return facts_of(measure)->range;
}

/* Comparisons that leave NaN, no interval, as it is. */
Interval measure_within(Measure measure, Interval interval) {
    Interval range = measure_range(measure);
    if (interval.low < range.low) interval.low = range.low;
    if (interval.high > range.high) interval.high = range.high;
    return interval;
}

MeanInterval measure_within_mean(Measure measure, MeanInterval interval) {
    Interval within = measure_within(measure, (Interval){interval.low, interval.high});
    interval.low = within.low;
    interval.high = within.high;
    return interval;
}

/* An end of an interval; where it was cut off it is a whole number. */
static const char *end_text(double end, int decimals, char text[32]) {
    snprintf(text, 32, "%.*f", end == rint(end) ? 0 : decimals, end);
    return text;
}

const char *interval_text(const MeanInterval *interval, int decimals, char text[INTERVAL_TEXT_BYTES]) {
    double below = interval->mean - interval->low, above = interval->high - interval->mean;
    double unseen = fmax(pow(10, -decimals) / 2, 1e-12 * fabs(interval->mean)); /* rounded away, here or before */
    char low[32], high[32];
    if (interval->n == 0)
        snprintf(text, INTERVAL_TEXT_BYTES, "-");
    else if (interval->n == 1)
        snprintf(text, INTERVAL_TEXT_BYTES, "%.*f", decimals, interval->mean);
    else if (fabs(above - below) < unseen)
        snprintf(text, INTERVAL_TEXT_BYTES, "%.*f ± %.*f", decimals, interval->mean, decimals, fmax(below, above));
    else
        snprintf(text, INTERVAL_TEXT_BYTES, "%.*f [%s, %s]", decimals, interval->mean,
                 end_text(interval->low, decimals, low), end_text(interval->high, decimals, high));
    return text;
}

const char *measure_place(Measure measure, char text[48]) {
    bool rounds = measure.kind == MEASURE_ROUNDS;
    snprintf(text, 48, "%s %d %s%s", rounds ? "after" : "at", measure.index, rounds ? "round" : "example",
             measure.index == 1 ? "" : "s");
    return text;
}
