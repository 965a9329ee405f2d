/* Which figures a set of results deserves: one over critique quality, and one over every training axis that varies. */
#ifndef ANALYSIS_FIGURE_CHOICE_H
#define ANALYSIS_FIGURE_CHOICE_H

#include "analysis/figure.h"

/* Fills figures (room for AXES_MAX + 1) and returns their number.
 *
 * "quality": a curve per critique quality of the first model configuration, gd dashed in the same colour. Then for
 * every axis that is not a quality a figure of its name: a curve per value under the best critic, taken from the
 * configuration that differs least from the first one; gd dashed, once in grey when it is the same for all. Axes that
 * only move together (zip) give one figure. More than FIGURE_CURVES_MAX / 2 values: evenly chosen ones. */
int figures_choose(const Summary *summary, Figure *figures);

#endif
