/* See report_parts.h: how much of what was asked for is there. */
#include "analysis/report/report_parts.h"

#include <stdlib.h>
#include <string.h>

enum { INCOMPLETE_ROWS_MAX = 60, ROWS_MAX = 24, SEEDS_MAX = 40 };

static void print_remarks(const Completeness *completeness, FILE *out) {
    const Summary *summary = completeness->summary;
    bool complete = summary_is_complete(summary) && completeness->missing_cells == 0;
    char *remarks = summary_remarks(summary), *rest = remarks;
    fprintf(out, "<div class=\"box%s\">\n", complete ? "" : " open");
    for (char *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] == '\0') continue;
        fputs("<p>", out);
        print_html_text(out, line);
        fputs("</p>\n", out);
    }
    if (completeness->missing_cells > 0)
        fprintf(out, "<p>  %d measurements are missing on trainings that are done</p>\n", completeness->missing_cells);
    fputs("</div>\n", out);
    free(remarks);
}

static void print_state(const TrainingCell *cell, int expected, FILE *out) {
    static const struct {
        const char *class, *sign;
    } states[SEED_STATE_COUNT] = {
        [SEED_HAS] = {"done", "●"},         [SEED_ABSENT] = {"absent", "·"}, [SEED_UNFINISHED] = {"waiting", "…"},
        [SEED_UNDEFINED] = {"absent", "?"}, [SEED_FAILED] = {"failed", "✕"}, [SEED_DIVERGED] = {"diverged", "∞"}};
    if (cell->state == SEED_HAS && cell->cells < expected)
        fputs("<td class=\"waiting\">◐</td>", out);
    else
        fprintf(out, "<td class=\"%s\">%s</td>", states[cell->state].class, states[cell->state].sign);
}

static void print_row(const Completeness *completeness, int group, int n_seeds, FILE *out) {
    const Summary *summary = completeness->summary;
    const TrainingCell *row = completeness->board + (size_t)group * (size_t)completeness->n_seeds;
    char label[512];
    training_label(summary->table, &summary->training_groups[group].trainings->record.spec, label, sizeof label);
    fputs("<tr><td>", out);
    print_html_text(out, label[0] != '\0' ? label : "all");
    fputs("</td>", out);
    for (int i = 0; i < n_seeds; i++)
        print_state(&row[i], completeness->cells_expected[group], out);
    fputs("</tr>\n", out);
}

static bool is_whole(const Completeness *completeness, int group) {
    const TrainingCell *row = completeness->board + (size_t)group * (size_t)completeness->n_seeds;
    for (int i = 0; i < completeness->n_seeds; i++)
        if (row[i].state != SEED_HAS || row[i].cells < completeness->cells_expected[group]) return false;
    return true;
}

/* Incomplete configurations come first: they are what the matrix is for. */
static void print_matrix(const Completeness *completeness, FILE *out) {
    int n_seeds = completeness->n_seeds < SEEDS_MAX ? completeness->n_seeds : SEEDS_MAX, shown = 0;
    if (completeness->n_groups == 0) return;
    fputs("<div class=\"wide\"><table class=\"matrix\">\n<tr><th>seed</th>", out);
    for (int i = 0; i < n_seeds; i++)
        fprintf(out, "<th>%u</th>", completeness->summary->table->seeds[i]);
    fputs("</tr>\n", out);
    for (int whole = 0; whole < 2; whole++)
        for (int i = 0; i < completeness->n_groups && shown < (whole ? ROWS_MAX : INCOMPLETE_ROWS_MAX); i++) {
            if (is_whole(completeness, i) != (whole == 1)) continue;
            print_row(completeness, i, n_seeds, out);
            shown++;
        }
    fputs("</table></div>\n<p class=\"note\">● done, ◐ measurements missing, ∞ diverged, ✕ failed, … not finished, "
          "· not asked for.",
          out);
    if (shown < completeness->n_groups || n_seeds < completeness->n_seeds)
        fprintf(out,
                " Shown: %d of %d configurations, incomplete ones first, and %d of %d seeds; all are in "
                "tables/completeness.csv.",
                shown, completeness->n_groups, n_seeds, completeness->n_seeds);
    fputs("</p>\n", out);
}

void report_print_completeness(const Completeness *completeness, FILE *out) {
    fputs("<h2 id=\"completeness\">Completeness</h2>\n", out);
    print_remarks(completeness, out);
    print_matrix(completeness, out);
}
