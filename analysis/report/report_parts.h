/* The parts of a report, each printing its section. */
#ifndef ANALYSIS_REPORT_REPORT_PARTS_H
#define ANALYSIS_REPORT_REPORT_PARTS_H

#include "analysis/figures/figure.h"
#include "analysis/results/completeness.h"

#include <stdio.h>

/* The head of the page: styles and title. */
void report_print_head(const char *title, FILE *out);
/* How much of what was asked for is there: the remarks, and what became of every seed of every configuration. */
void report_print_completeness(const Completeness *completeness, FILE *out);
/* The picture DIR/NAME.svg inside the page: without what may not stand there, its ids made the page's only ones.
 * Returns false when there is none. */
bool report_print_svg(const Figure *figure, const char *dir, FILE *out);
/* Runs, machines, libraries, job files, fingerprints. */
void report_print_provenance(const Table *table, FILE *out);
/* Commands that do it again, and what to cite. */
void report_print_reproduction(const Table *table, FILE *out);
/* A sheet (NULL: no memory) that scrolls where it is too wide, at most so many rows of it. Frees it. */
void report_print_sheet(Sheet *sheet, int rows_max, const char *all_are_in, FILE *out);

#endif
