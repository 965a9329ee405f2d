/* Has gnuplot draw figures. */
#ifndef ANALYSIS_GNUPLOT_H
#define ANALYSIS_GNUPLOT_H

#include "analysis/figure.h"
#include "proto/base/status.h"

/* Writes NAME.gp and NAME.dat into dir and has gnuplot draw NAME.svg, with png NAME.png too. Old pictures of that name
 * are removed first: none is ever older than its data. STATUS_FAILED: gnuplot is missing or refused; STATUS_IO: a file
 * could not be written; STATUS_NO_MEMORY: the figure is not whole. */
Status gnuplot_draw(const Figure *figure, const char *dir, bool png, Error *err);

#endif
