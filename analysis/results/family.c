/* See family.h. */
#include "analysis/results/family.h"
#include "analysis/output/columns.h"

#include <stdlib.h>

/* What is the same within a family along an axis. */
typedef struct Kinship {
    const Setting *axis;
    int n_others;
    const Setting *others[AXES_MAX];
} Kinship;

static bool is_model(const Configuration *configuration) {
    return configuration->series->predictor == PREDICTOR_MODEL;
}

static double value_of(const Setting *setting, const Configuration *configuration) {
    return setting_get(setting, &configuration->series->settings);
}

/* Whether over all models each value of a goes with one value of b. */
static bool determines(const Summary *summary, const Setting *a, const Setting *b) {
    enum { VALUES_MAX = 256 };
    double of_a[VALUES_MAX], of_b[VALUES_MAX];
    int count = 0;
    for (int i = 0; i < summary->n_configurations; i++) {
        const Configuration *configuration = &summary->configurations[i];
        if (!is_model(configuration)) continue;
        double value = value_of(a, configuration);
        int k = 0;
        while (k < count && of_a[k] != value)
            k++;
        if (k == VALUES_MAX) return false;
        if (k == count) {
            of_a[count] = value;
            of_b[count++] = value_of(b, configuration);
        } else if (of_b[k] != value_of(b, configuration)) {
            return false;
        }
    }
    return count > 0;
}

static bool move_together(const Summary *summary, const Setting *a, const Setting *b) {
    return a->role == ROLE_TRAINING && b->role == ROLE_TRAINING && determines(summary, a, b) &&
           determines(summary, b, a);
}

/* The axes besides axis number of the table that must agree; false: an earlier one that moves with it stands for it. */
static bool find_kinship(const Summary *summary, int number, Kinship *kinship) {
    const Table *table = summary->table;
    *kinship = (Kinship){.axis = table->axes[number]};
    for (int i = 0; i < table->n_axes; i++) {
        if (i == number) continue;
        bool together = move_together(summary, table->axes[i], kinship->axis);
        if (together && i < number) return false;
        if (!together) kinship->others[kinship->n_others++] = table->axes[i];
    }
    return true;
}

static int compare_rest(const Configuration *a, const Configuration *b, const Kinship *kinship) {
    Predictor predictor = a->series->predictor;
    if (predictor != b->series->predictor) return predictor < b->series->predictor ? -1 : 1;
    for (int i = 0; i < kinship->n_others; i++) {
        if (!setting_applies(kinship->others[i], predictor)) continue;
        double left = value_of(kinship->others[i], a), right = value_of(kinship->others[i], b);
        if (left != right) return left < right ? -1 : 1;
    }
    return 0;
}

static int compare_kin(const void *a, const void *b, void *context) {
    const Kinship *kinship = context;
    const Configuration *left = *(const Configuration *const *)a, *right = *(const Configuration *const *)b;
    int order = compare_rest(left, right, kinship);
    if (order != 0) return order;
    double left_value = value_of(kinship->axis, left), right_value = value_of(kinship->axis, right);
    return (left_value > right_value) - (left_value < right_value);
}

/* Appends the families along one axis; members has room for all configurations. Returns how many members they have. */
static int add_families(const Summary *summary, const Kinship *kinship, const Configuration **members,
                        Families *families) {
    int count = 0;
    for (int i = 0; i < summary->n_configurations; i++)
        if (setting_applies(kinship->axis, summary->configurations[i].series->predictor))
            members[count++] = &summary->configurations[i];
    if (count > 1) qsort_r((void *)members, (size_t)count, sizeof *members, compare_kin, (void *)kinship);
    for (int first = 0, next; first < count; first = next) {
        next = first + 1;
        while (next < count && compare_rest(members[first], members[next], kinship) == 0)
            next++;
        if (next - first < 2) continue;
        families->items[families->count++] = (Family){kinship->axis, next - first, members + first};
    }
    return count;
}

Status families_create(const Summary *summary, Families **out, Error *err) {
    size_t most = (size_t)summary->table->n_axes * (size_t)summary->n_configurations + 1;
    Families *families = calloc(1, sizeof *families);
    if (families != NULL)
        *families = (Families){0, calloc(most, sizeof *families->items), calloc(most, sizeof *families->members)};
    if (families == NULL || families->items == NULL || families->members == NULL) {
        families_free(families);
        return error_set(err, STATUS_NO_MEMORY, "no memory to compare %d configurations", summary->n_configurations);
    }
    int used = 0;
    for (int i = 0; i < summary->table->n_axes; i++) {
        Kinship kinship;
        if (find_kinship(summary, i, &kinship))
            used += add_families(summary, &kinship, families->members + used, families);
    }
    *out = families;
    return STATUS_OK;
}

void families_free(Families *families) {
    if (families == NULL) return;
    free(families->items);
    free((void *)families->members);
    free(families);
}

double family_level(const Family *family, int member) {
    return value_of(family->axis, family->members[member]);
}

int family_reference(const Family *family) {
    for (int i = 0; i < family->n; i++)
        if (family_level(family, i) == family->axis->default_value) return i;
    return 0;
}
