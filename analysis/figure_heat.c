/* Figures of a metric over two axes. See figure_kinds.h. */
#include "analysis/figure_kinds.h"
#include "analysis/palette.h"

#include <math.h>
#include <stdio.h>

enum { HEAT_VALUES_MAX = 20 };

static void tick_values(Figure *figure, Axis *axis, const Setting *setting, const double *values, int n) {
    for (int i = 0; i < n; i++) {
        char text[64];
        figure_tick(figure, axis, i, setting_format(setting, values[i], text, sizeof text));
    }
}

/* One metric: columns along x, rows along y. */
static void add_map(Figure *figure, const Summary *summary, const Configuration *base, const Setting *const axes[2],
                    double values[2][HEAT_VALUES_MAX], const int n[2], Measure measure) {
    char x[64], y[64];
    Panel *panel = figure_panel(figure, measure_title(measure), slice_axis_name(axes[0], x, sizeof x));
    snprintf(panel->y.label, sizeof panel->y.label, "%s", slice_axis_name(axes[1], y, sizeof y));
    tick_values(figure, &panel->x, axes[0], values[0], n[0]);
    tick_values(figure, &panel->y, axes[1], values[1], n[1]);
    Layer *layer =
        figure_layer(figure, panel, LAYER_CELLS, 0, "mean over seeds (column low) by %s (x) and %s (y)", x, y);
    for (int column = 0; column < n[0]; column++)
        for (int row = 0; row < n[1]; row++) {
            const Configuration *configuration =
                slice_nearest(summary, base, axes, (double[2]){values[0][column], values[1][row]}, 2);
            double mean = configuration != NULL ? measure_interval(configuration, measure).mean : NAN;
            if (!isnan(mean)) figure_datum(figure, layer, column, row, mean, NAN);
        }
}

void figure_heat(FigureSet *set, const Summary *summary) {
    const Configuration *base = slice_base(summary);
    const Setting *axes[2] = {NULL, settings_find("evaluate.critique_quality")};
    Slice slices[AXES_MAX];
    double values[2][HEAT_VALUES_MAX];
    int n[2], left_out[2];
    if (base == NULL) return;
    n[1] = slice_values(summary, axes[1], values[1], HEAT_VALUES_MAX, &left_out[1]);
    int n_slices = n[1] > 1 ? slices_of_axes(summary, base, true, slices) : 0;
    for (int i = 0; i < n_slices; i++) {
        axes[0] = slices[i].axis;
        if (setting_is_quality(axes[0])) continue;
        n[0] = slice_values(summary, axes[0], values[0], HEAT_VALUES_MAX, &left_out[0]);
        char name[64], full[FIGURE_NAME_BYTES], place[48];
        setting_label(axes[0], name, sizeof name);
        snprintf(full, sizeof full, "%s_by_quality", name);
        Figure *figure = figure_begin(set, full);
        if (figure == NULL) return;
        Measure tau = {MEASURE_EXAMPLES, METRIC_KENDALL_TAU, configuration_at(base, summary->at)}, nmse = tau;
        nmse.metric = METRIC_NMSE;
        snprintf(figure->title, sizeof figure->title, "%s and critique quality together", name);
        figure_caption(figure, "Means over seeds %s for every %s and critique quality. ", measure_place(tau, place),
                       name);
        if (left_out[0] + left_out[1] > 0)
            figure_caption(figure, "%d further values are not drawn. ", left_out[0] + left_out[1]);
        add_map(figure, summary, base, axes, values, n, tau);
        add_map(figure, summary, base, axes, values, n, nmse);
        figure_end(set, figure);
    }
}
