/* Figures of claims: what each verdict rests on. See figure_kinds.h. */
#include "analysis/figures/figure_kinds.h"
#include "analysis/figures/palette.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SEEDS_JOINED_MAX = 40, SEED_POINTS_MAX = 200 };

static Panel *claim_panel(Figure *figure, const Claim *claim, const char *x_label) {
    Panel *panel = measure_panel(figure, measure_of_claim(claim), x_label);
    panel->y.show_from = panel->y.show_to = NAN; /* close up: the differences between arms are what matters */
    return panel;
}

static void add_interval(Figure *figure, Layer *layer, double x, const MeanInterval *interval) {
    if (interval->n == 0) return;
    bool alone = interval->n < 2;
    figure_datum(figure, layer, x, interval->mean, alone ? interval->mean : interval->low,
                 alone ? interval->mean : interval->high);
}

/* Every seed's values joined over the arms, every value a circle, the arms' means with their intervals. */
static void add_arms(Figure *figure, Panel *panel, const Verdict *verdict, const double *places) {
    int n_seeds = verdict->pairing->n_seeds;
    for (int seed = 0; seed < n_seeds && seed < SEEDS_JOINED_MAX; seed++) {
        Layer *layer = figure_layer(figure, panel, LAYER_LINES, 0xaaaaaa, "seed %u", verdict->pairing->seeds[seed]);
        if (layer != NULL) layer->style = LINE_THIN;
        for (int arm = 0; arm < verdict->n_arms; arm++)
            figure_datum(figure, layer, places[arm], verdict->arms[arm].values[seed], NAN, NAN);
    }
    Layer *layer = figure_layer(figure, panel, LAYER_POINTS, colour_distinct(0), "every seed");
    for (int arm = 0; arm < verdict->n_arms; arm++)
        for (int seed = 0; seed < n_seeds && seed < SEED_POINTS_MAX; seed++)
            figure_datum(figure, layer, places[arm], verdict->arms[arm].values[seed], NAN, NAN);
    layer = figure_layer(figure, panel, LAYER_INTERVALS, 0, "mean and 95 %% t interval");
    for (int arm = 0; arm < verdict->n_arms; arm++)
        add_interval(figure, layer, places[arm], &verdict->arms[arm].interval);
}

static void add_band(Figure *figure, Panel *panel, double from, double to, double low, double high, const char *note) {
    Layer *layer = figure_layer(figure, panel, LAYER_BANDS, colour_distinct(2), "%s", note);
    figure_datum(figure, layer, from, (low + high) / 2, low, high);
    figure_datum(figure, layer, to, (low + high) / 2, low, high);
}

static void add_level_line(Figure *figure, Panel *panel, double from, double to, double y, const char *note) {
    Layer *layer = figure_layer(figure, panel, LAYER_LINES, COLOUR_GREY, "%s", note);
    if (layer != NULL) layer->style = LINE_DASHED;
    figure_datum(figure, layer, from, y, NAN, NAN);
    figure_datum(figure, layer, to, y, NAN, NAN);
}

static void arms_keys(Figure *figure, const Verdict *verdict) {
    figure_key(figure, KEY_INTERVAL, LINE_SOLID, 0, "mean, 95 %% interval");
    figure_key(figure, KEY_POINT, LINE_SOLID, colour_distinct(0), "one of %d seeds", verdict->pairing->n_seeds);
    figure_key(figure, KEY_LINE, LINE_THIN, 0xaaaaaa, "the same seed");
}

/* Trend and plateau: the metric along the levels. */
static void add_levels(Figure *figure, const Verdict *verdict) {
    const Claim *claim = verdict->claim;
    double levels[CLAIM_LEVELS_MAX], places[CLAIM_LEVELS_MAX], best = NAN;
    char axis[64];
    for (int arm = 0; arm < verdict->n_arms; arm++) {
        levels[arm] = verdict->arms[arm].arm->level;
        double mean = verdict->arms[arm].interval.mean;
        bool better = claim->direction == CLAIM_DECREASING ? mean < best : mean > best;
        if (isnan(best) || better) best = mean;
    }
    Panel *panel = claim_panel(figure, claim, slice_axis_name(claim->over, axis, sizeof axis));
    if (!setting_scale(figure, &panel->x, claim->over, levels, verdict->n_arms, places))
        figure_caption(figure, "Levels that hardly differ are spaced evenly. ");
    add_arms(figure, panel, verdict, places);
    arms_keys(figure, verdict);
    figure_caption(figure, "Grey lines join the values of a seed; dots and bars: means with 95 %% t intervals. ");
    if (claim->test != CLAIM_PLATEAU) return;
    add_band(figure, panel, places[0], places[verdict->n_arms - 1], best - claim->margin, best + claim->margin,
             "the best level's mean and the margin");
    figure_key(figure, KEY_BAND, LINE_SOLID, colour_distinct(2), "margin around the best");
}

/* Difference and equivalence: both arms, and their differences. */
static void add_pair(Figure *figure, const Verdict *verdict) {
    static const double places[] = {0, 1};
    const Claim *claim = verdict->claim;
    Panel *panel = claim_panel(figure, claim, "");
    panel->x.from = -0.5;
    panel->x.to = 1.5;
    for (int arm = 0; arm < 2; arm++)
        figure_tick(figure, &panel->x, arm, verdict->arms[arm].label);
    add_arms(figure, panel, verdict, places);
    panel = figure_panel(figure, "Difference a − b, seed by seed", "");
    panel->x.from = -0.5;
    panel->x.to = 0.5;
    panel->y.show_from = 0;
    figure_tick(figure, &panel->x, 0, "a − b");
    add_level_line(figure, panel, -0.5, 0.5, 0, "no difference");
    if (claim->test == CLAIM_EQUIVALENCE) {
        add_band(figure, panel, -0.5, 0.5, -claim->margin, claim->margin, "the margin");
        panel->y.show_from = -claim->margin;
        panel->y.show_to = claim->margin;
    }
    Layer *layer = figure_layer(figure, panel, LAYER_POINTS, colour_distinct(0), "every seed");
    for (int seed = 0; seed < verdict->pairing->n_seeds && seed < SEED_POINTS_MAX; seed++)
        figure_datum(figure, layer, 0, verdict->arms[0].values[seed] - verdict->arms[1].values[seed], NAN, NAN);
    layer = figure_layer(figure, panel, LAYER_INTERVALS, 0, "mean and 95 %% t interval");
    add_interval(figure, layer, 0, &verdict->estimate);
    arms_keys(figure, verdict);
    figure_key(figure, KEY_LINE, LINE_DASHED, COLOUR_GREY, "no difference");
    figure_caption(figure, "Left: both arms, grey lines join the values of a seed; right: their differences. Dots and "
                           "bars: means with 95 %% t intervals. ");
    if (claim->test == CLAIM_EQUIVALENCE) figure_key(figure, KEY_BAND, LINE_SOLID, colour_distinct(2), "margin");
}

/* Regression: the metric against self-check accuracy, and the line through all points. */
static void add_regression(Figure *figure, const Verdict *verdict) {
    int n_seeds = verdict->pairing->n_seeds;
    double from = INFINITY, to = -INFINITY, mean_x = 0, mean_y = 0;
    Panel *panel = claim_panel(figure, verdict->claim, "self-check accuracy of the critic");
    Layer *layer = figure_layer(figure, panel, LAYER_POINTS, colour_distinct(0), "every seed and level");
    for (int arm = 0; arm < verdict->n_arms; arm++)
        for (int seed = 0; seed < n_seeds; seed++) {
            double x = verdict->pairing->self_check[arm * n_seeds + seed], y = verdict->arms[arm].values[seed];
            figure_datum(figure, layer, x, y, NAN, NAN);
            from = fmin(from, x);
            to = fmax(to, x);
            mean_x += x / (n_seeds * verdict->n_arms);
            mean_y += y / (n_seeds * verdict->n_arms);
        }
    layer = figure_layer(figure, panel, LAYER_LINES, COLOUR_GREY, "slope %.6g, the mean of the seeds' slopes",
                         verdict->estimate.mean);
    figure_datum(figure, layer, from, mean_y + verdict->estimate.mean * (from - mean_x), NAN, NAN);
    figure_datum(figure, layer, to, mean_y + verdict->estimate.mean * (to - mean_x), NAN, NAN);
    figure_key(figure, KEY_POINT, LINE_SOLID, colour_distinct(0), "one of %d seeds", n_seeds);
    figure_key(figure, KEY_LINE, LINE_SOLID, COLOUR_GREY, "mean of seeds' slopes");
    figure_caption(figure, "A circle per seed and level; the line has the mean of the seeds' slopes and goes through "
                           "the mean of all points. ");
}

/* "claim_ID", with a number when an earlier claim has the same id. */
static void claim_name(const Verdicts *verdicts, int which, char *name, size_t name_bytes) {
    const char *id = verdicts->items[which].claim->id;
    int earlier = 0;
    for (int i = 0; i < which; i++)
        earlier += strcmp(verdicts->items[i].claim->id, id) == 0;
    if (earlier == 0)
        snprintf(name, name_bytes, "claim_%.80s", id);
    else
        snprintf(name, name_bytes, "claim_%.80s_%d", id, earlier + 1);
}

void figure_claims(FigureSet *set, const Verdicts *verdicts) {
    for (int i = 0; i < verdicts->count && i < CLAIM_FIGURES_MAX; i++) {
        const Verdict *verdict = &verdicts->items[i];
        if (verdict->refused || verdict->pairing == NULL || verdict->pairing->n_seeds == 0) continue;
        char name[FIGURE_NAME_BYTES];
        claim_name(verdicts, i, name, sizeof name);
        Figure *figure = figure_begin(set, name);
        if (figure == NULL) return;
        snprintf(figure->title, sizeof figure->title, "%s", verdict->claim->id);
        if (verdict->claim->test == CLAIM_REGRESSION)
            add_regression(figure, verdict);
        else if (verdict->claim->test == CLAIM_DIFFERENCE || verdict->claim->test == CLAIM_EQUIVALENCE)
            add_pair(figure, verdict);
        else
            add_levels(figure, verdict);
        int before = set->count;
        figure_end(set, figure);
        if (set->count > before) set->of_claim[i] = figure;
    }
}
