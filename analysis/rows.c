/* See rows.h. */
#include "analysis/rows.h"

#include "proto/wire/codec.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct RowWriter {
    FILE *out;
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

bool rows_naming(const RowWriter *writer) {
    return writer->naming;
}

Status rows_status(const RowWriter *writer, Error *err) {
    if (writer->no_memory) return error_set(err, STATUS_NO_MEMORY, "no memory for a row of a table");
    if (writer->io_error != 0)
        return error_set(err, STATUS_IO, "the table cannot be written: %s", strerror(writer->io_error));
    return STATUS_OK;
}

Status rows_finish(RowWriter *writer, Error *err) {
    if (fflush(writer->out) != 0 && writer->io_error == 0) writer->io_error = errno;
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

static void append_csv_quoted(RowWriter *writer, const char *text) {
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

/* One column: its separator and name, then value; quoted says that value is words, not a number or a boolean. */
static void column(RowWriter *writer, const char *name, const char *value, bool quoted) {
    bool first = writer->columns++ == 0;
    char plain_name[128];
    size_t length = 0;
    for (; name[length] != '\0' && length < sizeof plain_name - 1; length++)
        plain_name[length] = name[length] == '.' ? '_' : name[length];
    plain_name[length] = '\0';
    if (writer->format == ROWS_CSV) {
        if (!first) append_text(writer, ",");
        if (writer->naming) {
            append_text(writer, plain_name);
        } else if (value != NULL) {
            append_csv_quoted(writer, value);
        }
        return;
    }
    append_text(writer, first ? "{" : ", ");
    append_json_quoted(writer, plain_name);
    append_text(writer, ": ");
    if (value == NULL) {
        append_text(writer, "null");
    } else if (quoted) {
        append_json_quoted(writer, value);
    } else {
        append_text(writer, value);
    }
}

void row_text(RowWriter *writer, const char *name, const char *text) {
    column(writer, name, text, true);
}

void row_number(RowWriter *writer, const char *name, double value) {
    char text[NUMBER_TEXT_BYTES];
    bool known = writer->format == ROWS_CSV ? !isnan(value) : isfinite(value);
    column(writer, name, known ? number_text(value, text) : NULL, false);
}

void row_integer(RowWriter *writer, const char *name, int64_t value) {
    char text[NUMBER_TEXT_BYTES];
    snprintf(text, sizeof text, "%lld", (long long)value);
    column(writer, name, text, false);
}

void row_id(RowWriter *writer, const char *name, const Id *id) {
    char text[ID_TEXT_BYTES];
    column(writer, name, id == NULL ? NULL : id_text(*id, text), true);
}

void row_setting(RowWriter *writer, const Setting *setting, const Settings *settings, bool known) {
    if (writer->naming || !known) {
        column(writer, setting->key, NULL, false);
        return;
    }
    char text[64];
    SettingValue value = setting_get(setting, settings);
    bool words = setting->type == SETTING_CHOICE || (setting->keyword != NULL && value == setting->keyword_value);
    column(writer, setting->key, setting_format(setting, value, text, sizeof text), words);
}

void row_keep(RowWriter *writer) {
    writer->kept = writer->used;
    writer->kept_columns = writer->columns;
}

void row_end(RowWriter *writer) {
    append_text(writer, writer->format == ROWS_CSV ? "\n" : "}\n");
    bool wanted = !writer->naming || !writer->named;
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

void rows_restart(RowWriter *writer) {
    writer->used = writer->kept = 0;
    writer->columns = writer->kept_columns = 0;
}
