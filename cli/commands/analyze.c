/* palinode analyze: reads results, prints a table, writes tables, figures and a report beside them. */
#include "analysis/figures/figure_choice.h"
#include "analysis/figures/gnuplot.h"
#include "analysis/report/axis_tables.h"
#include "analysis/report/report.h"
#include "analysis/report/summary_csv.h"
#include "analysis/report/summary_tables.h"
#include "analysis/report/verdict_tables.h"
#include "analysis/results/completeness.h"
#include "analysis/results/slice.h"
#include "cli/commands/commands.h"
#include "cli/shared/json_output.h"
#include "cli/shared/options.h"
#include "cli/shared/warning.h"
#include "proto/base/text.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct AnalyzeOptions {
    const char *output, *claims;
    int64_t at;
    bool json, png;
} AnalyzeOptions;

enum { WARNING_BYTES = 4096, ROWS_PRINTED = 200 };

/* All that is found out, before it is written anywhere. */
typedef struct Analysis {
    Table *table;
    Summary *summary;
    Completeness *completeness;
    Families *families;
    Verdicts *verdicts;
} Analysis;

static Status make_dir(const char *out, const char *name, char path[PATH_MAX], Error *err) {
    if (snprintf(path, PATH_MAX, "%s%s%s", out, name[0] != '\0' ? "/" : "", name) >= PATH_MAX)
        return error_set(err, STATUS_IO, "%s: the path is too long", out);
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return error_set(err, STATUS_IO, "%s: cannot be made: %s; -o DIR puts tables, figures and report elsewhere",
                         path, strerror(errno));
    if (access(path, W_OK | X_OK) != 0)
        return error_set(err, STATUS_IO,
                         "%s: cannot be written to: %s; -o DIR puts tables, figures and report elsewhere", path,
                         strerror(errno));
    return STATUS_OK;
}

/* Draws all figures; goes on after one that could not be drawn, counts the others and returns the first failure. */
static Status draw(const FigureSet *figures, const char *dir, bool png, int *n_drawn, Error *err) {
    Status first = STATUS_OK;
    *n_drawn = 0;
    for (int i = 0; i < figures->count; i++) {
        Status status = gnuplot_draw(figures->items[i], dir, png, first == STATUS_OK ? err : NULL);
        if (first == STATUS_OK) first = status;
        *n_drawn += status == STATUS_OK;
    }
    return first;
}

/* Writes tables/, figures/ and report.html under out; a figure that cannot be drawn does not stop the rest. */
static Status write_files(const Analysis *analysis, const char *out, bool png, Error *err) {
    const Summary *summary = analysis->summary;
    char tables[PATH_MAX], figures_dir[PATH_MAX], report[PATH_MAX];
    FigureSet figures = {0};
    int n_drawn = 0;
    figures_choose(summary, analysis->families, analysis->verdicts, &figures);
    Status drawn = STATUS_OK, status = make_dir(out, "", report, err);
    if (status == STATUS_OK) status = make_dir(out, "tables", tables, err);
    if (status == STATUS_OK) status = make_dir(out, "figures", figures_dir, err);
    if (status == STATUS_OK) status = summary_write_csv(summary, tables, err);
    if (status == STATUS_OK) status = verdicts_write_csv(analysis->verdicts, tables, err);
    if (status == STATUS_OK) status = completeness_write_csv(analysis->completeness, tables, err);
    if (status == STATUS_OK) status = axis_tables_write(summary, analysis->families, analysis->verdicts, tables, err);
    if (status == STATUS_OK) {
        snprintf(report, sizeof report, "%.*s/report.html", PATH_MAX - 16, out);
        gnuplot_remove_figures(figures_dir);
        drawn = draw(&figures, figures_dir, png, &n_drawn, err);
        const ReportContent content = {analysis->completeness, analysis->families, analysis->verdicts, &figures};
        status = report_write(&content, figures_dir, report, drawn == STATUS_OK ? err : NULL);
    }
    if (status == STATUS_OK)
        fprintf(stderr, "palinode: wrote %s, %s/*.csv and %d figure%s in %s\n", TEXT_SHOWN(report), TEXT_SHOWN(tables),
                n_drawn, n_drawn == 1 ? "" : "s", TEXT_SHOWN(figures_dir));
    figures_free(&figures);
    return status != STATUS_OK ? status : drawn;
}

/* What models made of their own answers, where they did. */
static void print_rounds(const Summary *summary) {
    Sheet *sheet = rounds_sheet(summary);
    if (sheet != NULL && sheet->n_rows > 1) {
        printf("\nRounds of self-correction, mean over seeds ± half the 95 %% t interval ([ends] where the range cuts\n"
               "it off); how often an answer turned right or wrong, in all rounds together\n\n");
        sheet_print(sheet, stdout);
    }
    sheet_free(sheet);
}

/* What each axis does to the primary metric, where there are axes. */
static void print_axes(const Analysis *analysis) {
    Sheet *sheet = axis_sheet(analysis->summary, analysis->families);
    const Configuration *base = slice_base(analysis->summary, analysis->families);
    char at[256];
    if (sheet != NULL && sheet->n_rows > 1) {
        printf(
            "\nWhat each axis does, all else equal: differences paired by seed with 95 %% t intervals; sign-flip p,\n"
            "not corrected (all pairs and metrics: tables/paired.csv, whole axes: tables/trends.csv).\n"
            "All at %s but for the axis\n\n",
            base != NULL ? series_label(analysis->table, base->series, NULL, at, sizeof at) : "");
        sheet_print(sheet, stdout);
    }
    sheet_free(sheet);
}

static Status print_text(const Analysis *analysis, Error *err) {
    const Summary *summary = analysis->summary;
    char *remarks = summary_remarks(summary);
    Sheet *sheet = summary_sheet(summary);
    Status status = STATUS_OK;
    if (remarks != NULL && sheet != NULL) {
        fputs(remarks, stdout);
        completeness_print(analysis->completeness, stdout);
        if (summary->n_configurations > 0) {
            printf("\nAt %d examples, mean over seeds ± half the 95 %% t interval ([ends] where the range cuts it "
                   "off)\n\n",
                   summary->at);
            int left_out = sheet_print_first(sheet, ROWS_PRINTED, stdout);
            if (left_out > 0) printf("\n%d rows more are in tables/summary.csv.\n", left_out);
        } else {
            printf("\nNothing has been measured yet.\n");
        }
        bool hidden = false;
        for (int i = 0; i < sheet->n_columns; i++)
            hidden = hidden || sheet->hidden[i];
        if (hidden) printf("\nThe columns that did not fit are in tables/summary.csv and report.html.\n");
        print_rounds(summary);
        print_axes(analysis);
        verdicts_print(analysis->verdicts, stdout);
    } else {
        status = error_set(err, STATUS_NO_MEMORY, "no memory for the table");
    }
    sheet_free(sheet);
    free(remarks);
    return status;
}

/* Everything as one JSON value; NULL: no memory. */
static json_t *analysis_json(const Analysis *analysis) {
    json_t *value = summary_json(analysis->summary);
    if (value == NULL) return NULL;
    json_object_set_new(value, "missing_cells", json_integer(analysis->completeness->missing_cells));
    json_object_set_new(value, "fingerprints", json_integer(analysis->completeness->n_fingerprints));
    if (json_object_update_new(value, verdicts_json(analysis->verdicts)) == 0) return value;
    json_decref(value);
    return NULL;
}

static Status read_results(const char *const *dirs, int n_dirs, const AnalyzeOptions *options, Analysis *analysis,
                           Error *err) {
    char warning[WARNING_BYTES] = "";
    Status status = table_read(dirs, n_dirs, &analysis->table, warning, sizeof warning, err);
    if (status == STATUS_OK) status = summary_create(analysis->table, (int)options->at, &analysis->summary, err);
    if (status == STATUS_OK) status = completeness_create(analysis->summary, &analysis->completeness, err);
    if (status == STATUS_OK) status = families_create(analysis->summary, &analysis->families, err);
    if (status == STATUS_OK)
        status = verdicts_create(analysis->table, dirs, n_dirs, options->claims, &analysis->verdicts, warning,
                                 sizeof warning, err);
    print_warnings(warning);
    return status;
}

/* Results that contradict each other are named, on stderr as they are no result; the others are shown as ever. */
static Status tell_conflicts(const Table *table, const char *const *dirs, Error *err) {
    int n = table->n_conflicts;
    for (int i = 0; i < n && i < CONFLICTS_KEPT; i++) {
        const TableConflict *conflict = &table->conflicts[i];
        char id[ID_TEXT_BYTES], difference[256];
        fprintf(stderr, "palinode: conflict: %s %s under '%s': %s, in %s and %s\n", record_kind_name(conflict->kind),
                id_text(conflict->id, id), TEXT_SHOWN(conflict->fingerprint),
                record_difference_text(&conflict->difference, difference, sizeof difference),
                TEXT_SHOWN(dirs[conflict->folder]), TEXT_SHOWN(dirs[conflict->other_folder]));
    }
    if (n == 0) return STATUS_OK;
    return error_set(
        err, STATUS_FAILED,
        "%d result%s differ%s from another of the same id under the same numerics, which must not be; what is "
        "shown is one of each, the same whatever the order of folders (palinode merge shows the places)",
        n, n == 1 ? "" : "s", n == 1 ? "s" : "");
}

static Status analyze(const char *const *dirs, int n_dirs, const AnalyzeOptions *options, Error *err) {
    Analysis analysis = {0};
    Status status = read_results(dirs, n_dirs, options, &analysis, err);
    if (status == STATUS_OK)
        status =
            options->json ? json_output(analysis_json(&analysis), JSON_INDENT(2), err) : print_text(&analysis, err);
    fflush(stdout); /* the table is there before figures take their time */
    if (status == STATUS_OK)
        status = write_files(&analysis, options->output != NULL ? options->output : dirs[0], options->png, err);
    if (status == STATUS_OK) status = tell_conflicts(analysis.table, dirs, err);
    verdicts_free(analysis.verdicts);
    families_free(analysis.families);
    completeness_free(analysis.completeness);
    summary_free(analysis.summary);
    table_free(analysis.table);
    return status;
}

int command_analyze(int argc, char **argv) {
    AnalyzeOptions options = {.at = AT_DEFAULT};
    const Option table[] = {
        {.name = "output",
         .letter = 'o',
         .type = OPTION_TEXT,
         .value = &options.output,
         .argument = "DIR",
         .summary = "folder for tables/, figures/ and report.html (default: the first DIR)"},
        {.name = "claims",
         .type = OPTION_TEXT,
         .value = &options.claims,
         .argument = "FILE",
         .summary = "test the claims of this file (a job file, or its key claims alone) in place of the jobs' own"},
        {.name = "at",
         .type = OPTION_INTEGER,
         .value = &options.at,
         .argument = "K",
         .minimum = 0,
         .maximum = 65535,
         .summary = "number of examples at which the table reads the curves (default 15, or N - 1 if that is less)"},
        {.name = "png", .type = OPTION_FLAG, .value = &options.png, .summary = "draw figures as PNG as well"},
        {.name = "json",
         .type = OPTION_FLAG,
         .value = &options.json,
         .summary = "the table as one JSON value on stdout"},
    };
    const Command command = {
        .name = "analyze",
        .usage = "DIR... [-o DIR] [options]",
        .summary = "tables, verdicts on claims, figures and a report from results",
        .details =
            "Results of several folders are read as one; which of one id counts does not depend on their order,\n"
            "and results that contradict each other are named (exit code 1). A run that goes on is told as far\n"
            "as it is. First it says what is missing, then means and intervals over seeds, what each\n"
            "axis does (paired by seed), and what became of the jobs' claims: supported, contradicted or\n"
            "inconclusive. docs/statistics.md says when, docs/analysis.md what every figure is. Figures are drawn\n"
            "by gnuplot; without it the tables are written all the same, and the exit code is 1.",
        .options = table,
        .n_options = sizeof table / sizeof table[0],
        .min_operands = 1,
        .max_operands = -1};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Error err = {{0}};
    Status status = analyze(operands, n_operands, &options, &err);
    free((void *)operands);
    return status == STATUS_OK ? STATUS_OK : report_error(status, &err);
}
