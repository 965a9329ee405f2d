/* See trial.h. */
#include "worker/process/trial.h"

#include "proto/transport/stream.h"
#include "worker/work/run_work.h"

#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

static Status send_message(int fd, const Message *message, Error *err) {
    Bytes bytes;
    Status status = message_encode(message, &bytes, err);
    if (status != STATUS_OK) return status;
    status = stream_write(fd, message->kind, &bytes, err);
    bytes_free(&bytes);
    return status;
}

/* The socket to the agent. */
typedef struct Line {
    int fd;
    bool draining; /* MESSAGE_DRAIN came, or nobody listens any more */
} Line;

static void send_progress(void *context, const Progress *progress) {
    Message message = {.kind = MESSAGE_PROGRESS, .of.progress = *progress};
    Error ignored; /* when the agent is gone, so is this process in a moment */
    send_message(((Line *)context)->fd, &message, &ignored);
}

/* Looks, without waiting, for an order to save and end. */
static bool told_to_pause(void *context) {
    Line *line = context;
    struct pollfd waiting = {.fd = line->fd, .events = POLLIN};
    while (!line->draining && poll(&waiting, 1, 0) > 0) {
        MessageKind kind;
        Bytes bytes;
        bool ended;
        Error ignored;
        Status status = stream_read(line->fd, &kind, &bytes, &ended, &ignored);
        line->draining = status != STATUS_OK || ended || kind == MESSAGE_DRAIN;
        bytes_free(&bytes);
    }
    return line->draining;
}

static Status receive_work(int fd, Message *message, Error *err) {
    MessageKind kind;
    Bytes bytes;
    bool ended;
    Status status = stream_read(fd, &kind, &bytes, &ended, err);
    if (status != STATUS_OK) return status;
    if (ended || kind != MESSAGE_WORK) return error_set(err, STATUS_IO, "expected a piece of work");
    status = message_decode(bytes.data, bytes.size, message, err);
    bytes_free(&bytes);
    return status;
}

int trial_main(void *context, int fd) {
    char host[256] = "";
    Error err;
    Message order;
    prctl(PR_SET_NAME, "palinode:trial");
    if (receive_work(fd, &order, &err) != STATUS_OK) return STATUS_IO;
    gethostname(host, sizeof host - 1);
    Line line = {.fd = fd};
    WorkWatch watch = {.report = send_progress, .told_to_pause = told_to_pause, .context = &line};
    Message answer;
    Status status = run_work_watched(&order.of.work, -1, host, &watch, &answer, &err);
    if (status != STATUS_OK)
        answer = (Message){.kind = MESSAGE_FAILED,
                           .of.failed = {.work = order.of.work.work,
                                         .rank = -1,
                                         .host = host,
                                         .reason = err.text,
                                         .cause = status == STATUS_IO ? FAILURE_INFRASTRUCTURE : FAILURE_TRAINING}};
    return (int)send_message(fd, &answer, &err); /* the process ends here: what it holds is given back by its end */
}
