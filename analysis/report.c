/* See report.h. */
#include "analysis/report.h"

#include "analysis/export.h"
#include "analysis/summary_tables.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
    "body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 1080px; margin: 2em auto; "
    "padding: 0 1em; }\n"
    "h1 { font-size: 1.6em; margin-bottom: 0; } h2 { font-size: 1.2em; margin-top: 2em; }\n"
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.93em; }\n"
    "th, td { text-align: left; padding: 0.15em 1.2em 0.15em 0; white-space: nowrap; vertical-align: top; }\n"
    "th { border-bottom: 1px solid #222; } tr.section td { border-top: 1px solid #ccc; }\n"
    "figure { margin: 1.5em 0; } figure svg { max-width: 100%; height: auto; } figcaption { color: #555; }\n"
    "pre { background: #f6f6f6; padding: 0.8em; overflow-x: auto; font-size: 0.87em; } .wide { overflow-x: auto; }\n"
    ".provenance td { white-space: pre-line; } .provenance td:first-child { color: #555; white-space: nowrap; }\n";

/* The name of the last run's job; "results" for one without a name. */
static const char *title_of(const Table *table) {
    const char *name = table->n_headers > 0 ? table->headers[table->n_headers - 1].job_name : "";
    return name[0] != '\0' ? name : "results";
}

static void print_remarks(const Summary *summary, FILE *out) {
    char *remarks = summary_remarks(summary), *rest = remarks;
    for (char *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] == '\0') continue;
        fputs("<p>", out);
        print_html_text(out, line);
        fputs("</p>\n", out);
    }
    free(remarks);
}

/* Copies an SVG file from its root element on: an XML declaration may not stand inside a page. */
static bool print_svg(const char *path, FILE *out) {
    FILE *in = fopen(path, "r");
    if (in == NULL) return false;
    char *line = NULL;
    size_t size = 0;
    bool inside = false;
    while (getline(&line, &size, in) > 0) {
        const char *from = inside ? line : strstr(line, "<svg");
        if (from == NULL) continue;
        inside = true;
        fputs(from, out);
    }
    free(line);
    fclose(in);
    return inside;
}

static void print_figure(const Figure *figure, const char *dir, FILE *out) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.svg", dir, figure->name);
    fputs("<figure>\n", out);
    if (!print_svg(path, out)) fprintf(out, "<p>%s.svg was not drawn.</p>\n", figure->name);
    fputs("<figcaption>", out);
    print_html_text(out, figure->caption);
    fputs("</figcaption>\n</figure>\n", out);
}

static void print_sheet(Sheet *sheet, FILE *out) {
    fputs("<div class=\"wide\">\n", out);
    if (sheet != NULL) sheet_print_html(sheet, out);
    fputs("</div>\n", out);
    sheet_free(sheet);
}

static void print_fact(FILE *out, const char *name, const char *text) {
    if (text == NULL || text[0] == '\0') return;
    fprintf(out, "<tr><td>%s</td><td>", name);
    print_html_text(out, text);
    fputs("</td></tr>\n", out);
}

static void print_run(const HeaderRecord *header, FILE *out) {
    char text[64];
    fputs("<table class=\"provenance\">\n", out);
    print_fact(out, "started", utc_text(header->started_unix_ms, text, sizeof text));
    print_fact(out, "command", header->command_line);
    snprintf(text, sizeof text, "%d rank%s, %d worker%s", header->n_ranks, header->n_ranks == 1 ? "" : "s",
             header->n_workers, header->n_workers == 1 ? "" : "s");
    print_fact(out, "processes", text);
    print_fact(out, "version", header->version);
    print_fact(out, "commit", header->commit);
    print_fact(out, "build", header->build);
    print_fact(out, "MPI", header->mpi);
    print_fact(out, "BLAS", header->blas);
    print_fact(out, "host", header->host);
    print_fact(out, "CPU", header->cpu);
    print_fact(out, "ranks", header->rank_hosts);
    print_fact(out, "scheduler", header->scheduler);
    fputs("</table>\n", out);
}

/* Every numerics fingerprint among the series, once. */
static void print_fingerprints(const Table *table, FILE *out) {
    fputs("<p>Numerics fingerprints (equal ones promise equal bits):</p>\n<pre>", out);
    for (int i = 0; i < table->n_series; i++) {
        bool seen = false;
        for (int j = 0; j < i && !seen; j++)
            seen = strcmp(table->series[j].fingerprint, table->series[i].fingerprint) == 0;
        if (seen) continue;
        print_html_text(out, table->series[i].fingerprint);
        fputc('\n', out);
    }
    fputs("</pre>\n", out);
}

static void print_provenance(const Table *table, FILE *out) {
    fputs("<h2>Where this came from</h2>\n", out);
    for (int i = 0; i < table->n_headers; i++) {
        fprintf(out, "<h3>Run %d</h3>\n", i + 1);
        print_run(&table->headers[i], out);
        bool told = i > 0 && strcmp(table->headers[i].job_text, table->headers[i - 1].job_text) == 0;
        fputs(told ? "<p>The same job file.</p>\n" : "<p>Job file:</p>\n<pre>", out);
        if (told) continue;
        print_html_text(out, table->headers[i].job_text);
        fputs("</pre>\n", out);
    }
    print_fingerprints(table, out);
}

Status report_write(const Summary *summary, const FigureSet *figures, const char *figures_dir, const char *path,
                    Error *err) {
    FILE *out = fopen(path, "w");
    if (out == NULL) return error_set(err, STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
    const char *title = title_of(summary->table);
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>palinode: ", out);
    print_html_text(out, title);
    fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>", style);
    print_html_text(out, title);
    fputs("</h1>\n", out);
    print_remarks(summary, out);
    for (int i = 0; i < figures->count; i++)
        print_figure(figures->items[i], figures_dir, out);
    fprintf(
        out,
        "<h2>At %d examples</h2>\n<p>Mean over seeds ± half the 95 %% t interval. nmse: 1 − cos to the true answer; "
        "kendall_tau: rank correlation with the clean rewards; self-check: probability that the critic ranks two "
        "responses rightly.</p>\n",
        summary->at);
    print_sheet(summary_sheet(summary), out);
    fputs("<h2>Trainings</h2>\n", out);
    print_sheet(trainings_sheet(summary), out);
    print_provenance(summary->table, out);
    fputs("</body>\n</html>\n", out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed)
        return error_set(err, STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
    return STATUS_OK;
}
