/* See grid.h. Counting goes axis by axis and follows only the exclusions that can still apply, so it takes time by what
 * is excluded and not by the size of the grid. */
#include "jobs/grid/grid.h"

#include <assert.h>
#include <math.h>
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
    free(grid->keys);
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
    free(grid->keys); /* they are of the exclusions before */
    grid->keys = NULL;
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

static bool is_fitted(const Axis *axis) {
    return axis->setting != NULL && axis->setting->fitted != NULL && !place_known(axis->given);
}

void grid_fit_defaults(const Grid *grid, Settings *settings) {
    for (int i = 1; i < grid->n_axes; i++)
        if (is_fitted(&grid->axes[i]))
            setting_set(grid->axes[i].setting, settings, grid->axes[i].setting->fitted(settings));
}

bool grid_default_holds(const Grid *grid, const Axis *axis) {
    if (!is_fitted(axis)) return true;
    const Axis *other = &grid->axes[grid_axis(grid, axis->setting->fitted_to)];
    Settings settings = settings_default();
    for (int64_t i = 0; i < other->count; i++) {
        set_value(other, i, &settings);
        if (axis->setting->fitted(&settings) != axis->setting->default_value) return false;
    }
    return true;
}

/* --- exclusion --------------------------------------------------------------------------------------------------- */

static bool is_met(const Grid *grid, const Exclusion *exclusion, const Settings *settings) {
    for (int c = 0; c < exclusion->n_conditions; c++) {
        const Condition *condition = &exclusion->conditions[c];
        if (get_value(&grid->axes[condition->axis], settings) != condition->value) return false;
    }
    return true;
}

static int compare_keys(const void *a, const void *b) {
    const ExclusionKey *left = a, *right = b;
    if (left->axis != right->axis) return left->axis - right->axis;
    if (left->value != right->value) return left->value < right->value ? -1 : 1;
    return left->exclusion - right->exclusion;
}

/* The place of the first key that is not before (axis, value, exclusion). */
static int first_key(const ExclusionKey *keys, int count, int axis, SettingValue value, int exclusion) {
    const ExclusionKey wanted = {axis, value, exclusion};
    int low = 0, high = count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (compare_keys(&keys[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

Status grid_index_exclusions(Grid *grid, Error *err) {
    int n_conditions = 0, n = 0;
    for (int e = 0; e < grid->n_exclusions; e++)
        n_conditions += grid->exclusions[e].n_conditions;
    ExclusionKey *all = malloc(((size_t)n_conditions + 1) * sizeof *all);
    ExclusionKey *keys = malloc(((size_t)grid->n_exclusions + 1) * sizeof *keys);
    if (all == NULL || keys == NULL) {
        free(all);
        free(keys);
        return out_of_memory(err);
    }
    for (int e = 0; e < grid->n_exclusions; e++)
        for (int c = 0; c < grid->exclusions[e].n_conditions; c++) {
            const Condition *condition = &grid->exclusions[e].conditions[c];
            all[n++] = (ExclusionKey){condition->axis, condition->value, e};
        }
    if (n > 1) qsort(all, (size_t)n, sizeof *all, compare_keys);
    for (int e = 0; e < grid->n_exclusions; e++) {
        int rarest = -1;
        for (int c = 0; c < grid->exclusions[e].n_conditions; c++) {
            const Condition *condition = &grid->exclusions[e].conditions[c];
            int others = first_key(all, n, condition->axis, condition->value, grid->n_exclusions) -
                         first_key(all, n, condition->axis, condition->value, 0);
            if (rarest >= 0 && others >= rarest) continue;
            rarest = others;
            keys[e] = (ExclusionKey){condition->axis, condition->value, e};
        }
    }
    if (grid->n_exclusions > 1) qsort(keys, (size_t)grid->n_exclusions, sizeof *keys, compare_keys);
    free(all);
    free(grid->keys);
    grid->keys = keys;
    return STATUS_OK;
}

int grid_exclusion_of(const Grid *grid, const Settings *settings) {
    int found = grid->n_exclusions, n = grid->n_exclusions;
    const ExclusionKey *keys = grid->keys;
    for (int e = 0; keys == NULL && e < n; e++)
        if (is_met(grid, &grid->exclusions[e], settings)) return e + 1;
    for (int at = 0; keys != NULL && at < n;) { /* an axis at a time */
        int axis = keys[at].axis;
        SettingValue value = get_value(&grid->axes[axis], settings);
        for (int k = first_key(keys, n, axis, value, 0); k < n && keys[k].axis == axis && keys[k].value == value; k++)
            if (keys[k].exclusion < found && is_met(grid, &grid->exclusions[keys[k].exclusion], settings))
                found = keys[k].exclusion;
        at = first_key(keys, n, axis + 1, -INFINITY, 0);
    }
    return found < n ? found + 1 : 0;
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

/* The index of a value of the seeds first, first + 1, ..; -1: it is none of them. */
static int64_t index_in_range(const Axis *axis, SettingValue value) {
    double index = value - axis->first;
    return index >= 0 && index < (double)axis->count && index == floor(index) ? (int64_t)index : -1;
}

/* Whether an exclusion's conditions on a range of seeds, which is linked with nothing, hold at some index. */
static int64_t index_of_seed(const Grid *grid, const Exclusion *exclusion) {
    int64_t index = -1;
    for (int c = 0; c < exclusion->n_conditions; c++) {
        if (exclusion->conditions[c].axis != SEED_AXIS) continue;
        int64_t own = index_in_range(&grid->axes[SEED_AXIS], exclusion->conditions[c].value);
        if (own < 0 || (index >= 0 && own != index)) return -1;
        index = own;
    }
    return index;
}

bool grid_can_match(const Grid *grid, const Exclusion *exclusion) {
    for (int leader = 0; leader < grid->n_axes; leader++) {
        if (!concerns(grid, exclusion, leader)) continue;
        if (grid->axes[leader].values == NULL) {
            if (index_of_seed(grid, exclusion) < 0) return false;
            continue;
        }
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

/* The first index from index on that a condition of those alive names; end: there is none. */
static int64_t next_seed_named(const Grid *grid, const Alive *alive, int64_t index, int64_t end) {
    int64_t next = end;
    for (int i = 0; i < alive->count; i++) {
        int64_t named = index_of_seed(grid, &grid->exclusions[alive->exclusions[i]]);
        if (named >= index && named < next) next = named;
    }
    return next;
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

    /* Indices that meet no condition leave the same exclusions alive: one of them stands for all. Of a range of seeds
     * only those that a condition names are looked at. */
    uint64_t total = 0, others = 0, count_of_other = 0;
    Alive kept;
    const bool range = grid->axes[leader].values == NULL;
    for (int64_t index = begin; index < end; index++) {
        int64_t next = range ? next_seed_named(grid, alive, index, end) : index;
        if (next > index && others == 0) {
            keep_alive(grid, alive, leader, index, &kept);
            count_of_other = count_from(grid, fixed, leader + 1, &kept);
        }
        others += (uint64_t)(next - index);
        index = next;
        if (index == end) break;
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
    grid_fit_defaults(grid, settings);
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
