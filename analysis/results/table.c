/* See table.h. */
#include "analysis/results/table.h"

#include "analysis/output/columns.h"
#include "coordinator/journal/journal.h"
#include "jobs/job/job_list.h"
#include "jobs/settings/identity.h"
#include "proto/wire/record_content.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- reading ---------------------------------------------------------------------------------------------------- */

Table *table_create(void) {
    Table *table = calloc(1, sizeof *table);
    if (table != NULL) table->defaults = settings_default();
    return table;
}

/* free, for members of structs that are released through record_free */
static void training_free(TrainingRecord *training) {
    Record record = {.kind = RECORD_TRAINING, .of.training = *training};
    record_free(&record);
}

static void header_free(HeaderRecord *header) {
    Record record = {.kind = RECORD_HEADER, .of.header = *header};
    record_free(&record);
}

static void series_free(Series *series) {
    curves_free(&series->curves);
    round_curves_free(&series->rounds);
    free(series->fingerprint);
}

void table_free(Table *table) {
    if (table == NULL) return;
    for (int i = 0; i < table->n_series; i++)
        series_free(&table->series[i]);
    for (int i = 0; i < table->n_trainings; i++)
        training_free(&table->trainings[i].record);
    for (int i = 0; i < table->n_headers; i++)
        header_free(&table->headers[i]);
    free(table->series);
    free(table->trainings);
    free(table->headers);
    free(table->seeds);
    free(table);
}

/* Room for one more element; counts double, so that the capacity follows from the count. */
static Status grow(void *array, int count, size_t element_bytes, Error *err) {
    if (count > 0 && (count & (count - 1)) != 0) return STATUS_OK; /* full only at powers of two */
    size_t capacity = count == 0 ? 1 : 2 * (size_t)count;
    void *grown = realloc(*(void **)array, capacity * element_bytes);
    if (grown == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for a table of %zu rows", capacity);
    *(void **)array = grown;
    return STATUS_OK;
}

static Status add_series(Table *table, Series series, Error *err) {
    Status status = grow(&table->series, table->n_series, sizeof *table->series, err);
    if (status != STATUS_OK) return status;
    series.order = table->n_series;
    series.folder = table->folder;
    table->series[table->n_series++] = series;
    return STATUS_OK;
}

static Status add_training(Table *table, bool ended, const TrainingRecord *record, Error *err) {
    Status status = grow(&table->trainings, table->n_trainings, sizeof *table->trainings, err);
    if (status != STATUS_OK) return status;
    table->trainings[table->n_trainings] = (Training){ended, table->n_trainings, table->folder, *record};
    spec_drop_inactive(&table->trainings[table->n_trainings].record.spec);
    table->n_trainings++;
    return STATUS_OK;
}

static Status add_header(Table *table, const HeaderRecord *header, Error *err) {
    Status status = grow(&table->headers, table->n_headers, sizeof *table->headers, err);
    if (status != STATUS_OK) return status;
    table->headers[table->n_headers++] = *header;
    return STATUS_OK;
}

static Series series_of_cell(const CellRecord *cell, const Settings *defaults) {
    Series series = {.training_id = cell->training_id,
                     .cell_id = cell->cell_id,
                     .predictor = PREDICTOR_MODEL,
                     .settings = *defaults,
                     .self_check_accuracy = cell->self_check_accuracy,
                     .curves = cell->curves,
                     .rounds = cell->rounds,
                     .fingerprint = cell->fingerprint};
    series.settings.critic = cell->critic;
    record_cell_evaluation(cell, &series.settings.evaluation);
    return series;
}

static Series series_of_baseline(const BaselineRecord *baseline, const Settings *defaults) {
    Series series = {.cell_id = baseline->baseline_id,
                     .predictor = baseline->predictor,
                     .settings = *defaults,
                     .self_check_accuracy = baseline->self_check_accuracy,
                     .curves = baseline->curves,
                     .fingerprint = baseline->fingerprint};
    series.settings.training.task = baseline->task;
    series.settings.training.seed = baseline->seed;
    series.settings.critic = baseline->critic;
    series.settings.evaluation.prompts = baseline->prompts;
    series.settings.evaluation.gd_steps = baseline->gd_steps;
    return series;
}

Status table_add(void *context, uint64_t offset, Record *record, Error *err) {
    Table *table = context;
    Status status = STATUS_OK;
    if (record->kind != RECORD_TRAINING && record_has_id(record) && record_is_failure(record)) return STATUS_OK;
    switch (record->kind) {
    case RECORD_HEADER:
        status = add_header(table, &record->of.header, err);
        break;
    case RECORD_TRAINING:
        status = add_training(table, true, &record->of.training, err);
        break;
    case RECORD_CELL:
        status = add_series(table, series_of_cell(&record->of.cell, &table->defaults), err);
        break;
    case RECORD_BASELINE:
        status = add_series(table, series_of_baseline(&record->of.baseline, &table->defaults), err);
        break;
    case RECORD_MODEL:
    case RECORD_END:
    case RECORD_CHECKPOINT:
        return STATUS_OK;
    }
    if (status == STATUS_OK) memset(record, 0, sizeof *record); /* taken */
    return status;
}

const char *outcome_name(Outcome outcome) {
    switch (outcome) {
    case OUTCOME_DONE:
        return "done";
    case OUTCOME_DIVERGED:
        return "diverged";
    case OUTCOME_FAILED:
        return "failed";
    }
    return "?";
}

/* --- order ------------------------------------------------------------------------------------------------------ */

/* Settings that a model and the baselines beside it have in common: what the prompts and the critic are. */
static bool is_shared(const Setting *setting) {
    return setting_applies(setting, PREDICTOR_MEAN);
}

static int compare_setting(const Setting *setting, const Settings *a, const Settings *b) {
    SettingValue left = setting_get(setting, a), right = setting_get(setting, b);
    int order = (left > right) - (left < right);
    bool descending = setting->offset == offsetof(Settings, critic.quality) || setting->type == SETTING_BOOLEAN;
    return descending ? -order : order; /* the best critic and the whole model come first */
}

/* Compares the settings that both apply to a predictor and are shared or not, as wanted. */
static int compare_settings(const Settings *a, const Settings *b, Predictor predictor, bool shared) {
    int count;
    const Setting *table = settings_table(&count);
    for (int i = 0; i < count; i++) {
        if (!setting_applies(&table[i], predictor) || is_shared(&table[i]) != shared) continue;
        int order = compare_setting(&table[i], a, b);
        if (order != 0) return order;
    }
    return 0;
}

int series_compare_configuration(const Series *a, const Series *b) {
    int order = compare_settings(&a->settings, &b->settings, PREDICTOR_MEAN, true);
    if (order == 0) order = (a->predictor > b->predictor) - (a->predictor < b->predictor);
    if (order == 0) order = compare_settings(&a->settings, &b->settings, a->predictor, false);
    return order;
}

bool series_same_task(const Series *a, const Series *b) {
    return compare_settings(&a->settings, &b->settings, PREDICTOR_MEAN, true) == 0;
}

int spec_compare_configuration(const TrainingSpec *a, const TrainingSpec *b) {
    Settings left = {.training = *a}, right = {.training = *b}; /* no critic: equal */
    int order = compare_settings(&left, &right, PREDICTOR_MODEL, true);
    return order != 0 ? order : compare_settings(&left, &right, PREDICTOR_MODEL, false);
}

static int compare_number(uint32_t a, uint32_t b) {
    return (a > b) - (a < b);
}

static int compare_series(const void *a, const void *b) {
    const Series *left = a, *right = b;
    int order = series_compare_configuration(left, right);
    if (order == 0) order = compare_number(left->settings.training.seed, right->settings.training.seed);
    return order != 0 ? order : memcmp(&left->cell_id, &right->cell_id, sizeof(Id));
}

static int compare_trainings(const void *a, const void *b) {
    const TrainingSpec *left = &((const Training *)a)->record.spec, *right = &((const Training *)b)->record.spec;
    int order = spec_compare_configuration(left, right);
    return order != 0 ? order : compare_number(left->seed, right->seed);
}

static int compare_series_ids(const void *a, const void *b) {
    const Series *left = a, *right = b;
    int order = memcmp(&left->cell_id, &right->cell_id, sizeof(Id));
    return order != 0 ? order : left->order - right->order;
}

/* Orders what one model is measured under: critic and prompts; 0: the same. */
static int compare_measurements(const Series *a, const Series *b) {
    int order = (a->predictor > b->predictor) - (a->predictor < b->predictor);
    if (order == 0) order = memcmp(&a->training_id, &b->training_id, sizeof(Id));
    return order != 0 ? order : compare_settings(&a->settings, &b->settings, PREDICTOR_MEAN, true);
}

/* The same, then how rounds begin and are judged; cells with more rounds first, those without last. */
static int compare_rounds(const void *a, const void *b) {
    const Series *left = a, *right = b;
    const EvaluationSettings *begun = &left->settings.evaluation, *other = &right->settings.evaluation;
    int order = compare_measurements(left, right);
    if (order == 0) order = (left->rounds.count == 0) - (right->rounds.count == 0);
    if (order == 0) order = begun->initial_responses - other->initial_responses;
    if (order == 0) order = (begun->right_cosine > other->right_cosine) - (begun->right_cosine < other->right_cosine);
    return order != 0 ? order : right->rounds.count - left->rounds.count;
}

static int compare_training_ids(const void *a, const void *b) {
    const Training *left = a, *right = b;
    int order = memcmp(&left->record.training_id, &right->record.training_id, sizeof(Id));
    return order != 0 ? order : left->order - right->order;
}

static int compare_id_with_training(const void *key, const void *element) {
    return memcmp(key, &((const Training *)element)->record.training_id, sizeof(Id));
}

static int compare_seeds(const void *a, const void *b) {
    return compare_number(*(const uint32_t *)a, *(const uint32_t *)b);
}

/* qsort, which must not be given NULL */
static void sort(void *array, int count, size_t element_bytes, int (*compare)(const void *, const void *)) {
    if (count > 1) qsort(array, (size_t)count, element_bytes, compare);
}

/* --- settling --------------------------------------------------------------------------------------------------- */

/* The record that a series or a training came from, borrowing what it owns. */
static Record record_of_series(const Series *series) {
    const Settings *settings = &series->settings;
    if (series->predictor == PREDICTOR_MODEL)
        return (Record){.kind = RECORD_CELL,
                        .of.cell = {.cell_id = series->cell_id,
                                    .training_id = series->training_id,
                                    .critic = settings->critic,
                                    .prompts = settings->evaluation.prompts,
                                    .self_check_accuracy = series->self_check_accuracy,
                                    .curves = series->curves,
                                    .fingerprint = series->fingerprint,
                                    .rounds = series->rounds}};
    return (Record){.kind = RECORD_BASELINE,
                    .of.baseline = {.baseline_id = series->cell_id,
                                    .task = settings->training.task,
                                    .seed = settings->training.seed,
                                    .critic = settings->critic,
                                    .prompts = settings->evaluation.prompts,
                                    .predictor = series->predictor,
                                    .gd_steps = settings->evaluation.gd_steps,
                                    .self_check_accuracy = series->self_check_accuracy,
                                    .curves = series->curves,
                                    .fingerprint = series->fingerprint}};
}

static Record record_of_training(const Training *training) {
    return (Record){.kind = RECORD_TRAINING, .of.training = training->record};
}

/* One of the records of an id, in the order of folders and, in each, as they were read. */
typedef struct Candidate {
    Record record; /* borrows */
    int folder;
} Candidate;

static Status note_conflict(Table *table, const Candidate *taken, const Candidate *other, Error *err) {
    TableConflict *conflict = &table->conflicts[table->n_conflicts];
    if (table->n_conflicts++ >= CONFLICTS_KEPT) return STATUS_OK;
    *conflict = (TableConflict){.kind = taken->record.kind,
                                .id = record_id(&taken->record),
                                .folder = taken->folder,
                                .other_folder = other->folder};
    snprintf(conflict->fingerprint, sizeof conflict->fingerprint, "%s", record_fingerprint(&taken->record));
    return record_compare(&taken->record, &other->record, &conflict->difference, err);
}

/* Chooses among the n records of one id: of each folder the last, but no failure for a result; of the folders by rank.
 */
static Status choose(Table *table, const Candidate *candidates, int n, int *taken, Error *err) {
    RecordRank *ranks = malloc((size_t)n * sizeof *ranks);
    if (ranks == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory to choose among %d records", n);
    Status status = STATUS_OK;
    int best = -1, own = -1; /* own: the answer of the folder that is looked at */
    for (int i = 0; i < n && status == STATUS_OK; i++) {
        status = record_rank(&candidates[i].record, &ranks[i], err);
        if (status != STATUS_OK) break;
        if (own < 0 || !ranks[i].failure || ranks[own].failure) own = i;
        bool last = i + 1 == n || candidates[i + 1].folder != candidates[i].folder;
        if (!last) continue;
        if (best < 0 || record_rank_before(&ranks[own], &ranks[best])) best = own;
        own = -1;
    }
    for (int i = 0; i < n && status == STATUS_OK; i++)
        if (record_rank_conflict(&ranks[best], &ranks[i]))
            status = note_conflict(table, &candidates[best], &candidates[i], err);
    free(ranks);
    *taken = best;
    return status;
}

/* Sorts trainings by id and keeps one of each. */
static Status settle_trainings(Table *table, Error *err) {
    sort(table->trainings, table->n_trainings, sizeof *table->trainings, compare_training_ids);
    int kept = 0;
    Status status = STATUS_OK;
    for (int i = 0, n; i < table->n_trainings; i += n) {
        Training *group = &table->trainings[i];
        int taken = 0;
        for (n = 1; i + n < table->n_trainings && id_equal(group[n].record.training_id, group->record.training_id);)
            n++;
        Candidate *candidates = n > 1 && status == STATUS_OK ? calloc((size_t)n, sizeof *candidates) : NULL;
        if (n > 1 && status == STATUS_OK && candidates == NULL)
            status = error_set(err, STATUS_NO_MEMORY, "no memory to choose among %d records", n);
        for (int k = 0; candidates != NULL && k < n; k++)
            candidates[k] = (Candidate){record_of_training(&group[k]), group[k].folder};
        if (candidates != NULL) status = choose(table, candidates, n, &taken, err);
        free(candidates);
        if (taken < 0) taken = 0;
        for (int k = 0; k < n; k++)
            if (k != taken) training_free(&group[k].record);
        table->trainings[kept++] = group[taken];
    }
    table->n_trainings = kept;
    return status;
}

static const Training *find_training(const Table *table, Id id) {
    if (table->n_trainings == 0) return NULL;
    return bsearch(&id, table->trainings, (size_t)table->n_trainings, sizeof *table->trainings,
                   compare_id_with_training);
}

/* Keeps one series of each id and gives cells the settings of their training. Trainings are sorted by id. */
static Status settle_series(Table *table, Error *err) {
    sort(table->series, table->n_series, sizeof *table->series, compare_series_ids);
    int kept = 0;
    Status status = STATUS_OK;
    for (int i = 0, n; i < table->n_series; i += n) {
        Series *group = &table->series[i];
        int taken = 0;
        for (n = 1; i + n < table->n_series && id_equal(group[n].cell_id, group->cell_id);)
            n++;
        Candidate *candidates = n > 1 && status == STATUS_OK ? calloc((size_t)n, sizeof *candidates) : NULL;
        if (n > 1 && status == STATUS_OK && candidates == NULL)
            status = error_set(err, STATUS_NO_MEMORY, "no memory to choose among %d records", n);
        for (int k = 0; candidates != NULL && k < n; k++)
            candidates[k] = (Candidate){record_of_series(&group[k]), group[k].folder};
        if (candidates != NULL) status = choose(table, candidates, n, &taken, err);
        free(candidates);
        if (taken < 0) taken = 0;
        bool model = group[taken].predictor == PREDICTOR_MODEL;
        const Training *training = model ? find_training(table, group[taken].training_id) : NULL;
        bool orphan = model && training == NULL;
        table->orphans += orphan;
        for (int k = 0; k < n; k++)
            if (k != taken || orphan) series_free(&group[k]);
        if (orphan) continue;
        if (training != NULL) group[taken].settings.training = training->record.spec;
        table->series[kept++] = group[taken];
    }
    table->n_series = kept;
    return status;
}

/* One rollout gives all rounds: of the cells of a model under a critic, one with fewer rounds, or none, says nothing
 * that one with more does not. */
static void drop_fewer_rounds(Table *table) {
    sort(table->series, table->n_series, sizeof *table->series, compare_rounds);
    int kept = 0;
    for (int i = 0; i < table->n_series; i++) {
        Series *next = &table->series[i];
        const Series *last = kept > 0 ? &table->series[kept - 1] : NULL;
        bool model = next->predictor == PREDICTOR_MODEL, same = last != NULL && compare_measurements(last, next) == 0;
        bool begun_alike = same &&
                           last->settings.evaluation.initial_responses == next->settings.evaluation.initial_responses &&
                           last->settings.evaluation.right_cosine == next->settings.evaluation.right_cosine;
        if (model && same && (begun_alike || next->rounds.count == 0))
            series_free(next);
        else
            table->series[kept++] = *next;
    }
    table->n_series = kept;
}

Status table_expect(Table *table, const Job *job, Error *err) {
    Status status = settle_trainings(table, err);
    uint64_t points = job_grid_points(job);
    int known = table->n_trainings;
    for (uint64_t i = 0; i < points && status == STATUS_OK; i++) {
        TrainingRecord expected = {0};
        if (!job_training(job, i, &expected.spec)) continue;
        expected.training_id = training_id(&expected.spec);
        if (known > 0 && bsearch(&expected.training_id, table->trainings, (size_t)known, sizeof *table->trainings,
                                 compare_id_with_training) != NULL)
            continue;
        status = add_training(table, false, &expected, err);
    }
    return status;
}

/* Notes a setting as an axis when series or trainings differ in it. */
static bool varies(const Table *table, const Setting *setting) {
    const Settings *first = NULL;
    for (int i = 0; i < table->n_series; i++) {
        const Series *series = &table->series[i];
        if (!setting_applies(setting, series->predictor)) continue;
        if (first == NULL) first = &series->settings;
        if (setting_get(setting, first) != setting_get(setting, &series->settings)) return true;
    }
    if (setting->role != ROLE_TRAINING || !setting_applies(setting, PREDICTOR_MODEL)) return false;
    for (int i = 1; i < table->n_trainings; i++) {
        Settings a = {.training = table->trainings[0].record.spec}, b = {.training = table->trainings[i].record.spec};
        if (setting_get(setting, &a) != setting_get(setting, &b)) return true;
    }
    return false;
}

static Status find_seeds(Table *table, Error *err) {
    int count = table->n_series + table->n_trainings;
    table->seeds = malloc((count > 0 ? (size_t)count : 1) * sizeof *table->seeds);
    if (table->seeds == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for %d seeds", count);
    for (int i = 0; i < table->n_series; i++)
        table->seeds[i] = table->series[i].settings.training.seed;
    for (int i = 0; i < table->n_trainings; i++)
        table->seeds[table->n_series + i] = table->trainings[i].record.spec.seed;
    sort(table->seeds, count, sizeof *table->seeds, compare_seeds);
    for (int i = 0; i < count; i++)
        if (i == 0 || table->seeds[i] != table->seeds[i - 1]) table->seeds[table->n_seeds++] = table->seeds[i];
    return STATUS_OK;
}

Status table_finish(Table *table, Error *err) {
    Status status = settle_trainings(table, err);
    if (status == STATUS_OK) status = settle_series(table, err);
    if (status != STATUS_OK) return status;
    drop_fewer_rounds(table);
    sort(table->trainings, table->n_trainings, sizeof *table->trainings, compare_trainings);
    sort(table->series, table->n_series, sizeof *table->series, compare_series);
    int count;
    const Setting *settings = settings_table(&count);
    for (int i = 0; i < count; i++) {
        if (!varies(table, &settings[i])) continue;
        assert(table->n_axes < AXES_MAX);
        table->axes[table->n_axes++] = &settings[i];
    }
    return find_seeds(table, err);
}

/* What the jobs of a folder ask for, finished or not; results count without a readable one. */
static Status expect_jobs_of(Table *table, const char *dir, Error *err) {
    JobList jobs;
    Status status = job_list_read(dir, &jobs, NULL, 0, err);
    for (int i = 0; i < jobs.count && status == STATUS_OK; i++)
        status = table_expect(table, jobs.items[i], err);
    job_list_free(&jobs);
    return status;
}

Status table_read(const char *const *dirs, int n_dirs, Table **out, char *warning, size_t warning_bytes, Error *err) {
    Table *table = table_create();
    if (table == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the table of results");
    Status status = STATUS_OK;
    warning[0] = '\0';
    for (int i = 0; i < n_dirs && status == STATUS_OK; i++) {
        size_t used = strlen(warning);
        int runs = table->n_headers;
        table->folder = i;
        if (used > 0 && used + 1 < warning_bytes) warning[used++] = '\n';
        status = journal_read(dirs[i], table_add, table, warning + used, warning_bytes - used, err);
        if (status == STATUS_OK && table->n_headers == runs)
            status = error_set(err, STATUS_DATA, "%s: no results: expected records-*.tfrecord files of a run", dirs[i]);
    }
    for (int i = 0; i < n_dirs && status == STATUS_OK; i++)
        status = expect_jobs_of(table, dirs[i], err);
    if (status == STATUS_OK) status = table_finish(table, err);
    if (status != STATUS_OK) {
        table_free(table);
        return status;
    }
    *out = table;
    return STATUS_OK;
}

/* --- labels ----------------------------------------------------------------------------------------------------- */

/* The last words parts of a dotted key. */
static const char *last_words(const char *key, int words) {
    const char *at = key + strlen(key);
    while (at > key && (at[-1] != '.' || --words > 0))
        at--;
    return at;
}

const char *setting_label(const Setting *setting, char *text, size_t text_bytes) {
    if (setting->offset == offsetof(Settings, critic.quality)) {
        snprintf(text, text_bytes, "q");
        return text;
    }
    int count, same = 0;
    const Setting *table = settings_table(&count);
    for (int i = 0; i < count; i++)
        same += strcmp(last_words(table[i].key, 1), last_words(setting->key, 1)) == 0;
    snprintf(text, text_bytes, "%s", last_words(setting->key, same > 1 ? 2 : 1));
    return text;
}

/* Adds the axes that apply to a predictor; critics' too, or those of the training only. */
static const char *label(const Table *table, const Settings *settings, Predictor predictor, bool critics,
                         const Setting *skip, char *text, size_t text_bytes) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < table->n_axes; i++) {
        const Setting *axis = table->axes[i];
        if (axis == skip || !setting_applies(axis, predictor) || (!critics && axis->role != ROLE_TRAINING)) continue;
        char name[64], value[64];
        setting_label(axis, name, sizeof name);
        setting_format(axis, setting_get(axis, settings), value, sizeof value);
        int length = snprintf(text + used, text_bytes - used, "%s%s %s", used > 0 ? ", " : "", name, value);
        used += (size_t)length;
        if (used >= text_bytes) break; /* cut short */
    }
    return text;
}

const char *series_label(const Table *table, const Series *series, const Setting *skip, char *text, size_t text_bytes) {
    return label(table, &series->settings, series->predictor, true, skip, text, text_bytes);
}

const char *training_label(const Table *table, const TrainingSpec *spec, char *text, size_t text_bytes) {
    Settings settings = {.training = *spec};
    return label(table, &settings, PREDICTOR_MODEL, false, NULL, text, text_bytes);
}
