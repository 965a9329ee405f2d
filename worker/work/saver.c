/* See saver.h. */
#include "worker/work/saver.h"

#include "proto/base/clock.h"
#include "proto/wire/checkpoint_file.h"
#include "worker/train/train.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool has_file(const Saver *saver) {
    return saver->item->kind == WORK_TRAINING && saver->item->checkpoint != NULL && saver->item->checkpoint[0] != '\0';
}

void saver_start(Saver *saver, const WorkItem *item, const char *fingerprint) {
    *saver =
        (Saver){.item = item, .fingerprint = fingerprint, .start_s = clock_monotonic_s(), .start_cpu_s = clock_cpu_s()};
    saver->last_s = saver->start_s;
}

/* Whether a whole checkpoint of this training can be gone on from here. */
static Status check_use(const Saver *saver, const CheckpointRecord *from, Error *err) {
    if (strcmp(from->fingerprint, saver->fingerprint) != 0)
        return error_set(err, STATUS_DATA, "%s: was computed with '%s', this process computes with '%s'",
                         saver->item->checkpoint, from->fingerprint, saver->fingerprint);
    if (!train_state_fits(&saver->item->spec, &from->state))
        return error_set(err, STATUS_DATA, "%s: does not fit the training's settings", saver->item->checkpoint);
    return STATUS_OK;
}

bool saver_load(Saver *saver, CheckpointRecord *from) {
    Record record = {.kind = RECORD_CHECKPOINT};
    bool exists;
    Error err = {""};
    if (!has_file(saver)) return false;
    Status status =
        checkpoint_file_read(saver->item->checkpoint, saver->item->training_id, &exists, &record.of.checkpoint, &err);
    if (status == STATUS_OK && !exists) return false;
    if (status == STATUS_OK) {
        status = check_use(saver, &record.of.checkpoint, &err);
        if (status != STATUS_OK) record_free(&record);
    }
    if (status != STATUS_OK) {
        snprintf(saver->notice, sizeof saver->notice, "a training begins anew, its checkpoint cannot be used: %.400s",
                 err.text);
        return false;
    }
    *from = record.of.checkpoint;
    saver->first_step = saver->saved_step = from->state.step;
    saver->wall_s = from->wall_s;
    saver->cpu_s = from->cpu_s;
    return true;
}

bool saver_due(const Saver *saver) {
    return has_file(saver) && clock_monotonic_s() - saver->last_s >= saver->item->checkpoint_every_s;
}

void saver_times(const Saver *saver, double *wall_s, double *cpu_s) {
    bool done = saver->finished.step > 0;
    *wall_s = saver->wall_s + (done ? 0 : clock_monotonic_s() - saver->start_s);
    *cpu_s = saver->cpu_s + (done ? 0 : clock_cpu_s() - saver->start_cpu_s);
}

/* Makes the folder of a file that is missing: another run that found it empty may have removed it. */
static bool make_folder(const char *path) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return false;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    return mkdir(folder, 0777) == 0;
}

void saver_save(Saver *saver, const TrainState *state) {
    if (!has_file(saver) || state->step == saver->saved_step) return;
    CheckpointRecord checkpoint = {.training_id = saver->item->training_id,
                                   .spec = saver->item->spec,
                                   .fingerprint = (char *)saver->fingerprint,
                                   .state = *state};
    Error err = {""};
    saver_times(saver, &checkpoint.wall_s, &checkpoint.cpu_s);
    Status status = checkpoint_file_write(saver->item->checkpoint, &checkpoint, &err);
    if (status == STATUS_IO && make_folder(saver->item->checkpoint))
        status = checkpoint_file_write(saver->item->checkpoint, &checkpoint, &err);
    saver->last_s = clock_monotonic_s();
    if (status == STATUS_OK) {
        saver->saved_step = state->step;
    } else if (!saver->failure_told) {
        saver->failure_told = true;
        snprintf(saver->notice, sizeof saver->notice, "a checkpoint cannot be saved, its training goes on: %.400s",
                 err.text);
    }
}

void saver_finish(Saver *saver, const TrainState *state) {
    saver_times(saver, &saver->wall_s, &saver->cpu_s);
    saver->finished = *state;
    saver->finished.n_moments = 0;
    saver->finished.m = saver->finished.v = NULL;
}

void saver_save_finished(Saver *saver) {
    if (saver->finished.step > 0) saver_save(saver, &saver->finished);
}
