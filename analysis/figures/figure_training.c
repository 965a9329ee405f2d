/* The figure of loss curves. See figure_kinds.h. */
#include "analysis/figures/figure_kinds.h"
#include "analysis/figures/palette.h"

#include <math.h>
#include <stdio.h>

enum { GROUPS_MAX = 8, SEEDS_DRAWN_MAX = 12, POINTS_MAX = 125 };

/* The loss of untrained guesses for the Plackett-Luce objective, mean of log i! over i = 2 .. N-1; NaN for others. */
static double untrained_loss(const TrainingSpec *spec) {
    double sum = 0;
    if (spec->train.objective != OBJECTIVE_PLACKETT_LUCE) return NAN;
    for (int i = 2; i < spec->task.n_points; i++)
        sum += lgamma(i + 1.0);
    return sum / (spec->task.n_points - 2);
}

/* How many points of a curve make one of the figure's. */
static int stretch_of(const TrainingRecord *record) {
    return (record->n_loss + POINTS_MAX - 1) / POINTS_MAX;
}

/* The mean of a stretch of a curve; NaN past its end. */
static double stretch_mean(const TrainingRecord *record, int from, int stretch) {
    if (from + stretch > record->n_loss) return NAN;
    double sum = 0;
    for (int i = from; i < from + stretch; i++)
        sum += record->loss[i];
    return sum / stretch;
}

static void add_seed(Figure *figure, Panel *panel, const TrainingRecord *record, uint32_t colour, const char *label) {
    Layer *layer = figure_layer(figure, panel, LAYER_LINES, colour, "%s seed %u, %s", label, record->spec.seed,
                                outcome_name(record->outcome));
    if (layer != NULL) layer->style = LINE_THIN;
    int stretch = stretch_of(record);
    for (int i = 0; stretch > 0 && i + stretch <= record->n_loss; i += stretch)
        figure_datum(figure, layer, (double)record->loss_step[i + stretch - 1], stretch_mean(record, i, stretch), NAN,
                     NAN);
}

/* The mean over the seeds that ran to their end: their curves have the same steps. */
static void add_mean(Figure *figure, Panel *panel, const TrainingGroup *group, uint32_t colour, const char *label) {
    const TrainingRecord *first = NULL;
    for (int i = 0; i < group->n_trainings && first == NULL; i++)
        if (training_is_done(&group->trainings[i])) first = &group->trainings[i].record;
    if (first == NULL) return;
    Layer *layer =
        figure_layer(figure, panel, LAYER_LINES, colour, "%s, mean over %d seeds that are done", label, group->done);
    int stretch = stretch_of(first);
    for (int i = 0; stretch > 0 && i + stretch <= first->n_loss; i += stretch) {
        double sum = 0;
        int n = 0;
        for (int seed = 0; seed < group->n_trainings; seed++) {
            const TrainingRecord *record = &group->trainings[seed].record;
            if (!training_is_done(&group->trainings[seed]) || record->n_loss != first->n_loss) continue;
            sum += stretch_mean(record, i, stretch);
            n++;
        }
        figure_datum(figure, layer, (double)first->loss_step[i + stretch - 1], sum / n, NAN, NAN);
    }
}

static void add_untrained(Figure *figure, Panel *panel, const TrainingGroup *groups, int n) {
    double loss = untrained_loss(&groups[0].trainings->record.spec), steps = 0;
    for (int i = 0; i < n; i++) {
        if (untrained_loss(&groups[i].trainings->record.spec) != loss) return; /* also where it is NaN */
        steps = fmax(steps, (double)groups[i].trainings->record.spec.train.steps);
    }
    Layer *layer = figure_layer(figure, panel, LAYER_LINES, COLOUR_GREY, "a guess: mean of log i!");
    if (layer != NULL) layer->style = LINE_DASHED;
    figure_datum(figure, layer, 0, loss, NAN, NAN);
    figure_datum(figure, layer, steps, loss, NAN, NAN);
    figure_key(figure, KEY_LINE, LINE_DASHED, COLOUR_GREY, "a guess");
    figure_caption(figure, "Dashed: the loss of a guess, the mean of log i!; a training that stays there has learnt "
                           "nothing yet. ");
}

/* The loss and its unit, which the objective decides. */
static const char *loss_title(const TrainingGroup *groups, int n) {
    Objective objective = groups[0].trainings->record.spec.train.objective;
    for (int i = 1; i < n; i++)
        if (groups[i].trainings->record.spec.train.objective != objective) return "Training loss";
    switch (objective) {
    case OBJECTIVE_PLACKETT_LUCE:
        return "Training loss, Plackett-Luce (nats)";
    case OBJECTIVE_BRADLEY_TERRY:
        return "Training loss, Bradley-Terry (nats)";
    case OBJECTIVE_COSINE:
        return "Training loss, 1 − cos";
    case OBJECTIVE_MSE:
        return "Training loss, mean squared error";
    }
    return "Training loss";
}

/* Whether the configurations differ in a number, so that their order means something. */
static bool are_ordered(const Table *table) {
    for (int i = 0; i < table->n_axes; i++)
        if (table->axes[i]->role == ROLE_TRAINING && setting_is_ordered(table->axes[i])) return true;
    return false;
}

void figure_training(FigureSet *set, const Summary *summary) {
    int all = summary->n_training_groups, n = all < GROUPS_MAX ? all : GROUPS_MAX, left_out = 0;
    Figure *figure = n > 0 ? figure_begin(set, "training") : NULL;
    if (figure == NULL) return;
    snprintf(figure->title, sizeof figure->title, "Loss while training");
    TrainingGroup shown[GROUPS_MAX];
    for (int i = 0; i < n; i++)
        shown[i] = summary->training_groups[all <= GROUPS_MAX ? i : (int)((long)i * (all - 1) / (GROUPS_MAX - 1))];
    Panel *panel = figure_panel(figure, loss_title(shown, n), "step");
    panel->x.show_from = panel->x.bound_from = 0;
    bool ordered = are_ordered(summary->table);
    for (int i = 0; i < n; i++) {
        char label[FIGURE_TEXT_BYTES];
        training_label(summary->table, &shown[i].trainings->record.spec, label, sizeof label);
        uint32_t colour = ordered ? colour_ordered(n - 1 - i, n) : colour_distinct(i);
        int seeds = 0;
        for (int j = 0; j < shown[i].n_trainings; j++) {
            if (!shown[i].trainings[j].ended || shown[i].trainings[j].record.n_loss == 0) continue;
            if (++seeds > SEEDS_DRAWN_MAX) continue;
            add_seed(figure, panel, &shown[i].trainings[j].record, colour, label);
        }
        if (seeds > SEEDS_DRAWN_MAX) left_out += seeds - SEEDS_DRAWN_MAX;
        add_mean(figure, panel, &shown[i], colour, label);
        figure_key(figure, KEY_LINE, LINE_SOLID, colour, "%s", label[0] != '\0' ? label : "mean over seeds");
    }
    figure_caption(figure, "Thin lines: seeds; thick ones: means over the seeds that are done. ");
    if (all > n) figure_caption(figure, "%d of %d configurations are drawn, evenly chosen. ", n, all);
    if (left_out > 0) figure_caption(figure, "%d further seeds are in the means only. ", left_out);
    figure_key(figure, KEY_LINE, LINE_THIN, COLOUR_GREY, "one seed");
    add_untrained(figure, panel, shown, n);
    figure_end(set, figure);
}
