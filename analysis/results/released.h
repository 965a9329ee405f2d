/* The curves that the paper's authors released with their code, to be drawn beside what is measured here: analysis/
 * reference/fig2b_released.csv, compiled in. Nothing is tested against them. */
#ifndef ANALYSIS_RESULTS_RELEASED_H
#define ANALYSIS_RESULTS_RELEASED_H

#include "jobs/settings/settings.h"

enum { RELEASED_FIRST = 2, RELEASED_LAST = 15 }; /* numbers of examples */

typedef struct ReleasedCurve {
    double replaced; /* p, the share of rewards replaced: 1 - critique quality */
    double nmse[RELEASED_LAST - RELEASED_FIRST + 1];
} ReleasedCurve;

/* What was released for a model, its training, its task and its critic. NULL: they are not all the paper's. */
const ReleasedCurve *released_curve(const Settings *settings);

#endif
