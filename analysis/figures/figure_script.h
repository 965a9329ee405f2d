/* A figure as a script of gnuplot's and its data.
 *
 * Both stay beside the picture (NAME.gp, NAME.dat), so that anybody can change a colour and draw it again: gnuplot
 * NAME.gp, or gnuplot -e png=1 NAME.gp. The legend stands beside the panels, where there are no data. */
#ifndef ANALYSIS_FIGURES_FIGURE_SCRIPT_H
#define ANALYSIS_FIGURES_FIGURE_SCRIPT_H

#include "analysis/figures/figure.h"

#include <stdio.h>

/* How every script begins. */
#define FIGURE_SCRIPT_OPENING "# Drawn by palinode."

/* A block for every layer, in the order of panels and layers: x, y, low, high; the comment above says what it is. */
void figure_print_data(const Figure *figure, FILE *out);
/* Writes NAME.svg, or NAME.png at twice the size, when gnuplot runs it in the folder of NAME.dat. */
void figure_print_script(const Figure *figure, FILE *out);

#endif
