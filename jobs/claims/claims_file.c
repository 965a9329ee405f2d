/* See claims_file.h: reading and writing; checking is in claims_check.c. */
#include "jobs/claims/claims_file.h"

#include "jobs/settings/words.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Keys of a claim, and as bits which of them a test needs and which else it takes. */
static const char *const claim_words[] = {"id", "test", "metric", "at",     "kind", "over", "direction",
                                          "a",  "b",    "where",  "margin", "on",   NULL};
enum {
    SLOT_ID = AXES_MAX,
    SLOT_TEST,
    SLOT_METRIC,
    SLOT_AT,
    SLOT_KIND,
    SLOT_OVER,
    SLOT_DIRECTION,
    SLOT_A,
    SLOT_B,
    SLOT_WHERE,
    SLOT_MARGIN,
    SLOT_ON,
    SLOTS_END
};
#define BIT(slot) (1u << ((slot)-AXES_MAX))
enum {
    ALWAYS_NEEDED = BIT(SLOT_ID) | BIT(SLOT_TEST) | BIT(SLOT_METRIC),
    ALWAYS_TAKEN = BIT(SLOT_AT) | BIT(SLOT_KIND) | BIT(SLOT_WHERE)
};
static const struct {
    unsigned needed, taken;
} keys_of_test[] = {
    [CLAIM_TREND] = {BIT(SLOT_OVER) | BIT(SLOT_DIRECTION), 0},
    [CLAIM_PLATEAU] = {BIT(SLOT_OVER) | BIT(SLOT_MARGIN), 0},
    [CLAIM_DIFFERENCE] = {BIT(SLOT_A) | BIT(SLOT_B), BIT(SLOT_DIRECTION)},
    [CLAIM_EQUIVALENCE] = {BIT(SLOT_A) | BIT(SLOT_B) | BIT(SLOT_MARGIN), 0},
    [CLAIM_REGRESSION] = {BIT(SLOT_OVER) | BIT(SLOT_ON), BIT(SLOT_DIRECTION)},
};

/* Keys of where, a and b beside the table's; those of critics also without "evaluate.". */
static const char *const arm_words[] = {"predictor",       "at", "seed", "seeds", "critique_quality", "critic.noise",
                                        "critic.feedback", NULL};
enum { SLOT_PREDICTOR = AXES_MAX, SLOT_ARM_AT, SLOT_SEED, SLOT_SEEDS, SLOT_SHORT_KEYS };

/* A claim being read, and what of it depends on its kind, which may come after it: NULL where not given. */
typedef struct ClaimReading {
    Claim *claim;
    const YamlNode *metric, *at, *at_of_a, *at_of_b;
} ClaimReading;

/* where, a or b being read. */
typedef struct ConditionsReading {
    ClaimConditions *conditions;
    const YamlNode **at; /* NULL: it takes none */
} ConditionsReading;

/* Fields of a claim read like settings. */
static const char *metric_choice(int value) {
    return metric_name((Metric)value);
}
static const char *round_metric_choice(int value) {
    return round_metric_name((RoundMetric)value);
}
static const char *predictor_choice(int value) {
    return predictor_name((Predictor)value);
}
static const char *on_choice(int value) {
    return value == 0 ? "self_check_accuracy" : "?";
}
static const Setting test_field = {.key = "test", .type = SETTING_CHOICE, .choice_name = claim_test_name};
static const Setting kind_field = {.key = "kind", .type = SETTING_CHOICE, .choice_name = claim_kind_name};
static const Setting metric_fields[] = {
    [CLAIM_EXAMPLES] = {.key = "metric", .type = SETTING_CHOICE, .choice_name = metric_choice},
    [CLAIM_ROUNDS] = {.key = "metric", .type = SETTING_CHOICE, .choice_name = round_metric_choice},
};
static const Setting at_fields[] = {
    [CLAIM_EXAMPLES] = {.key = "at", .type = SETTING_INTEGER, .minimum = CLAIM_FIRST_INDEX, .maximum = 255},
    [CLAIM_ROUNDS] = {.key = "at", .type = SETTING_INTEGER, .minimum = 0, .maximum = 254},
};
static const Setting direction_field = {
    .key = "direction", .type = SETTING_CHOICE, .minimum = CLAIM_INCREASING, .choice_name = claim_direction_name};
static const Setting margin_field = {
    .key = "margin", .type = SETTING_REAL, .minimum = 0, .minimum_excluded = true, .maximum = 1000};
static const Setting alpha_field = {
    .key = "alpha", .type = SETTING_REAL, .minimum = 0, .minimum_excluded = true, .maximum = 1};
static const Setting on_field = {.key = "on", .type = SETTING_CHOICE, .choice_name = on_choice};
static const Setting predictor_field = {.key = "predictor", .type = SETTING_CHOICE, .choice_name = predictor_choice};

/* --- where, a and b ---------------------------------------------------------------------------------------------- */

/* The axis of a key of where, a, b or over; an error for one that a claim cannot name. */
static Status find_axis(const Reader *reader, Slot slot, Place place, int *axis, Error *err) {
    if (slot == SLOT_SEED || slot == SLOT_SEEDS)
        return place_error(reader->source, place, err,
                           "a claim is about all seeds of the job, by which its arms are paired: none can be chosen");
    if (slot >= SLOT_SHORT_KEYS) {
        char key[64];
        snprintf(key, sizeof key, "evaluate.%s", arm_words[slot - AXES_MAX]);
        slot = grid_axis(reader->grid, key);
        assert(slot >= 0);
    }
    const Setting *setting = reader->grid->axes[slot].setting;
    if (setting->role != ROLE_TRAINING && setting->role != ROLE_CRITIC)
        return place_error(reader->source, place, err, "%s has one value for the whole job: a claim cannot name it",
                           setting->key);
    *axis = slot;
    return STATUS_OK;
}

static Status take_condition(Reader *reader, Walk *walk, Slot slot, const YamlNode *value, Error *err) {
    const ConditionsReading *reading = walk->context;
    ClaimConditions *conditions = reading->conditions;
    SettingValue number;
    if (slot == SLOT_ARM_AT && reading->at == NULL)
        return place_error(reader->source, walk->given[slot], err, "at stands beside where, or in a and b");
    if (slot == SLOT_ARM_AT) {
        *reading->at = value;
        return STATUS_OK;
    }
    if (slot == SLOT_PREDICTOR) {
        Status status = mapping_read_value(reader, &predictor_field, value, &number, err);
        if (status != STATUS_OK) return status;
        conditions->names_predictor = true;
        conditions->predictor = (Predictor)number;
        conditions->predictor_place = value->place;
        return STATUS_OK;
    }
    int axis = -1;
    Status status = find_axis(reader, slot, walk->given[slot], &axis, err);
    if (status != STATUS_OK) return status;
    ClaimCondition condition = {.setting = reader->grid->axes[axis].setting, .place = value->place};
    status = mapping_read_value(reader, condition.setting, value, &condition.value, err);
    if (status != STATUS_OK) return status;
    int at = conditions->count; /* sorted as the table is */
    for (; at > 0 && conditions->items[at - 1].setting >= condition.setting; at--)
        if (conditions->items[at - 1].setting == condition.setting)
            return mapping_given_twice(reader, value->place, conditions->items[at - 1].place, condition.setting->key,
                                       err);
    memmove(&conditions->items[at + 1], &conditions->items[at], (size_t)(conditions->count - at) * sizeof condition);
    conditions->items[at] = condition;
    conditions->count++;
    return STATUS_OK;
}

static Status read_conditions(Reader *reader, const char *key, const YamlNode *value, ClaimConditions *conditions,
                              const YamlNode **at, Error *err) {
    ConditionsReading reading = {conditions, at};
    if (value->kind != NODE_MAPPING) return mapping_wrong_kind(reader, value, key, "a mapping", err);
    if (value->first == NULL) return place_error(reader->source, value->place, err, "%s: an empty mapping", key);
    Walk walk = {.words = arm_words, .take = take_condition, .context = &reading};
    conditions->place = value->place;
    return mapping_read(reader, &walk, value, "", err);
}

static Status read_over(const Reader *reader, const YamlNode *value, Claim *claim, Error *err) {
    const Walk walk = {.words = arm_words};
    if (value->kind != NODE_SCALAR) return mapping_wrong_kind(reader, value, "over", "the key of an axis", err);
    Slot slot = mapping_slot(reader, &walk, value->text);
    if (slot < 0) return mapping_unknown_key(reader, &walk, value->place, "", value->text, err);
    if (slot == SLOT_PREDICTOR || slot == SLOT_ARM_AT)
        return place_error(reader->source, value->place, err, "over: expected the key of an axis, found '%s'",
                           arm_words[slot - AXES_MAX]);
    int axis = -1;
    Status status = find_axis(reader, slot, value->place, &axis, err);
    if (status != STATUS_OK) return status;
    claim->over = reader->grid->axes[axis].setting;
    claim->over_place = value->place;
    return STATUS_OK;
}

/* --- one claim --------------------------------------------------------------------------------------------------- */

static Status read_id(const Reader *reader, const YamlNode *value, Claim *claim, Error *err) {
    char quoted[QUOTED_BYTES];
    if (value->kind != NODE_SCALAR) return mapping_wrong_kind(reader, value, "id", "a word", err);
    if (!words_name_allowed(value->text))
        return place_error(
            reader->source, value->place, err,
            "id: expected at most %d letters, digits, '-', '_' and '.', starting with a letter or digit, "
            "found %s",
            CLAIM_ID_BYTES - 1, words_quote(value->text, quoted));
    strcpy(claim->id, value->text);
    return STATUS_OK;
}

static Status read_metric(const Reader *reader, const YamlNode *value, Claim *claim, Error *err) {
    SettingValue number;
    Status status = mapping_read_value(reader, &metric_fields[claim->kind], value, &number, err);
    if (status != STATUS_OK && claim->kind == CLAIM_EXAMPLES && value->kind == NODE_SCALAR)
        for (int metric = 0; metric < ROUND_METRIC_COUNT; metric++)
            if (strcmp(value->text, round_metric_choice(metric)) == 0)
                return place_error(reader->source, value->place, err, "metric: %s is of kind: rounds", value->text);
    if (status != STATUS_OK) return status;
    if (claim->kind == CLAIM_ROUNDS)
        claim->round_metric = (RoundMetric)number;
    else
        claim->metric = (Metric)number;
    return STATUS_OK;
}

/* One number of examples or round, or the first and the last; NULL: not given. */
static Status read_at(const Reader *reader, const YamlNode *value, const Claim *claim, ClaimRange *at, Error *err) {
    SettingValue first, last;
    Setting at_field = at_fields[claim->kind];
    if (value == NULL) return STATUS_OK;
    if (claim->kind == CLAIM_ROUNDS && claim->round_metric != ROUND_NMSE)
        at_field.minimum = 1; /* the others compare with an answer before */
    bool range = value->kind == NODE_SEQUENCE;
    if (range && value->n_children != 2)
        return place_error(reader->source, value->place, err,
                           "at: expected a number or [first, last], found a list of %d", value->n_children);
    Status status = mapping_read_value(reader, &at_field, range ? value->first : value, &first, err);
    if (status != STATUS_OK) return status;
    status = mapping_read_value(reader, &at_field, range ? value->last : value, &last, err);
    if (status != STATUS_OK) return status;
    if (first > last)
        return place_error(reader->source, value->place, err, "at: the first (%.0f) comes after the last (%.0f)", first,
                           last);
    *at = (ClaimRange){value->place, (int)first, (int)last};
    return STATUS_OK;
}

static Status take_field(Reader *reader, Walk *walk, Slot slot, const YamlNode *value, Error *err) {
    ClaimReading *reading = walk->context;
    Claim *claim = reading->claim;
    SettingValue number = 0;
    Status status;
    switch (slot) {
    case SLOT_ID:
        return read_id(reader, value, claim, err);
    case SLOT_AT:
        reading->at = value;
        return STATUS_OK;
    case SLOT_OVER:
        return read_over(reader, value, claim, err);
    case SLOT_WHERE:
        return read_conditions(reader, "where", value, &claim->where, NULL, err);
    case SLOT_A:
        return read_conditions(reader, "a", value, &claim->a, &reading->at_of_a, err);
    case SLOT_B:
        return read_conditions(reader, "b", value, &claim->b, &reading->at_of_b, err);
    case SLOT_TEST:
        status = mapping_read_value(reader, &test_field, value, &number, err);
        claim->test = (ClaimTest)number;
        return status;
    case SLOT_METRIC:
        reading->metric = value;
        return STATUS_OK;
    case SLOT_DIRECTION:
        status = mapping_read_value(reader, &direction_field, value, &number, err);
        claim->direction = (ClaimDirection)number;
        return status;
    case SLOT_KIND:
        status = mapping_read_value(reader, &kind_field, value, &number, err);
        claim->kind = (ClaimKind)number;
        claim->kind_place = value->place;
        return status;
    case SLOT_ON:
        return mapping_read_value(reader, &on_field, value, &number, err);
    default:
        assert(slot == SLOT_MARGIN);
        return mapping_read_value(reader, &margin_field, value, &claim->margin, err);
    }
}

static Status check_direction(const Reader *reader, const Claim *claim, Place place, Error *err) {
    bool compares = claim->test == CLAIM_DIFFERENCE;
    bool comparing = claim->direction == CLAIM_GREATER || claim->direction == CLAIM_LESS;
    if (claim->direction == CLAIM_TWO_SIDED || compares == comparing) return STATUS_OK;
    return place_error(reader->source, place, err, "claim %s: the direction of a %s is %s, found %s", claim->id,
                       claim_test_name((int)claim->test), compares ? "greater or less" : "increasing or decreasing",
                       claim_direction_name((int)claim->direction));
}

/* A test has the keys that it needs, and none that means nothing to it. */
static Status check_keys(const Reader *reader, const Walk *walk, const Claim *claim, Error *err) {
    const char *test = claim_test_name((int)claim->test);
    for (Slot slot = SLOT_ID; slot < SLOTS_END; slot++) {
        const char *key = claim_words[slot - AXES_MAX];
        unsigned needed = ALWAYS_NEEDED | keys_of_test[claim->test].needed;
        unsigned taken = needed | ALWAYS_TAKEN | keys_of_test[claim->test].taken;
        bool given = place_known(walk->given[slot]);
        if (!given && (ALWAYS_NEEDED & BIT(slot)) != 0)
            return place_error(reader->source, claim->place, err, "this claim has no %s", key);
        if (!given && (needed & BIT(slot)) != 0)
            return place_error(reader->source, claim->place, err, "claim %s: %s needs %s", claim->id, test, key);
        if (given && (taken & BIT(slot)) == 0)
            return place_error(reader->source, walk->given[slot], err, "claim %s: %s takes no %s", claim->id, test,
                               key);
    }
    return check_direction(reader, claim, walk->given[SLOT_DIRECTION], err);
}

/* What over may be, by test. */
static Status check_over(const Reader *reader, const Claim *claim, Error *err) {
    if (claim->over == NULL) return STATUS_OK;
    bool number = claim->over->type == SETTING_INTEGER || claim->over->type == SETTING_REAL;
    if (claim->test != CLAIM_REGRESSION && !number)
        return place_error(reader->source, claim->over_place, err,
                           "claim %s: the values of %s have no order, which a %s needs", claim->id, claim->over->key,
                           claim_test_name((int)claim->test));
    if (claim->test == CLAIM_REGRESSION && claim->over->role != ROLE_CRITIC)
        return place_error(reader->source, claim->over_place, err,
                           "claim %s: self_check_accuracy does not depend on %s, but on the critic's settings",
                           claim->id, claim->over->key);
    return STATUS_OK;
}

static Status read_claim(Reader *reader, void *context, int64_t entry, const YamlNode *mapping, Error *err) {
    ClaimList *claims = context;
    if (entry == CLAIMS_MAX)
        return place_error(reader->source, mapping->place, err, "claims: more than %d", CLAIMS_MAX);
    Claim *claim = &claims->items[claims->count++];
    *claim = (Claim){.place = mapping->place};
    ClaimReading reading = {.claim = claim};
    Walk walk = {.words = claim_words, .words_only = true, .take = take_field, .context = &reading};
    Status status = mapping_read(reader, &walk, mapping, "", err);
    if (status == STATUS_OK && reading.metric != NULL) status = read_metric(reader, reading.metric, claim, err);
    if (status == STATUS_OK) status = read_at(reader, reading.at, claim, &claim->at, err);
    if (status == STATUS_OK) status = read_at(reader, reading.at_of_a, claim, &claim->a.at, err);
    if (status == STATUS_OK) status = read_at(reader, reading.at_of_b, claim, &claim->b.at, err);
    if (status == STATUS_OK) status = check_keys(reader, &walk, claim, err);
    if (status == STATUS_OK) status = check_over(reader, claim, err);
    for (int i = 0; i + 1 < claims->count && status == STATUS_OK; i++)
        if (strcmp(claims->items[i].id, claim->id) == 0)
            status = place_error(reader->source, walk.given[SLOT_ID], err,
                                 "another claim is called %s: first at line %d, column %d", claim->id,
                                 claims->items[i].place.line, claims->items[i].place.column);
    return status;
}

Status claims_file_read(Reader *reader, const YamlNode *list, ClaimList *claims, Error *err) {
    claims_file_destroy(claims);
    if (list->kind == NODE_SEQUENCE && list->first == NULL) return STATUS_OK;
    size_t room = list->n_children < CLAIMS_MAX ? (size_t)list->n_children : CLAIMS_MAX;
    claims->items = malloc((room > 0 ? room : 1) * sizeof *claims->items);
    if (claims->items == NULL) return out_of_memory(err);
    return mapping_read_list(reader, list, "claims", read_claim, claims, err);
}

Status claims_file_read_alpha(Reader *reader, const YamlNode *node, ClaimList *claims, Error *err) {
    return mapping_read_value(reader, &alpha_field, node, &claims->alpha, err);
}

void claims_file_destroy(ClaimList *claims) {
    for (int i = 0; i < claims->count; i++)
        free(claims->items[i].arms);
    free(claims->items);
    claims->items = NULL;
    claims->count = 0;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void print_at(const ClaimRange *at, FILE *out) {
    if (at->first == at->last)
        fprintf(out, "at: %d", at->first);
    else
        fprintf(out, "at: [%d, %d]", at->first, at->last);
}

static void print_conditions(const char *key, const ClaimConditions *conditions, FILE *out) {
    if (!place_known(conditions->place)) return;
    char value[64];
    const char *before = "";
    fprintf(out, ", %s: {", key);
    if (conditions->names_predictor) {
        fprintf(out, "predictor: %s", predictor_name(conditions->predictor));
        before = ", ";
    }
    if (place_known(conditions->at.place)) {
        fputs(before, out);
        print_at(&conditions->at, out);
        before = ", ";
    }
    for (int i = 0; i < conditions->count; i++, before = ", ") {
        const ClaimCondition *condition = &conditions->items[i];
        fprintf(out, "%s%s: %s", before, condition->setting->key,
                setting_format(condition->setting, condition->value, value, sizeof value));
    }
    fputs("}", out);
}

static void print_claim(const Claim *claim, FILE *out) {
    char margin[64];
    fprintf(out, "  - {id: %s, test: %s, metric: %s", claim->id, claim_test_name((int)claim->test),
            claim_metric_name(claim));
    if (claim->kind == CLAIM_ROUNDS) fputs(", kind: rounds", out);
    if (claim_names_at(claim)) {
        fputs(", ", out);
        print_at(&claim->at, out);
    }
    if (claim->test == CLAIM_REGRESSION) fputs(", on: self_check_accuracy", out);
    if (claim->over != NULL) fprintf(out, ", over: %s", claim->over->key);
    print_conditions("a", &claim->a, out);
    print_conditions("b", &claim->b, out);
    if (claim->direction != CLAIM_TWO_SIDED)
        fprintf(out, ", direction: %s", claim_direction_name((int)claim->direction));
    if (claim->margin > 0)
        fprintf(out, ", margin: %s", setting_format(&margin_field, claim->margin, margin, sizeof margin));
    print_conditions("where", &claim->where, out);
    fputs("}\n", out);
}

void claims_file_print(const ClaimList *claims, FILE *out) {
    char alpha[64];
    fprintf(out, "alpha: %s\n", setting_format(&alpha_field, claims->alpha, alpha, sizeof alpha));
    if (claims->count > 0) fputs("claims:\n", out);
    for (int i = 0; i < claims->count; i++)
        print_claim(&claims->items[i], out);
}
