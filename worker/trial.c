/* See trial.h. */
#include "worker/trial.h"

#include "proto/transport/stream.h"
#include "worker/run_work.h"

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

static void send_progress(void *context, const Progress *progress) {
    Message message = {.kind = MESSAGE_PROGRESS, .of.progress = *progress};
    Error ignored; /* when the agent is gone, so is this process in a moment */
    send_message(*(int *)context, &message, &ignored);
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
    const WorkItem *item = &order.of.work;
    Message answer = {.kind = MESSAGE_DONE, .of.done.work = item->work};
    Status status = run_work(item, -1, host, send_progress, &fd, &answer.of.done, &err);
    if (status == STATUS_OK) {
        status = send_message(fd, &answer, &err);
    } else {
        answer = (Message){.kind = MESSAGE_FAILED,
                           .of.failed = {.work = item->work, .rank = -1, .host = host, .reason = err.text}};
        status = send_message(fd, &answer, &err);
    }
    return (int)status; /* the process ends here: what it holds is given back by its end */
}
