/* See near_values.h. */
#include "jobs/grid/near_values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b) {
    const AxisValue *left = a, *right = b;
    return (left->value > right->value) - (left->value < right->value);
}

static bool are_near(double a, double b) {
    return a != b && fabs(a - b) <= 1e-12 * fmax(fabs(a), fabs(b));
}

static bool is_before(Place a, Place b) {
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

/* The line about two values, placed at the one that was written later. */
static void print_line(const Axis *axis, const AxisValue *a, const AxisValue *b, const Source *source, char *text,
                       size_t text_bytes) {
    char value[64], other[64];
    Error line;
    bool swapped = is_before(b->place, a->place);
    const AxisValue *first = swapped ? b : a, *second = swapped ? a : b;
    place_error(source, second->place, &line, "%s: %s and %s agree to 12 digits, and are two values all the same",
                axis->setting->key, setting_format(axis->setting, second->value, value, sizeof value),
                setting_format(axis->setting, first->value, other, sizeof other));
    size_t used = strlen(text);
    if (used + strlen(line.text) + 2 <= text_bytes) snprintf(text + used, text_bytes - used, "%s\n", line.text);
}

Status near_values_warn(const Grid *grid, const Source *source, char *text, size_t text_bytes, Error *err) {
    text[0] = '\0';
    for (int i = 1; i < grid->n_axes; i++) {
        const Axis *axis = &grid->axes[i];
        if (axis->setting->type != SETTING_REAL || axis->count < 2) continue;
        AxisValue *sorted = malloc((size_t)axis->count * sizeof *sorted);
        if (sorted == NULL) return out_of_memory(err);
        memcpy(sorted, axis->values, (size_t)axis->count * sizeof *sorted);
        qsort(sorted, (size_t)axis->count, sizeof *sorted, by_value);
        int64_t next = 1;
        while (next < axis->count && !are_near(sorted[next - 1].value, sorted[next].value))
            next++;
        if (next < axis->count) print_line(axis, &sorted[next - 1], &sorted[next], source, text, text_bytes);
        free(sorted);
    }
    return STATUS_OK;
}
