/* See report_parts.h: how much of what was asked for is there. */
#include "analysis/report_parts.h"

#include <stdlib.h>
#include <string.h>

enum { MATRIX_ROWS_MAX = 60, MATRIX_SEEDS_MAX = 40 };

static void print_remarks(const Summary *summary, FILE *out) {
    char *remarks = summary_remarks(summary), *rest = remarks;
    fprintf(out, "<div class=\"box%s\">\n", summary_is_complete(summary) ? "" : " open");
    for (char *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] == '\0') continue;
        fputs("<p>", out);
        print_html_text(out, line);
        fputs("</p>\n", out);
    }
    fputs("</div>\n", out);
    free(remarks);
}

/* Why this training has no result, in a class and a sign of the matrix. */
static void print_state(const Training *training, FILE *out) {
    static const struct {
        const char *class, *sign;
    } states[] = {{"done", "●"}, {"diverged", "∞"}, {"failed", "✕"}, {"waiting", "…"}, {"absent", "·"}};
    int state = training == NULL                               ? 4
                : !training->ended                             ? 3
                : training->record.outcome == OUTCOME_FAILED   ? 2
                : training->record.outcome == OUTCOME_DIVERGED ? 1
                                                               : 0;
    fprintf(out, "<td class=\"%s\">%s</td>", states[state].class, states[state].sign);
}

static void print_row(const Summary *summary, const TrainingGroup *group, int n_seeds, FILE *out) {
    char label[512];
    training_label(summary->table, &group->trainings->record.spec, label, sizeof label);
    fputs("<tr><td>", out);
    print_html_text(out, label[0] != '\0' ? label : "all");
    fputs("</td>", out);
    for (int i = 0, next = 0; i < n_seeds; i++) {
        const Training *training = next < group->n_trainings ? &group->trainings[next] : NULL;
        bool there = training != NULL && training->record.spec.seed == summary->table->seeds[i];
        print_state(there ? training : NULL, out);
        next += there;
    }
    fputs("</tr>\n", out);
}

/* Incomplete groups come first: they are what the matrix is for. */
static void print_matrix(const Summary *summary, FILE *out) {
    const Table *table = summary->table;
    int groups = summary->n_training_groups, shown = 0,
        n_seeds = table->n_seeds < MATRIX_SEEDS_MAX ? table->n_seeds : MATRIX_SEEDS_MAX;
    if (groups == 0) return;
    fputs("<div class=\"wide\"><table class=\"matrix\">\n<tr><th>seed</th>", out);
    for (int i = 0; i < n_seeds; i++)
        fprintf(out, "<th>%u</th>", table->seeds[i]);
    fputs("</tr>\n", out);
    for (int whole = 0; whole < 2; whole++)
        for (int i = 0; i < groups && shown < MATRIX_ROWS_MAX; i++) {
            const TrainingGroup *group = &summary->training_groups[i];
            if ((group->done == table->n_seeds) != (whole == 1)) continue;
            print_row(summary, group, n_seeds, out);
            shown++;
        }
    fputs("</table></div>\n<p class=\"note\">● done, ∞ diverged, ✕ failed, … not finished, · not asked for.", out);
    if (shown < groups || n_seeds < table->n_seeds)
        fprintf(out, " Shown: %d of %d configurations, incomplete ones first, and %d of %d seeds.", shown, groups,
                n_seeds, table->n_seeds);
    fputs("</p>\n", out);
}

void report_print_completeness(const Summary *summary, FILE *out) {
    fputs("<h2 id=\"completeness\">Completeness</h2>\n", out);
    print_remarks(summary, out);
    print_matrix(summary, out);
}
