/* The table of settings: the only place that lists them. Parsing, validation, defaults, canonical form, --help, the
 * reference page and the columns of exported tables are all driven by it. */
#ifndef JOBS_SETTINGS_SETTINGS_H
#define JOBS_SETTINGS_SETTINGS_H

#include "jobs/settings/words.h"
#include "proto/base/status.h"
#include "proto/wire/settings.h"

#include <stddef.h>

/* All settings of one training and its evaluation under one critic, before axes: what table offsets refer to. */
typedef struct Settings {
    TrainingSpec training;
    CriticSettings critic;
    EvaluationSettings evaluation;
} Settings;

typedef enum SettingType {
    SETTING_INTEGER, /* int32_t or int64_t, by size_bytes */
    SETTING_REAL,    /* double */
    SETTING_BOOLEAN, /* bool */
    SETTING_CHOICE,  /* an enumeration, by name */
    SETTING_SET      /* a list of names as bits: evaluate.baselines */
} SettingType;

typedef enum SettingRole {
    ROLE_TRAINING,   /* part of training_id; a list of values is an axis that needs a training each */
    ROLE_CRITIC,     /* part of cell_id; a list is an axis that is only evaluated */
    ROLE_EVALUATION, /* part of cell_id and baseline_id, one value a job */
    ROLE_ROUNDS,     /* concerns rounds, which only models make: part of cell_id, one value a job */
    ROLE_BASELINE    /* concerns baselines only: in no training_id or cell_id */
} SettingRole;

/* One scalar value: a number (integers and booleans exactly), or the index of a choice; bits of a set. */
typedef double SettingValue;

typedef struct Setting {
    const char *key; /* "model.n_layer" */
    SettingType type;
    SettingRole role;
    size_t offset, size_bytes; /* in Settings */
    double minimum, maximum;   /* of numbers, inclusive unless minimum_excluded; minimum of a set: its first member */
    bool minimum_excluded;
    SettingValue default_value;
    SettingValue (*fitted)(const Settings *); /* what the default becomes beside a setting that it must fit, where
                                                 nobody set it; NULL: nothing else */
    const char *fitted_to, *fitted_means;     /* the key of that setting; the rule, in words */
    const char *(*choice_name)(int); /* of SETTING_CHOICE and SETTING_SET: name of value i, "?" past the last */
    const char *keyword;             /* a word allowed instead of a number ("released"), or NULL */
    double keyword_value;
    bool (*active)(const Settings *); /* whether it means anything beside the others; NULL: always */
    const char *active_by;            /* the key of the setting that decides this */
    const char *unit, *summary;       /* for --help and the reference page; "" has no unit */
} Setting;

/* The table and its length, in the order of the reference page. */
const Setting *settings_table(int *count);
const Setting *settings_find(const char *key);
/* The known key nearest to a misspelt one (by edit distance), or NULL when none is near. */
const Setting *settings_nearest(const char *key);
/* Offers every key, for a search among other words as well. */
void settings_offer(const char *key, Nearest *nearest);

Settings settings_default(void);
/* Gives settings that are not active their defaults, so that equal work has equal settings, and with that equal ids. */
void settings_drop_inactive(Settings *settings);
/* The same of a training alone. Records need it: those of versions without a setting hold 0 for it. */
void spec_drop_inactive(TrainingSpec *spec);

/* Reads text as a value of this setting: STATUS_DATA says what was expected ("expected an integer from 1 to 64"). */
Status setting_parse(const Setting *setting, const char *text, SettingValue *value, Error *err);
/* Writes value as people do, in job files as elsewhere ("softmax", "true", "0.0001", "10"): the shortest text that
 * reads back equal, without an exponent where it can be. */
const char *setting_format(const Setting *setting, SettingValue value, char *text, size_t text_bytes);
/* The same as ids have it, which no one sees: of the shortest texts of a number the one of %g, "1e1". */
const char *setting_canonical(const Setting *setting, SettingValue value, char *text, size_t text_bytes);

SettingValue setting_get(const Setting *setting, const Settings *settings);
void setting_set(const Setting *setting, Settings *settings, SettingValue value);

/* What values a setting takes, in words: "an integer from 1 to 64". */
const char *setting_expected(const Setting *setting, char *text, size_t text_bytes);

/* Something that no single setting shows: the value of one must stand in a relation to that of another. */
typedef struct SettingsCheck {
    const char *key, *other_key;
    const char *relation; /* "divisible by", "at most" */
    const char *less_key; /* of a third, which has one value a job: "at most the other - 1 - this"; or NULL */
    bool (*holds)(const Settings *settings);
} SettingsCheck;

const SettingsCheck *settings_checks(int *count);
/* STATUS_DATA: "model.n_embd (100) must be divisible by model.n_head (3)". */
Status settings_check_one(const SettingsCheck *check, const Settings *settings, Error *err);
/* All of them; *key gets the key to point at (NULL: not wanted). */
Status settings_check(const Settings *settings, const char **key, Error *err);

/* The reference page of the job file (docs/settings.md, Markdown) and the list of settings for --help (plain text, at
 * most 100 columns); malloc'd, NULL: no memory. */
char *settings_reference(void);
char *settings_help(void);

#endif
