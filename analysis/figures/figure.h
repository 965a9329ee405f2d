/* What a figure is: panels side by side, each of layers of data on two axes, one legend for all, and a caption.
 *
 * Plain data: a chooser (figure_choice.h) fills it, figure_script.h turns it into a script of gnuplot's. It knows
 * neither results nor gnuplot. A value of NaN is a gap. Where memory runs out the figure is marked and figure_is_whole
 * says so; nothing has to be checked while it is filled. */
#ifndef ANALYSIS_FIGURES_FIGURE_H
#define ANALYSIS_FIGURES_FIGURE_H

#include <stdbool.h>
#include <stdint.h>

enum { PANELS_MAX = 6, FIGURE_NAME_BYTES = 96, FIGURE_TEXT_BYTES = 128, CAPTION_BYTES = 1536 };

/* Layers are drawn in this order, whatever order they were added in. */
typedef enum LayerKind {
    LAYER_CELLS,     /* a coloured cell of width and height 1 around (x, y), its value in low: a heat map */
    LAYER_BANDS,     /* shaded from low to high */
    LAYER_BARS,      /* lying bars from 0 to x, at y */
    LAYER_LINES,     /* through y */
    LAYER_POINTS,    /* small open circles at y */
    LAYER_INTERVALS, /* a dot at y, a bar from low to high; along x where the layer is flat */
    LAYER_KINDS
} LayerKind;

typedef enum LineStyle { LINE_SOLID, LINE_THIN, LINE_DASHED, LINE_DOTTED } LineStyle;

typedef struct Datum {
    double x, y, low, high;
} Datum;

typedef struct Layer {
    LayerKind kind;
    LineStyle style;              /* of lines */
    bool flat;                    /* intervals: low and high are on the x axis */
    uint32_t colour;              /* 0xRRGGBB */
    char note[FIGURE_TEXT_BYTES]; /* what it is, for the data file */
    int n;
    Datum *data;
} Layer;

typedef enum AxisScale { SCALE_LINEAR, SCALE_LOG2, SCALE_LOG10 } AxisScale;

typedef struct Tick {
    double at;
    char text[FIGURE_TEXT_BYTES];
} Tick;

typedef struct Axis {
    char label[FIGURE_TEXT_BYTES];
    AxisScale scale;
    double from, to;             /* what is shown; NaN: as the data need */
    double show_from, show_to;   /* what is shown at least, whatever the data; NaN: nothing */
    double bound_from, bound_to; /* beyond which nothing is shown, bands reach where they may; NaN: no bound */
    bool reversed;               /* its first value on top */
    bool counts;                 /* whole numbers: no ticks between them */
    int n_ticks;                 /* 0: as gnuplot likes them */
    Tick *ticks;
} Axis;

/* What colours of a heat map's cells mean. */
typedef struct ColourScale {
    double from, to; /* values of the first and the last colour; NaN: the least and the largest in the panel */
    bool diverging;  /* from blue by white to red, else from dark to light */
} ColourScale;

typedef struct Panel {
    char title[FIGURE_TEXT_BYTES]; /* the quantity and its unit */
    Axis x, y;
    ColourScale colours;
    int width; /* pixels; 0: the usual width */
    int n_layers;
    Layer *layers;
} Panel;

typedef enum KeyKind { KEY_TEXT, KEY_NOTE, KEY_LINE, KEY_BAND, KEY_POINT, KEY_INTERVAL, KEY_GAP } KeyKind;

/* A line of the legend: words, words below those of an entry, an entry with its mark, or a little room. */
typedef struct Key {
    KeyKind kind;
    LineStyle style;
    uint32_t colour;
    char text[FIGURE_TEXT_BYTES];
} Key;

typedef struct Figure {
    char name[FIGURE_NAME_BYTES];  /* of its files; letters, digits, '_', '.' and '-' */
    char title[FIGURE_TEXT_BYTES]; /* for the report: what it shows, in a few words */
    char caption[CAPTION_BYTES];   /* for the report: what is seen, and how it is drawn */
    int n_panels;
    Panel panels[PANELS_MAX];
    int n_keys; /* the legend, from the top; none: no legend */
    Key *keys;
    bool no_memory;
} Figure;

/* An empty figure; what is no letter, digit, '_', '.' or '-' in its name becomes '_'. NULL: no memory. */
Figure *figure_create(const char *name);
void figure_free(Figure *figure);
/* Whether everything that was added is there. */
bool figure_is_whole(const Figure *figure);
/* Whether any panel has anything to show. */
bool figure_has_data(const Figure *figure);

/* A further panel (at most PANELS_MAX); axes as the data need, of linear scale. */
Panel *figure_panel(Figure *figure, const char *title, const char *x_label);
/* A further layer, valid until the next one is added. NULL: no memory. note: as printf. */
Layer *figure_layer(Figure *figure, Panel *panel, LayerKind kind, uint32_t colour, const char *note, ...)
    __attribute__((format(printf, 5, 6)));
/* A datum at the end of a layer (NULL: none). What is infinite, or beyond 1e100, counts as undefined. */
void figure_datum(Figure *figure, Layer *layer, double x, double y, double low, double high);
void figure_tick(Figure *figure, Axis *axis, double at, const char *text);
void figure_key(Figure *figure, KeyKind kind, LineStyle style, uint32_t colour, const char *text, ...)
    __attribute__((format(printf, 5, 6)));
/* A little room in the legend. */
void figure_gap(Figure *figure);
/* Adds formatted words to the caption; words that no longer fit are cut off. */
void figure_caption(Figure *figure, const char *text, ...) __attribute__((format(printf, 2, 3)));

/* The range of an axis of a panel that shows all its data, what shall be shown at least, and of bands and intervals as
 * much as leaves the lines readable. */
void panel_x_range(const Panel *panel, double *from, double *to);
void panel_y_range(const Panel *panel, double *from, double *to);

#endif
