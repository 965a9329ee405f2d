/* How fast is the coordinator? A grid of no-op trainings through schedule, protobuf, MPI and journal.
 *
 *     mpirun -n 2 bench_dispatch [TRAININGS]        default 1000000
 *
 * Every rank answers each training at once with a training record and a cell, as a child would; nothing is trained.
 * Prints trainings a second, rank 0's memory at a tenth of the way and at the end, and the number of files made. */
#include "coordinator/dispatch/dispatch.h"
#include "proto/wire/codec.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PLACES = 64 };

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void check(Status status, const Error *err) {
    if (status == STATUS_OK) return;
    fprintf(stderr, "bench_dispatch: %s\n", err->text);
    exit((int)status);
}

static double peak_mb(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static void silent(void *context, const char *text) {}

/* What a child would have found. */
static Status answer(Channel *channel, const WorkItem *item, Error *err) {
    double undefined[METRIC_COUNT * 3] = {0};
    Record records[2] = {
        {.kind = RECORD_TRAINING, .of.training = {.training_id = item->training_id, .spec = item->spec, .attempts = 1}},
        {.kind = RECORD_CELL,
         .of.cell = {.cell_id = item->orders[0].id,
                     .training_id = item->training_id,
                     .critic = item->orders[0].critic,
                     .prompts = item->evaluation.prompts,
                     .curves = {.n_points = 3, .value = undefined, .standard_error = undefined}}}};
    Message done = {.kind = MESSAGE_DONE, .of.done = {.work = item->work, .n_records = 2, .records = records}};
    return channel_send_message(channel, 0, INBOX_COORDINATOR, &done, err);
}

/* Answers what has come; false after the coordinator's stop. */
static bool serve(Channel *channel, bool *moved) {
    for (;;) {
        bool received;
        int from;
        Bytes bytes;
        Message message;
        Error err;
        check(channel_receive(channel, INBOX_AGENT, &received, &from, &bytes, &err), &err);
        if (!received) return true;
        *moved = true;
        check(message_decode(bytes.data, bytes.size, &message, &err), &err);
        bytes_free(&bytes);
        bool stop = message.kind == MESSAGE_STOP;
        if (message.kind == MESSAGE_WORK) check(answer(channel, &message.of.work, &err), &err);
        message_free(&message);
        if (stop) return false;
    }
}

static int count_files(const char *dir) {
    int count = 0;
    DIR *folder = opendir(dir);
    for (struct dirent *entry = folder != NULL ? readdir(folder) : NULL; entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    if (folder != NULL) closedir(folder);
    return count;
}

static void coordinate(Channel *channel, const char *trainings) {
    char dir[] = "/tmp/palinode-bench-XXXXXX", count[64], remove[128], warning[256];
    const char *overrides[] = {count,           "model.n_layer=1",      "model.n_head=1", "model.n_embd=1",
                               "train.steps=1", "evaluate.baselines=[]"};
    Record header = {.kind = RECORD_HEADER, .of.header = {.schema = SCHEMA_VERSION, .content = "records"}};
    Error err = {{0}};
    Job *job;
    Journal *journal;
    CostModel *costs;
    Schedule *schedule;
    Dispatch *dispatch;
    Roster roster;
    snprintf(count, sizeof count, "seeds.count=%s", trainings);
    if (mkdtemp(dir) == NULL) exit(STATUS_IO);
    check(job_parse("bench", "{}", overrides, sizeof overrides / sizeof overrides[0], &job, &err), &err);
    check(roster_collect(channel, &roster, &err), &err);
    check(journal_open(dir, &header, 0, &journal, warning, sizeof warning, &err), &err);
    double start_s = seconds();
    check(cost_model_create(&costs, &err), &err);
    check(schedule_create(job, journal, costs, &(ScheduleOptions){.retries = 1, .kernels = ""}, &schedule, &err), &err);
    double counted_s = seconds() - start_s;
    check(dispatch_create(channel, &roster, schedule, journal, costs, NULL,
                          &(DispatchOptions){.max_failures = -1, .deadline = deadline_after(0, INFINITY)}, silent, NULL,
                          &dispatch, &err),
          &err);
    double total = (double)job_trainings(job), early_mb = 0;
    bool serving = true, moved;
    start_s = seconds();
    while (serving) {
        RunView view;
        check(dispatch_step(dispatch, seconds(), &moved, &err), &err);
        serving = serve(channel, &moved);
        dispatch_view(dispatch, seconds(), &view);
        if (early_mb == 0 && (double)view.work_done > total / 10) early_mb = peak_mb();
    }
    check(dispatch_step(dispatch, seconds(), &moved, &err), &err);
    Record end = {.kind = RECORD_END};
    dispatch_end_record(dispatch, &end.of.end);
    check(journal_close(journal, &end, &err), &err);
    double elapsed_s = seconds() - start_s;
    printf("%.0f no-op trainings on %d ranks: %.1f s, %.0f a second (counted before in %.2f s)\n", total,
           channel_size(channel), elapsed_s, total / elapsed_s, counted_s);
    printf("memory of rank 0: %.1f MB after a tenth, %.1f MB at the end; files: %d\n", early_mb, peak_mb(),
           count_files(dir));
    dispatch_free(dispatch);
    schedule_free(schedule);
    cost_model_free(costs);
    roster_free(&roster);
    job_free(job);
    snprintf(remove, sizeof remove, "rm -r %s", dir);
    if (system(remove) != 0) fprintf(stderr, "bench_dispatch: cannot remove %s\n", dir);
}

int main(int argc, char **argv) {
    Channel *channel;
    Error err = {{0}};
    check(channel_open(&channel, &err), &err);
    Message hello = {
        .kind = MESSAGE_HELLO,
        .of.hello = {.rank = channel_rank(channel), .workers = PLACES, .host = "", .cpu = "", .fingerprint = ""}};
    check(channel_send_message(channel, 0, INBOX_COORDINATOR, &hello, &err), &err);
    bool moved;
    if (channel_rank(channel) == 0)
        coordinate(channel, argc > 1 ? argv[1] : "1000000");
    else
        while (serve(channel, &moved))
            ;
    check(channel_close(channel, &err), &err);
    return 0;
}
