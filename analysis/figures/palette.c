/* See palette.h. */
#include "analysis/figures/palette.h"

#include <math.h>

uint32_t colour_ordered(int i, int n) {
    static const uint32_t anchors[PALETTE_ANCHORS] = {0x440154, 0x3b528b, 0x21918c, 0x44bf70, 0xc8c020};
    enum { LAST = PALETTE_ANCHORS - 1 };
    double place = n > 1 ? LAST * (double)i / (n - 1) : 0;
    int below = place >= LAST ? LAST - 1 : (int)place;
    uint32_t colour = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        double from = anchors[below] >> shift & 0xff, to = anchors[below + 1] >> shift & 0xff;
        colour |= (uint32_t)lround(from + (place - below) * (to - from)) << shift;
    }
    return colour;
}

uint32_t colour_diverging(int i) {
    static const uint32_t anchors[PALETTE_ANCHORS] = {0x2166ac, 0x92c5de, 0xf7f7f7, 0xf4a582, 0xb2182b};
    return anchors[i];
}

uint32_t colour_distinct(int i) {
    static const uint32_t set[] = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9};
    return set[i % (int)(sizeof set / sizeof set[0])];
}
