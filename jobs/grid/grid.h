/* The values that a job gives to every setting, and their product: which combinations there are, one at a time.
 *
 * An axis is a list of values. Axis 0 is the seeds, axis 1 + i is setting i of the table; a setting with one value is
 * an axis of length one. Linked axes (zip) share an index: that of the first of them, their leader. Nothing of the size
 * of the grid is ever stored. */
#ifndef JOBS_GRID_GRID_H
#define JOBS_GRID_GRID_H

#include "jobs/settings/settings.h"
#include "jobs/yaml/place.h"

enum {
    AXES_MAX = 48,
    SEED_AXIS = 0,
    SEEDS_MAX = 1000000,       /* of a range */
    EXCLUSIONS_MAX = 1000,     /* of a job */
    CRITICS_MAX = 10000,       /* of a job */
    GRID_POINTS_MAX = 10000000 /* of a job, before exclusion: planned in 40 MB and half a minute */
};

typedef struct AxisValue {
    SettingValue value;
    Place place;
} AxisValue;

typedef struct Axis {
    const Setting *setting; /* NULL: seeds */
    AxisValue *values;      /* (count), or NULL: the seeds first, first + 1, .. */
    int64_t count, capacity;
    uint32_t first;
    int leader;  /* own number, or that of the first axis linked with it */
    bool linked; /* by zip */
    Place given; /* where its values come from; nowhere: the default */
} Axis;

typedef struct Condition {
    int axis;
    SettingValue value;
} Condition;

/* Trainings that agree with every condition are left out. */
typedef struct Exclusion {
    Place place;
    int n_conditions;
    Condition conditions[AXES_MAX];
} Exclusion;

/* An exclusion by the one of its conditions that the fewest others have: only where that is met are the rest looked at.
 */
typedef struct ExclusionKey {
    int axis;
    SettingValue value;
    int exclusion;
} ExclusionKey;

typedef struct Grid {
    int n_axes;
    Axis axes[AXES_MAX];
    int n_exclusions;
    Exclusion *exclusions;
    ExclusionKey *keys; /* (n_exclusions) sorted by axis and value; NULL: not made yet, every exclusion is looked at */
} Grid;

/* Every setting at its default and seed 0. On failure *grid may be destroyed. */
Status grid_create(Grid *grid, Error *err);
void grid_destroy(Grid *grid);

/* The axis of a key of the table, or -1. */
int grid_axis(const Grid *grid, const char *key);
void axis_clear(Axis *axis);
Status axis_append(Axis *axis, SettingValue value, Place place, Error *err);
/* Value at an index below count. */
SettingValue axis_value(const Axis *axis, int64_t index);
/* A fresh exclusion without conditions; NULL: no memory. */
Exclusion *grid_add_exclusion(Grid *grid);

/* Number of combinations of the axes of a role (ROLE_TRAINING: seeds as well), 0 when there are more than limit. */
uint64_t grid_size(const Grid *grid, SettingRole role, uint64_t limit);
/* Sets the settings of a role to combination index: the first axis varies slowest. */
void grid_settings(const Grid *grid, SettingRole role, uint64_t index, Settings *settings);
/* Gives settings that nobody set what their defaults become beside the others. */
void grid_fit_defaults(const Grid *grid, Settings *settings);
/* Whether an axis's default stays as it is at every point, or was given. */
bool grid_default_holds(const Grid *grid, const Axis *axis);
/* Which exclusion leaves settings out, from 1 (the first of several); 0: none. */
int grid_exclusion_of(const Grid *grid, const Settings *settings);
/* Makes the keys, when all exclusions are there. STATUS_NO_MEMORY. */
Status grid_index_exclusions(Grid *grid, Error *err);
/* Number of trainings that are not excluded, among those where axis a has index fixed[a] (-1: any; NULL: all of them).
 */
uint64_t grid_count(const Grid *grid, const int64_t *fixed);
/* Whether any combination, excluded or not, meets all conditions. */
bool grid_can_match(const Grid *grid, const Exclusion *exclusion);

/* Finds a combination that is not excluded and fails a check of the table, or that is another one written otherwise, as
 * it differs only in a setting that means nothing there; STATUS_DATA names the place of its value. */
Status grid_check(const Grid *grid, const Source *source, Error *err);

#endif
