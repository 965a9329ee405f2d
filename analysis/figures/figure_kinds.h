/* The kinds of figures, a function each, and what they share. Each adds to a set what the results have to show. */
#ifndef ANALYSIS_FIGURES_FIGURE_KINDS_H
#define ANALYSIS_FIGURES_FIGURE_KINDS_H

#include "analysis/figures/figure_choice.h"
#include "analysis/results/measure.h"
#include "analysis/results/slice.h"

/* A new figure of that name; NULL: no memory, and the set says so. */
Figure *figure_begin(FigureSet *set, const char *name);
/* Takes a figure (NULL: none) into the set; one without data is dropped, and one for which there is no room counted. */
void figure_end(FigureSet *set, Figure *figure);

/* --- kinds ------------------------------------------------------------------------------------------------------- */

/* "claim_ID": what a verdict rests on. Levels of a trend or plateau, both arms of a difference or equivalence beside
 * their paired differences, points and line of a regression; seeds joined. None for a claim that was refused. */
void figure_claims(FigureSet *set, const Verdicts *verdicts);
/* Curves against the number of examples, Kendall's tau beside normalised MSE. "quality": a curve per critique quality
 * of the base configuration, gd dashed in its colour, the released model's dotted where the models are that one.
 * "predictors": the model and all baselines under the best critic. Then for every further axis a figure of its name,
 * under the best critic. Where rounds of correction were measured, "rounds_quality" and so on: normalised MSE and gain
 * by round. */
void figure_curves(FigureSet *set, const Summary *summary, const Families *families);
/* The metrics at the summary's number of examples, and after the last round, against every ordered axis: a point per
 * seed, the mean with its interval, a line per critique quality. "AXIS_at_15", "AXIS_after_8". */
void figure_levels(FigureSet *set, const Summary *summary, const Families *families);
/* Of rounds of correction: "rounds_flips", what a round mends and what it spoils, by critique quality;
 * "rounds_self_check", the gain after the last round against the critic's self-check accuracy with a line through it;
 * "rounds_critics", the gain by quality for every kind of feedback and noise. */
void figure_rounds(FigureSet *set, const Summary *summary, const Families *families);
/* The metrics over critique quality and every other ordered axis as heat maps. "AXIS_by_quality". */
void figure_heat(FigureSet *set, const Summary *summary, const Families *families);
/* "training": loss against step, a thin line a seed, a thick one their mean, a colour per configuration. */
void figure_training(FigureSet *set, const Summary *summary);
/* "cost": core-seconds of one training of every configuration. */
void figure_cost(FigureSet *set, const Summary *summary);

/* --- what they share --------------------------------------------------------------------------------------------- */

enum { BAND_SEEDS = 3 }; /* fewer are drawn one by one */

/* A panel for a measure, its axis fit for it. */
Panel *measure_panel(Figure *figure, Measure measure, const char *x_label);
/* The curve of a metric from an index on: the mean over seeds as a line; with_seeds: behind it the interval, or each
 * seed where there are too few for one. */
void measure_curve(Figure *figure, Panel *panel, const Configuration *configuration, Measure from, const char *label,
                   uint32_t colour, LineStyle style, bool with_seeds);
/* The colour of value i of n of an axis: the last of ordered ones, the best critic or the largest, is the darkest. */
uint32_t axis_colour(const Setting *axis, int i, int n);
/* Scales an axis that shows n ascending values of a setting and ticks each of them: by factors where that spaces them
 * more evenly. places (n) gets where they stand: where they are, or at 1, 2, .. if some would fall on each other there.
 * Returns whether none does. */
bool setting_scale(Figure *figure, Axis *axis, const Setting *setting, const double *values, int n, double *places);
/* Legend lines about seeds: what bands and thin lines are. */
void seeds_key(Figure *figure, const Configuration *const *configurations, int n);
/* Puts into the caption which of n labelled configurations has the largest and the smallest mean of a measure. */
void extremes_caption(Figure *figure, Measure measure, const Configuration *const *configurations,
                      const char (*labels)[FIGURE_TEXT_BYTES], int n);
/* Puts into the caption what is the same for all members of a slice, but for skip (NULL: none), and how many values are
 * not there, and why. */
void slice_caption(Figure *figure, const Summary *summary, const Slice *slice, const Setting *skip);

#endif
