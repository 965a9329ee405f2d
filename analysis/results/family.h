/* Configurations that differ in one axis only: what paired comparisons and trends go over, all of them. (What a figure
 * shows of the grid is a slice: slice.h.) */
#ifndef ANALYSIS_RESULTS_FAMILY_H
#define ANALYSIS_RESULTS_FAMILY_H

#include "analysis/results/summary.h"

typedef struct Family {
    const Setting *axis;
    int n;                               /* at least 2 */
    const Configuration *const *members; /* (n) by value, ascending */
} Family;

typedef struct Families {
    int count;
    Family *items;
    const Configuration **members; /* of all families, one after the other */
} Families;

/* For every axis in the table's order the families along it: members are of one predictor and agree in all other axes,
 * except those that move with it over all models (zip); such axes give one set of families, under the name of the
 * first. STATUS_NO_MEMORY. */
Status families_create(const Summary *summary, Families **out, Error *err);
void families_free(Families *families);

double family_level(const Family *family, int member);
/* The member that others of an axis without order are compared with: the one at the setting's default, or the first. */
int family_reference(const Family *family);

#endif
