/* A number that can be read off any series: a metric at a number of examples, or at a round of correction. Figures and
 * comparisons are over such numbers, whichever they are. */
#ifndef ANALYSIS_MEASURE_H
#define ANALYSIS_MEASURE_H

#include "analysis/summary.h"

typedef enum MeasureKind { MEASURE_EXAMPLES, MEASURE_ROUNDS } MeasureKind;

typedef struct Measure {
    MeasureKind kind;
    int metric; /* Metric or RoundMetric */
    int index;  /* number of examples, or round */
} Measure;

/* How many metrics of a kind there are. */
int measure_metrics(MeasureKind kind);
/* How many indices a series has for this kind: 0 .. count - 1; 0: it was not measured. */
int measure_count(const Series *series, MeasureKind kind);
/* NaN where it was not measured or is not defined. */
double measure_of(const Series *series, Measure measure);
/* Mean and 95 % interval over the seeds of a configuration. */
MeanInterval measure_interval(const Configuration *configuration, Measure measure);

/* "examples"; "kendall_tau". */
const char *measure_kind_name(MeasureKind kind);
const char *measure_name(Measure measure);
/* For titles: "Kendall's τ with the true ranking (1: aligned)". */
const char *measure_title(Measure measure);
/* For sentences: "at 15 examples", "after 8 rounds". */
const char *measure_place(Measure measure, char text[48]);

#endif
