/* Which configurations a figure sets side by side: a slice through the grid along one of its axes.
 *
 * A slice goes through a base configuration; every member has another value of the axis and differs from the base in as
 * few other settings as the grid allows (axes that move together, zip, all move). */
#ifndef ANALYSIS_SLICE_H
#define ANALYSIS_SLICE_H

#include "analysis/summary.h"

enum { SLICE_MAX = 12 };

typedef struct Slice {
    const Setting *axis;
    int n, left_out; /* more than SLICE_MAX values: evenly chosen ones with both ends, and how many are not there */
    const Configuration *members[SLICE_MAX]; /* by value, ascending */
} Slice;

bool setting_is_quality(const Setting *setting);
/* Whether its values have an order: numbers. */
bool setting_is_ordered(const Setting *setting);

/* The model configuration through which slices go: on every axis the value nearest to the default, the paper's scale,
 * as far as the grid has such a one; of equals the first. NULL: there is no model. */
const Configuration *slice_base(const Summary *summary);
/* The model with these values of some settings (n) that differs least from base; NULL: none has them. */
const Configuration *slice_nearest(const Summary *summary, const Configuration *base, const Setting *const *settings,
                                   const double *values, int n);
/* Distinct values of a setting among the models, ascending, into values (room places, at least 2): all, or evenly
 * chosen ones with both ends. Returns how many; *left_out how many are not there. */
int slice_values(const Summary *summary, const Setting *setting, double *values, int room, int *left_out);
/* The slice along an axis through base. */
Slice slice_along(const Summary *summary, const Configuration *base, const Setting *axis);
/* The slices through base along every axis of models with at least two values, in the table's order; of axes that only
 * move together the first. ordered: only axes of numbers. slices: room for AXES_MAX. Returns how many. */
int slices_of_axes(const Summary *summary, const Configuration *base, bool ordered, Slice *slices);
/* A member's value of the axis; beside it those of other axes in which members differ: "4, n_embd 96". */
const char *slice_label(const Summary *summary, const Slice *slice, int member, char *text, size_t text_bytes);
/* The axis in a legend or below a panel: "critique quality q", "n_layer". */
const char *slice_axis_name(const Setting *axis, char *text, size_t text_bytes);

#endif
