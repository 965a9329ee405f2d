/* Which configurations a figure sets side by side: a slice through the grid along one of its axes.
 *
 * A slice is a family (family.h): its members differ in its axis and in nothing else (axes that move together, zip, all
 * move). All slices go through one configuration, the base, where they can. */
#ifndef ANALYSIS_RESULTS_SLICE_H
#define ANALYSIS_RESULTS_SLICE_H

#include "analysis/results/family.h"

enum { SLICE_MAX = 12 };

typedef struct Slice {
    const Setting *axis;
    const Configuration *base; /* the member through which it goes */
    int n;
    int left_out;                            /* the family has more than SLICE_MAX values: evenly chosen ones with both
                                              * ends are here, and so many are not */
    int elsewhere;                           /* values that models have with other settings only: no member */
    const Configuration *members[SLICE_MAX]; /* by value, ascending */
} Slice;

bool setting_is_quality(const Setting *setting);
/* Whether its values have an order: numbers. */
bool setting_is_ordered(const Setting *setting);

/* The model configuration through which slices go, the hub of the grid: from which others differ in exactly one axis
 * along the most axes; of equals, from which the most others do; of equals the one with the most settings at the values
 * nearest to the defaults, the paper's scale; of equals the first. Numbers of seeds do not count, so that the base
 * stays while a run goes on. NULL: there is no model. */
const Configuration *slice_base(const Summary *summary, const Families *families);
/* The family of models along an axis that holds base; if none does, the largest, of equals the one with a member that
 * differs from base in the fewest axes. NULL: nothing compares the axis' values all else equal. */
const Family *slice_family(const Summary *summary, const Families *families, const Configuration *base,
                           const Setting *axis);
/* That family as a slice; without one base is its only member. */
Slice slice_along(const Summary *summary, const Families *families, const Configuration *base, const Setting *axis);
/* The slices along every axis that has a family of models, in the table's order. ordered: only axes of numbers. slices:
 * room for AXES_MAX. Returns how many. */
int slices_of_axes(const Summary *summary, const Families *families, const Configuration *base, bool ordered,
                   Slice *slices);
/* The model that has this value of a setting and else is as another one; NULL: there is none. */
const Configuration *slice_with(const Summary *summary, const Configuration *other, const Setting *setting,
                                double value);
/* Distinct values of a setting among the models, ascending, into values (room places, at least 2): all, or evenly
 * chosen ones with both ends. Returns how many; *left_out how many are not there. */
int slice_values(const Summary *summary, const Setting *setting, double *values, int room, int *left_out);
/* A member's value of the axis; beside it those of other axes in which members differ: "4, n_embd 96". */
const char *slice_label(const Summary *summary, const Slice *slice, int member, char *text, size_t text_bytes);
/* The axes in which all members agree, but for skip (NULL: none): "n_head 3, q 1". Empty: there are none. */
const char *slice_fixed(const Summary *summary, const Slice *slice, const Setting *skip, char *text, size_t text_bytes);
/* The axis of a family, those that move with it, and where it does not hold base the settings that keep it apart:
 * "ffn (n_layer 8)", "n_head with n_embd". */
const char *slice_family_label(const Summary *summary, const Family *family, const Configuration *base, char *text,
                               size_t text_bytes);
/* The axis in a legend or below a panel: "critique quality q", "n_layer". */
const char *slice_axis_name(const Setting *axis, char *text, size_t text_bytes);

#endif
