/* The report: one HTML file that says whether the results are complete, what became of the claims, what there is to
 * see, and where it came from. Readable without a network or scripts, and on paper. */
#ifndef ANALYSIS_REPORT_H
#define ANALYSIS_REPORT_H

#include "analysis/completeness.h"
#include "analysis/figure_choice.h"

/* Writes path: the report of the results that were looked through for completeness. verdicts NULL: no claims. The
 * figures' NAME.svg are read from figures_dir and put into the page; one that is not there is said to be missing.
 * STATUS_IO. */
Status report_write(const Completeness *completeness, const Verdicts *verdicts, const FigureSet *figures,
                    const char *figures_dir, const char *path, Error *err);

#endif
