/* See figure_maps.h. */
#include "analysis/figures/figure_maps.h"

#include "analysis/output/sheet.h"

#include <math.h>
#include <stdio.h>

enum {
    COLUMN = 42,
    NUMBERED_ROWS = 22,
    NARROW_COLUMN = 22,
    LETTER = 8,
    LEAST_WIDTH = 110,
    MOST_WIDTH = 640,
    TICKS_MAX = 24
};

/* In pixels: room for every column's name and for the title; where rows are too low for numbers columns are narrow. */
static int width_of(const HeatMap *map) {
    int column = map->n_rows <= NUMBERED_ROWS ? COLUMN : NARROW_COLUMN, least = text_letters(map->title) * LETTER;
    for (int i = 0; map->column_names != NULL && i < map->n_columns; i++) {
        int width = (text_letters(map->column_names[i]) + 1) * LETTER;
        if (width > column) column = width;
    }
    if (least < LEAST_WIDTH) least = LEAST_WIDTH;
    int width = column * map->n_columns < MOST_WIDTH ? column * map->n_columns : MOST_WIDTH;
    return width > least ? width : least;
}

/* Cells 1 to n, named where there is room for it. */
static void name_cells(Figure *figure, Axis *axis, int n, const char *const *names) {
    int every = (n + TICKS_MAX - 1) / TICKS_MAX;
    axis->from = 0.5;
    axis->to = n + 0.5;
    for (int i = 0; i < n; i += every) {
        char number[16];
        snprintf(number, sizeof number, "%d", i + 1);
        figure_tick(figure, axis, i + 1, names != NULL ? names[i] : number);
    }
}

Figure *figure_maps(const char *name, const HeatMap *maps, int n_maps) {
    Figure *figure = figure_create(name);
    if (figure == NULL) return NULL;
    for (const HeatMap *map = maps; map < maps + n_maps; map++) {
        Panel *panel = figure_panel(figure, map->title, map->x_label);
        snprintf(panel->y.label, sizeof panel->y.label, "%s", map->y_label);
        name_cells(figure, &panel->x, map->n_columns, map->column_names);
        name_cells(figure, &panel->y, map->n_rows, map->row_names);
        panel->y.reversed = true;
        panel->colours = map->colours;
        panel->width = width_of(map);
        Layer *layer = figure_layer(figure, panel, LAYER_CELLS, 0, "%s: x %s, y %s, value in low", map->title,
                                    map->x_label, map->y_label);
        for (int cell = 0; cell < map->n_rows * map->n_columns; cell++)
            if (!isnan(map->values[cell]))
                figure_datum(figure, layer, cell % map->n_columns + 1, cell / map->n_columns + 1, map->values[cell],
                             NAN);
    }
    return figure;
}
