/* Tables, a row at a time: CSV (RFC 4180), JSON lines or a table of a SQLite database, from the same calls.
 *
 * A row is written column by column in a fixed order. The header line of CSV and the columns of a database's table come
 * from the same code: with the writer in its naming pass (rows_naming) every call tells its column's name in place of
 * the value, so that order and names are kept in one place. Undefined values are empty in CSV and null elsewhere.
 * In CSV a text that a spreadsheet would take for a formula (=, +, -, @ first) gets an apostrophe before it.
 * Numbers are the shortest text that reads back equal, in a database numbers; true and false are 1 and 0 there. The
 * writer holds one row, whatever the length of the table; it knows nothing of what is written. */
#ifndef ANALYSIS_OUTPUT_ROWS_H
#define ANALYSIS_OUTPUT_ROWS_H

#include "analysis/output/database.h"
#include "jobs/settings/settings.h"
#include "proto/wire/messages.h"

#include <stdio.h>

typedef enum RowFormat { ROWS_CSV, ROWS_JSONL, ROWS_DATABASE } RowFormat;

typedef struct RowWriter RowWriter;

/* A writer of CSV or JSON lines onto out, which stays the caller's. CSV begins in its naming pass: run the code that
 * writes a row (its values are not looked at, rows after the first are dropped), then rows_end_naming. JSON lines have
 * no such pass. NULL: no memory. */
RowWriter *rows_create(FILE *out, RowFormat format);
/* A writer onto a new table of a database, which stays the caller's; in its naming pass. NULL: no memory. */
RowWriter *rows_create_table(Database *database, const char *table);
bool rows_naming(const RowWriter *writer);
void rows_end_naming(RowWriter *writer);
/* What is being written ran out of memory: rows_finish will say so. */
void rows_fail(RowWriter *writer);
/* STATUS_IO or STATUS_NO_MEMORY when a row could not be written so far: nothing more will be. */
Status rows_status(const RowWriter *writer, Error *err);
/* Flushes out, if there is one, and frees the writer; a failure as rows_status. */
Status rows_finish(RowWriter *writer, Error *err);

/* The next column of the row. text NULL, a value of NaN, id NULL and known false: undefined. Infinities have no JSON
 * and are null there. In names dots become underscores. */
void row_text(RowWriter *writer, const char *name, const char *text);
void row_number(RowWriter *writer, const char *name, double value);
void row_integer(RowWriter *writer, const char *name, int64_t value);
void row_id(RowWriter *writer, const char *name, const Id *id);
void row_setting(RowWriter *writer, const Setting *setting, const Settings *settings, bool known);

/* Every row from here on begins with the columns written so far in this one. */
void row_keep(RowWriter *writer);
/* Ends the row; the next one begins with the kept columns. */
void row_end(RowWriter *writer);
/* Forgets the kept columns (between rows). */
void rows_restart(RowWriter *writer);

/* Writes DIR/NAME as CSV. body writes a row of names, calls rows_end_naming, and writes the rows. STATUS_IO,
 * STATUS_NO_MEMORY. */
typedef void (*CsvBody)(RowWriter *rows, const void *context);
Status csv_write(const char *dir, const char *name, CsvBody body, const void *context, Error *err);

/* The shortest text that strtod reads as the same double; "nan", "inf", "-inf" for the others. */
enum { NUMBER_TEXT_BYTES = 32 };
const char *number_text(double value, char text[NUMBER_TEXT_BYTES]);

#endif
