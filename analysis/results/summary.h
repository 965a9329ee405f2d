/* What analyze says in words and numbers: configurations with their means over seeds, and what is missing.
 *
 * A configuration is a stretch of the sorted table, the series that differ in their seed only. The summary borrows the
 * Table; how its numbers are laid out is for summary_tables.h and the figures. */
#ifndef ANALYSIS_RESULTS_SUMMARY_H
#define ANALYSIS_RESULTS_SUMMARY_H

#include "analysis/results/table.h"
#include "analysis/statistics/statistics.h"

/* The series of one predictor that differ in their seed only. */
typedef struct Configuration {
    const Series *series; /* (n_series), by seed */
    int n_series;
} Configuration;

/* The trainings that differ in their seed only. */
typedef struct TrainingGroup {
    const Training *trainings; /* (n_trainings), by seed */
    int n_trainings, done;
} TrainingGroup;

typedef struct Summary {
    const Table *table;
    int at; /* number of examples at which the tables read the curves; a smaller N reads its last */
    int n_configurations;
    Configuration *configurations; /* in the table's order: models, then baselines, by task and critic */
    int n_training_groups;
    TrainingGroup *training_groups;
    int done, diverged, failed; /* of the table's trainings */
} Summary;

enum { AT_DEFAULT = -1 }; /* 15 examples, as in the paper, or N - 1 where that is less */

/* at: a number of examples from 0 to N - 1, or AT_DEFAULT. STATUS_USAGE when no curve reaches at. */
Status summary_create(const Table *table, int at, Summary **out, Error *err);
void summary_free(Summary *summary);

/* The number of examples at which a configuration is read: at, or its last. */
int configuration_at(const Configuration *configuration, int at);
/* A metric of every seed at a number of examples into values (n_series); NaN beyond a series' last. */
void configuration_values(const Configuration *configuration, Metric metric, int examples, double *values);
double configuration_self_check(const Configuration *configuration);
/* The configuration of a baseline on the task and under the critic of another one; NULL: not measured. */
const Configuration *configuration_beside(const Summary *summary, const Configuration *of, Predictor predictor);

/* Whether every training group has every seed, done. */
bool summary_is_complete(const Summary *summary);
bool training_is_done(const Training *training);

/* Lines for the reader: the completeness line first, then one per incomplete training group and warnings (few seeds,
 * undefined values, cells without a training, mixed fingerprints). malloc'd text, every line ends with a newline; NULL:
 * no memory. */
char *summary_remarks(const Summary *summary);

#endif
