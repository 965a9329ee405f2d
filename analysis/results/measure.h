/* A number that can be read off any series: a metric at a number of examples, or at a round of correction. Figures and
 * comparisons are over such numbers, whichever they are. */
#ifndef ANALYSIS_RESULTS_MEASURE_H
#define ANALYSIS_RESULTS_MEASURE_H

#include "analysis/results/summary.h"
#include "analysis/statistics/bootstrap.h"

typedef enum MeasureKind { MEASURE_EXAMPLES, MEASURE_ROUNDS } MeasureKind;

typedef struct Measure {
    MeasureKind kind;
    int metric; /* Metric or RoundMetric */
    int index;  /* number of examples, or round */
} Measure;

enum { INTERVAL_TEXT_BYTES = 96 };

/* How many metrics of a kind there are. */
int measure_metrics(MeasureKind kind);
/* How many indices a series has for this kind: 0 .. count - 1; 0: it was not measured. */
int measure_count(const Series *series, MeasureKind kind);
/* NaN where it was not measured or is not defined. */
double measure_of(const Series *series, Measure measure);
/* What a claim is about, at the first of its indices. */
Measure measure_of_claim(const Claim *claim);
/* Mean and 95 % interval over the seeds of a configuration, as it is shown: within the range. */
MeanInterval measure_interval(const Configuration *configuration, Measure measure);

/* What the metric can be, whatever the model; infinite: without end. */
Interval measure_range(Measure measure);
/* An interval for the metric's mean, cut off where the metric cannot be. The true mean is within the range, so the rest
 * holds it as often as the whole did. Tests never use it. */
Interval measure_within(Measure measure, Interval interval);
MeanInterval measure_within_mean(Measure measure, MeanInterval interval);

/* "examples"; "kendall_tau". */
const char *measure_kind_name(MeasureKind kind);
const char *measure_name(Measure measure);
/* For titles: "Kendall's τ with the true ranking (1: aligned)". */
const char *measure_title(Measure measure);
/* "0.295 ± 0.005"; "0.980 [0.901, 1]" where the range cuts the interval off; "0.295" for one seed, "-" for none. */
const char *interval_text(const MeanInterval *interval, int decimals, char text[INTERVAL_TEXT_BYTES]);
/* For sentences: "at 15 examples", "after 8 rounds". */
const char *measure_place(Measure measure, char text[48]);

#endif
