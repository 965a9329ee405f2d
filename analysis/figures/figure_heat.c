/* Figures of a metric over two axes. See figure_kinds.h. */
#include "analysis/figures/figure_kinds.h"
#include "analysis/figures/palette.h"

#include <math.h>
#include <stdio.h>

enum { QUALITIES_MAX = 20 };

static void tick_values(Figure *figure, Axis *axis, const Setting *setting, const double *values, int n) {
    for (int i = 0; i < n; i++) {
        char text[64];
        figure_tick(figure, axis, i, setting_format(setting, values[i], text, sizeof text));
    }
}

/* One metric: columns the members of a slice, rows their qualities. */
static void add_map(Figure *figure, const Summary *summary, const Slice *slice, const double *columns,
                    const double *qualities, int n_qualities, Measure measure) {
    const Setting *quality = settings_find("evaluate.critique_quality");
    char x[64], y[64];
    Panel *panel = figure_panel(figure, measure_title(measure), slice_axis_name(slice->axis, x, sizeof x));
    snprintf(panel->y.label, sizeof panel->y.label, "%s", slice_axis_name(quality, y, sizeof y));
    tick_values(figure, &panel->x, slice->axis, columns, slice->n);
    tick_values(figure, &panel->y, quality, qualities, n_qualities);
    Layer *layer =
        figure_layer(figure, panel, LAYER_CELLS, 0, "mean over seeds (column low) by %s (x) and %s (y)", x, y);
    for (int column = 0; column < slice->n; column++)
        for (int row = 0; row < n_qualities; row++) {
            const Configuration *configuration = slice_with(summary, slice->members[column], quality, qualities[row]);
            double mean = configuration != NULL ? measure_interval(configuration, measure).mean : NAN;
            if (!isnan(mean)) figure_datum(figure, layer, column, row, mean, NAN);
        }
}

static void add_figure(FigureSet *set, const Summary *summary, const Slice *slice, const double *qualities,
                       int n_qualities) {
    const Setting *quality = settings_find("evaluate.critique_quality");
    char name[64], full[FIGURE_NAME_BYTES], place[48];
    setting_label(slice->axis, name, sizeof name);
    snprintf(full, sizeof full, "%s_by_quality", name);
    Figure *figure = figure_begin(set, full);
    if (figure == NULL) return;
    Measure tau = {MEASURE_EXAMPLES, METRIC_KENDALL_TAU, configuration_at(slice->base, summary->at)}, nmse = tau;
    nmse.metric = METRIC_NMSE;
    double columns[SLICE_MAX];
    for (int i = 0; i < slice->n; i++)
        columns[i] = setting_get(slice->axis, &slice->members[i]->series->settings);
    snprintf(figure->title, sizeof figure->title, "%s and critique quality together", name);
    figure_caption(figure, "Means over seeds %s for every %s and critique quality. ", measure_place(tau, place), name);
    slice_caption(figure, summary, slice, quality);
    add_map(figure, summary, slice, columns, qualities, n_qualities, tau);
    add_map(figure, summary, slice, columns, qualities, n_qualities, nmse);
    figure_end(set, figure);
}

void figure_heat(FigureSet *set, const Summary *summary, const Families *families) {
    const Configuration *base = slice_base(summary, families);
    Slice slices[AXES_MAX];
    double qualities[QUALITIES_MAX];
    int left_out;
    if (base == NULL) return;
    int n = slice_values(summary, settings_find("evaluate.critique_quality"), qualities, QUALITIES_MAX, &left_out);
    int n_slices = n > 1 ? slices_of_axes(summary, families, base, true, slices) : 0;
    for (int i = 0; i < n_slices; i++)
        if (!setting_is_quality(slices[i].axis)) add_figure(set, summary, &slices[i], qualities, n);
}
