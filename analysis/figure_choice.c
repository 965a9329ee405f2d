/* See figure_choice.h. */
#include "analysis/figure_choice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MODELS_MAX = FIGURE_CURVES_MAX / 2 };
enum { GREY = 0x555555 };

static bool is_quality(const Setting *setting) {
    return setting->offset == offsetof(Settings, critic.quality);
}

/* Of a cell's axes, how many differ. */
static int differing_axes(const Summary *summary, const Configuration *a, const Configuration *b) {
    int count = 0;
    for (int i = 0; i < summary->table->n_axes; i++) {
        const Setting *axis = summary->table->axes[i];
        if (!setting_applies(axis, PREDICTOR_MODEL)) continue;
        count += setting_get(axis, &a->series->settings) != setting_get(axis, &b->series->settings);
    }
    return count;
}

static const Configuration *first_model(const Summary *summary) {
    for (int i = 0; i < summary->n_configurations; i++)
        if (summary->configurations[i].series->predictor == PREDICTOR_MODEL) return &summary->configurations[i];
    return NULL;
}

/* The model configuration with this value of an axis that differs least from first; the earlier one of equals. */
static const Configuration *nearest_with(const Summary *summary, const Configuration *first, const Setting *axis,
                                         double value) {
    const Configuration *nearest = NULL;
    int distance = 0;
    for (int i = 0; i < summary->n_configurations; i++) {
        const Configuration *candidate = &summary->configurations[i];
        if (candidate->series->predictor != PREDICTOR_MODEL) continue;
        if (setting_get(axis, &candidate->series->settings) != value) continue;
        int differing = differing_axes(summary, first, candidate);
        if (nearest != NULL && differing >= distance) continue;
        nearest = candidate;
        distance = differing;
    }
    return nearest;
}

/* The next value of an axis past *value among the models, in ascending order; false: there is none. */
static bool next_value(const Summary *summary, const Setting *axis, double *value) {
    double next = INFINITY;
    for (int i = 0; i < summary->n_configurations; i++) {
        const Series *series = summary->configurations[i].series;
        double other = setting_get(axis, &series->settings);
        if (series->predictor == PREDICTOR_MODEL && other > *value && other < next) next = other;
    }
    *value = next;
    return next < INFINITY;
}

/* The models of a figure over an axis, best or largest value first where values have an order. */
static int choose_models(const Summary *summary, const Configuration *first, const Setting *axis,
                         const Configuration *models[MODELS_MAX]) {
    int count = 0;
    for (double value = -INFINITY; next_value(summary, axis, &value);)
        count++;
    int shown = count < MODELS_MAX ? count : MODELS_MAX, place = 0, n = 0;
    for (double value = -INFINITY; next_value(summary, axis, &value); place++) {
        bool wanted = shown == count || place == n * (count - 1) / (shown - 1);
        if (wanted) models[n++] = nearest_with(summary, first, axis, value);
    }
    bool ordered = axis->type == SETTING_INTEGER || axis->type == SETTING_REAL;
    for (int i = 0; ordered && i < n / 2; i++) {
        const Configuration *swapped = models[i];
        models[i] = models[n - 1 - i];
        models[n - 1 - i] = swapped;
    }
    return n;
}

/* The value of the axis; beside it those of other axes in which the figure's models differ (zip). */
static void label_model(const Summary *summary, const Configuration *const *models, int n, int which,
                        const Setting *axis, char *text, size_t text_bytes) {
    const Settings *settings = &models[which]->series->settings;
    setting_format(axis, setting_get(axis, settings), text, text_bytes);
    for (int i = 0; i < summary->table->n_axes; i++) {
        const Setting *other = summary->table->axes[i];
        if (other == axis || !setting_applies(other, PREDICTOR_MODEL)) continue;
        bool differs = false;
        for (int j = 0; j < n; j++)
            differs = differs || setting_get(other, &models[j]->series->settings) != setting_get(other, settings);
        if (!differs) continue;
        char name[64], value[64];
        setting_label(other, name, sizeof name);
        setting_format(other, setting_get(other, settings), value, sizeof value);
        size_t used = strlen(text);
        snprintf(text + used, text_bytes - used, ", %s %s", name, value);
    }
}

static void add_curve(Figure *figure, const Configuration *configuration, const char *label, uint32_t colour,
                      bool dashed) {
    FigureCurve *curve = &figure->curves[figure->n_curves++];
    *curve = (FigureCurve){.configuration = configuration, .colour = colour, .dashed = dashed};
    snprintf(curve->label, sizeof curve->label, "%s", label);
}

/* gd beside every model: dashed in its colour, or once in grey where all have the same. */
static void add_references(const Summary *summary, Figure *figure) {
    const Configuration *references[MODELS_MAX];
    int n = figure->n_curves;
    bool same = n > 0;
    for (int i = 0; i < n; i++) {
        references[i] = configuration_beside(summary, figure->curves[i].configuration, PREDICTOR_GD);
        same = same && references[i] == references[0];
    }
    if (same && n > 1) {
        if (references[0] != NULL) add_curve(figure, references[0], "gd", GREY, true);
        return;
    }
    for (int i = 0; i < n; i++)
        if (references[i] != NULL) add_curve(figure, references[i], "", figure->curves[i].colour, true);
}

static void describe(const Summary *summary, const Configuration *first, const Setting *axis, Figure *figure) {
    char name[64], fixed[256];
    setting_label(axis, name, sizeof name);
    series_label(summary->table, first->series, axis, fixed, sizeof fixed);
    snprintf(figure->name, sizeof figure->name, "%s", is_quality(axis) ? "quality" : name);
    for (char *c = figure->name; *c != '\0'; c++)
        if (*c == '.') *c = '_';
    if (is_quality(axis))
        snprintf(figure->legend_title, sizeof figure->legend_title, "critique quality q");
    else
        snprintf(figure->legend_title, sizeof figure->legend_title, "%s", name);
    snprintf(
        figure->caption, sizeof figure->caption,
        "Models by %s against the number of examples%s%s. Bands: 95 %% t interval over seeds; dashed: gd, gradient "
        "descent on the same examples.",
        figure->legend_title, fixed[0] != '\0' ? ", at " : "", fixed);
}

static bool same_models(const Figure *a, const Configuration *const *models, int n) {
    int count = 0;
    while (count < a->n_curves && !a->curves[count].dashed)
        count++;
    if (count != n) return false;
    for (int i = 0; i < n; i++)
        if (a->curves[i].configuration != models[i] && a->curves[i].configuration != models[n - 1 - i]) return false;
    return true;
}

int figures_choose(const Summary *summary, Figure *figures) {
    const Configuration *first = first_model(summary);
    if (first == NULL) return 0;
    int count = 0;
    const Table *table = summary->table;
    for (int i = -1; i < table->n_axes; i++) { /* -1: quality, drawn first and even if it does not vary */
        const Setting *axis = i < 0 ? settings_find("evaluate.critique_quality") : table->axes[i];
        if ((i >= 0 && is_quality(axis)) || !setting_applies(axis, PREDICTOR_MODEL)) continue;
        const Configuration *models[MODELS_MAX];
        int n = choose_models(summary, first, axis, models);
        bool drawn = i >= 0 && n < 2;
        for (int j = 1; j < count && !drawn; j++)
            drawn = same_models(&figures[j], models, n);
        if (drawn) continue;
        Figure *figure = &figures[count++];
        memset(figure, 0, sizeof *figure);
        describe(summary, first, axis, figure);
        bool ordered = axis->type == SETTING_INTEGER || axis->type == SETTING_REAL;
        for (int j = 0; j < n; j++) {
            char label[96];
            label_model(summary, models, n, j, axis, label, sizeof label);
            add_curve(figure, models[j], label, ordered ? colour_ordered(j, n) : colour_distinct(j), false);
        }
        add_references(summary, figure);
    }
    return count;
}
