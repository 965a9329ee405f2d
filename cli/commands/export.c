/* palinode export: results as CSV, JSON lines or a SQLite database, a row at a time. */
#include "analysis/report/export.h"
#include "analysis/output/whole_file.h"
#include "cli/commands/commands.h"
#include "cli/shared/options.h"
#include "cli/shared/warning.h"
#include "proto/wire/durable_file.h"

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

/* The folders whose results are written as one. */
typedef struct Folders {
    const char *const *dirs;
    int count;
} Folders;

static Status write_to(const Folders *folders, const char *format, const char *table, FILE *out, Error *err) {
    char warning[WARNING_BYTES] = "";
    Status status = export_table(folders->dirs, folders->count, table_named(table),
                                 strcmp(format, "csv") == 0 ? ROWS_CSV : ROWS_JSONL, out, warning, sizeof warning, err);
    print_warnings(warning);
    return status;
}

/* Results that contradict each other are told, not withheld: the file is whole. */
static bool is_whole(Status status) {
    return status == STATUS_OK || status == STATUS_FAILED;
}

/* Puts what was written to temporary in path's place, or removes it after a failure. */
static Status replace_file(const char *path, const char *temporary, Status status, Error *err) {
    if (is_whole(status) && rename(temporary, path) != 0)
        status = error_set(err, STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
    if (!is_whole(status)) unlink(temporary);
    return status;
}

/* Writes a file beside path that takes its place when it is whole; what is no regular file is written as it is. */
static Status write_file(const Folders *folders, const char *format, const char *table, const char *path, Error *err) {
    WholeFile file;
    Status status = whole_file_begin(&file, path, err);
    if (status != STATUS_OK) return status;
    Status written = write_to(folders, format, table, file.out, err);
    status = whole_file_end(&file, is_whole(written) ? STATUS_OK : written, err);
    return status == STATUS_OK ? written : status;
}

static Status write_database(const Folders *folders, const char *path, Error *err) {
    char temporary[PATH_MAX], warning[WARNING_BYTES] = "";
    struct stat about;
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        return error_set(err, STATUS_IO, "%s: is no regular file: a database cannot be written there", path);
    Status status = durable_temporary(path, temporary, NULL, err);
    if (status != STATUS_OK) return status;
    status = export_database(folders->dirs, folders->count, temporary, warning, sizeof warning, err);
    print_warnings(warning);
    return replace_file(path, temporary, status, err);
}

/* A link is followed: it is the file that it names which is replaced. *path is link or, in place, what it names. */
static Status follow_link(const char **path, char place[PATH_MAX], Error *err) {
    struct stat about;
    if (lstat(*path, &about) != 0 || !S_ISLNK(about.st_mode)) return STATUS_OK;
    if (realpath(*path, place) == NULL)
        return error_set(err, STATUS_IO, "%s: is a link to nothing that could be replaced: %s", *path, strerror(errno));
    *path = place;
    return STATUS_OK;
}

/* What the command line asks for; table_name and output NULL: not given. */
static Status export(const Folders *folders, const char *format, const char *table_name, const char *output,
                     Error *err) {
    char place[PATH_MAX];
    bool to_file = output != NULL && strcmp(output, "-") != 0;
    Status status = to_file ? follow_link(&output, place, err) : STATUS_OK;
    if (status != STATUS_OK) return status;
    if (strcmp(format, "sqlite") == 0) {
        if (!to_file) return error_set(err, STATUS_USAGE, "--format sqlite needs a file: -o FILE");
        if (table_name != NULL)
            return error_set(err, STATUS_USAGE, "--table: a SQLite database holds all tables; leave it out");
        return write_database(folders, output, err);
    }
    if (table_name == NULL) table_name = export_table_name(EXPORT_METRICS);
    if (to_file) return write_file(folders, format, table_name, output, err);
    return write_to(folders, format, table_name, stdout, err);
}

int command_export(int argc, char **argv) {
    const char *format = NULL, *table_name = NULL, *output = NULL;
    const Option table[] = {
        {.name = "format",
         .type = OPTION_TEXT,
         .value = &format,
         .argument = "FORMAT",
         .choices = "csv|jsonl|sqlite",
         .summary = "csv; jsonl: one JSON object a line; sqlite: a database of all tables; required"},
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
        .usage = "DIR... --format csv|jsonl|sqlite [--table TABLE] [-o FILE]",
        .summary = "results as CSV, JSON lines or a SQLite database",
        .details = "One row a number: every setting is a column (dots as underscores). Undefined values are empty\n"
                   "in CSV, else null. Results of several folders are written as one: which of one id counts does\n"
                   "not depend on their order, and results that contradict each other end it with exit code 1. A\n"
                   "file is replaced when the new one is whole; of a symbolic link it is the file that it names.",
        .options = table,
        .n_options = sizeof table / sizeof table[0],
        .min_operands = 1,
        .max_operands = -1};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Error err = {{0}};
    Status status;
    if (format == NULL)
        status = error_set(&err, STATUS_USAGE, "--format is missing; usage: palinode export %s", command.usage);
    else
        status = export(&(Folders){operands, n_operands}, format, table_name, output, &err);
    free((void *)operands);
    return status == STATUS_OK ? STATUS_OK : report_error(status, &err);
}
