/* Records and messages for tests, filled through the tables of codec.c so that every member holds a value of its own,
 * also one that is added later. */
#ifndef TESTS_UNIT_WIRE_SAMPLES_H
#define TESTS_UNIT_WIRE_SAMPLES_H

#include "proto/wire/binding.h"
#include "proto/wire/codec.h"
#include "tests/harness.h"

#include <stdlib.h>

enum { SAMPLE_ELEMENTS = 3, RECORD_KINDS = RECORD_CHECKPOINT, MESSAGE_KINDS = MESSAGE_PAUSED };

static inline void sample_fill(const Binding *binding, void *owner, uint32_t *next);

/* One number, text or id, from the counter *next. */
static inline void sample_value(const ProtobufCFieldDescriptor *field, size_t bytes, void *place, uint32_t *next) {
    uint32_t number = (*next)++;
    switch (field->type) {
    case PROTOBUF_C_TYPE_ENUM: {
        const ProtobufCEnumDescriptor *values = field->descriptor;
        memcpy(place, &values->values[values->n_values - 1].value, sizeof(int));
        break;
    }
    case PROTOBUF_C_TYPE_BOOL:
        *(bool *)place = true;
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)place = number + 0.1;
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        *(float *)place = (float)number + 0.1f;
        break;
    case PROTOBUF_C_TYPE_STRING: {
        char text[32];
        snprintf(text, sizeof text, "text %u \xc3\xa9", number);
        *(char **)place = strdup(text);
        break;
    }
    case PROTOBUF_C_TYPE_BYTES:
        for (size_t i = 0; i < bytes; i++)
            ((uint8_t *)place)[i] = (uint8_t)(number + 7 * i);
        break;
    default: { /* int32, uint32; int64, uint64 beyond 32 bits */
        uint64_t wide = bytes == 8 ? (1ull << 40) + number : number;
        memcpy(place, &wide, bytes);
    }
    }
}

static inline void sample_array(const Member *member, const ProtobufCFieldDescriptor *field, void *owner,
                                uint32_t *next) {
    int64_t count = SAMPLE_ELEMENTS;
    if (member->sets_count)
        memcpy((char *)owner + member->count_offset, &count, member->count_bytes); /* little-endian machines */
    else
        count = *(int32_t *)((char *)owner + member->count_offset);
    size_t n = (size_t)count * member->per_count;
    size_t bytes = member->of != NULL ? member->of->struct_bytes : field->type == PROTOBUF_C_TYPE_FLOAT ? 4 : 8;
    char *elements = calloc(n, bytes);
    for (size_t i = 0; i < n; i++) {
        if (member->of == NULL) {
            sample_value(field, bytes, elements + i * bytes, next);
            continue;
        }
        if (member->of->is_union) *(RecordKind *)(elements + i * bytes) = (RecordKind)(RECORD_TRAINING + i);
        sample_fill(member->of, elements + i * bytes, next);
    }
    memcpy((char *)owner + member->offset, &elements, sizeof elements);
}

/* Gives every member of the zeroed struct at owner a value other than its neighbours' and other than 0; of a union, the
 * member that its kind names. */
static inline void sample_fill(const Binding *binding, void *owner, uint32_t *next) {
    for (size_t i = 0; i < binding->n_members; i++) {
        const Member *member = &binding->members[i];
        const ProtobufCFieldDescriptor *field = &binding->proto->fields[i];
        char *place = (char *)owner + member->offset;
        if (binding->is_union && field->id != *(uint32_t *)owner) continue;
        if (member->count_bytes > 0)
            sample_array(member, field, owner, next);
        else if (member->of != NULL)
            sample_fill(member->of, place, next);
        else
            sample_value(field, member->bytes, place, next);
    }
}

/* A full record of that kind; all its values depend on start. A header has the schema of this program. */
static inline Record sample_record(RecordKind kind, uint32_t start) {
    Record record = {.kind = kind};
    sample_fill(&record_binding, &record, &start);
    if (kind == RECORD_HEADER) record.of.header.schema = SCHEMA_VERSION;
    return record;
}

static inline Message sample_message(MessageKind kind, uint32_t start) {
    Message message = {.kind = kind};
    sample_fill(&message_binding, &message, &start);
    return message;
}

/* Whether two structs hold the same, bit for bit, behind pointers too. */
static inline bool sample_equal(const Binding *binding, const void *a, const void *b) {
    if (binding->is_union && *(uint32_t *)a != *(uint32_t *)b) return false;
    for (size_t i = 0; i < binding->n_members; i++) {
        const Member *member = &binding->members[i];
        const ProtobufCFieldDescriptor *field = &binding->proto->fields[i];
        const char *in_a = (const char *)a + member->offset, *in_b = (const char *)b + member->offset;
        bool equal = true;
        if (binding->is_union && field->id != *(uint32_t *)a) continue;
        if (member->count_bytes > 0) {
            int64_t count = 0, other = 0;
            memcpy(&count, (const char *)a + member->count_offset, member->count_bytes);
            memcpy(&other, (const char *)b + member->count_offset, member->count_bytes);
            size_t n = (size_t)count * member->per_count;
            size_t bytes = member->of != NULL ? member->of->struct_bytes : field->type == PROTOBUF_C_TYPE_FLOAT ? 4 : 8;
            equal = count == other;
            for (size_t k = 0; equal && k < n; k++) {
                const char *x = *(char *const *)in_a + k * bytes, *y = *(char *const *)in_b + k * bytes;
                equal = member->of != NULL ? sample_equal(member->of, x, y) : memcmp(x, y, bytes) == 0;
            }
        } else if (member->of != NULL) {
            equal = sample_equal(member->of, in_a, in_b);
        } else if (field->type == PROTOBUF_C_TYPE_STRING) {
            equal = strcmp(*(char *const *)in_a, *(char *const *)in_b) == 0;
        } else {
            equal = memcmp(in_a, in_b, member->bytes) == 0;
        }
        if (!equal) {
            print_error("%s.%s differs\n", binding->proto->name, field->name);
            return false;
        }
    }
    return true;
}

#endif
