/* Heat maps as figures: which cells there are, which colours they get, and where numbers are written. */
#include "tests/harness.h"

#include "analysis/figures/figure_maps.h"
#include "analysis/figures/figure_script.h"
#include "analysis/figures/gnuplot.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static const double values[] = {0.1, NAN, 0.3, -0.4, 0.5, 0.6};

static HeatMap map_of(int columns, int rows) {
    return (HeatMap){.title = "a map",
                     .x_label = "column",
                     .y_label = "row",
                     .n_columns = columns,
                     .n_rows = rows,
                     .values = values,
                     .colours = {.from = NAN, .to = NAN}};
}

static void every_defined_value_is_a_cell_and_the_first_row_is_on_top(void **state) {
    HeatMap map = map_of(3, 2);
    Figure *figure = figure_maps("maps", &map, 1);
    const Panel *panel = &figure->panels[0];
    assert_true(figure_is_whole(figure) && figure_has_data(figure));
    assert_int_equal(panel->layers[0].kind, LAYER_CELLS);
    assert_int_equal(panel->layers[0].n, 5);
    const Datum *last = &panel->layers[0].data[4];
    assert_true(last->x == 3 && last->y == 2 && last->low == 0.6);
    assert_true(panel->y.reversed && panel->y.from == 0.5 && panel->y.to == 2.5);
    figure_free(figure);
}

/* malloc'd */
static char *script_of(const Figure *figure) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    figure_print_script(figure, out);
    fclose(out);
    return text;
}

static int count(const char *text, const char *words) {
    int found = 0;
    for (; (text = strstr(text, words)) != NULL; text++)
        found++;
    return found;
}

static void neighbours_of_one_fixed_scale_share_a_box_of_colours(void **state) {
    HeatMap maps[4] = {map_of(3, 2), map_of(3, 2), map_of(3, 2), map_of(3, 2)};
    maps[0].colours = maps[1].colours = (ColourScale){.from = 0, .to = 1};
    maps[2].colours = maps[3].colours = (ColourScale){.from = -1, .to = 1, .diverging = true};
    Figure *figure = figure_maps("maps", maps, 4);
    char *script = script_of(figure);
    assert_int_equal(count(script, "set colorbox vertical"), 2);
    assert_int_equal(count(script, "unset colorbox"), 2);
    assert_int_equal(count(script, "set cbrange [0:1]"), 2);
    assert_int_equal(count(script, "set cbrange [-1:1]"), 2);
    free(script);
    figure_free(figure);
    maps[0].colours = maps[1].colours = (ColourScale){.from = NAN, .to = NAN};
    figure = figure_maps("maps", maps, 2);
    script = script_of(figure);
    assert_int_equal(count(script, "set colorbox vertical"), 2);
    assert_int_equal(count(script, "set cbrange [-0.4:0.6]"), 2);
    free(script);
    figure_free(figure);
}

static void numbers_are_written_where_cells_have_room(void **state) {
    enum { MANY = 100 };
    static double many[MANY * MANY];
    HeatMap map = map_of(3, 2), wide = {.title = "t", .x_label = "x", .y_label = "y", .values = many};
    wide.n_columns = MANY;
    wide.n_rows = 2;
    Figure *few = figure_maps("few", &map, 1), *broad = figure_maps("broad", &wide, 1);
    wide.n_columns = 2;
    wide.n_rows = MANY;
    Figure *tall = figure_maps("tall", &wide, 1);
    char *scripts[3] = {script_of(few), script_of(broad), script_of(tall)};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(count(scripts[i], "with labels"), i == 0 ? 2 : 0);
        free(scripts[i]);
    }
    assert_true(broad->panels[0].x.n_ticks <= 30 && tall->panels[0].y.n_ticks <= 30);
    figure_free(few);
    figure_free(broad);
    figure_free(tall);
}

static void heat_maps_are_drawn(void **state) {
    static const char *const names[] = {"one", "it's two", "three"};
    static const char *const suffixes[] = {"svg", "gp", "dat"};
    char dir[] = "/tmp/palinode_maps_XXXXXX", path[128];
    assert_non_null(mkdtemp(dir));
    HeatMap maps[2] = {map_of(3, 2), map_of(3, 2)};
    maps[1].column_names = names;
    maps[1].colours = (ColourScale){.from = -1, .to = 1, .diverging = true};
    Figure *figure = figure_maps("maps", maps, 2);
    Error err;
    if (gnuplot_draw(figure, dir, false, &err) != STATUS_OK) fail_msg("%s", err.text);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/maps.%s", dir, suffixes[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(dir), 0);
    figure_free(figure);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_defined_value_is_a_cell_and_the_first_row_is_on_top),
        cmocka_unit_test(neighbours_of_one_fixed_scale_share_a_box_of_colours),
        cmocka_unit_test(numbers_are_written_where_cells_have_room),
        cmocka_unit_test(heat_maps_are_drawn),
    };
    return run_tests(tests, argc, argv);
}
