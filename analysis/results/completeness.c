/* See completeness.h. */
#include "analysis/results/completeness.h"

#include "analysis/output/columns.h"
#include "analysis/output/rows.h"

#include <stdlib.h>
#include <string.h>

static int compare_spec_with_group(const void *key, const void *element) {
    const TrainingGroup *group = element;
    return spec_compare_configuration(key, &group->trainings->record.spec);
}

static int compare_seed(const void *key, const void *element) {
    uint32_t a = *(const uint32_t *)key, b = *(const uint32_t *)element;
    return (a > b) - (a < b);
}

/* The place of a training; NULL: of none that the summary knows. */
static TrainingCell *find_cell(const Completeness *completeness, const TrainingSpec *spec, int *group) {
    const Summary *summary = completeness->summary;
    const TrainingGroup *found = bsearch(spec, summary->training_groups, (size_t)summary->n_training_groups,
                                         sizeof *found, compare_spec_with_group);
    const uint32_t *seed =
        bsearch(&spec->seed, summary->table->seeds, (size_t)summary->table->n_seeds, sizeof *seed, compare_seed);
    if (found == NULL || seed == NULL) return NULL;
    *group = (int)(found - summary->training_groups);
    return &completeness
                ->board[(size_t)*group * (size_t)completeness->n_seeds + (size_t)(seed - summary->table->seeds)];
}

static SeedState state_of(const Training *training) {
    if (!training->ended) return SEED_UNFINISHED;
    if (training->record.outcome == OUTCOME_DONE) return SEED_HAS;
    return training->record.outcome == OUTCOME_DIVERGED ? SEED_DIVERGED : SEED_FAILED;
}

static void place_trainings(Completeness *completeness) {
    const Table *table = completeness->summary->table;
    for (int i = 0; i < table->n_trainings; i++) {
        int group;
        const Training *training = &table->trainings[i];
        TrainingCell *cell = find_cell(completeness, &training->record.spec, &group);
        if (cell == NULL) continue;
        *cell = (TrainingCell){training, state_of(training), 0, NULL, false};
        if (training->ended && training->record.fingerprint[0] != '\0')
            cell->fingerprint = training->record.fingerprint;
    }
}

static void place_series(Completeness *completeness) {
    const Summary *summary = completeness->summary;
    for (int i = 0; i < summary->n_configurations; i++) {
        const Configuration *configuration = &summary->configurations[i];
        int group = -1;
        if (configuration->series->predictor != PREDICTOR_MODEL) continue;
        for (int j = 0; j < configuration->n_series; j++) {
            const Series *series = &configuration->series[j];
            TrainingCell *cell = find_cell(completeness, &series->settings.training, &group);
            if (cell == NULL) continue;
            cell->cells++;
            if (cell->fingerprint == NULL) cell->fingerprint = series->fingerprint;
            cell->mixed = cell->mixed || strcmp(cell->fingerprint, series->fingerprint) != 0;
        }
        if (group >= 0) completeness->cells_expected[group]++;
    }
}

/* Counts a text among those seen so far, if it is new; seen has no more than a few. */
static void count_fingerprint(const char *text, const char **seen, int *count, int most) {
    if (text == NULL || text[0] == '\0') return;
    for (int i = 0; i < *count; i++)
        if (strcmp(seen[i], text) == 0) return;
    if (*count < most) seen[(*count)++] = text;
}

static void count_fingerprints(Completeness *completeness) {
    enum { MOST = 100 };
    const Table *table = completeness->summary->table;
    const char *seen[MOST];
    for (int i = 0; i < table->n_series; i++)
        count_fingerprint(table->series[i].fingerprint, seen, &completeness->n_fingerprints, MOST);
    for (int i = 0; i < table->n_trainings; i++)
        if (table->trainings[i].ended)
            count_fingerprint(table->trainings[i].record.fingerprint, seen, &completeness->n_fingerprints, MOST);
}

Status completeness_create(const Summary *summary, Completeness **out, Error *err) {
    size_t groups = (size_t)summary->n_training_groups, seeds = (size_t)summary->table->n_seeds;
    Completeness *completeness = calloc(1, sizeof *completeness);
    if (completeness != NULL)
        *completeness = (Completeness){.summary = summary,
                                       .n_groups = (int)groups,
                                       .n_seeds = (int)seeds,
                                       .board = calloc(groups * seeds + 1, sizeof(TrainingCell)),
                                       .cells_expected = calloc(groups + 1, sizeof(int))};
    if (completeness == NULL || completeness->board == NULL || completeness->cells_expected == NULL) {
        completeness_free(completeness);
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu configurations of %zu seeds", groups, seeds);
    }
    for (size_t i = 0; i < groups * seeds; i++)
        completeness->board[i].state = SEED_ABSENT;
    place_trainings(completeness);
    place_series(completeness);
    count_fingerprints(completeness);
    for (size_t i = 0; i < groups * seeds; i++)
        if (completeness->board[i].state == SEED_HAS)
            completeness->missing_cells += completeness->cells_expected[i / seeds] - completeness->board[i].cells;
    *out = completeness;
    return STATUS_OK;
}

void completeness_free(Completeness *completeness) {
    if (completeness == NULL) return;
    free(completeness->board);
    free(completeness->cells_expected);
    free(completeness);
}

/* --- forms ------------------------------------------------------------------------------------------------------- */

static char letter_of(const TrainingCell *cell, int expected) {
    static const char letters[SEED_STATE_COUNT] = {'+', ' ', '.', '?', 'f', 'd'};
    return cell->state == SEED_HAS && cell->cells < expected ? 'c' : letters[cell->state];
}

Sheet *completeness_sheet(const Completeness *completeness) {
    enum { LETTERS_MAX = 60 };
    const Summary *summary = completeness->summary;
    Sheet *sheet = sheet_create(completeness->n_groups + 1, 4);
    char text[512];
    if (sheet == NULL) return NULL;
    sheet_add(sheet, "trainings");
    sheet_add(sheet, "done");
    sheet_add(sheet, "cells");
    bool cut = completeness->n_seeds > LETTERS_MAX;
    int shown = cut ? LETTERS_MAX : completeness->n_seeds;
    if (completeness->n_seeds == 0)
        sheet_add(sheet, "seeds");
    else
        sheet_add(sheet, "seeds %u .. %u%s", summary->table->seeds[0], summary->table->seeds[shown - 1],
                  cut ? " (more in completeness.csv)" : "");
    for (int group = 0; group < completeness->n_groups; group++) {
        const TrainingCell *row = completeness->board + (size_t)group * (size_t)completeness->n_seeds;
        char letters[LETTERS_MAX + 1];
        int done = 0, cells = 0, expected = completeness->cells_expected[group];
        for (int i = 0; i < completeness->n_seeds; i++) {
            done += row[i].state == SEED_HAS;
            cells += row[i].cells;
            if (i < shown) letters[i] = letter_of(&row[i], expected);
        }
        letters[shown] = '\0';
        training_label(summary->table, &summary->training_groups[group].trainings->record.spec, text, sizeof text);
        sheet_add(sheet, "%s", text[0] != '\0' ? text : "all");
        sheet_add(sheet, "%d of %d", done, completeness->n_seeds);
        sheet_add(sheet, "%d of %d", cells, expected * completeness->n_seeds);
        sheet_add(sheet, "%s", letters);
    }
    if (sheet_complete(sheet)) return sheet;
    sheet_free(sheet);
    return NULL;
}

void completeness_print(const Completeness *completeness, FILE *out) {
    enum { ROWS_MAX = 40 };
    if (completeness->missing_cells > 0)
        fprintf(out, "  %d cell%s of finished trainings not measured: the same job again measures them\n",
                completeness->missing_cells, completeness->missing_cells == 1 ? "" : "s");
    bool complete = summary_is_complete(completeness->summary) && completeness->missing_cells == 0;
    if (complete || completeness->n_groups > ROWS_MAX) return;
    Sheet *sheet = completeness_sheet(completeness);
    if (sheet == NULL) return; /* the counts have been told */
    fputc('\n', out);
    sheet_print(sheet, out);
    fprintf(out, "(%s)\n", COMPLETENESS_LEGEND);
    sheet_free(sheet);
}

static void completeness_row(RowWriter *rows, const Settings *settings, uint32_t seed, const TrainingCell *cell,
                             int expected) {
    settings_columns(rows, settings, PREDICTOR_MODEL, false);
    row_integer(rows, "seed", seed);
    row_text(rows, "state", cell->state == SEED_HAS ? "done" : seed_state_name(cell->state));
    row_text(rows, "reason", cell->training != NULL && cell->training->ended ? cell->training->record.reason : NULL);
    row_integer(rows, "cells", cell->cells);
    row_integer(rows, "cells_expected", cell->state == SEED_ABSENT ? 0 : expected);
    row_text(rows, "fingerprint", cell->fingerprint);
    row_text(rows, "mixed_fingerprints", cell->mixed ? "true" : "false");
    row_end(rows);
}

static void write_completeness(RowWriter *rows, const void *context) {
    const Completeness *completeness = context;
    const Table *table = completeness->summary->table;
    completeness_row(rows, &table->defaults, 0, &(TrainingCell){0}, 0);
    rows_end_naming(rows);
    for (int group = 0; group < completeness->n_groups; group++) {
        Settings settings = table->defaults;
        settings.training = completeness->summary->training_groups[group].trainings->record.spec;
        for (int i = 0; i < completeness->n_seeds; i++)
            completeness_row(rows, &settings, table->seeds[i],
                             &completeness->board[(size_t)group * (size_t)completeness->n_seeds + (size_t)i],
                             completeness->cells_expected[group]);
    }
}

Status completeness_write_csv(const Completeness *completeness, const char *dir, Error *err) {
    return csv_write(dir, "completeness.csv", write_completeness, completeness, err);
}
