/* The summary's numbers in two forms: sheets to read, JSON for programs. summary_csv.h has the third. */
#ifndef ANALYSIS_REPORT_SUMMARY_TABLES_H
#define ANALYSIS_REPORT_SUMMARY_TABLES_H

#include "analysis/output/sheet.h"
#include "analysis/results/summary.h"

#include <jansson.h>

enum { SHEET_WIDTH = 100 };

/* All configurations: a column for every axis, self-check accuracy, predictor, seeds and the metrics at the summary's
 * number of examples as interval_text says it. Columns are hidden until the text form is at most SHEET_WIDTH
 * wide. NULL: no memory. */
Sheet *summary_sheet(const Summary *summary);
/* The configurations that were measured in rounds of correction: nmse of the first answer and the last, gain, and how
 * often an answer turned right or wrong on the way. One row, the headings: there are none. NULL: no memory. */
Sheet *rounds_sheet(const Summary *summary);
/* The trainings of every configuration: how many are done, their final loss, time and speed. NULL: no memory. */
Sheet *trainings_sheet(const Summary *summary);

/* {"at", "axes", "complete", "trainings": {..}, "seeds", "configurations": [{"settings": {axes}, "predictor", "seeds",
 * "examples", "self_check_accuracy", "nmse": {"n", "undefined", "mean", "standard_deviation", "low", "high", "median",
 * "interquartile_mean", "minimum", "maximum"}, .., "rounds": {"round": the last, "self_check_accuracy", "nmse": {..},
 * "gain": {..}, ..}}], "remarks": [..]}; "rounds" only where there are any; undefined numbers are null. A new
 * reference; NULL: no memory. */
json_t *summary_json(const Summary *summary);

/* The value of a setting: a number, a truth value or a name. */
json_t *setting_json(const Setting *setting, const Settings *settings);

#endif
