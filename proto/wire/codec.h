/* Structs of messages.h to protobuf bytes and back. codec*.c are the only users of protobuf-c. */
#ifndef PROTO_WIRE_CODEC_H
#define PROTO_WIRE_CODEC_H

#include "proto/base/status.h"
#include "proto/wire/messages.h"

typedef struct Bytes {
    uint8_t *data; /* malloc'd */
    size_t size;
} Bytes;

void bytes_free(Bytes *bytes);

/* Encode into fresh bytes (freed by bytes_free). STATUS_NO_MEMORY, or STATUS_DATA past 2 GiB. */
Status message_encode(const Message *message, Bytes *out, Error *err);
Status record_encode(const Record *record, Bytes *out, Error *err);

/* Decode; *out is filled only on success and is then freed by message_free / record_free. STATUS_DATA says what is
 * wrong: not a protobuf message, an unknown kind, a value outside its enumeration, arrays of unequal length. */
Status message_decode(const uint8_t *data, size_t size, Message *out, Error *err);
Status record_decode(const uint8_t *data, size_t size, Record *out, Error *err);

/* Free what a decoded (or malloc-built) struct owns, and zero it. */
void message_free(Message *message);
void record_free(Record *record);

/* Allocates curves of n_points, all NaN. */
Status curves_create(Curves *curves, int n_points, Error *err);
void curves_free(Curves *curves);
/* Places in a Curves: value of a metric at a number of examples. */
static inline size_t curves_at(const Curves *curves, Metric metric, int examples) {
    return (size_t)metric * (size_t)curves->n_points + (size_t)examples;
}

/* The same for rounds: count = R + 1. */
Status round_curves_create(RoundCurves *curves, int count, Error *err);
void round_curves_free(RoundCurves *curves);
static inline size_t round_curves_at(const RoundCurves *curves, RoundMetric metric, int round) {
    return (size_t)metric * (size_t)curves->count + (size_t)round;
}

/* The 32 hexadecimal digits of an id; id_from_text returns false unless text is exactly that. */
const char *id_text(Id id, char text[ID_TEXT_BYTES]);
bool id_from_text(const char *text, Id *id);
static inline bool id_equal(Id a, Id b) {
    return __builtin_memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

#endif
