/* See agent.h. A place holds one child: it is free again when the child's exit is known and its socket has run dry.
 * A child that closes its socket or sends nonsense is killed, so that its exit comes for certain. Only then does the
 * child's answer go to the coordinator, so that new work always finds the place free. */
#include "worker/process/agent.h"

#include "proto/base/clock.h"
#include "proto/transport/stream.h"
#include "worker/kernels/kernels.h"
#include "worker/process/vigil.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

/* How often silent children are looked at; and what of the time between two turns of the agent's loop counts as awake
 * at most: more is a stop or a starved machine. */
static const double JUDGE_EVERY_S = 1, LONGEST_TURN_S = 0.1;
/* A child whose socket is closed has this long to end by itself, so that its own reason is known. */
static const double LAST_MOMENTS_S = 1;

typedef struct Place {
    bool busy, exited, killed;
    bool to_drain;  /* the child is still to be told */
    uint64_t token; /* the nursery's name for the child */
    uint64_t work;
    int64_t last_step; /* reported, -1: none */
    pid_t pid;         /* 0: not known yet */
    ChildNews exit;
    Bytes answer; /* data NULL: none yet */
    Stream stream;
    double closed_awake_s; /* when its socket was found closed; 0: it is open */
    Vigil vigil;
    char silence[96];   /* why it was given up, "": it was not */
    char nonsense[256]; /* what was wrong with what it sent, "": nothing; it is not listened to any more */
} Place;

struct Agent {
    Channel *channel;
    Nursery *nursery;
    int n_places;
    Place *places;
    struct pollfd *waiting; /* n_places + 1 */
    uint64_t next_token;
    bool draining, stopped;
    double patience_s;
    double turn_s, awake_s, judged_s; /* of this turn of the loop; awake time so far; of the last judgement (awake) */
    char host[256];
};

/* --- who this rank is ------------------------------------------------------------------------------------------- */

/* The model name of this machine's processor, "unknown CPU" where /proc does not tell. */
static void read_cpu_name(char *name, size_t size) {
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(name, size, "unknown CPU");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(name, size, "%s", strchr(line, ':') + 2);
            break;
        }
    if (file != NULL) fclose(file);
}

static Status say_hello(Agent *agent, const char *kernels_name, Error *err) {
    char fingerprint[256], cpu[256];
    const Kernels *kernels;
    struct sysinfo memory = {0};
    Status status = kernels_select(kernels_name, &kernels, err);
    if (status != STATUS_OK) return status;
    kernels_fingerprint(kernels, fingerprint, sizeof fingerprint);
    read_cpu_name(cpu, sizeof cpu);
    sysinfo(&memory);
    Message hello = {.kind = MESSAGE_HELLO,
                     .of.hello = {.rank = channel_rank(agent->channel),
                                  .workers = agent->n_places,
                                  .host = agent->host,
                                  .cpu = cpu,
                                  .fingerprint = fingerprint,
                                  .free_memory_bytes = (uint64_t)memory.freeram * memory.mem_unit}};
    return channel_send_message(agent->channel, 0, INBOX_COORDINATOR, &hello, err);
}

Status agent_create(Channel *channel, Nursery *nursery, int workers, const char *kernels, Agent **out, Error *err) {
    Agent *agent = calloc(1, sizeof *agent);
    if (agent == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the agent of a rank");
    *agent = (Agent){.channel = channel,
                     .nursery = nursery,
                     .n_places = workers,
                     .next_token = 1,
                     .patience_s = VIGIL_PATIENCE_S,
                     .turn_s = clock_monotonic_s()};
    gethostname(agent->host, sizeof agent->host - 1);
    agent->places = calloc((size_t)workers, sizeof *agent->places);
    agent->waiting = calloc((size_t)workers + 1, sizeof *agent->waiting);
    Status status = agent->places != NULL && agent->waiting != NULL
                        ? say_hello(agent, kernels, err)
                        : error_set(err, STATUS_NO_MEMORY, "no memory for %d places for trainings", workers);
    if (status == STATUS_OK)
        *out = agent;
    else
        agent_free(agent);
    return status;
}

void agent_free(Agent *agent) {
    if (agent == NULL) return;
    for (int i = 0; agent->places != NULL && i < agent->n_places; i++)
        if (agent->places[i].busy) {
            nursery_kill(agent->nursery, agent->places[i].token, NULL);
            stream_close(&agent->places[i].stream);
            bytes_free(&agent->places[i].answer);
        }
    free(agent->places);
    free(agent->waiting);
    free(agent);
}

void agent_set_patience(Agent *agent, double patience_s) {
    agent->patience_s = patience_s;
}

/* --- children --------------------------------------------------------------------------------------------------- */

static Status send_failed(Agent *agent, uint64_t work, FailureCause cause, const char *reason, Error *err) {
    Message failed = {.kind = MESSAGE_FAILED,
                      .of.failed = {.work = work,
                                    .rank = channel_rank(agent->channel),
                                    .host = agent->host,
                                    .reason = (char *)reason,
                                    .cause = cause}};
    return channel_send_message(agent->channel, 0, INBOX_COORDINATOR, &failed, err);
}

static Status kill_child(Agent *agent, Place *place, Error *err) {
    if (place->killed) return STATUS_OK;
    place->killed = true;
    return nursery_kill(agent->nursery, place->token, err);
}

/* A socket pair whose one end is *stream with the order on its way. */
static Status open_line(const Bytes *order, int ends[2], Stream *stream, Error *err) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return error_set(err, STATUS_IO, "cannot make a socket pair: %s", strerror(errno));
    Status status = stream_open(stream, ends[0], err);
    if (status == STATUS_OK) status = stream_queue(stream, MESSAGE_WORK, order, err);
    if (status != STATUS_OK) {
        stream_close(stream);
        close(ends[1]);
    }
    return status;
}

/* What this machine cannot do for want of descriptors or memory is told, and does not end the rank. */
static Status start_child(Agent *agent, const WorkItem *item, const Bytes *order, Error *err) {
    Place *place = NULL;
    for (int i = 0; i < agent->n_places && place == NULL; i++)
        if (!agent->places[i].busy) place = &agent->places[i];
    if (place == NULL)
        return send_failed(agent, item->work, FAILURE_INFRASTRUCTURE, "the rank had no free place for it", err);
    int ends[2];
    Error trouble;
    Status status = open_line(order, ends, &place->stream, &trouble);
    if (status != STATUS_OK) return send_failed(agent, item->work, FAILURE_INFRASTRUCTURE, trouble.text, err);
    *place = (Place){.busy = true,
                     .token = agent->next_token++,
                     .work = item->work,
                     .last_step = -1,
                     .stream = place->stream,
                     .vigil = vigil_start(item, agent->patience_s, agent->awake_s),
                     .to_drain = agent->draining};
    return nursery_spawn(agent->nursery, place->token, ends[1], err);
}

static Status take_message(Agent *agent, const Bytes *bytes, Error *err) {
    Message message;
    Status status = message_decode(bytes->data, bytes->size, &message, err);
    if (status != STATUS_OK) return status;
    if (message.kind == MESSAGE_WORK && !agent->stopped) status = start_child(agent, &message.of.work, bytes, err);
    if (message.kind == MESSAGE_DRAIN && !agent->draining) {
        agent->draining = true;
        for (int i = 0; i < agent->n_places; i++)
            agent->places[i].to_drain = agent->places[i].busy;
    }
    if (message.kind == MESSAGE_STOP) {
        agent->stopped = true;
        for (int i = 0; i < agent->n_places && status == STATUS_OK; i++)
            if (agent->places[i].busy) status = kill_child(agent, &agent->places[i], err);
    }
    message_free(&message);
    return status;
}

/* CPU seconds that a child has used; 0 before it is known to have started, NaN after it has ended. */
static double cpu_of(const Place *place) {
    clockid_t clock;
    struct timespec used;
    if (place->pid == 0) return 0;
    if (clock_getcpuclockid(place->pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return NAN;
    return (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
}

/* Gives a child up that has been silent for too long. */
static Status judge(Agent *agent, Place *place, Error *err) {
    double cpu_s = cpu_of(place), silent_s;
    if (isnan(cpu_s) || place->exited || place->killed) return STATUS_OK;
    Silence silence = vigil_judge(&place->vigil, cpu_s, agent->awake_s, &silent_s);
    if (silence == SILENCE_NONE) return STATUS_OK;
    const char *what =
        silence == SILENCE_BUSY ? "no progress for %.0f s of CPU time" : "neither progress nor CPU time for %.0f s";
    snprintf(place->silence, sizeof place->silence, what, silent_s);
    return kill_child(agent, place, err);
}

/* Takes over a child's frame: progress is passed on at once, the answer when the child has ended. STATUS_DATA: the
 * frame is nothing that this child should send. */
static Status take_frame(Agent *agent, Place *place, Bytes *bytes, Error *err) {
    Message message;
    Status status = message_decode(bytes->data, bytes->size, &message, err);
    if (status == STATUS_OK) {
        MessageKind kind = message.kind;
        uint64_t work = kind == MESSAGE_PROGRESS ? message.of.progress.work
                        : kind == MESSAGE_DONE   ? message.of.done.work
                        : kind == MESSAGE_FAILED ? message.of.failed.work
                        : kind == MESSAGE_PAUSED ? message.of.paused.work
                                                 : 0;
        if (kind == MESSAGE_PROGRESS) {
            place->last_step = message.of.progress.step;
            vigil_progress(&place->vigil, &message.of.progress, cpu_of(place), agent->awake_s);
        }
        message_free(&message);
        if (work == place->work && kind == MESSAGE_PROGRESS)
            return channel_send(agent->channel, 0, INBOX_COORDINATOR, *bytes, err);
        if (work == place->work) {
            bytes_free(&place->answer);
            place->answer = *bytes;
            return STATUS_OK;
        }
        status = error_set(err, STATUS_DATA, "a message of kind %d that is no answer to its work", (int)kind);
    }
    bytes_free(bytes);
    return status;
}

/* Takes what a child has sent; *heard tells whether there was something, so that more may follow. */
static Status hear_child(Agent *agent, Place *place, bool *heard, Error *err) {
    MessageKind kind;
    Bytes bytes;
    bool any = true;
    *heard = false;
    if (place->nonsense[0] != '\0') return STATUS_OK;
    Status status = STATUS_OK;
    if (place->to_drain && place->stream.out == NULL) { /* not before its order is out */
        place->to_drain = false;
        status = stream_queue(&place->stream, MESSAGE_DRAIN, &(Bytes){.data = (uint8_t *)""}, err);
    }
    if (status == STATUS_OK) status = stream_pump(&place->stream, heard, err);
    while (status == STATUS_OK && any) {
        status = stream_next(&place->stream, &any, &kind, &bytes, err);
        if (status == STATUS_OK && any) status = take_frame(agent, place, &bytes, err);
    }
    if (status != STATUS_DATA) return status;
    snprintf(place->nonsense, sizeof place->nonsense, "sent what cannot be understood: %.200s", err->text);
    bytes_free(&place->answer);
    stream_close(&place->stream);
    return kill_child(agent, place, err);
}

/* Why a child gave no answer, and whose fault that is. */
static FailureCause describe_exit(const Place *place, char *text, size_t size) {
    char at[64] = "";
    int wait_status = place->exit.wait_status;
    if (place->last_step >= 0) snprintf(at, sizeof at, " after step %lld", (long long)place->last_step);
    if (place->exit.fork_errno != 0) {
        snprintf(text, size, "the process could not be started: %s", strerror(place->exit.fork_errno));
        return FAILURE_INFRASTRUCTURE;
    }
    if (place->nonsense[0] != '\0') {
        snprintf(text, size, "%s", place->nonsense);
    } else if (place->silence[0] != '\0') {
        snprintf(text, size, "%s%s: killed", place->silence, at);
    } else if (WIFSIGNALED(wait_status)) {
        bool by_others = WTERMSIG(wait_status) == SIGKILL && !place->killed;
        snprintf(text, size, "killed by signal %d (%s)%s%s", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)),
                 at, by_others ? "; not by palinode, perhaps by the kernel for want of memory" : "");
    } else {
        snprintf(text, size, "exited with code %d and no result%s", WEXITSTATUS(wait_status), at);
        if (WEXITSTATUS(wait_status) == STATUS_IO) return FAILURE_INFRASTRUCTURE; /* it got no order, say */
    }
    return FAILURE_TRAINING;
}

static Status step_place(Agent *agent, Place *place, bool *moved, Error *err) {
    bool heard;
    Status status = hear_child(agent, place, &heard, err);
    *moved = *moved || heard;
    if (status != STATUS_OK || heard) return status;
    if (!place->exited && place->stream.ended && place->closed_awake_s == 0) place->closed_awake_s = agent->awake_s;
    if (!place->exited) {
        bool over = place->stream.ended && agent->awake_s - place->closed_awake_s > LAST_MOMENTS_S;
        return over ? kill_child(agent, place, err) : STATUS_OK;
    }
    *moved = true;
    place->busy = false;
    stream_close(&place->stream);
    if (agent->stopped) {
        bytes_free(&place->answer);
        return STATUS_OK;
    }
    if (place->answer.data != NULL) return channel_send(agent->channel, 0, INBOX_COORDINATOR, place->answer, err);
    char reason[256];
    FailureCause cause = describe_exit(place, reason, sizeof reason);
    return send_failed(agent, place->work, cause, reason, err);
}

static Status take_news(Agent *agent, bool *moved, Error *err) {
    for (;;) {
        bool any;
        ChildNews news;
        Status status = nursery_news(agent->nursery, &any, &news, err);
        if (status != STATUS_OK || !any) return status;
        *moved = true;
        for (int i = 0; i < agent->n_places; i++) {
            Place *place = &agent->places[i];
            if (!place->busy || place->token != news.token) continue;
            place->pid = news.pid;
            place->exited = news.pid == 0;
            place->exit = news;
        }
    }
}

/* The clock of the loop that stands still while the process does. */
static void count_turn(Agent *agent) {
    double now_s = clock_monotonic_s();
    agent->awake_s += fmin(now_s - agent->turn_s, LONGEST_TURN_S);
    agent->turn_s = now_s;
}

Status agent_step(Agent *agent, bool *moved, Error *err) {
    bool received = true;
    Status status = STATUS_OK;
    count_turn(agent);
    while (status == STATUS_OK && received) {
        int from;
        Bytes bytes;
        status = channel_receive(agent->channel, INBOX_AGENT, &received, &from, &bytes, err);
        if (status != STATUS_OK || !received) break;
        *moved = true;
        status = take_message(agent, &bytes, err);
        bytes_free(&bytes);
    }
    if (status == STATUS_OK) status = take_news(agent, moved, err);
    for (int i = 0; i < agent->n_places && status == STATUS_OK; i++)
        if (agent->places[i].busy) status = step_place(agent, &agent->places[i], moved, err);
    if (agent->awake_s - agent->judged_s < JUDGE_EVERY_S) return status;
    agent->judged_s = agent->awake_s; /* after all have been heard */
    for (int i = 0; i < agent->n_places && status == STATUS_OK; i++)
        if (agent->places[i].busy) status = judge(agent, &agent->places[i], err);
    return status;
}

bool agent_finished(const Agent *agent) {
    for (int i = 0; i < agent->n_places; i++)
        if (agent->places[i].busy) return false;
    return agent->stopped;
}

void agent_wait(Agent *agent, long pause_ns) {
    nfds_t n = 0;
    agent->waiting[n++] = (struct pollfd){.fd = nursery_fd(agent->nursery), .events = POLLIN};
    for (int i = 0; i < agent->n_places; i++) {
        const Stream *stream = &agent->places[i].stream;
        if (agent->places[i].busy && !stream->ended)
            agent->waiting[n++] =
                (struct pollfd){.fd = stream->fd, .events = (short)(POLLIN | (stream->out != NULL ? POLLOUT : 0))};
    }
    struct timespec pause = {.tv_sec = pause_ns / 1000000000, .tv_nsec = pause_ns % 1000000000};
    ppoll(agent->waiting, n, &pause, NULL);
}
