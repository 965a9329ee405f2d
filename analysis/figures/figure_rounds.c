/* Figures of rounds of correction. See figure_kinds.h. */
#include "analysis/figures/figure_kinds.h"
#include "analysis/figures/palette.h"
#include "analysis/statistics/regression.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CRITICS_MAX = 200, LINE_POINTS = 21, KINDS_MAX = 6 };

static Measure round_measure(RoundMetric metric, int round) {
    return (Measure){MEASURE_ROUNDS, (int)metric, round};
}

/* --- flips ------------------------------------------------------------------------------------------------------ */

static void add_flips(FigureSet *set, const Summary *summary, const Families *families, const Configuration *base) {
    static const struct {
        RoundMetric good, bad;
        const char *title;
    } sides[] = {{ROUND_IMPROVED, ROUND_WORSENED, "Share of answers that a round changes"},
                 {ROUND_WRONG_TO_RIGHT, ROUND_RIGHT_TO_WRONG, "Share of answers that cross the line to right"}};
    Figure *figure = figure_begin(set, "rounds_flips");
    if (figure == NULL) return;
    snprintf(figure->title, sizeof figure->title, "What rounds mend and what they spoil");
    Slice slice = slice_along(summary, families, base, settings_find("evaluate.critique_quality"));
    for (int i = 0; i < 2; i++) {
        Panel *panel = measure_panel(figure, round_measure(sides[i].good, 1), "round of correction");
        panel->x.counts = true;
        snprintf(panel->title, sizeof panel->title, "%s", sides[i].title);
    }
    figure_key(figure, KEY_TEXT, LINE_SOLID, 0, "critique quality q");
    for (int i = slice.n - 1; i >= 0; i--) {
        char label[FIGURE_TEXT_BYTES];
        slice_label(summary, &slice, i, label, sizeof label);
        uint32_t colour = axis_colour(slice.axis, i, slice.n);
        for (int side = 0; side < 2; side++) {
            Panel *panel = &figure->panels[side];
            measure_curve(figure, panel, slice.members[i], round_measure(sides[side].good, 1), label, colour,
                          LINE_SOLID, true);
            measure_curve(figure, panel, slice.members[i], round_measure(sides[side].bad, 1), label, colour,
                          LINE_DASHED, false);
        }
        figure_key(figure, KEY_LINE, LINE_SOLID, colour, "%s", label);
    }
    figure_gap(figure);
    figure_key(figure, KEY_LINE, LINE_SOLID, COLOUR_GREY, "for the better");
    figure_key(figure, KEY_LINE, LINE_DASHED, COLOUR_GREY, "for the worse");
    seeds_key(figure, slice.members, slice.n);
    figure_caption(figure,
                   "Left: the share of answers that a round brings nearer to the target (solid) and farther from it "
                   "(dashed). Right: the share that turns from wrong to right (solid) and from right to wrong "
                   "(dashed); an answer is right when its cosine to the target is above %g. A round helps while the "
                   "solid line is above the dashed one. ",
                   base->series->rounds.right_cosine);
    slice_caption(figure, summary, &slice, NULL);
    figure_end(set, figure);
}

/* --- gain against self-check accuracy --------------------------------------------------------------------------- */

/* Configurations that differ from base in their critic only, those of one kind of critic together. */
typedef struct Critics {
    int n, n_kinds;
    const Configuration *items[CRITICS_MAX];
    int kind[CRITICS_MAX]; /* into kinds */
    CriticSettings kinds[KINDS_MAX];
} Critics;

static bool same_training(const Configuration *a, const Configuration *b) {
    const Settings *left = &a->series->settings, *right = &b->series->settings;
    return spec_compare_configuration(&left->training, &right->training) == 0 &&
           a->series->rounds.count == b->series->rounds.count && left->evaluation.prompts == right->evaluation.prompts;
}

static Critics critics_of(const Summary *summary, const Configuration *base) {
    Critics critics = {0};
    for (int i = 0; i < summary->n_configurations && critics.n < CRITICS_MAX; i++) {
        const Configuration *candidate = &summary->configurations[i];
        if (candidate->series->predictor != PREDICTOR_MODEL || !same_training(candidate, base)) continue;
        const CriticSettings *critic = &candidate->series->settings.critic;
        int kind = 0;
        while (kind < critics.n_kinds &&
               (critics.kinds[kind].noise != critic->noise || critics.kinds[kind].feedback != critic->feedback))
            kind++;
        if (kind == KINDS_MAX) continue;
        if (kind == critics.n_kinds) critics.kinds[critics.n_kinds++] = *critic;
        critics.kind[critics.n] = kind;
        critics.items[critics.n++] = candidate;
    }
    return critics;
}

static void kind_label(const CriticSettings *critic, char text[FIGURE_TEXT_BYTES]) {
    snprintf(text, FIGURE_TEXT_BYTES, "%s, %s", critic_feedback_name(critic->feedback),
             critic_noise_name(critic->noise));
}

/* The least-squares line through one seed's points of one kind of critic, at a place; NaN where x does not vary. */
static double line_of_seed(const Critics *critics, int kind, uint32_t seed, Measure gain, double at) {
    double x[CRITICS_MAX], y[CRITICS_MAX], mean_x = 0, mean_y = 0;
    int n = 0;
    for (int i = 0; i < critics->n; i++)
        for (int j = 0; critics->kind[i] == kind && j < critics->items[i]->n_series; j++) {
            const Series *series = &critics->items[i]->series[j];
            double value = measure_of(series, gain);
            if (series->settings.training.seed != seed || isnan(value)) continue;
            x[n] = series->rounds.self_check_accuracy;
            y[n] = value;
            mean_x += x[n];
            mean_y += y[n];
            n++;
        }
    return n < 2 ? NAN : mean_y / n + slope_of(x, y, n) * (at - mean_x / n);
}

/* The mean over seeds of each seed's line, at a place. */
static MeanInterval line_at(const Summary *summary, const Critics *critics, int kind, Measure gain, double at) {
    double values[summary->table->n_seeds];
    for (int i = 0; i < summary->table->n_seeds; i++)
        values[i] = line_of_seed(critics, kind, summary->table->seeds[i], gain, at);
    return mean_interval(values, summary->table->n_seeds, CONFIDENCE_95);
}

/* That mean and its interval where the points of a kind are. */
static void add_line(Figure *figure, Panel *panel, const Summary *summary, const Critics *critics, int kind,
                     Measure gain) {
    double from = INFINITY, to = -INFINITY;
    for (int i = 0; i < critics->n; i++)
        for (int j = 0; critics->kind[i] == kind && j < critics->items[i]->n_series; j++) {
            from = fmin(from, critics->items[i]->series[j].rounds.self_check_accuracy);
            to = fmax(to, critics->items[i]->series[j].rounds.self_check_accuracy);
        }
    if (!(to > from)) return;
    char label[FIGURE_TEXT_BYTES];
    kind_label(&critics->kinds[kind], label);
    for (int pass = 0; pass < 2; pass++) {
        Layer *layer = figure_layer(figure, panel, pass == 0 ? LAYER_BANDS : LAYER_LINES, colour_distinct(kind),
                                    "%s, mean of the seeds' lines and 95 %% t interval", label);
        for (int i = 0; i < LINE_POINTS; i++) {
            double x = from + (to - from) * i / (LINE_POINTS - 1);
            MeanInterval interval = line_at(summary, critics, kind, gain, x);
            figure_datum(figure, layer, x, interval.mean, interval.low, interval.high);
        }
    }
    figure_caption(figure, "Line of %s: from %.3f to %.3f. ", label, line_at(summary, critics, kind, gain, from).mean,
                   line_at(summary, critics, kind, gain, to).mean);
}

static void add_self_check(FigureSet *set, const Summary *summary, const Critics *critics, Measure gain) {
    if (critics->n < 2) return;
    char place[48];
    Figure *figure = figure_begin(set, "rounds_self_check");
    if (figure == NULL) return;
    measure_place(gain, place);
    snprintf(figure->title, sizeof figure->title, "Gain against the critic's self-check accuracy");
    Panel *panel = measure_panel(figure, gain, "self-check accuracy of the critic in the rounds");
    figure_caption(figure,
                   "Gain %s against the probability that the critic ranks two of the model's answers rightly; "
                   "a circle per seed and critic. Lines: means of the seeds' least-squares lines with 95 %% t "
                   "intervals. ",
                   place);
    for (int kind = 0; kind < critics->n_kinds; kind++) {
        char label[FIGURE_TEXT_BYTES];
        kind_label(&critics->kinds[kind], label);
        Layer *layer =
            figure_layer(figure, panel, LAYER_POINTS, colour_distinct(kind), "%s, every seed and quality", label);
        for (int i = 0; i < critics->n; i++)
            for (int j = 0; critics->kind[i] == kind && j < critics->items[i]->n_series; j++) {
                const Series *series = &critics->items[i]->series[j];
                double value = measure_of(series, gain);
                if (!isnan(value)) figure_datum(figure, layer, series->rounds.self_check_accuracy, value, NAN, NAN);
            }
        figure_key(figure, KEY_POINT, LINE_SOLID, colour_distinct(kind), "%s", label);
        add_line(figure, panel, summary, critics, kind, gain);
    }
    figure_key(figure, KEY_LINE, LINE_SOLID, COLOUR_GREY, "line, mean of seeds");
    figure_key(figure, KEY_BAND, LINE_SOLID, COLOUR_GREY, "95 %% interval");
    figure_end(set, figure);
}

/* --- kinds of critics ------------------------------------------------------------------------------------------- */

static void add_critics(FigureSet *set, const Critics *critics, Measure gain) {
    if (critics->n_kinds < 2) return;
    Figure *figure = figure_begin(set, "rounds_critics");
    if (figure == NULL) return;
    char place[48];
    snprintf(figure->title, sizeof figure->title, "What kinds of critics are worth");
    figure_caption(figure,
                   "Gain %s for every kind of feedback and noise, by nominal critique quality (left) and by "
                   "measured self-check accuracy (right), the only scale on which kinds compare. Dots and "
                   "bars: means with 95 %% t intervals. ",
                   measure_place(gain, place));
    measure_panel(figure, gain, "critique quality q");
    measure_panel(figure, gain, "self-check accuracy of the critic in the rounds");
    for (int kind = 0; kind < critics->n_kinds; kind++) {
        char label[FIGURE_TEXT_BYTES];
        kind_label(&critics->kinds[kind], label);
        for (int side = 0; side < 2; side++)
            for (int pass = 0; pass < 2; pass++) {
                Layer *layer = figure_layer(figure, &figure->panels[side], pass == 0 ? LAYER_LINES : LAYER_INTERVALS,
                                            colour_distinct(kind), "%s, mean and 95 %% t interval", label);
                if (layer != NULL) layer->style = LINE_THIN;
                for (int i = 0; i < critics->n; i++) {
                    if (critics->kind[i] != kind) continue;
                    double accuracies[critics->items[i]->n_series];
                    for (int j = 0; j < critics->items[i]->n_series; j++)
                        accuracies[j] = critics->items[i]->series[j].rounds.self_check_accuracy;
                    MeanInterval value = measure_interval(critics->items[i], gain),
                                 accuracy = mean_interval(accuracies, critics->items[i]->n_series, CONFIDENCE_95);
                    double x = side == 0 ? critics->items[i]->series->settings.critic.quality : accuracy.mean;
                    bool alone = value.n < 2;
                    figure_datum(figure, layer, x, value.mean, alone ? value.mean : value.low,
                                 alone ? value.mean : value.high);
                }
            }
        figure_key(figure, KEY_INTERVAL, LINE_SOLID, colour_distinct(kind), "%s", label);
    }
    figure_end(set, figure);
}

void figure_rounds(FigureSet *set, const Summary *summary, const Families *families) {
    const Configuration *base = slice_base(summary, families);
    int last = base != NULL ? measure_count(base->series, MEASURE_ROUNDS) - 1 : 0;
    if (last < 1) return;
    add_flips(set, summary, families, base);
    Measure gain = round_measure(ROUND_GAIN, last);
    Critics *critics = malloc(sizeof *critics);
    if (critics == NULL) {
        set->no_memory = true;
        return;
    }
    *critics = critics_of(summary, base);
    add_self_check(set, summary, critics, gain);
    add_critics(set, critics, gain);
    free(critics);
}
