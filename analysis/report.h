/* The report: one HTML file with the figures, the tables and where they came from, readable without a network. */
#ifndef ANALYSIS_REPORT_H
#define ANALYSIS_REPORT_H

#include "analysis/figure_choice.h"

/* Writes path. The figures' NAME.svg are read from figures_dir and put into the page; one that is not there is said to
 * be missing. STATUS_IO. */
Status report_write(const Summary *summary, const FigureSet *figures, const char *figures_dir, const char *path,
                    Error *err);

#endif
