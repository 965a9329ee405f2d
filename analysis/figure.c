/* See figure.h. */
#include "analysis/figure.h"

#include "analysis/sheet.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST_EXAMPLES = 2 }; /* tau is undefined below, and the paper's axis begins here */

/* Pixels of the SVG; the PNG is twice as large. */
enum {
    HEIGHT = 400,
    LEFT = 55,
    PANEL = 350,
    BETWEEN = 65,
    LEGEND_GAP = 25,
    LINE_SAMPLE = 32,
    LEGEND_STEP = 25,
    LETTER = 8,
    TOP = 48,
    BOTTOM = 60
};

enum { PANELS = 2 };
static const struct {
    Metric metric;
    const char *title;
} panels[PANELS] = {
    {METRIC_KENDALL_TAU, "Kendall's τ with the true ranking (1: aligned)"},
    {METRIC_NMSE, "normalised MSE, 1 − cos (0: exact)"},
};

/* --- colours ---------------------------------------------------------------------------------------------------- */

uint32_t colour_ordered(int i, int n) {
    static const uint32_t anchors[] = {0x440154, 0x3b528b, 0x21918c, 0x44bf70, 0xc8c020};
    enum { LAST = sizeof anchors / sizeof anchors[0] - 1 };
    double place = n > 1 ? LAST * (double)i / (n - 1) : 0;
    int below = place >= LAST ? LAST - 1 : (int)place;
    uint32_t colour = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        double from = anchors[below] >> shift & 0xff, to = anchors[below + 1] >> shift & 0xff;
        colour |= (uint32_t)lround(from + (place - below) * (to - from)) << shift;
    }
    return colour;
}

uint32_t colour_distinct(int i) {
    static const uint32_t set[] = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9};
    return set[i % (int)(sizeof set / sizeof set[0])];
}

/* --- data ------------------------------------------------------------------------------------------------------- */

/* One block per curve: examples, then mean, low and high of each panel. */
static void print_data(const Figure *figure, FILE *out) {
    fprintf(out, "# examples; then for %s and for %s: mean over seeds, 95 %% t interval from, to\n",
            metric_name(panels[0].metric), metric_name(panels[1].metric));
    for (int i = 0; i < figure->n_curves; i++) {
        const FigureCurve *curve = &figure->curves[i];
        const Series *series = curve->configuration->series;
        fprintf(out, "# %s %s, %d seeds\n", predictor_name(series->predictor), curve->label,
                curve->configuration->n_series);
        for (int examples = FIRST_EXAMPLES; examples < series->curves.n_points; examples++) {
            fprintf(out, "%d", examples);
            for (int panel = 0; panel < PANELS; panel++) {
                MeanInterval point = configuration_interval(curve->configuration, panels[panel].metric, examples);
                fprintf(out, " %.9g %.9g %.9g", point.mean, point.low, point.high);
            }
            fputc('\n', out);
        }
        fprintf(out, "\n\n");
    }
}

/* Widens *low and *high to everything that a panel shows, or to one metric's natural end. */
static void panel_range(const Figure *figure, Metric metric, double *low, double *high) {
    *low = 0;
    *high = metric == METRIC_KENDALL_TAU ? 1 : 0.1;
    for (int i = 0; i < figure->n_curves; i++) {
        const Configuration *configuration = figure->curves[i].configuration;
        for (int examples = FIRST_EXAMPLES; examples < configuration->series->curves.n_points; examples++) {
            MeanInterval point = configuration_interval(configuration, metric, examples);
            double bottom = isnan(point.low) ? point.mean : point.low,
                   top = isnan(point.high) ? point.mean : point.high;
            if (bottom < *low) *low = bottom; /* false for NaN */
            if (top > *high) *high = top;
        }
    }
    double margin = 0.02 * (*high - *low);
    if (*low < 0) *low -= margin;
    if (*high > 1 || metric != METRIC_KENDALL_TAU) *high += margin;
}

/* --- script ----------------------------------------------------------------------------------------------------- */

/* text in gnuplot's single quotes, in which only the quote itself needs care. */
static void print_quoted(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text != '\0'; text++) {
        if (*text == '\'') fputc('\'', out);
        fputc(*text == '\n' ? ' ' : *text, out);
    }
    fputc('\'', out);
}

/* Where the legend is being written, in pixels from the left and the top. */
typedef struct Legend {
    FILE *out;
    int width, x, y, entry;
} Legend;

static void print_legend_text(Legend *legend, int x, const char *text) {
    fprintf(legend->out, "set label %d ", ++legend->entry);
    print_quoted(legend->out, text);
    fprintf(legend->out, " at screen %.5f,%.5f left noenhanced\n", (double)x / legend->width,
            1 - (double)legend->y / HEIGHT);
    legend->y += LEGEND_STEP;
}

static const char *line_style(bool dashed) {
    return dashed ? "linewidth 1.6 dashtype (6,4)" : "linewidth 2.4";
}

static void print_legend_line(Legend *legend, uint32_t colour, bool dashed, const char *text) {
    double y = 1 - (double)legend->y / HEIGHT;
    fprintf(legend->out, "set arrow %d from screen %.5f,%.5f to screen %.5f,%.5f nohead %s linecolor rgb '#%06x'\n",
            legend->entry + 1, (double)legend->x / legend->width, y, (double)(legend->x + LINE_SAMPLE) / legend->width,
            y, line_style(dashed), colour);
    print_legend_text(legend, legend->x + LINE_SAMPLE + 8, text);
}

static void print_legend_band(Legend *legend, int fewest, int most) {
    char text[64];
    if (most < 2) {
        legend->y += 4;
        print_legend_text(legend, legend->x, "1 seed: no interval");
        return;
    }
    fprintf(legend->out,
            "set object 1 rectangle from screen %.5f,%.5f to screen %.5f,%.5f fillcolor rgb '#555555' "
            "fillstyle transparent solid 0.18 noborder\n",
            (double)legend->x / legend->width, 1 - (double)(legend->y - 7) / HEIGHT,
            (double)(legend->x + LINE_SAMPLE) / legend->width, 1 - (double)(legend->y + 7) / HEIGHT);
    print_legend_text(legend, legend->x + LINE_SAMPLE + 8, "95 % interval");
    legend->y -= 6;
    if (fewest == most)
        snprintf(text, sizeof text, "(%d seeds)", most);
    else
        snprintf(text, sizeof text, "(%d to %d seeds)", fewest, most);
    print_legend_text(legend, legend->x + LINE_SAMPLE + 8, text);
}

static void print_legend(const Figure *figure, FILE *out, int width) {
    enum { GREY = 0x555555 };
    Legend legend = {out, width, width - 1, TOP + 8, 0};
    legend.x = LEFT + PANELS * PANEL + BETWEEN + LEGEND_GAP;
    int fewest = INT_MAX, most = 0;
    const char *model = NULL, *reference = NULL;
    print_legend_text(&legend, legend.x, figure->legend_title);
    for (int i = 0; i < figure->n_curves; i++) {
        const FigureCurve *curve = &figure->curves[i];
        const char *predictor = predictor_name(curve->configuration->series->predictor);
        if (curve->label[0] != '\0') print_legend_line(&legend, curve->colour, curve->dashed, curve->label);
        if (curve->dashed) {
            if (curve->label[0] == '\0') reference = predictor;
            continue;
        }
        model = predictor;
        if (curve->configuration->n_series < fewest) fewest = curve->configuration->n_series;
        if (curve->configuration->n_series > most) most = curve->configuration->n_series;
    }
    legend.y += LEGEND_STEP / 2;
    if (reference != NULL && model != NULL) {
        print_legend_line(&legend, GREY, false, model);
        print_legend_line(&legend, GREY, true, reference);
    }
    print_legend_band(&legend, fewest, most);
}

static int figure_width(const Figure *figure) {
    int widest = text_letters(figure->legend_title) * LETTER, fixed = LINE_SAMPLE + 8 + 13 * LETTER;
    if (fixed > widest) widest = fixed;
    for (int i = 0; i < figure->n_curves; i++) {
        int width = LINE_SAMPLE + 8 + text_letters(figure->curves[i].label) * LETTER;
        if (width > widest) widest = width;
    }
    return LEFT + PANELS * PANEL + BETWEEN + LEGEND_GAP + widest + 10;
}

static int most_points(const Figure *figure) {
    int most = FIRST_EXAMPLES + 1;
    for (int i = 0; i < figure->n_curves; i++) {
        int points = figure->curves[i].configuration->series->curves.n_points;
        if (points > most) most = points;
    }
    return most;
}

static void print_panel(const Figure *figure, FILE *out, int panel, int width) {
    int left = LEFT + panel * (PANEL + BETWEEN), column = 2 + 3 * panel;
    double low, high;
    panel_range(figure, panels[panel].metric, &low, &high);
    fprintf(out, "\nset lmargin at screen %.5f\nset rmargin at screen %.5f\n", (double)left / width,
            (double)(left + PANEL) / width);
    fprintf(out, "set title ");
    print_quoted(out, panels[panel].title);
    fprintf(out, " noenhanced\nset yrange [%.6g:%.6g]\nplot ", low, high);
    bool first = true;
    for (int i = 0; i < figure->n_curves; i++) { /* bands lie under all lines */
        const FigureCurve *curve = &figure->curves[i];
        if (curve->dashed || curve->configuration->n_series < 2) continue;
        fprintf(out, "%s'%s.dat' index %d using 1:%d:%d with filledcurves linecolor rgb '#%06x'",
                first ? "" : ", \\\n     ", figure->name, i, column + 1, column + 2, curve->colour);
        first = false;
    }
    for (int i = 0; i < figure->n_curves; i++) {
        const FigureCurve *curve = &figure->curves[i];
        fprintf(out, "%s'%s.dat' index %d using 1:%d with lines %s linecolor rgb '#%06x'", first ? "" : ", \\\n     ",
                figure->name, i, column, line_style(curve->dashed), curve->colour);
        first = false;
    }
    fputc('\n', out);
}

static void print_script(const Figure *figure, FILE *out) {
    int width = figure_width(figure), last = most_points(figure) - 1;
    fprintf(out,
            "# Drawn by palinode analyze. To draw it again, here: gnuplot %s.gp   (as PNG: gnuplot -e png=1 %s.gp)\n",
            figure->name, figure->name);
    fprintf(out,
            "if (exists('png')) {\n"
            "    set terminal pngcairo size %d,%d fontscale 1.8 linewidth 2 font 'Arial,12' background '#ffffff'\n"
            "    set output '%s.png'\n"
            "} else {\n"
            "    set terminal svg size %d,%d font 'Arial,13' background '#ffffff' name '%s'\n"
            "    set output '%s.svg'\n"
            "}\n",
            2 * width, 2 * HEIGHT, figure->name, width, HEIGHT, figure->name, figure->name);
    fprintf(out, "set encoding utf8\n"
                 "set style fill transparent solid 0.18 noborder\n"
                 "set border 3 linecolor rgb '#555555' linewidth 1\n"
                 "set tics nomirror out scale 0.6 textcolor rgb '#333333'\n"
                 "set grid ytics linecolor rgb '#e6e6e6' linetype 1 linewidth 0.8\n"
                 "unset key\n");
    fprintf(out, "set xrange [%d:%d]\nset xtics %d,%d\n", FIRST_EXAMPLES, last, FIRST_EXAMPLES,
            last <= 10   ? 1
            : last <= 24 ? 2
                         : (last + 9) / 10);
    fprintf(out,
            "set xlabel 'number of examples' offset 0,0.3\n"
            "set title offset 0,-0.2\n"
            "set bmargin at screen %.5f\nset tmargin at screen %.5f\n"
            "set multiplot\n\n",
            (double)BOTTOM / HEIGHT, 1 - (double)TOP / HEIGHT);
    print_legend(figure, out, width);
    for (int panel = 0; panel < PANELS; panel++) {
        print_panel(figure, out, panel, width);
        if (panel == 0) fprintf(out, "unset label\nunset arrow\nunset object\n"); /* the legend is drawn once */
    }
    fprintf(out, "unset multiplot\n");
}

/* --- gnuplot ---------------------------------------------------------------------------------------------------- */

enum { EXIT_NO_PROGRAM = 127 };

/* In the child: gnuplot in dir, its messages into the pipe. */
static void become_gnuplot(const char *dir, const char *script, bool png, int messages) {
    if (chdir(dir) != 0 || dup2(messages, STDOUT_FILENO) < 0 || dup2(messages, STDERR_FILENO) < 0) _exit(1);
    if (png)
        execlp("gnuplot", "gnuplot", "-e", "png=1", script, (char *)NULL);
    else
        execlp("gnuplot", "gnuplot", script, (char *)NULL);
    _exit(errno == ENOENT ? EXIT_NO_PROGRAM : 1);
}

/* Reads until the child closes its end; keeps the first bytes as one line, the rest only keeps the pipe from filling.
 */
static void read_messages(int from, char *text, size_t text_bytes) {
    size_t used = 0;
    char rest[512];
    for (;;) {
        bool room = used < text_bytes - 1;
        ssize_t got = read(from, room ? text + used : rest, room ? text_bytes - 1 - used : sizeof rest);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        if (room) used += (size_t)got;
    }
    text[used] = '\0';
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r') *c = ' ';
}

static Status run_gnuplot(const char *dir, const char *script, bool png, Error *err) {
    int ends[2];
    if (pipe(ends) != 0) return error_set(err, STATUS_IO, "gnuplot: cannot make a pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0) {
        close(ends[0]);
        close(ends[1]);
        return error_set(err, STATUS_IO, "gnuplot: cannot fork: %s", strerror(errno));
    }
    if (child == 0) become_gnuplot(dir, script, png, ends[1]);
    close(ends[1]);
    char messages[512];
    read_messages(ends[0], messages, sizeof messages);
    close(ends[0]);
    int ended = -1;
    while (waitpid(child, &ended, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) return STATUS_OK;
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == EXIT_NO_PROGRAM)
        return error_set(
            err, STATUS_FAILED,
            "gnuplot is not on PATH: no figure can be drawn; install it (Debian: gnuplot-nox) and analyze again");
    return error_set(err, STATUS_FAILED, "gnuplot %s/%s failed: %s", dir, script, messages);
}

/* Writes one of the figure's files by print. */
static Status write_file(const Figure *figure, const char *dir, const char *suffix,
                         void (*print)(const Figure *, FILE *), Error *err) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.%s", dir, figure->name, suffix);
    FILE *out = fopen(path, "w");
    if (out == NULL) return error_set(err, STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
    print(figure, out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed)
        return error_set(err, STATUS_IO, "%s: cannot be written: %s", path, strerror(errno));
    return STATUS_OK;
}

Status figure_write(const Figure *figure, const char *dir, bool png, Error *err) {
    assert(figure->n_curves > 0 && figure->n_curves <= FIGURE_CURVES_MAX);
    char path[PATH_MAX], script[128];
    snprintf(path, sizeof path, "%s/%s.svg", dir, figure->name);
    unlink(path);
    snprintf(path, sizeof path, "%s/%s.png", dir, figure->name);
    unlink(path);
    Status status = write_file(figure, dir, "dat", print_data, err);
    if (status == STATUS_OK) status = write_file(figure, dir, "gp", print_script, err);
    snprintf(script, sizeof script, "%s.gp", figure->name);
    if (status == STATUS_OK) status = run_gnuplot(dir, script, false, err);
    if (status == STATUS_OK && png) status = run_gnuplot(dir, script, true, err);
    return status;
}
