/* All results of one or more folders as a table in memory.
 *
 * A series is one predictor (the trained model or a baseline) under one critic: the long table's rows of one cell, kept
 * together as curves. A configuration is all settings except the seed; series are sorted so that those of one
 * configuration lie side by side, by seed. Which of the records with one id is taken does not depend on the order of
 * folders (proto/wire/record_content.h); of cells that differ in their number of rounds alone, the one with most stands
 * for all. Which settings vary (the axes) is found out from the data. The table knows nothing of statistics, files to
 * write or looks. */
#ifndef ANALYSIS_RESULTS_TABLE_H
#define ANALYSIS_RESULTS_TABLE_H

#include "jobs/job/job.h"
#include "proto/wire/codec.h"
#include "proto/wire/record_content.h"

/* One predictor under one critic for one seed. */
typedef struct Series {
    Id training_id; /* of a baseline all zero */
    Id cell_id;     /* of a baseline its baseline_id */
    Predictor predictor;
    Settings settings; /* of a baseline only those that setting_applies says; the others hold defaults */
    double self_check_accuracy;
    Curves curves;
    RoundCurves rounds; /* count 0: the cell has none, nor has any baseline */
    char *fingerprint;
    int order, folder; /* in which it was read; in which folder it was found */
} Series;

/* One training that was asked for, and what became of it. */
typedef struct Training {
    bool ended;        /* false: only known from a job, the record says nothing but training_id and spec */
    int order, folder; /* as of a series */
    TrainingRecord record;
} Training;

/* "done", "diverged", "failed". */
const char *outcome_name(Outcome outcome);

enum { AXES_MAX = 64, CONFLICTS_KEPT = 20 };

/* Two results of one id and one fingerprint that differ, which must not be: palinode merge shows the places. */
typedef struct TableConflict {
    RecordKind kind;
    Id id;
    char fingerprint[128];
    RecordDifference difference; /* a: of the one that is taken */
    int folder, other_folder;
} TableConflict;

typedef struct Table {
    int n_series, n_trainings, n_headers;
    Series *series;        /* sorted: task, critic and prompts (best critic first), predictor, the rest, seed */
    Training *trainings;   /* sorted: settings, seed */
    HeaderRecord *headers; /* one per run, in the order read */
    int orphans;           /* cells whose training is in no record: left out */
    int folder;            /* that is being read */
    int n_conflicts;       /* all; of them the first few: */
    TableConflict conflicts[CONFLICTS_KEPT];
    int n_axes;
    const Setting *axes[AXES_MAX]; /* settings with more than one value, in table order */
    int n_seeds;
    Settings defaults;
    uint32_t *seeds; /* ascending, of all trainings and series */
} Table;

/* An empty table; NULL: no memory. */
Table *table_create(void);
void table_free(Table *table);

/* Adds one record, taking what it owns (models and end records are passed over). A RecordVisitor with a Table as its
 * context. */
Status table_add(void *table, uint64_t offset, Record *record, Error *err);
/* Adds the trainings of a job that are in no record as not ended. After the records, before table_finish. */
Status table_expect(Table *table, const Job *job, Error *err);
/* Settles re-runs, gives the cells their trainings' settings, sorts, finds axes and seeds. Once, last. */
Status table_finish(Table *table, Error *err);

/* table_create, then journal_read and the jobs (jobs/job/job_list.h) of every dir, then table_finish. warning: lines of
 * journal_read. STATUS_DATA when the folders hold no record at all. */
Status table_read(const char *const *dirs, int n_dirs, Table **out, char *warning, size_t warning_bytes, Error *err);

/* Orders series (and trainings) by configuration, ignoring the seed; 0: the same configuration. */
int series_compare_configuration(const Series *a, const Series *b);
int spec_compare_configuration(const TrainingSpec *a, const TrainingSpec *b);
/* Whether two series were measured on the same task under the same critic, so that they may stand side by side. */
bool series_same_task(const Series *a, const Series *b);

/* The short name of a setting for labels: "n_layer", "q"; with its group when the last word alone is ambiguous. */
const char *setting_label(const Setting *setting, char *text, size_t text_bytes);
/* "n_layer 4, q 0.75": the axes among those that apply to the series, without skip (NULL: none); "" when none varies.
 */
const char *series_label(const Table *table, const Series *series, const Setting *skip, char *text, size_t text_bytes);
/* The same for a training: without critics. */
const char *training_label(const Table *table, const TrainingSpec *spec, char *text, size_t text_bytes);

#endif
