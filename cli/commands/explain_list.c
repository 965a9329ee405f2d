/* See explain_list.h. */
#include "cli/commands/explain_list.h"

#include "coordinator/journal/listing.h"
#include "jobs/grid/grid.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const states[] = {"pending", "done", "diverged", "failed"};

typedef struct Printing {
    bool json;
    uint64_t n;
} Printing;

/* Whether a setting tells a training from the others: in its job it has several values; without a job it is none that
 * goes without saying. */
static bool is_told(const ListedTraining *training, const Setting *setting, const Settings *settings) {
    if (setting->role != ROLE_TRAINING || (setting->active != NULL && !setting->active(settings))) return false;
    if (training->job == NULL) {
        const Settings defaults = settings_default();
        return setting_get(setting, settings) != setting_get(setting, &defaults);
    }
    const Grid *grid = job_grid(training->job);
    return grid->axes[grid_axis(grid, setting->key)].count > 1;
}

static Status print_line(const ListedTraining *training, Error *err) {
    char id[ID_TEXT_BYTES], value[64];
    const Settings settings = {.training = *training->spec};
    int count;
    const Setting *table = settings_table(&count);
    printf("%s  %-8s  seed %u", id_text(training->id, id), states[training->state], training->spec->seed);
    for (int i = 0; i < count; i++)
        if (is_told(training, &table[i], &settings))
            printf(", %s %s", table[i].key,
                   setting_format(&table[i], setting_get(&table[i], &settings), value, sizeof value));
    printf("%s\n", training->job == NULL ? "  (no job of the folder asks for it)" : "");
    return ferror(stdout) ? error_set(err, STATUS_IO, "standard output cannot be written") : STATUS_OK;
}

static Status print_object(const ListedTraining *training, bool first, Error *err) {
    char id[ID_TEXT_BYTES], value[64];
    const Settings settings = {.training = *training->spec};
    int count;
    const Setting *table = settings_table(&count);
    json_t *told = json_object();
    for (int i = 0; i < count; i++)
        if (is_told(training, &table[i], &settings))
            json_object_set_new(
                told, table[i].key,
                json_string(setting_format(&table[i], setting_get(&table[i], &settings), value, sizeof value)));
    json_t *object =
        json_pack("{s:s, s:s, s:I, s:o, s:b}", "id", id_text(training->id, id), "state", states[training->state],
                  "seed", (json_int_t)training->spec->seed, "settings", told, "asked_for", training->job != NULL);
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (text == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for a line on a training");
    printf("%s%s", first ? "\n" : ",\n", text);
    free(text);
    return ferror(stdout) ? error_set(err, STATUS_IO, "standard output cannot be written") : STATUS_OK;
}

static Status print_training(void *context, const ListedTraining *training, Error *err) {
    Printing *printing = context;
    bool first = printing->n++ == 0;
    return printing->json ? print_object(training, first, err) : print_line(training, err);
}

Status explain_list(const char *dir, const JobList *jobs, bool json, char *warning, size_t warning_bytes, Error *err) {
    Printing printing = {.json = json};
    if (json) putchar('[');
    Status status = listing_visit(dir, jobs, print_training, &printing, warning, warning_bytes, err);
    if (json) puts("\n]");
    return status;
}
