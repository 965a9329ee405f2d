/* Messages between processes of one machine: frames on a stream socket.
 *
 *     u64 length | u32 kind (MessageKind) | bytes        native byte order: both ends are the same program
 *
 * The kind stands outside the message so that an agent can pass frames on without decoding them. A child uses the
 * blocking calls; its agent a Stream, which never blocks. */
#ifndef PROTO_TRANSPORT_STREAM_H
#define PROTO_TRANSPORT_STREAM_H

#include "proto/wire/codec.h"

/* Writes one frame whole; reads one frame whole (*ended: the other side closed before a first byte). Blocking. */
Status stream_write(int fd, MessageKind kind, const Bytes *bytes, Error *err);
Status stream_read(int fd, MessageKind *kind, Bytes *bytes, bool *ended, Error *err);

typedef struct Stream {
    int fd;
    bool ended;  /* the other side has closed, everything it sent is buffered */
    uint8_t *in; /* bytes received, not yet taken */
    size_t in_start, in_end, in_capacity;
    uint8_t *out; /* one frame under way to the other side, or NULL */
    size_t out_sent, out_size;
} Stream;

/* Takes over fd and makes it non-blocking. */
Status stream_open(Stream *stream, int fd, Error *err);
void stream_close(Stream *stream);
/* Queues one frame; there may be only one under way. */
Status stream_queue(Stream *stream, MessageKind kind, const Bytes *bytes, Error *err);
/* Sends and receives what it can without waiting, up to a few MiB a call, so that no sender keeps the caller here;
 * *moved is set when it did either. */
Status stream_pump(Stream *stream, bool *moved, Error *err);
/* Takes the next whole frame: *any is false when there is none yet. STATUS_DATA: what came is no frame. */
Status stream_next(Stream *stream, bool *any, MessageKind *kind, Bytes *bytes, Error *err);

#endif
