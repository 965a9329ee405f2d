/* Values of one axis so near that one of them is hardly meant: 0.3 beside 0.30000000000000004, the sum of 0.1 and 0.2.
 */
#ifndef JOBS_GRID_NEAR_VALUES_H
#define JOBS_GRID_NEAR_VALUES_H

#include "jobs/grid/grid.h"

/* For each axis of which two values agree to 12 digits, writes a line "path:line:column: .." about the first two; as
 * many lines as fit, each with its line end. "" for none. STATUS_NO_MEMORY. */
Status near_values_warn(const Grid *grid, const Source *source, char *text, size_t text_bytes, Error *err);

#endif
