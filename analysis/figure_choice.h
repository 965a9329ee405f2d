/* Which figures a set of results deserves, chosen from what varies in it. */
#ifndef ANALYSIS_FIGURE_CHOICE_H
#define ANALYSIS_FIGURE_CHOICE_H

#include "analysis/figure.h"
#include "analysis/summary.h"

enum { FIGURES_MAX = 60 };

typedef struct FigureSet {
    int count, left_out; /* left_out: past FIGURES_MAX */
    Figure *items[FIGURES_MAX];
    bool no_memory;
} FigureSet;

/* Fills an empty set: for what the results hold, in the order of a report. However large the grid, figures are slices
 * through one base configuration (slice.h), and at most FIGURES_MAX. */
void figures_choose(const Summary *summary, FigureSet *set);
void figures_free(FigureSet *set);

#endif
