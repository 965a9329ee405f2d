/* Figures: what is chosen, and that gnuplot draws it. */
#include "tests/harness.h"

#include "analysis/figures/gnuplot.h"
#include "analysis/figures/palette.h"
#include "analysis/report/axis_tables.h"
#include "analysis/report/report.h"
#include "analysis/results/slice.h"
#include "tests/fixtures/fake_results.h"

#include <unistd.h>

/* A table with its summary and figures, and a fresh folder. */
typedef struct Drawing {
    Table *table;
    Summary *summary;
    Completeness *completeness;
    Families *families;
    Verdicts *verdicts;
    FigureSet figures;
    char dir[64];
} Drawing;

static Drawing *drawing_of(Table *table) {
    Drawing *drawing = calloc(1, sizeof *drawing);
    drawing->table = table;
    assert_int_equal(summary_create(table, AT_DEFAULT, &drawing->summary, NULL), STATUS_OK);
    assert_int_equal(families_create(drawing->summary, &drawing->families, NULL), STATUS_OK);
    assert_int_equal(completeness_create(drawing->summary, &drawing->completeness, NULL), STATUS_OK);
    char warning[512];
    Error err = {{0}};
    if (verdicts_create(table, NULL, 0, NULL, &drawing->verdicts, warning, sizeof warning, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    figures_choose(drawing->summary, drawing->families, drawing->verdicts, &drawing->figures);
    for (int i = 0; i < drawing->figures.count; i++)
        assert_true(figure_is_whole(drawing->figures.items[i]));
    snprintf(drawing->dir, sizeof drawing->dir, "/tmp/palinode_figure_XXXXXX");
    assert_non_null(mkdtemp(drawing->dir));
    return drawing;
}

static ReportContent content_of(const Drawing *drawing) {
    return (ReportContent){drawing->completeness, drawing->families, drawing->verdicts, &drawing->figures};
}

static void drawing_free(Drawing *drawing) {
    static const char *const suffixes[] = {"svg", "gp", "dat", "png"};
    char path[256];
    for (int i = 0; i < drawing->figures.count; i++)
        for (size_t j = 0; j < sizeof suffixes / sizeof suffixes[0]; j++) {
            snprintf(path, sizeof path, "%s/%s.%s", drawing->dir, drawing->figures.items[i]->name, suffixes[j]);
            unlink(path);
        }
    snprintf(path, sizeof path, "%s/report.html", drawing->dir);
    unlink(path);
    assert_int_equal(rmdir(drawing->dir), 0); /* nothing else was written */
    figures_free(&drawing->figures);
    verdicts_free(drawing->verdicts);
    completeness_free(drawing->completeness);
    families_free(drawing->families);
    summary_free(drawing->summary);
    table_free(drawing->table);
    free(drawing);
}

/* The figure of that name; NULL: there is none. */
static Figure *figure_named(Drawing *drawing, const char *name) {
    Figure *found = NULL;
    for (int i = 0; i < drawing->figures.count; i++) {
        if (strcmp(drawing->figures.items[i]->name, name) != 0) continue;
        assert_null(found); /* names are unique */
        found = drawing->figures.items[i];
    }
    return found;
}

/* The nth layer of a kind and style in a panel; NULL: there are fewer. */
static const Layer *layer_of(const Panel *panel, LayerKind kind, LineStyle style, int nth) {
    for (int i = 0; i < panel->n_layers; i++)
        if (panel->layers[i].kind == kind && panel->layers[i].style == style && nth-- == 0) return &panel->layers[i];
    return NULL;
}

static const Key *key_named(const Figure *figure, const char *text) {
    for (int i = 0; i < figure->n_keys; i++)
        if (strcmp(figure->keys[i].text, text) == 0) return &figure->keys[i];
    return NULL;
}

/* The text of a file of the drawing; NULL: there is none. malloc'd. */
static char *text_of(const Drawing *drawing, const char *name) {
    char path[128], *text = NULL;
    snprintf(path, sizeof path, "%s/%s", drawing->dir, name);
    FILE *in = fopen(path, "r");
    if (in == NULL) return NULL;
    size_t size = 0;
    assert_true(getdelim(&text, &size, '\0', in) > 0);
    fclose(in);
    return text;
}

/* Draws a figure of the drawing and returns a file of it. */
static char *drawn(const Drawing *drawing, const Figure *figure, const char *suffix) {
    Error err = {{0}};
    char name[128];
    if (gnuplot_draw(figure, drawing->dir, false, &err) != STATUS_OK) fail_msg("%s", err.text);
    snprintf(name, sizeof name, "%s.%s", figure->name, suffix);
    char *text = text_of(drawing, name);
    assert_non_null(text);
    return text;
}

/* --- what is chosen ----------------------------------------------------------------------------------------------- */

static void the_quality_figure_has_a_curve_per_quality_and_gd_dashed_in_its_colour(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2}, 1, 3));
    const Figure *figure = figure_named(drawing, "quality");
    assert_non_null(figure);
    assert_int_equal(figure->n_panels, 2);
    for (int i = 0; i < 2; i++) {
        const Panel *panel = &figure->panels[i];
        const Layer *line = layer_of(panel, LAYER_LINES, LINE_SOLID, i),
                    *gd = layer_of(panel, LAYER_LINES, LINE_DASHED, 1 - i);
        assert_int_equal(line->n, FAKE_POINTS - 2);
        assert_near(line->data[3].x, 5, 0);
        assert_near(line->data[3].y, fake_value(i == 0 ? 1 : 0.5, 1, 5), 1e-12); /* the mean of seeds 0, 1, 2 */
        assert_int_equal(line->colour, gd->colour);
        assert_int_equal(line->colour, key_named(figure, i == 0 ? "1" : "0.5")->colour);
        assert_null(layer_of(panel, LAYER_LINES, LINE_SOLID, 2));
        assert_non_null(layer_of(panel, LAYER_BANDS, LINE_SOLID, 1));
        assert_null(layer_of(panel, LAYER_BANDS, LINE_SOLID, 2));  /* none for gd */
        assert_null(layer_of(panel, LAYER_LINES, LINE_DOTTED, 0)); /* nothing was released for this task */
    }
    assert_int_not_equal(key_named(figure, "1")->colour, key_named(figure, "0.5")->colour);
    drawing_free(drawing);
}

static void every_training_axis_has_a_figure_at_the_best_quality_with_gd_once(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2, 4, 6}, 3, 2));
    const Figure *figure = figure_named(drawing, "n_layer");
    assert_non_null(figure);
    for (int i = 0; i < 3; i++)
        assert_near(layer_of(&figure->panels[0], LAYER_LINES, LINE_SOLID, i)->data[0].y, fake_value(1, 0, 2) + 0.0005,
                    1e-12);
    assert_null(layer_of(&figure->panels[0], LAYER_LINES, LINE_SOLID, 3));
    assert_non_null(layer_of(&figure->panels[0], LAYER_LINES, LINE_DASHED, 0));
    assert_null(layer_of(&figure->panels[0], LAYER_LINES, LINE_DASHED, 1));
    assert_non_null(layer_of(&figure->panels[0], LAYER_LINES, LINE_THIN, 5)); /* two seeds: each is drawn */
    assert_int_equal(key_named(figure, "gd")->style, LINE_DASHED);
    assert_string_equal(figure->keys[1].text, "6"); /* the largest first */
    drawing_free(drawing);
}

static void axes_that_move_together_give_one_figure_that_names_both(void **state) {
    Table *table = table_create();
    for (int heads = 1; heads <= 3; heads++) {
        TrainingSpec spec = fake_spec(2, 0);
        spec.model.n_head = heads;
        spec.model.n_embd = 32 * heads;
        add_fake_training(table, spec);
    }
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    Drawing *drawing = drawing_of(table);
    assert_non_null(key_named(figure_named(drawing, "n_head"), "3, n_embd 96"));
    assert_non_null(key_named(figure_named(drawing, "n_head"), "1, n_embd 32"));
    assert_null(figure_named(drawing, "n_embd"));
    drawing_free(drawing);
}

static void an_axis_of_many_values_is_thinned_evenly_and_keeps_its_ends(void **state) {
    int depths[40];
    for (int i = 0; i < 40; i++)
        depths[i] = i + 1;
    Drawing *drawing = drawing_of(fake_table(depths, 40, 1));
    const Figure *figure = figure_named(drawing, "n_layer");
    assert_non_null(layer_of(&figure->panels[0], LAYER_LINES, LINE_SOLID, SLICE_MAX - 1));
    assert_null(layer_of(&figure->panels[0], LAYER_LINES, LINE_SOLID, SLICE_MAX));
    assert_non_null(key_named(figure, "40"));
    assert_non_null(key_named(figure, "1"));
    assert_non_null(strstr(figure->caption, "28 further values are not drawn"));
    assert_true(drawing->figures.count < 12);
    drawing_free(drawing);
}

static void figures_are_slices_through_the_configuration_nearest_to_the_papers(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){1, 4, 16, 60}, 4, 1));
    assert_int_equal(slice_base(drawing->summary, drawing->families)->series->settings.training.model.n_layer,
                     16); /* the paper has 20 */
    assert_near(slice_base(drawing->summary, drawing->families)->series->settings.critic.quality, 1, 0);
    drawing_free(drawing);
}

static void what_is_infinite_or_too_large_to_draw_is_left_out_and_the_figure_drawn_all_the_same(void **state) {
    Table *table = table_create();
    add_fake(table, fake_header());
    for (int n_layer = 1; n_layer <= 4; n_layer *= 2) {
        TrainingSpec spec = fake_spec(n_layer, 0);
        add_fake(table, fake_training(&spec, OUTCOME_DONE));
        Record cell = fake_cell(&spec, 1);
        for (int i = 0; i < METRIC_COUNT * FAKE_POINTS; i++)
            cell.of.cell.curves.value[i] = n_layer == 1 ? INFINITY : n_layer == 2 ? -1e308 : 0.5;
        add_fake(table, cell);
    }
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    Drawing *drawing = drawing_of(table);
    for (int i = 0; i < drawing->figures.count; i++)
        free(drawn(drawing, drawing->figures.items[i], "svg"));
    const Layer *line = layer_of(&figure_named(drawing, "n_layer_at_7")->panels[0], LAYER_LINES, LINE_THIN, 0);
    assert_true(isnan(line->data[0].y) && isnan(line->data[1].y));
    assert_near(line->data[2].y, 0.5, 0);
    drawing_free(drawing);
}

/* A training as the hub, but for one or more settings, with seeds 0 and 1. */
static void add_variant(Table *table, int n_layer, int n_head, bool ffn, Attention attention) {
    for (uint32_t seed = 0; seed < 2; seed++) {
        TrainingSpec spec = fake_spec(n_layer, seed);
        spec.model.n_head = n_head;
        spec.model.ffn = ffn;
        spec.model.attention = attention;
        add_fake_training(table, spec);
    }
}

/* Variants around 4 layers, 3 heads; 8 layers, nearer to the paper, are one of them. */
static Table *star_table(void) {
    Table *table = table_create();
    add_fake(table, fake_header());
    add_variant(table, 4, 3, true, ATTENTION_SOFTMAX);
    for (int n_layer = 1; n_layer <= 8; n_layer *= 2)
        if (n_layer != 4) add_variant(table, n_layer, 3, true, ATTENTION_SOFTMAX);
    add_variant(table, 4, 1, true, ATTENTION_SOFTMAX);
    add_variant(table, 4, 3, false, ATTENTION_SOFTMAX);
    add_variant(table, 4, 3, true, ATTENTION_LINEAR);
    return table;
}

static void figures_and_the_table_of_axes_go_through_the_hub_of_the_variants(void **state) {
    Table *table = star_table();
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    Drawing *drawing = drawing_of(table);
    const Configuration *base = slice_base(drawing->summary, drawing->families);
    assert_int_equal(base->series->settings.training.model.n_layer, 4);
    assert_int_equal(base->series->settings.training.model.n_head, 3);
    assert_true(base->series->settings.training.model.ffn);
    static const char *const names[] = {"n_layer", "n_head", "ffn", "attention", "quality"};
    for (int i = 0; i < 5; i++) {
        const Figure *figure = figure_named(drawing, names[i]);
        assert_non_null(figure);
        assert_null(strstr(figure->caption, "n_layer 8"));
        for (int key = 0; key < figure->n_keys; key++)
            assert_null(strstr(figure->keys[key].text, ", ")); /* no member differs in another setting */
    }
    assert_non_null(
        strstr(figure_named(drawing, "ffn")->caption, "Fixed: n_layer 4, n_head 3, attention softmax, q 1"));
    Sheet *sheet = axis_sheet(drawing->summary, drawing->families);
    assert_int_equal(sheet->n_rows, 1 + 5); /* every axis */
    sheet_free(sheet);
    drawing_free(drawing);
}

static void values_that_nothing_compares_all_else_equal_are_left_out_and_the_caption_says_so(void **state) {
    Table *table = star_table();
    add_variant(table, 8, 6, true, ATTENTION_SOFTMAX);  /* 6 heads at 8 layers only */
    add_variant(table, 12, 4, false, ATTENTION_LINEAR); /* differs from all others in at least two */
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    Drawing *drawing = drawing_of(table);
    const Figure *figure = figure_named(drawing, "n_head");
    assert_non_null(key_named(figure, "1"));
    assert_non_null(key_named(figure, "3"));
    assert_null(key_named(figure, "6"));
    assert_non_null(strstr(figure->caption, "Left out: 2 values measured with other settings only"));
    assert_non_null(
        strstr(figure_named(drawing, "n_layer_at_7")->caption, "Left out: 1 value measured with other settings only"));
    drawing_free(drawing);
}

static void an_axis_that_does_not_vary_at_the_hub_is_compared_where_it_varies_most(void **state) {
    Table *table = star_table();
    for (int i = 0; i < 3; i++) {
        TrainingSpec spec = fake_spec(i < 2 ? 8 : 2, 0); /* two more batch sizes at 8 layers, one at 2 */
        spec.model.n_head = 3;
        spec.train.batch_size = i < 2 ? 7 + i : 7;
        add_fake_training(table, spec);
    }
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    Drawing *drawing = drawing_of(table);
    const Figure *figure = figure_named(drawing, "batch_size");
    assert_non_null(strstr(figure->caption, "Fixed: n_layer 8, "));
    Sheet *sheet = axis_sheet(drawing->summary, drawing->families);
    bool told = false;
    for (int row = 1; row < sheet->n_rows; row++)
        told = told || strcmp(sheet->cells[row * 7], "batch_size (n_layer 8)") == 0;
    assert_true(told);
    sheet_free(sheet);
    drawing_free(drawing);
}

static void an_axis_is_spaced_by_factors_where_its_values_are(void **state) {
    static const int sets[][4] = {{1, 2, 4, 8}, {5, 10, 15, 20}};
    for (int i = 0; i < 2; i++) {
        Drawing *drawing = drawing_of(fake_table(sets[i], 4, 2));
        const Figure *figure = figure_named(drawing, "n_layer_at_7");
        assert_int_equal(figure->panels[0].x.scale, i == 0 ? SCALE_LOG2 : SCALE_LINEAR);
        const Layer *points = layer_of(&figure->panels[0], LAYER_POINTS, LINE_SOLID, 0);
        assert_int_equal(points->n, 4 * 2); /* every seed */
        assert_int_equal(figure_named(drawing, "quality_at_7")->panels[0].x.scale, SCALE_LINEAR);
        drawing_free(drawing);
    }
}

static void a_heat_map_has_a_cell_for_every_depth_and_quality(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2, 4, 6}, 3, 2));
    const Figure *figure = figure_named(drawing, "n_layer_by_quality");
    const Layer *cells = layer_of(&figure->panels[0], LAYER_CELLS, LINE_SOLID, 0);
    assert_int_equal(cells->n, 6);
    assert_near(cells->data[5].x, 2, 0); /* column 6 layers, row quality 1 */
    assert_near(cells->data[5].y, 1, 0);
    assert_near(cells->data[5].low, fake_value(1, 0, 7) + 0.0005, 1e-12);
    assert_string_equal(figure->panels[0].y.ticks[1].text, "1");
    drawing_free(drawing);
}

static void bands_and_bars_end_where_the_metric_does(void **state) {
    Table *table = table_create();
    for (uint32_t seed = 0; seed < 3; seed++) {
        TrainingSpec spec = fake_spec(2, seed);
        add_fake(table, fake_training(&spec, OUTCOME_DONE));
        for (int quality = 0; quality < 2; quality++) {
            Record cell = fake_cell(&spec, quality);
            for (int examples = 2; examples < FAKE_POINTS; examples++)
                cell.of.cell.curves.value[curves_at(&cell.of.cell.curves, METRIC_KENDALL_TAU, examples)] =
                    seed == 0 ? 0.9 : 1;
            add_fake(table, cell);
        }
    }
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    Drawing *drawing = drawing_of(table);
    const Layer *band = layer_of(&figure_named(drawing, "quality")->panels[0], LAYER_BANDS, LINE_SOLID, 0),
                *bars = layer_of(&figure_named(drawing, "quality_at_7")->panels[0], LAYER_INTERVALS, LINE_SOLID, 0);
    assert_near(band->data[0].high, 1, 0);
    assert_near(bars->data[0].high, 1, 0);
    assert_near(band->data[0].low, 0.823244909, 1e-6);
    drawing_free(drawing);
}

/* Results of the paper's model but for its depth. */
static Drawing *papers_model(int n_layer) {
    Table *table = table_create();
    for (uint32_t seed = 0; seed < 2; seed++) {
        TrainingSpec spec = fake_spec(n_layer, seed);
        spec.task.n_points = 20;
        add_fake(table, fake_training(&spec, OUTCOME_DONE));
        Record cell = fake_cell(&spec, 1);
        curves_free(&cell.of.cell.curves);
        assert_int_equal(curves_create(&cell.of.cell.curves, 20, NULL), STATUS_OK);
        cell.of.cell.curves.value[curves_at(&cell.of.cell.curves, METRIC_NMSE, 19)] = 0.5;
        cell.of.cell.curves.value[curves_at(&cell.of.cell.curves, METRIC_NMSE, 10)] = 0.5;
        add_fake(table, cell);
    }
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    return drawing_of(table);
}

static void released_curves_are_drawn_beside_the_model_that_was_released_and_no_other(void **state) {
    Drawing *drawing = papers_model(20);
    const Figure *figure = figure_named(drawing, "quality");
    const Layer *released = layer_of(&figure->panels[1], LAYER_LINES, LINE_DOTTED, 0);
    assert_non_null(released);
    assert_int_equal(released->n, 14);
    assert_near(released->data[13].x, 15, 0);
    assert_near(released->data[13].y, 0.29655862, 1e-12); /* the last number of the file's first row */
    assert_null(layer_of(&figure->panels[0], LAYER_LINES, LINE_DOTTED, 0)); /* it has no tau */
    assert_non_null(strstr(figure->caption, "released"));
    assert_near(figure->panels[1].x.to, 15, 0); /* the paper's axis; the data go on */
    assert_near(layer_of(&figure->panels[1], LAYER_LINES, LINE_SOLID, 0)->data[17].x, 19, 0);
    drawing_free(drawing);
    drawing = papers_model(4);
    figure = figure_named(drawing, "quality");
    assert_null(layer_of(&figure->panels[1], LAYER_LINES, LINE_DOTTED, 0));
    assert_null(strstr(figure->caption, "released"));
    drawing_free(drawing);
}

static void the_training_figure_has_a_line_a_seed_and_the_mean_and_what_a_guess_costs(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2}, 1, 3));
    const Figure *figure = figure_named(drawing, "training");
    const Panel *panel = &figure->panels[0];
    assert_non_null(layer_of(panel, LAYER_LINES, LINE_THIN, 2));
    assert_null(layer_of(panel, LAYER_LINES, LINE_THIN, 3));
    const Layer *mean = layer_of(panel, LAYER_LINES, LINE_SOLID, 0);
    assert_int_equal(mean->n, 2);
    assert_near(mean->data[1].x, 3000, 0);
    assert_near(mean->data[1].y, 14.5, 1e-12);
    double guess = (log(2) + log(6) + log(24) + log(120) + log(720) + log(5040)) / 6;
    assert_near(layer_of(panel, LAYER_LINES, LINE_DASHED, 0)->data[0].y, guess, 1e-9);
    drawing_free(drawing);
}

static void results_without_a_model_have_no_figures_of_models(void **state) {
    Table *table = table_create();
    TrainingSpec spec = fake_spec(2, 0);
    add_fake(table, fake_baseline(&spec, 1, PREDICTOR_GD));
    add_fake(table, fake_training(&spec, OUTCOME_FAILED));
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    Drawing *drawing = drawing_of(table);
    assert_null(figure_named(drawing, "quality"));
    assert_non_null(figure_named(drawing, "training")); /* how far it came */
    assert_int_equal(drawing->figures.count, 1);
    drawing_free(drawing);
    table = table_create();
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    drawing = drawing_of(table);
    assert_int_equal(drawing->figures.count, 0);
    drawing_free(drawing);
}

/* Depths 2 and 4, two qualities, n_seeds, three rounds; every value differs between the depths and varies over seeds.
 * claims: lines of the job's list. */
static Table *table_with_rounds(int n_seeds, const char *claims) {
    Table *table = table_create();
    Record header = fake_header();
    free(header.of.header.job_text);
    assert_true(asprintf(&header.of.header.job_text,
                         "model: {n_layer: [2, 4]}\ntask: {n_points: 8}\n"
                         "evaluate: {critique_quality: [1, 0.5], rounds: 3, initial_responses: 3, right_cosine: 0.75}\n"
                         "seeds: {first: 0, count: %d}\n%s",
                         n_seeds, claims) > 0);
    add_fake(table, header);
    for (uint32_t seed = 0; seed < (uint32_t)n_seeds; seed++)
        for (int depth = 2; depth <= 4; depth += 2) {
            TrainingSpec spec = fake_spec(depth, seed);
            add_fake(table, fake_training(&spec, OUTCOME_DONE));
            for (int i = 0; i < 2; i++) {
                Record cell = fake_cell_with_rounds(&spec, i == 0 ? 1 : 0.5, 3);
                cell.of.cell.curves.value[curves_at(&cell.of.cell.curves, METRIC_KENDALL_TAU, 7)] +=
                    0.1 * depth + 0.01 * (seed % 2);
                add_fake(table, cell);
            }
        }
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    return table;
}

static void rounds_have_trajectories_flips_and_the_gain_against_self_check_accuracy(void **state) {
    Drawing *drawing = drawing_of(table_with_rounds(3, ""));
    const Figure *figure = figure_named(drawing, "rounds_quality");
    const Layer *nmse = layer_of(&figure->panels[0], LAYER_LINES, LINE_SOLID, 0);
    assert_int_equal(nmse->n, 4); /* rounds 0 to 3 */
    assert_near(nmse->data[3].y, fake_round_value(1, 1, 3), 1e-12);
    assert_null(layer_of(&figure->panels[0], LAYER_LINES, LINE_DASHED, 0)); /* gd has no rounds */
    figure = figure_named(drawing, "rounds_flips");
    assert_int_equal(layer_of(&figure->panels[0], LAYER_LINES, LINE_DASHED, 0)->n, 3); /* undefined at round 0 */
    assert_non_null(strstr(figure->caption, "0.75"));
    figure = figure_named(drawing, "rounds_self_check");
    const Panel *panel = &figure->panels[0];
    assert_int_equal(layer_of(panel, LAYER_POINTS, LINE_SOLID, 0)->n, 3 * 2); /* seeds, qualities */
    const Layer *line = layer_of(panel, LAYER_LINES, LINE_SOLID, 0);
    assert_near(line->data[0].x, 0.5, 1e-12);
    assert_near(line->data[line->n - 1].x, 0.75, 1e-12);
    assert_near(line->data[0].y, fake_round_value(0.5, 1, 3), 1e-12); /* two points a seed: the line meets them */
    assert_near(line->data[line->n - 1].y, fake_round_value(1, 1, 3), 1e-12);
    assert_null(figure_named(drawing, "rounds_critics")); /* one kind of critic only */
    assert_non_null(figure_named(drawing, "n_layer_after_3"));
    drawing_free(drawing);
}

static void few_rounds_have_no_ticks_between_them(void **state) {
    Drawing *drawing = drawing_of(table_with_rounds(3, ""));
    free(drawn(drawing, figure_named(drawing, "rounds_flips"), "svg"));
    char *script = text_of(drawing, "rounds_flips.gp");
    assert_non_null(strstr(script, "set xtics 1\n"));
    assert_null(strstr(script, "set xtics autofreq"));
    assert_non_null(strstr(script, "set ytics autofreq"));
    free(script);
    drawing_free(drawing);
}

static void every_claim_has_a_figure_of_what_its_verdict_rests_on(void **state) {
    Drawing *drawing = drawing_of(table_with_rounds(
        4,
        "claims:\n"
        "  - {id: helps, test: trend, metric: kendall_tau, at: 7, over: model.n_layer, direction: increasing, where: "
        "{critique_quality: 1}}\n"
        "  - {id: same, test: equivalence, metric: nmse, at: 7, a: {model.n_layer: 2}, b: {model.n_layer: 4}, "
        "margin: 0.5, where: {critique_quality: 1}}\n"
        "  - {id: refused, test: difference, metric: nmse, at: 7, a: {predictor: model}, b: {predictor: gd}, where: "
        "{critique_quality: 1, model.n_layer: 2}}\n"));
    assert_int_equal(drawing->verdicts->count, 3);
    const Figure *figure = figure_named(drawing, "claim_helps");
    assert_ptr_equal(drawing->figures.of_claim[0], figure);
    assert_non_null(layer_of(&figure->panels[0], LAYER_LINES, LINE_THIN, 3)); /* a line a seed */
    const Layer *means = layer_of(&figure->panels[0], LAYER_INTERVALS, LINE_SOLID, 0);
    assert_int_equal(means->n, 2);
    assert_near(means->data[1].x, 4, 0);
    assert_near(means->data[1].y, fake_value(1, 0, 7) + 0.0015 + 0.405, 1e-12);
    figure = figure_named(drawing, "claim_same");
    assert_ptr_equal(drawing->figures.of_claim[1], figure);
    const Layer *margin = layer_of(&figure->panels[1], LAYER_BANDS, LINE_SOLID, 0);
    assert_near(margin->data[0].low, -0.5, 0);
    assert_near(margin->data[0].high, 0.5, 0);
    assert_null(drawing->figures.of_claim[2]); /* no gd was measured */
    assert_null(figure_named(drawing, "claim_refused"));
    free(drawn(drawing, figure, "svg"));
    drawing_free(drawing);
}

static void ordered_colours_run_from_dark_to_light(void **state) {
    assert_int_equal(colour_ordered(0, 5), 0x440154);
    assert_int_equal(colour_ordered(2, 5), 0x21918c);
    assert_int_equal(colour_ordered(4, 5), 0xc8c020);
    assert_int_equal(colour_ordered(1, 9), 0x402a70); /* half way between two anchors */
    assert_int_equal(colour_ordered(0, 1), 0x440154);
}

/* --- ranges ---------------------------------------------------------------------------------------------------------
 */

static void bands_may_reach_past_the_lines_but_never_dwarf_them(void **state) {
    Figure *figure = figure_create("a");
    Panel *panel = figure_panel(figure, "y", "x");
    Layer *layer = figure_layer(figure, panel, LAYER_LINES, 0, "line");
    figure_datum(figure, layer, 0, 1, NAN, NAN);
    figure_datum(figure, layer, 1, 2, NAN, NAN);
    figure_datum(figure, layer, 2, NAN, NAN, NAN);
    layer = figure_layer(figure, panel, LAYER_BANDS, 0, "band");
    figure_datum(figure, layer, 0, 1, 0.95, 100);
    figure_datum(figure, layer, 1, 2, -INFINITY, NAN);
    double from, to;
    panel_y_range(panel, &from, &to);
    assert_near(from, 0.95 - 0.02 * (2.5 - 0.95), 0.01);
    assert_near(to, 2.5 + 0.02 * (2.5 - 0.95), 0.01);
    panel->y.bound_to = 2.1;
    panel_y_range(panel, &from, &to);
    assert_near(to, 2.1, 0);
    figure_free(figure);
}

static void a_figure_of_nothing_or_of_one_value_has_a_range(void **state) {
    Figure *figure = figure_create("a b/c");
    assert_string_equal(figure->name, "a_b_c");
    Panel *panel = figure_panel(figure, "y", "x");
    double from, to;
    assert_false(figure_has_data(figure));
    panel_y_range(panel, &from, &to);
    assert_true(from < to);
    Layer *layer = figure_layer(figure, panel, LAYER_POINTS, 0, "point");
    figure_datum(figure, layer, 3, 3, NAN, NAN);
    assert_true(figure_has_data(figure));
    panel->x.scale = SCALE_LOG2;
    panel_x_range(panel, &from, &to);
    assert_true(from > 0 && from < 3 && to > 3);
    panel_y_range(panel, &from, &to);
    assert_true(from < 3 && to > 3);
    figure_free(figure);
}

/* --- drawing --------------------------------------------------------------------------------------------------------
 */

static void a_figure_is_drawn_with_its_script_and_data_beside_it(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2}, 1, 3));
    Error err = {{0}};
    Figure *figure = figure_named(drawing, "quality");
    snprintf(figure->keys[0].text, sizeof figure->keys[0].text, "it's _odd_ {^} \\n \"title\"");
    if (gnuplot_draw(figure, drawing->dir, true, &err) != STATUS_OK) fail_msg("%s", err.text);
    char *svg = text_of(drawing, "quality.svg"), *script = text_of(drawing, "quality.gp"),
         *data = text_of(drawing, "quality.dat"), *png = text_of(drawing, "quality.png");
    assert_non_null(svg);
    assert_non_null(strstr(svg, "<svg"));
    assert_non_null(strstr(svg, "it's _odd_ {^} \\n")); /* as it is, not gnuplot's or XML's markup */
    assert_non_null(strstr(svg, "#440154") != NULL ? svg : strstr(svg, "68,   1,  84") != NULL ? svg : NULL);
    assert_non_null(script);
    assert_non_null(png);
    char line[128];
    snprintf(line, sizeof line, "\n5 %.9g ", fake_value(1, 1, 5));
    assert_non_null(strstr(data, line));
    free(svg);
    free(script);
    free(data);
    free(png);
    drawing_free(drawing);
}

static void every_kind_of_figure_is_drawn(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){1, 2, 4}, 3, 3));
    for (int i = 0; i < drawing->figures.count; i++) {
        char *svg = drawn(drawing, drawing->figures.items[i], "svg");
        assert_non_null(strstr(svg, "<path")); /* something was drawn */
        assert_non_null(strstr(svg, "</svg>"));
        assert_true(drawing->figures.items[i]->caption[0] != '\0');
        assert_true(drawing->figures.items[i]->title[0] != '\0');
        free(svg);
    }
    drawing_free(drawing);
}

static void values_that_no_eye_tells_apart_are_drawn_beside_each_other(void **state) {
    static const double rates[] = {0.3, 0.30000000000000004};
    Table *table = table_create();
    for (uint32_t seed = 0; seed < 2; seed++)
        for (int i = 0; i < 2; i++) {
            TrainingSpec spec = fake_spec(2, seed);
            spec.train.learning_rate = rates[i];
            add_fake_training(table, spec);
        }
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    Drawing *drawing = drawing_of(table);
    const Figure *figure = figure_named(drawing, "learning_rate_at_7");
    const Axis *axis = &figure->panels[0].x;
    assert_int_equal(axis->n_ticks, 2);
    assert_string_equal(axis->ticks[0].text, "0.3");
    assert_string_equal(axis->ticks[1].text, "0.30000000000000004");
    assert_near(axis->ticks[1].at - axis->ticks[0].at, 1, 0);
    assert_non_null(strstr(figure->caption, "spaced evenly"));
    for (int i = 0; i < drawing->figures.count; i++)
        free(drawn(drawing, drawing->figures.items[i], "svg"));
    drawing_free(drawing);
}

/* gnuplot refuses an axis whose ends print alike. */
static void data_that_hardly_differ_have_axes_with_two_ends(void **state) {
    static const double values[] = {0.3, 24, -1, 1e-20, 1e9};
    Drawing *drawing = drawing_of(fake_table((int[]){2}, 1, 1));
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        for (int scale = SCALE_LINEAR; scale <= SCALE_LOG10; scale++) {
            Figure *figure = figure_create("training"); /* a name that is cleaned up */
            Panel *panel = figure_panel(figure, "near", "x");
            if (values[i] > 0) panel->x.scale = scale;
            Layer *cells = figure_layer(figure, panel, LAYER_POINTS, 0, "near");
            figure_datum(figure, cells, values[i], values[i], NAN, NAN);
            figure_datum(figure, cells, values[i] * (1 + 1e-13), values[i] * (1 - 1e-13), NAN, NAN);
            panel = figure_panel(figure, "near cells", "x");
            cells = figure_layer(figure, panel, LAYER_CELLS, 0, "near");
            figure_datum(figure, cells, 1, 1, values[i], NAN);
            figure_datum(figure, cells, 2, 1, values[i] * (1 + 1e-13), NAN);
            free(drawn(drawing, figure, "svg"));
            figure_free(figure);
        }
    drawing_free(drawing);
}

static void one_seed_is_drawn_without_a_band_and_says_so(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2}, 1, 1));
    char *svg = drawn(drawing, figure_named(drawing, "quality"), "svg"), *script = text_of(drawing, "quality.gp");
    assert_null(strstr(script, "filledcurves"));
    assert_non_null(strstr(svg, "1 seed: no interval"));
    free(script);
    free(svg);
    drawing_free(drawing);
}

static void a_missing_gnuplot_is_a_clear_message_and_leaves_no_old_picture(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2}, 1, 3));
    const Figure *figure = figure_named(drawing, "quality");
    char *path = strdup(getenv("PATH"));
    Error err = {{0}};
    assert_int_equal(gnuplot_draw(figure, drawing->dir, false, &err), STATUS_OK);
    setenv("PATH", drawing->dir, 1);
    assert_int_equal(gnuplot_draw(figure, drawing->dir, false, &err), STATUS_FAILED);
    setenv("PATH", path, 1);
    free(path);
    assert_non_null(strstr(err.text, "gnuplot"));
    assert_non_null(strstr(err.text, "install"));
    assert_null(text_of(drawing, "quality.svg"));
    drawing_free(drawing);
}

static void the_report_holds_figure_table_and_provenance_and_escapes_what_it_quotes(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2}, 1, 3));
    char path[128];
    Error err = {{0}};
    const ReportContent content = content_of(drawing);
    snprintf(path, sizeof path, "%s/report.html", drawing->dir);
    assert_int_equal(gnuplot_draw(figure_named(drawing, "quality"), drawing->dir, false, &err), STATUS_OK);
    assert_int_equal(report_write(&content, drawing->dir, path, &err), STATUS_OK);
    char *html = text_of(drawing, "report.html");
    assert_non_null(strstr(html, "<svg"));
    assert_null(strstr(html, "<?xml"));
    assert_null(strstr(html, "src=")); /* nothing to fetch */
    assert_non_null(strstr(html, "fake &amp; job"));
    assert_non_null(strstr(html, "palinode run &lt;job&gt;"));
    assert_non_null(strstr(html, "model: {}"));
    assert_non_null(strstr(html, "fake 1"));
    assert_non_null(strstr(html, "complete"));
    assert_non_null(strstr(html, "was not drawn")); /* the others */
    free(html);
    drawing_free(drawing);
}

static void a_grid_of_many_configurations_has_a_report_of_bounded_length_that_says_what_is_left_out(void **state) {
    int depths[200];
    for (int i = 0; i < 200; i++)
        depths[i] = i + 1;
    Drawing *drawing = drawing_of(fake_table(depths, 200, 2));
    char path[128];
    Error err = {{0}};
    const ReportContent content = content_of(drawing);
    snprintf(path, sizeof path, "%s/report.html", drawing->dir);
    assert_int_equal(report_write(&content, drawing->dir, path, &err), STATUS_OK);
    char *html = text_of(drawing, "report.html");
    assert_true(drawing->figures.count < 12);
    assert_non_null(strstr(html, "The first 300 of 404 rows; all are in tables/summary.csv."));
    assert_non_null(strstr(html, "Shown: 24 of 200 configurations"));
    free(html);
    drawing_free(drawing);
}

static void results_without_a_measurement_have_a_report_that_says_so(void **state) {
    Table *table = table_create();
    add_fake(table, fake_header());
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    Drawing *drawing = drawing_of(table);
    char path[128];
    Error err = {{0}};
    const ReportContent content = content_of(drawing);
    snprintf(path, sizeof path, "%s/report.html", drawing->dir);
    assert_int_equal(report_write(&content, drawing->dir, path, &err), STATUS_OK);
    char *html = text_of(drawing, "report.html");
    assert_non_null(strstr(html, "Nothing has been measured yet."));
    assert_non_null(strstr(html, "There is nothing to draw yet."));
    assert_null(strstr(html, "At -1"));
    free(html);
    drawing_free(drawing);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_quality_figure_has_a_curve_per_quality_and_gd_dashed_in_its_colour),
        cmocka_unit_test(every_training_axis_has_a_figure_at_the_best_quality_with_gd_once),
        cmocka_unit_test(axes_that_move_together_give_one_figure_that_names_both),
        cmocka_unit_test(an_axis_of_many_values_is_thinned_evenly_and_keeps_its_ends),
        cmocka_unit_test(figures_are_slices_through_the_configuration_nearest_to_the_papers),
        cmocka_unit_test(what_is_infinite_or_too_large_to_draw_is_left_out_and_the_figure_drawn_all_the_same),
        cmocka_unit_test(figures_and_the_table_of_axes_go_through_the_hub_of_the_variants),
        cmocka_unit_test(values_that_nothing_compares_all_else_equal_are_left_out_and_the_caption_says_so),
        cmocka_unit_test(an_axis_that_does_not_vary_at_the_hub_is_compared_where_it_varies_most),
        cmocka_unit_test(an_axis_is_spaced_by_factors_where_its_values_are),
        cmocka_unit_test(a_heat_map_has_a_cell_for_every_depth_and_quality),
        cmocka_unit_test(bands_and_bars_end_where_the_metric_does),
        cmocka_unit_test(released_curves_are_drawn_beside_the_model_that_was_released_and_no_other),
        cmocka_unit_test(the_training_figure_has_a_line_a_seed_and_the_mean_and_what_a_guess_costs),
        cmocka_unit_test(results_without_a_model_have_no_figures_of_models),
        cmocka_unit_test(rounds_have_trajectories_flips_and_the_gain_against_self_check_accuracy),
        cmocka_unit_test(few_rounds_have_no_ticks_between_them),
        cmocka_unit_test(every_claim_has_a_figure_of_what_its_verdict_rests_on),
        cmocka_unit_test(ordered_colours_run_from_dark_to_light),
        cmocka_unit_test(bands_may_reach_past_the_lines_but_never_dwarf_them),
        cmocka_unit_test(a_figure_of_nothing_or_of_one_value_has_a_range),
        cmocka_unit_test(a_figure_is_drawn_with_its_script_and_data_beside_it),
        cmocka_unit_test(every_kind_of_figure_is_drawn),
        cmocka_unit_test(values_that_no_eye_tells_apart_are_drawn_beside_each_other),
        cmocka_unit_test(data_that_hardly_differ_have_axes_with_two_ends),
        cmocka_unit_test(one_seed_is_drawn_without_a_band_and_says_so),
        cmocka_unit_test(a_missing_gnuplot_is_a_clear_message_and_leaves_no_old_picture),
        cmocka_unit_test(a_grid_of_many_configurations_has_a_report_of_bounded_length_that_says_what_is_left_out),
        cmocka_unit_test(results_without_a_measurement_have_a_report_that_says_so),
        cmocka_unit_test(the_report_holds_figure_table_and_provenance_and_escapes_what_it_quotes),
    };
    return run_tests(tests, argc, argv);
}
