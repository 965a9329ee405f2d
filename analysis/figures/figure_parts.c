/* What several kinds of figures share. See figure_kinds.h. */
#include "analysis/figures/figure_kinds.h"
#include "analysis/figures/palette.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

Panel *measure_panel(Figure *figure, Measure measure, const char *x_label) {
    Panel *panel = figure_panel(figure, measure_title(measure), x_label);
    bool rounds = measure.kind == MEASURE_ROUNDS;
    Interval range = measure_range(measure);
    panel->y.bound_from = range.low;
    panel->y.bound_to = range.high;
    if (rounds || measure.metric != METRIC_ALIGNMENT_LOSS) panel->y.show_from = 0;
    if (rounds ? measure.metric == ROUND_NMSE : measure.metric == METRIC_NMSE) panel->y.show_to = 0.1;
    if (!rounds && measure.metric == METRIC_KENDALL_TAU) panel->y.show_to = panel->y.bound_to = 1.02; /* a line at 1 */
    return panel;
}

void measure_curve(Figure *figure, Panel *panel, const Configuration *configuration, Measure from, const char *label,
                   uint32_t colour, LineStyle style, bool with_seeds) {
    const char *predictor = predictor_name(configuration->series->predictor), *name = measure_name(from);
    int count = measure_count(configuration->series, from.kind), seeds = configuration->n_series;
    Layer *layer = NULL;
    if (with_seeds && seeds >= BAND_SEEDS) {
        layer = figure_layer(figure, panel, LAYER_BANDS, colour, "%s of %s %s, 95 %% t interval over %d seeds", name,
                             predictor, label, seeds);
        for (Measure at = from; at.index < count; at.index++) {
            MeanInterval interval = measure_interval(configuration, at);
            figure_datum(figure, layer, at.index, interval.mean, interval.low, interval.high);
        }
    }
    for (int seed = 0; with_seeds && seeds > 1 && seeds < BAND_SEEDS && seed < seeds; seed++) {
        const Series *series = &configuration->series[seed];
        layer = figure_layer(figure, panel, LAYER_LINES, colour, "%s of %s %s, seed %u", name, predictor, label,
                             series->settings.training.seed);
        if (layer != NULL) layer->style = LINE_THIN;
        for (Measure at = from; at.index < count; at.index++)
            figure_datum(figure, layer, at.index, measure_of(series, at), NAN, NAN);
    }
    layer = figure_layer(figure, panel, LAYER_LINES, colour, "%s of %s %s, mean over %d seeds and 95 %% t interval",
                         name, predictor, label, seeds);
    if (layer != NULL) layer->style = style;
    for (Measure at = from; at.index < count; at.index++) {
        MeanInterval interval = measure_interval(configuration, at);
        figure_datum(figure, layer, at.index, interval.mean, interval.low, interval.high);
    }
}

uint32_t axis_colour(const Setting *axis, int i, int n) {
    return setting_is_ordered(axis) ? colour_ordered(n - 1 - i, n) : colour_distinct(i);
}

/* How unevenly n ascending values are spaced: the variance of their gaps over the squared mean. */
static double unevenness(const double *values, int n, double (*scale)(double)) {
    double sum = 0, squares = 0;
    for (int i = 1; i < n; i++) {
        double gap = scale(values[i]) - scale(values[i - 1]);
        sum += gap;
        squares += gap * gap;
    }
    return squares * (n - 1) / (sum * sum) - 1;
}

static double as_it_is(double value) {
    return value;
}

bool setting_scale(Figure *figure, Axis *axis, const Setting *setting, const double *values, int n, double *places) {
    bool apart = true;
    for (int i = 1; i < n; i++)
        apart = apart && values[i] - values[i - 1] > 1e-6 * fmax(fabs(values[i]), values[n - 1] - values[0]);
    for (int i = 0; i < n; i++) {
        char text[64];
        places[i] = apart ? values[i] : i + 1;
        figure_tick(figure, axis, places[i], setting_format(setting, values[i], text, sizeof text));
    }
    if (!apart) axis->from = 0.5, axis->to = n + 0.5;
    bool factors = apart && n > 2 && values[0] > 0 && !setting_is_quality(setting) &&
                   unevenness(values, n, log) < unevenness(values, n, as_it_is);
    if (factors) axis->scale = setting->type == SETTING_INTEGER ? SCALE_LOG2 : SCALE_LOG10;
    return apart;
}

void seeds_key(Figure *figure, const Configuration *const *configurations, int n) {
    int fewest = INT_MAX, most = 0;
    bool pairs = false;
    for (int i = 0; i < n; i++) {
        int seeds = configurations[i]->n_series;
        pairs = pairs || (seeds > 1 && seeds < BAND_SEEDS);
        if (seeds >= BAND_SEEDS && seeds < fewest) fewest = seeds;
        if (seeds > most) most = seeds;
    }
    if (most >= BAND_SEEDS) {
        figure_key(figure, KEY_BAND, LINE_SOLID, COLOUR_GREY, "95 %% interval");
        if (fewest == most)
            figure_key(figure, KEY_NOTE, LINE_SOLID, 0, "(%d seeds)", most);
        else
            figure_key(figure, KEY_NOTE, LINE_SOLID, 0, "(%d to %d seeds)", fewest, most);
    }
    if (pairs) figure_key(figure, KEY_LINE, LINE_THIN, COLOUR_GREY, "each of 2 seeds");
    if (most == 1) figure_key(figure, KEY_TEXT, LINE_SOLID, 0, "1 seed: no interval");
}

void extremes_caption(Figure *figure, Measure measure, const Configuration *const *configurations,
                      const char (*labels)[FIGURE_TEXT_BYTES], int n) {
    int most = -1, least = -1;
    MeanInterval largest = {0}, smallest = {0};
    for (int i = 0; i < n; i++) {
        MeanInterval interval = measure_interval(configurations[i], measure);
        if (isnan(interval.mean)) continue;
        if (most < 0 || interval.mean > largest.mean) largest = interval, most = i;
        if (least < 0 || interval.mean < smallest.mean) smallest = interval, least = i;
    }
    if (most < 0) return;
    char place[48], text[INTERVAL_TEXT_BYTES], other[INTERVAL_TEXT_BYTES];
    if (most == least) {
        figure_caption(figure, "%s %s: %s. ", measure_name(measure), measure_place(measure, place),
                       interval_text(&largest, 3, text));
        return;
    }
    figure_caption(figure, "%s %s is largest for %s (%s) and smallest for %s (%s). ", measure_name(measure),
                   measure_place(measure, place), labels[most], interval_text(&largest, 3, text), labels[least],
                   interval_text(&smallest, 3, other));
}

void slice_caption(Figure *figure, const Summary *summary, const Slice *slice, const Setting *skip) {
    char fixed[256];
    slice_fixed(summary, slice, skip, fixed, sizeof fixed);
    if (fixed[0] != '\0') figure_caption(figure, "Fixed: %s. ", fixed);
    if (slice->left_out > 0) figure_caption(figure, "%d further values are not drawn. ", slice->left_out);
    if (slice->elsewhere > 0)
        figure_caption(figure, "Left out: %d value%s measured with other settings only. ", slice->elsewhere,
                       slice->elsewhere == 1 ? "" : "s");
}
