/* Kernels that measure themselves: each call's time is added to the part of a training step that it belongs to. For
 * benchmarks; one thread. */
#ifndef TESTS_BENCH_TIMED_KERNELS_H
#define TESTS_BENCH_TIMED_KERNELS_H

#include "worker/kernels/kernels.h"

/* Parts of a step. Products: of the forward pass, of its backward pass, and gradients of weights and biases. */
typedef enum Part {
    PART_FORWARD,
    PART_BACKWARD,
    PART_WEIGHTS,
    PART_ATTENTION,
    PART_GELU,
    PART_LAYER_NORM,
    PART_ADAM,
    PART_LOSS,
    PART_DATA,
    PARTS,
    PART_REPEATED = PARTS, /* what is computed only to be measured: no part of a step */
    PART_COUNTERS
} Part;

extern const char *const part_names[PARTS];

/* kernels with a clock around each; part_seconds is where they count. GELU, a part of a product, is what that product
 * takes longer than the same one without. */
Kernels timed_kernels(const Kernels *kernels, double part_seconds[PART_COUNTERS]);

/* CPU time of this process: a machine shared with others takes less of it than of wall time. */
double cpu_seconds(void);

#endif
