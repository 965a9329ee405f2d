/* Figures: what is chosen, and that gnuplot draws it. */
#include "tests/harness.h"

#include "analysis/figure_choice.h"
#include "analysis/report.h"
#include "tests/unit/fake_results.h"

#include <unistd.h>

/* A table with its summary and figures, and a fresh folder. */
typedef struct Drawing {
    Table *table;
    Summary *summary;
    Figure figures[AXES_MAX + 1];
    int n_figures;
    char dir[64];
} Drawing;

static Drawing *drawing_of(Table *table) {
    Drawing *drawing = calloc(1, sizeof *drawing);
    drawing->table = table;
    assert_int_equal(summary_create(table, AT_DEFAULT, &drawing->summary, NULL), STATUS_OK);
    drawing->n_figures = figures_choose(drawing->summary, drawing->figures);
    snprintf(drawing->dir, sizeof drawing->dir, "/tmp/palinode_figure_XXXXXX");
    assert_non_null(mkdtemp(drawing->dir));
    return drawing;
}

static void drawing_free(Drawing *drawing) {
    static const char *const files[] = {"quality.svg", "quality.gp", "quality.dat", "quality.png", "report.html"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", drawing->dir, files[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(drawing->dir), 0); /* nothing else was written */
    summary_free(drawing->summary);
    table_free(drawing->table);
    free(drawing);
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

static void the_quality_figure_has_a_curve_per_quality_and_gd_dashed_in_its_colour(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2}, 1, 3));
    assert_int_equal(drawing->n_figures, 1);
    const Figure *figure = &drawing->figures[0];
    assert_string_equal(figure->name, "quality");
    assert_int_equal(figure->n_curves, 4);
    assert_string_equal(figure->curves[0].label, "1");
    assert_string_equal(figure->curves[1].label, "0.5");
    for (int i = 0; i < 2; i++) {
        assert_false(figure->curves[i].dashed);
        assert_true(figure->curves[i + 2].dashed);
        assert_int_equal(figure->curves[i].colour, figure->curves[i + 2].colour);
        assert_int_equal(figure->curves[i + 2].configuration->series->predictor, PREDICTOR_GD);
        assert_near(figure->curves[i + 2].configuration->series->settings.critic.quality, i == 0 ? 1 : 0.5, 0);
    }
    assert_int_not_equal(figure->curves[0].colour, figure->curves[1].colour);
    drawing_free(drawing);
}

static void every_training_axis_has_a_figure_at_the_best_quality_with_gd_once(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2, 4, 6}, 3, 2));
    assert_int_equal(drawing->n_figures, 2);
    const Figure *figure = &drawing->figures[1];
    assert_string_equal(figure->name, "n_layer");
    assert_int_equal(figure->n_curves, 4);
    for (int i = 0; i < 3; i++) {
        const Settings *settings = &figure->curves[i].configuration->series->settings;
        assert_int_equal(settings->training.model.n_layer, 6 - 2 * i);
        assert_near(settings->critic.quality, 1, 0);
    }
    assert_true(figure->curves[3].dashed);
    assert_string_equal(figure->curves[3].label, "gd");
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
    assert_int_equal(drawing->n_figures, 2);
    assert_string_equal(drawing->figures[1].name, "n_head");
    assert_string_equal(drawing->figures[1].curves[0].label, "3, n_embd 96");
    assert_string_equal(drawing->figures[1].curves[2].label, "1, n_embd 32");
    drawing_free(drawing);
}

static void an_axis_of_many_values_is_thinned_evenly_and_keeps_its_ends(void **state) {
    int depths[40];
    for (int i = 0; i < 40; i++)
        depths[i] = i + 1;
    Drawing *drawing = drawing_of(fake_table(depths, 40, 1));
    const Figure *figure = &drawing->figures[1];
    assert_int_equal(figure->n_curves, FIGURE_CURVES_MAX / 2 + 1);
    assert_string_equal(figure->curves[0].label, "40");
    assert_string_equal(figure->curves[FIGURE_CURVES_MAX / 2 - 1].label, "1");
    drawing_free(drawing);
}

static void ordered_colours_run_from_dark_to_light(void **state) {
    assert_int_equal(colour_ordered(0, 5), 0x440154);
    assert_int_equal(colour_ordered(2, 5), 0x21918c);
    assert_int_equal(colour_ordered(4, 5), 0xc8c020);
    assert_int_equal(colour_ordered(1, 9), 0x402a70); /* half way between two anchors */
    assert_int_equal(colour_ordered(0, 1), 0x440154);
}

static void a_figure_is_drawn_with_its_script_and_data_beside_it(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2}, 1, 3));
    Error err = {{0}};
    snprintf(drawing->figures[0].legend_title, sizeof drawing->figures[0].legend_title, "it's _odd_ {^} \\n \"title\"");
    if (figure_write(&drawing->figures[0], drawing->dir, true, &err) != STATUS_OK) fail_msg("%s", err.text);
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

static void one_seed_is_drawn_without_a_band_and_says_so(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2}, 1, 1));
    Error err = {{0}};
    if (figure_write(&drawing->figures[0], drawing->dir, false, &err) != STATUS_OK) fail_msg("%s", err.text);
    char *script = text_of(drawing, "quality.gp"), *svg = text_of(drawing, "quality.svg");
    assert_null(strstr(script, "filledcurves"));
    assert_non_null(strstr(svg, "1 seed: no interval"));
    free(script);
    free(svg);
    drawing_free(drawing);
}

static void a_missing_gnuplot_is_a_clear_message_and_leaves_no_old_picture(void **state) {
    Drawing *drawing = drawing_of(fake_table((int[]){2}, 1, 3));
    char *path = strdup(getenv("PATH"));
    Error err = {{0}};
    assert_int_equal(figure_write(&drawing->figures[0], drawing->dir, false, &err), STATUS_OK);
    setenv("PATH", drawing->dir, 1);
    assert_int_equal(figure_write(&drawing->figures[0], drawing->dir, false, &err), STATUS_FAILED);
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
    snprintf(path, sizeof path, "%s/report.html", drawing->dir);
    assert_int_equal(figure_write(&drawing->figures[0], drawing->dir, false, &err), STATUS_OK);
    assert_int_equal(report_write(drawing->summary, drawing->figures, 1, drawing->dir, path, &err), STATUS_OK);
    char *html = text_of(drawing, "report.html");
    assert_non_null(strstr(html, "<svg"));
    assert_null(strstr(html, "<?xml"));
    assert_null(strstr(html, "src=")); /* nothing to fetch */
    assert_non_null(strstr(html, "fake &amp; job"));
    assert_non_null(strstr(html, "palinode run &lt;job&gt;"));
    assert_non_null(strstr(html, "model: {}"));
    assert_non_null(strstr(html, "fake 1"));
    assert_non_null(strstr(html, "complete"));
    free(html);
    drawing_free(drawing);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_quality_figure_has_a_curve_per_quality_and_gd_dashed_in_its_colour),
        cmocka_unit_test(every_training_axis_has_a_figure_at_the_best_quality_with_gd_once),
        cmocka_unit_test(axes_that_move_together_give_one_figure_that_names_both),
        cmocka_unit_test(an_axis_of_many_values_is_thinned_evenly_and_keeps_its_ends),
        cmocka_unit_test(ordered_colours_run_from_dark_to_light),
        cmocka_unit_test(a_figure_is_drawn_with_its_script_and_data_beside_it),
        cmocka_unit_test(one_seed_is_drawn_without_a_band_and_says_so),
        cmocka_unit_test(a_missing_gnuplot_is_a_clear_message_and_leaves_no_old_picture),
        cmocka_unit_test(the_report_holds_figure_table_and_provenance_and_escapes_what_it_quotes),
    };
    return run_tests(tests, argc, argv);
}
