/* A SQLite database being written: tables of typed columns, a row at a time. The only user of SQLite.
 *
 * The file is new and nobody else's until it is finished, so nothing is journalled: a crash leaves a file that is not
 * to be used. Failures are kept and told by database_status and database_finish; after one nothing more is written. */
#ifndef ANALYSIS_OUTPUT_DATABASE_H
#define ANALYSIS_OUTPUT_DATABASE_H

#include "proto/base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ColumnType { COLUMN_TEXT, COLUMN_REAL, COLUMN_INTEGER } ColumnType;

typedef struct Database Database;

/* Creates the file path, which must not exist. STATUS_IO, STATUS_NO_MEMORY. */
Status database_create(const char *path, Database **out, Error *err);

/* A further table: its name, then its columns, then database_end_columns; then its rows. */
void database_begin_table(Database *database, const char *name);
void database_add_column(Database *database, const char *name, ColumnType type);
void database_end_columns(Database *database);

/* Column i (from 0) of the row; what is not set anew keeps the value that it had in the row before. */
void database_set_text(Database *database, int column, const char *text);
void database_set_real(Database *database, int column, double value);
void database_set_integer(Database *database, int column, int64_t value);
void database_set_undefined(Database *database, int column);
void database_add_row(Database *database);

/* An index of a table over columns, as in SQL: "training_id, step". */
void database_add_index(Database *database, const char *table, const char *columns);

Status database_status(const Database *database, Error *err);
/* Closes and frees. The file is whole only if this is STATUS_OK. Accepts NULL. */
Status database_finish(Database *database, Error *err);

#endif
