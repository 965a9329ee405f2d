/* See standing.h. */
#include "coordinator/journal/standing.h"

#include "coordinator/journal/journal.h"
#include "jobs/settings/identity.h"

typedef struct Walk {
    const Job *job;
    const IdTable *ids;
    const RoundsSeen *rounds;
    Standing *out;
    IdTable seen; /* of several jobs: what was counted */
    bool many_jobs;
    EvaluationSettings evaluation;
    IdTable baseline_sets; /* of this seed, seen so far: seeds vary slowest */
    uint32_t seed;
} Walk;

/* Adds an id to a set; *is_new tells whether it was not in it. */
static Status meet(IdTable *set, Id id, bool *is_new, Error *err) {
    *is_new = id_table_find(set, id) == NULL;
    if (!*is_new) return STATUS_OK;
    Status status = id_table_reserve(set, 1, err);
    if (status == STATUS_OK) id_table_add(set, id);
    return status;
}

/* Whether an id is asked for the first time. */
static Status first_time(Walk *walk, Id id, bool *first, Error *err) {
    *first = true;
    return walk->many_jobs ? meet(&walk->seen, id, first, err) : STATUS_OK;
}

/* Counts in *missing or *failed what has no result in the records: entry is what is known under the id. */
static Status count_result(Walk *walk, Id id, const IdEntry *entry, int64_t *missing, int64_t *failed, Error *err) {
    if (entry != NULL && entry->result) return STATUS_OK;
    bool first;
    Status status = first_time(walk, id, &first, err);
    if (status == STATUS_OK && first) ++*(entry != NULL && entry->result_failed ? failed : missing);
    return status;
}

static Status count_cells(Walk *walk, Id training, Error *err) {
    Status status = STATUS_OK;
    for (int i = 0; i < job_critics(walk->job) && status == STATUS_OK; i++) {
        CriticSettings critic = job_critic(walk->job, i);
        Id id = cell_id(training, &critic, &walk->evaluation);
        const IdEntry *entry = measured_cell(walk->ids, walk->rounds, training, &critic, &walk->evaluation);
        status = count_result(walk, id, entry, &walk->out->cells_missing, &walk->out->cells_failed, err);
    }
    return status;
}

static Status count_training(Walk *walk, const TrainingSpec *spec, Error *err) {
    Id id = training_id(spec);
    const IdEntry *entry = id_table_find(walk->ids, id);
    TrainingState state = entry != NULL ? (TrainingState)entry->training : TRAINING_UNKNOWN;
    bool first;
    Status status = first_time(walk, id, &first, err);
    if (status == STATUS_OK && first) {
        walk->out->trainings++;
        walk->out->done += state == TRAINING_DONE;
        walk->out->diverged += state == TRAINING_DIVERGED;
        walk->out->failed += state == TRAINING_FAILED;
    }
    return status == STATUS_OK && state == TRAINING_DONE ? count_cells(walk, id, err) : status;
}

/* The baselines of a (task, seed) are met once for all trainings that share it. */
static Status count_baselines(Walk *walk, const TrainingSpec *spec, Error *err) {
    if (walk->evaluation.baselines == 0) return STATUS_OK;
    if (walk->seed != spec->seed) id_table_free(&walk->baseline_sets);
    walk->seed = spec->seed;
    bool first;
    Id set = baseline_id(&spec->task, spec->seed, &(CriticSettings){0}, &walk->evaluation, PREDICTOR_MEAN);
    Status status = meet(&walk->baseline_sets, set, &first, err);
    for (int i = 0; i < job_critics(walk->job) && first; i++)
        for (Predictor predictor = PREDICTOR_GD; predictor < PREDICTOR_COUNT && status == STATUS_OK; predictor++) {
            if (!(walk->evaluation.baselines >> predictor & 1)) continue;
            CriticSettings critic = job_critic(walk->job, i);
            Id id = baseline_id(&spec->task, spec->seed, &critic, &walk->evaluation, predictor);
            status = count_result(walk, id, id_table_find(walk->ids, id), &walk->out->baselines_missing,
                                  &walk->out->baselines_failed, err);
        }
    return status;
}

static Status count_job(Walk *walk, const Job *job, Error *err) {
    Status status = STATUS_OK;
    walk->job = job;
    walk->evaluation = job_evaluation(job);
    for (uint64_t point = 0; point < job_grid_points(job) && status == STATUS_OK; point++) {
        TrainingSpec spec;
        if (!job_training(job, point, &spec)) continue;
        status = count_training(walk, &spec, err);
        if (status == STATUS_OK) status = count_baselines(walk, &spec, err);
    }
    id_table_free(&walk->baseline_sets);
    return status;
}

Status standing_take(const JobList *jobs, const IdTable *ids, const RoundsSeen *rounds, Standing *out, Error *err) {
    *out = (Standing){.jobs = jobs->count};
    Walk walk = {.ids = ids, .rounds = rounds, .out = out, .many_jobs = jobs->count > 1};
    Status status = STATUS_OK;
    for (int i = 0; i < jobs->count && status == STATUS_OK; i++)
        status = count_job(&walk, jobs->items[i], err);
    id_table_free(&walk.seen);
    return status;
}
