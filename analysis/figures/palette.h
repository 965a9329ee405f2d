/* Colours that stay apart for colour-blind eyes, on white paper and in grey print. */
#ifndef ANALYSIS_FIGURES_PALETTE_H
#define ANALYSIS_FIGURES_PALETTE_H

#include <stdint.h>

enum { COLOUR_GREY = 0x555555, PALETTE_ANCHORS = 5 };

/* Colour i of n of an ordered scale, dark first: 0xRRGGBB (anchors of matplotlib's viridis, by S. van der Walt and N.
 * Smith, the yellow end darkened for white paper). */
uint32_t colour_ordered(int i, int n);
/* Colour i of PALETTE_ANCHORS of a scale that parts in its middle, blue to white to red (C. Brewer's RdBu). */
uint32_t colour_diverging(int i);
/* Colour i of a set without order (M. Okabe and K. Ito, "Color universal design", 2008). */
uint32_t colour_distinct(int i);

#endif
