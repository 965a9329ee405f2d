/* See report_parts.h: where the results came from, and how to get them again. */
#include "analysis/report/report_parts.h"

#include "analysis/output/columns.h"

#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 20 };

static void print_fact(FILE *out, const char *name, const char *text) {
    if (text == NULL || text[0] == '\0') return;
    fprintf(out, "<tr><td>%s</td><td>", name);
    print_html_text(out, text);
    fputs("</td></tr>\n", out);
}

static void print_run(const HeaderRecord *header, FILE *out) {
    char text[64];
    fputs("<div class=\"wide\"><table class=\"provenance\">\n", out);
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
    print_fact(out, "merged from", header->sources);
    fputs("</table></div>\n", out);
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Every numerics fingerprint among the series, once. */
static void print_fingerprints(const Table *table, FILE *out) {
    const char **texts = malloc(((size_t)table->n_series + 1) * sizeof *texts);
    if (texts == NULL) return;
    for (int i = 0; i < table->n_series; i++)
        texts[i] = table->series[i].fingerprint;
    if (table->n_series > 1) qsort(texts, (size_t)table->n_series, sizeof *texts, compare_texts);
    fputs("<h3>Numerics fingerprints</h3>\n<p>Equal ones promise equal bits.</p>\n<pre>", out);
    for (int i = 0; i < table->n_series; i++) {
        if (i > 0 && strcmp(texts[i - 1], texts[i]) == 0) continue;
        print_html_text(out, texts[i]);
        fputc('\n', out);
    }
    fputs("</pre>\n", out);
    free((void *)texts);
}

void report_print_provenance(const Table *table, FILE *out) {
    int first = table->n_headers > RUNS_MAX ? table->n_headers - RUNS_MAX : 0;
    fputs("<h2 id=\"provenance\">Where this came from</h2>\n", out);
    if (first > 0)
        fprintf(out, "<p class=\"note\">The last %d of %d runs; palinode export --table provenance has all.</p>\n",
                RUNS_MAX, table->n_headers);
    for (int i = first; i < table->n_headers; i++) {
        fprintf(out, "<h3>Run %d</h3>\n", i + 1);
        print_run(&table->headers[i], out);
        bool told = i > first && strcmp(table->headers[i].job_text, table->headers[i - 1].job_text) == 0;
        fputs(told ? "<p>The same job file.</p>\n" : "<p>Job file:</p>\n<pre>", out);
        if (told) continue;
        print_html_text(out, table->headers[i].job_text);
        fputs("</pre>\n", out);
    }
    print_fingerprints(table, out);
}

void report_print_reproduction(const Table *table, FILE *out) {
    const HeaderRecord *last = table->n_headers > 0 ? &table->headers[table->n_headers - 1] : NULL;
    fputs("<h2 id=\"again\">To do it again, and to cite it</h2>\n"
          "<p>Save the job file above as job.yaml. With equal numerics fingerprints every number comes out equal to "
          "the bit, on any number of processes; <code>palinode diff</code> says whether it did.</p>\n<pre>",
          out);
    if (last != NULL && last->commit[0] != '\0') {
        fputs("# palinode ", out);
        print_html_text(out, last->version);
        fputs(", commit ", out);
        print_html_text(out, last->commit);
        fputc('\n', out);
    }
    fputs("palinode run job.yaml -o again\npalinode analyze again\npalinode diff RESULTS again</pre>\n"
          "<p>The experiment: Y. Wang, Y. Wu, Z. Wei, S. Jegelka, Y. Wang, <cite>A Theoretical Understanding of "
          "Self-Correction through In-context Alignment</cite>, NeurIPS 2024, arXiv 2405.18634. Name the software with "
          "its version and commit, and keep the results folder: it holds everything that this page says.</p>\n",
          out);
}
