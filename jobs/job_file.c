/* See job_file.h. One walk reads the file, each entry of zip and exclude, and (one key at a time) the overrides; they
 * differ in the keys that are allowed beside the table's and in what is done with a value. */
#include "jobs/job_file.h"

#include "jobs/yaml_reader.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 64, LIST_KEYS_MAX = 8 };

/* A known key: an axis, or AXES_MAX + its number among Walk.keys. */
typedef int Slot;

typedef struct Reader {
    const Source *source;
    Grid *grid;
    char *name; /* (JOB_NAME_BYTES) */
} Reader;

typedef struct Walk Walk;
typedef Status (*TakeValue)(Reader *reader, Walk *walk, Slot slot, const YamlNode *value, Error *err);
struct Walk {
    const char *const *keys; /* besides the table's; ends with NULL */
    TakeValue take;
    Place given[AXES_MAX + LIST_KEYS_MAX]; /* where each slot was given */
    int64_t entry;                         /* of zip: number of the mapping in the list */
    Exclusion *exclusion;                  /* of exclude: the one being read */
};

static const char *const job_keys[] = {"name", "seeds", "seeds.first", "seeds.count", "zip", "exclude", NULL};
enum { SLOT_NAME = AXES_MAX, SLOT_SEEDS, SLOT_SEEDS_FIRST, SLOT_SEEDS_COUNT, SLOT_ZIP, SLOT_EXCLUDE };
static const char *const zip_keys[] = {NULL};
static const char *const exclude_keys[] = {"seed", NULL};
enum { SLOT_SEED = AXES_MAX };

/* Seeds are no settings, but read like them. */
static const Setting seed_setting = {.key = "seeds", .type = SETTING_INTEGER, .maximum = UINT32_MAX};
static const Setting count_setting = {
    .key = "seeds.count", .type = SETTING_INTEGER, .minimum = 1, .maximum = SEEDS_MAX};

/* --- single values ----------------------------------------------------------------------------------------------- */

static const char *kind_name(const YamlNode *node) {
    if (node->kind == NODE_SCALAR) return node->plain && node->text[0] == '\0' ? "nothing" : "one value";
    return node->kind == NODE_SEQUENCE ? "a list" : "a mapping";
}

static Status wrong_kind(const Reader *reader, const YamlNode *node, const char *key, const char *expected,
                         Error *err) {
    return place_error(reader->source, node->place, err, "%s: expected %s, found %s", key, expected, kind_name(node));
}

static Status read_value(const Reader *reader, const Setting *setting, const YamlNode *node, SettingValue *value,
                         Error *err) {
    char expected[256], quoted[QUOTED_BYTES];
    setting_expected(setting, expected, sizeof expected);
    if (node->kind != NODE_SCALAR) return wrong_kind(reader, node, setting->key, expected, err);
    bool word = setting->type == SETTING_CHOICE || setting->type == SETTING_SET;
    if (!node->plain && !word)
        return place_error(reader->source, node->place, err, "%s: expected %s, found the quoted text %s", setting->key,
                           expected, words_quote(node->text, quoted));
    Status status = setting_parse(setting, node->text, value, err);
    if (status != STATUS_OK) error_prefix(err, status, "%s", setting->key);
    return place_prefix(reader->source, node->place, status, err);
}

static int by_value(const void *a, const void *b) {
    const AxisValue *left = a, *right = b;
    if (left->value != right->value) return left->value < right->value ? -1 : 1;
    if (left->place.line != right->place.line) return left->place.line < right->place.line ? -1 : 1;
    return (left->place.column > right->place.column) - (left->place.column < right->place.column);
}

static Status check_different(const Reader *reader, const Axis *axis, const Setting *setting, Error *err) {
    AxisValue *sorted = malloc((size_t)axis->count * sizeof *sorted);
    if (sorted == NULL) return out_of_memory(err);
    memcpy(sorted, axis->values, (size_t)axis->count * sizeof *sorted);
    qsort(sorted, (size_t)axis->count, sizeof *sorted, by_value);
    Status status = STATUS_OK;
    for (int64_t i = 1; i < axis->count && status == STATUS_OK; i++) {
        char text[64];
        if (sorted[i].value == sorted[i - 1].value)
            status = place_error(reader->source, sorted[i].place, err, "%s: %s is in the list twice", setting->key,
                                 setting_format(setting, sorted[i].value, text, sizeof text));
    }
    free(sorted);
    return status;
}

/* One value or a list of different ones. */
static Status read_list(const Reader *reader, Axis *axis, const Setting *setting, const YamlNode *node, Error *err) {
    axis_clear(axis);
    SettingValue value;
    if (node->kind != NODE_SEQUENCE) {
        Status status = read_value(reader, setting, node, &value, err);
        return status != STATUS_OK ? status : axis_append(axis, value, node->place, err);
    }
    if (node->first == NULL) return place_error(reader->source, node->place, err, "%s: an empty list", setting->key);
    for (const YamlNode *item = node->first; item != NULL; item = item->next) {
        Status status = read_value(reader, setting, item, &value, err);
        if (status == STATUS_OK) status = axis_append(axis, value, item->place, err);
        if (status != STATUS_OK) return status;
    }
    return check_different(reader, axis, setting, err);
}

/* A list that is one value: a set. */
static Status read_set(const Reader *reader, Axis *axis, const YamlNode *node, Error *err) {
    axis_clear(axis);
    if (node->kind != NODE_SEQUENCE) return read_list(reader, axis, axis->setting, node, err);
    uint32_t bits = 0;
    for (const YamlNode *item = node->first; item != NULL; item = item->next) {
        SettingValue bit;
        Status status = read_value(reader, axis->setting, item, &bit, err);
        if (status != STATUS_OK) return status;
        if ((bits & (uint32_t)bit) != 0)
            return place_error(reader->source, item->place, err, "%s: %s is in the list twice", axis->setting->key,
                               item->text);
        bits |= (uint32_t)bit;
    }
    return axis_append(axis, bits, node->place, err);
}

static Status read_axis(const Reader *reader, Axis *axis, const YamlNode *node, Error *err) {
    axis->given = node->place;
    if (axis->setting->type == SETTING_SET) return read_set(reader, axis, node, err);
    if (node->kind == NODE_SEQUENCE && axis->setting->role != ROLE_TRAINING && axis->setting->role != ROLE_CRITIC)
        return wrong_kind(reader, node, axis->setting->key, "one value for the whole job", err);
    return read_list(reader, axis, axis->setting, node, err);
}

bool job_name_allowed(const char *text) {
    size_t length = strnlen(text, JOB_NAME_BYTES);
    if (length == 0 || length == JOB_NAME_BYTES || !isalnum((unsigned char)text[0])) return false;
    for (const char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("-_.", *c) == NULL) return false;
    return true;
}

static Status read_name(const Reader *reader, const YamlNode *node, Error *err) {
    char quoted[QUOTED_BYTES];
    if (node->kind != NODE_SCALAR) return wrong_kind(reader, node, "name", "a word", err);
    if (!job_name_allowed(node->text))
        return place_error(reader->source, node->place, err,
                           "name: expected at most %d letters, digits, '-', '_' and '.', starting with a letter or "
                           "digit, found %s",
                           JOB_NAME_BYTES - 1, words_quote(node->text, quoted));
    strcpy(reader->name, node->text);
    return STATUS_OK;
}

static Status read_seeds(const Reader *reader, Walk *walk, Slot slot, const YamlNode *node, Error *err) {
    Axis *axis = &reader->grid->axes[SEED_AXIS];
    bool whole = slot == SLOT_SEEDS, overrides = node->place.option > 0;
    bool parts_given = place_known(walk->given[SLOT_SEEDS_FIRST]) || place_known(walk->given[SLOT_SEEDS_COUNT]);
    if (whole ? parts_given && !overrides : axis->values != NULL)
        return place_error(reader->source, node->place, err,
                           "seeds are given as a list or number and as first and count: expected one of the two");
    axis->given = node->place;
    if (whole) return read_list(reader, axis, &seed_setting, node, err);
    SettingValue value;
    Status status = read_value(reader, slot == SLOT_SEEDS_COUNT ? &count_setting : &seed_setting, node, &value, err);
    if (status != STATUS_OK) return status;
    if (slot == SLOT_SEEDS_COUNT)
        axis->count = (int64_t)value;
    else
        axis->first = (uint32_t)value;
    return STATUS_OK;
}

/* --- mappings ---------------------------------------------------------------------------------------------------- */

static Slot find_slot(const Reader *reader, const Walk *walk, const char *key) {
    for (int i = 0; walk->keys[i] != NULL; i++)
        if (strcmp(walk->keys[i], key) == 0) return AXES_MAX + i;
    return grid_axis(reader->grid, key);
}

/* Whether keys of the table or of the walk lie in a section: "model", "evaluate", "evaluate.critic", "seeds". */
static bool is_section(const Reader *reader, const Walk *walk, const char *key) {
    size_t length = strlen(key);
    for (int i = 1; i < reader->grid->n_axes; i++) {
        const char *known = reader->grid->axes[i].setting->key;
        if (strncmp(known, key, length) == 0 && known[length] == '.') return true;
    }
    for (int i = 0; walk->keys[i] != NULL; i++)
        if (strncmp(walk->keys[i], key, length) == 0 && walk->keys[i][length] == '.') return true;
    return false;
}

/* section: "" at the top; key: the whole key, section included. */
static Status unknown_key(const Reader *reader, const Walk *walk, Place place, const char *section, const char *key,
                          Error *err) {
    Nearest nearest = {0};
    char sections[AXES_MAX][KEY_BYTES];
    for (int i = 0; walk->keys[i] != NULL; i++)
        nearest_offer(&nearest, key, walk->keys[i], 0, walk->keys[i]);
    for (int i = 1; i < reader->grid->n_axes; i++) {
        const char *known = reader->grid->axes[i].setting->key;
        snprintf(sections[i], KEY_BYTES, "%.*s", (int)(strrchr(known, '.') - known), known);
        nearest_offer(&nearest, key, sections[i], 0, sections[i]);
    }
    settings_offer(key, &nearest);

    size_t skipped = *section == '\0' ? 0 : strlen(section) + 1; /* in this section its name goes without saying */
    const char *best = nearest.best;
    if (best != NULL && strncmp(best, key, skipped) == 0) best += skipped;
    char quoted[QUOTED_BYTES];
    return place_error(reader->source, place, err, "unknown key %s%s%s%s%s%s", words_quote(key + skipped, quoted),
                       *section == '\0' ? "" : " in ", section, best == NULL ? "" : "; did you mean '",
                       best == NULL ? "" : best, best == NULL ? "" : "'?");
}

static Status given_twice(const Reader *reader, Place place, Place before, const char *key, Error *err) {
    return place_error(reader->source, place, err, "%s is given twice: first at line %d, column %d", key, before.line,
                       before.column);
}

static Status walk_mapping(Reader *reader, Walk *walk, const YamlNode *mapping, const char *section, Error *err);

static Status walk_key(Reader *reader, Walk *walk, const char *section, const YamlNode *key_node, Error *err) {
    const YamlNode *value = key_node->next;
    char *key;
    if (asprintf(&key, "%s%s%s", section, *section == '\0' ? "" : ".", key_node->text) < 0) return out_of_memory(err);
    Status status;
    Slot slot = find_slot(reader, walk, key);
    if (is_section(reader, walk, key) && (slot < 0 || value->kind == NODE_MAPPING)) {
        status = value->kind == NODE_MAPPING ? walk_mapping(reader, walk, value, key, err)
                                             : wrong_kind(reader, value, key, "a mapping of settings", err);
    } else if (slot < 0) {
        status = unknown_key(reader, walk, key_node->place, section, key, err);
    } else if (place_known(walk->given[slot])) {
        status = given_twice(reader, key_node->place, walk->given[slot], key, err);
    } else {
        walk->given[slot] = key_node->place;
        status = walk->take(reader, walk, slot, value, err);
    }
    free(key);
    return status;
}

static Status walk_mapping(Reader *reader, Walk *walk, const YamlNode *mapping, const char *section, Error *err) {
    for (const YamlNode *key = mapping->first; key != NULL; key = key->next->next) {
        /* Few steps: keys before this one are known and different. */
        for (const YamlNode *before = mapping->first; before != key; before = before->next->next)
            if (strcmp(before->text, key->text) == 0)
                return given_twice(reader, key->place, before->place, key->text, err);
        Status status = walk_key(reader, walk, section, key, err);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* --- zip and exclude --------------------------------------------------------------------------------------------- */

static Status take_linked(Reader *reader, Walk *walk, Slot slot, const YamlNode *value, Error *err) {
    Axis *axis = &reader->grid->axes[slot];
    const char *key = axis->setting->key;
    if (axis->setting->role != ROLE_TRAINING)
        return place_error(reader->source, walk->given[slot], err, "%s cannot be linked: only training settings can",
                           key);
    if (walk->entry == 0) {
        axis_clear(axis);
        axis->linked = true;
        axis->given = walk->given[slot];
    } else if (!axis->linked) {
        return place_error(reader->source, walk->given[slot], err,
                           "%s is not in the first mapping of zip: expected the same keys in each", key);
    }
    SettingValue one;
    Status status = read_value(reader, axis->setting, value, &one, err);
    return status != STATUS_OK ? status : axis_append(axis, one, value->place, err);
}

static int by_linked_values(const void *a, const void *b, void *context) {
    const Grid *grid = context;
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    for (int i = 1; i < grid->n_axes; i++) {
        const Axis *axis = &grid->axes[i];
        if (!axis->linked || axis->values[left].value == axis->values[right].value) continue;
        return axis->values[left].value < axis->values[right].value ? -1 : 1;
    }
    return 0;
}

static Status check_different_entries(const Reader *reader, int64_t count, Error *err) {
    int64_t *order = malloc((size_t)count * sizeof *order);
    if (order == NULL) return out_of_memory(err);
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, (size_t)count, sizeof *order, by_linked_values, reader->grid);
    Status status = STATUS_OK;
    for (int64_t i = 1; i < count && status == STATUS_OK; i++) {
        if (by_linked_values(&order[i - 1], &order[i], reader->grid) != 0) continue;
        int64_t later = order[i] > order[i - 1] ? order[i] : order[i - 1];
        for (int a = 1; a < reader->grid->n_axes && status == STATUS_OK; a++)
            if (reader->grid->axes[a].linked)
                status = place_error(reader->source, reader->grid->axes[a].values[later].place, err,
                                     "this mapping of zip is in the list twice");
    }
    free(order);
    return status;
}

/* Checks that a list of mappings is one, and calls read for each. */
static Status read_mappings(Reader *reader, const YamlNode *list, const char *key,
                            Status (*read)(Reader *reader, int64_t entry, const YamlNode *mapping, Error *err),
                            Error *err) {
    if (list->kind != NODE_SEQUENCE) return wrong_kind(reader, list, key, "a list of mappings", err);
    if (list->first == NULL) return place_error(reader->source, list->place, err, "%s: an empty list", key);
    int64_t entry = 0;
    for (const YamlNode *item = list->first; item != NULL; item = item->next, entry++) {
        if (item->kind != NODE_MAPPING) return wrong_kind(reader, item, key, "a mapping", err);
        if (item->first == NULL) return place_error(reader->source, item->place, err, "%s: an empty mapping", key);
        Status status = read(reader, entry, item, err);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static Status read_zip_entry(Reader *reader, int64_t entry, const YamlNode *mapping, Error *err) {
    Walk walk = {.keys = zip_keys, .take = take_linked, .entry = entry};
    Status status = walk_mapping(reader, &walk, mapping, "", err);
    for (int i = 1; i < reader->grid->n_axes && status == STATUS_OK; i++) {
        const Axis *axis = &reader->grid->axes[i];
        if (axis->linked && axis->count != entry + 1)
            status =
                place_error(reader->source, mapping->place, err,
                            "%s is missing here: expected the same keys in each mapping of zip", axis->setting->key);
    }
    return status;
}

static Status read_zip(Reader *reader, Walk *walk, const YamlNode *list, Error *err) {
    Status status = read_mappings(reader, list, "zip", read_zip_entry, err);
    int leader = -1;
    for (int i = 1; i < reader->grid->n_axes && status == STATUS_OK; i++) {
        Axis *axis = &reader->grid->axes[i];
        if (!axis->linked) continue;
        if (place_known(walk->given[i]))
            return given_twice(reader, axis->given, walk->given[i], axis->setting->key, err);
        walk->given[i] = axis->given;
        if (leader < 0) leader = i;
        axis->leader = leader;
    }
    return status != STATUS_OK ? status : check_different_entries(reader, reader->grid->axes[leader].count, err);
}

static Status take_condition(Reader *reader, Walk *walk, Slot slot, const YamlNode *value, Error *err) {
    bool seed = slot == SLOT_SEED;
    Condition condition = {.axis = seed ? SEED_AXIS : slot};
    const Setting *setting = seed ? &seed_setting : reader->grid->axes[slot].setting;
    if (setting->role != ROLE_TRAINING)
        return place_error(reader->source, walk->given[slot], err,
                           "%s cannot be excluded: only training settings and seed can", setting->key);
    Status status = read_value(reader, setting, value, &condition.value, err);
    if (status == STATUS_OK) walk->exclusion->conditions[walk->exclusion->n_conditions++] = condition;
    return status;
}

static Status read_exclusion(Reader *reader, int64_t entry, const YamlNode *mapping, Error *err) {
    if (entry == EXCLUSIONS_MAX)
        return place_error(reader->source, mapping->place, err, "exclude: more than %d mappings", EXCLUSIONS_MAX);
    Walk walk = {.keys = exclude_keys, .take = take_condition, .exclusion = grid_add_exclusion(reader->grid)};
    if (walk.exclusion == NULL) return out_of_memory(err);
    walk.exclusion->place = mapping->place;
    return walk_mapping(reader, &walk, mapping, "", err);
}

/* --- the file and the overrides ---------------------------------------------------------------------------------- */

static Status take_job_value(Reader *reader, Walk *walk, Slot slot, const YamlNode *value, Error *err) {
    if (slot < AXES_MAX) return read_axis(reader, &reader->grid->axes[slot], value, err);
    if (slot == SLOT_NAME) return read_name(reader, value, err);
    if (slot == SLOT_ZIP) return read_zip(reader, walk, value, err);
    if (slot == SLOT_EXCLUDE) return read_mappings(reader, value, "exclude", read_exclusion, err);
    return read_seeds(reader, walk, slot, value, err);
}

/* Where text ends without the blanks behind it. */
static const char *trimmed(const char *text, const char *end) {
    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    return end;
}

/* The value of an override as a node: "2" one value, "2,4" a list, and so are "[2]", "[2, 4]" and "[]" as in the file;
 * NULL: no memory. */
static YamlNode *option_node(const char *text, Place place) {
    const char *end = trimmed(text, text + strlen(text));
    bool bracketed = *text == '[' && end[-1] == ']';
    if (bracketed) end = trimmed(++text, end - 1);
    YamlNode *list = yaml_node_create(NODE_SEQUENCE, "", 0, place);
    if (bracketed && end == text) return list;
    for (const char *comma; list != NULL; text = comma + 1) {
        while (text < end && isspace((unsigned char)*text))
            text++;
        for (comma = text; comma < end && *comma != ',';)
            comma++;
        const char *stop = trimmed(text, comma);
        YamlNode *item = yaml_node_create(NODE_SCALAR, text, (size_t)(stop - text), place);
        if (item == NULL) {
            yaml_node_free(list);
            return NULL;
        }
        if (comma == end && list->first == NULL && !bracketed) {
            yaml_node_free(list);
            return item;
        }
        yaml_node_append(list, item);
        if (comma == end) break;
    }
    return list;
}

static Status read_option(Reader *reader, Walk *walk, int number, Error *err) {
    const char *text = reader->source->options[number - 1], *equals = strchr(text, '=');
    Place place = {.option = number};
    char key[KEY_BYTES];
    if (equals == NULL || equals == text || equals - text >= KEY_BYTES)
        return place_error(reader->source, place, err, "expected KEY=VALUE or KEY=VALUE,VALUE,..");
    snprintf(key, sizeof key, "%.*s", (int)(equals - text), text);
    Slot slot = find_slot(reader, walk, key);
    if (slot < 0 && is_section(reader, walk, key))
        return place_error(reader->source, place, err, "expected one setting of %s: %s.KEY=VALUE", key, key);
    if (slot < 0) return unknown_key(reader, walk, place, "", key, err);
    if (slot == SLOT_ZIP || slot == SLOT_EXCLUDE)
        return place_error(reader->source, place, err, "%s can only be given in a job file", key);
    if (slot < AXES_MAX && reader->grid->axes[slot].linked)
        return place_error(reader->source, place, err, "%s is linked by the file's zip: expected another key", key);
    YamlNode *node = option_node(equals + 1, place);
    if (node == NULL) return out_of_memory(err);
    Status status = take_job_value(reader, walk, slot, node, err);
    yaml_node_free(node);
    return status;
}

Status job_file_read(const Source *source, int n_options, const char *text, size_t size, Grid *grid,
                     char name[JOB_NAME_BYTES], Error *err) {
    Reader reader = {.source = source, .grid = grid, .name = name};
    Walk walk = {.keys = job_keys, .take = take_job_value};
    *name = '\0';
    YamlNode *root = NULL;
    Status status = grid_create(grid, err);
    if (status == STATUS_OK && text != NULL) {
        status = yaml_read(source, text, size, &root, err);
        if (status == STATUS_OK && root->kind != NODE_MAPPING)
            status = wrong_kind(&reader, root, "job", "a mapping", err);
        if (status == STATUS_OK) status = walk_mapping(&reader, &walk, root, "", err);
        yaml_node_free(root);
    }
    for (int i = 1; i <= n_options && status == STATUS_OK; i++)
        status = read_option(&reader, &walk, i, err);
    return status;
}
