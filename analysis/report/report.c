/* See report.h. */
#include "analysis/report/report.h"

#include "analysis/output/whole_file.h"
#include "analysis/report/axis_tables.h"
#include "analysis/report/report_parts.h"
#include "analysis/report/summary_tables.h"
#include "analysis/report/verdict_tables.h"
#include "analysis/results/slice.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TABLE_ROWS_MAX = 300 };

/* What the parts of one report share. */
typedef struct Report {
    const ReportContent *content;
    const Summary *summary;
    const char *figures_dir;
    FILE *out;
} Report;

/* The name of the last run's job; "results" for one without a name. */
static const char *title_of(const Table *table) {
    const char *name = table->n_headers > 0 ? table->headers[table->n_headers - 1].job_name : "";
    return name[0] != '\0' ? name : "results";
}

static bool has_claims(const Report *report) {
    return report->content->verdicts->count > 0;
}

/* --- claims ------------------------------------------------------------------------------------------------------ */

static void print_decision(const Verdict *verdict, FILE *out) {
    const char *name = decision_name(verdict->decision);
    fprintf(out, "<span class=\"decision %s\">%s%s</span>", name, name, verdict->provisional ? " so far" : "");
}

/* Lines as paragraphs. */
static void print_lines(const char *text, const char *class, FILE *out) {
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        char *line = strndup(text, length);
        if (line != NULL && length > 0) {
            fprintf(out, "<p class=\"%s\">", class);
            print_html_text(out, line);
            fputs("</p>\n", out);
        }
        free(line);
        text += length + (text[length] == '\n');
    }
}

static void print_overview(const Verdicts *verdicts, FILE *out) {
    fputs("<div class=\"wide\"><table>\n<tr><th>verdict</th><th>claim</th><th>estimate</th><th>95 % interval</th>"
          "<th>p, corrected</th><th>seeds</th></tr>\n",
          out);
    for (int i = 0; i < verdicts->count; i++) {
        const Verdict *verdict = &verdicts->items[i];
        fputs("<tr><td>", out);
        print_decision(verdict, out);
        fprintf(out, "</td><td><a href=\"#claim-%d\">", i + 1);
        print_html_text(out, verdict->claim->id);
        fputs("</a></td>", out);
        if (verdict->refused)
            fputs("<td></td><td>not tested</td><td></td>", out);
        else
            fprintf(out, "<td>%.4g</td><td>%.4g to %.4g</td><td>%.2g</td>", verdict->estimate.mean,
                    verdict->estimate.low, verdict->estimate.high, verdict->p_holm);
        fprintf(out, "<td>%d</td></tr>\n", verdict->pairing != NULL ? verdict->pairing->n_seeds : 0);
    }
    fputs("</table></div>\n", out);
}

static void print_figure(const Report *report, const Figure *figure) {
    FILE *out = report->out;
    fprintf(out, "<figure id=\"figure-%s\">\n", figure->name);
    if (!report_print_svg(figure, report->figures_dir, out))
        fprintf(out, "<p class=\"missing\">%s.svg was not drawn.</p>\n", figure->name);
    fputs("<figcaption>", out);
    print_html_text(out, figure->caption);
    fputs("</figcaption>\n</figure>\n", out);
}

static void print_claim(const Report *report, int which) {
    const Verdict *verdict = &report->content->verdicts->items[which];
    FILE *out = report->out;
    char numbers[2048];
    fprintf(out, "<section class=\"claim\" id=\"claim-%d\">\n<h3>", which + 1);
    print_html_text(out, verdict->claim->id);
    fputs(" ", out);
    print_decision(verdict, out);
    fputs("</h3>\n", out);
    print_lines(verdict->sentence, "statement", out);
    print_lines(verdict_numbers(verdict, numbers, sizeof numbers), "numbers", out);
    print_lines(verdict->notes, "note", out);
    const Figure *figure = which < CLAIM_FIGURES_MAX ? report->content->figures->of_claim[which] : NULL;
    if (figure != NULL) print_figure(report, figure);
    print_lines(verdict->method, "method", out);
    print_lines(verdict->intervals, "method", out);
    fputs("</section>\n", out);
}

static void print_claims(const Report *report) {
    FILE *out = report->out;
    if (!has_claims(report)) return;
    fprintf(out,
            "<h2 id=\"claims\">Claims</h2>\n<p>What the job file declared before the run, tested seed by seed. %d "
            "claim%s share%s the level %g by Holm's procedure.</p>\n",
            report->content->verdicts->count, report->content->verdicts->count == 1 ? "" : "s",
            report->content->verdicts->count == 1 ? "s" : "", report->content->verdicts->declared.alpha);
    print_overview(report->content->verdicts, out);
    for (int i = 0; i < report->content->verdicts->count; i++)
        print_claim(report, i);
}

/* --- figures ----------------------------------------------------------------------------------------------------- */

static bool is_of_claim(const FigureSet *figures, const Figure *figure) {
    for (int i = 0; i < CLAIM_FIGURES_MAX; i++)
        if (figures->of_claim[i] == figure) return true;
    return false;
}

static void print_figures(const Report *report) {
    const FigureSet *figures = report->content->figures;
    FILE *out = report->out;
    int number = 0;
    fputs("<h2 id=\"figures\">Figures</h2>\n", out);
    for (int i = 0; i < figures->count; i++) {
        const Figure *figure = figures->items[i];
        if (is_of_claim(figures, figure)) continue;
        fprintf(out, "<h3>%d. ", ++number);
        print_html_text(out, figure->title);
        fputs("</h3>\n", out);
        print_figure(report, figure);
    }
    if (number == 0) fputs("<p>There is nothing to draw yet.</p>\n", out);
    if (figures->left_out > 0)
        fprintf(out, "<p class=\"note\">%d further figures are left out: at most %d are drawn.</p>\n",
                figures->left_out, FIGURES_MAX);
    fputs("<p class=\"note\">Beside every picture in figures/ stand its data (.dat) and its script (.gp): gnuplot "
          "draws it again.</p>\n",
          out);
}

/* --- tables ------------------------------------------------------------------------------------------------------ */

static void print_tables(const Report *report) {
    const Summary *summary = report->summary;
    FILE *out = report->out;
    if (summary->n_configurations == 0) {
        fputs("<h2 id=\"tables\">Tables</h2>\n<p>Nothing has been measured yet.</p>\n", out);
        return;
    }
    fprintf(out,
            "<h2 id=\"tables\">At %d examples</h2>\n<p>Mean over seeds ± half the 95 %% t interval, [its ends] where "
            "the range of the metric cuts it off. nmse: 1 − cos to the true answer; kendall_tau: rank correlation with "
            "the clean rewards; self-check: probability that the "
            "critic ranks two responses rightly.</p>\n",
            summary->at);
    report_print_sheet(summary_sheet(summary), TABLE_ROWS_MAX, "tables/summary.csv", out);
    Sheet *rounds = rounds_sheet(summary);
    if (rounds != NULL && rounds->n_rows > 1) {
        fputs("<h2>Rounds of correction</h2>\n<p>Mean over seeds ± half the 95 % t interval, [its ends] where the "
              "range of the metric cuts it off. first nmse: of round 0; "
              "last nmse and gain: after the last round; self-check: of the critic on the answers of the rounds; "
              "right/wrong: how often an answer turned right and wrong on the way.</p>\n",
              out);
        report_print_sheet(rounds, TABLE_ROWS_MAX, "tables/summary.csv", out);
    } else {
        sheet_free(rounds);
    }
    Sheet *axes = axis_sheet(summary, report->content->families);
    if (axes != NULL && axes->n_rows > 1) {
        const Configuration *base = slice_base(summary, report->content->families);
        char at[256] = "";
        if (base != NULL) series_label(summary->table, base->series, NULL, at, sizeof at);
        fprintf(out,
                "<h2>What each axis does, all else equal</h2>\n<p>Kendall's τ: differences paired by seed with 95 %% t "
                "intervals and sign-flip p. All at %s but for the axis. Not declared beforehand and not corrected for "
                "being many: to look at, not to conclude from.</p>\n",
                at);
        report_print_sheet(axes, TABLE_ROWS_MAX, "tables/paired.csv", out);
    } else {
        sheet_free(axes);
    }
    fputs("<h2>Trainings</h2>\n", out);
    report_print_sheet(trainings_sheet(summary), TABLE_ROWS_MAX, "tables/trainings.csv", out);
}

static void print_opening(const Report *report) {
    FILE *out = report->out;
    char when[64];
    time_t now = time(NULL);
    struct tm parts;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &parts));
    fputs("<h1>", out);
    print_html_text(out, title_of(report->summary->table));
    fprintf(out, "</h1>\n<p class=\"subtitle\">Report of palinode analyze, %s</p>\n<nav>", when);
    fputs("<a href=\"#completeness\">Completeness</a>", out);
    if (has_claims(report)) fputs("<a href=\"#claims\">Claims</a>", out);
    fputs("<a href=\"#figures\">Figures</a><a href=\"#tables\">Tables</a><a href=\"#provenance\">Provenance</a>"
          "<a href=\"#again\">Again</a></nav>\n",
          out);
}

Status report_write(const ReportContent *content, const char *figures_dir, const char *path, Error *err) {
    WholeFile file;
    Status status = whole_file_begin(&file, path, err);
    if (status != STATUS_OK) return status;
    FILE *out = file.out;
    const Summary *summary = content->completeness->summary;
    Report report = {content, summary, figures_dir, out};
    report_print_head(title_of(summary->table), out);
    print_opening(&report);
    report_print_completeness(content->completeness, out);
    print_claims(&report);
    print_figures(&report);
    print_tables(&report);
    report_print_provenance(summary->table, out);
    report_print_reproduction(summary->table, out);
    fputs("</body>\n</html>\n", out);
    return whole_file_end(&file, STATUS_OK, err);
}
