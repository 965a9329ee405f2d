/* See figure_script.h. */
#include "analysis/figures/figure_script.h"

#include "analysis/figures/palette.h"
#include "analysis/output/sheet.h"

#include <math.h>
#include <string.h>

/* Pixels of the SVG; the PNG is twice as large. */
enum {
    HEIGHT = 400,
    LEFT = 62,
    PANEL = 350,
    BETWEEN = 65,
    COLOUR_BOX = 14,
    COLOUR_BOX_ROOM = 70,
    CELL_WIDTH = 30, /* from which on a number fits into a cell */
    CELL_HEIGHT = 13,
    LEGEND_GAP = 25,
    LINE_SAMPLE = 32,
    KEY_STEP = 25,
    ROW_STEP = 26,
    LETTER = 8,
    TOP = 48,
    BOTTOM = 60
};

/* Where everything is, in pixels from the left and the top. */
typedef struct Layout {
    int width, height, panel_left[PANELS_MAX], legend_left;
} Layout;

/* --- data ------------------------------------------------------------------------------------------------------- */

static const char *const layer_names[LAYER_KINDS] = {"cells", "bands", "bars", "lines", "points", "intervals"};

void figure_print_data(const Figure *figure, FILE *out) {
    fprintf(out, "# Columns: x, y, low, high. NaN: undefined.\n");
    for (int i = 0; i < figure->n_panels; i++) {
        const Panel *panel = &figure->panels[i];
        for (int j = 0; j < panel->n_layers; j++) {
            const Layer *layer = &panel->layers[j];
            fprintf(out, "# panel %d (%s), %s: %s\n", i + 1, panel->title, layer_names[layer->kind], layer->note);
            if (layer->n == 0) fprintf(out, "NaN NaN NaN NaN\n"); /* an empty block would not be counted */
            for (int k = 0; k < layer->n; k++)
                fprintf(out, "%.9g %.9g %.9g %.9g\n", layer->data[k].x, layer->data[k].y, layer->data[k].low,
                        layer->data[k].high);
            fprintf(out, "\n\n");
        }
    }
}

/* --- layout ----------------------------------------------------------------------------------------------------- */

static bool has_kind(const Panel *panel, LayerKind kind) {
    for (int i = 0; i < panel->n_layers; i++)
        if (panel->layers[i].kind == kind) return true;
    return false;
}

static int panel_width(const Panel *panel) {
    return panel->width > 0 ? panel->width : PANEL;
}

/* Whether colours mean something of their own here: the scale of the next panel is not the same fixed one. */
static bool has_colour_box(const Figure *figure, int number) {
    const Panel *panel = &figure->panels[number];
    if (!has_kind(panel, LAYER_CELLS)) return false;
    if (number + 1 == figure->n_panels) return true;
    const ColourScale *own = &panel->colours, *next = &figure->panels[number + 1].colours;
    return !(own->from == next->from && own->to == next->to && own->diverging == next->diverging); /* true for NaN */
}

static int widest_tick(const Axis *axis) {
    int widest = 0;
    for (int i = 0; i < axis->n_ticks; i++) {
        int letters = text_letters(axis->ticks[i].text);
        if (letters > widest) widest = letters;
    }
    return widest;
}

static int legend_width(const Figure *figure) {
    int widest = 0;
    for (int i = 0; i < figure->n_keys; i++) {
        int width = text_letters(figure->keys[i].text) * LETTER;
        if (figure->keys[i].kind != KEY_TEXT) width += LINE_SAMPLE + 8;
        if (width > widest) widest = width;
    }
    return widest;
}

static Layout layout_of(const Figure *figure) {
    Layout layout = {.height = HEIGHT};
    int x = 0, legend_height = figure->n_keys * KEY_STEP + 2 * TOP;
    for (int i = 0; i < figure->n_panels; i++) {
        const Panel *panel = &figure->panels[i];
        int letters = widest_tick(&panel->y) * LETTER, before = i == 0 ? LEFT : BETWEEN;
        if (panel->y.label[0] != '\0') before += 20;
        layout.panel_left[i] = x + (letters + 20 > before ? letters + 20 : before);
        x = layout.panel_left[i] + panel_width(panel) + (has_colour_box(figure, i) ? COLOUR_BOX_ROOM : 0);
        if (has_kind(panel, LAYER_BARS)) layout.height = TOP + BOTTOM + ROW_STEP * (panel->y.n_ticks + 1);
    }
    if (legend_height > layout.height) layout.height = legend_height;
    layout.legend_left = x + LEGEND_GAP;
    layout.width = figure->n_keys > 0 ? layout.legend_left + legend_width(figure) + 10 : x + LEGEND_GAP;
    return layout;
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

static const char *line_words(LineStyle style) {
    switch (style) {
    case LINE_SOLID:
        return "linewidth 2.4";
    case LINE_THIN:
        return "linewidth 0.7";
    case LINE_DASHED:
        return "linewidth 1.6 dashtype (6,4)";
    case LINE_DOTTED:
        return "linewidth 1.8 dashtype (1.5,3)";
    }
    return "";
}

static const char point_words[] = "pointtype 6 pointsize 0.7 linewidth 1";
static const char dot_words[] = "pointtype 7 pointsize 0.85 linewidth 1.6";

static void print_key(const Layout *layout, const Key *key, int number, int y, FILE *out) {
    double width = layout->width, middle = 1 - (double)y / layout->height;
    int x = layout->legend_left, sample = x + LINE_SAMPLE;
    switch (key->kind) {
    case KEY_LINE:
    case KEY_INTERVAL:
        fprintf(out, "set arrow %d from screen %.5f,%.5f to screen %.5f,%.5f nohead %s linecolor rgb '#%06x'\n", number,
                x / width, middle, sample / width, middle,
                key->kind == KEY_LINE ? line_words(key->style) : "linewidth 1.6", key->colour);
        break;
    case KEY_BAND:
        fprintf(out,
                "set object %d rectangle from screen %.5f,%.5f to screen %.5f,%.5f fillcolor rgb '#%06x' "
                "fillstyle transparent solid 0.18 noborder\n",
                number, x / width, 1 - (y - 7.0) / layout->height, sample / width, 1 - (y + 7.0) / layout->height,
                key->colour);
        break;
    case KEY_TEXT:
    case KEY_NOTE:
    case KEY_POINT:
    case KEY_GAP:
        break;
    }
    if (key->kind == KEY_POINT || key->kind == KEY_INTERVAL)
        fprintf(out, "set label %d '' at screen %.5f,%.5f point %s linecolor rgb '#%06x'\n", number + 1000,
                (x + LINE_SAMPLE / 2) / width, middle, key->kind == KEY_POINT ? point_words : dot_words, key->colour);
    if (key->kind == KEY_GAP) return;
    fprintf(out, "set label %d ", number);
    print_quoted(out, key->text);
    fprintf(out, " at screen %.5f,%.5f left noenhanced\n", (key->kind == KEY_TEXT ? x : sample + 8) / width, middle);
}

static void print_legend(const Figure *figure, const Layout *layout, FILE *out) {
    int y = TOP + 8;
    for (int i = 0; i < figure->n_keys; i++) {
        print_key(layout, &figure->keys[i], i + 1, y, out);
        y += figure->keys[i].kind == KEY_GAP ? KEY_STEP / 2 : KEY_STEP;
    }
}

/* Where a value is on an axis, from 0 to 1. */
static double place_on(const Axis *axis, double value, double from, double to) {
    if (axis->scale == SCALE_LINEAR) return (value - from) / (to - from);
    return log(value / from) / log(to / from);
}

/* Whether a tick's text stands clear of those before it, which end at *taken; few ticks are never left without. */
static bool tick_has_room(const Axis *axis, const Tick *tick, double from, double to, int pixels, double *taken) {
    enum { ALWAYS = 4 };
    double middle = place_on(axis, tick->at, from, to) * pixels, half = text_letters(tick->text) * LETTER / 2.0;
    if (pixels > 0 && axis->n_ticks > ALWAYS && middle - half < *taken) return false;
    *taken = middle + half + LETTER / 2.0;
    return true;
}

/* pixels: its length, where texts of named ticks could overlap; 0: they cannot. */
static void print_axis(const char *axis, const Axis *of, double from, double to, int pixels, FILE *out) {
    if (of->scale == SCALE_LINEAR) {
        fprintf(out, "unset logscale %s\n", axis);
    } else {
        fprintf(out, "set logscale %s %d\n", axis, of->scale == SCALE_LOG2 ? 2 : 10);
    }
    fprintf(out, "set %srange [%.9g:%.9g]\nset %slabel ", axis, of->reversed ? to : from, of->reversed ? from : to,
            axis);
    print_quoted(out, of->label);
    fprintf(out, " noenhanced%s\n", axis[0] == 'x' ? " offset 0,0.3" : "");
    if (of->n_ticks == 0) {
        const double few = 8; /* so many that gnuplot would mark halves */
        fprintf(out, "set %stics %s\n", axis, of->counts && to - from < few ? "1" : "autofreq");
        return;
    }
    double taken = -INFINITY;
    fprintf(out, "set %stics noenhanced (", axis);
    for (int i = 0; i < of->n_ticks; i++) {
        print_quoted(out, tick_has_room(of, &of->ticks[i], from, to, pixels, &taken) ? of->ticks[i].text : "");
        fprintf(out, " %.9g%s", of->ticks[i].at, i + 1 < of->n_ticks ? ", " : ")\n");
    }
}

/* The values of the first and the last colour of a panel. */
static ColourScale colours_of(const Panel *panel) {
    ColourScale scale = {.from = INFINITY, .to = -INFINITY, .diverging = panel->colours.diverging};
    for (int i = 0; i < panel->n_layers; i++)
        for (int j = 0; panel->layers[i].kind == LAYER_CELLS && j < panel->layers[i].n; j++) {
            scale.from = fmin(scale.from, panel->layers[i].data[j].low); /* NaN is passed over */
            scale.to = fmax(scale.to, panel->layers[i].data[j].low);
        }
    if (!isfinite(scale.from)) scale.from = 0, scale.to = 1;
    if (!(scale.to - scale.from > 1e-6 * fabs(scale.from))) scale.to = scale.from + fmax(1e-3, 1e-3 * fabs(scale.from));
    if (!isnan(panel->colours.from)) scale.from = panel->colours.from;
    if (!isnan(panel->colours.to)) scale.to = panel->colours.to;
    return scale;
}

static bool cells_have_room(const Panel *panel, const Layout *layout) {
    double from, to;
    panel_x_range(panel, &from, &to);
    if (panel_width(panel) / (to - from) < CELL_WIDTH) return false;
    panel_y_range(panel, &from, &to);
    return (layout->height - TOP - BOTTOM) / (to - from) >= CELL_HEIGHT;
}

/* A heat map's numbers, dark on bright colours and bright on dark ones. */
static void print_cell_texts(const Figure *figure, int index, ColourScale scale, FILE *out) {
    char is_bright[96];
    double width = scale.to - scale.from;
    if (scale.diverging)
        snprintf(is_bright, sizeof is_bright, "abs($3 - %.6g) <= %.6g", scale.from + 0.5 * width, 0.35 * width);
    else
        snprintf(is_bright, sizeof is_bright, "$3 >= %.6g", scale.from + 0.55 * width);
    for (int bright = 0; bright < 2; bright++)
        fprintf(out,
                "'%s.dat' index %d using ((%s) == %d ? $1 : NaN):2:(sprintf('%%.2f', abs($3) < 0.005 ? 0 : $3)) with "
                "labels textcolor rgb '#%s' font ',11', \\\n     ",
                figure->name, index, is_bright, bright, bright ? "000000" : "ffffff");
}

static void print_layer(const Figure *figure, const Layer *layer, int index, FILE *out) {
    fprintf(out, "'%s.dat' index %d using ", figure->name, index);
    switch (layer->kind) {
    case LAYER_CELLS:
        fprintf(out, "1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror fillstyle solid 1 border rgb '#ffffff' "
                     "fillcolor palette");
        break;
    case LAYER_BANDS:
        fprintf(out, "1:3:4 with filledcurves linecolor rgb '#%06x'", layer->colour);
        break;
    case LAYER_BARS:
        fprintf(out,
                "1:2:(0):1:($2-0.35):($2+0.35) with boxxyerror fillstyle solid 0.35 noborder linecolor rgb '#%06x'",
                layer->colour);
        break;
    case LAYER_LINES:
        fprintf(out, "1:2 with lines %s linecolor rgb '#%06x'", line_words(layer->style), layer->colour);
        break;
    case LAYER_POINTS:
        fprintf(out, "1:2 with points %s linecolor rgb '#%06x'", point_words, layer->colour);
        break;
    case LAYER_INTERVALS:
        fprintf(out, "1:2:3:4 with %serrorbars %s linecolor rgb '#%06x'", layer->flat ? "x" : "y", dot_words,
                layer->colour);
        break;
    case LAYER_KINDS:
        break;
    }
    fputs(", \\\n     ", out);
}

/* Colours of a heat map and the box that tells them. */
static void print_palette(const Figure *figure, const Layout *layout, int number, FILE *out) {
    const Panel *panel = &figure->panels[number];
    ColourScale scale = colours_of(panel);
    double left = layout->panel_left[number] + panel_width(panel) + 8;
    fprintf(out, "set palette defined (");
    for (int i = 0; i < PALETTE_ANCHORS; i++)
        fprintf(out, "%d '#%06x'%s", i, scale.diverging ? colour_diverging(i) : colour_ordered(i, PALETTE_ANCHORS),
                i + 1 < PALETTE_ANCHORS ? ", " : ")\n");
    fprintf(out, "set cbrange [%.9g:%.9g]\n", scale.from, scale.to);
    if (!has_colour_box(figure, number)) {
        fprintf(out, "unset colorbox\n");
        return;
    }
    fprintf(out, "set colorbox vertical user origin screen %.5f,%.5f size screen %.5f,%.5f noborder\n",
            left / layout->width, (double)BOTTOM / layout->height, (double)COLOUR_BOX / layout->width,
            1 - (double)(TOP + BOTTOM) / layout->height);
}

/* The layers of a panel, the first of them block first_index of the data. */
static void print_panel(const Figure *figure, const Layout *layout, int number, int first_index, FILE *out) {
    const Panel *panel = &figure->panels[number];
    double left = layout->panel_left[number], width = layout->width, from, to;
    fprintf(out, "\n# --- panel %d\nset lmargin at screen %.5f\nset rmargin at screen %.5f\nset title ", number + 1,
            left / width, (left + panel_width(panel)) / width);
    print_quoted(out, panel->title);
    fprintf(out, " noenhanced\n");
    panel_x_range(panel, &from, &to);
    print_axis("x", &panel->x, from, to, panel_width(panel), out);
    panel_y_range(panel, &from, &to);
    print_axis("y", &panel->y, from, to, 0, out);
    bool cells = has_kind(panel, LAYER_CELLS);
    fprintf(out, "set style fill %s noborder\n", cells ? "solid 1" : "transparent solid 0.18");
    if (cells) print_palette(figure, layout, number, out);
    fprintf(out, "plot ");
    for (LayerKind kind = 0; kind < LAYER_KINDS; kind++) {
        for (int i = 0; i < panel->n_layers; i++)
            if (panel->layers[i].kind == kind) print_layer(figure, &panel->layers[i], first_index + i, out);
        for (int i = 0; kind == LAYER_CELLS && i < panel->n_layers && cells_have_room(panel, layout); i++)
            if (panel->layers[i].kind == LAYER_CELLS) print_cell_texts(figure, first_index + i, colours_of(panel), out);
    }
    fprintf(out, "NaN notitle\n"); /* ends the list */
}

/* What a ~/.gnuplot may have changed would change the figure for whoever draws it again: all of it is said here. reset
 * leaves encoding, separator, linetypes and options of terminals as they are. */
static void print_terminal(const Figure *figure, const Layout *layout, FILE *out) {
    fprintf(out, FIGURE_SCRIPT_OPENING " To draw it again, here: gnuplot %s.gp   (as PNG: gnuplot -e png=1 %s.gp)\n",
            figure->name, figure->name);
    fprintf(out, "reset\n"
                 "set encoding utf8\n"
                 "set decimalsign '.'\n"
                 "set datafile separator whitespace\n"
                 "unset monochrome\n"
                 "do for [number = 1:999] { unset linetype number }\n");
    fprintf(out,
            "if (exists('png')) {\n"
            "    set terminal pngcairo size %d,%d enhanced color notransparent nocrop butt solid fontscale 1.8 "
            "linewidth 2 dashlength 1 pointscale 1.8 font 'Arial,12' background '#ffffff'\n"
            "    set output '%s.png'\n"
            "} else {\n"
            "    set terminal svg size %d,%d fixed enhanced butt solid fontscale 1 linewidth 1 font 'Arial,13' "
            "background '#ffffff'\n"
            "    set output '%s.svg'\n"
            "}\n",
            2 * layout->width, 2 * layout->height, figure->name, layout->width, layout->height, figure->name);
}

void figure_print_script(const Figure *figure, FILE *out) {
    Layout layout = layout_of(figure);
    print_terminal(figure, &layout, out);
    fprintf(out, "set minussign\n"
                 "set border 3 linecolor rgb '#555555' linewidth 1\n"
                 "set tics nomirror out scale 0.6 textcolor rgb '#333333'\n"
                 "set grid ytics linecolor rgb '#e6e6e6' linetype 1 linewidth 0.8\n"
                 "set bars small\n"
                 "unset key\n"
                 "set title offset 0,-0.2\n");
    fprintf(out, "set bmargin at screen %.5f\nset tmargin at screen %.5f\nset multiplot\n\n",
            (double)BOTTOM / layout.height, 1 - (double)TOP / layout.height);
    print_legend(figure, &layout, out);
    int index = 0;
    for (int panel = 0; panel < figure->n_panels; panel++) {
        print_panel(figure, &layout, panel, index, out);
        index += figure->panels[panel].n_layers;
        if (panel == 0) fprintf(out, "unset label\nunset arrow\nunset object\n"); /* the legend is drawn once */
    }
    fprintf(out, "unset multiplot\n");
}
