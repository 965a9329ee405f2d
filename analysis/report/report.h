/* The report: one HTML file that says whether the results are complete, what became of the claims, what there is to
 * see, and where it came from. Readable without a network or scripts, and on paper. */
#ifndef ANALYSIS_REPORT_REPORT_H
#define ANALYSIS_REPORT_REPORT_H

#include "analysis/figures/figure_choice.h"
#include "analysis/results/completeness.h"
#include "analysis/results/family.h"

/* What a report is made of. */
typedef struct ReportContent {
    const Completeness *completeness; /* and its summary */
    const Families *families;
    const Verdicts *verdicts;
    const FigureSet *figures;
} ReportContent;

/* Writes path. The figures' NAME.svg are read from figures_dir and put into the page; one that is not there is said to
 * be missing. STATUS_IO. */
Status report_write(const ReportContent *content, const char *figures_dir, const char *path, Error *err);

#endif
