/* The curves that the paper's authors released with their code, to be drawn beside what is measured here: analysis/
 * reference/fig2b_released.csv, compiled in. Nothing is tested against them. */
#ifndef ANALYSIS_RELEASED_H
#define ANALYSIS_RELEASED_H

#include "jobs/settings.h"

enum { RELEASED_FIRST = 2, RELEASED_LAST = 15 }; /* numbers of examples */

typedef struct ReleasedCurve {
    double replaced; /* p, the share of rewards replaced: 1 - critique quality */
    double nmse[RELEASED_LAST - RELEASED_FIRST + 1];
} ReleasedCurve;

typedef enum ReleasedScale {
    RELEASED_UNRELATED, /* another task or another critic: not to be compared */
    RELEASED_OTHER,     /* the same task and critic, but another model or training */
    RELEASED_SAME       /* the configuration that was released */
} ReleasedScale;

ReleasedScale released_scale(const Settings *settings);
/* NULL: none was released for this critique quality. */
const ReleasedCurve *released_curve(double quality);

#endif
