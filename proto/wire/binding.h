/* How a C struct of messages.h and a protobuf message correspond, as data.
 *
 * A Binding lists the members of a struct in the order of the message's field numbers; types come from protobuf-c's own
 * descriptors, so that encoding, decoding and freeing are one walk each (binding.c) and every field is listed once
 * (codec.c). Private to codec.c, binding.c and their test: nobody else sees protobuf-c. */
#ifndef PROTO_WIRE_BINDING_H
#define PROTO_WIRE_BINDING_H

#include "proto/base/status.h"
#include "proto/wire/messages.h"

#include <protobuf-c/protobuf-c.h>

typedef struct Binding Binding;

/* One member of a C struct and the field that carries it. */
typedef struct Member {
    const char *name; /* of the field */
    ProtobufCType type;
    size_t offset, bytes; /* in the struct; of an array: of its pointer */
    const Binding *of;    /* of a sub-message */
    bool may_be_absent;   /* a sub-message that older files lack: then the struct is all zero */
    /* of an array, which is a pointer and a count: */
    size_t count_offset, count_bytes; /* count_bytes 0: not an array */
    size_t per_count;                 /* elements = count x per_count */
    size_t most;                      /* largest count accepted */
    bool sets_count;                  /* decoding sets the count from this array; other arrays of it must agree */
    /* of an array with a row of count elements for every member of an enumeration that grows with the versions: */
    bool has_rows;  /* then elements = count x (per_count + the struct's int32 at more_offset) */
    bool sets_rows; /* decoding sets that number, negative where rows lack; other arrays of it must agree */
    size_t more_offset;
} Member;

struct Binding {
    const ProtobufCMessageDescriptor *proto;
    size_t struct_bytes;
    bool is_union; /* the struct starts with an enum: the number of the one field that is set */
    size_t n_members;
    const Member *members;
};

/* The protobuf type that a member's C type travels as (enums are unsigned int to the compiler). */
#define MEMBER_TYPE(Type, member)                                                                                      \
    _Generic(((Type *)0)->member, int32_t: PROTOBUF_C_TYPE_INT32, uint32_t: PROTOBUF_C_TYPE_UINT32,                    \
             int64_t: PROTOBUF_C_TYPE_INT64, uint64_t: PROTOBUF_C_TYPE_UINT64, double: PROTOBUF_C_TYPE_DOUBLE,         \
             bool: PROTOBUF_C_TYPE_BOOL, char *: PROTOBUF_C_TYPE_STRING, Id: PROTOBUF_C_TYPE_BYTES,                    \
             float *: PROTOBUF_C_TYPE_FLOAT, double *: PROTOBUF_C_TYPE_DOUBLE, int64_t *: PROTOBUF_C_TYPE_INT64)
#define MEMBER_PLACE(Type, member_)                                                                                    \
    .name = #member_, .offset = offsetof(Type, member_), .bytes = sizeof(((Type *)0)->member_)
#define MEMBER_COUNT(Type, count, per, largest)                                                                        \
    .count_offset = offsetof(Type, count), .count_bytes = sizeof(((Type *)0)->count), .per_count = (per),              \
    .most = (largest)

/* A number, enum, string or Id. */
#define VALUE(Type, member_)                                                                                           \
    { MEMBER_PLACE(Type, member_), .type = MEMBER_TYPE(Type, member_) }
/* A struct by value. */
#define STRUCT(Type, member_, binding)                                                                                 \
    { MEMBER_PLACE(Type, member_), .type = PROTOBUF_C_TYPE_MESSAGE, .of = &(binding) }
/* The same where older files have none: all zero then. */
#define STRUCT_OR_NOTHING(Type, member_, binding)                                                                      \
    { MEMBER_PLACE(Type, member_), .type = PROTOBUF_C_TYPE_MESSAGE, .of = &(binding), .may_be_absent = true }
/* One of a union's structs; field_ is its name on the wire. */
#define KIND(Type, field_, binding)                                                                                    \
    { .name = #field_, .offset = offsetof(Type, of), .type = PROTOBUF_C_TYPE_MESSAGE, .of = &(binding) }
/* An array of numbers whose length is the count. */
#define ARRAY(Type, member_, count, most_)                                                                             \
    {                                                                                                                  \
        MEMBER_PLACE(Type, member_), .type = MEMBER_TYPE(Type, member_), MEMBER_COUNT(Type, count, 1, most_),          \
                                     .sets_count = true                                                                \
    }
/* An array of numbers whose length must be per x a count set by a field before it. */
#define ARRAY_AGREEING(Type, member_, count, per, most_)                                                               \
    { MEMBER_PLACE(Type, member_), .type = MEMBER_TYPE(Type, member_), MEMBER_COUNT(Type, count, per, most_) }
/* An array of count numbers in each of known + more rows: more is a member of the struct that no field carries. */
#define ARRAY_OF_ROWS(Type, member_, count, known, more, sets_, most_)                                                 \
    {                                                                                                                  \
        MEMBER_PLACE(Type, member_), .type = MEMBER_TYPE(Type, member_), MEMBER_COUNT(Type, count, known, most_),      \
                                     .has_rows = true, .sets_rows = (sets_), .more_offset = offsetof(Type, more)       \
    }
/* An array of structs whose length is the count. */
#define STRUCTS(Type, member_, count, most_, binding)                                                                  \
    {                                                                                                                  \
        MEMBER_PLACE(Type, member_), .type = PROTOBUF_C_TYPE_MESSAGE, .of = &(binding),                                \
                                     MEMBER_COUNT(Type, count, 1, most_), .sets_count = true                           \
    }

#define MEMBERS(list) .n_members = sizeof(list) / sizeof(list)[0], .members = (list)

/* Encodes the struct at from into fresh bytes (malloc). STATUS_NO_MEMORY; STATUS_DATA past INT32_MAX bytes. */
Status binding_encode(const Binding *binding, const void *from, uint8_t **data, size_t *size, Error *err);

/* Decodes into the struct at to; on failure it is zeroed. STATUS_DATA names the field and what is wrong with it. */
Status binding_decode(const Binding *binding, const uint8_t *data, size_t size, void *to, Error *err);

/* Frees what the struct at owns, and zeroes it. */
void binding_free(const Binding *binding, void *owner);

/* The two tables of codec.c. */
extern const Binding record_binding, message_binding;

#endif
