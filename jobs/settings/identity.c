/* See identity.h. Only keys, names and numbers as text are hashed, so an id does not depend on how settings are stored.
 */
#include "jobs/settings/identity.h"

#include "proto/wire/codec.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum { LINES_MAX = 40, LINE_BYTES = 128 };

typedef struct Lines {
    int count;
    char line[LINES_MAX][LINE_BYTES]; /* "key=value\n" */
    int order[LINES_MAX];             /* of the lines by their text */
} Lines;

/* Adds a line in its place; keys are few, and none is the beginning of another. */
static void add_line(Lines *lines, const char *key, const char *value) {
    assert(lines->count < LINES_MAX);
    char *line = lines->line[lines->count];
    size_t key_length = strlen(key), value_length = strlen(value);
    assert(key_length + value_length + 2 < LINE_BYTES);
    memcpy(line, key, key_length);
    line[key_length] = '=';
    memcpy(line + key_length + 1, value, value_length);
    memcpy(line + key_length + 1 + value_length, "\n", 2);
    int place = lines->count;
    for (; place > 0 && strcmp(lines->line[lines->order[place - 1]], line) > 0; place--)
        lines->order[place] = lines->order[place - 1];
    lines->order[place] = lines->count++;
}

static void add_number(Lines *lines, const char *key, uint32_t value) {
    char text[16];
    snprintf(text, sizeof text, "%u", value);
    add_line(lines, key, text);
}

/* Settings whose key begins with prefix and whose role is this, unless they have their default. */
static void add_settings(Lines *lines, const Settings *settings, SettingRole role, const char *prefix) {
    int count;
    const Setting *table = settings_table(&count);
    for (int i = 0; i < count; i++) {
        if (table[i].role != role) continue;
        SettingValue value = setting_get(&table[i], settings);
        char text[LINE_BYTES];
        if (value != table[i].default_value && strncmp(table[i].key, prefix, strlen(prefix)) == 0)
            add_line(lines, table[i].key, setting_canonical(&table[i], value, text, sizeof text));
    }
}

static size_t join(const Lines *lines, char text[CANONICAL_TEXT_BYTES]) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < lines->count; i++) {
        const char *line = lines->line[lines->order[i]];
        size_t length = strlen(line);
        assert(used + length < CANONICAL_TEXT_BYTES);
        memcpy(text + used, line, length + 1);
        used += length;
    }
    return used;
}

static Id hash(const Lines *lines) {
    char text[CANONICAL_TEXT_BYTES];
    size_t length = join(lines, text);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(text, length));
    Id id;
    memcpy(id.bytes, canonical.digest, sizeof id.bytes);
    return id;
}

static void training_lines(const TrainingSpec *spec, Lines *lines) {
    lines->count = 0;
    Settings settings = {.training = *spec};
    settings_drop_inactive(&settings);
    add_settings(lines, &settings, ROLE_TRAINING, "");
    add_number(lines, "seed", spec->seed);
}

void training_canonical(const TrainingSpec *spec, char text[CANONICAL_TEXT_BYTES]) {
    Lines lines;
    training_lines(spec, &lines);
    join(&lines, text);
}

Id training_id(const TrainingSpec *spec) {
    Lines lines;
    training_lines(spec, &lines);
    return hash(&lines);
}

Id cell_id(Id training, const CriticSettings *critic, const EvaluationSettings *evaluation) {
    Lines lines;
    lines.count = 0;
    char text[ID_TEXT_BYTES];
    Settings settings = {.critic = *critic, .evaluation = *evaluation};
    settings_drop_inactive(&settings);
    add_line(&lines, "training", id_text(training, text));
    add_settings(&lines, &settings, ROLE_CRITIC, "");
    add_settings(&lines, &settings, ROLE_EVALUATION, "");
    add_settings(&lines, &settings, ROLE_ROUNDS, "");
    return hash(&lines);
}

Id baseline_id(const TaskSettings *task, uint32_t seed, const CriticSettings *critic,
               const EvaluationSettings *evaluation, Predictor predictor) {
    Lines lines;
    lines.count = 0;
    Settings settings = {.training.task = *task, .critic = *critic, .evaluation = *evaluation};
    add_line(&lines, "predictor", predictor_name(predictor));
    add_number(&lines, "seed", seed);
    add_settings(&lines, &settings, ROLE_TRAINING, "task.");
    add_settings(&lines, &settings, ROLE_CRITIC, "");
    add_settings(&lines, &settings, ROLE_EVALUATION, "");
    if (predictor == PREDICTOR_GD) add_settings(&lines, &settings, ROLE_BASELINE, "evaluate.gd_steps");
    return hash(&lines);
}
