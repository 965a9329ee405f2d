/* See job_file.h. One walk reads the file, each entry of zip and exclude, and (one key at a time) the overrides; they
 * differ in the keys that are allowed beside the table's and in what is done with a value. */
#include "jobs/job/job_file.h"

#include "jobs/grid/mapping.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 64 };

static const char *const job_words[] = {"name",    "seeds",  "seeds.first", "seeds.count", "zip",
                                        "exclude", "claims", "alpha",       NULL};
enum {
    SLOT_NAME = AXES_MAX,
    SLOT_SEEDS,
    SLOT_SEEDS_FIRST,
    SLOT_SEEDS_COUNT,
    SLOT_ZIP,
    SLOT_EXCLUDE,
    SLOT_CLAIMS,
    SLOT_ALPHA
};
static const char *const zip_words[] = {NULL};
static const char *const exclude_words[] = {"seed", NULL};
enum { SLOT_SEED = AXES_MAX };

/* Seeds are no settings, but read like them. */
static const Setting seed_setting = {.key = "seeds", .type = SETTING_INTEGER, .maximum = UINT32_MAX};
static const Setting count_setting = {
    .key = "seeds.count", .type = SETTING_INTEGER, .minimum = 1, .maximum = SEEDS_MAX};

/* --- single values ----------------------------------------------------------------------------------------------- */

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
        Status status = mapping_read_value(reader, setting, node, &value, err);
        return status != STATUS_OK ? status : axis_append(axis, value, node->place, err);
    }
    if (node->first == NULL) return place_error(reader->source, node->place, err, "%s: an empty list", setting->key);
    for (const YamlNode *item = node->first; item != NULL; item = item->next) {
        Status status = mapping_read_value(reader, setting, item, &value, err);
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
        Status status = mapping_read_value(reader, axis->setting, item, &bit, err);
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
        return mapping_wrong_kind(reader, node, axis->setting->key, "one value for the whole job", err);
    return read_list(reader, axis, axis->setting, node, err);
}

static Status read_name(const Reader *reader, char name[NAME_BYTES], const YamlNode *node, Error *err) {
    char quoted[QUOTED_BYTES];
    if (node->kind != NODE_SCALAR) return mapping_wrong_kind(reader, node, "name", "a word", err);
    if (!words_name_allowed(node->text))
        return place_error(reader->source, node->place, err,
                           "name: expected at most %d letters, digits, '-', '_' and '.', starting with a letter or "
                           "digit, found %s",
                           NAME_BYTES - 1, words_quote(node->text, quoted));
    strcpy(name, node->text);
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
    Status status =
        mapping_read_value(reader, slot == SLOT_SEEDS_COUNT ? &count_setting : &seed_setting, node, &value, err);
    if (status != STATUS_OK) return status;
    if (slot == SLOT_SEEDS_COUNT)
        axis->count = (int64_t)value;
    else
        axis->first = (uint32_t)value;
    return STATUS_OK;
}

/* --- zip and exclude --------------------------------------------------------------------------------------------- */

static Status take_linked(Reader *reader, Walk *walk, Slot slot, const YamlNode *value, Error *err) {
    Axis *axis = &reader->grid->axes[slot];
    const char *key = axis->setting->key;
    if (axis->setting->role != ROLE_TRAINING)
        return place_error(reader->source, walk->given[slot], err, "%s cannot be linked: only training settings can",
                           key);
    if (*(const int64_t *)walk->context == 0) {
        axis_clear(axis);
        axis->linked = true;
        axis->given = walk->given[slot];
    } else if (!axis->linked) {
        return place_error(reader->source, walk->given[slot], err,
                           "%s is not in the first mapping of zip: expected the same keys in each", key);
    }
    SettingValue one;
    Status status = mapping_read_value(reader, axis->setting, value, &one, err);
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

static Status read_zip_entry(Reader *reader, void *context, int64_t entry, const YamlNode *mapping, Error *err) {
    Walk walk = {.words = zip_words, .take = take_linked, .context = &entry};
    Status status = mapping_read(reader, &walk, mapping, "", err);
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
    Status status = mapping_read_list(reader, list, "zip", read_zip_entry, NULL, err);
    int leader = -1;
    for (int i = 1; i < reader->grid->n_axes && status == STATUS_OK; i++) {
        Axis *axis = &reader->grid->axes[i];
        if (!axis->linked) continue;
        if (place_known(walk->given[i]))
            return mapping_given_twice(reader, axis->given, walk->given[i], axis->setting->key, err);
        walk->given[i] = axis->given;
        if (leader < 0) leader = i;
        axis->leader = leader;
    }
    return status != STATUS_OK ? status : check_different_entries(reader, reader->grid->axes[leader].count, err);
}

static Status take_condition(Reader *reader, Walk *walk, Slot slot, const YamlNode *value, Error *err) {
    bool seed = slot == SLOT_SEED;
    Exclusion *exclusion = walk->context;
    Condition condition = {.axis = seed ? SEED_AXIS : slot};
    const Setting *setting = seed ? &seed_setting : reader->grid->axes[slot].setting;
    if (setting->role != ROLE_TRAINING)
        return place_error(reader->source, walk->given[slot], err,
                           "%s cannot be excluded: only training settings and seed can", setting->key);
    Status status = mapping_read_value(reader, setting, value, &condition.value, err);
    if (status == STATUS_OK) exclusion->conditions[exclusion->n_conditions++] = condition;
    return status;
}

static Status read_exclusion(Reader *reader, void *context, int64_t entry, const YamlNode *mapping, Error *err) {
    if (entry == EXCLUSIONS_MAX)
        return place_error(reader->source, mapping->place, err, "exclude: more than %d mappings", EXCLUSIONS_MAX);
    Exclusion *exclusion = grid_add_exclusion(reader->grid);
    if (exclusion == NULL) return out_of_memory(err);
    exclusion->place = mapping->place;
    Walk walk = {.words = exclude_words, .take = take_condition, .context = exclusion};
    return mapping_read(reader, &walk, mapping, "", err);
}

/* --- the file and the overrides ---------------------------------------------------------------------------------- */

static Status take_job_value(Reader *reader, Walk *walk, Slot slot, const YamlNode *value, Error *err) {
    JobFile *file = walk->context;
    switch (slot) {
    case SLOT_NAME:
        return read_name(reader, file->name, value, err);
    case SLOT_SEEDS:
    case SLOT_SEEDS_FIRST:
    case SLOT_SEEDS_COUNT:
        return read_seeds(reader, walk, slot, value, err);
    case SLOT_ZIP:
        return read_zip(reader, walk, value, err);
    case SLOT_EXCLUDE:
        return mapping_read_list(reader, value, "exclude", read_exclusion, NULL, err);
    case SLOT_CLAIMS:
        return claims_file_read(reader, value, &file->claims, err);
    case SLOT_ALPHA:
        return claims_file_read_alpha(reader, value, &file->claims, err);
    default:
        return read_axis(reader, &reader->grid->axes[slot], value, err);
    }
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
    Slot slot = mapping_slot(reader, walk, key);
    if (slot < 0 && mapping_is_section(reader, walk, key))
        return place_error(reader->source, place, err, "expected one setting of %s: %s.KEY=VALUE", key, key);
    if (slot < 0) return mapping_unknown_key(reader, walk, place, "", key, err);
    if (slot == SLOT_ZIP || slot == SLOT_EXCLUDE)
        return place_error(reader->source, place, err, "%s can only be given in a job file", key);
    if (slot == SLOT_CLAIMS && strcmp(equals + 1, "[]") != 0)
        return place_error(reader->source, place, err, "claims can only be given in a job file; claims=[] drops them");
    if (slot < AXES_MAX && reader->grid->axes[slot].linked)
        return place_error(reader->source, place, err, "%s is linked by the file's zip: expected another key", key);
    YamlNode *node = option_node(equals + 1, place);
    if (node == NULL) return out_of_memory(err);
    Status status = take_job_value(reader, walk, slot, node, err);
    yaml_node_free(node);
    return status;
}

Status job_file_read(const Source *source, int n_options, const char *text, size_t size, JobFile *file, Error *err) {
    Reader reader = {.source = source, .grid = &file->grid};
    Walk walk = {.words = job_words, .take = take_job_value, .context = file};
    *file = (JobFile){.claims.alpha = 0.05};
    YamlNode *root = NULL;
    Status status = grid_create(&file->grid, err);
    if (status == STATUS_OK && text != NULL) {
        status = yaml_read(source, text, size, &root, err);
        if (status == STATUS_OK && root->kind != NODE_MAPPING)
            status = mapping_wrong_kind(&reader, root, "job", "a mapping", err);
        if (status == STATUS_OK) status = mapping_read(&reader, &walk, root, "", err);
        yaml_node_free(root);
    }
    for (int i = 1; i <= n_options && status == STATUS_OK; i++)
        status = read_option(&reader, &walk, i, err);
    return status;
}

void job_file_destroy(JobFile *file) {
    grid_destroy(&file->grid);
    claims_file_destroy(&file->claims);
}
