/* What every axis does, paired by seed: value against value, and whole ordered axes. Nothing here was declared
 * beforehand, and no p is corrected for being one of many: claims are for conclusions, these tables for looking. */
#ifndef ANALYSIS_REPORT_AXIS_TABLES_H
#define ANALYSIS_REPORT_AXIS_TABLES_H

#include "analysis/claims/verdict.h"
#include "analysis/output/sheet.h"
#include "analysis/results/family.h"

enum { AXIS_DETAILED_MAX = 20000 }; /* comparisons up to which bootstrap and effect intervals are worth their time */

/* Writes DIR/paired.csv and DIR/trends.csv, for all metrics at the summary's number of examples and at the last round.
 *
 * paired.csv: a row for each value of an axis against the reference (of an ordered axis: against the next smaller one),
 *     everything else equal: paired difference, t and bootstrap-t intervals, two-sided sign-flip p, d_z, probability of
 *     improvement. With more than AXIS_DETAILED_MAX rows the last three intervals are left empty.
 * trends.csv: a row for each ordered axis with 3 values or more, everything else equal: Page's test, isotonic fit,
 *     plateau (with the margin of the first claim of a plateau over that axis and metric, if there is one), knee, slope
 *     over log2 of the axis (over the axis itself where it is not of positive integers). With more than
 *     AXIS_DETAILED_MAX rows in paired.csv without bootstrap and knee.
 * STATUS_IO, STATUS_NO_MEMORY. */
Status axis_tables_write(const Summary *summary, const Families *families, const Verdicts *verdicts, const char *dir,
                         Error *err);

/* The few that matter: for every axis through the base of the figures (slice_base), kendall_tau from its first value to
 * its last, or from the reference to each other value. NULL: no memory. */
Sheet *axis_sheet(const Summary *summary, const Families *families);

#endif
