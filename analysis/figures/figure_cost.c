/* The figure of what trainings cost. See figure_kinds.h. */
#include "analysis/figures/figure_kinds.h"
#include "analysis/figures/palette.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BARS_MAX = 30, SEED_POINTS_MAX = 60 };

static double core_seconds(const Training *training) {
    return training_is_done(training) && training->record.cpu_s > 0 ? training->record.cpu_s : NAN;
}

static MeanInterval group_cost(const TrainingGroup *group) {
    double values[group->n_trainings];
    for (int i = 0; i < group->n_trainings; i++)
        values[i] = core_seconds(&group->trainings[i]);
    return mean_interval(values, group->n_trainings, CONFIDENCE_95);
}

/* Seconds, minutes or hours, whichever makes the largest number readable. */
static const char *unit_for(double largest_s, double *unit_s) {
    *unit_s = largest_s < 300 ? 1 : largest_s < 3 * 3600 ? 60 : 3600;
    return *unit_s == 1 ? "seconds" : *unit_s == 60 ? "minutes" : "hours";
}

void figure_cost(FigureSet *set, const Summary *summary) {
    int all = summary->n_training_groups, n = all < BARS_MAX ? all : BARS_MAX;
    Figure *figure = n > 0 ? figure_begin(set, "cost") : NULL;
    if (figure == NULL) return;
    double total_s = 0, largest_s = 0, unit_s;
    for (int i = 0; i < all; i++) {
        MeanInterval cost = group_cost(&summary->training_groups[i]);
        if (!(cost.n > 0)) continue;
        total_s += cost.n * cost.mean;
        largest_s = fmax(largest_s, cost.mean);
    }
    const char *unit = unit_for(largest_s, &unit_s);
    char title[FIGURE_TEXT_BYTES];
    snprintf(title, sizeof title, "Core-%s of one training", unit);
    snprintf(figure->title, sizeof figure->title, "What trainings cost");
    Panel *panel = figure_panel(figure, title, title);
    panel->title[0] = '\0';
    panel->x.show_from = panel->x.bound_from = 0;
    panel->y.reversed = true;
    for (int i = 0; i < n; i++) {
        const TrainingGroup *group =
            &summary->training_groups[all <= BARS_MAX ? i : (int)((long)i * (all - 1) / (BARS_MAX - 1))];
        char label[FIGURE_TEXT_BYTES];
        training_label(summary->table, &group->trainings->record.spec, label, sizeof label);
        figure_tick(figure, &panel->y, i, label);
        MeanInterval cost = group_cost(group);
        Layer *layer = figure_layer(figure, panel, LAYER_BARS, colour_distinct(0), "%s, mean", label);
        if (cost.n > 0) figure_datum(figure, layer, cost.mean / unit_s, i, NAN, NAN);
        layer = figure_layer(figure, panel, LAYER_POINTS, colour_distinct(0), "%s, every seed", label);
        for (int j = 0; j < group->n_trainings && j < SEED_POINTS_MAX; j++)
            if (!isnan(core_seconds(&group->trainings[j])))
                figure_datum(figure, layer, core_seconds(&group->trainings[j]) / unit_s, i, NAN, NAN);
    }
    figure_caption(figure,
                   "CPU time of one training; bars: means, circles: seeds. All trainings that are done took "
                   "%.3g core-hours. ",
                   total_s / 3600);
    if (all > n) figure_caption(figure, "%d of %d configurations are drawn, evenly chosen. ", n, all);
    figure_end(set, figure);
}
