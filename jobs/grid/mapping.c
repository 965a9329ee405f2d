/* See mapping.h. */
#include "jobs/grid/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 64 };

static const char *kind_name(const YamlNode *node) {
    if (node->kind == NODE_SCALAR) return node->plain && node->text[0] == '\0' ? "nothing" : "one value";
    return node->kind == NODE_SEQUENCE ? "a list" : "a mapping";
}

Status mapping_wrong_kind(const Reader *reader, const YamlNode *node, const char *key, const char *expected,
                          Error *err) {
    return place_error(reader->source, node->place, err, "%s: expected %s, found %s", key, expected, kind_name(node));
}

Status mapping_read_value(const Reader *reader, const Setting *setting, const YamlNode *node, SettingValue *value,
                          Error *err) {
    char expected[256], quoted[QUOTED_BYTES];
    setting_expected(setting, expected, sizeof expected);
    if (node->kind != NODE_SCALAR) return mapping_wrong_kind(reader, node, setting->key, expected, err);
    bool word = setting->type == SETTING_CHOICE || setting->type == SETTING_SET;
    if (!node->plain && !word)
        return place_error(reader->source, node->place, err, "%s: expected %s, found the quoted text %s", setting->key,
                           expected, words_quote(node->text, quoted));
    Status status = setting_parse(setting, node->text, value, err);
    if (status != STATUS_OK) error_prefix(err, status, "%s", setting->key);
    return place_prefix(reader->source, node->place, status, err);
}

Slot mapping_slot(const Reader *reader, const Walk *walk, const char *key) {
    for (int i = 0; walk->words[i] != NULL; i++)
        if (strcmp(walk->words[i], key) == 0) return AXES_MAX + i;
    return walk->words_only ? -1 : grid_axis(reader->grid, key);
}

bool mapping_is_section(const Reader *reader, const Walk *walk, const char *key) {
    size_t length = strlen(key);
    for (int i = 1; i < reader->grid->n_axes && !walk->words_only; i++) {
        const char *known = reader->grid->axes[i].setting->key;
        if (strncmp(known, key, length) == 0 && known[length] == '.') return true;
    }
    for (int i = 0; walk->words[i] != NULL; i++)
        if (strncmp(walk->words[i], key, length) == 0 && walk->words[i][length] == '.') return true;
    return false;
}

Status mapping_unknown_key(const Reader *reader, const Walk *walk, Place place, const char *section, const char *key,
                           Error *err) {
    Nearest nearest = {0};
    char sections[AXES_MAX][KEY_BYTES];
    for (int i = 0; walk->words[i] != NULL; i++)
        nearest_offer(&nearest, key, walk->words[i], 0, walk->words[i]);
    for (int i = 1; i < reader->grid->n_axes && !walk->words_only; i++) {
        const char *known = reader->grid->axes[i].setting->key;
        snprintf(sections[i], KEY_BYTES, "%.*s", (int)(strrchr(known, '.') - known), known);
        nearest_offer(&nearest, key, sections[i], 0, sections[i]);
    }
    if (!walk->words_only) settings_offer(key, &nearest);

    size_t skipped = *section == '\0' ? 0 : strlen(section) + 1; /* in this section its name goes without saying */
    const char *best = nearest.best;
    if (best != NULL && strncmp(best, key, skipped) == 0) best += skipped;
    char quoted[QUOTED_BYTES];
    return place_error(reader->source, place, err, "unknown key %s%s%s%s%s%s", words_quote(key + skipped, quoted),
                       *section == '\0' ? "" : " in ", section, best == NULL ? "" : "; did you mean '",
                       best == NULL ? "" : best, best == NULL ? "" : "'?");
}

Status mapping_given_twice(const Reader *reader, Place place, Place before, const char *key, Error *err) {
    return place_error(reader->source, place, err, "%s is given twice: first at line %d, column %d", key, before.line,
                       before.column);
}

static Status walk_key(Reader *reader, Walk *walk, const char *section, const YamlNode *key_node, Error *err) {
    const YamlNode *value = key_node->next;
    char *key;
    if (asprintf(&key, "%s%s%s", section, *section == '\0' ? "" : ".", key_node->text) < 0) return out_of_memory(err);
    Status status;
    Slot slot = mapping_slot(reader, walk, key);
    if (mapping_is_section(reader, walk, key) && (slot < 0 || value->kind == NODE_MAPPING)) {
        status = value->kind == NODE_MAPPING ? mapping_read(reader, walk, value, key, err)
                                             : mapping_wrong_kind(reader, value, key, "a mapping of settings", err);
    } else if (slot < 0) {
        status = mapping_unknown_key(reader, walk, key_node->place, section, key, err);
    } else if (place_known(walk->given[slot])) {
        status = mapping_given_twice(reader, key_node->place, walk->given[slot], key, err);
    } else {
        walk->given[slot] = key_node->place;
        status = walk->take(reader, walk, slot, value, err);
    }
    free(key);
    return status;
}

Status mapping_read(Reader *reader, Walk *walk, const YamlNode *mapping, const char *section, Error *err) {
    for (const YamlNode *key = mapping->first; key != NULL; key = key->next->next) {
        /* Few steps: keys before this one are known and different. */
        for (const YamlNode *before = mapping->first; before != key; before = before->next->next)
            if (strcmp(before->text, key->text) == 0)
                return mapping_given_twice(reader, key->place, before->place, key->text, err);
        Status status = walk_key(reader, walk, section, key, err);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

Status mapping_read_list(Reader *reader, const YamlNode *list, const char *key, ReadEntry read, void *context,
                         Error *err) {
    if (list->kind != NODE_SEQUENCE) return mapping_wrong_kind(reader, list, key, "a list of mappings", err);
    if (list->first == NULL) return place_error(reader->source, list->place, err, "%s: an empty list", key);
    int64_t entry = 0;
    for (const YamlNode *item = list->first; item != NULL; item = item->next, entry++) {
        if (item->kind != NODE_MAPPING) return mapping_wrong_kind(reader, item, key, "a mapping", err);
        if (item->first == NULL) return place_error(reader->source, item->place, err, "%s: an empty mapping", key);
        Status status = read(reader, context, entry, item, err);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}
