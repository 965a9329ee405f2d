/* Figures of curves against the number of examples, and against the round of correction. See figure_kinds.h. */
#include "analysis/figures/figure_kinds.h"
#include "analysis/figures/palette.h"
#include "analysis/results/released.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PAPER_POINTS = 20, PAPER_LAST = 15 }; /* the paper's x axis */

/* What is drawn beside what, against what. */
typedef struct CurveKind {
    MeasureKind kind;
    int metrics[2]; /* a panel each */
    int first;      /* index; tau is undefined below 2 examples */
    const char *x_label, *prefix;
} CurveKind;

enum { PANELS = 2 };
static const CurveKind by_examples = {MEASURE_EXAMPLES, {METRIC_KENDALL_TAU, METRIC_NMSE}, 2, "number of examples", ""};
static const CurveKind by_rounds = {MEASURE_ROUNDS, {ROUND_NMSE, ROUND_GAIN}, 0, "round of correction", "rounds_"};

static Measure measure_at(const CurveKind *kind, int panel, int index) {
    return (Measure){kind->kind, kind->metrics[panel], index};
}

/* Where captions read the curves. */
static int read_at(const CurveKind *kind, const Summary *summary, const Configuration *base) {
    return kind->kind == MEASURE_ROUNDS ? measure_count(base->series, MEASURE_ROUNDS) - 1
                                        : configuration_at(base, summary->at);
}

static void add_curve(Figure *figure, const CurveKind *kind, const Configuration *configuration, const char *label,
                      uint32_t colour, LineStyle style, bool with_seeds) {
    for (int i = 0; i < PANELS; i++)
        measure_curve(figure, &figure->panels[i], configuration, measure_at(kind, i, kind->first), label, colour, style,
                      with_seeds);
}

/* The two panels. The axis is the paper's where the task is as long as the paper's, else all of it. */
static Figure *begin(FigureSet *set, const CurveKind *kind, const char *name,
                     const Configuration *const *configurations, int n) {
    int points = kind->first + 1;
    bool paper = kind->kind == MEASURE_EXAMPLES;
    for (int i = 0; i < n; i++) {
        int count = measure_count(configurations[i]->series, kind->kind);
        if (count > points) points = count;
        paper = paper && count == PAPER_POINTS;
    }
    char full[FIGURE_NAME_BYTES];
    snprintf(full, sizeof full, "%s%s", kind->prefix, name);
    Figure *figure = figure_begin(set, full);
    for (int i = 0; figure != NULL && i < PANELS; i++) {
        Panel *panel = measure_panel(figure, measure_at(kind, i, 0), kind->x_label);
        panel->x.counts = true;
        panel->x.from = kind->first;
        panel->x.to = paper ? PAPER_LAST : points > kind->first + 1 ? points - 1 : kind->first + 1;
    }
    return figure;
}

static void finish_caption(Figure *figure, const CurveKind *kind, const Summary *summary, const Slice *slice) {
    const Configuration *base = slice->base;
    slice_caption(figure, summary, slice, NULL);
    figure_caption(figure, "Lines: means over seeds; bands: 95 %% t intervals. ");
    if (kind->kind == MEASURE_EXAMPLES && figure->panels[0].x.to == PAPER_LAST &&
        measure_count(base->series, MEASURE_EXAMPLES) == PAPER_POINTS)
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
        add_curve(figure, &by_examples, references[0], "", COLOUR_GREY, LINE_DASHED, false);
        figure_key(figure, KEY_LINE, LINE_DASHED, COLOUR_GREY, "gd");
        return;
    }
    for (int i = 0; i < slice->n; i++)
        if (references[i] != NULL)
            add_curve(figure, &by_examples, references[i], "", axis_colour(slice->axis, i, slice->n), LINE_DASHED,
                      false);
    figure_gap(figure);
    figure_key(figure, KEY_LINE, LINE_SOLID, COLOUR_GREY, "model");
    figure_key(figure, KEY_LINE, LINE_DASHED, COLOUR_GREY, "gd");
}

/* The released model's curves beside those of a slice over quality, where its models are that one. */
static void add_released(Figure *figure, const Slice *slice) {
    bool any = false;
    for (int i = 0; i < slice->n; i++) {
        const Settings *settings = &slice->members[i]->series->settings;
        const ReleasedCurve *curve = released_curve(settings);
        if (curve == NULL) continue;
        any = true;
        for (int panel = 0; panel < PANELS; panel++) {
            if (by_examples.metrics[panel] != METRIC_NMSE) continue;
            Layer *layer =
                figure_layer(figure, &figure->panels[panel], LAYER_LINES, axis_colour(slice->axis, i, slice->n),
                             "released model, quality %g", settings->critic.quality);
            if (layer != NULL) layer->style = LINE_DOTTED;
            for (int at = RELEASED_FIRST; at <= RELEASED_LAST; at++)
                figure_datum(figure, layer, at, curve->nmse[at - RELEASED_FIRST], NAN, NAN);
        }
    }
    if (!any) return;
    figure_key(figure, KEY_LINE, LINE_DOTTED, COLOUR_GREY, "released, 1 run");
    figure_caption(figure, "Dotted: the model that the paper's authors released, one run. ");
}

/* A curve for every member of a slice, the last value first where values have an order. */
static void add_slice_figure(FigureSet *set, const CurveKind *kind, const Summary *summary, const Slice *slice) {
    char axis[64], labels[SLICE_MAX][FIGURE_TEXT_BYTES];
    bool quality = setting_is_quality(slice->axis), downwards = setting_is_ordered(slice->axis);
    slice_axis_name(slice->axis, axis, sizeof axis);
    Figure *figure = begin(set, kind, quality ? "quality" : axis, slice->members, slice->n);
    if (figure == NULL) return;
    bool rounds = kind->kind == MEASURE_ROUNDS;
    snprintf(figure->title, sizeof figure->title, rounds ? "Rounds of self-correction, by %s" : "Examples, by %s",
             axis);
    figure_key(figure, KEY_TEXT, LINE_SOLID, 0, "%s", axis);
    for (int j = 0; j < slice->n; j++) {
        int i = downwards ? slice->n - 1 - j : j;
        slice_label(summary, slice, i, labels[i], sizeof labels[i]);
        figure_key(figure, KEY_LINE, LINE_SOLID, axis_colour(slice->axis, i, slice->n), "%s", labels[i]);
        add_curve(figure, kind, slice->members[i], labels[i], axis_colour(slice->axis, i, slice->n), LINE_SOLID, true);
    }
    for (int i = 0; i < slice->n; i++) {
        char named[FIGURE_TEXT_BYTES];
        snprintf(named, sizeof named, "%s %s", axis, labels[i]);
        memcpy(labels[i], named, sizeof named);
    }
    for (int i = 0; i < PANELS; i++)
        extremes_caption(figure, measure_at(kind, i, read_at(kind, summary, slice->base)), slice->members, labels,
                         slice->n);
    finish_caption(figure, kind, summary, slice);
    if (!rounds) add_references(figure, summary, slice);
    if (!rounds && quality) add_released(figure, slice);
    figure_gap(figure);
    seeds_key(figure, slice->members, slice->n);
    figure_end(set, figure);
}

/* The model and every baseline on the same prompts. */
static void add_predictors(FigureSet *set, const Summary *summary, const Configuration *base) {
    const CurveKind *kind = &by_examples;
    const Configuration *shown[PREDICTOR_COUNT] = {base};
    char labels[PREDICTOR_COUNT][FIGURE_TEXT_BYTES];
    int n = 1;
    for (Predictor predictor = PREDICTOR_GD; predictor < PREDICTOR_COUNT; predictor++) {
        const Configuration *baseline = configuration_beside(summary, base, predictor);
        if (baseline != NULL) shown[n++] = baseline;
    }
    if (n < 3) return; /* gd alone is in the other figures */
    Figure *figure = begin(set, kind, "predictors", shown, n);
    if (figure == NULL) return;
    snprintf(figure->title, sizeof figure->title, "The model beside gradient descent and what only looks like it");
    figure_key(figure, KEY_TEXT, LINE_SOLID, 0, "predictor");
    for (int i = 0; i < n; i++) {
        Predictor predictor = shown[i]->series->predictor;
        uint32_t colour = predictor == PREDICTOR_MODEL ? 0x000000 : colour_distinct((int)predictor - 1);
        LineStyle style = predictor == PREDICTOR_MODEL ? LINE_SOLID : LINE_DASHED;
        snprintf(labels[i], sizeof labels[i], "%s", predictor_name(predictor));
        figure_key(figure, KEY_LINE, style, colour, "%s", labels[i]);
        add_curve(figure, kind, shown[i], "", colour, style, predictor == PREDICTOR_MODEL);
    }
    figure_gap(figure);
    seeds_key(figure, shown, 1);
    for (int i = 0; i < PANELS; i++)
        extremes_caption(figure, measure_at(kind, i, read_at(kind, summary, base)), shown, labels, n);
    finish_caption(figure, kind, summary, &(Slice){.base = base, .n = 1, .members = {base}});
    figure_end(set, figure);
}

static void add_slices(FigureSet *set, const CurveKind *kind, const Summary *summary, const Families *families,
                       const Configuration *base) {
    Slice slices[AXES_MAX], quality = slice_along(summary, families, base, settings_find("evaluate.critique_quality"));
    int n = slices_of_axes(summary, families, base, false, slices);
    add_slice_figure(set, kind, summary, &quality); /* drawn even if it does not vary */
    if (kind->kind == MEASURE_EXAMPLES) add_predictors(set, summary, base);
    for (int i = 0; i < n; i++)
        if (!setting_is_quality(slices[i].axis)) add_slice_figure(set, kind, summary, &slices[i]);
}

void figure_curves(FigureSet *set, const Summary *summary, const Families *families) {
    const Configuration *base = slice_base(summary, families);
    if (base == NULL) return;
    add_slices(set, &by_examples, summary, families, base);
    if (measure_count(base->series, MEASURE_ROUNDS) > 0) add_slices(set, &by_rounds, summary, families, base);
}
