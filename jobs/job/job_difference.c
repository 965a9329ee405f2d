/* See job_difference.h. Both jobs have the same axes, one a setting, whatever their files mention; the trainings are
 * compared by their ids, sorted. */
#include "jobs/job/job_difference.h"

#include "jobs/grid/grid.h"
#include "jobs/settings/identity.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_SHOWN = 8 };

/* --- settings --------------------------------------------------------------------------------------------------- */

static bool same_values(const Axis *a, const Axis *b) {
    bool same = a->count == b->count;
    for (int64_t i = 0; same && i < a->count; i++)
        same = axis_value(a, i) == axis_value(b, i);
    return same;
}

/* "2, 4, 8", "0 to 11", "1, 2, 3, .., 40" */
static void print_values(FILE *out, const Axis *axis) {
    if (axis->setting == NULL && axis->values == NULL && axis->count > 2) {
        fprintf(out, "%.0f to %.0f", axis_value(axis, 0), axis_value(axis, axis->count - 1));
        return;
    }
    for (int64_t i = 0; i < axis->count; i++) {
        char text[256];
        if (axis->count > VALUES_SHOWN && i >= VALUES_SHOWN - 1 && i < axis->count - 1) {
            if (i == VALUES_SHOWN - 1) fputs(", ..", out);
            continue;
        }
        double value = axis_value(axis, i);
        if (axis->setting == NULL)
            snprintf(text, sizeof text, "%.0f", value);
        else
            setting_format(axis->setting, value, text, sizeof text);
        fprintf(out, "%s%s", i == 0 ? "" : ", ", text);
    }
}

static bool same_exclusions(const Grid *a, const Grid *b) {
    bool same = a->n_exclusions == b->n_exclusions;
    for (int e = 0; same && e < a->n_exclusions; e++) {
        const Exclusion *left = &a->exclusions[e], *right = &b->exclusions[e];
        same = left->n_conditions == right->n_conditions;
        for (int c = 0; same && c < left->n_conditions; c++)
            same = left->conditions[c].axis == right->conditions[c].axis &&
                   left->conditions[c].value == right->conditions[c].value;
    }
    return same;
}

static bool same_links(const Grid *a, const Grid *b) {
    bool same = true;
    for (int i = 0; same && i < a->n_axes; i++)
        same = a->axes[i].linked == b->axes[i].linked;
    return same;
}

/* Prints what is set otherwise; each thing ends in "; ". Returns the number of things. */
static int print_settings(FILE *out, const Grid *before, const Grid *after) {
    assert(before->n_axes == after->n_axes);
    int changes = 0;
    for (int i = 0; i < before->n_axes; i++) {
        const Axis *old = &before->axes[i], *new = &after->axes[i];
        if (same_values(old, new)) continue;
        fprintf(out, "%s: ", old->setting == NULL ? "seeds" : old->setting->key);
        print_values(out, old);
        fputs(" -> ", out);
        print_values(out, new);
        fputs("; ", out);
        changes++;
    }
    if (!same_links(before, after)) changes += fputs("zip links other settings; ", out) > 0;
    if (!same_exclusions(before, after))
        changes += fprintf(out, "exclude: %d -> %d mappings; ", before->n_exclusions, after->n_exclusions) > 0;
    return changes;
}

/* --- trainings -------------------------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b) {
    return memcmp(a, b, sizeof(Id));
}

/* The ids of all trainings of a job, sorted; malloc'd, NULL: no memory. */
static Id *sorted_ids(const Job *job, uint64_t *count) {
    Id *ids = malloc(job_trainings(job) * sizeof *ids);
    *count = 0;
    for (uint64_t point = 0; ids != NULL && point < job_grid_points(job); point++) {
        TrainingSpec spec;
        if (job_training(job, point, &spec)) ids[(*count)++] = training_id(&spec);
    }
    if (ids != NULL) qsort(ids, *count, sizeof *ids, compare_ids);
    return ids;
}

static Status count_trainings(const Job *before, const Job *after, JobDifference *out, Error *err) {
    uint64_t n_old = 0, n_new = 0;
    Id *old = sorted_ids(before, &n_old), *new = sorted_ids(after, &n_new);
    Status status = STATUS_OK;
    if (old == NULL || new == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "no memory to compare the trainings of two jobs");
    } else {
        for (uint64_t i = 0, j = 0; i < n_old || j < n_new;) {
            int order = i == n_old ? 1 : j == n_new ? -1 : compare_ids(&old[i], &new[j]);
            out->trainings_dropped += order < 0;
            out->trainings_added += order > 0;
            i += order <= 0;
            j += order >= 0;
        }
    }
    free(old);
    free(new);
    return status;
}

Status job_difference(const Job *before, const Job *after, JobDifference *out, Error *err) {
    *out = (JobDifference){0};
    FILE *text = fmemopen(out->text, sizeof out->text, "w"); /* cuts what is longer */
    if (text == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory to compare two jobs");
    int changes = print_settings(text, job_grid(before), job_grid(after));
    Status status = changes > 0 ? count_trainings(before, after, out, err) : STATUS_OK;
    unsigned long long added = out->trainings_added, dropped = out->trainings_dropped;
    if (changes > 0 && added == 0 && dropped == 0) fputs("the same trainings", text);
    if (added > 0) fprintf(text, "%llu training%s added", added, added == 1 ? "" : "s");
    if (dropped > 0)
        fprintf(text, "%s%llu%s no longer asked for", added > 0 ? ", " : "", dropped,
                added > 0      ? ""
                : dropped == 1 ? " training"
                               : " trainings");
    fclose(text);
    return status;
}
