/* See explain.h. Three steps: all ids of the records and of the job are offered to a search; the records of the id that
 * was meant are collected; the state follows from them and from what the job asks for. */
#include "coordinator/journal/explain.h"

#include "coordinator/journal/id_search.h"
#include "coordinator/journal/measured.h"
#include "coordinator/journal/segments.h"
#include "jobs/grid/grid.h"
#include "jobs/settings/identity.h"
#include "proto/wire/checkpoint_file.h"
#include "proto/wire/record_content.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Inquiry {
    const char *dir;
    const JobList *jobs;
    const Job *job, *asking; /* that is walked; that asks for the id, NULL: none */
    IdSearch search;
    Explanation *out;
    HeaderRecord header;               /* of the file that is being read */
    IdTable cells;                     /* of the training that is asked about, in records */
    RoundsSeen rounds;                 /* that they have */
    char last_run[64], end_reason[64]; /* "": it did not end in order */
    char live_run[64];                 /* the last of those that go on (shards may do so side by side), "": none */
    int exclusion;                     /* of the job, from 1, that leaves the id out; 0: none */
} Inquiry;

/* --- the job's ids ---------------------------------------------------------------------------------------------- */

/* Something that the job asks for or leaves out. Looks at it when it is the one (search ended), else offers it. */
static void meet(Inquiry *inquiry, bool ended, Id id, RecordKind kind, const Settings *settings, Predictor predictor,
                 Id training, int exclusion) {
    Explanation *out = inquiry->out;
    if (!ended) {
        id_search_offer(&inquiry->search, id, kind);
        return;
    }
    if (!id_equal(id, out->id)) return;
    if (exclusion == 0) inquiry->asking = inquiry->job;
    out->asked_for = out->asked_for || exclusion == 0;
    inquiry->exclusion = out->asked_for ? 0 : exclusion;
    out->settings = *settings;
    out->settings_known = true;
    out->predictor = predictor;
    if (kind == RECORD_CELL) out->training_id = training;
}

/* Meets all trainings, cells and baselines of a job's grid, excluded ones too. */
static void walk_job(Inquiry *inquiry, const Job *job, bool ended) {
    inquiry->job = job;
    Settings settings = settings_default();
    settings.evaluation = job_evaluation(job);
    for (uint64_t point = 0; point < job_grid_points(job); point++) {
        bool wanted = job_training(job, point, &settings.training);
        int exclusion = wanted ? 0 : grid_exclusion_of(job_grid(job), &settings);
        Id training = training_id(&settings.training);
        meet(inquiry, ended, training, RECORD_TRAINING, &settings, PREDICTOR_MODEL, training, exclusion);
        for (int i = 0; i < job_critics(job); i++) {
            settings.critic = job_critic(job, i);
            meet(inquiry, ended, cell_id(training, &settings.critic, &settings.evaluation), RECORD_CELL, &settings,
                 PREDICTOR_MODEL, training, exclusion);
            for (Predictor predictor = PREDICTOR_GD; predictor < PREDICTOR_COUNT; predictor++)
                if (wanted && (settings.evaluation.baselines >> predictor & 1))
                    meet(inquiry, ended,
                         baseline_id(&settings.training.task, settings.training.seed, &settings.critic,
                                     &settings.evaluation, predictor),
                         RECORD_BASELINE, &settings, predictor, (Id){{0}}, 0);
        }
    }
}

/* --- the records ------------------------------------------------------------------------------------------------ */

static Status offer_record(void *context, uint64_t offset, Record *record, Error *err) {
    Inquiry *inquiry = context;
    if (record_has_id(record)) id_search_offer(&inquiry->search, record_id(record), record->kind);
    return STATUS_OK;
}

/* The settings as the record itself has them. */
static void take_settings(Explanation *out, const Record *record) {
    out->settings_known = true;
    if (record->kind == RECORD_TRAINING) {
        out->settings.training = record->of.training.spec;
    } else if (record->kind == RECORD_CELL) {
        out->settings.critic = record->of.cell.critic;
        record_cell_evaluation(&record->of.cell, &out->settings.evaluation);
    } else if (record->kind == RECORD_BASELINE) {
        out->settings.training.task = record->of.baseline.task;
        out->settings.training.seed = record->of.baseline.seed;
        out->settings.critic = record->of.baseline.critic;
        out->settings.evaluation.prompts = record->of.baseline.prompts;
        out->settings.evaluation.gd_steps = record->of.baseline.gd_steps;
        out->predictor = record->of.baseline.predictor;
    }
}

/* Takes the record. */
static Status add_witness(Inquiry *inquiry, const RecordPlace *place, Record *record, Error *err) {
    Explanation *out = inquiry->out;
    Witness *more = realloc(out->witnesses, ((size_t)out->n_witnesses + 1) * sizeof *more);
    if (more == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the records of an id");
    out->witnesses = more;
    Witness *witness = &out->witnesses[out->n_witnesses];
    *witness = (Witness){.path = strdup(place->path),
                         .run = strdup(place->segment),
                         .command_line = strdup(inquiry->header.command_line),
                         .offset = place->offset,
                         .started_unix_ms = inquiry->header.started_unix_ms,
                         .record = *record};
    *record = (Record){0};
    out->n_witnesses++;
    if (witness->path == NULL || witness->run == NULL || witness->command_line == NULL)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the records of an id");
    if (witness->record.kind != RECORD_MODEL) {
        take_settings(out, &witness->record);
        return STATUS_OK;
    }
    free(witness->record.of.model.parameters);
    witness->record.of.model.parameters = NULL;
    return STATUS_OK;
}

/* Keeps the records of the id, and what the runs say of themselves. */
static Status collect(void *context, const RecordPlace *place, Record *record, Error *err) {
    Inquiry *inquiry = context;
    Explanation *out = inquiry->out;
    if (record->kind == RECORD_HEADER) {
        Record old = {.kind = RECORD_HEADER, .of.header = inquiry->header};
        record_free(&old);
        inquiry->header = record->of.header;
        *record = (Record){0};
        if (strcmp(inquiry->header.content, "models") == 0) return STATUS_OK;
        snprintf(inquiry->last_run, sizeof inquiry->last_run, "%s", place->segment);
        inquiry->end_reason[0] = '\0';
        if (segment_is_alive(inquiry->dir, place->segment))
            snprintf(inquiry->live_run, sizeof inquiry->live_run, "%s", place->segment);
    } else if (record->kind == RECORD_END && strcmp(inquiry->header.content, "models") != 0) {
        snprintf(inquiry->end_reason, sizeof inquiry->end_reason, "%s", record->of.end.reason);
    } else if (record_has_id(record)) {
        if (record->kind == RECORD_CELL && out->kind == RECORD_TRAINING &&
            id_equal(record->of.cell.training_id, out->id)) {
            Status status = id_table_reserve(&inquiry->cells, 1, err);
            if (status != STATUS_OK) return status;
            id_table_note_result(&inquiry->cells, record);
            status = rounds_seen_add(&inquiry->rounds, &record->of.cell, err);
            if (status != STATUS_OK) return status;
        }
        if (id_equal(record_id(record), out->id)) return add_witness(inquiry, place, record, err);
    }
    return STATUS_OK;
}

/* --- the verdict ------------------------------------------------------------------------------------------------ */

/* The record that every reader takes: the last, but no failure after a result. */
static int find_deciding(const Explanation *out) {
    int deciding = -1;
    for (int i = 0; i < out->n_witnesses; i++) {
        const Record *record = &out->witnesses[i].record;
        if (record->kind == RECORD_MODEL) continue;
        bool hidden =
            deciding >= 0 && record_is_failure(record) && !record_is_failure(&out->witnesses[deciding].record);
        if (!hidden) deciding = i;
    }
    return deciding;
}

static void say_recorded(Explanation *out) {
    const Record *record = &out->witnesses[out->deciding].record;
    out->state = "done";
    snprintf(out->why, sizeof out->why, "measured");
    if (record->kind != RECORD_TRAINING && record_is_failure(record)) {
        out->state = "failed";
        snprintf(out->why, sizeof out->why, "%s; run --rerun failed does it again",
                 record->kind == RECORD_CELL ? record->of.cell.failure : record->of.baseline.failure);
    }
    if (record->kind != RECORD_TRAINING) return;
    const TrainingRecord *training = &record->of.training;
    switch (training->outcome) {
    case OUTCOME_DONE:
        snprintf(out->why, sizeof out->why, "trained for %" PRId64 " steps, final loss %.6g", training->steps_done,
                 training->final_loss);
        break;
    case OUTCOME_DIVERGED:
        out->state = "diverged";
        snprintf(out->why, sizeof out->why, "%s: a result, not done again (unless with run --rerun all)",
                 training->reason);
        break;
    case OUTCOME_FAILED:
        out->state = "failed";
        snprintf(out->why, sizeof out->why, "%s, at attempt %d; run --rerun failed does it again", training->reason,
                 (int)training->attempts);
        break;
    }
}

/* Why what the job asks for is in no record. */
static void say_pending(const Inquiry *inquiry) {
    Explanation *out = inquiry->out;
    const char *run = inquiry->last_run, *reason = inquiry->end_reason;
    out->state = "pending";
    int used = snprintf(out->why, sizeof out->why, "the job asks for it, and no record has it");
    char *more = out->why + used;
    size_t left = sizeof out->why - (size_t)used;
    if (run[0] == '\0')
        snprintf(more, left, ": no run was here yet");
    else if (inquiry->live_run[0] != '\0')
        snprintf(more, left, ": run %s is going on", inquiry->live_run);
    else if (reason[0] == '\0')
        snprintf(more, left, ": run %s died before it came to it or while it was at it", run);
    else if (strcmp(reason, "limit") == 0)
        snprintf(more, left, ": run %s stopped at its --limit, which it is beyond", run);
    else if (strcmp(reason, "done") == 0 || strcmp(reason, "merged") == 0)
        snprintf(more, left, ": run %s (%s) did not ask for it, or it failed without a record", run, reason);
    else
        snprintf(more, left, ": run %s ended before: %s", run, reason);
}

/* A cell that no record has: one with more rounds answers it, or its training has no model to measure. */
static Status say_of_training(const Inquiry *inquiry, Error *err) {
    static const char *const outcomes[] = {"", "", "diverged", "failed"};
    Explanation *out = inquiry->out;
    Journal *journal;
    char warning[256];
    Status status = journal_open_reader(inquiry->dir, &journal, warning, sizeof warning, err);
    if (status != STATUS_OK) return status;
    TrainingState state = journal_training(journal, out->training_id);
    ResultState result =
        journal_cell(journal, out->training_id, &out->settings.critic, &out->settings.evaluation, NULL);
    if (result == RESULT_MEASURED) {
        out->state = "done";
        snprintf(out->why, sizeof out->why, "measured: a cell of the same training and critic with more rounds has it");
    } else if (state == TRAINING_DIVERGED || state == TRAINING_FAILED) {
        char id[ID_TEXT_BYTES];
        out->state = "skipped";
        snprintf(out->why, sizeof out->why, "its training %s %s: there is no model to measure",
                 id_text(out->training_id, id), outcomes[state]);
    }
    journal_close(journal, NULL, NULL);
    return STATUS_OK;
}

static Status find_verdict(const Inquiry *inquiry, Error *err) {
    Explanation *out = inquiry->out;
    out->deciding = find_deciding(out);
    out->model = -1;
    for (int i = 0; i < out->n_witnesses; i++)
        if (out->witnesses[i].record.kind == RECORD_MODEL) out->model = i; /* the last one counts */
    if (out->deciding >= 0) {
        if (out->kind == RECORD_CELL) out->training_id = out->witnesses[out->deciding].record.of.cell.training_id;
        say_recorded(out);
        return STATUS_OK;
    }
    if (!out->asked_for) { /* not in the records, so it is the job that knows it */
        out->state = "skipped";
        snprintf(out->why, sizeof out->why, "mapping %d of the job's exclude leaves it out", inquiry->exclusion);
        return STATUS_OK;
    }
    say_pending(inquiry);
    return out->kind == RECORD_CELL ? say_of_training(inquiry, err) : STATUS_OK;
}

/* Of a training: the cells that the job asks for, and those that are measured. */
static void count_cells(Inquiry *inquiry) {
    Explanation *out = inquiry->out;
    bool asked = out->asked_for && out->kind == RECORD_TRAINING;
    out->cells_asked = asked ? job_critics(inquiry->asking) : 0;
    for (int i = 0; i < out->cells_asked; i++) {
        CriticSettings critic = job_critic(inquiry->asking, i);
        EvaluationSettings evaluation = job_evaluation(inquiry->asking);
        const IdEntry *entry = measured_cell(&inquiry->cells, &inquiry->rounds, out->id, &critic, &evaluation);
        out->cells_measured += entry != NULL && entry->result;
    }
    for (size_t i = 0; i < inquiry->cells.capacity; i++)
        out->cells_other += inquiry->cells.entries[i].used && inquiry->cells.entries[i].result;
    out->cells_other = out->cells_other > out->cells_measured ? out->cells_other - out->cells_measured : 0;
}

static Status find_checkpoint(Inquiry *inquiry, Error *err) {
    char path[PATH_MAX], text[ID_TEXT_BYTES];
    Explanation *out = inquiry->out;
    snprintf(path, sizeof path, "%s/checkpoints/%s", inquiry->dir, id_text(out->id, text));
    if (out->kind != RECORD_TRAINING || access(path, F_OK) != 0) return STATUS_OK;
    Status status = checkpoint_file_step(path, out->id, &out->checkpoint_step, err);
    if (status == STATUS_NO_MEMORY) return status; /* one that is not whole is of step 0: it will be passed over */
    out->checkpoint = strdup(path);
    return out->checkpoint != NULL ? STATUS_OK
                                   : error_set(err, STATUS_NO_MEMORY, "no memory for the path of a checkpoint");
}

static void walk_jobs(Inquiry *inquiry, bool ended) {
    for (int i = 0; i < inquiry->jobs->count; i++)
        walk_job(inquiry, inquiry->jobs->items[i], ended);
}

Status explain_id(const char *dir, const JobList *jobs, const char *digits, Explanation *out, char *warning,
                  size_t warning_bytes, Error *err) {
    Inquiry inquiry = {.dir = dir, .jobs = jobs, .out = out};
    *out = (Explanation){.settings = settings_default(), .job_known = jobs->count > 0, .deciding = -1, .model = -1};
    warning[0] = '\0';
    Status status = id_search_begin(digits, &inquiry.search, err);
    if (status == STATUS_OK) status = journal_read(dir, offer_record, &inquiry, warning, warning_bytes, err);
    if (status == STATUS_OK) walk_jobs(&inquiry, false);
    if (status == STATUS_OK) status = id_search_end(&inquiry.search, dir, &out->id, err);
    if (status != STATUS_OK) return status;
    out->kind = inquiry.search.kind;
    if (out->kind == RECORD_TRAINING) out->training_id = out->id;
    walk_jobs(&inquiry, true);
    status = journal_visit(dir, collect, &inquiry, warning, warning_bytes, err);
    Record header = {.kind = RECORD_HEADER, .of.header = inquiry.header};
    record_free(&header);
    count_cells(&inquiry);
    id_table_free(&inquiry.cells);
    rounds_seen_free(&inquiry.rounds);
    if (status == STATUS_OK) status = find_verdict(&inquiry, err);
    if (status == STATUS_OK) status = find_checkpoint(&inquiry, err);
    if (status != STATUS_OK) explanation_free(out);
    return status;
}

void explanation_free(Explanation *explanation) {
    for (int i = 0; i < explanation->n_witnesses; i++) {
        Witness *witness = &explanation->witnesses[i];
        free(witness->path);
        free(witness->run);
        free(witness->command_line);
        record_free(&witness->record);
    }
    free(explanation->witnesses);
    free(explanation->checkpoint);
    *explanation = (Explanation){0};
}
