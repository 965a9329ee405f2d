/* See yaml_reader.h. libyaml's events are put together by a stack of open sequences and mappings. */
#include "jobs/yaml/yaml_reader.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { LEVELS_MAX = 16 };

YamlNode *yaml_node_create(NodeKind kind, const char *text, size_t length, Place place) {
    YamlNode *node = malloc(sizeof *node + length + 1);
    if (node == NULL) return NULL;
    *node = (YamlNode){.kind = kind, .plain = true, .place = place};
    memcpy(node->text, text, length);
    node->text[length] = '\0';
    return node;
}

void yaml_node_append(YamlNode *parent, YamlNode *child) {
    if (parent->last == NULL)
        parent->first = child;
    else
        parent->last->next = child;
    parent->last = child;
    parent->n_children++;
}

void yaml_node_free(YamlNode *node) {
    if (node == NULL) return;
    for (YamlNode *child = node->first, *next; child != NULL; child = next) {
        next = child->next;
        yaml_node_free(child); /* at most LEVELS_MAX deep */
    }
    free(node);
}

static Place place_of(yaml_mark_t mark) {
    return (Place){.line = (int)mark.line + 1, .column = (int)mark.column + 1};
}

/* Place of a byte; columns count characters, as libyaml's do. */
static Place place_of_offset(const char *data, size_t offset) {
    Place place = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset; i++) {
        if (data[i] == '\n')
            place = (Place){.line = place.line + 1, .column = 1};
        else if (((unsigned char)data[i] & 0xc0) != 0x80)
            place.column++;
    }
    return place;
}

static Status parser_error(const yaml_parser_t *parser, const Source *source, const char *data, size_t size,
                           Error *err) {
    if (parser->error == YAML_MEMORY_ERROR) return out_of_memory(err);
    const char *problem = parser->problem == NULL ? "unreadable" : parser->problem;
    if (parser->error == YAML_READER_ERROR) {
        size_t offset = parser->problem_offset < size ? parser->problem_offset : size;
        return place_error(source, place_of_offset(data, offset), err, "not text in UTF-8: %s", problem);
    }
    return place_error(source, place_of(parser->problem_mark), err, "not valid YAML: %s%s%s", problem,
                       parser->context == NULL ? "" : " ", parser->context == NULL ? "" : parser->context);
}

/* A tab in front of a line's first word: YAML forbids it for indentation, and libyaml's message does not say so. */
static Status check_tabs(const Source *source, const char *data, size_t size, Error *err) {
    bool indenting = true;
    for (size_t i = 0; i < size; i++) {
        if (indenting && data[i] == '\t')
            return place_error(source, place_of_offset(data, i), err, "a tab: lines are indented by spaces");
        indenting = data[i] == '\n' || (indenting && data[i] == ' ');
    }
    return STATUS_OK;
}

/* The tree while it is being put together. */
typedef struct Builder {
    const Source *source;
    YamlNode *root;
    YamlNode *open[LEVELS_MAX]; /* sequences and mappings not yet ended, outermost first */
    int n_open;
    int n_documents;
} Builder;

static Status check_plainness(const Source *source, Place place, const yaml_char_t *anchor, const yaml_char_t *tag,
                              Error *err) {
    if (anchor != NULL) return place_error(source, place, err, "anchors (&name) are not allowed in a job file");
    if (tag != NULL) return place_error(source, place, err, "tags (!name) are not allowed in a job file");
    return STATUS_OK;
}

/* Puts a node where the document stands. */
static Status add_node(Builder *builder, NodeKind kind, const char *text, size_t length, bool plain, Place place,
                       Error *err) {
    YamlNode *parent = builder->n_open > 0 ? builder->open[builder->n_open - 1] : NULL;
    bool is_key = parent != NULL && parent->kind == NODE_MAPPING && parent->n_children % 2 == 0;
    if (is_key && kind != NODE_SCALAR) return place_error(builder->source, place, err, "expected a key");
    if (is_key && plain && strcmp(text, "<<") == 0)
        return place_error(builder->source, place, err, "merge keys (<<) are not allowed in a job file");
    if (strlen(text) != length) return place_error(builder->source, place, err, "a NUL character in a text");
    if (kind != NODE_SCALAR && builder->n_open == LEVELS_MAX)
        return place_error(builder->source, place, err, "nested deeper than %d levels", LEVELS_MAX);
    YamlNode *node = yaml_node_create(kind, text, length, place);
    if (node == NULL) return out_of_memory(err);
    node->plain = plain;
    if (parent != NULL)
        yaml_node_append(parent, node);
    else
        builder->root = node;
    if (kind != NODE_SCALAR) builder->open[builder->n_open++] = node;
    return STATUS_OK;
}

static Status take_event(Builder *builder, const yaml_event_t *event, Error *err) {
    Place place = place_of(event->start_mark);
    Status status;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (builder->n_documents++ > 0)
            return place_error(builder->source, place, err, "a second document: a job file holds one");
        return STATUS_OK;
    case YAML_ALIAS_EVENT:
        return place_error(builder->source, place, err, "aliases (*name) are not allowed in a job file");
    case YAML_SCALAR_EVENT:
        status = check_plainness(builder->source, place, event->data.scalar.anchor, event->data.scalar.tag, err);
        if (status != STATUS_OK) return status;
        return add_node(builder, NODE_SCALAR, (const char *)event->data.scalar.value, event->data.scalar.length,
                        event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE, place, err);
    case YAML_SEQUENCE_START_EVENT:
        status = check_plainness(builder->source, place, event->data.sequence_start.anchor,
                                 event->data.sequence_start.tag, err);
        return status != STATUS_OK ? status : add_node(builder, NODE_SEQUENCE, "", 0, false, place, err);
    case YAML_MAPPING_START_EVENT:
        status = check_plainness(builder->source, place, event->data.mapping_start.anchor,
                                 event->data.mapping_start.tag, err);
        return status != STATUS_OK ? status : add_node(builder, NODE_MAPPING, "", 0, false, place, err);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        builder->n_open--;
        return STATUS_OK;
    default: /* start and end of the stream, end of a document */
        return STATUS_OK;
    }
}

Status yaml_read(const Source *source, const char *data, size_t size, YamlNode **root, Error *err) {
    static const char MARK[] = "\xef\xbb\xbf"; /* of Unicode, put in front by some editors */
    if (size >= 3 && memcmp(data, MARK, 3) == 0) {
        data += 3;
        size -= 3;
    }
    Status status = check_tabs(source, data, size, err);
    if (status != STATUS_OK) return status;
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return out_of_memory(err);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)data, size);

    Builder builder = {.source = source};
    bool ended = false;
    while (status == STATUS_OK && !ended) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            status = parser_error(&parser, source, data, size, err);
            break;
        }
        ended = event.type == YAML_STREAM_END_EVENT;
        status = take_event(&builder, &event, err);
        yaml_event_delete(&event);
    }
    if (status == STATUS_OK && builder.root == NULL)
        status = place_error(source, (Place){.line = 1, .column = 1}, err, "nothing here: expected a job, or {}");
    yaml_parser_delete(&parser);
    if (status != STATUS_OK) {
        yaml_node_free(builder.root);
        builder.root = NULL;
    }
    *root = builder.root;
    return status;
}
