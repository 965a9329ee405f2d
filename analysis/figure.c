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

enum { PANELS = 2, GREY = 0x555555 };
static const struct {
    Metric metric;
    const char *title;
} panels[PANELS] = {
    {METRIC_KENDALL_TAU, "Kendall's τ with the true ranking (1: aligned)"},
    {METRIC_NMSE, "Normalised MSE, 1 − cos (0: exact)"},
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

enum { BAND_SEEDS = 3 }; /* fewer are drawn one by one */

/* Columns of the data file, from 1: examples; mean, low and high of each panel; each seed's value of each panel. */
static int mean_column(int panel) {
    return 2 + 3 * panel;
}
static int seed_column(int panel, int n_seeds, int seed) {
    return 2 + 3 * PANELS + panel * n_seeds + seed;
}

/* One block per curve. */
static void print_data(const Figure *figure, FILE *out) {
    fprintf(out, "# examples; then for %s and for %s: mean over seeds, 95 %% t interval from, to; then each seed's\n",
            metric_name(panels[0].metric), metric_name(panels[1].metric));
    for (int i = 0; i < figure->n_curves; i++) {
        const Configuration *configuration = figure->curves[i].configuration;
        const Series *series = configuration->series;
        fprintf(out, "# %s %s, %d seeds\n", predictor_name(series->predictor), figure->curves[i].label,
                configuration->n_series);
        for (int examples = FIRST_EXAMPLES; examples < series->curves.n_points; examples++) {
            fprintf(out, "%d", examples);
            for (int panel = 0; panel < PANELS; panel++) {
                MeanInterval point = configuration_interval(configuration, panels[panel].metric, examples);
                fprintf(out, " %.9g %.9g %.9g", point.mean, point.low, point.high);
            }
            for (int panel = 0; panel < PANELS; panel++)
                for (int seed = 0; seed < configuration->n_series; seed++) {
                    const Curves *curves = &series[seed].curves;
                    fprintf(out, " %.9g", curves->value[curves_at(curves, panels[panel].metric, examples)]);
                }
            fputc('\n', out);
        }
        fprintf(out, "\n\n");
    }
}

static void widen(double value, double *low, double *high) {
    if (value < *low) *low = value; /* false for NaN */
    if (value > *high) *high = value;
}

/* The range of a panel: all lines, 0, the metric's best value, and of bands as much as leaves the lines readable. */
static void panel_range(const Figure *figure, Metric metric, double *low, double *high) {
    double band_low = 0, band_high = 0;
    *low = 0;
    *high = metric == METRIC_KENDALL_TAU ? 1 : 0.1;
    for (int i = 0; i < figure->n_curves; i++) {
        const Configuration *configuration = figure->curves[i].configuration;
        for (int examples = FIRST_EXAMPLES; examples < configuration->series->curves.n_points; examples++) {
            MeanInterval point = configuration_interval(configuration, metric, examples);
            widen(point.mean, low, high);
            if (configuration->n_series < BAND_SEEDS) {
                for (int seed = 0; seed < configuration->n_series; seed++) {
                    const Curves *curves = &configuration->series[seed].curves;
                    widen(curves->value[curves_at(curves, metric, examples)], low, high);
                }
            } else if (!figure->curves[i].dashed) {
                widen(point.low, &band_low, &band_high);
                widen(point.high, &band_low, &band_high);
            }
        }
    }
    double span = *high - *low, lowest = metric == METRIC_NMSE ? 0 : *low - 0.2 * span;
    *low = fmin(*low, fmax(band_low, lowest));
    if (metric != METRIC_KENDALL_TAU) *high = fmax(*high, fmin(band_high, *high + 0.2 * span));
    double margin = 0.02 * (*high - *low);
    if (*low < 0) *low -= margin;
    *high += margin;
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
static const char thin_line[] = "linewidth 0.7";

static void print_legend_line(Legend *legend, uint32_t colour, const char *line, const char *text) {
    double y = 1 - (double)legend->y / HEIGHT;
    fprintf(legend->out, "set arrow %d from screen %.5f,%.5f to screen %.5f,%.5f nohead %s linecolor rgb '#%06x'\n",
            legend->entry + 1, (double)legend->x / legend->width, y, (double)(legend->x + LINE_SAMPLE) / legend->width,
            y, line, colour);
    print_legend_text(legend, legend->x + LINE_SAMPLE + 8, text);
}

static void print_legend_band(Legend *legend, int fewest, int most) {
    char text[64];
    fprintf(legend->out,
            "set object 1 rectangle from screen %.5f,%.5f to screen %.5f,%.5f fillcolor rgb '#%06x' "
            "fillstyle transparent solid 0.18 noborder\n",
            (double)legend->x / legend->width, 1 - (double)(legend->y - 7) / HEIGHT,
            (double)(legend->x + LINE_SAMPLE) / legend->width, 1 - (double)(legend->y + 7) / HEIGHT, GREY);
    print_legend_text(legend, legend->x + LINE_SAMPLE + 8, "95 % interval");
    legend->y -= 6;
    if (fewest == most)
        snprintf(text, sizeof text, "(%d seeds)", most);
    else
        snprintf(text, sizeof text, "(%d to %d seeds)", fewest, most);
    print_legend_text(legend, legend->x + LINE_SAMPLE + 8, text);
}

/* What the seeds of the models look like: bands, thin lines, or nothing. */
static void print_legend_seeds(const Figure *figure, Legend *legend) {
    int fewest = INT_MAX, most = 0, pairs = 0;
    for (int i = 0; i < figure->n_curves; i++) {
        int seeds = figure->curves[i].configuration->n_series;
        if (figure->curves[i].dashed) continue;
        pairs += seeds > 1 && seeds < BAND_SEEDS;
        if (seeds >= BAND_SEEDS && seeds < fewest) fewest = seeds;
        if (seeds > most) most = seeds;
    }
    if (most >= BAND_SEEDS) print_legend_band(legend, fewest, most);
    if (pairs > 0) print_legend_line(legend, GREY, thin_line, "each of 2 seeds");
    if (most == 1) print_legend_text(legend, legend->x, "1 seed: no interval");
}

static void print_legend(const Figure *figure, FILE *out, int width) {
    Legend legend = {.out = out, .width = width, .x = LEFT + PANELS * PANEL + BETWEEN + LEGEND_GAP, .y = TOP + 8};
    const char *model = NULL, *reference = NULL;
    print_legend_text(&legend, legend.x, figure->legend_title);
    for (int i = 0; i < figure->n_curves; i++) {
        const FigureCurve *curve = &figure->curves[i];
        const char *predictor = predictor_name(curve->configuration->series->predictor);
        if (curve->label[0] != '\0') print_legend_line(&legend, curve->colour, line_style(curve->dashed), curve->label);
        if (!curve->dashed) model = predictor;
        if (curve->dashed && curve->label[0] == '\0') reference = predictor;
    }
    legend.y += LEGEND_STEP / 2;
    if (reference != NULL && model != NULL) {
        print_legend_line(&legend, GREY, line_style(false), model);
        print_legend_line(&legend, GREY, line_style(true), reference);
    }
    print_legend_seeds(figure, &legend);
}

static int figure_width(const Figure *figure) {
    int widest = text_letters(figure->legend_title) * LETTER, fixed = LINE_SAMPLE + 8 + 15 * LETTER;
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

/* Everything behind the lines of a panel: bands, or the seeds where there are too few for one. */
static void print_seeds(const Figure *figure, FILE *out, int panel) {
    for (int i = 0; i < figure->n_curves; i++) {
        const FigureCurve *curve = &figure->curves[i];
        int seeds = curve->configuration->n_series, column = mean_column(panel);
        if (curve->dashed || seeds < 2) continue;
        if (seeds >= BAND_SEEDS)
            fprintf(out, "'%s.dat' index %d using 1:%d:%d with filledcurves linecolor rgb '#%06x', \\\n     ",
                    figure->name, i, column + 1, column + 2, curve->colour);
        for (int seed = 0; seeds < BAND_SEEDS && seed < seeds; seed++)
            fprintf(out, "'%s.dat' index %d using 1:%d with lines %s linecolor rgb '#%06x', \\\n     ", figure->name, i,
                    seed_column(panel, seeds, seed), thin_line, curve->colour);
    }
}

static void print_panel(const Figure *figure, FILE *out, int panel, int width) {
    int left = LEFT + panel * (PANEL + BETWEEN);
    double low, high;
    panel_range(figure, panels[panel].metric, &low, &high);
    fprintf(out, "\nset lmargin at screen %.5f\nset rmargin at screen %.5f\n", (double)left / width,
            (double)(left + PANEL) / width);
    fprintf(out, "set title ");
    print_quoted(out, panels[panel].title);
    fprintf(out, " noenhanced\nset yrange [%.6g:%.6g]\nplot ", low, high);
    print_seeds(figure, out, panel);
    for (int i = 0; i < figure->n_curves; i++) {
        const FigureCurve *curve = &figure->curves[i];
        fprintf(out, "'%s.dat' index %d using 1:%d with lines %s linecolor rgb '#%06x'%s", figure->name, i,
                mean_column(panel), line_style(curve->dashed), curve->colour,
                i + 1 < figure->n_curves ? ", \\\n     " : "\n");
    }
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
                 "set minussign\n"
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
