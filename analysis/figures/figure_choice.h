/* Which figures a set of results deserves, chosen from what varies in it. */
#ifndef ANALYSIS_FIGURES_FIGURE_CHOICE_H
#define ANALYSIS_FIGURES_FIGURE_CHOICE_H

#include "analysis/claims/verdict.h"
#include "analysis/figures/figure.h"
#include "analysis/results/family.h"
#include "analysis/results/summary.h"

enum { FIGURES_MAX = 80, CLAIM_FIGURES_MAX = 40 };

typedef struct FigureSet {
    int count, left_out;                       /* left_out: past FIGURES_MAX */
    Figure *items[FIGURES_MAX];                /* those of claims first */
    const Figure *of_claim[CLAIM_FIGURES_MAX]; /* the figure of a verdict, by its number; NULL: it has none */
    bool no_memory;
} FigureSet;

/* Fills an empty set: a figure for every claim (verdicts NULL: none) and then for what the results hold, in the order
 * of a report. However large the grid, figures are slices
 * through one base configuration (slice.h), and at most FIGURES_MAX. */
void figures_choose(const Summary *summary, const Families *families, const Verdicts *verdicts, FigureSet *set);
void figures_free(FigureSet *set);

#endif
