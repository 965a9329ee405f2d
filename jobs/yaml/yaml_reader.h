/* YAML text to a tree whose nodes know where they were written. The only user of libyaml.
 *
 * A strict subset: one document; no anchors, aliases, tags, merge keys, tabs for indentation or keys that are not
 * scalars; at most 16 levels deep. Scalars keep their text and whether they were quoted; what they mean is the
 * caller's. */
#ifndef JOBS_YAML_YAML_READER_H
#define JOBS_YAML_YAML_READER_H

#include "jobs/yaml/place.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum NodeKind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING } NodeKind;

/* Children of a sequence are its items; of a mapping key, value, key, value, .. where keys are scalars. */
typedef struct YamlNode {
    NodeKind kind;
    bool plain; /* of a scalar: not quoted, not a block */
    Place place;
    int n_children;
    struct YamlNode *first, *last, *next; /* children; next sibling */
    char text[];                          /* of a scalar */
} YamlNode;

/* Reads data; on success *root is the document's node, freed by yaml_node_free. STATUS_DATA with the place of the first
 * thing that is wrong. */
Status yaml_read(const Source *source, const char *data, size_t size, YamlNode **root, Error *err);

/* A node of its own (text of length bytes: of a scalar), for trees that do not come from a file; NULL: no memory. */
YamlNode *yaml_node_create(NodeKind kind, const char *text, size_t length, Place place);
void yaml_node_append(YamlNode *parent, YamlNode *child);
/* Frees a node and everything below; accepts NULL. */
void yaml_node_free(YamlNode *node);

#endif
