/* palinode export: results as CSV or JSON lines, a row at a time. */
#include "analysis/export.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/warning.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WARNING_BYTES = 4096 };

static ExportTable table_named(const char *name) {
    int table = 0;
    while (export_table_name(table) != NULL && strcmp(export_table_name(table), name) != 0)
        table++;
    return (ExportTable)table;
}

static Status write_to(const char *dir, const char *format, const char *table, FILE *out, Error *err) {
    char warning[WARNING_BYTES] = "";
    Status status = export_table(dir, table_named(table), strcmp(format, "csv") == 0 ? ROWS_CSV : ROWS_JSONL, out,
                                 warning, sizeof warning, err);
    print_warnings(warning);
    return status;
}

/* Writes a file beside path that takes its place when it is whole; what is no regular file is written as it is. */
static Status write_file(const char *dir, const char *format, const char *table, const char *path, Error *err) {
    char temporary[PATH_MAX];
    struct stat about;
    bool replace = stat(path, &about) != 0 || S_ISREG(about.st_mode);
    int length = replace ? snprintf(temporary, sizeof temporary, "%s.tmp-%ld", path, (long)getpid())
                         : snprintf(temporary, sizeof temporary, "%s", path);
    errno = ENAMETOOLONG;
    FILE *out = length < (int)sizeof temporary ? fopen(temporary, "w") : NULL;
    if (out == NULL) return error_set(err, STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
    Status status = write_to(dir, format, table, out, err);
    bool written = fclose(out) == 0;
    if (status == STATUS_OK && (!written || (replace && rename(temporary, path) != 0)))
        status = error_set(err, STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
    if (status != STATUS_OK && replace) unlink(temporary);
    return status;
}

int command_export(int argc, char **argv) {
    const char *format = NULL, *table_name = "metrics", *output = NULL;
    const Option table[] = {
        {.name = "format",
         .type = OPTION_TEXT,
         .value = &format,
         .argument = "FORMAT",
         .choices = "csv|jsonl",
         .summary = "csv, or jsonl: one JSON object a line; required"},
        {.name = "table",
         .type = OPTION_TEXT,
         .value = &table_name,
         .argument = "TABLE",
         .choices = "metrics|trainings|loss|provenance",
         .summary = "metrics (default), trainings with their outcome and timing, loss curves, or provenance of runs"},
        {.name = "output",
         .letter = 'o',
         .type = OPTION_TEXT,
         .value = &output,
         .argument = "FILE",
         .summary = "write there (default: standard output)"},
    };
    const Command command = {
        .name = "export",
        .usage = "DIR --format csv|jsonl [--table TABLE] [-o FILE]",
        .summary = "results as CSV or JSON lines",
        .details = "One row a number: every setting is a column (dots as underscores). Undefined values are empty\n"
                   "in CSV and null in JSON lines. Of equal ids the last counts.",
        .options = table,
        .n_options = sizeof table / sizeof table[0],
        .min_operands = 1,
        .max_operands = 1};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Error err = {{0}};
    Status status;
    if (format == NULL)
        status = error_set(&err, STATUS_USAGE, "--format is missing; usage: palinode export %s", command.usage);
    else if (output == NULL || strcmp(output, "-") == 0)
        status = write_to(operands[0], format, table_name, stdout, &err);
    else
        status = write_file(operands[0], format, table_name, output, &err);
    free((void *)operands);
    return status == STATUS_OK ? STATUS_OK : report_error(status, &err);
}
