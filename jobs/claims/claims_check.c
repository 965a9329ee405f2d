/* See claims_file.h: every claim against the job's grid.
 *
 * An arm fixes each axis, seeds apart, at one index. Linked axes are fixed together, by the index of their leader: the
 * conditions on any of them narrow its candidates. A baseline is trained on nothing, so it depends only on the task and
 * the critic, and on other axes no index needs to be fixed. */
#include "jobs/claims/claims_file.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { ANY = -1 };

/* One claim being checked. */
typedef struct Checker {
    const Grid *grid;
    const Source *source;
    Claim *claim;
} Checker;

/* What one arm asks for: conditions of where and its own. */
typedef struct Demand {
    const ClaimConditions *parts[2];
    Predictor predictor;
    const char *name; /* of the arm: "a", "b"; NULL: of all levels */
} Demand;

/* Where an arm stands: an index for every leader, ANY where it doesn't depend on it. */
typedef struct Point {
    int64_t indices[AXES_MAX];
} Point;

/* An error of the claim. axis: the one that it is about, whose override is then to blame (-1: none). */
__attribute__((format(printf, 5, 6))) static Status claim_error(const Checker *checker, int axis, Place place,
                                                                Error *err, const char *format, ...) {
    char text[ERROR_TEXT_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    Place given = axis < 0 ? (Place){0} : checker->grid->axes[axis].given;
    bool overridden = given.option > 0;
    return place_error(checker->source, overridden ? given : place, err, "claim %s: %s%s", checker->claim->id, text,
                       overridden ? " (--set claims=[] drops all claims)" : "");
}

/* Values of an axis in words: "1, 0.5 or 0". */
static const char *list_values(const Axis *axis, char *text, size_t text_bytes) {
    enum { SHOWN = 8 };
    size_t used = 0;
    text[0] = '\0';
    for (int64_t i = 0; i < axis->count && used + 1 < text_bytes; i++) {
        char value[64];
        bool last = i + 1 == axis->count, cut = i == SHOWN && !last;
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s",
                                 i == 0 ? ""
                                 : last ? " or "
                                        : ", ",
                                 cut ? ".." : setting_format(axis->setting, axis_value(axis, i), value, sizeof value));
        if (cut) break;
    }
    return text;
}

/* --- axes and conditions ----------------------------------------------------------------------------------------- */

static int axis_of(const Checker *checker, const Setting *setting) {
    int count;
    const int axis = 1 + (int)(setting - settings_table(&count));
    assert(axis <= count && checker->grid->axes[axis].setting == setting);
    return axis;
}

/* Whether an axis makes trainings or critics. */
static bool is_axis(const Axis *axis) {
    return axis->setting != NULL && (axis->setting->role == ROLE_TRAINING || axis->setting->role == ROLE_CRITIC);
}

static bool depends_on(Predictor predictor, const Setting *setting) {
    return predictor == PREDICTOR_MODEL || setting->role == ROLE_CRITIC || strncmp(setting->key, "task.", 5) == 0;
}

/* Whether all conditions on a leader and the axes linked with it hold at an index. */
static bool meets(const Checker *checker, const Demand *demand, int leader, int64_t index) {
    for (int p = 0; p < 2; p++) {
        const ClaimConditions *part = demand->parts[p];
        for (int c = 0; part != NULL && c < part->count; c++) {
            const Axis *axis = &checker->grid->axes[axis_of(checker, part->items[c].setting)];
            if (axis->leader == leader && axis_value(axis, index) != part->items[c].value) return false;
        }
    }
    return true;
}

/* Every value that a claim names is one of the job's. */
static Status check_values(const Checker *checker, const ClaimConditions *conditions, Error *err) {
    char value[64], values[256];
    for (int c = 0; c < conditions->count; c++) {
        const ClaimCondition *condition = &conditions->items[c];
        int a = axis_of(checker, condition->setting);
        const Axis *axis = &checker->grid->axes[a];
        int64_t i = 0;
        while (i < axis->count && axis_value(axis, i) != condition->value)
            i++;
        if (i == axis->count)
            return claim_error(checker, a, condition->place, err, "%s is never %s in this job, but %s",
                               condition->setting->key,
                               setting_format(condition->setting, condition->value, value, sizeof value),
                               list_values(axis, values, sizeof values));
    }
    return STATUS_OK;
}

/* No key stands in both of two mappings. */
static Status check_disjoint(const Checker *checker, const ClaimConditions *where, const ClaimConditions *arm,
                             const char *name, Error *err) {
    if (where->names_predictor && arm->names_predictor)
        return claim_error(checker, -1, arm->predictor_place, err, "both where and %s name the predictor", name);
    for (int i = 0; i < where->count; i++)
        for (int k = 0; k < arm->count; k++)
            if (where->items[i].setting == arm->items[k].setting)
                return claim_error(checker, -1, arm->items[k].place, err, "both where and %s name %s", name,
                                   arm->items[k].setting->key);
    return STATUS_OK;
}

static Status check_predictor(const Checker *checker, const ClaimConditions *conditions, Error *err) {
    if (!conditions->names_predictor || conditions->predictor == PREDICTOR_MODEL) return STATUS_OK;
    int a = grid_axis(checker->grid, "evaluate.baselines");
    uint32_t baselines = (uint32_t)axis_value(&checker->grid->axes[a], 0);
    if ((baselines & 1u << conditions->predictor) != 0) return STATUS_OK;
    return claim_error(checker, a, conditions->predictor_place, err, "%s is not in evaluate.baselines",
                       predictor_name(conditions->predictor));
}

/* --- arms -------------------------------------------------------------------------------------------------------- */

/* Two indices of a leader are different to a predictor: the first axis that shows it, or -1. */
static int differing_axis(const Checker *checker, Predictor predictor, int leader, int64_t i, int64_t k) {
    for (int a = 1; a < checker->grid->n_axes; a++) {
        const Axis *axis = &checker->grid->axes[a];
        if (axis->leader == leader && depends_on(predictor, axis->setting) &&
            axis_value(axis, i) != axis_value(axis, k))
            return a;
    }
    return -1;
}

static Status axis_is_free(const Checker *checker, const Demand *demand, int a, Error *err) {
    const Axis *axis = &checker->grid->axes[a];
    char values[256];
    return claim_error(checker, a, checker->claim->place, err, "%s may be %s: expected one of them in where%s%s",
                       axis->setting->key, list_values(axis, values, sizeof values), demand->name == NULL ? "" : " or ",
                       demand->name == NULL ? "" : demand->name);
}

/* The one index of a leader that meets the demand. */
static Status fix_leader(const Checker *checker, const Demand *demand, int leader, int64_t *index, Error *err) {
    *index = ANY;
    for (int64_t i = 0; i < checker->grid->axes[leader].count; i++) {
        if (!meets(checker, demand, leader, i)) continue;
        int free_axis = *index == ANY ? -1 : differing_axis(checker, demand->predictor, leader, *index, i);
        if (free_axis >= 0) return axis_is_free(checker, demand, free_axis, err);
        if (*index == ANY) *index = i;
    }
    if (*index == ANY)
        return claim_error(checker, -1, checker->claim->place, err,
                           "no mapping of zip has all the values that where%s%s say%s",
                           demand->name == NULL ? "" : " and ", demand->name == NULL ? "" : demand->name,
                           demand->name == NULL ? "s" : "");
    return STATUS_OK;
}

/* Fixes all leaders but one (-1: none is left out). */
static Status fix_leaders(const Checker *checker, const Demand *demand, int except, Point *point, Error *err) {
    memset(point, ANY, sizeof *point);
    for (int a = 1; a < checker->grid->n_axes; a++) {
        const Axis *axis = &checker->grid->axes[a];
        if (!is_axis(axis) || axis->leader != a || a == except) continue;
        Status status = fix_leader(checker, demand, a, &point->indices[a], err);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* Whether an exclusion takes an arm out of the grid, or for one seed only. A baseline goes with its task: exclusions
 * that say more leave it the other trainings of the task. */
static bool excludes(const Checker *checker, const Exclusion *exclusion, Predictor predictor, const Point *point) {
    for (int c = 0; c < exclusion->n_conditions; c++) {
        const Condition *condition = &exclusion->conditions[c];
        const Axis *axis = &checker->grid->axes[condition->axis];
        if (condition->axis == SEED_AXIS) continue;
        if (!depends_on(predictor, axis->setting)) return false;
        if (axis_value(axis, point->indices[axis->leader]) != condition->value) return false;
    }
    return true;
}

/* The condition of an exclusion on the seed, or NULL. */
static const Condition *seed_condition(const Exclusion *exclusion) {
    for (int c = 0; c < exclusion->n_conditions; c++)
        if (exclusion->conditions[c].axis == SEED_AXIS) return &exclusion->conditions[c];
    return NULL;
}

/* Whether no seed has a training behind an arm. */
static bool is_excluded(const Checker *checker, Predictor predictor, const Point *point) {
    for (int e = 0; e < checker->grid->n_exclusions; e++) {
        const Exclusion *exclusion = &checker->grid->exclusions[e];
        if (seed_condition(exclusion) == NULL && excludes(checker, exclusion, predictor, point)) return true;
    }
    return false;
}

static void set_arm(const Checker *checker, Predictor predictor, const Point *point, ClaimArm *arm) {
    *arm = (ClaimArm){.predictor = predictor, .settings = settings_default()};
    for (int a = 1; a < checker->grid->n_axes; a++) {
        const Axis *axis = &checker->grid->axes[a];
        setting_set(axis->setting, &arm->settings, axis_value(axis, is_axis(axis) ? point->indices[axis->leader] : 0));
    }
    grid_fit_defaults(checker->grid, &arm->settings);
    settings_drop_inactive(&arm->settings);
}

static Status make_room(Claim *claim, int64_t n_arms, Error *err) {
    claim->arms = malloc((size_t)n_arms * sizeof *claim->arms);
    return claim->arms == NULL ? out_of_memory(err) : STATUS_OK;
}

/* --- arms a and b ------------------------------------------------------------------------------------------------ */

static Demand pair_demand(const Claim *claim, const ClaimConditions *own, const char *name) {
    const ClaimConditions *where = &claim->where;
    Demand demand = {.parts = {where, own}, .predictor = PREDICTOR_MODEL, .name = name};
    if (where->names_predictor) demand.predictor = where->predictor;
    if (own->names_predictor) demand.predictor = own->predictor;
    return demand;
}

static Status check_own(const Checker *checker, const Demand *demand, Error *err) {
    const ClaimConditions *own = demand->parts[1];
    Status status = check_values(checker, own, err);
    if (status == STATUS_OK) status = check_predictor(checker, own, err);
    for (int c = 0; c < own->count && status == STATUS_OK; c++)
        if (!depends_on(demand->predictor, own->items[c].setting))
            status = claim_error(checker, -1, own->items[c].place, err, "%s does not depend on %s",
                                 predictor_name(demand->predictor), own->items[c].setting->key);
    return status;
}

static Status add_arm(const Checker *checker, const Demand *demand, Point *point, Error *err) {
    Claim *claim = checker->claim;
    Status status = fix_leaders(checker, demand, -1, point, err);
    if (status != STATUS_OK) return status;
    if (is_excluded(checker, demand->predictor, point))
        return claim_error(checker, -1, demand->parts[1]->place, err, "every training of %s is excluded", demand->name);
    set_arm(checker, demand->predictor, point, &claim->arms[claim->n_arms++]);
    return STATUS_OK;
}

static bool same_point(const Checker *checker, Predictor predictor, const Point *a, const Point *b) {
    for (int i = 1; i < checker->grid->n_axes; i++) {
        const Axis *axis = &checker->grid->axes[i];
        if (is_axis(axis) && depends_on(predictor, axis->setting) &&
            axis_value(axis, a->indices[axis->leader]) != axis_value(axis, b->indices[axis->leader]))
            return false;
    }
    return true;
}

static Status check_pair(const Checker *checker, Point *points, Error *err) {
    Claim *claim = checker->claim;
    Demand a = pair_demand(claim, &claim->a, "a"), b = pair_demand(claim, &claim->b, "b");
    Status status = make_room(claim, 2, err);
    if (status == STATUS_OK) status = check_disjoint(checker, &claim->where, &claim->a, "a", err);
    if (status == STATUS_OK) status = check_disjoint(checker, &claim->where, &claim->b, "b", err);
    if (status == STATUS_OK) status = check_own(checker, &a, err);
    if (status == STATUS_OK) status = check_own(checker, &b, err);
    if (status == STATUS_OK) status = add_arm(checker, &a, &points[0], err);
    if (status == STATUS_OK) status = add_arm(checker, &b, &points[1], err);
    return status;
}

static Status check_different(const Checker *checker, const Point *points, Error *err) {
    const Claim *claim = checker->claim;
    const ClaimArm *a = &claim->arms[0], *b = &claim->arms[1];
    if (claim->over == NULL && a->predictor == b->predictor && a->first == b->first && a->last == b->last &&
        same_point(checker, a->predictor, &points[0], &points[1]))
        return claim_error(checker, -1, claim->b.place, err, "a and b are the same");
    return STATUS_OK;
}

/* --- arms along an axis ------------------------------------------------------------------------------------------ */

typedef struct Level {
    SettingValue value;
    int64_t index;
} Level;

static int by_level(const void *a, const void *b) {
    const Level *left = a, *right = b;
    if (left->value != right->value) return left->value < right->value ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

/* The indices of over that meet the demand and have trainings, in the order of its values: one a value. levels has room
 * for the whole axis. */
static Status find_levels(const Checker *checker, const Demand *demand, int over, Point *point, Level *levels,
                          int *n_levels, Error *err) {
    const Axis *axis = &checker->grid->axes[over];
    int64_t count = 0;
    for (int64_t i = 0; i < axis->count; i++)
        if (meets(checker, demand, axis->leader, i)) levels[count++] = (Level){axis_value(axis, i), i};
    qsort(levels, (size_t)count, sizeof *levels, by_level);
    int kept = 0;
    for (int64_t i = 0; i < count; i++) {
        point->indices[axis->leader] = levels[i].index;
        if (is_excluded(checker, demand->predictor, point)) continue;
        bool again = kept > 0 && levels[kept - 1].value == levels[i].value;
        int free_axis =
            again ? differing_axis(checker, demand->predictor, axis->leader, levels[kept - 1].index, levels[i].index)
                  : -1;
        if (free_axis >= 0) return axis_is_free(checker, demand, free_axis, err);
        if (again) continue;
        if (kept == CLAIM_LEVELS_MAX)
            return claim_error(checker, over, checker->claim->over_place, err, "over more than %d values of %s",
                               CLAIM_LEVELS_MAX, axis->setting->key);
        levels[kept++] = levels[i];
    }
    *n_levels = kept;
    return STATUS_OK;
}

static int least_levels(const Claim *claim) {
    return claim->test == CLAIM_PLATEAU ? 3 : 2;
}

static Status too_few_levels(const Checker *checker, int over, int n_levels, Error *err) {
    const Claim *claim = checker->claim;
    return claim_error(checker, over, claim->over_place, err, "a %s needs at least %d values of %s, here %s %d",
                       claim_test_name((int)claim->test), least_levels(claim), claim->over->key,
                       n_levels == 1 ? "is" : "are", n_levels);
}

static Status set_levels(const Checker *checker, const Demand *demand, int over, Point *points, Level *levels,
                         Error *err) {
    Claim *claim = checker->claim;
    const Axis *axis = &checker->grid->axes[over];
    int n_levels = 0;
    Status status = find_levels(checker, demand, over, &points[0], levels, &n_levels, err);
    if (status != STATUS_OK) return status;
    if (n_levels < least_levels(claim)) return too_few_levels(checker, over, n_levels, err);
    status = make_room(claim, n_levels, err);
    for (int i = 0; i < n_levels && status == STATUS_OK; i++) {
        if (i > 0) points[i] = points[0];
        points[i].indices[axis->leader] = levels[i].index;
        set_arm(checker, demand->predictor, &points[i], &claim->arms[i]);
        claim->arms[i].level = levels[i].value;
        claim->n_arms = i + 1;
    }
    return status;
}

static Status check_levels(const Checker *checker, Point *points, Error *err) {
    Claim *claim = checker->claim;
    int over = axis_of(checker, claim->over);
    const Axis *axis = &checker->grid->axes[over];
    Demand demand = {.parts = {&claim->where, NULL}};
    demand.predictor = claim->where.names_predictor ? claim->where.predictor : PREDICTOR_MODEL;
    for (int c = 0; c < claim->where.count; c++)
        if (claim->where.items[c].setting == claim->over)
            return claim_error(checker, -1, claim->where.items[c].place, err, "both over and where name %s",
                               claim->over->key);
    if (!depends_on(demand.predictor, claim->over))
        return claim_error(checker, -1, claim->over_place, err, "%s does not depend on %s",
                           predictor_name(demand.predictor), claim->over->key);
    if (axis->count < least_levels(claim)) return too_few_levels(checker, over, (int)axis->count, err);
    Status status = fix_leaders(checker, &demand, axis->leader, &points[0], err);
    if (status != STATUS_OK) return status;
    Level *levels = malloc((size_t)axis->count * sizeof *levels);
    if (levels == NULL) return out_of_memory(err);
    status = set_levels(checker, &demand, over, points, levels, err);
    free(levels);
    return status;
}

/* --- seeds and indices ------------------------------------------------------------------------------------------- */

static bool excludes_any(const Checker *checker, const Exclusion *exclusion, const Point *points) {
    for (int i = 0; i < checker->claim->n_arms; i++)
        if (excludes(checker, exclusion, checker->claim->arms[i].predictor, &points[i])) return true;
    return false;
}

static int by_number(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Counts the seeds for which the grid has every arm. */
static Status count_seeds(const Checker *checker, const Point *points, Error *err) {
    const Grid *grid = checker->grid;
    Claim *claim = checker->claim;
    double lost[EXCLUSIONS_MAX];
    int n_lost = 0;
    for (int e = 0; e < grid->n_exclusions; e++) {
        const Condition *seed = seed_condition(&grid->exclusions[e]);
        if (seed != NULL && excludes_any(checker, &grid->exclusions[e], points)) lost[n_lost++] = seed->value;
    }
    qsort(lost, (size_t)n_lost, sizeof *lost, by_number);
    claim->n_seeds = grid->axes[SEED_AXIS].count;
    for (int i = 0; i < n_lost; i++)
        claim->n_seeds -= i == 0 || lost[i] != lost[i - 1];
    if (claim->n_seeds == 0)
        return claim_error(checker, SEED_AXIS, claim->place, err, "for no seed are all of its arms in the grid");
    return STATUS_OK;
}

/* Largest number of examples, or round, that an arm has. */
static int last_index(const Claim *claim, const ClaimArm *arm) {
    return claim->kind == CLAIM_ROUNDS ? arm->settings.evaluation.rounds : arm->settings.training.task.n_points - 1;
}

static Status check_range(const Checker *checker, const ClaimRange *at, int most, Error *err) {
    bool rounds = checker->claim->kind == CLAIM_ROUNDS;
    int axis = grid_axis(checker->grid, rounds ? "evaluate.rounds" : "task.n_points");
    if (at->last <= most) return STATUS_OK;
    if (rounds)
        return claim_error(checker, axis, at->place, err, "at round %d, but evaluate.rounds is %d", at->last, most);
    return claim_error(checker, axis, at->place, err, "at %d examples, but with task.n_points %d there are 2 to %d",
                       at->last, most + 1, most);
}

/* Gives every arm its own numbers of examples, or rounds, or those of the claim, which fit the smallest task among
 * the arms. */
static Status check_at(const Checker *checker, Error *err) {
    Claim *claim = checker->claim;
    int most = last_index(claim, &claim->arms[0]);
    for (int i = 1; i < claim->n_arms; i++)
        if (last_index(claim, &claim->arms[i]) < most) most = last_index(claim, &claim->arms[i]);
    if (!place_known(claim->at.place)) claim->at.first = claim->at.last = most;
    if (place_known(claim->at.place) && !claim_names_at(claim))
        return claim_error(checker, -1, claim->at.place, err,
                           "both a and b say at, so that of the claim means nothing");
    Status status = check_range(checker, &claim->at, most, err);
    for (int i = 0; i < claim->n_arms && status == STATUS_OK; i++) {
        ClaimArm *arm = &claim->arms[i];
        const ClaimRange *own = i == 0 ? &claim->a.at : &claim->b.at; /* of levels: never given */
        const ClaimRange *at = place_known(own->place) ? own : &claim->at;
        status = check_range(checker, at, last_index(claim, arm), err);
        arm->first = at->first;
        arm->last = at->last;
    }
    return status;
}

/* Rounds are the job's, and made by models only. */
static Status check_rounds(const Checker *checker, Error *err) {
    const Claim *claim = checker->claim;
    if (claim->kind != CLAIM_ROUNDS) return STATUS_OK;
    if (claim->arms[0].settings.evaluation.rounds == 0)
        return claim_error(checker, grid_axis(checker->grid, "evaluate.rounds"), claim->kind_place, err,
                           "kind: rounds, but evaluate.rounds is 0");
    for (int i = 0; i < claim->n_arms; i++)
        if (claim->arms[i].predictor != PREDICTOR_MODEL)
            return claim_error(checker, -1, claim->kind_place, err, "kind: rounds, but %s makes no rounds",
                               predictor_name(claim->arms[i].predictor));
    return STATUS_OK;
}

static Status check_claim(const Checker *checker, Point *points, Error *err) {
    Claim *claim = checker->claim;
    Status status = check_values(checker, &claim->where, err);
    if (status == STATUS_OK) status = check_predictor(checker, &claim->where, err);
    if (status == STATUS_OK)
        status = claim->over != NULL ? check_levels(checker, points, err) : check_pair(checker, points, err);
    if (status == STATUS_OK) status = count_seeds(checker, points, err);
    if (status == STATUS_OK) status = check_rounds(checker, err);
    if (status == STATUS_OK) status = check_at(checker, err);
    return status != STATUS_OK ? status : check_different(checker, points, err);
}

Status claims_file_check(ClaimList *claims, const Grid *grid, const Source *source, Error *err) {
    static_assert((int)CLAIM_CONDITIONS_MAX >= (int)AXES_MAX, "a claim may name every setting");
    if (claims->count == 0) return STATUS_OK;
    Point *points = malloc(CLAIM_LEVELS_MAX * sizeof *points); /* of one claim's arms */
    if (points == NULL) return out_of_memory(err);
    Status status = STATUS_OK;
    for (int i = 0; i < claims->count && status == STATUS_OK; i++) {
        Checker checker = {.grid = grid, .source = source, .claim = &claims->items[i]};
        status = check_claim(&checker, points, err);
    }
    free(points);
    return status;
}
