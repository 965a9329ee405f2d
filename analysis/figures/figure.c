/* See figure.h. */
#include "analysis/figures/figure.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double farthest = 1e100; /* that is still drawn */

/* --- filling ---------------------------------------------------------------------------------------------------- */

Figure *figure_create(const char *name) {
    Figure *figure = calloc(1, sizeof *figure);
    if (figure == NULL) return NULL;
    snprintf(figure->name, sizeof figure->name, "%s", name);
    for (char *c = figure->name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("_.-", *c) == NULL) *c = '_';
    return figure;
}

static void panel_free(Panel *panel) {
    for (int i = 0; i < panel->n_layers; i++)
        free(panel->layers[i].data);
    free(panel->layers);
    free(panel->x.ticks);
    free(panel->y.ticks);
}

void figure_free(Figure *figure) {
    if (figure == NULL) return;
    for (int i = 0; i < figure->n_panels; i++)
        panel_free(&figure->panels[i]);
    free(figure->keys);
    free(figure);
}

bool figure_is_whole(const Figure *figure) {
    return !figure->no_memory;
}

bool figure_has_data(const Figure *figure) {
    for (int i = 0; i < figure->n_panels; i++)
        for (int j = 0; j < figure->panels[i].n_layers; j++)
            for (int k = 0; k < figure->panels[i].layers[j].n; k++)
                if (isfinite(figure->panels[i].layers[j].data[k].y)) return true;
    return false;
}

/* A zeroed place at the end of an array whose capacity is the next power of two; NULL: no memory. */
static void *grow(Figure *figure, void *array, int *count, size_t element_bytes) {
    char **elements = array;
    if ((*count & (*count - 1)) == 0) {
        size_t capacity = *count == 0 ? 1 : 2 * (size_t)*count;
        char *grown = realloc(*elements, capacity * element_bytes);
        if (grown == NULL) {
            figure->no_memory = true;
            return NULL;
        }
        *elements = grown;
    }
    return memset(*elements + (size_t)(*count)++ * element_bytes, 0, element_bytes);
}

static Axis free_axis(const char *label) {
    Axis axis = {.from = NAN, .to = NAN, .show_from = NAN, .show_to = NAN, .bound_from = NAN, .bound_to = NAN};
    snprintf(axis.label, sizeof axis.label, "%s", label);
    return axis;
}

Panel *figure_panel(Figure *figure, const char *title, const char *x_label) {
    assert(figure->n_panels < PANELS_MAX);
    Panel *panel = &figure->panels[figure->n_panels++];
    snprintf(panel->title, sizeof panel->title, "%s", title);
    panel->x = free_axis(x_label);
    panel->y = free_axis("");
    panel->colours = (ColourScale){.from = NAN, .to = NAN};
    return panel;
}

Layer *figure_layer(Figure *figure, Panel *panel, LayerKind kind, uint32_t colour, const char *note, ...) {
    Layer *layer = grow(figure, &panel->layers, &panel->n_layers, sizeof *panel->layers);
    if (layer == NULL) return NULL;
    layer->kind = kind;
    layer->colour = colour;
    va_list arguments;
    va_start(arguments, note);
    vsnprintf(layer->note, sizeof layer->note, note, arguments);
    va_end(arguments);
    return layer;
}

/* Nothing can be drawn at infinity, nor so far out that the range of an axis is none: undefined. */
static double drawable(double value) {
    return fabs(value) < farthest ? value : NAN;
}

void figure_datum(Figure *figure, Layer *layer, double x, double y, double low, double high) {
    if (layer == NULL) return;
    Datum *datum = grow(figure, &layer->data, &layer->n, sizeof *layer->data);
    if (datum != NULL) *datum = (Datum){drawable(x), drawable(y), drawable(low), drawable(high)};
}

void figure_tick(Figure *figure, Axis *axis, double at, const char *text) {
    Tick *tick = grow(figure, &axis->ticks, &axis->n_ticks, sizeof *axis->ticks);
    if (tick == NULL) return;
    tick->at = at;
    snprintf(tick->text, sizeof tick->text, "%s", text);
}

void figure_key(Figure *figure, KeyKind kind, LineStyle style, uint32_t colour, const char *text, ...) {
    Key *key = grow(figure, &figure->keys, &figure->n_keys, sizeof *figure->keys);
    if (key == NULL) return;
    *key = (Key){.kind = kind, .style = style, .colour = colour};
    va_list arguments;
    va_start(arguments, text);
    vsnprintf(key->text, sizeof key->text, text, arguments);
    va_end(arguments);
}

void figure_gap(Figure *figure) {
    figure_key(figure, KEY_GAP, LINE_SOLID, 0, "%s", "");
}

void figure_caption(Figure *figure, const char *text, ...) {
    size_t used = strlen(figure->caption);
    va_list arguments;
    va_start(arguments, text);
    vsnprintf(figure->caption + used, sizeof figure->caption - used, text, arguments);
    va_end(arguments);
}

/* --- ranges ----------------------------------------------------------------------------------------------------- */

typedef struct Range {
    double from, to; /* from > to: nothing yet */
} Range;

static void widen(Range *range, double value) {
    if (!isfinite(value)) return;
    range->from = fmin(range->from, value);
    range->to = fmax(range->to, value);
}

/* Where a datum's marks are along an axis, and where its band or bar ends. */
static void widen_by(const Layer *layer, const Datum *datum, bool along_x, Range *marks, Range *spread) {
    double half = layer->kind == LAYER_CELLS || (layer->kind == LAYER_BARS && !along_x) ? 0.5 : 0;
    double place = along_x ? datum->x : datum->y;
    if (layer->kind == LAYER_BARS && along_x) widen(marks, 0);
    if (layer->kind != LAYER_BANDS || along_x) {
        widen(marks, place - half);
        widen(marks, place + half);
    }
    bool spreads = layer->kind == LAYER_BANDS || layer->kind == LAYER_INTERVALS;
    if (!spreads || layer->flat != along_x) return;
    widen(spread, datum->low);
    widen(spread, datum->high);
}

/* How far bands and bars may reach past the lines and points, in their span: bars are thin and few, and one that is cut
 * off says less than it seems to. */
static const double BAND_REACH = 0.5, BAR_REACH = 1;

/* Whether a span is too small beside its values to be told from none, by whoever reads ticks of six digits. */
static bool is_one_value(Range range) {
    return !(range.to - range.from > 1e-6 * fmax(fabs(range.from), fabs(range.to)));
}

static void axis_range(const Panel *panel, const Axis *axis, bool along_x, double *from, double *to) {
    Range marks = {INFINITY, -INFINITY}, spread = marks;
    double reach = BAND_REACH;
    for (int i = 0; i < panel->n_layers; i++)
        for (int j = 0; j < panel->layers[i].n; j++) {
            const Datum *datum = &panel->layers[i].data[j];
            if (panel->layers[i].kind == LAYER_INTERVALS) reach = BAR_REACH;
            if (!along_x && (datum->x < panel->x.from || datum->x > panel->x.to)) continue; /* not shown */
            widen_by(&panel->layers[i], datum, along_x, &marks, &spread);
        }
    widen(&marks, axis->show_from);
    widen(&marks, axis->show_to);
    if (!(marks.from <= marks.to)) marks = (Range){0, 1};
    double span = marks.to - marks.from;
    if (spread.from < marks.from) marks.from = fmax(spread.from, marks.from - reach * span);
    if (spread.to > marks.to) marks.to = fmin(spread.to, marks.to + reach * span);
    bool cells = panel->n_layers > 0 && panel->layers[0].kind == LAYER_CELLS;
    bool tiled = cells || (panel->n_layers > 0 && panel->layers[0].kind == LAYER_BARS && !along_x);
    double margin = tiled ? 0 : 0.02 * (marks.to - marks.from);
    if (axis->scale != SCALE_LINEAR && marks.from > 0) {
        double factor = pow(marks.to / marks.from, 0.04);
        if (is_one_value(marks)) factor = 1.5;
        marks = (Range){marks.from / factor, marks.to * factor};
    } else {
        if (is_one_value(marks)) margin = fmax(fabs(marks.to) * 0.1, 1e-6);
        marks = (Range){marks.from - margin, marks.to + margin};
    }
    if (marks.from < axis->bound_from) marks.from = axis->bound_from;
    if (marks.to > axis->bound_to) marks.to = axis->bound_to;
    *from = isnan(axis->from) ? marks.from : axis->from;
    *to = isnan(axis->to) ? marks.to : axis->to;
}

void panel_x_range(const Panel *panel, double *from, double *to) {
    axis_range(panel, &panel->x, true, from, to);
}

void panel_y_range(const Panel *panel, double *from, double *to) {
    axis_range(panel, &panel->y, false, from, to);
}
