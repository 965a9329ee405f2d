/* See stream.h. */
#include "proto/transport/stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_HEAD_BYTES = 12, READ_BYTES = 1 << 16, READS_A_PUMP = 64 };

static void put_head(uint8_t head[FRAME_HEAD_BYTES], MessageKind kind, size_t size) {
    uint64_t length = size;
    uint32_t number = (uint32_t)kind;
    memcpy(head, &length, sizeof length);
    memcpy(head + sizeof length, &number, sizeof number);
}

static Status get_head(const uint8_t head[FRAME_HEAD_BYTES], MessageKind *kind, size_t *size, Error *err) {
    uint64_t length;
    uint32_t number;
    memcpy(&length, head, sizeof length);
    memcpy(&number, head + sizeof length, sizeof number);
    if (length > INT_MAX || number < MESSAGE_HELLO || number > MESSAGE_PAUSED)
        return error_set(err, STATUS_DATA, "no message has kind %u and %llu bytes", number, (unsigned long long)length);
    *kind = (MessageKind)number;
    *size = (size_t)length;
    return STATUS_OK;
}

static Status write_whole(int fd, const uint8_t *data, size_t size, Error *err) {
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_set(err, STATUS_IO, "cannot write to the supervising process: %s", strerror(errno));
        data += n;
        size -= (size_t)n;
    }
    return STATUS_OK;
}

/* *ended is set when the other side closed before the first byte. */
static Status read_whole(int fd, uint8_t *data, size_t size, bool *ended, Error *err) {
    size_t got = 0;
    *ended = false;
    while (got < size) {
        ssize_t n = recv(fd, data + got, size - got, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_set(err, STATUS_IO, "cannot read from the supervising process: %s", strerror(errno));
        if (n == 0 && got == 0) {
            *ended = true;
            return STATUS_OK;
        }
        if (n == 0)
            return error_set(err, STATUS_IO, "the supervising process closed after %zu of %zu bytes", got, size);
        got += (size_t)n;
    }
    return STATUS_OK;
}

Status stream_write(int fd, MessageKind kind, const Bytes *bytes, Error *err) {
    uint8_t head[FRAME_HEAD_BYTES];
    put_head(head, kind, bytes->size);
    Status status = write_whole(fd, head, sizeof head, err);
    return status == STATUS_OK ? write_whole(fd, bytes->data, bytes->size, err) : status;
}

Status stream_read(int fd, MessageKind *kind, Bytes *bytes, bool *ended, Error *err) {
    uint8_t head[FRAME_HEAD_BYTES];
    *bytes = (Bytes){0};
    Status status = read_whole(fd, head, sizeof head, ended, err);
    if (status == STATUS_OK && !*ended) status = get_head(head, kind, &bytes->size, err);
    if (status != STATUS_OK || *ended) return status;
    bytes->data = malloc(bytes->size > 0 ? bytes->size : 1);
    if (bytes->data == NULL)
        return error_set(err, STATUS_NO_MEMORY, "cannot allocate %zu bytes for a message", bytes->size);
    status = read_whole(fd, bytes->data, bytes->size, ended, err);
    if (status == STATUS_OK && *ended && bytes->size > 0)
        status = error_set(err, STATUS_IO, "the supervising process closed before a message's content");
    *ended = false;
    if (status != STATUS_OK) bytes_free(bytes);
    return status;
}

Status stream_open(Stream *stream, int fd, Error *err) {
    *stream = (Stream){.fd = fd};
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_set(err, STATUS_IO, "cannot make a socket non-blocking: %s", strerror(errno));
    return STATUS_OK;
}

void stream_close(Stream *stream) {
    if (stream->fd >= 0) close(stream->fd);
    free(stream->in);
    free(stream->out);
    *stream = (Stream){.fd = -1};
}

Status stream_queue(Stream *stream, MessageKind kind, const Bytes *bytes, Error *err) {
    assert(stream->out == NULL);
    stream->out = malloc(FRAME_HEAD_BYTES + bytes->size);
    if (stream->out == NULL)
        return error_set(err, STATUS_NO_MEMORY, "cannot allocate %zu bytes for a message", bytes->size);
    put_head(stream->out, kind, bytes->size);
    memcpy(stream->out + FRAME_HEAD_BYTES, bytes->data, bytes->size);
    stream->out_size = FRAME_HEAD_BYTES + bytes->size;
    stream->out_sent = 0;
    return STATUS_OK;
}

/* A child that died reads nothing more: what was under way to it is dropped, its end is seen by receiving. */
static void drop_out(Stream *stream) {
    free(stream->out);
    stream->out = NULL;
}

static void pump_out(Stream *stream, bool *moved) {
    while (stream->out != NULL) {
        ssize_t n = send(stream->fd, stream->out + stream->out_sent, stream->out_size - stream->out_sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        *moved = true;
        stream->out_sent += n > 0 ? (size_t)n : 0;
        if (n < 0 || stream->out_sent == stream->out_size) drop_out(stream);
    }
}

static Status make_room(Stream *stream, Error *err) {
    if (stream->in_capacity - stream->in_end >= READ_BYTES) return STATUS_OK;
    if (stream->in_start > 0) {
        memmove(stream->in, stream->in + stream->in_start, stream->in_end - stream->in_start);
        stream->in_end -= stream->in_start;
        stream->in_start = 0;
    }
    if (stream->in_capacity - stream->in_end >= READ_BYTES) return STATUS_OK;
    size_t capacity = stream->in_capacity * 2 + 2 * READ_BYTES;
    uint8_t *more = realloc(stream->in, capacity);
    if (more == NULL)
        return error_set(err, STATUS_NO_MEMORY, "cannot allocate %zu bytes for a child's message", capacity);
    stream->in = more;
    stream->in_capacity = capacity;
    return STATUS_OK;
}

Status stream_pump(Stream *stream, bool *moved, Error *err) {
    pump_out(stream, moved);
    for (int i = 0; i < READS_A_PUMP && !stream->ended; i++) {
        Status status = make_room(stream, err);
        if (status != STATUS_OK) return status;
        ssize_t n = recv(stream->fd, stream->in + stream->in_end, stream->in_capacity - stream->in_end, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return STATUS_OK;
        *moved = true;
        if (n > 0)
            stream->in_end += (size_t)n;
        else
            stream->ended = true; /* closed, or reset by a death: the exit status tells */
    }
    return STATUS_OK;
}

Status stream_next(Stream *stream, bool *any, MessageKind *kind, Bytes *bytes, Error *err) {
    size_t waiting = stream->in_end - stream->in_start, size = 0;
    *any = false;
    if (waiting < FRAME_HEAD_BYTES) return STATUS_OK;
    Status status = get_head(stream->in + stream->in_start, kind, &size, err);
    if (status != STATUS_OK || waiting - FRAME_HEAD_BYTES < size) return status;
    *bytes = (Bytes){.data = malloc(size > 0 ? size : 1), .size = size};
    if (bytes->data == NULL)
        return error_set(err, STATUS_NO_MEMORY, "cannot allocate %zu bytes for a child's message", size);
    memcpy(bytes->data, stream->in + stream->in_start + FRAME_HEAD_BYTES, size);
    stream->in_start += FRAME_HEAD_BYTES + size;
    *any = true;
    return STATUS_OK;
}
