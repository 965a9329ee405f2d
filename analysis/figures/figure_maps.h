/* Heat maps side by side as a figure. */
#ifndef ANALYSIS_FIGURES_FIGURE_MAPS_H
#define ANALYSIS_FIGURES_FIGURE_MAPS_H

#include "analysis/figures/figure.h"

typedef struct HeatMap {
    const char *title, *x_label, *y_label;
    int n_columns, n_rows;
    const double *values; /* (n_rows, n_columns), the first row on top; NaN: an empty cell */
    const char *const *column_names, *const *row_names; /* NULL: 1, 2, .. */
    ColourScale colours;
} HeatMap;

/* The maps from left to right, neighbours of one fixed scale with one box of colours. A map is as wide as its columns
 * need. NULL: no memory. */
Figure *figure_maps(const char *name, const HeatMap *maps, int n_maps);

#endif
