/* See run_state.h. */
#include "coordinator/journal/run_state.h"

#include "coordinator/journal/journal.h"
#include "coordinator/journal/segments.h"
#include "proto/base/clock.h"
#include "proto/wire/record_content.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- census ----------------------------------------------------------------------------------------------------- */

/* A training that failed, perhaps done since. */
typedef struct Failure {
    Id id;
    char *text; /* "seed 3: killed by .." */
} Failure;

typedef struct Count {
    IdTable ids;
    RoundsSeen rounds;
    Census *census;
    Failure *failures;
    size_t n_failures;
} Count;

static Status note_failure(Count *count, const TrainingRecord *training, Error *err) {
    Failure *more = realloc(count->failures, (count->n_failures + 1) * sizeof *more);
    if (more != NULL) count->failures = more;
    char *text = NULL;
    if (more == NULL || asprintf(&text, "seed %u: %s", training->spec.seed, training->reason) < 0)
        return error_set(err, STATUS_NO_MEMORY, "no memory to count the records");
    count->failures[count->n_failures++] = (Failure){training->training_id, text};
    return STATUS_OK;
}

/* Counts a training anew as its state changes. */
static Status count_training(Count *count, const TrainingRecord *training, Error *err) {
    IdEntry *entry = id_table_add(&count->ids, training->training_id);
    int64_t *in_state[] = {NULL, &count->census->trainings_done, &count->census->trainings_diverged,
                           &count->census->trainings_failed};
    if (entry->training != TRAINING_UNKNOWN) --*in_state[entry->training];
    entry->training = journal_state_after((TrainingState)entry->training, training->outcome);
    ++*in_state[entry->training];
    return entry->training == TRAINING_FAILED ? note_failure(count, training, err) : STATUS_OK;
}

static Status count_record(void *context, uint64_t offset, Record *record, Error *err) {
    Count *count = context;
    if (!record_has_id(record)) return STATUS_OK;
    Status status = id_table_reserve(&count->ids, 1, err);
    if (status != STATUS_OK || record->kind == RECORD_TRAINING)
        return status == STATUS_OK ? count_training(count, &record->of.training, err) : status;
    const IdEntry *before = id_table_find(&count->ids, record_id(record));
    bool had = before != NULL && before->result, has = id_table_note_result(&count->ids, record)->result;
    count->census->cells += record->kind == RECORD_CELL && has && !had;
    count->census->baselines += record->kind == RECORD_BASELINE && has && !had;
    return record->kind == RECORD_CELL ? rounds_seen_add(&count->rounds, &record->of.cell, err) : STATUS_OK;
}

/* Counts the records of dir; ids, rounds: what they say of each id. */
static Status census_take(const char *dir, Census *census, IdTable *ids, RoundsSeen *rounds, char *warning,
                          size_t warning_bytes, Error *err) {
    Count count = {.census = census};
    memset(census, 0, sizeof *census);
    Status status = journal_read(dir, count_record, &count, warning, warning_bytes, err);
    for (size_t i = 0; i < count.n_failures; i++) {
        bool still = id_table_find(&count.ids, count.failures[i].id)->training == TRAINING_FAILED;
        if (still && census->first_failure[0] == '\0')
            snprintf(census->first_failure, sizeof census->first_failure, "%s", count.failures[i].text);
        free(count.failures[i].text);
    }
    free(count.failures);
    *ids = count.ids;
    *rounds = count.rounds;
    return status;
}

/* --- status files ----------------------------------------------------------------------------------------------- */

const char *run_state_name(RunState state) {
    switch (state) {
    case RUN_ENDED:
        return "ended";
    case RUN_RUNNING:
        return "running";
    case RUN_DIED:
        return "died";
    }
    return "?";
}

double status_number(const json_t *status, const char *outer, const char *inner) {
    const json_t *value = json_object_get(status, outer);
    if (inner != NULL) value = json_object_get(value, inner);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

const char *status_text(const json_t *status, const char *key) {
    const char *text = json_string_value(json_object_get(status, key));
    return text != NULL ? text : "";
}

static RunState judge(const char *dir, const char *segment, const json_t *status) {
    if (strcmp(status_text(status, "state"), "running") != 0) return RUN_ENDED;
    return segment_is_alive(dir, segment) ? RUN_RUNNING : RUN_DIED;
}

/* A run that died had no last word: what its file says of the moment is true no more. */
static void forget_the_moment(json_t *status) {
    static const char *const unknown[] = {"eta_s", "eta_lower_s", "eta_upper_s"};
    json_t *trainings = json_object_get(status, "trainings");
    if (trainings != NULL) json_object_set_new(trainings, "running", json_integer(0));
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        json_object_set_new(status, unknown[i], json_null());
    json_object_set_new(status, "losses", json_array());
    json_object_set_new(status, "draining", json_false());
}

static Status read_segments(const char *dir, FolderState *state, char *warning, size_t warning_bytes, Error *err) {
    SegmentList list;
    Status status = segments_list(dir, "status", &list, err);
    if (status == STATUS_OK && list.count > 0) {
        state->segments = calloc(list.count, sizeof *state->segments);
        if (state->segments == NULL)
            status = error_set(err, STATUS_NO_MEMORY, "%s: no memory for its %zu runs", dir, list.count);
    }
    for (size_t i = 0; status == STATUS_OK && i < list.count; i++) {
        char path[PATH_MAX];
        segment_path(dir, "status", list.names[i], path);
        json_t *content = segment_status(dir, list.names[i]);
        double updated_ms = status_number(content, "updated_unix_ms", NULL);
        if (!json_is_object(content) || isnan(updated_ms)) {
            size_t used = strlen(warning);
            snprintf(warning + used, warning_bytes - used,
                     "%s%s: passed over: expected the JSON object of a run's status", used > 0 ? "\n" : "", path);
            json_decref(content);
            continue;
        }
        double age_s = fmax(0, ((double)clock_unix_ms() - updated_ms) / 1e3);
        RunState now = judge(dir, list.names[i], content);
        if (now == RUN_DIED) forget_the_moment(content);
        state->segments[state->n_segments++] = (SegmentState){content, now, age_s};
    }
    segments_free(&list);
    return status;
}

const SegmentState *folder_latest(const FolderState *state) {
    const SegmentState *latest = NULL;
    for (int i = 0; i < state->n_segments; i++)
        if (latest == NULL || state->segments[i].age_s <= latest->age_s) latest = &state->segments[i];
    return latest;
}

bool folder_segment_counts(const FolderState *state, const SegmentState *segment) {
    const SegmentState *latest = folder_latest(state);
    Shard own = segment_shard(segment->status), last = segment_shard(latest->status);
    if (own.count != last.count) return false;
    for (int i = 0; i < state->n_segments; i++) {
        const SegmentState *other = &state->segments[i];
        Shard shard = segment_shard(other->status);
        bool later = other->age_s < segment->age_s || (other->age_s == segment->age_s && other > segment);
        if (shard.index == own.index && shard.count == own.count && later) return false;
    }
    return true;
}

/* What the latest runs of all parts of the grid came to. */
typedef struct Outcomes {
    int parts, worst; /* their number and largest exit code */
    bool going_on;    /* one lives, or died and has to be gone on with */
    bool stuck;       /* one gave up although something was left to do */
    double trainings; /* of all parts */
} Outcomes;

static Outcomes outcomes_of(const FolderState *state) {
    Outcomes outcomes = {0};
    for (int i = 0; i < state->n_segments; i++) {
        const SegmentState *segment = &state->segments[i];
        outcomes.going_on = outcomes.going_on || segment->state == RUN_RUNNING;
        if (!folder_segment_counts(state, segment)) continue;
        double code = status_number(segment->status, "exit_code", NULL);
        bool died = segment->state == RUN_DIED, ended_all = strcmp(status_text(segment->status, "reason"), "done") == 0;
        outcomes.going_on = outcomes.going_on || died;
        outcomes.stuck = outcomes.stuck || (code == STATUS_FAILED && !ended_all);
        if (code > outcomes.worst) outcomes.worst = (int)code;
        outcomes.trainings += status_number(segment->status, "trainings", "total");
        outcomes.parts++;
    }
    return outcomes;
}

/* Without a job there is only what the runs say: what is not done by the latest run of any part is left to do. */
static int judge_by_runs(const FolderState *state, const Outcomes *outcomes) {
    const Census *census = &state->census;
    const SegmentState *latest = folder_latest(state);
    bool all_begun = latest == NULL || outcomes->parts >= segment_shard(latest->status).count;
    if (outcomes->worst != STATUS_OK)
        return outcomes->worst == STATUS_FAILED && !all_begun ? STATUS_INCOMPLETE : outcomes->worst;
    bool ended =
        census->trainings_done + census->trainings_diverged + census->trainings_failed >= (int64_t)outcomes->trainings;
    if (!all_begun || (isfinite(outcomes->trainings) && !ended)) return STATUS_INCOMPLETE;
    return census->trainings_failed > 0 ? STATUS_FAILED : STATUS_OK;
}

/* Complete is what the jobs ask for, whatever past runs counted; how a run ended matters only while something is left:
 * then nobody goes on after an error. */
static int judge_exit_code(const FolderState *state) {
    const Standing *standing = &state->standing;
    const Outcomes outcomes = outcomes_of(state);
    if (outcomes.going_on) return STATUS_INCOMPLETE;
    if (standing->jobs == 0) return judge_by_runs(state, &outcomes);
    if (standing_complete(standing)) return standing_failed(standing) ? STATUS_FAILED : STATUS_OK;
    if (outcomes.worst > STATUS_FAILED) return outcomes.worst;
    /* An evaluation that failed for good left no record in earlier versions: its run said so. */
    bool only_results = standing_missing(standing) == 0 && outcomes.worst == STATUS_FAILED;
    return outcomes.stuck || only_results ? STATUS_FAILED : STATUS_INCOMPLETE;
}

Status folder_state_read(const char *dir, FolderState **out, char *warning, size_t warning_bytes, Error *err) {
    warning[0] = '\0';
    FolderState *state = calloc(1, sizeof *state);
    if (state == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the state of %s", dir);
    IdTable ids = {0};
    RoundsSeen rounds = {0};
    JobList jobs = {0};
    Status status = census_take(dir, &state->census, &ids, &rounds, warning, warning_bytes, err);
    if (status == STATUS_OK) status = read_segments(dir, state, warning, warning_bytes, err);
    if (status == STATUS_OK) status = job_list_read(dir, &jobs, NULL, 0, err);
    if (status == STATUS_OK) status = standing_take(&jobs, &ids, &rounds, &state->standing, err);
    job_list_free(&jobs);
    rounds_seen_free(&rounds);
    id_table_free(&ids);
    const Census *census = &state->census;
    int64_t records = census->trainings_done + census->trainings_diverged + census->trainings_failed + census->cells +
                      census->baselines;
    if (status == STATUS_OK && state->n_segments == 0 && records == 0)
        status = error_set(err, STATUS_DATA, "%s: no run was here: expected status-*.json or records-*.tfrecord", dir);
    if (status != STATUS_OK) {
        folder_state_free(state);
        return status;
    }
    state->exit_code = judge_exit_code(state);
    *out = state;
    return STATUS_OK;
}

void folder_state_free(FolderState *state) {
    if (state == NULL) return;
    for (int i = 0; i < state->n_segments; i++)
        json_decref(state->segments[i].status);
    free(state->segments);
    free(state);
}
