/* See slice.h. */
#include "analysis/slice.h"

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

/* Among the axes of models, how many differ. */
static int differing_axes(const Summary *summary, const Configuration *a, const Configuration *b) {
    int count = 0;
    for (int i = 0; i < summary->table->n_axes; i++) {
        const Setting *axis = summary->table->axes[i];
        if (!setting_applies(axis, PREDICTOR_MODEL)) continue;
        count += setting_get(axis, &a->series->settings) != setting_get(axis, &b->series->settings);
    }
    return count;
}

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

const Configuration *slice_base(const Summary *summary) {
    double wanted[AXES_MAX];
    for (int i = 0; i < summary->table->n_axes; i++)
        wanted[i] = nearest_to_default(summary, summary->table->axes[i]);
    const Configuration *best = NULL;
    int fewest = 0;
    for (int i = 0; i < summary->n_configurations; i++) {
        const Configuration *candidate = &summary->configurations[i];
        if (!is_model(candidate)) continue;
        int differing = 0;
        for (int j = 0; j < summary->table->n_axes; j++)
            differing += setting_get(summary->table->axes[j], &candidate->series->settings) != wanted[j];
        if (best != NULL && differing >= fewest) continue;
        best = candidate;
        fewest = differing;
    }
    return best;
}

const Configuration *slice_nearest(const Summary *summary, const Configuration *base, const Setting *const *settings,
                                   const double *values, int n) {
    const Configuration *nearest = NULL;
    int distance = 0;
    for (int i = 0; i < summary->n_configurations; i++) {
        const Configuration *candidate = &summary->configurations[i];
        bool fits = is_model(candidate);
        for (int j = 0; j < n && fits; j++)
            fits = setting_get(settings[j], &candidate->series->settings) == values[j];
        if (!fits) continue;
        int differing = differing_axes(summary, base, candidate);
        if (nearest != NULL && differing >= distance) continue;
        nearest = candidate;
        distance = differing;
    }
    return nearest;
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

Slice slice_along(const Summary *summary, const Configuration *base, const Setting *axis) {
    Slice slice = {.axis = axis};
    double values[SLICE_MAX];
    slice.n = slice_values(summary, axis, values, SLICE_MAX, &slice.left_out);
    for (int i = 0; i < slice.n; i++)
        slice.members[i] = slice_nearest(summary, base, &axis, &values[i], 1);
    return slice;
}

/* Whether two slices have the same members, be it in opposite order. */
static bool same_members(const Slice *a, const Slice *b) {
    if (a->n != b->n) return false;
    bool forward = true, backward = true;
    for (int i = 0; i < a->n; i++) {
        forward = forward && a->members[i] == b->members[i];
        backward = backward && a->members[i] == b->members[b->n - 1 - i];
    }
    return forward || backward;
}

int slices_of_axes(const Summary *summary, const Configuration *base, bool ordered, Slice *slices) {
    int n = 0;
    for (int i = 0; i < summary->table->n_axes; i++) {
        const Setting *axis = summary->table->axes[i];
        if (!setting_applies(axis, PREDICTOR_MODEL) || (ordered && !setting_is_ordered(axis))) continue;
        slices[n] = slice_along(summary, base, axis);
        bool seen = slices[n].n < 2;
        for (int j = 0; j < n && !seen; j++)
            seen = same_members(&slices[j], &slices[n]);
        n += !seen;
    }
    return n;
}

const char *slice_label(const Summary *summary, const Slice *slice, int member, char *text, size_t text_bytes) {
    const Settings *settings = &slice->members[member]->series->settings;
    setting_format(slice->axis, setting_get(slice->axis, settings), text, text_bytes);
    for (int i = 0; i < summary->table->n_axes; i++) {
        const Setting *other = summary->table->axes[i];
        if (other == slice->axis || !setting_applies(other, PREDICTOR_MODEL)) continue;
        bool differs = false;
        for (int j = 0; j < slice->n; j++)
            differs =
                differs || setting_get(other, &slice->members[j]->series->settings) != setting_get(other, settings);
        if (!differs) continue;
        char name[64], value[64];
        setting_label(other, name, sizeof name);
        setting_format(other, setting_get(other, settings), value, sizeof value);
        size_t used = strlen(text);
        snprintf(text + used, text_bytes - used, ", %s %s", name, value);
    }
    return text;
}

const char *slice_axis_name(const Setting *axis, char *text, size_t text_bytes) {
    if (!setting_is_quality(axis)) return setting_label(axis, text, text_bytes);
    snprintf(text, text_bytes, "critique quality q");
    return text;
}
