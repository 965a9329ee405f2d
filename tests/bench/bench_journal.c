/* How does a folder scale? A journal of no-op trainings, each with its loss curve and one cell, all done.
 *
 *     bench_journal DIR [TRAININGS]        default 1000000
 *
 * Makes DIR with the job in it, then times what run and plan do at their start: the index of what is known, and the
 * count of what is missing; prints times, memory and bytes. DIR stays, for palinode plan, run, status, verify:
 *
 *     palinode plan DIR/job.yaml -o DIR */
#include "coordinator/schedule/schedule.h"
#include "proto/base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { POINTS = 20, LOSSES = 50 };

static void check(Status status, const Error *err) {
    if (status == STATUS_OK) return;
    fprintf(stderr, "bench_journal: %s\n", err->text);
    exit((int)status);
}

static double peak_mb(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

/* What a child would have found. */
static void append_done(Journal *journal, const WorkItem *item, Error *err) {
    double values[METRIC_COUNT * POINTS], loss[LOSSES];
    int64_t steps[LOSSES];
    for (int i = 0; i < METRIC_COUNT * POINTS; i++)
        values[i] = i + 0.1;
    for (int i = 0; i < LOSSES; i++) {
        steps[i] = 60 * (i + 1);
        loss[i] = 40 + 1.0 / (i + 1);
    }
    char fingerprint[] = "numerics 2; kernels none; a benchmark", host[] = "here";
    Record records[2] = {{.kind = RECORD_TRAINING,
                          .of.training = {.training_id = item->training_id,
                                          .spec = item->spec,
                                          .attempts = 1,
                                          .n_loss = LOSSES,
                                          .loss_step = steps,
                                          .loss = loss,
                                          .fingerprint = fingerprint,
                                          .host = host}},
                         {.kind = RECORD_CELL,
                          .of.cell = {.cell_id = item->orders[0].id,
                                      .training_id = item->training_id,
                                      .critic = item->orders[0].critic,
                                      .prompts = item->evaluation.prompts,
                                      .curves = {.n_points = POINTS, .value = values, .standard_error = values},
                                      .fingerprint = fingerprint}}};
    check(journal_append(journal, records, 2, NULL, err), err);
}

static Schedule *make_schedule(const Job *job, const Journal *journal, CostModel *costs) {
    Schedule *schedule;
    Error err;
    check(schedule_create(job, journal, costs, &(ScheduleOptions){.kernels = "", .keep_models = true}, &schedule, &err),
          &err);
    return schedule;
}

static void fill(const Job *job, const char *dir) {
    Record header = {.kind = RECORD_HEADER, .of.header = {.schema = SCHEMA_VERSION, .content = "records"}};
    Journal *journal;
    CostModel *costs;
    Error err;
    char warning[256];
    bool found = true;
    check(journal_open(dir, &header, 0, &journal, warning, sizeof warning, &err), &err);
    check(cost_model_create(&costs, &err), &err);
    Schedule *schedule = make_schedule(job, journal, costs);
    while (found) {
        Assignment assignment = {0};
        check(schedule_next(schedule, INFINITY, &found, &assignment, &err), &err);
        if (found) {
            append_done(journal, &assignment.item, &err);
            schedule_completed(schedule, assignment.item.work);
        }
        work_item_free(&assignment.item);
    }
    Record end = {.kind = RECORD_END, .of.end = {.reason = "done"}};
    check(journal_close(journal, &end, &err), &err);
    schedule_free(schedule);
    cost_model_free(costs);
}

static void write_job(const char *dir, const char *name, const char *text) {
    char path[4096];
    Error err;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    check(journal_replace_file(path, text, &err), &err);
}

int main(int argc, char **argv) {
    const char *dir = argc > 1 ? argv[1] : "";
    char text[512], path[4096], warning[256];
    Job *job;
    Journal *journal;
    CostModel *costs;
    Error err = {{0}};
    if (dir[0] == '\0' || mkdir(dir, 0777) != 0) {
        fprintf(stderr, "usage: bench_journal NEW-FOLDER [TRAININGS]\n");
        return STATUS_USAGE;
    }
    snprintf(text, sizeof text,
             "name: scale\nmodel: {n_layer: 1, n_head: 1, n_embd: 1}\ntrain: {steps: 1}\n"
             "evaluate: {baselines: []}\nseeds: {first: 0, count: %s}\n",
             argc > 2 ? argv[2] : "1000000");
    check(job_parse("bench", text, NULL, 0, &job, &err), &err);
    double start_s = clock_monotonic_s(), start_cpu_s = clock_cpu_s();
    fill(job, dir);
    char *resolved = job_resolved(job);
    write_job(dir, "job.yaml", text);
    write_job(dir, "job.resolved.yaml", resolved);
    free(resolved);
    struct stat about;
    snprintf(path, sizeof path, "%s/records-0001.tfrecord", dir);
    stat(path, &about);
    printf("%llu trainings, %.0f MB: written in %.1f s (%.1f s of CPU), %.0f MB of memory\n",
           (unsigned long long)job_trainings(job), (double)about.st_size / 1e6, clock_monotonic_s() - start_s,
           clock_cpu_s() - start_cpu_s, peak_mb());
    start_cpu_s = clock_cpu_s();
    check(journal_open_reader(dir, &journal, warning, sizeof warning, &err), &err);
    double indexed_s = clock_cpu_s() - start_cpu_s;
    start_cpu_s = clock_cpu_s();
    check(cost_model_create(&costs, &err), &err);
    Schedule *schedule = make_schedule(job, journal, costs);
    printf("indexed in %.1f s of CPU, counted in %.1f s: %llu done, %llu to do; %.0f MB of memory\n", indexed_s,
           clock_cpu_s() - start_cpu_s, (unsigned long long)schedule_totals(schedule)->trainings_done,
           (unsigned long long)schedule_totals(schedule)->to_train, peak_mb());
    schedule_free(schedule);
    cost_model_free(costs);
    journal_close(journal, NULL, NULL);
    job_free(job);
    return 0;
}
