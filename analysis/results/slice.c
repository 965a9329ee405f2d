/* See slice.h. */
#include "analysis/results/slice.h"
#include "analysis/output/columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool setting_is_quality(const Setting *setting) {
    return setting->offset == offsetof(Settings, critic.quality);
}

bool setting_is_ordered(const Setting *setting) {
    return setting->type == SETTING_INTEGER || setting->type == SETTING_REAL;
}

static bool is_model(const Configuration *configuration) {
    return configuration->series->predictor == PREDICTOR_MODEL;
}

static bool agree(const Setting *axis, const Configuration *a, const Configuration *b) {
    return setting_get(axis, &a->series->settings) == setting_get(axis, &b->series->settings);
}

/* Among the axes of models, how many differ. */
static int differing_axes(const Summary *summary, const Configuration *a, const Configuration *b) {
    int count = 0;
    for (int i = 0; i < summary->table->n_axes; i++)
        count += setting_applies(summary->table->axes[i], PREDICTOR_MODEL) && !agree(summary->table->axes[i], a, b);
    return count;
}

/* --- the base ---------------------------------------------------------------------------------------------------- */

/* The value among the models that is nearest to the default. */
static double nearest_to_default(const Summary *summary, const Setting *axis) {
    double nearest = NAN;
    for (int i = 0; i < summary->n_configurations; i++) {
        if (!is_model(&summary->configurations[i])) continue;
        double value = setting_get(axis, &summary->configurations[i].series->settings);
        if (!(fabs(value - axis->default_value) >= fabs(nearest - axis->default_value))) nearest = value;
    }
    return nearest;
}

/* What speaks for a configuration as base, the weightiest first. */
typedef struct Merit {
    int axes, neighbours, at_defaults;
} Merit;

static bool is_better(Merit a, Merit b) {
    if (a.axes != b.axes) return a.axes > b.axes;
    if (a.neighbours != b.neighbours) return a.neighbours > b.neighbours;
    return a.at_defaults > b.at_defaults;
}

/* merits: of all configurations, zero at first. */
static void add_merits(const Summary *summary, const Families *families, Merit *merits) {
    for (int i = 0; i < families->count; i++)
        for (int j = 0; j < families->items[i].n; j++) {
            Merit *merit = &merits[families->items[i].members[j] - summary->configurations];
            merit->axes++;
            merit->neighbours += families->items[i].n - 1;
        }
    for (int i = 0; i < summary->table->n_axes; i++) {
        const Setting *axis = summary->table->axes[i];
        double wanted = nearest_to_default(summary, axis);
        for (int j = 0; j < summary->n_configurations; j++)
            merits[j].at_defaults += setting_get(axis, &summary->configurations[j].series->settings) == wanted;
    }
}

const Configuration *slice_base(const Summary *summary, const Families *families) {
    Merit *merits = calloc((size_t)summary->n_configurations + 1, sizeof *merits);
    if (merits == NULL) return NULL;
    add_merits(summary, families, merits);
    int best = -1;
    for (int i = 0; i < summary->n_configurations; i++)
        if (is_model(&summary->configurations[i]) && (best < 0 || is_better(merits[i], merits[best]))) best = i;
    free(merits);
    return best < 0 ? NULL : &summary->configurations[best];
}

/* --- slices ------------------------------------------------------------------------------------------------------ */

/* The member of a family that differs least from base. */
static const Configuration *nearest_member(const Summary *summary, const Family *family, const Configuration *base) {
    const Configuration *nearest = family->members[0];
    for (int i = 1; i < family->n; i++)
        if (differing_axes(summary, family->members[i], base) < differing_axes(summary, nearest, base))
            nearest = family->members[i];
    return nearest;
}

const Family *slice_family(const Summary *summary, const Families *families, const Configuration *base,
                           const Setting *axis) {
    const Family *best = NULL;
    int fewest = 0;
    for (int i = 0; i < families->count; i++) {
        const Family *family = &families->items[i];
        if (family->axis != axis || !is_model(family->members[0])) continue;
        int differing = differing_axes(summary, nearest_member(summary, family, base), base);
        if (differing == 0) return family;
        if (best != NULL && (family->n < best->n || (family->n == best->n && differing >= fewest))) continue;
        best = family;
        fewest = differing;
    }
    return best;
}

static int compare_values(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

int slice_values(const Summary *summary, const Setting *setting, double *values, int room, int *left_out) {
    *left_out = 0;
    double *all = malloc(((size_t)summary->n_configurations + 1) * sizeof *all);
    if (all == NULL) return 0;
    int n = 0, distinct = 0;
    for (int i = 0; i < summary->n_configurations; i++)
        if (is_model(&summary->configurations[i]))
            all[n++] = setting_get(setting, &summary->configurations[i].series->settings);
    qsort(all, (size_t)n, sizeof *all, compare_values);
    for (int i = 0; i < n; i++)
        if (i == 0 || all[i] != all[distinct - 1]) all[distinct++] = all[i];
    int count = distinct < room ? distinct : room;
    for (int i = 0; i < count; i++)
        values[i] = all[count == distinct ? i : (int)((long)i * (distinct - 1) / (room - 1))];
    *left_out = distinct - count;
    free(all);
    return count;
}

Slice slice_along(const Summary *summary, const Families *families, const Configuration *base, const Setting *axis) {
    Slice slice = {.axis = axis, .base = base, .n = 1, .members = {base}};
    const Family *family = slice_family(summary, families, base, axis);
    double ends[2];
    int others, all = slice_values(summary, axis, ends, 2, &others) + others, n = family != NULL ? family->n : 1;
    slice.elsewhere = all - n;
    if (family == NULL) return slice;
    slice.base = nearest_member(summary, family, base);
    slice.n = n < SLICE_MAX ? n : SLICE_MAX;
    slice.left_out = n - slice.n;
    for (int i = 0; i < slice.n; i++)
        slice.members[i] = family->members[slice.n == n ? i : (int)((long)i * (n - 1) / (SLICE_MAX - 1))];
    return slice;
}

int slices_of_axes(const Summary *summary, const Families *families, const Configuration *base, bool ordered,
                   Slice *slices) {
    int n = 0;
    for (int i = 0; i < summary->table->n_axes; i++) {
        const Setting *axis = summary->table->axes[i];
        if (!setting_applies(axis, PREDICTOR_MODEL) || (ordered && !setting_is_ordered(axis))) continue;
        slices[n] = slice_along(summary, families, base, axis);
        n += slices[n].n > 1;
    }
    return n;
}

const Configuration *slice_with(const Summary *summary, const Configuration *other, const Setting *setting,
                                double value) {
    for (int i = 0; i < summary->n_configurations; i++) {
        const Configuration *candidate = &summary->configurations[i];
        if (!is_model(candidate) || setting_get(setting, &candidate->series->settings) != value) continue;
        if (differing_axes(summary, candidate, other) == !agree(setting, candidate, other)) return candidate;
    }
    return NULL;
}

/* Whether all members have the same value of an axis. */
static bool members_agree(const Slice *slice, const Setting *axis) {
    bool same = true;
    for (int i = 1; i < slice->n; i++)
        same = same && agree(axis, slice->members[0], slice->members[i]);
    return same;
}

/* Appends ", n_layer 4". */
static void append_value(const Setting *axis, const Configuration *configuration, char *text, size_t text_bytes) {
    char name[64], value[64];
    setting_label(axis, name, sizeof name);
    setting_format(axis, setting_get(axis, &configuration->series->settings), value, sizeof value);
    size_t used = strlen(text);
    snprintf(text + used, text_bytes - used, "%s%s %s", used > 0 ? ", " : "", name, value);
}

const char *slice_label(const Summary *summary, const Slice *slice, int member, char *text, size_t text_bytes) {
    const Configuration *configuration = slice->members[member];
    setting_format(slice->axis, setting_get(slice->axis, &configuration->series->settings), text, text_bytes);
    for (int i = 0; i < summary->table->n_axes; i++) {
        const Setting *other = summary->table->axes[i];
        if (other != slice->axis && setting_applies(other, PREDICTOR_MODEL) && !members_agree(slice, other))
            append_value(other, configuration, text, text_bytes);
    }
    return text;
}

const char *slice_fixed(const Summary *summary, const Slice *slice, const Setting *skip, char *text,
                        size_t text_bytes) {
    text[0] = '\0';
    for (int i = 0; i < summary->table->n_axes; i++) {
        const Setting *axis = summary->table->axes[i];
        if (axis != slice->axis && axis != skip && setting_applies(axis, PREDICTOR_MODEL) && members_agree(slice, axis))
            append_value(axis, slice->base, text, text_bytes);
    }
    return text;
}

const char *slice_family_label(const Summary *summary, const Family *family, const Configuration *base, char *text,
                               size_t text_bytes) {
    const Configuration *nearest = nearest_member(summary, family, base);
    char apart[96] = "", name[64];
    setting_label(family->axis, text, text_bytes);
    for (int i = 0; i < summary->table->n_axes; i++) {
        const Setting *other = summary->table->axes[i];
        if (other == family->axis || !setting_applies(other, PREDICTOR_MODEL)) continue;
        size_t used = strlen(text);
        if (!agree(other, family->members[0], family->members[1]))
            snprintf(text + used, text_bytes - used, " with %s", setting_label(other, name, sizeof name));
        else if (!agree(other, nearest, base))
            append_value(other, nearest, apart, sizeof apart);
    }
    size_t used = strlen(text);
    if (apart[0] != '\0') snprintf(text + used, text_bytes - used, " (%s)", apart);
    return text;
}

const char *slice_axis_name(const Setting *axis, char *text, size_t text_bytes) {
    if (!setting_is_quality(axis)) return setting_label(axis, text, text_bytes);
    snprintf(text, text_bytes, "critique quality q");
    return text;
}
