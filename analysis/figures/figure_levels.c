/* Figures of a metric against an ordered axis. See figure_kinds.h. */
#include "analysis/figures/figure_kinds.h"
#include "analysis/figures/palette.h"

#include <math.h>
#include <stdio.h>

enum { QUALITIES_MAX = 5, SEED_POINTS_MAX = 60 };

/* The configurations of one line: an axis value each, ascending; NULL: the grid has none. */
typedef struct Line {
    const Configuration *at[SLICE_MAX];
} Line;

/* values moved aside by a share of the axis, so that the marks of several lines stand beside each other. */
static void dodge(const Panel *panel, const double *values, int n, double share, double *moved) {
    for (int i = 0; i < n; i++)
        moved[i] = panel->x.scale == SCALE_LINEAR ? values[i] + share * (values[n - 1] - values[0])
                                                  : values[i] * pow(values[n - 1] / values[0], share);
}

static void add_line(Figure *figure, Panel *panel, Measure measure, const Line *line, const double *values, int n,
                     uint32_t colour, LineStyle style, const char *note) {
    bool with_seeds = style == LINE_SOLID;
    Layer *layer = figure_layer(figure, panel, LAYER_LINES, colour, "%s, mean over seeds", note);
    if (layer != NULL) layer->style = style == LINE_SOLID ? LINE_THIN : style;
    for (int i = 0; i < n; i++)
        figure_datum(figure, layer, values[i], line->at[i] != NULL ? measure_interval(line->at[i], measure).mean : NAN,
                     NAN, NAN);
    if (!with_seeds) return;
    layer = figure_layer(figure, panel, LAYER_POINTS, colour, "%s, every seed", note);
    for (int i = 0; i < n; i++)
        for (int seed = 0; line->at[i] != NULL && seed < line->at[i]->n_series && seed < SEED_POINTS_MAX; seed++)
            figure_datum(figure, layer, values[i], measure_of(&line->at[i]->series[seed], measure), NAN, NAN);
    layer = figure_layer(figure, panel, LAYER_INTERVALS, colour, "%s, mean and 95 %% t interval", note);
    for (int i = 0; i < n; i++) {
        if (line->at[i] == NULL) continue;
        MeanInterval interval = measure_interval(line->at[i], measure);
        if (interval.n > 0)
            figure_datum(figure, layer, values[i], interval.mean, interval.n > 1 ? interval.low : interval.mean,
                         interval.n > 1 ? interval.high : interval.mean);
    }
}

/* The members of a slice, at a quality unless that is the axis. Returns whether there is any. */
static bool line_along(const Summary *summary, const Slice *slice, double quality, Line *line) {
    const Setting *setting = settings_find("evaluate.critique_quality");
    bool any = false;
    for (int i = 0; i < slice->n; i++) {
        line->at[i] =
            slice->axis == setting ? slice->members[i] : slice_with(summary, slice->members[i], setting, quality);
        any = any || line->at[i] != NULL;
    }
    return any;
}

/* What a figure over an axis is made of. */
typedef struct Plan {
    const Summary *summary;
    const Slice *slice;
    const Setting *axis;
    const Measure *measures; /* (n_measures) a panel each */
    int n_measures, n;
    double values[SLICE_MAX], places[SLICE_MAX]; /* (n) of the axis, ascending; where they stand on it */
} Plan;

/* share: by which part of the axis the line is moved aside. */
static void add_to_panels(Figure *figure, const Plan *plan, const Line *line, double share, uint32_t colour,
                          LineStyle style, const char *note) {
    double places[SLICE_MAX];
    for (int i = 0; i < plan->n_measures; i++) {
        dodge(&figure->panels[i], plan->places, plan->n, share, places);
        add_line(figure, &figure->panels[i], plan->measures[i], line, places, plan->n, colour, style, note);
    }
}

/* gd under the critics of a line of models, dashed. */
static void add_gd(Figure *figure, const Plan *plan, const Line *models) {
    Line gd = {{NULL}};
    bool any = false;
    for (int i = 0; i < plan->n; i++) {
        if (models->at[i] != NULL) gd.at[i] = configuration_beside(plan->summary, models->at[i], PREDICTOR_GD);
        any = any || (gd.at[i] != NULL && !isnan(measure_of(gd.at[i]->series, plan->measures[0])));
    }
    if (!any) return;
    add_to_panels(figure, plan, &gd, 0, COLOUR_GREY, LINE_DASHED, "gd");
    figure_key(figure, KEY_LINE, LINE_DASHED, COLOUR_GREY, "gd");
    figure_caption(figure, "Dashed: gd, gradient descent on the same examples, under the best critic. ");
}

/* The smallest distance of two neighbouring places, as a share of an axis of that scale. */
static double smallest_gap(const Plan *plan, AxisScale scale) {
    double from = plan->places[0], to = plan->places[plan->n - 1], smallest = 1;
    for (int i = 1; i < plan->n; i++) {
        double gap = (plan->places[i] - plan->places[i - 1]) / (to - from);
        if (scale != SCALE_LINEAR) gap = log(plan->places[i] / plan->places[i - 1]) / log(to / from);
        smallest = fmin(smallest, gap);
    }
    return smallest;
}

/* A line per quality, best first, or one line if the axis is quality itself. */
static void add_lines(Figure *figure, const Plan *plan) {
    const Setting *quality = settings_find("evaluate.critique_quality");
    double qualities[QUALITIES_MAX] = {NAN};
    bool over_quality = setting_is_quality(plan->axis);
    int left_out, n = over_quality ? 1 : slice_values(plan->summary, quality, qualities, QUALITIES_MAX, &left_out);
    if (n > 1) figure_key(figure, KEY_TEXT, LINE_SOLID, 0, "critique quality q");
    Line best = {{NULL}};
    bool found = false;
    /* A value's lines stay nearer to it than to the next. */
    double step = fmin(0.014, 0.5 * smallest_gap(plan, figure->panels[0].x.scale) / n);
    for (int i = n - 1; i >= 0; i--) {
        uint32_t colour = n > 1 ? axis_colour(quality, i, n) : colour_distinct(0);
        Line line = {{NULL}};
        if (!line_along(plan->summary, plan->slice, qualities[i], &line)) continue;
        char label[64] = "model";
        if (n > 1) setting_format(quality, qualities[i], label, sizeof label);
        add_to_panels(figure, plan, &line, step * (i - (n - 1) / 2.0), colour, LINE_SOLID, label);
        figure_key(figure, KEY_INTERVAL, LINE_SOLID, colour, "%s", label);
        if (!found) best = line;
        found = true;
    }
    add_gd(figure, plan, &best);
    figure_key(figure, KEY_POINT, LINE_SOLID, COLOUR_GREY, "one seed");
}

static void add_figure(FigureSet *set, Plan *plan) {
    char name[64], full[FIGURE_NAME_BYTES], place[48];
    slice_axis_name(plan->axis, name, sizeof name);
    snprintf(full, sizeof full, "%s_%s_%d", setting_is_quality(plan->axis) ? "quality" : name,
             plan->measures[0].kind == MEASURE_ROUNDS ? "after" : "at", plan->measures[0].index);
    Figure *figure = figure_begin(set, full);
    if (figure == NULL) return;
    measure_place(plan->measures[0], place);
    snprintf(figure->title, sizeof figure->title, "%s, %s", name, place);
    figure_caption(figure, "The metrics %s against %s. Circles: seeds; dots and bars: means with 95 %% t intervals. ",
                   place, name);
    slice_caption(figure, plan->summary, plan->slice, settings_find("evaluate.critique_quality"));
    bool apart = true;
    for (int i = 0; i < plan->n_measures; i++)
        apart = setting_scale(figure, &measure_panel(figure, plan->measures[i], name)->x, plan->axis, plan->values,
                              plan->n, plan->places);
    if (!apart) figure_caption(figure, "Values that hardly differ are spaced evenly. ");
    add_lines(figure, plan);
    figure_end(set, figure);
}

static void add_figures(FigureSet *set, const Summary *summary, const Slice *slices, int n, const Measure measures[2]) {
    for (int i = 0; i < n; i++) {
        Plan plan = {.summary = summary,
                     .slice = &slices[i],
                     .axis = slices[i].axis,
                     .measures = measures,
                     .n_measures = 2,
                     .n = slices[i].n};
        for (int j = 0; j < plan.n; j++)
            plan.values[j] = setting_get(plan.axis, &slices[i].members[j]->series->settings);
        add_figure(set, &plan);
    }
}

void figure_levels(FigureSet *set, const Summary *summary, const Families *families) {
    const Configuration *base = slice_base(summary, families);
    if (base == NULL) return;
    Slice slices[AXES_MAX];
    int n = slices_of_axes(summary, families, base, true, slices);
    int at = configuration_at(base, summary->at), last = measure_count(base->series, MEASURE_ROUNDS) - 1;
    add_figures(set, summary, slices, n,
                (Measure[]){{MEASURE_EXAMPLES, METRIC_KENDALL_TAU, at}, {MEASURE_EXAMPLES, METRIC_NMSE, at}});
    if (last > 0)
        add_figures(set, summary, slices, n,
                    (Measure[]){{MEASURE_ROUNDS, ROUND_GAIN, last}, {MEASURE_ROUNDS, ROUND_NMSE, last}});
}
