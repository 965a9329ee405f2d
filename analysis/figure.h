/* Draws one figure with gnuplot: Kendall's tau and normalised MSE against the number of examples, side by side.
 *
 * The script and the data stay beside the picture (NAME.gp, NAME.dat, NAME.svg), so that anybody can change a colour
 * and draw it again. A model is a solid line with a band, the 95 % interval over seeds; a reference is dashed and has
 * none. The legend stands beside the panels, where there are no data. What is worth drawing is decided in
 * figure_choice.h. */
#ifndef ANALYSIS_FIGURE_H
#define ANALYSIS_FIGURE_H

#include "analysis/summary.h"

enum { FIGURE_CURVES_MAX = 24 };

typedef struct FigureCurve {
    const Configuration *configuration;
    char label[96];  /* in the legend; "" for a dashed one in the colour of its model */
    uint32_t colour; /* 0xRRGGBB */
    bool dashed;
} FigureCurve;

typedef struct Figure {
    char name[64];          /* of its files; letters, digits, '_' and '-' */
    char legend_title[128]; /* what the curves differ in */
    char caption[512];      /* for the report */
    int n_curves;
    FigureCurve curves[FIGURE_CURVES_MAX];
} Figure;

/* Colour i of n of an ordered scale that colour-blind eyes can read too, dark first (anchors of matplotlib's viridis,
 * by S. van der Walt and N. Smith, the yellow end darkened for white paper). */
uint32_t colour_ordered(int i, int n);
/* Colour i of a set without order (M. Okabe and K. Ito, "Color universal design", 2008). */
uint32_t colour_distinct(int i);

/* Writes NAME.gp and NAME.dat into dir and has gnuplot draw NAME.svg, with png NAME.png too. Old pictures of that name
 * are removed first: none is ever older than its data. STATUS_FAILED: gnuplot is missing or refused; STATUS_IO: a file
 * could not be written. */
Status figure_write(const Figure *figure, const char *dir, bool png, Error *err);

#endif
