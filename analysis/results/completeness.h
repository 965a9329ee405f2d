/* What is there and what is missing, before any number is believed: seeds x configurations of trainings, the cells
 * measured on each, and the numerics that they were computed with. */
#ifndef ANALYSIS_RESULTS_COMPLETENESS_H
#define ANALYSIS_RESULTS_COMPLETENESS_H

#include "analysis/output/sheet.h"
#include "analysis/results/pairing.h"
#include "analysis/results/summary.h"

typedef struct TrainingCell {
    const Training *training; /* NULL: not asked for */
    SeedState state;
    int cells;               /* measured: critics, by number of prompts */
    const char *fingerprint; /* of the training, or of a cell that differs from it; NULL: none */
    bool mixed;              /* training and cells differ in theirs */
} TrainingCell;

typedef struct Completeness {
    const Summary *summary;
    int n_groups, n_seeds;
    TrainingCell *board; /* (n_groups, n_seeds) in the order of the summary's groups and the table's seeds */
    int *cells_expected; /* (n_groups) of each seed: the different cells that any seed of the group has */
    int missing_cells;   /* of trainings that are done */
    int n_fingerprints;  /* different ones among trainings and series */
} Completeness;

/* STATUS_NO_MEMORY. */
Status completeness_create(const Summary *summary, Completeness **out, Error *err);
void completeness_free(Completeness *completeness);

/* A row per configuration of trainings: how many seeds are done, the cells, and a letter a seed ("+++d+.", see
 * COMPLETENESS_LEGEND). NULL: no memory. */
Sheet *completeness_sheet(const Completeness *completeness);
#define COMPLETENESS_LEGEND "+ done, c cells missing, d diverged, f failed, . not finished, space not asked for"

/* What the summary's remarks do not tell: missing cells, and the sheet when something is missing and it is not too long
 * for a terminal. Nothing when all is there. */
void completeness_print(const Completeness *completeness, FILE *out);

/* Writes DIR/completeness.csv: a row per configuration and seed. STATUS_IO. */
Status completeness_write_csv(const Completeness *completeness, const char *dir, Error *err);

#endif
