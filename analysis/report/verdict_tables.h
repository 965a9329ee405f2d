/* Verdicts in three forms: text to read, CSV to go on with, JSON for programs. */
#ifndef ANALYSIS_REPORT_VERDICT_TABLES_H
#define ANALYSIS_REPORT_VERDICT_TABLES_H

#include "analysis/claims/verdict.h"

#include <jansson.h>
#include <stdio.h>

/* Every claim as a paragraph of at most 100 columns: the decision, the claim, the numbers, the method, notes. Nothing
 * when no claims were declared. */
void verdicts_print(const Verdicts *verdicts, FILE *out);

/* "a - b 0.123 [0.101, 0.145], bootstrap-t [..]; p 0.0002, corrected 0.0006; 12 seeds; d_z 2.5 [1.2, 3.7]; ..". */
const char *verdict_numbers(const Verdict *verdict, char *text, size_t text_bytes);

/* Writes DIR/claims.csv, a row a claim. STATUS_IO. */
Status verdicts_write_csv(const Verdicts *verdicts, const char *dir, Error *err);

/* {"alpha", "correction", "claims": [{"id", "decision", ..}]}; undefined numbers are null. A new reference; NULL: no
 * memory. */
json_t *verdicts_json(const Verdicts *verdicts);

#endif
