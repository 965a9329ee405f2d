/* palinode run: on every rank an agent with its nursery, on rank 0 the coordinator as well, in one loop that never
 * blocks.
 *
 * Order matters at the start: the nursery is forked before MPI_Init; signals are blocked between the two, so that
 * children keep their defaults and no thread of MPI takes a signal that is meant for the loop; until rank 0 makes
 * something a thread of its own looks for them. The job is read on rank 0 alone, and what the ranks need of it comes to
 * them. */
#include "cli/commands/commands.h"
#include "cli/run/agreement.h"
#include "cli/run/mpi_start.h"
#include "cli/run/resume.h"
#include "cli/run/run_folder.h"
#include "cli/run/run_options.h"
#include "cli/run/run_workers.h"
#include "cli/run/sequel.h"
#include "cli/shared/json_output.h"
#include "cli/shared/signals.h"
#include "cli/shared/terminal.h"
#include "cli/shared/warning.h"
#include "coordinator/batch/slurm.h"
#include "coordinator/dispatch/dispatch.h"
#include "coordinator/dispatch/progress.h"
#include "coordinator/dispatch/status_file.h"
#include "coordinator/forecast/rates.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/transport/launcher.h"
#include "worker/kernels/kernels.h"
#include "worker/process/agent.h"
#include "worker/process/trial.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- one run ---------------------------------------------------------------------------------------------------- */

/* What rank 0 tells the others before they start. */
typedef struct Setup {
    Status status; /* not OK: rank 0 could not start */
    int32_t workers;
    char kernels[32];
} Setup;

typedef struct Run {
    RunOptions options;
    int argc;
    char **argv;
    Terminal terminal;
    Channel *channel;
    Nursery *nursery;
    Agent *agent;
    int signals;          /* signalfd */
    SignalGuard *guard;   /* rank 0's, until it makes something */
    double told_to_end_s; /* when the first signal came; 0: none */
    /* rank 0 only */
    Job *job;
    Roster roster;
    Journal *journal;
    CostModel *costs;
    Unfinished *unfinished;
    Schedule *schedule;
    Dispatch *dispatch;
    char dir[PATH_MAX - 64]; /* room for names of files in it */
    char segment[24];
    int64_t started_unix_ms;
    double started_s;
    RunBefore before;
    Status result; /* when it has ended */
    double last_status_s, last_live_s;
    ProgressPace pace;
} Run;

static void notice(void *context, const char *text) {
    terminal_say(&((Run *)context)->terminal, text);
}

/* How long children may take to save. mpirun answers TERM, INT and HUP by a SIGTERM to its ranks and, odls's timeout
 * later (1 s unless set), by SIGKILL; elsewhere a batch system or a user waits longer. */
static double grace_s(int signal_number) {
    static const double USUAL_S = 20, MPIRUN_S = 1, LAST_WORDS_S = 0.4; /* for end record and status file */
    if (!launcher_is_mpirun() || signal_number == SIGUSR1) return USUAL_S;
    const char *set = getenv("OMPI_MCA_odls_base_sigkill_timeout");
    double limit_s = set != NULL ? strtod(set, NULL) : MPIRUN_S;
    return limit_s > LAST_WORDS_S ? fmin(limit_s - LAST_WORDS_S, USUAL_S) : 0;
}

/* Rank 0 decides for all what a signal means; other ranks tell it. The first has all trainings saved; a second ^C, not
 * one signal delivered twice, ends what runs at once, and one that comes even later ends this rank. */
static Status take_signal(Run *run, int number, double now_s, Error *err) {
    bool first = run->told_to_end_s == 0, again = !first && number == SIGINT && now_s - run->told_to_end_s > 0.3;
    if (first || again) run->told_to_end_s = now_s;
    if (run->dispatch == NULL) {
        if (again) return error_set(err, STATUS_INCOMPLETE, "interrupted twice: ended at once");
        Message stop = {.kind = MESSAGE_STOP};
        return first ? channel_send_message(run->channel, 0, INBOX_COORDINATOR, &stop, err) : STATUS_OK;
    }
    if (again && dispatch_stopping(run->dispatch))
        return error_set(err, STATUS_INCOMPLETE, "interrupted again: ended at once");
    if (again) {
        terminal_say(&run->terminal, "interrupted twice: stopping at once");
        return dispatch_stop(run->dispatch, "interrupted", err);
    }
    if (!dispatch_ending(run->dispatch)) {
        char text[160];
        snprintf(text, sizeof text, "%s: saving what runs and stopping; the same command goes on from here",
                 strsignal(number));
        terminal_say(&run->terminal, text);
    }
    return dispatch_drain(run->dispatch, "interrupted", now_s + grace_s(number), err);
}

static Status take_signals(Run *run, double now_s, bool *moved, Error *err) {
    int number;
    while ((number = signals_take(run->signals)) != 0) {
        *moved = true;
        Status status = take_signal(run, number, now_s, err);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* Before rank 0 has made anything, a signal simply ends it, wherever it is. */
static void end_early(void *context, int number) {
    Run *run = context;
    char text[160];
    mpi_start_forget();
    snprintf(text, sizeof text, "%s: ended before anything was begun; the same command begins again",
             strsignal(number));
    terminal_say(&run->terminal, text);
    sequel_begin(&run->options, &run->terminal);
    sequel_end(&run->options, STATUS_INCOMPLETE, &run->terminal);
    _exit(STATUS_INCOMPLETE);
}

/* From here on signals are the loop's. */
static void end_guard(Run *run) {
    signal_guard_end(run->guard);
    run->guard = NULL;
}

/* --- rank 0: from the job file to a dispatch -------------------------------------------------------------------- */

/* A banner for the log of a batch job, which all its runs append to. */
static void announce_batch_job(Run *run, uint64_t done, uint64_t total) {
    SlurmJob job;
    char text[256];
    if (!slurm_job(&job)) return;
    snprintf(text, sizeof text, "===== Slurm job %s, restart %d: %llu of %llu trainings done =====", job.name,
             job.restarts, (unsigned long long)done, (unsigned long long)total);
    terminal_say(&run->terminal, text);
}

/* "24 trainings: 7 done before, 17 to do with 2 workers on 1 rank; results in DIR" */
static void announce(Run *run) {
    const ScheduleTotals *totals = schedule_totals(run->schedule);
    char text[sizeof run->dir + 256], extra[128] = "";
    uint64_t before = totals->trainings_done + totals->trainings_diverged;
    announce_batch_job(run, before, totals->trainings);
    if (totals->to_evaluate > 0)
        snprintf(extra, sizeof extra, ", %llu kept model%s to evaluate", (unsigned long long)totals->to_evaluate,
                 totals->to_evaluate == 1 ? "" : "s");
    snprintf(text, sizeof text,
             "%s: %llu training%s, %llu done before, %llu to train%s, on %d rank%s with %d worker%s; results in %s",
             job_name(run->job), (unsigned long long)totals->trainings, totals->trainings == 1 ? "" : "s",
             (unsigned long long)before, (unsigned long long)totals->to_train, extra, run->roster.n_ranks,
             run->roster.n_ranks == 1 ? "" : "s", run->roster.n_workers, run->roster.n_workers == 1 ? "" : "s",
             run->dir);
    if (!run->options.quiet) terminal_say(&run->terminal, text);
    int odd = roster_odd_rank(&run->roster);
    if (odd < 0) return;
    snprintf(text, sizeof text,
             "rank %d on %s computes with '%s', rank 0 with '%s': results need not agree to the bit (--kernels pins "
             "one path for all)",
             odd, run->roster.ranks[odd].host, run->roster.ranks[odd].fingerprint, run->roster.ranks[0].fingerprint);
    terminal_say(&run->terminal, text);
}

/* Children of any rank get the folder's full path. */
static Status open_unfinished(Run *run, Error *err) {
    char path[PATH_MAX];
    if (realpath(run->dir, path) == NULL)
        return error_set(err, STATUS_IO, "%s: cannot resolve the path: %s", run->dir, strerror(errno));
    return unfinished_open(path, &run->unfinished, err);
}

/* Tells what has changed since the folder's last run, and asks where equal bits are no longer promised. */
static Status check_resume(Run *run, Error *err) {
    const ScheduleTotals *totals = schedule_totals(run->schedule);
    char text[1280];
    Status status = resume_job_changes(run->dir, run->job, text, sizeof text, err);
    if (status != STATUS_OK) return status;
    if (text[0] != '\0' && !run->options.quiet) terminal_say(&run->terminal, text);
    bool work = totals->to_train + totals->to_evaluate + totals->baseline_sets > 0;
    if (!work) return STATUS_OK;
    Error change;
    status = resume_check_numerics(run->dir, run->journal, &run->roster, run->options.kernels, &change);
    if (status == STATUS_OK) return status;
    if (status != STATUS_DATA || !run->options.allow_numerics_change) return error_set(err, status, "%s", change.text);
    terminal_say(&run->terminal,
                 "--allow-numerics-change: results of different numerics in one folder; palinode export "
                 "tells them apart by fingerprint");
    return STATUS_OK;
}

/* The time limit is the user's, else the batch job's. */
static Deadline find_deadline(Run *run) {
    SlurmJob job;
    Error why;
    double now_s = clock_monotonic_s(), left_s = INFINITY;
    if (!isnan(run->options.time_limit_s)) return deadline_after(run->started_s, run->options.time_limit_s);
    if (slurm_job(&job) && slurm_time_left(&job, &left_s, &why) != STATUS_OK) {
        char text[sizeof why.text + 128];
        snprintf(text, sizeof text, "the time limit of job %s is not known (--time-limit gives one): %s", job.name,
                 why.text);
        terminal_say(&run->terminal, text);
        left_s = INFINITY;
    }
    return deadline_after(now_s, isnan(left_s) ? INFINITY : left_s);
}

/* The status file as of now; exit_code -1: the run goes on. One that has nothing to do has none. */
static Status write_status(const Run *run, const RunView *view, int exit_code, Error *err) {
    if (run->segment[0] == '\0') return STATUS_OK;
    return status_file_write(run->dir, run->segment, view, run->started_unix_ms, exit_code, err);
}

/* The folder is this run's once its status file says that it lives and no other run was there before. */
static Status claim(Run *run, Error *err) {
    RunView view;
    dispatch_view(run->dispatch, clock_monotonic_s(), &view);
    Status status = write_status(run, &view, -1, err);
    if (status == STATUS_OK) status = run_folder_claim(run->dir, run->segment, run->options.shard, err);
    if (status != STATUS_INCOMPLETE) return status;
    journal_close(run->journal, NULL, NULL);
    run->journal = NULL;
    dispatch_free(run->dispatch); /* so that nothing more is written there */
    run->dispatch = NULL;
    return status;
}

/* Makes what a run leaves in its folder: a segment, unless it will do nothing and the folder says so already. */
static Status begin(Run *run, const RunOrigin *origin, Error *err) {
    const ScheduleTotals *totals = schedule_totals(run->schedule);
    uint64_t models_limit_bytes = (uint64_t)(run->options.models_limit_gib * 0x1p30);
    if (totals->to_train + totals->to_evaluate + totals->baseline_sets == 0) {
        Status status = run_folder_write_job(run->dir, run->job, err);
        Status result = totals->trainings_failed + totals->results_failed > 0 ? STATUS_FAILED : STATUS_OK;
        if (status != STATUS_OK || run_folder_says(run->dir, result)) return status;
    }
    Status status = run_folder_begin(run->dir, origin, models_limit_bytes, run->journal, err);
    if (status == STATUS_OK) snprintf(run->segment, sizeof run->segment, "%s", journal_segment(run->journal));
    return status;
}

static Status start_coordinator(Run *run, Error *err) {
    const RunOptions *options = &run->options;
    ScheduleOptions plan = {.retries = (int)options->retries,
                            .rerun = strcmp(options->rerun, "all") == 0      ? RERUN_ALL
                                     : strcmp(options->rerun, "failed") == 0 ? RERUN_FAILED
                                                                             : RERUN_MISSING,
                            .limit = (uint64_t)options->limit,
                            .keep_models = strcmp(options->models, "keep") == 0,
                            .kernels = options->kernels,
                            .shard = options->shard};
    DispatchOptions dispatching = {.max_failures = options->max_failures,
                                   .checkpoint_every_s = options->checkpoint_every_s,
                                   .deadline = find_deadline(run)};
    Status status = roster_collect(run->channel, &run->roster, err);
    RunOrigin origin = {.argc = run->argc,
                        .argv = run->argv,
                        .mpi = channel_library(run->channel),
                        .roster = &run->roster,
                        .job = run->job,
                        .shard = options->shard,
                        .started_unix_ms = run->started_unix_ms};
    if (status == STATUS_OK)
        status = run_folder_read(run->dir, run->job, options->shard, &run->journal, &run->before, err);
    if (status == STATUS_OK) status = open_unfinished(run, err);
    if (status == STATUS_OK) status = cost_model_create(&run->costs, err);
    plan.workers = run->roster.n_workers;
    plan.unfinished = run->unfinished;
    if (status == STATUS_OK) status = rates_learn(run->dir, run->costs, &(uint64_t){0}, err);
    if (status == STATUS_OK) status = schedule_create(run->job, run->journal, run->costs, &plan, &run->schedule, err);
    if (status == STATUS_OK) status = check_resume(run, err);
    end_guard(run);
    if (status == STATUS_OK) status = begin(run, &origin, err);
    dispatching.earlier_drain_s = run->before.drain_s;
    if (status == STATUS_OK)
        status = dispatch_create(run->channel, &run->roster, run->schedule, run->journal, run->costs, run->unfinished,
                                 &dispatching, notice, run, &run->dispatch, err);
    if (status == STATUS_OK && run->segment[0] != '\0') status = claim(run, err);
    if (status == STATUS_OK) {
        unfinished_clear_litter(run->unfinished, options->shard.count == 0);
        unfinished_sweep(run->unfinished); /* files of trainings that ended in an earlier run */
        announce(run);
    }
    if (status == STATUS_OK) sequel_begin(options, &run->terminal);
    return status;
}

/* --- the loop --------------------------------------------------------------------------------------------------- */

static Status show(Run *run, double now_s, Error *err) {
    static const double LIVE_PERIOD_S = 0.2, STATUS_PERIOD_S = 2;
    RunView view;
    char text[512];
    if (now_s - run->last_live_s < LIVE_PERIOD_S) return STATUS_OK;
    run->last_live_s = now_s;
    dispatch_view(run->dispatch, now_s, &view);
    if (run->terminal.live) {
        progress_live(&view, run->terminal.columns - 1, text, sizeof text);
        terminal_live(&run->terminal, text);
    } else if (!run->options.quiet && progress_due(&run->pace, &view, now_s)) {
        progress_plain(&view, text, sizeof text);
        terminal_say(&run->terminal, text);
    }
    if (now_s - run->last_status_s < STATUS_PERIOD_S) return STATUS_OK;
    run->last_status_s = now_s;
    return write_status(run, &view, -1, err);
}

/* Until the coordinator has said stop and no child is left. A rank that has nothing to do sleeps, at first for
 * microseconds, then up to 5 ms at a time (under 1 % of a core); a child that speaks wakes it at once. */
static Status loop(Run *run, Error *err) {
    const long SHORTEST_NS = 20000, LONGEST_NS = 5000000;
    long pause_ns = SHORTEST_NS;
    Status status = STATUS_OK;
    while (status == STATUS_OK && !agent_finished(run->agent)) {
        bool moved = false;
        double now_s = clock_monotonic_s();
        status = take_signals(run, now_s, &moved, err);
        if (status == STATUS_OK && run->dispatch != NULL) status = dispatch_step(run->dispatch, now_s, &moved, err);
        if (status == STATUS_OK) status = agent_step(run->agent, &moved, err);
        if (status == STATUS_OK && run->dispatch != NULL) status = show(run, now_s, err);
        if (status == STATUS_OK && !moved) agent_wait(run->agent, pause_ns);
        pause_ns = moved || channel_sending(run->channel) ? SHORTEST_NS
                   : pause_ns * 2 < LONGEST_NS            ? pause_ns * 2
                                                          : LONGEST_NS;
    }
    return status;
}

/* What status-<segment>.json says of an ended run has the same names here. */
static Status print_json(const Run *run, const RunView *view, Error *err) {
    json_t *root = json_pack(
        "{s:o, s:s?, s:i, s:s, s:{s:I, s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I}, s:I, s:I, s:f, s:o}", "dir",
        text_json(run->dir), "segment", run->segment[0] != '\0' ? run->segment : NULL, "exit_code", (int)run->result,
        "reason", view->stop_reason, "trainings", "total", (json_int_t)view->trainings, "done",
        (json_int_t)view->trainings_done, "diverged", (json_int_t)view->trainings_diverged, "failed",
        (json_int_t)view->trainings_failed, "trained", (json_int_t)view->trained, "work", "total",
        (json_int_t)view->work_total, "done", (json_int_t)view->work_done, "failed", (json_int_t)view->work_failed,
        "cells_done", (json_int_t)view->cells_done, "baselines_done", (json_int_t)view->baselines_done, "elapsed_s",
        view->elapsed_s, "first_error", text_json(view->first_error));
    return json_output(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9), err);
}

/* The exit code of the run. Two runs in a row that gain nothing are an error: whoever runs the same command again for
 * as long as it ends with 75 would do so for ever. */
static Status judge(Run *run, const RunView *view) {
    Status result = dispatch_result(run->dispatch);
    bool idle = view->work_done + view->work_failed + (uint64_t)view->steps_done == 0;
    if (result != STATUS_INCOMPLETE || !idle || !run->before.idle) return result;
    bool late = strcmp(view->stop_reason, "deadline") == 0;
    char text[512];
    snprintf(text, sizeof text,
             "like the run before, this one ended (%s) with neither a new result nor a new step, so running it again "
             "would gain nothing: %s",
             view->stop_reason,
             late ? "give it more time (--time-limit, or the batch job's), at least for the longest evaluation or some "
                    "steps of a training (palinode plan shows how long they take)"
                  : "let it run until a training has saved its first steps (--checkpoint-every), and see what ends it");
    terminal_say(&run->terminal, text);
    return STATUS_FAILED;
}

/* The last words of a run: end record, status file, a line for the user. */
static Status finish(Run *run, Error *err) {
    bool moved;
    Record end = {.kind = RECORD_END};
    RunView view;
    char text[4 * sizeof run->dir + 256], dir[4 * sizeof run->dir], so_far[DURATION_BYTES];
    Status status = dispatch_step(run->dispatch, clock_monotonic_s(), &moved, err);
    if (status != STATUS_OK) return status;
    dispatch_end_record(run->dispatch, &end.of.end);
    status = journal_close(run->journal, run->segment[0] != '\0' ? &end : NULL, err);
    run->journal = NULL;
    dispatch_view(run->dispatch, clock_monotonic_s(), &view);
    terminal_clear(&run->terminal);
    run->result = judge(run, &view);
    if (status == STATUS_OK) status = write_status(run, &view, (int)run->result, err);
    if (status != STATUS_OK) return status;
    snprintf(text, sizeof text,
             "%s after %s: %llu of %llu trainings done, %llu diverged, %llu failed; palinode analyze %s shows them",
             view.stop_reason, progress_duration(view.elapsed_s, so_far, sizeof so_far),
             (unsigned long long)view.trainings_done, (unsigned long long)view.trainings,
             (unsigned long long)view.trainings_diverged, (unsigned long long)view.trainings_failed,
             text_word(run->dir, dir, sizeof dir));
    if (!run->options.quiet) terminal_say(&run->terminal, text);
    return run->options.json ? print_json(run, &view, err) : STATUS_OK;
}

/* --- start and end ---------------------------------------------------------------------------------------------- */

static Status choose_dir(Run *run, Error *err) {
    const char *given = run->options.dir;
    int length = snprintf(run->dir, sizeof run->dir, "%s%s", given != NULL ? "" : "results/",
                          given != NULL ? given : job_name(run->job));
    if (length > 0 && length < (int)sizeof run->dir) return STATUS_OK;
    return error_set(err, STATUS_USAGE, "-o: a folder's path of 1 to %zu bytes is expected", sizeof run->dir - 1);
}

/* Rank 0 reads the job and tells all ranks how to start; every rank gets the same Setup. usage: whether this rank's
 * command line could be read, else err says why. */
static Status agree(Run *run, Status usage, Setup *setup, Error *err) {
    Error usage_err = *err;
    *setup = (Setup){.workers = (int32_t)run->options.workers};
    Status status = agree_on_command_line(run->channel, run->argc, run->argv, usage, &usage_err, &setup->status, err);
    if (status != STATUS_OK) return status;
    if (channel_rank(run->channel) == 0 && setup->status == STATUS_OK) {
        const Kernels *unused;
        setup->status =
            job_read(run->options.job, run->options.overrides.items, run->options.overrides.count, &run->job, err);
        if (setup->status == STATUS_OK) print_warnings(job_warnings(run->job));
        if (setup->status == STATUS_OK) setup->status = kernels_select(run->options.kernels, &unused, err);
        if (setup->status == STATUS_OK) setup->status = choose_dir(run, err);
        snprintf(setup->kernels, sizeof setup->kernels, "%s", run->options.kernels);
    }
    Error broadcast_error;
    status = channel_broadcast(run->channel, setup, sizeof *setup, &broadcast_error);
    if (status != STATUS_OK) *err = broadcast_error;
    return status;
}

/* All that has to be done before MPI may start, and its start. */
static Status start(Run *run, Error *err) {
    Status status = nursery_start(trial_main, NULL, &run->nursery, err);
    if (status == STATUS_OK) status = signals_block(&run->signals, err);
    if (status == STATUS_OK && launcher_rank() == 0)
        status = signal_guard_start(run->signals, end_early, run, &run->guard, err);
    if (status == STATUS_OK) status = mpi_start(&run->channel, err);
    /* A reader of messages that went away (| head) is no reason to end; MPI's own helpers keep theirs. */
    signal(SIGPIPE, SIG_IGN);
    return status;
}

static Status run_all(Run *run, Status usage, Status *result, Error *err) {
    Setup setup;
    int workers;
    Error start_err;
    Status status = start(run, &start_err);
    if (status != STATUS_OK) return error_set(err, status, "%s", start_err.text);
    status = agree(run, usage, &setup, err);
    if (status != STATUS_OK) return status;
    *result = channel_rank(run->channel) == 0 ? setup.status : STATUS_OK;
    if (setup.status != STATUS_OK) { /* rank 0 says why */
        if (channel_rank(run->channel) == 0) report_error(setup.status, err);
        return STATUS_OK;
    }
    status = run_workers_choose(run->channel, setup.workers, &run->terminal, &workers, err);
    if (status == STATUS_OK)
        status = agent_create(run->channel, run->nursery, workers, setup.kernels, &run->agent, err);
    if (status == STATUS_OK && channel_rank(run->channel) == 0) status = start_coordinator(run, err);
    if (status == STATUS_OK) status = loop(run, err);
    if (status == STATUS_OK && run->dispatch != NULL) status = finish(run, err);
    if (status == STATUS_OK && run->dispatch != NULL) *result = run->result;
    return status;
}

/* This rank cannot go on: mpirun then ends the others. */
static _Noreturn void fail(Run *run, Status status, const Error *err) {
    RunView view;
    terminal_clear(&run->terminal);
    nursery_stop(run->nursery);
    journal_close(run->journal, NULL, NULL);
    if (run->dispatch != NULL) {
        dispatch_view(run->dispatch, clock_monotonic_s(), &view);
        view.stop_reason = "error";
        write_status(run, &view, (int)status, NULL); /* as far as the disk lets it */
    }
    /* Where srun has not tied its tasks together, all fail alike, and the first says so. */
    if (run->channel != NULL || launcher_untied_tasks() == 0 || launcher_rank() == 0) report_error(status, err);
    if (run->channel != NULL && channel_rank(run->channel) == 0)
        sequel_end(&run->options, status == STATUS_INCOMPLETE ? STATUS_FAILED : status, &run->terminal);
    _exit((int)status);
}

int command_run(int argc, char **argv) {
    Run run = {.argc = argc, .argv = argv, .signals = -1};
    RunOptions *options = &run.options;
    bool helped;
    Error err = {{0}};
    Status usage = run_options_read(options, argc, argv, &helped, &err);
    if (helped) return STATUS_OK;
    if (usage != STATUS_OK && !launcher_has_ranks()) return report_error(usage, &err);
    run.started_unix_ms = clock_unix_ms();
    run.terminal = terminal_open(options->quiet);
    run.started_s = clock_monotonic_s();
    Status result = STATUS_OK;
    Status status = run_all(&run, usage, &result, &err);
    if (status != STATUS_OK) fail(&run, status, &err);
    end_guard(&run);
    dispatch_free(run.dispatch);
    schedule_free(run.schedule);
    cost_model_free(run.costs);
    unfinished_close(run.unfinished);
    agent_free(run.agent);
    nursery_stop(run.nursery);
    roster_free(&run.roster);
    job_free(run.job);
    if (run.signals >= 0) close(run.signals);
    bool coordinated = channel_rank(run.channel) == 0;
    status = channel_close(run.channel, &err);
    if (status != STATUS_OK) report_error(status, &err);
    if (result == STATUS_OK) result = status;
    if (coordinated) sequel_end(options, result, &run.terminal);
    run_options_free(options);
    return (int)result;
}
