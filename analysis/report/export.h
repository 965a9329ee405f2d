/* Results as long tables in CSV, JSON lines or a SQLite database, straight from the record files.
 *
 * Two passes over the records: the first notes which ids there are and the settings of every training, the second
 * writes rows. Memory is that of the index, whatever the length of the table. Which of the
 * records with one id counts does not depend on the order of folders (proto/wire/record_content.h). Rows come in the
 * order of the files. */
#ifndef ANALYSIS_REPORT_EXPORT_H
#define ANALYSIS_REPORT_EXPORT_H

#include "analysis/output/rows.h"

/* metrics: training_id, cell_id, seed, settings, predictor, kind, self_check_accuracy, index, metric, value,
 *     standard_error, fingerprint. A baseline has no training_id, its baseline_id stands in cell_id.
 *     kind "examples": index is the number of examples; "rounds": the round of correction, and self_check_accuracy that
 *     of the critic on the responses of the rounds.
 * trainings: training_id, seed, settings, outcome, .., timing, host: one row a training.
 * loss: training_id, seed, settings, step, loss: the loss curves.
 * provenance: one row a run (segment): its header and end record.
 * Settings are the columns of jobs/settings/settings.h's table, dots as underscores, without lists of names; undefined
 * where they mean nothing: those of a model for a baseline, those that are not active beside the others. */
typedef enum ExportTable { EXPORT_METRICS, EXPORT_TRAININGS, EXPORT_LOSS, EXPORT_PROVENANCE } ExportTable;

/* The table's name in commands ("metrics"); NULL past the last. */
const char *export_table_name(int table);

/* Writes one table of the folders to out. warning gets a line per damaged file (journal_read) and one when cells had to
 * be left out because their training is in no record. STATUS_DATA when a folder holds no run; STATUS_IO; STATUS_FAILED:
 * all is written, but some results of one id and fingerprint differ, which must not be. */
Status export_table(const char *const *dirs, int n_dirs, ExportTable table, RowFormat format, FILE *out, char *warning,
                    size_t warning_bytes, Error *err);

/* Writes all tables into a new SQLite database, the file path, which must not exist; each has the columns that CSV has,
 * typed, and indexes. warning as export_table. After a failure the file is of no use, but there. */
Status export_database(const char *const *dirs, int n_dirs, const char *path, char *warning, size_t warning_bytes,
                       Error *err);

#endif
