/* See settings.h. Every fact about a setting is a line of the table below; everything else here only reads it.
 *
 * Numbers are read by strtod after their spelling has been checked: the program never leaves the "C" locale. */
#include "jobs/settings/settings.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

#define CHOICE(name, Type)                                                                                             \
    static const char *name##_choice(int value) {                                                                      \
        return name##_name((Type)value);                                                                               \
    }
CHOICE(attention, Attention)
CHOICE(task_noise, TaskNoise)
CHOICE(objective, Objective)
CHOICE(train_context, TrainContext)
CHOICE(rate_decay, RateDecay)
CHOICE(precision, Precision)
CHOICE(critic_noise, CriticNoise)
CHOICE(critic_feedback, CriticFeedback)
CHOICE(predictor, Predictor)

#define AT(member)                .offset = offsetof(Settings, member), .size_bytes = sizeof(((Settings *)0)->member)
#define FROM_TO(low, high)        .minimum = low, .maximum = high
#define DEFAULT(value)            .default_value = value
#define BIT(value)                (1u << (value))
#define FITTED(value, key, words) .fitted = value, .fitted_to = key, .fitted_means = words
#define ACTIVE(holds, key)        .active = holds, .active_by = key
#define MEANS(words)              .summary = words
#define MEASURED(units, words)    .unit = units, .summary = words

static bool is_mixed(const Settings *settings) {
    return settings->training.train.context == CONTEXT_MIXED;
}

static bool makes_rollouts(const Settings *settings) {
    return settings->training.train.context != CONTEXT_OFFLINE;
}

static bool makes_rounds(const Settings *settings) {
    return settings->evaluation.rounds > 0;
}

/* --- defaults that fit ------------------------------------------------------------------------------------------- */

enum { HEADS = 3, SHARDS = 8 };

static SettingValue heads_of_width(const Settings *settings) {
    int heads = HEADS;
    while (settings->training.model.n_embd % heads != 0)
        heads--;
    return heads;
}

static SettingValue shards_of_batch(const Settings *settings) {
    return settings->training.train.batch_size < SHARDS ? settings->training.train.batch_size : SHARDS;
}

/* clang-format off */
static const Setting table[] = {
    {"model.n_layer", SETTING_INTEGER, ROLE_TRAINING, AT(training.model.n_layer), FROM_TO(1, 200), DEFAULT(20),
     MEASURED("blocks", "depth of the transformer, L")},
    {"model.n_head", SETTING_INTEGER, ROLE_TRAINING, AT(training.model.n_head), FROM_TO(1, 256), DEFAULT(HEADS),
     FITTED(heads_of_width, "model.n_embd", "the largest number up to it that divides model.n_embd"),
     MEASURED("heads", "attention heads of a block, H")},
    {"model.n_embd", SETTING_INTEGER, ROLE_TRAINING, AT(training.model.n_embd), FROM_TO(1, 4096), DEFAULT(96),
     MEASURED("numbers", "width of the residual stream, E; divisible by model.n_head")},
    {"model.attention", SETTING_CHOICE, ROLE_TRAINING, AT(training.model.attention), DEFAULT(ATTENTION_SOFTMAX),
     .choice_name = attention_choice, MEANS("softmax, or linear: masked raw scores without normalisation")},
    {"model.ffn", SETTING_BOOLEAN, ROLE_TRAINING, AT(training.model.ffn), DEFAULT(true),
     MEANS("whether blocks have their feed-forward half")},
    {"model.causal", SETTING_BOOLEAN, ROLE_TRAINING, AT(training.model.causal), DEFAULT(true),
     MEANS("whether a token sees only earlier ones; false lets predictions see the answers after them")},

    {"task.n_dims", SETTING_INTEGER, ROLE_TRAINING, AT(training.task.n_dims), FROM_TO(1, 64), DEFAULT(5),
     MEASURED("numbers", "dimension of queries and responses, d")},
    {"task.n_points", SETTING_INTEGER, ROLE_TRAINING, AT(training.task.n_points), FROM_TO(3, 256), DEFAULT(20),
     MEASURED("responses", "criticised responses of a prompt, N")},
    {"task.noise", SETTING_CHOICE, ROLE_TRAINING, AT(training.task.noise), DEFAULT(TASK_NOISE_SHARED),
     .choice_name = task_noise_choice,
     MEANS("the wrong direction that responses mix in: one a prompt, or one a response")},

    {"train.steps", SETTING_INTEGER, ROLE_TRAINING, AT(training.train.steps), FROM_TO(1, 2147483648.0),
     DEFAULT(3000), MEASURED("steps", "updates of the parameters, each on fresh prompts")},
    {"train.batch_size", SETTING_INTEGER, ROLE_TRAINING, AT(training.train.batch_size), FROM_TO(1, 65536),
     DEFAULT(256), MEASURED("prompts", "prompts of a step, B")},
    {"train.gradient_shards", SETTING_INTEGER, ROLE_TRAINING, AT(training.train.gradient_shards), FROM_TO(1, 1024),
     DEFAULT(SHARDS), FITTED(shards_of_batch, "train.batch_size", "train.batch_size where that is less"),
     MEASURED("shards", "parts of a batch whose gradients are summed in a fixed tree; decides the last bits")},
    {"train.learning_rate", SETTING_REAL, ROLE_TRAINING, AT(training.train.learning_rate), FROM_TO(0, 10),
     .minimum_excluded = true, DEFAULT(0.0001), MEANS("Adam's rate, after the warm-up and before any decay")},
    {"train.objective", SETTING_CHOICE, ROLE_TRAINING, AT(training.train.objective), DEFAULT(OBJECTIVE_PLACKETT_LUCE),
     .choice_name = objective_choice, MEANS("what training minimises")},
    {"train.context", SETTING_CHOICE, ROLE_TRAINING, AT(training.train.context), DEFAULT(CONTEXT_OFFLINE),
     .choice_name = train_context_choice, MEANS("where the responses in training prompts come from: mixtures, the model's own rollouts, or both")},
    {"train.on_policy_share", SETTING_REAL, ROLE_TRAINING, AT(training.train.on_policy_share), FROM_TO(0, 1),
     .minimum_excluded = true, DEFAULT(0.5), ACTIVE(is_mixed, "train.context"),
     MEANS("mixed: part of a batch's prompts that are rollouts")},
    {"train.exploration", SETTING_REAL, ROLE_TRAINING, AT(training.train.exploration), FROM_TO(0, 1000), DEFAULT(1),
     ACTIVE(makes_rollouts, "train.context"),
     MEANS("on_policy, mixed: longest random vector added to an answer of length 1 before it becomes a response")},
    {"train.critic_quality", SETTING_REAL, ROLE_TRAINING, AT(training.train.critic_quality), FROM_TO(0, 1),
     DEFAULT(1), MEANS("probability that a training reward is left as it is")},
    {"train.clip_norm", SETTING_REAL, ROLE_TRAINING, AT(training.train.clip_norm), FROM_TO(0, 1000000), DEFAULT(0),
     MEANS("largest norm of a step's gradient; 0: never clipped")},
    {"train.warmup_steps", SETTING_INTEGER, ROLE_TRAINING, AT(training.train.warmup_steps), FROM_TO(0, 2147483648.0),
     DEFAULT(0), MEASURED("steps", "steps over which the rate rises linearly from 0; at most train.steps")},
    {"train.decay", SETTING_CHOICE, ROLE_TRAINING, AT(training.train.decay), DEFAULT(RATE_CONSTANT),
     .choice_name = rate_decay_choice, MEANS("the rate after the warm-up")},
    {"train.precision", SETTING_CHOICE, ROLE_TRAINING, AT(training.train.precision), DEFAULT(PRECISION_FLOAT32),
     .choice_name = precision_choice,
     MEANS("bf16: training multiplies matrices of bfloat16 numbers, summed in float32; evaluation is always float32")},

    {"evaluate.critique_quality", SETTING_REAL, ROLE_CRITIC, AT(critic.quality), FROM_TO(0, 1), DEFAULT(1),
     MEANS("probability q that the critic leaves a reward as it is")},
    {"evaluate.critic.noise", SETTING_CHOICE, ROLE_CRITIC, AT(critic.noise), DEFAULT(CRITIC_REPLACE),
     .choice_name = critic_noise_choice,
     MEANS("what a wrong critique does: a random reward, 1 - r, or normal noise of spread 1 - q on every reward")},
    {"evaluate.critic.feedback", SETTING_CHOICE, ROLE_CRITIC, AT(critic.feedback), DEFAULT(FEEDBACK_SCALAR),
     .choice_name = critic_feedback_choice,
     MEANS("whether the model sees the reward, or only whether it is above 1/2")},
    {"evaluate.prompts", SETTING_INTEGER, ROLE_EVALUATION, AT(evaluation.prompts), FROM_TO(2, 1048576),
     DEFAULT(1024), MEASURED("prompts", "prompts on which every model and baseline is measured")},
    {"evaluate.rounds", SETTING_INTEGER, ROLE_ROUNDS, AT(evaluation.rounds), FROM_TO(0, 254), DEFAULT(0),
     MEASURED("rounds", "how often a model corrects its own answer, criticised each time; 0: never")},
    {"evaluate.initial_responses", SETTING_INTEGER, ROLE_ROUNDS, AT(evaluation.initial_responses), FROM_TO(1, 255),
     DEFAULT(2), ACTIVE(makes_rounds, "evaluate.rounds"),
     MEASURED("responses", "random responses to a prompt, criticised, before a model's first answer")},
    {"evaluate.right_cosine", SETTING_REAL, ROLE_ROUNDS, AT(evaluation.right_cosine), FROM_TO(-1, 1), DEFAULT(0.9),
     ACTIVE(makes_rounds, "evaluate.rounds"), MEANS("an answer is right when its cosine to the aligned answer is above")},
    {"evaluate.gd_steps", SETTING_INTEGER, ROLE_BASELINE, AT(evaluation.gd_steps), FROM_TO(1, 100000), DEFAULT(50),
     .keyword = "released", .keyword_value = GD_STEPS_RELEASED,
     MEASURED("steps", "Adam steps of the gd baseline; released: int(50 - 25 (1 - q))")},
    {"evaluate.baselines", SETTING_SET, ROLE_BASELINE, AT(evaluation.baselines), .minimum = PREDICTOR_GD,
     DEFAULT(BIT(PREDICTOR_GD) | BIT(PREDICTOR_MEAN) | BIT(PREDICTOR_BEST) | BIT(PREDICTOR_CONTRAST) |
             BIT(PREDICTOR_EXACT)),
     .choice_name = predictor_choice,
     MEANS("predictors without a trained model, measured on the same prompts")},
};
/* clang-format on */

const Setting *settings_table(int *count) {
    *count = COUNT(table);
    return table;
}

const Setting *settings_find(const char *key) {
    for (int i = 0; i < COUNT(table); i++)
        if (strcmp(table[i].key, key) == 0) return &table[i];
    return NULL;
}

void settings_offer(const char *key, Nearest *nearest) {
    const char *dot = strrchr(key, '.'), *name = dot == NULL ? key : dot + 1;
    for (int i = 0; i < COUNT(table); i++)
        nearest_offer(nearest, key, table[i].key, 0, table[i].key);
    for (int i = 0; i < COUNT(table); i++) /* the right name in no section or the wrong one is near as well */
        nearest_offer(nearest, name, strrchr(table[i].key, '.') + 1, 1, table[i].key);
}

const Setting *settings_nearest(const char *key) {
    Nearest nearest = {0};
    settings_offer(key, &nearest);
    return nearest.best == NULL ? NULL : settings_find(nearest.best);
}

Settings settings_default(void) {
    Settings settings = {0};
    for (int i = 0; i < COUNT(table); i++)
        setting_set(&table[i], &settings, table[i].default_value);
    return settings;
}

void settings_drop_inactive(Settings *settings) {
    for (int i = 0; i < COUNT(table); i++)
        if (table[i].active != NULL && !table[i].active(settings))
            setting_set(&table[i], settings, table[i].default_value);
}

void spec_drop_inactive(TrainingSpec *spec) {
    Settings settings = {.training = *spec};
    settings_drop_inactive(&settings);
    *spec = settings.training;
}

/* --- values and their text --------------------------------------------------------------------------------------- */

/* Skips decimal digits; false unless there is one. */
static bool skip_digits(const char **text) {
    const char *start = *text;
    while (**text >= '0' && **text <= '9')
        (*text)++;
    return *text > start;
}

/* JSON's numbers, and .5 and 5. as in YAML: no plus sign, leading zero, underscore, hexadecimal, infinity or NaN. */
static bool is_number(const char *text, bool integer) {
    if (*text == '-') text++;
    bool zero = *text == '0';
    const char *digits = text;
    bool whole = skip_digits(&text), part = false;
    if (zero && text - digits > 1) return false;
    if (!integer && *text == '.') {
        text++;
        part = skip_digits(&text);
    }
    if (!whole && !part) return false;
    if (!integer && (*text == 'e' || *text == 'E')) {
        text++;
        if (*text == '-' || *text == '+') text++;
        if (!skip_digits(&text)) return false;
    }
    return *text == '\0';
}

static bool parse_number(const Setting *setting, const char *text, double *value) {
    if (setting->keyword != NULL && strcmp(text, setting->keyword) == 0) {
        *value = setting->keyword_value;
        return true;
    }
    if (!is_number(text, setting->type == SETTING_INTEGER)) return false;
    errno = 0;
    double number = strtod(text, NULL) + 0.0; /* -0 becomes 0: one value, one spelling, one id */
    if (errno == ERANGE) return false;
    if (!(number >= setting->minimum && number <= setting->maximum)) return false;
    if (setting->minimum_excluded && number == setting->minimum) return false;
    *value = number;
    return true;
}

/* The index of a name among a setting's choices, or -1. */
static int find_choice(const Setting *setting, const char *name, size_t length) {
    for (int i = (int)setting->minimum; strcmp(setting->choice_name(i), "?") != 0; i++) {
        const char *choice = setting->choice_name(i);
        if (strlen(choice) == length && memcmp(choice, name, length) == 0) return i;
    }
    return -1;
}

/* Names separated by commas, with or without brackets around them; "[]" is the empty set. */
static bool parse_set(const Setting *setting, const char *text, double *value) {
    size_t length = strlen(text);
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
        *value = 0;
        if (length == 0) return true;
    }
    uint32_t bits = 0;
    for (const char *end = text + length; text <= end;) {
        text += strspn(text, " ");
        size_t size = strcspn(text, " ,]");
        int choice = find_choice(setting, text, size);
        if (choice < 0 || (bits & 1u << choice) != 0) return false;
        bits |= 1u << choice;
        text += size;
        text += strspn(text, " ");
        if (text < end && *text != ',') return false;
        text++;
    }
    *value = bits;
    return true;
}

static bool parse_value(const Setting *setting, const char *text, double *value) {
    switch (setting->type) {
    case SETTING_INTEGER:
    case SETTING_REAL:
        return parse_number(setting, text, value);
    case SETTING_BOOLEAN:
        *value = strcmp(text, "true") == 0;
        return *value == 1 || strcmp(text, "false") == 0;
    case SETTING_CHOICE:
        *value = find_choice(setting, text, strlen(text));
        return *value >= 0;
    case SETTING_SET:
        return parse_set(setting, text, value);
    }
    return false;
}

Status setting_parse(const Setting *setting, const char *text, SettingValue *value, Error *err) {
    double parsed = 0;
    if (parse_value(setting, text, &parsed)) {
        *value = parsed;
        return STATUS_OK;
    }
    char expected[256], quoted[QUOTED_BYTES];
    setting_expected(setting, expected, sizeof expected);
    if (*text == '\0') return error_set(err, STATUS_DATA, "expected %s, found nothing", expected);
    const char *digits = text + (*text == '-' || *text == '+');
    bool number = setting->type == SETTING_INTEGER || setting->type == SETTING_REAL;
    bool zeros = number && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9';
    return error_set(err, STATUS_DATA, "expected %s, found %s%s", expected, words_quote(text, quoted),
                     zeros ? " (leading zeros could mean octal)" : "");
}

/* Shortest decimal text of so many digits or more, without zeros at its end, that reads back equal: at most 17. */
static void format_number(double value, int digits, char *text, size_t text_bytes) {
    for (; digits <= 17; digits++) {
        snprintf(text, text_bytes, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    char *exponent = strchr(text, 'e'); /* 1e-05 is written 1e-5, and 1e+16 1e16 */
    if (exponent == NULL) return;
    char *out = exponent + 1, *in = out;
    if (*in == '-') out++;
    in++;
    in += strspn(in, "0");
    memmove(out, in, strlen(in) + 1);
}

static void format_set(const Setting *setting, uint32_t bits, char *text, size_t text_bytes) {
    size_t used = (size_t)snprintf(text, text_bytes, "[");
    for (int i = (int)setting->minimum; strcmp(setting->choice_name(i), "?") != 0; i++)
        if ((bits & 1u << i) != 0 && used < text_bytes)
            used +=
                (size_t)snprintf(text + used, text_bytes - used, "%s%s", used > 1 ? ", " : "", setting->choice_name(i));
    if (used < text_bytes) snprintf(text + used, text_bytes - used, "]");
}

const char *setting_canonical(const Setting *setting, SettingValue value, char *text, size_t text_bytes) {
    if (setting->type != SETTING_REAL) return setting_format(setting, value, text, text_bytes);
    format_number(value, 1, text, text_bytes);
    return text;
}

const char *setting_format(const Setting *setting, SettingValue value, char *text, size_t text_bytes) {
    const int plain_digits = 15; /* %g takes an exponent only beyond them: 10, not 1e1 */
    switch (setting->type) {
    case SETTING_INTEGER:
        if (setting->keyword != NULL && value == setting->keyword_value)
            snprintf(text, text_bytes, "%s", setting->keyword);
        else
            snprintf(text, text_bytes, "%lld", (long long)value);
        break;
    case SETTING_REAL:
        format_number(value, plain_digits, text, text_bytes);
        break;
    case SETTING_BOOLEAN:
        snprintf(text, text_bytes, "%s", value != 0 ? "true" : "false");
        break;
    case SETTING_CHOICE:
        snprintf(text, text_bytes, "%s", setting->choice_name((int)value));
        break;
    case SETTING_SET:
        format_set(setting, (uint32_t)value, text, text_bytes);
        break;
    }
    return text;
}

const char *setting_expected(const Setting *setting, char *text, size_t text_bytes) {
    if (setting->type == SETTING_BOOLEAN) {
        snprintf(text, text_bytes, "true or false");
    } else if (setting->type == SETTING_CHOICE || setting->type == SETTING_SET) {
        bool set = setting->type == SETTING_SET;
        size_t used = (size_t)snprintf(text, text_bytes, "%s", set ? "a list of different names among " : "");
        size_t start = used;
        for (int i = (int)setting->minimum; strcmp(setting->choice_name(i), "?") != 0 && used < text_bytes; i++) {
            bool last = strcmp(setting->choice_name(i + 1), "?") == 0;
            const char *joint = used == start ? "" : last ? (set ? " and " : " or ") : ", ";
            used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", joint, setting->choice_name(i));
        }
    } else {
        snprintf(text, text_bytes, "%s %s %.0f%s %.0f%s%s",
                 setting->type == SETTING_INTEGER ? "an integer" : "a number",
                 setting->minimum_excluded ? "above" : "from", setting->minimum,
                 setting->minimum_excluded ? " and at most" : " to", setting->maximum,
                 setting->keyword != NULL ? " or " : "", setting->keyword != NULL ? setting->keyword : "");
    }
    return text;
}

/* --- values in structs ------------------------------------------------------------------------------------------- */

SettingValue setting_get(const Setting *setting, const Settings *settings) {
    const void *field = (const char *)settings + setting->offset;
    switch (setting->type) {
    case SETTING_INTEGER:
        return setting->size_bytes == sizeof(int64_t) ? (double)*(const int64_t *)field : *(const int32_t *)field;
    case SETTING_REAL:
        return *(const double *)field;
    case SETTING_BOOLEAN:
        return *(const bool *)field;
    case SETTING_CHOICE:
        return *(const int *)field; /* as compilers store enumerations */
    case SETTING_SET:
        return *(const uint32_t *)field;
    }
    assert(!"a known type");
    return 0;
}

void setting_set(const Setting *setting, Settings *settings, SettingValue value) {
    void *field = (char *)settings + setting->offset;
    switch (setting->type) {
    case SETTING_INTEGER:
        if (setting->size_bytes == sizeof(int64_t))
            *(int64_t *)field = (int64_t)value;
        else
            *(int32_t *)field = (int32_t)value;
        break;
    case SETTING_REAL:
        *(double *)field = value;
        break;
    case SETTING_BOOLEAN:
        *(bool *)field = value != 0;
        break;
    case SETTING_CHOICE:
        *(int *)field = (int)value;
        break;
    case SETTING_SET:
        *(uint32_t *)field = (uint32_t)value;
        break;
    }
}

/* --- checks over several settings ------------------------------------------------------------------------------------
 */

static bool width_divides(const Settings *settings) {
    return settings->training.model.n_embd % settings->training.model.n_head == 0;
}

static bool shards_fit(const Settings *settings) {
    return settings->training.train.gradient_shards <= settings->training.train.batch_size;
}

static bool warmup_fits(const Settings *settings) {
    return settings->training.train.warmup_steps <= settings->training.train.steps;
}

static bool rollouts_possible(const Settings *settings) {
    return settings->training.train.context == CONTEXT_OFFLINE || settings->training.model.causal;
}

static bool rollouts_fit(const Settings *settings) {
    return settings->training.train.context == CONTEXT_OFFLINE || settings->training.task.n_points >= 4;
}

static bool rounds_fit(const Settings *settings) {
    const EvaluationSettings *evaluation = &settings->evaluation;
    return evaluation->rounds == 0 ||
           evaluation->rounds <= settings->training.task.n_points - 1 - evaluation->initial_responses;
}

static bool rounds_are_causal(const Settings *settings) {
    return settings->evaluation.rounds == 0 || settings->training.model.causal;
}

static const SettingsCheck checks[] = {
    {"model.n_embd", "model.n_head", "divisible by", NULL, width_divides},
    {"train.gradient_shards", "train.batch_size", "at most", NULL, shards_fit},
    {"train.warmup_steps", "train.steps", "at most", NULL, warmup_fits},
    {"model.causal", "train.context", "true for the rollouts of", NULL, rollouts_possible},
    {"task.n_points", "train.context", "at least 4 for the rollouts of", NULL, rollouts_fit},
    {"evaluate.rounds", "task.n_points", "at most", "evaluate.initial_responses", rounds_fit},
    {"evaluate.rounds", "model.causal", "0 without", NULL, rounds_are_causal},
};

const SettingsCheck *settings_checks(int *count) {
    *count = COUNT(checks);
    return checks;
}

Status settings_check_one(const SettingsCheck *check, const Settings *settings, Error *err) {
    if (check->holds(settings)) return STATUS_OK;
    const char *const keys[] = {check->key, check->other_key, check->less_key};
    char values[3][64] = {"", "", ""};
    for (int i = 0; i < COUNT(keys) && keys[i] != NULL; i++) {
        const Setting *setting = settings_find(keys[i]);
        setting_format(setting, setting_get(setting, settings), values[i], sizeof values[i]);
    }
    bool less = check->less_key != NULL;
    return error_set(err, STATUS_DATA, "%s (%s) must be %s %s (%s)%s%s%s%s%s", check->key, values[0], check->relation,
                     check->other_key, values[1], less ? " - 1 - " : "", less ? check->less_key : "", less ? " (" : "",
                     values[2], less ? ")" : "");
}

Status settings_check(const Settings *settings, const char **key, Error *err) {
    for (int i = 0; i < COUNT(checks); i++) {
        Status status = settings_check_one(&checks[i], settings, err);
        if (status == STATUS_OK) continue;
        if (key != NULL) *key = checks[i].key;
        return status;
    }
    return STATUS_OK;
}
