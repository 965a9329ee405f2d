/* Columns that several tables have. */
#ifndef ANALYSIS_OUTPUT_COLUMNS_H
#define ANALYSIS_OUTPUT_COLUMNS_H

#include "analysis/output/rows.h"

/* A column for every setting, of trainings only or with critics and evaluation; undefined where it does not apply. */
void settings_columns(RowWriter *rows, const Settings *settings, Predictor predictor, bool critics);

/* "2024-12-10T09:00:00.123Z"; NULL for 0, unknown. */
const char *utc_text(int64_t unix_ms, char *text, size_t text_bytes);

/* Whether a setting says anything about a predictor's results: a baseline has no model, no training and no rounds, and
 * only gd has steps. Never for lists of names (evaluate.baselines), which no record holds. */
bool setting_applies(const Setting *setting, Predictor predictor);

#endif
