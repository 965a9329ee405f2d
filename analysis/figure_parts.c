/* What several kinds of figures share. See figure_kinds.h. */
#include "analysis/figure_kinds.h"
#include "analysis/palette.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

Panel *measure_panel(Figure *figure, Measure measure, const char *x_label) {
    Panel *panel = figure_panel(figure, measure_title(measure), x_label);
    switch ((Metric)measure.metric) {
    case METRIC_KENDALL_TAU:
        panel->y.show_from = 0;
        panel->y.show_to = panel->y.bound_to = 1.02;
        break;
    case METRIC_NMSE:
        panel->y.show_from = panel->y.bound_from = 0;
        panel->y.show_to = 0.1;
        break;
    case METRIC_ALIGNMENT_LOSS:
    case METRIC_COUNT:
        break;
    }
    return panel;
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

void setting_scale(Figure *figure, Axis *axis, const Setting *setting, const double *values, int n) {
    bool factors = n > 2 && values[0] > 0 && !setting_is_quality(setting) &&
                   unevenness(values, n, log) < unevenness(values, n, as_it_is);
    if (factors) axis->scale = setting->type == SETTING_INTEGER ? SCALE_LOG2 : SCALE_LOG10;
    for (int i = 0; i < n; i++) {
        char text[64];
        figure_tick(figure, axis, values[i], setting_format(setting, values[i], text, sizeof text));
    }
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

const char *interval_text(const MeanInterval *interval, char text[48]) {
    int used = snprintf(text, 48, "%.3f", interval->mean);
    if (interval->n > 1) snprintf(text + used, 48 - (size_t)used, " ± %.3f", interval_half_width(interval));
    return text;
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
    char place[48], text[48], other[48];
    if (most == least) {
        figure_caption(figure, "%s %s: %s. ", measure_name(measure), measure_place(measure, place),
                       interval_text(&largest, text));
        return;
    }
    figure_caption(figure, "%s %s is largest for %s (%s) and smallest for %s (%s). ", measure_name(measure),
                   measure_place(measure, place), labels[most], interval_text(&largest, text), labels[least],
                   interval_text(&smallest, other));
}
