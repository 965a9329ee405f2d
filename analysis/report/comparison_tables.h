/* A comparison in two forms: a sheet to read and JSON for programs. */
#ifndef ANALYSIS_REPORT_COMPARISON_TABLES_H
#define ANALYSIS_REPORT_COMPARISON_TABLES_H

#include "analysis/output/sheet.h"
#include "analysis/results/comparison.h"

#include <jansson.h>

/* The first n differences. NULL: no memory. */
Sheet *differences_sheet(const Comparison *comparison, int n);
/* Everything: {"outcome", "sentence", "a", "b" (the names given), "common", "equal_bits", .., "differences": [{
 * "configuration", "settings", "predictor", "kind", "metric", "index", "seeds", "a", "b", "difference", "low", "high",
 * "largest", "t", "p", "p_holm"}, ..]}; undefined and infinite numbers are null. A new reference; NULL: no memory. */
json_t *comparison_json(const Comparison *comparison, const char *a, const char *b);

#endif
