/* palinode diff: what two sets of results have in common, whether it is equal to the bit, how far apart the means are.
 */
#include "analysis/report/comparison_tables.h"
#include "cli/commands/commands.h"
#include "cli/shared/json_output.h"
#include "cli/shared/options.h"
#include "cli/shared/warning.h"

#include <stdlib.h>

enum { WARNING_BYTES = 4096, ROWS_SHOWN = 25, ONLY_SHOWN = 5, SENTENCE_BYTES = 512, LABEL_BYTES = 256 };

/* One side, read. */
typedef struct Side {
    Table *table;
    Summary *summary;
} Side;

static Status side_read(const char *dir, int at, Side *side, Error *err) {
    char warning[WARNING_BYTES] = "";
    Status status = table_read(&dir, 1, &side->table, warning, sizeof warning, err);
    print_warnings(warning);
    if (status == STATUS_OK) status = summary_create(side->table, at, &side->summary, err);
    return status;
}

static void side_free(Side *side) {
    summary_free(side->summary);
    table_free(side->table);
}

/* --- text ------------------------------------------------------------------------------------------------------- */

static void print_only(const Comparison *comparison, char name, const char *dir, const Configuration *const *only,
                       int n) {
    if (n == 0) return;
    printf("only in %c (%s), %d configuration%s:\n", name, dir, n, n == 1 ? "" : "s");
    for (int i = 0; i < n && i < ONLY_SHOWN; i++) {
        char label[LABEL_BYTES];
        printf("  %s, %d seed%s\n", comparison_label(comparison, only[i], label, sizeof label), only[i]->n_series,
               only[i]->n_series == 1 ? "" : "s");
    }
    if (n > ONLY_SHOWN) printf("  and %d more\n", n - ONLY_SHOWN);
}

static Status print_text(const Comparison *comparison, const char *const *dirs, Error *err) {
    char text[SENTENCE_BYTES];
    ComparisonOutcome outcome = comparison_outcome(comparison);
    printf("%s\n", comparison_sentence(comparison, text, sizeof text));
    if (outcome == COMPARISON_NOTHING_COMMON && comparison_apart(comparison, text, sizeof text)[0] != '\0')
        printf("settings of which no value is on both sides (A / B): %s\n", text);
    if (outcome == COMPARISON_DIFFERENT && (comparison->series_only_a > 0 || comparison->series_only_b > 0))
        printf("%lld results are only in A, %lld only in B\n", (long long)comparison->series_only_a,
               (long long)comparison->series_only_b);
    print_only(comparison, 'A', dirs[0], comparison->only_a, comparison->n_only_a);
    print_only(comparison, 'B', dirs[1], comparison->only_b, comparison->n_only_b);
    if (outcome != COMPARISON_DIFFERENT || comparison->n_differences == 0) return STATUS_OK;
    int all = comparison->n_differences, n = all < ROWS_SHOWN ? all : ROWS_SHOWN;
    Sheet *sheet = differences_sheet(comparison, n);
    if (sheet == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the table");
    printf("\nPaired differences over common seeds, the largest |t| first; ±: half the 95 %% t interval\n\n");
    sheet_print(sheet, stdout);
    if (all > n) printf("\n%d more with smaller |t|: --json has all.\n", all - n);
    sheet_free(sheet);
    return STATUS_OK;
}

/* --- command ---------------------------------------------------------------------------------------------------- */

static Status diff(const char *const *dirs, int at, bool json, ComparisonOutcome *outcome, Error *err) {
    Side a = {0}, b = {0};
    Comparison *comparison = NULL;
    Status status = side_read(dirs[0], at, &a, err);
    if (status == STATUS_OK) status = side_read(dirs[1], at, &b, err);
    if (status == STATUS_OK) status = comparison_create(a.summary, b.summary, &comparison, err);
    if (status == STATUS_OK) {
        *outcome = comparison_outcome(comparison);
        status = json ? json_output(comparison_json(comparison, dirs[0], dirs[1]), JSON_INDENT(2), err)
                      : print_text(comparison, dirs, err);
    }
    comparison_free(comparison);
    side_free(&a);
    side_free(&b);
    return status;
}

int command_diff(int argc, char **argv) {
    int64_t at = AT_DEFAULT;
    bool json = false, exit_code_wanted = false;
    const Option table[] = {
        {.name = "at",
         .type = OPTION_INTEGER,
         .value = &at,
         .argument = "K",
         .minimum = 0,
         .maximum = 65535,
         .summary = "number of examples at which means are compared (default 15, or N - 1 if that is less)"},
        {.name = "exit-code",
         .type = OPTION_FLAG,
         .value = &exit_code_wanted,
         .summary = "exit code 1 unless both have the same results, equal to the bit"},
        {.name = "json", .type = OPTION_FLAG, .value = &json, .summary = "everything as one JSON value on stdout"},
    };
    const Command command = {
        .name = "diff",
        .usage = "A B [options]",
        .summary = "did a change alter the results?",
        .details = "Results of folders A and B are matched by their settings and seeds. The first line is the answer:\n"
                   "identical, unaltered (equal to the bit, but one side has more), different, or nothing to compare.\n"
                   "Results that differ are shown as paired differences B - A over common seeds with 95 % t intervals\n"
                   "and p-values of the paired t test, corrected by Holm. Exit code 0 whatever the answer.",
        .options = table,
        .n_options = sizeof table / sizeof table[0],
        .min_operands = 2,
        .max_operands = 2};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Error err = {{0}};
    ComparisonOutcome outcome = COMPARISON_IDENTICAL;
    Status status = diff(operands, (int)at, json, &outcome, &err);
    free((void *)operands);
    if (status != STATUS_OK) return report_error(status, &err);
    return exit_code_wanted && outcome != COMPARISON_IDENTICAL ? STATUS_FAILED : STATUS_OK;
}
