/* Has gnuplot draw figures. */
#ifndef ANALYSIS_FIGURES_GNUPLOT_H
#define ANALYSIS_FIGURES_GNUPLOT_H

#include "analysis/figures/figure.h"
#include "proto/base/status.h"

/* Writes NAME.gp and NAME.dat into dir and has gnuplot draw NAME.svg, with png NAME.png too. Old pictures of that name
 * are removed first: none is ever older than its data. STATUS_FAILED: gnuplot is missing or refused; STATUS_IO: a file
 * could not be written; STATUS_NO_MEMORY: the figure is not whole. */
Status gnuplot_draw(const Figure *figure, const char *dir, bool png, Error *err);

/* Removes the pictures, scripts and data of earlier figures from dir, those whose script says that palinode analyze
 * drew it: what is no longer drawn shall not be taken for news. What cannot be removed stays. */
void gnuplot_remove_figures(const char *dir);

#endif
