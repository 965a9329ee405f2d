/* See rows.h. */
#include "analysis/output/rows.h"

#include "analysis/output/whole_file.h"

#include "proto/wire/codec.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct RowWriter {
    FILE *out;          /* NULL: into a database */
    Database *database; /* NULL: into a file */
    RowFormat format;
    bool naming, named, no_memory; /* named: the header line is out */
    int io_error;                  /* errno of the first failed write */
    char *line;
    size_t used, kept, capacity;
    int columns, kept_columns; /* of the row so far */
};

const char *number_text(double value, char text[NUMBER_TEXT_BYTES]) {
    for (int digits = 15; digits <= 17; digits++) { /* %g drops trailing zeros: 15 covers all shorter texts */
        snprintf(text, NUMBER_TEXT_BYTES, "%.*g", digits, value);
        if (isnan(value) || strtod(text, NULL) == value) break;
    }
    return text;
}

RowWriter *rows_create(FILE *out, RowFormat format) {
    RowWriter *writer = calloc(1, sizeof *writer);
    if (writer == NULL) return NULL;
    writer->out = out;
    writer->format = format;
    writer->naming = format == ROWS_CSV;
    return writer;
}

RowWriter *rows_create_table(Database *database, const char *table) {
    RowWriter *writer = calloc(1, sizeof *writer);
    if (writer == NULL) return NULL;
    writer->database = database;
    writer->format = ROWS_DATABASE;
    writer->naming = true;
    database_begin_table(database, table);
    return writer;
}

bool rows_naming(const RowWriter *writer) {
    return writer->naming;
}

Status rows_status(const RowWriter *writer, Error *err) {
    if (writer->database != NULL) return database_status(writer->database, err);
    if (writer->no_memory) return error_set(err, STATUS_NO_MEMORY, "no memory for a row of a table");
    if (writer->io_error != 0)
        return error_set(err, STATUS_IO, "the table cannot be written: %s", strerror(writer->io_error));
    return STATUS_OK;
}

Status rows_finish(RowWriter *writer, Error *err) {
    if (writer->out != NULL && fflush(writer->out) != 0 && writer->io_error == 0) writer->io_error = errno;
    Status status = rows_status(writer, err);
    free(writer->line);
    free(writer);
    return status;
}

static void append(RowWriter *writer, const char *text, size_t length) {
    if (writer->used + length > writer->capacity) {
        size_t capacity = 2 * (writer->used + length) + 256;
        char *line = realloc(writer->line, capacity);
        if (line == NULL) {
            writer->no_memory = true;
            return;
        }
        writer->line = line;
        writer->capacity = capacity;
    }
    memcpy(writer->line + writer->used, text, length);
    writer->used += length;
}

static void append_text(RowWriter *writer, const char *text) {
    append(writer, text, strlen(text));
}

/* Whether a spreadsheet would take a text for a formula, which may be anything that somebody wrote into a folder; lists
 * of numbers are none. */
static bool is_formula(const char *text) {
    return text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL && text[strspn(text, "0123456789.;eE+-")] != '\0';
}

static void append_csv_quoted(RowWriter *writer, const char *text) {
    if (is_formula(text)) {
        append_text(writer, "\"'"); /* then it is text */
        for (const char *c = text; *c != '\0'; c++)
            append(writer, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
        append_text(writer, "\"");
        return;
    }
    if (text[strcspn(text, ",\"\r\n")] == '\0') {
        append_text(writer, text);
        return;
    }
    append_text(writer, "\"");
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"') append_text(writer, "\"");
        append(writer, c, 1);
    }
    append_text(writer, "\"");
}

/* As a JSON string. Bytes past 0x7f are passed on: texts are UTF-8. */
static void append_json_quoted(RowWriter *writer, const char *text) {
    append_text(writer, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        char escaped[8];
        if (*c == '"' || *c == '\\') {
            snprintf(escaped, sizeof escaped, "\\%c", *c);
        } else if (*c < 0x20) {
            snprintf(escaped, sizeof escaped, "\\u%04x", *c);
        } else {
            snprintf(escaped, sizeof escaped, "%c", *c);
        }
        append_text(writer, escaped);
    }
    append_text(writer, "\"");
}

/* One value, by its type. */
typedef struct Cell {
    ColumnType type;
    bool known, truth; /* truth: an integer that files call true or false */
    const char *text;
    double real;
    int64_t integer;
} Cell;

static void database_cell(RowWriter *writer, const char *name, const Cell *cell, int place) {
    if (writer->naming) {
        if (!writer->named) database_add_column(writer->database, name, cell->type);
    } else if (!cell->known) {
        database_set_undefined(writer->database, place);
    } else if (cell->type == COLUMN_TEXT) {
        database_set_text(writer->database, place, cell->text);
    } else if (cell->type == COLUMN_REAL) {
        database_set_real(writer->database, place, cell->real);
    } else {
        database_set_integer(writer->database, place, cell->integer);
    }
}

static const char *cell_text(const Cell *cell, char number[NUMBER_TEXT_BYTES]) {
    if (cell->type == COLUMN_TEXT) return cell->text;
    if (cell->type == COLUMN_REAL) return number_text(cell->real, number);
    if (cell->truth) return cell->integer != 0 ? "true" : "false";
    snprintf(number, NUMBER_TEXT_BYTES, "%lld", (long long)cell->integer);
    return number;
}

/* One column: its separator and name, then its value. */
static void column(RowWriter *writer, const char *name, Cell cell) {
    int place = writer->columns++;
    char plain_name[128], number[NUMBER_TEXT_BYTES];
    size_t length = 0;
    for (; name[length] != '\0' && length < sizeof plain_name - 1; length++)
        plain_name[length] = name[length] == '.' ? '_' : name[length];
    plain_name[length] = '\0';
    if (writer->format == ROWS_DATABASE) {
        database_cell(writer, plain_name, &cell, place);
    } else if (writer->format == ROWS_CSV) {
        if (place > 0) append_text(writer, ",");
        if (writer->naming) append_text(writer, plain_name);
        if (!writer->naming && cell.known) append_csv_quoted(writer, cell_text(&cell, number));
    } else {
        append_text(writer, place == 0 ? "{" : ", ");
        append_json_quoted(writer, plain_name);
        append_text(writer, ": ");
        if (!cell.known || (cell.type == COLUMN_REAL && !isfinite(cell.real)))
            append_text(writer, "null");
        else if (cell.type == COLUMN_TEXT)
            append_json_quoted(writer, cell.text);
        else
            append_text(writer, cell_text(&cell, number));
    }
}

void row_text(RowWriter *writer, const char *name, const char *text) {
    column(writer, name, (Cell){.type = COLUMN_TEXT, .known = text != NULL, .text = text});
}

void row_number(RowWriter *writer, const char *name, double value) {
    column(writer, name, (Cell){.type = COLUMN_REAL, .known = !isnan(value), .real = value});
}

void row_integer(RowWriter *writer, const char *name, int64_t value) {
    column(writer, name, (Cell){.type = COLUMN_INTEGER, .known = true, .integer = value});
}

void row_id(RowWriter *writer, const char *name, const Id *id) {
    char text[ID_TEXT_BYTES];
    row_text(writer, name, id == NULL ? NULL : id_text(*id, text));
}

void row_setting(RowWriter *writer, const Setting *setting, const Settings *settings, bool known) {
    SettingValue value = known && !writer->naming ? setting_get(setting, settings) : 0;
    Cell cell = {.known = known, .real = value, .integer = (int64_t)value, .truth = setting->type == SETTING_BOOLEAN};
    char text[64];
    bool keyword = !writer->naming && setting->keyword != NULL && value == setting->keyword_value;
    if (setting->type == SETTING_CHOICE || keyword) {
        cell.type = COLUMN_TEXT;
        cell.text = setting_format(setting, value, text, sizeof text);
    } else {
        cell.type = setting->type == SETTING_REAL ? COLUMN_REAL : COLUMN_INTEGER;
    }
    column(writer, setting->key, cell);
}

void row_keep(RowWriter *writer) {
    writer->kept = writer->used;
    writer->kept_columns = writer->columns;
}

static void end_database_row(RowWriter *writer) {
    if (!writer->naming) database_add_row(writer->database);
    if (writer->naming && !writer->named) database_end_columns(writer->database);
}

void row_end(RowWriter *writer) {
    bool wanted = !writer->naming || !writer->named;
    if (writer->database != NULL) {
        end_database_row(writer);
        wanted = false;
    } else {
        append_text(writer, writer->format == ROWS_CSV ? "\n" : "}\n");
    }
    writer->named = true;
    if (wanted && !writer->no_memory && fwrite(writer->line, 1, writer->used, writer->out) != writer->used &&
        writer->io_error == 0)
        writer->io_error = errno;
    writer->used = writer->kept;
    writer->columns = writer->kept_columns;
}

void rows_end_naming(RowWriter *writer) {
    writer->naming = false;
    rows_restart(writer); /* kept columns are names: not the beginning of the first row */
}

void rows_fail(RowWriter *writer) {
    writer->no_memory = true;
}

void rows_restart(RowWriter *writer) {
    writer->used = writer->kept = 0;
    writer->columns = writer->kept_columns = 0;
}

Status csv_write(const char *dir, const char *name, CsvBody body, const void *context, Error *err) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= PATH_MAX)
        return error_set(err, STATUS_IO, "%s: the path is too long", dir);
    WholeFile file;
    Status status = whole_file_begin(&file, path, err);
    if (status != STATUS_OK) return status;
    RowWriter *rows = rows_create(file.out, ROWS_CSV);
    if (rows == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "%s: no memory for a row", path);
    } else {
        body(rows, context);
        status = rows_finish(rows, err);
    }
    return whole_file_end(&file, status, err);
}
