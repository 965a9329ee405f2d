/* See slurm.h. Programs are started with posix_spawn, which copies no memory: a process that uses MPI must not fork. */
#include "coordinator/batch/slurm.h"

#include "coordinator/batch/slurm_environment.h"

#include "proto/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_BYTES = 256 };
static const double PATIENCE_S = 120; /* for an answer of a busy controller */

/* --- starting programs ------------------------------------------------------------------------------------------ */

/* A file without a name that holds text, to be read from its start; -1: errno. */
static int open_text(const char *text) {
    int fd = memfd_create("palinode-script", MFD_CLOEXEC);
    size_t size = strlen(text);
    if (fd >= 0 && (write(fd, text, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Reads until the end, or for as long as patience lasts; the rest beyond size is dropped. */
static bool read_answer(int fd, char *answer, size_t size) {
    double end_s = clock_monotonic_s() + PATIENCE_S;
    size_t used = 0;
    answer[0] = '\0';
    for (double left_s = PATIENCE_S; left_s > 0; left_s = end_s - clock_monotonic_s()) {
        char part[256];
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        if (poll(&waiting, 1, (int)(left_s * 1e3) + 1) <= 0) continue;
        ssize_t n = read(fd, part, sizeof part);
        if (n <= 0) return n == 0;
        for (ssize_t i = 0; i < n && used + 1 < size; i++)
            answer[used++] = part[i];
        answer[used] = '\0';
    }
    return false;
}

/* Starts argv with this environment, default signals, and these descriptors as standard input and output; quietly: what
 * it says on stderr is lost. */
static int start(char *const argv[], char *const environment[], int input, int output, bool quietly, pid_t *pid) {
    if (environment == NULL) return ENOMEM;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, piped;
    sigemptyset(&none);
    sigemptyset(&piped);
    sigaddset(&piped, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    if (quietly) posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &piped);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int failed = posix_spawnp(pid, argv[0], &files, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

/* Runs a program of Slurm with input (a batch script; NULL: none) and takes the first line of its standard output. */
static Status ask_program(const char *const *command, const char *input, bool quietly, char answer[ANSWER_BYTES],
                          Error *err) {
    int wait_status = 0, ends[2], in = open_text(input != NULL ? input : "");
    pid_t pid;
    if (in < 0 || pipe2(ends, O_CLOEXEC) < 0) {
        if (in >= 0) close(in);
        return error_set(err, STATUS_IO, "cannot start %s: %s", command[0], strerror(errno));
    }
    char **environment = slurm_environment(input);
    int failed = start((char *const *)command, environment, in, ends[1], quietly, &pid);
    free(environment);
    close(in);
    close(ends[1]);
    bool answered = failed == 0 && read_answer(ends[0], answer, ANSWER_BYTES);
    close(ends[0]);
    if (failed == ENOENT) return error_set(err, STATUS_IO, "%s is not installed here: is this Slurm?", command[0]);
    if (failed != 0) return error_set(err, STATUS_IO, "cannot start %s: %s", command[0], strerror(failed));
    if (!answered) kill(pid, SIGKILL);
    while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
        ;
    answer[strcspn(answer, "\n")] = '\0';
    if (answered && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return STATUS_OK;
    if (!answered) return error_set(err, STATUS_IO, "%s did not answer within %.0f s", command[0], PATIENCE_S);
    return error_set(err, STATUS_IO, "%s %s%s%s failed: see its message above", command[0], command[1],
                     command[2] != NULL ? " " : "", command[2] != NULL ? command[2] : "");
}

static Status ask(const char *const *command, const char *input, char answer[ANSWER_BYTES], Error *err) {
    return ask_program(command, input, false, answer, err);
}

/* --- the job ---------------------------------------------------------------------------------------------------- */

bool slurm_job(SlurmJob *out) {
    const char *id = getenv("SLURM_JOB_ID"), *array = getenv("SLURM_ARRAY_JOB_ID");
    const char *task = getenv("SLURM_ARRAY_TASK_ID"), *restarts = getenv("SLURM_RESTART_COUNT");
    if (id == NULL || *id == '\0') return false;
    *out = (SlurmJob){.restarts = restarts != NULL ? atoi(restarts) : 0};
    if (array != NULL && task != NULL)
        snprintf(out->name, sizeof out->name, "%s_%s", array, task);
    else
        snprintf(out->name, sizeof out->name, "%s", id);
    return true;
}

/* "RUNNING 1-02:30:00": state and time left. */
static Status ask_job(const SlurmJob *job, char answer[ANSWER_BYTES], Error *err) {
    return ask((const char *const[]){"squeue", "--noheader", "--job", job->name, "--format=%T %L", NULL}, NULL, answer,
               err);
}

/* Seconds of "1-02:30:00", "2:30:00" or "0:59"; NaN for words ("UNLIMITED"). */
static double read_time(const char *text) {
    unsigned days = 0, parts[3];
    int used = 0;
    if (sscanf(text, "%4u-%n", &days, &used) == 1 && used > 0)
        text += used;
    else
        days = 0;
    int n = sscanf(text, "%2u:%2u:%2u", &parts[0], &parts[1], &parts[2]);
    double seconds = n < 2 ? NAN : 0;
    for (int i = 0; i < n; i++)
        seconds = seconds * 60 + parts[i];
    return days * 86400.0 + seconds;
}

Status slurm_time_left(const SlurmJob *job, double *left_s, Error *err) {
    const char *told = getenv("SLURM_JOB_END_TIME"); /* newer versions set it */
    char *end = NULL;
    double end_s = told != NULL ? strtod(told, &end) : 0;
    if (end_s > 0 && isfinite(end_s) && *end == '\0') {
        *left_s = end_s - (double)clock_unix_ms() / 1e3;
        return STATUS_OK;
    }
    char answer[ANSWER_BYTES];
    Status status = ask_job(job, answer, err);
    if (status == STATUS_OK) *left_s = read_time(answer + strcspn(answer, " ") + (strchr(answer, ' ') != NULL));
    return status;
}

Status slurm_requeue(const SlurmJob *job, Error *err) {
    char answer[ANSWER_BYTES];
    Status status = ask_job(job, answer, err);
    if (status != STATUS_OK) return status;
    if (strncmp(answer, "RUNNING ", 8) != 0)
        return error_set(err, STATUS_FAILED, "job %s is to end (%.*s)", job->name, (int)strcspn(answer, " "), answer);
    return ask((const char *const[]){"scontrol", "requeue", job->name, NULL}, NULL, answer, err);
}

Status slurm_release(const char *job, Error *err) {
    char answer[ANSWER_BYTES];
    return ask((const char *const[]){"scontrol", "release", job, NULL}, NULL, answer, err);
}

Status slurm_cancel(const char *job, Error *err) {
    char answer[ANSWER_BYTES];
    return ask((const char *const[]){"scancel", job, NULL}, NULL, answer, err);
}

/* Of a single job that it does not know squeue makes an error, as when the controller is away; of a list it leaves it
 * out. */
Status slurm_job_queued(const char *job, bool *queued, Error *err) {
    char answer[ANSWER_BYTES], list[64];
    snprintf(list, sizeof list, "%s,%s", job, job);
    const char *const command[] = {"squeue", "--noheader", "--job", list, "--format=%T", NULL};
    Status status = ask_program(command, NULL, true, answer, err);
    *queued = status == STATUS_OK && answer[0] != '\0';
    return status;
}

Status slurm_submit(const char *script, char *id, size_t id_bytes, Error *err) {
    char answer[ANSWER_BYTES];
    Status status = ask((const char *const[]){"sbatch", "--parsable", NULL}, script, answer, err);
    if (status != STATUS_OK) return status;
    snprintf(id, id_bytes, "%.*s", (int)strcspn(answer, ";"), answer); /* "id;cluster" */
    if (id[0] != '\0' && id[strspn(id, "0123456789")] == '\0') return STATUS_OK;
    return error_set(err, STATUS_IO, "sbatch --parsable: expected the number of a job, not '%s'", answer);
}
