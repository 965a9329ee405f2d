/* Figures of curves against the number of examples. See figure_kinds.h. */
#include "analysis/figure_kinds.h"
#include "analysis/palette.h"
#include "analysis/released.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_EXAMPLES = 2, PAPER_POINTS = 20, PAPER_LAST = 15 }; /* tau is undefined below 2; the paper's x axis */

/* What is drawn beside what. */
static const Metric panel_metrics[] = {METRIC_KENDALL_TAU, METRIC_NMSE};
enum { PANELS = sizeof panel_metrics / sizeof panel_metrics[0] };

static Measure measure_at(Metric metric, int examples) {
    return (Measure){MEASURE_EXAMPLES, (int)metric, examples};
}

/* The mean over seeds as a line; with_seeds: behind it the interval, or each seed where there are too few for one. */
static void add_curve(Figure *figure, const Configuration *configuration, const char *label, uint32_t colour,
                      LineStyle style, bool with_seeds) {
    const char *predictor = predictor_name(configuration->series->predictor);
    int count = measure_count(configuration->series, MEASURE_EXAMPLES), seeds = configuration->n_series;
    for (int i = 0; i < PANELS; i++) {
        Panel *panel = &figure->panels[i];
        Layer *layer = NULL;
        if (with_seeds && seeds >= BAND_SEEDS) {
            layer = figure_layer(figure, panel, LAYER_BANDS, colour, "%s %s, 95 %% t interval over %d seeds", predictor,
                                 label, seeds);
            for (int at = FIRST_EXAMPLES; at < count; at++) {
                MeanInterval interval = measure_interval(configuration, measure_at(panel_metrics[i], at));
                figure_datum(figure, layer, at, interval.mean, interval.low, interval.high);
            }
        }
        for (int seed = 0; with_seeds && seeds > 1 && seeds < BAND_SEEDS && seed < seeds; seed++) {
            const Series *series = &configuration->series[seed];
            layer = figure_layer(figure, panel, LAYER_LINES, colour, "%s %s, seed %u", predictor, label,
                                 series->settings.training.seed);
            if (layer != NULL) layer->style = LINE_THIN;
            for (int at = FIRST_EXAMPLES; at < count; at++)
                figure_datum(figure, layer, at, measure_of(series, measure_at(panel_metrics[i], at)), NAN, NAN);
        }
        layer = figure_layer(figure, panel, LAYER_LINES, colour, "%s %s, mean over %d seeds and 95 %% t interval",
                             predictor, label, seeds);
        if (layer != NULL) layer->style = style;
        for (int at = FIRST_EXAMPLES; at < count; at++) {
            MeanInterval interval = measure_interval(configuration, measure_at(panel_metrics[i], at));
            figure_datum(figure, layer, at, interval.mean, interval.low, interval.high);
        }
    }
}

/* The two panels. The axis is the paper's where the task is as long as the paper's, else all of it. */
static Figure *begin(FigureSet *set, const char *name, const Configuration *const *configurations, int n) {
    int points = FIRST_EXAMPLES + 1;
    bool paper = true;
    for (int i = 0; i < n; i++) {
        int count = measure_count(configurations[i]->series, MEASURE_EXAMPLES);
        if (count > points) points = count;
        paper = paper && count == PAPER_POINTS;
    }
    Figure *figure = figure_begin(set, name);
    for (int i = 0; figure != NULL && i < PANELS; i++) {
        Panel *panel = measure_panel(figure, measure_at(panel_metrics[i], 0), "number of examples");
        panel->x.from = FIRST_EXAMPLES;
        panel->x.to = paper ? PAPER_LAST : points - 1;
    }
    return figure;
}

static void finish_caption(Figure *figure, const Summary *summary, const Configuration *base, const Setting *skip) {
    char fixed[256];
    series_label(summary->table, base->series, skip, fixed, sizeof fixed);
    if (fixed[0] != '\0') figure_caption(figure, "Fixed: %s. ", fixed);
    figure_caption(figure, "Lines: means over seeds; bands: 95 %% t intervals. ");
    if (figure->panels[0].x.to == PAPER_LAST && measure_count(base->series, MEASURE_EXAMPLES) == PAPER_POINTS)
        figure_caption(figure, "The x axis is the paper's; the data go on to %d. ", PAPER_POINTS - 1);
}

/* gd beside every model: dashed in its colour, or once in grey where all have the same. */
static void add_references(Figure *figure, const Summary *summary, const Slice *slice) {
    const Configuration *references[SLICE_MAX];
    bool same = true, any = false;
    for (int i = 0; i < slice->n; i++) {
        references[i] = configuration_beside(summary, slice->members[i], PREDICTOR_GD);
        same = same && references[i] == references[0];
        any = any || references[i] != NULL;
    }
    if (!any) return;
    figure_caption(figure, "Dashed: gd, gradient descent on the same examples. ");
    if (same && slice->n > 1) {
        add_curve(figure, references[0], "", COLOUR_GREY, LINE_DASHED, false);
        figure_key(figure, KEY_LINE, LINE_DASHED, COLOUR_GREY, "gd");
        return;
    }
    for (int i = 0; i < slice->n; i++)
        if (references[i] != NULL)
            add_curve(figure, references[i], "", axis_colour(slice->axis, i, slice->n), LINE_DASHED, false);
    figure_gap(figure);
    figure_key(figure, KEY_LINE, LINE_SOLID, COLOUR_GREY, "model");
    figure_key(figure, KEY_LINE, LINE_DASHED, COLOUR_GREY, "gd");
}

/* The released model's curves beside those of a slice over quality. */
static void add_released(Figure *figure, const Configuration *base, const Slice *slice) {
    ReleasedScale scale = released_scale(&base->series->settings);
    bool any = false;
    for (int i = 0; i < slice->n && scale != RELEASED_UNRELATED; i++) {
        double quality = setting_get(slice->axis, &slice->members[i]->series->settings);
        const ReleasedCurve *curve = released_curve(quality);
        if (curve == NULL) continue;
        any = true;
        for (int panel = 0; panel < PANELS; panel++) {
            if (panel_metrics[panel] != METRIC_NMSE) continue;
            Layer *layer = figure_layer(figure, &figure->panels[panel], LAYER_LINES,
                                        axis_colour(slice->axis, i, slice->n), "released model, quality %g", quality);
            if (layer != NULL) layer->style = LINE_DOTTED;
            for (int at = RELEASED_FIRST; at <= RELEASED_LAST; at++)
                figure_datum(figure, layer, at, curve->nmse[at - RELEASED_FIRST], NAN, NAN);
        }
    }
    if (!any) return;
    figure_key(figure, KEY_LINE, LINE_DOTTED, COLOUR_GREY, "released, 1 run");
    if (scale == RELEASED_OTHER) figure_key(figure, KEY_NOTE, LINE_SOLID, 0, "(20 layers)");
    figure_caption(figure, "Dotted: the paper's released 20-layer model, one run%s. ",
                   scale == RELEASED_OTHER ? ", at another scale than the models here" : "");
}

/* A curve for every member of a slice, the last value first where values have an order. */
static void add_slice_figure(FigureSet *set, const Summary *summary, const Configuration *base, const Slice *slice) {
    char axis[64], labels[SLICE_MAX][FIGURE_TEXT_BYTES];
    bool quality = setting_is_quality(slice->axis), downwards = setting_is_ordered(slice->axis);
    slice_axis_name(slice->axis, axis, sizeof axis);
    Figure *figure = begin(set, quality ? "quality" : axis, slice->members, slice->n);
    if (figure == NULL) return;
    snprintf(figure->title, sizeof figure->title, "%s", axis);
    if (quality) snprintf(figure->title, sizeof figure->title, "What the critic's quality is worth");
    figure_key(figure, KEY_TEXT, LINE_SOLID, 0, "%s", axis);
    for (int j = 0; j < slice->n; j++) {
        int i = downwards ? slice->n - 1 - j : j;
        slice_label(summary, slice, i, labels[i], sizeof labels[i]);
        figure_key(figure, KEY_LINE, LINE_SOLID, axis_colour(slice->axis, i, slice->n), "%s", labels[i]);
        add_curve(figure, slice->members[i], labels[i], axis_colour(slice->axis, i, slice->n), LINE_SOLID, true);
    }
    for (int i = 0; i < slice->n; i++) {
        char named[FIGURE_TEXT_BYTES];
        snprintf(named, sizeof named, "%s %s", axis, labels[i]);
        memcpy(labels[i], named, sizeof named);
    }
    for (int i = 0; i < PANELS; i++)
        extremes_caption(figure, measure_at(panel_metrics[i], configuration_at(base, summary->at)), slice->members,
                         labels, slice->n);
    finish_caption(figure, summary, base, slice->axis);
    if (slice->left_out > 0) figure_caption(figure, "%d further values are not drawn. ", slice->left_out);
    add_references(figure, summary, slice);
    if (quality) add_released(figure, base, slice);
    figure_gap(figure);
    seeds_key(figure, slice->members, slice->n);
    figure_end(set, figure);
}

/* The model and every baseline on the same prompts. */
static void add_predictors(FigureSet *set, const Summary *summary, const Configuration *base) {
    const Configuration *shown[PREDICTOR_COUNT] = {base};
    char labels[PREDICTOR_COUNT][FIGURE_TEXT_BYTES];
    int n = 1;
    for (Predictor predictor = PREDICTOR_GD; predictor < PREDICTOR_COUNT; predictor++) {
        const Configuration *baseline = configuration_beside(summary, base, predictor);
        if (baseline != NULL) shown[n++] = baseline;
    }
    if (n < 3) return; /* gd alone is in the other figures */
    Figure *figure = begin(set, "predictors", shown, n);
    if (figure == NULL) return;
    snprintf(figure->title, sizeof figure->title, "The model beside gradient descent and what only looks like it");
    figure_key(figure, KEY_TEXT, LINE_SOLID, 0, "predictor");
    for (int i = 0; i < n; i++) {
        Predictor predictor = shown[i]->series->predictor;
        uint32_t colour = predictor == PREDICTOR_MODEL ? 0x000000 : colour_distinct((int)predictor - 1);
        LineStyle style = predictor == PREDICTOR_MODEL ? LINE_SOLID : LINE_DASHED;
        snprintf(labels[i], sizeof labels[i], "%s", predictor_name(predictor));
        figure_key(figure, KEY_LINE, style, colour, "%s", labels[i]);
        add_curve(figure, shown[i], "", colour, style, predictor == PREDICTOR_MODEL);
    }
    figure_gap(figure);
    seeds_key(figure, shown, 1);
    for (int i = 0; i < PANELS; i++)
        extremes_caption(figure, measure_at(panel_metrics[i], configuration_at(base, summary->at)), shown, labels, n);
    finish_caption(figure, summary, base, NULL);
    figure_end(set, figure);
}

void figure_curves(FigureSet *set, const Summary *summary) {
    const Configuration *base = slice_base(summary);
    if (base == NULL) return;
    const Table *table = summary->table;
    Slice drawn[AXES_MAX], slice = slice_along(summary, base, settings_find("evaluate.critique_quality"));
    int n_drawn = 0;
    add_slice_figure(set, summary, base, &slice); /* drawn even if it does not vary */
    add_predictors(set, summary, base);
    for (int i = 0; i < table->n_axes; i++) {
        if (setting_is_quality(table->axes[i]) || !setting_applies(table->axes[i], PREDICTOR_MODEL)) continue;
        slice = slice_along(summary, base, table->axes[i]);
        bool seen = slice.n < 2;
        for (int j = 0; j < n_drawn && !seen; j++)
            seen = slice_same(&drawn[j], &slice); /* axes that only move together are one figure */
        if (seen) continue;
        drawn[n_drawn++] = slice;
        add_slice_figure(set, summary, base, &slice);
    }
}
