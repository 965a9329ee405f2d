/* The three walks over a Binding: struct to bytes, bytes to struct, free.
 *
 * Encoding builds protobuf-c's own structs, which borrow strings and arrays from ours, and packs them; decoding unpacks
 * and moves strings and arrays over, so that a model's parameters are copied once, by memcpy, either way. */
#include "proto/wire/binding.h"

#include "proto/base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 1000 }; /* more are damage */

/* Pointers live in structs under their own types; memcpy reads and writes them whatever these are. */
static void *load_pointer(const void *place) {
    void *pointer;
    memcpy(&pointer, place, sizeof pointer);
    return pointer;
}

static void store_pointer(void *place, const void *pointer) {
    memcpy(place, &pointer, sizeof pointer);
}

static int64_t load_count(const Member *member, const char *owner) {
    int64_t count = 0;
    if (member->count_bytes == sizeof count) {
        memcpy(&count, owner + member->count_offset, sizeof count);
    } else {
        int32_t narrow;
        memcpy(&narrow, owner + member->count_offset, sizeof narrow);
        count = narrow;
    }
    return count;
}

static void store_count(const Member *member, char *owner, int64_t count) {
    int32_t narrow = (int32_t)count;
    memcpy(owner + member->count_offset, member->count_bytes == sizeof count ? (void *)&count : (void *)&narrow,
           member->count_bytes);
}

/* Rows of an array of rows beyond, or when negative short of, those that this version knows. */
static int32_t load_more(const Member *member, const char *owner) {
    int32_t more = 0;
    if (member->has_rows) memcpy(&more, owner + member->more_offset, sizeof more);
    return more;
}

static uint32_t load_kind(const Binding *binding, const void *owner) {
    uint32_t kind = 0;
    if (binding->is_union) memcpy(&kind, owner, sizeof kind);
    return kind;
}

static bool enum_is_known(const ProtobufCFieldDescriptor *field, int value) {
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(field->descriptor, value);
    return known != NULL && strstr(known->name, "_UNSPECIFIED") == NULL;
}

/* --- struct to bytes -------------------------------------------------------------------------------------------- */

/* What a message under construction is made of, freed as a whole. */
typedef struct Block {
    struct Block *next;
    _Alignas(max_align_t) unsigned char data[];
} Block;

static void *take_block(Block **blocks, size_t bytes) {
    Block *block = calloc(1, sizeof *block + bytes);
    if (block == NULL) return NULL;
    block->next = *blocks;
    *blocks = block;
    return block->data;
}

static void free_blocks(Block *block) {
    while (block != NULL) {
        Block *next = block->next;
        free(block);
        block = next;
    }
}

/* text ("" for NULL), or where it is not UTF-8, which other languages' protobuf refuses, a copy with '?' for each bad
 * byte. NULL: no memory. */
static const char *wire_text(const char *text, Block **blocks) {
    if (text == NULL) return "";
    size_t good = 0, bytes;
    while (text[good] != '\0' && (bytes = text_character(text + good)) > 0)
        good += bytes;
    if (text[good] == '\0') return text;
    size_t size = strlen(text) + 1;
    char *copy = take_block(blocks, size);
    if (copy == NULL) return NULL;
    memcpy(copy, text, size);
    while (copy[good] != '\0') {
        bytes = text_character(copy + good);
        if (bytes == 0) copy[good] = '?';
        good += bytes > 0 ? bytes : 1;
    }
    return copy;
}

static ProtobufCMessage *build_message(const Binding *binding, const void *from, Block **blocks);

static bool build_array(const Member *member, const char *from, size_t *n, void *target, Block **blocks) {
    const char *elements = load_pointer(from + member->offset);
    int64_t count = load_count(member, from);
    assert(count >= 0 && (uint64_t)count <= member->most);
    *n = (size_t)count * (member->per_count + (size_t)load_more(member, from));
    if (member->of == NULL || *n == 0) {
        store_pointer(target, *n == 0 ? NULL : elements);
        return true;
    }
    ProtobufCMessage **messages = take_block(blocks, *n * sizeof *messages);
    if (messages == NULL) return false;
    for (size_t i = 0; i < *n; i++) {
        messages[i] = build_message(member->of, elements + i * member->of->struct_bytes, blocks);
        if (messages[i] == NULL) return false;
    }
    store_pointer(target, messages);
    return true;
}

static bool build_value(const Member *member, const ProtobufCFieldDescriptor *field, const char *source, void *target,
                        Block **blocks) {
    int value = 0;
    bool flag;
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE: {
        ProtobufCMessage *message = build_message(member->of, source, blocks);
        store_pointer(target, message);
        return message != NULL;
    }
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = wire_text(load_pointer(source), blocks);
        store_pointer(target, text);
        return text != NULL;
    }
    case PROTOBUF_C_TYPE_BYTES:
        *(ProtobufCBinaryData *)target = (ProtobufCBinaryData){.len = member->bytes, .data = (uint8_t *)source};
        return true;
    case PROTOBUF_C_TYPE_BOOL:
        memcpy(&flag, source, sizeof flag);
        *(protobuf_c_boolean *)target = flag;
        return true;
    case PROTOBUF_C_TYPE_ENUM:
        memcpy(&value, source, sizeof value);
        assert(enum_is_known(field, value));
        break;
    default:
        break;
    }
    memcpy(target, source, member->bytes);
    return true;
}

/* protobuf-c's form of the struct at from, made of blocks; NULL: no memory. */
static ProtobufCMessage *build_message(const Binding *binding, const void *from, Block **blocks) {
    char *message = take_block(blocks, binding->proto->sizeof_message);
    if (message == NULL) return NULL;
    protobuf_c_message_init(binding->proto, message);
    uint32_t kind = load_kind(binding, from);
    bool found = !binding->is_union;
    for (size_t i = 0; i < binding->n_members; i++) {
        const ProtobufCFieldDescriptor *field = &binding->proto->fields[i];
        const Member *member = &binding->members[i];
        if (binding->is_union) {
            if (field->id != kind) continue;
            memcpy(message + field->quantifier_offset, &kind, sizeof kind);
            found = true;
        }
        void *target = message + field->offset;
        size_t *n = (size_t *)(message + field->quantifier_offset);
        if (!(member->count_bytes > 0
                  ? build_array(member, from, n, target, blocks)
                  : build_value(member, field, (const char *)from + member->offset, target, blocks)))
            return NULL;
    }
    assert(found);
    (void)found;
    return (ProtobufCMessage *)message;
}

Status binding_encode(const Binding *binding, const void *from, uint8_t **data, size_t *size, Error *err) {
    Block *blocks = NULL;
    Status status = STATUS_OK;
    uint8_t *packed = NULL;
    size_t packed_bytes = 0;
    const ProtobufCMessage *message = build_message(binding, from, &blocks);
    if (message != NULL) {
        packed_bytes = protobuf_c_message_get_packed_size(message);
        if (packed_bytes > INT32_MAX) {
            status = error_set(err, STATUS_DATA, "a %s of %zu bytes is beyond the limit of 2 GiB",
                               binding->proto->short_name, packed_bytes);
            goto cleanup;
        }
        packed = malloc(packed_bytes + 1); /* + 1: an empty message is no failed allocation */
    }
    if (packed == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "no memory to encode a %s", binding->proto->short_name);
        goto cleanup;
    }
    protobuf_c_message_pack(message, packed);
    *data = packed;
    *size = packed_bytes;
cleanup:
    free_blocks(blocks);
    return status;
}

/* --- bytes to struct -------------------------------------------------------------------------------------------- */

/* protobuf-c allocates through these, so that lack of memory can be told from damaged bytes. */
static void *allocate(void *exhausted, size_t bytes) {
    void *block = malloc(bytes);
    if (block == NULL) *(bool *)exhausted = true;
    return block;
}

static void release(void *exhausted, void *block) {
    free(block);
}

static Status move_message(const Binding *binding, void *message, void *to, Error *err);

/* Takes the number of rows from an array's length. */
static Status set_rows(const Member *member, size_t n, int64_t count, char *to, Error *err) {
    if (count == 0 ? n > 0 : n % (size_t)count != 0)
        return error_set(err, STATUS_DATA, "has %zu elements, expected rows of %" PRId64, n, count);
    size_t rows = count == 0 ? member->per_count : n / (size_t)count;
    if (rows < 1 || rows > MOST_ROWS)
        return error_set(err, STATUS_DATA, "has %zu rows, expected 1 to %d", rows, MOST_ROWS);
    int32_t more = (int32_t)rows - (int32_t)member->per_count;
    memcpy(to + member->more_offset, &more, sizeof more);
    return STATUS_OK;
}

static Status move_array(const Member *member, size_t *n, void *source, char *to, Error *err) {
    if (member->sets_count) {
        if (*n > member->most)
            return error_set(err, STATUS_DATA, "has %zu elements, expected at most %zu", *n, member->most);
        store_count(member, to, (int64_t)*n);
    }
    int64_t count = load_count(member, to);
    if (count < 0 || (uint64_t)count > member->most)
        return error_set(err, STATUS_DATA, "a count of %" PRId64 " is outside 0 to %zu", count, member->most);
    Status status = member->sets_rows ? set_rows(member, *n, count, to, err) : STATUS_OK;
    if (status != STATUS_OK) return status;
    size_t expected = (size_t)count * (member->per_count + (size_t)load_more(member, to));
    if (*n != expected) return error_set(err, STATUS_DATA, "has %zu elements, expected %zu", *n, expected);
    if (member->of == NULL) {
        store_pointer(to + member->offset, load_pointer(source));
        store_pointer(source, NULL);
        *n = 0;
        return STATUS_OK;
    }
    if (count == 0) return STATUS_OK;
    char *elements = calloc((size_t)count, member->of->struct_bytes);
    if (elements == NULL) {
        store_count(member, to, 0);
        return error_set(err, STATUS_NO_MEMORY, "no memory for %" PRId64 " elements", count);
    }
    store_pointer(to + member->offset, elements);
    void **messages = load_pointer(source);
    for (size_t i = 0; i < *n; i++) {
        status = move_message(member->of, messages[i], elements + i * member->of->struct_bytes, err);
        if (status != STATUS_OK) return error_prefix(err, status, "element %zu", i);
    }
    return STATUS_OK;
}

static Status move_value(const Member *member, const ProtobufCFieldDescriptor *field, void *source, char *target,
                         Error *err) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE: {
        void *message = load_pointer(source);
        if (message == NULL && member->may_be_absent) return STATUS_OK;
        if (message == NULL) return error_set(err, STATUS_DATA, "is missing");
        return move_message(member->of, message, target, err);
    }
    case PROTOBUF_C_TYPE_STRING: {
        char *text = load_pointer(source);
        const char *at = text != NULL ? text : "";
        for (size_t bytes; (bytes = text_character(at)) > 0;)
            at += bytes;
        if (*at != '\0') return error_set(err, STATUS_DATA, "byte %zu is not UTF-8", (size_t)(at - text));
        if (text == NULL || text == field->default_value) {
            text = calloc(1, 1);
            if (text == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for a text");
        }
        store_pointer(target, text);
        store_pointer(source, field->default_value);
        return STATUS_OK;
    }
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *bytes = source;
        if (bytes->len != member->bytes)
            return error_set(err, STATUS_DATA, "has %zu bytes, expected %zu", bytes->len, member->bytes);
        memcpy(target, bytes->data, member->bytes);
        return STATUS_OK;
    }
    case PROTOBUF_C_TYPE_BOOL: {
        bool flag = *(const protobuf_c_boolean *)source != 0;
        memcpy(target, &flag, sizeof flag);
        return STATUS_OK;
    }
    case PROTOBUF_C_TYPE_ENUM: {
        int value;
        memcpy(&value, source, sizeof value);
        if (!enum_is_known(field, value))
            return error_set(err, STATUS_DATA, "%d is no %s that this version knows", value,
                             ((const ProtobufCEnumDescriptor *)field->descriptor)->short_name);
        break;
    }
    default:
        break;
    }
    memcpy(target, source, member->bytes);
    return STATUS_OK;
}

/* Moves what message holds to the zeroed struct at to, which binding_free frees also after a failure. */
static Status move_message(const Binding *binding, void *message, void *to, Error *err) {
    uint32_t kind = 0;
    for (size_t i = 0; i < binding->n_members; i++) {
        const ProtobufCFieldDescriptor *field = &binding->proto->fields[i];
        const Member *member = &binding->members[i];
        char *quantifier = (char *)message + field->quantifier_offset, *source = (char *)message + field->offset;
        if (binding->is_union) {
            memcpy(&kind, quantifier, sizeof kind);
            if (field->id != kind) continue;
            memcpy(to, &kind, sizeof kind);
        }
        Status status = member->count_bytes > 0 ? move_array(member, (size_t *)quantifier, source, to, err)
                                                : move_value(member, field, source, (char *)to + member->offset, err);
        if (status != STATUS_OK) return error_prefix(err, status, "%s", field->name);
    }
    if (binding->is_union && kind == 0)
        return error_set(err, STATUS_DATA, "the kind of %s is none that this version knows",
                         binding->proto->short_name);
    return STATUS_OK;
}

Status binding_decode(const Binding *binding, const uint8_t *data, size_t size, void *to, Error *err) {
    memset(to, 0, binding->struct_bytes);
    bool exhausted = false;
    ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = &exhausted};
    ProtobufCMessage *message = protobuf_c_message_unpack(binding->proto, &allocator, size, data);
    if (message == NULL && exhausted)
        return error_set(err, STATUS_NO_MEMORY, "no memory to decode a %s of %zu bytes", binding->proto->short_name,
                         size);
    if (message == NULL)
        return error_set(err, STATUS_DATA, "%zu bytes are no protobuf message of type %s", size, binding->proto->name);
    Status status = move_message(binding, message, to, err);
    protobuf_c_message_free_unpacked(message, &allocator);
    if (status != STATUS_OK) binding_free(binding, to);
    return status;
}

/* --- free ------------------------------------------------------------------------------------------------------- */

void binding_free(const Binding *binding, void *owner) {
    uint32_t kind = load_kind(binding, owner);
    for (size_t i = 0; i < binding->n_members; i++) {
        const ProtobufCFieldDescriptor *field = &binding->proto->fields[i];
        const Member *member = &binding->members[i];
        char *place = (char *)owner + member->offset;
        if (binding->is_union && field->id != kind) continue;
        if (member->count_bytes > 0) {
            char *elements = load_pointer(place);
            int64_t count = member->of != NULL && elements != NULL ? load_count(member, owner) : 0;
            for (int64_t k = 0; k < count; k++)
                binding_free(member->of, elements + (size_t)k * member->of->struct_bytes);
            free(elements);
        } else if (field->type == PROTOBUF_C_TYPE_STRING) {
            free(load_pointer(place));
        } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
            binding_free(member->of, place);
        }
    }
    memset(owner, 0, binding->struct_bytes);
}
