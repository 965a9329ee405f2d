/* See figure_choice.h. */
#include "analysis/figures/figure_choice.h"

#include "analysis/figures/figure_kinds.h"

Figure *figure_begin(FigureSet *set, const char *name) {
    Figure *figure = figure_create(name);
    if (figure == NULL) set->no_memory = true;
    return figure;
}

void figure_end(FigureSet *set, Figure *figure) {
    if (figure == NULL) return;
    bool wanted = figure_has_data(figure);
    if (wanted && set->count < FIGURES_MAX) {
        set->items[set->count++] = figure;
        return;
    }
    set->left_out += wanted;
    figure_free(figure);
}

void figures_choose(const Summary *summary, const Families *families, const Verdicts *verdicts, FigureSet *set) {
    if (verdicts != NULL) figure_claims(set, verdicts);
    figure_curves(set, summary, families);
    figure_levels(set, summary, families);
    figure_rounds(set, summary, families);
    figure_heat(set, summary, families);
    figure_training(set, summary);
    figure_cost(set, summary);
}

void figures_free(FigureSet *set) {
    for (int i = 0; i < set->count; i++)
        figure_free(set->items[i]);
    set->count = 0;
}
