/* See grid.h. Counting goes axis by axis and follows only the exclusions that can still apply, so it takes time by what
 * is excluded and not by the size of the grid. */
#include "jobs/grid.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

Status grid_create(Grid *grid, Error *err) {
    int n_settings;
    const Setting *table = settings_table(&n_settings);
    *grid = (Grid){.n_axes = 1 + n_settings};
    assert(grid->n_axes <= AXES_MAX);
    grid->axes[SEED_AXIS].count = 1;
    for (int i = 1; i < grid->n_axes; i++) {
        Axis *axis = &grid->axes[i];
        *axis = (Axis){.setting = &table[i - 1], .leader = i};
        Status status = axis_append(axis, axis->setting->default_value, (Place){0}, err);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

void grid_destroy(Grid *grid) {
    for (int i = 0; i < grid->n_axes; i++)
        free(grid->axes[i].values);
    free(grid->exclusions);
    *grid = (Grid){0};
}

int grid_axis(const Grid *grid, const char *key) {
    for (int i = 1; i < grid->n_axes; i++)
        if (strcmp(grid->axes[i].setting->key, key) == 0) return i;
    return -1;
}

void axis_clear(Axis *axis) {
    free(axis->values);
    axis->values = NULL;
    axis->count = axis->capacity = 0;
}

Status axis_append(Axis *axis, SettingValue value, Place place, Error *err) {
    if (axis->count == axis->capacity) {
        int64_t capacity = axis->capacity == 0 ? 1 : 2 * axis->capacity;
        AxisValue *values = realloc(axis->values, (size_t)capacity * sizeof *values);
        if (values == NULL) return out_of_memory(err);
        axis->values = values;
        axis->capacity = capacity;
    }
    axis->values[axis->count++] = (AxisValue){.value = value, .place = place};
    return STATUS_OK;
}

SettingValue axis_value(const Axis *axis, int64_t index) {
    assert(index >= 0 && index < axis->count);
    return axis->values == NULL ? (double)axis->first + (double)index : axis->values[index].value;
}

Exclusion *grid_add_exclusion(Grid *grid) {
    Exclusion *exclusions = realloc(grid->exclusions, (size_t)(grid->n_exclusions + 1) * sizeof *exclusions);
    if (exclusions == NULL) return NULL;
    grid->exclusions = exclusions;
    Exclusion *exclusion = &exclusions[grid->n_exclusions++];
    *exclusion = (Exclusion){0};
    return exclusion;
}

/* --- combinations ------------------------------------------------------------------------------------------------ */

static bool has_role(const Axis *axis, SettingRole role) {
    return axis->setting == NULL ? role == ROLE_TRAINING : axis->setting->role == role;
}

uint64_t grid_size(const Grid *grid, SettingRole role, uint64_t limit) {
    uint64_t size = 1;
    for (int i = 0; i < grid->n_axes; i++) {
        const Axis *axis = &grid->axes[i];
        if (!has_role(axis, role) || axis->leader != i) continue;
        if ((uint64_t)axis->count > limit / size) return 0;
        size *= (uint64_t)axis->count;
    }
    return size;
}

static SettingValue get_value(const Axis *axis, const Settings *settings) {
    return axis->setting == NULL ? settings->training.seed : setting_get(axis->setting, settings);
}

static void set_value(const Axis *axis, int64_t index, Settings *settings) {
    if (axis->setting == NULL)
        settings->training.seed = (uint32_t)axis_value(axis, index);
    else
        setting_set(axis->setting, settings, axis_value(axis, index));
}

void grid_settings(const Grid *grid, SettingRole role, uint64_t index, Settings *settings) {
    int64_t indices[AXES_MAX] = {0};
    for (int i = grid->n_axes - 1; i >= 0; i--) {
        const Axis *axis = &grid->axes[i];
        if (!has_role(axis, role) || axis->leader != i) continue;
        indices[i] = (int64_t)(index % (uint64_t)axis->count);
        index /= (uint64_t)axis->count;
    }
    assert(index == 0);
    for (int i = 0; i < grid->n_axes; i++)
        if (has_role(&grid->axes[i], role)) set_value(&grid->axes[i], indices[grid->axes[i].leader], settings);
}

/* --- exclusion --------------------------------------------------------------------------------------------------- */

bool grid_excluded(const Grid *grid, const Settings *settings) {
    for (int e = 0; e < grid->n_exclusions; e++) {
        const Exclusion *exclusion = &grid->exclusions[e];
        int met = 0;
        while (met < exclusion->n_conditions) {
            const Condition *condition = &exclusion->conditions[met];
            if (get_value(&grid->axes[condition->axis], settings) != condition->value) break;
            met++;
        }
        if (met == exclusion->n_conditions) return true;
    }
    return false;
}

/* Whether an exclusion has a condition on a leader or an axis linked with it. */
static bool concerns(const Grid *grid, const Exclusion *exclusion, int leader) {
    for (int c = 0; c < exclusion->n_conditions; c++)
        if (grid->axes[exclusion->conditions[c].axis].leader == leader) return true;
    return false;
}

/* Whether those conditions all hold at an index. */
static bool holds_at(const Grid *grid, const Exclusion *exclusion, int leader, int64_t index) {
    for (int c = 0; c < exclusion->n_conditions; c++) {
        const Condition *condition = &exclusion->conditions[c];
        const Axis *axis = &grid->axes[condition->axis];
        if (axis->leader == leader && axis_value(axis, index) != condition->value) return false;
    }
    return true;
}

bool grid_can_match(const Grid *grid, const Exclusion *exclusion) {
    for (int leader = 0; leader < grid->n_axes; leader++) {
        if (!concerns(grid, exclusion, leader)) continue;
        int64_t index = 0;
        while (index < grid->axes[leader].count && !holds_at(grid, exclusion, leader, index))
            index++;
        if (index == grid->axes[leader].count) return false;
    }
    return true;
}

/* Numbers of the exclusions that agree with the indices chosen so far. */
typedef struct Alive {
    int count;
    uint16_t exclusions[EXCLUSIONS_MAX];
} Alive;

/* Those of alive that agree with an index of a leader; true when one of them has a condition on it. */
static bool keep_alive(const Grid *grid, const Alive *alive, int leader, int64_t index, Alive *kept) {
    bool met = false;
    kept->count = 0;
    for (int i = 0; i < alive->count; i++) {
        const Exclusion *exclusion = &grid->exclusions[alive->exclusions[i]];
        if (!holds_at(grid, exclusion, leader, index)) continue;
        kept->exclusions[kept->count++] = alive->exclusions[i];
        met = met || concerns(grid, exclusion, leader);
    }
    return met;
}

/* Combinations of an axis and those after it that none of the exclusions alive excludes. */
static uint64_t count_from(const Grid *grid, const int64_t *fixed, int leader, const Alive *alive) {
    while (leader < grid->n_axes &&
           (grid->axes[leader].leader != leader || !has_role(&grid->axes[leader], ROLE_TRAINING)))
        leader++;
    if (leader == grid->n_axes) return alive->count == 0;
    bool one = fixed != NULL && fixed[leader] >= 0;
    int64_t begin = one ? fixed[leader] : 0, end = one ? begin + 1 : grid->axes[leader].count;

    bool concerned = false;
    for (int i = 0; i < alive->count && !concerned; i++)
        concerned = concerns(grid, &grid->exclusions[alive->exclusions[i]], leader);
    if (!concerned) return (uint64_t)(end - begin) * count_from(grid, fixed, leader + 1, alive);

    /* Indices that meet no condition leave the same exclusions alive: one of them stands for all. */
    uint64_t total = 0, others = 0, count_of_other = 0;
    Alive kept;
    for (int64_t index = begin; index < end; index++) {
        if (keep_alive(grid, alive, leader, index, &kept))
            total += count_from(grid, fixed, leader + 1, &kept);
        else if (others++ == 0)
            count_of_other = count_from(grid, fixed, leader + 1, &kept);
    }
    return total + others * count_of_other;
}

uint64_t grid_count(const Grid *grid, const int64_t *fixed) {
    Alive alive = {.count = grid->n_exclusions};
    for (int i = 0; i < grid->n_exclusions; i++)
        alive.exclusions[i] = (uint16_t)i;
    return count_from(grid, fixed, 0, &alive);
}

/* --- checks ------------------------------------------------------------------------------------------------------ */

/* Which of two to point at: the later override, which is what contradicts the rest, else the first that is known. */
static Place telling_place(Place first, Place second) {
    return second.option > first.option || !place_known(first) ? second : first;
}

/* Checks one combination of the two axes that a check is about. */
static Status check_at(const Grid *grid, const Source *source, const SettingsCheck *check, int axis, int64_t index,
                       int other, int64_t other_index, Settings *settings, Error *err) {
    set_value(&grid->axes[axis], index, settings);
    set_value(&grid->axes[other], other_index, settings);
    Status status = settings_check_one(check, settings, err);
    if (status == STATUS_OK) return STATUS_OK;
    int64_t fixed[AXES_MAX];
    memset(fixed, -1, sizeof fixed);
    fixed[grid->axes[axis].leader] = index;
    fixed[grid->axes[other].leader] = other_index;
    if (grid_count(grid, fixed) == 0) return STATUS_OK;
    Place place = telling_place(grid->axes[axis].values[index].place, grid->axes[other].values[other_index].place);
    if (check->less_key != NULL)
        place = telling_place(place, grid->axes[grid_axis(grid, check->less_key)].values[0].place);
    return place_prefix(source, place, status, err);
}

/* Several values of a setting where it means nothing would be the same training several times. Entries of zip differ in
 * something else. */
static Status check_active(const Grid *grid, const Source *source, int a, Error *err) {
    const Axis *axis = &grid->axes[a];
    if (axis->count == 1 || axis->setting->active == NULL) return STATUS_OK;
    int b = grid_axis(grid, axis->setting->active_by);
    const Axis *other = &grid->axes[b];
    Settings settings = settings_default();
    for (int64_t k = 0; k < other->count && axis->leader != other->leader; k++) {
        set_value(other, k, &settings);
        int values = 0;
        for (int64_t i = 0; i < axis->count && !axis->setting->active(&settings); i++) {
            int64_t fixed[AXES_MAX];
            char value[64];
            memset(fixed, -1, sizeof fixed);
            fixed[axis->leader] = i;
            fixed[other->leader] = k;
            values += grid_count(grid, fixed) > 0;
            if (values > 1)
                return place_error(source, axis->values[i].place, err,
                                   "%s means nothing where %s is %s: exclude all but one of its values there",
                                   axis->setting->key, other->setting->key,
                                   setting_format(other->setting, axis_value(other, k), value, sizeof value));
        }
    }
    return STATUS_OK;
}

Status grid_check(const Grid *grid, const Source *source, Error *err) {
    int n_checks;
    const SettingsCheck *checks = settings_checks(&n_checks);
    Settings settings = settings_default();
    for (int i = 1; i < grid->n_axes; i++)
        set_value(&grid->axes[i], 0, &settings);
    for (int c = 0; c < n_checks; c++) {
        int a = grid_axis(grid, checks[c].key), b = grid_axis(grid, checks[c].other_key);
        bool together = grid->axes[a].leader == grid->axes[b].leader;
        for (int64_t i = 0; i < grid->axes[a].count; i++) {
            for (int64_t j = together ? i : 0; j < (together ? i + 1 : grid->axes[b].count); j++) {
                Status status = check_at(grid, source, &checks[c], a, i, b, j, &settings, err);
                if (status != STATUS_OK) return status;
            }
        }
    }
    for (int a = 1; a < grid->n_axes; a++) {
        Status status = check_active(grid, source, a, err);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}
