/* See sequel.h. */
#include "cli/run/sequel.h"

#include "coordinator/batch/slurm.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

__attribute__((format(printf, 2, 3))) static void say(Terminal *terminal, const char *format, ...) {
    char text[ERROR_TEXT_BYTES + 256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    terminal_say(terminal, text);
}

void sequel_begin(const RunOptions *options, Terminal *terminal) {
    Error err;
    if (options->successor == NULL) return;
    if (slurm_release(options->successor, &err) == STATUS_OK)
        say(terminal, "job %s goes on when this one ends before all is done", options->successor);
    else
        say(terminal, "the next job %s stays held: %s", options->successor, err.text);
}

/* Slurm ends the processes of a job that it puts back. Who waits for that dies in order; mpirun does not bear to be
 * told while it takes a rank's exit code in. */
static void wait_for_the_end(void) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sleep(60);
}

static void requeue(Terminal *terminal) {
    SlurmJob job;
    Error err;
    if (!slurm_job(&job)) {
        say(terminal, "--requeue: this is no job of Slurm; the same command goes on from here");
        return;
    }
    say(terminal, "job %s goes back into the queue; it goes on from here when its turn comes", job.name);
    Status status = slurm_requeue(&job, &err);
    if (status == STATUS_OK)
        wait_for_the_end();
    else if (status == STATUS_FAILED)
        say(terminal, "not put back into the queue: %s", err.text);
    else
        say(terminal, "job %s was not put back into the queue (submit it again, or use palinode submit --chain): %s",
            job.name, err.text);
}

void sequel_end(const RunOptions *options, Status result, Terminal *terminal) {
    Error err;
    if (result == STATUS_INCOMPLETE) {
        if (options->requeue) requeue(terminal);
        return;
    }
    if (options->successor == NULL) return;
    if (slurm_cancel(options->successor, &err) == STATUS_OK)
        say(terminal, "the next job %s has nothing to do: cancelled", options->successor);
    else
        say(terminal, "the next job %s could not be cancelled: %s", options->successor, err.text);
}
