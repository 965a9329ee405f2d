/* See options.h. */
#include "cli/shared/options.h"

#include "proto/base/text.h"
#include "proto/transport/launcher.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELP_COLUMNS = 96, HELP_INDENT = 28 };
static const double LONGEST_S = 1e9; /* some thirty years */

/* Levenshtein distance, up to 63 characters of each. */
static int edit_distance(const char *a, const char *b) {
    int row[64], a_length = (int)strnlen(a, 63), b_length = (int)strnlen(b, 63);
    for (int j = 0; j <= b_length; j++)
        row[j] = j;
    for (int i = 1; i <= a_length; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= b_length; j++) {
            int above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[b_length];
}

static Status unknown_option(const Command *command, const char *name, Error *err) {
    const char *nearest = strncmp("help", name, strlen(name)) == 0 ? "help" : NULL;
    int best = nearest != NULL ? 1 : 4;
    for (int i = 0; i < command->n_options; i++) {
        const char *known = command->options[i].name;
        /* an abbreviation is refused, but whoever typed it is told the full name */
        int distance = strncmp(known, name, strlen(name)) == 0 ? 1 : edit_distance(known, name);
        if (distance < best) {
            best = distance;
            nearest = known;
        }
    }
    if (nearest != NULL) return error_set(err, STATUS_USAGE, "unknown option --%s (did you mean --%s?)", name, nearest);
    return error_set(err, STATUS_USAGE, "unknown option --%s; palinode %s --help lists them", name, command->name);
}

static Status parse_duration(const char *text, double *seconds) {
    unsigned days = 0, a, b, c;
    int used = 0;
    if (!isdigit((unsigned char)text[0])) return STATUS_USAGE; /* scanf would take blanks and signs */
    const char *rest = text + strspn(text, "0123456789");
    if (strchr(rest, ':') != NULL && rest[1 + strspn(rest + 1, "0123456789:")] != '\0') return STATUS_USAGE;
    if (sscanf(text, "%4u-%2u:%2u:%2u%n", &days, &a, &b, &c, &used) == 4 && text[used] == '\0') {
        *seconds = ((days * 24.0 + a) * 60 + b) * 60 + c;
        return STATUS_OK;
    }
    if (sscanf(text, "%4u:%2u:%2u%n", &a, &b, &c, &used) == 3 && text[used] == '\0') {
        *seconds = (a * 60.0 + b) * 60 + c;
        return STATUS_OK;
    }
    char *end;
    double value = strtod(text, &end);
    if (end == text || !(value >= 0)) return STATUS_USAGE;
    double unit = *end == '\0' || strcmp(end, "s") == 0 ? 1
                  : strcmp(end, "m") == 0               ? 60
                  : strcmp(end, "h") == 0               ? 3600
                  : strcmp(end, "d") == 0               ? 86400
                                                        : 0;
    if (unit == 0 || !(value * unit <= LONGEST_S)) return STATUS_USAGE;
    *seconds = value * unit;
    return STATUS_OK;
}

static bool is_choice(const char *choices, const char *text) {
    size_t length = strlen(text);
    if (strchr(text, '|') != NULL) return false;
    for (const char *at = choices; at != NULL && length > 0; at = strchr(at, '|')) {
        if (*at == '|') at++;
        if (strncmp(at, text, length) == 0 && (at[length] == '|' || at[length] == '\0')) return true;
    }
    return false;
}

static bool in_range(const Option *option, double value) {
    return isfinite(value) &&
           ((option->minimum == 0 && option->maximum == 0) || (value >= option->minimum && value <= option->maximum));
}

/* Stores text as the option's value; source is "--name" or "PALINODE_NAME" in messages. */
static Status store(const Option *option, const char *source, const char *text, Error *err) {
    char *end;
    switch (option->type) {
    case OPTION_FLAG:
        if (strcmp(text, "1") != 0 && strcmp(text, "0") != 0)
            return error_set(err, STATUS_USAGE, "%s: expected 1 or 0, not '%s'", source, text);
        *(bool *)option->value = text[0] == '1';
        return STATUS_OK;
    case OPTION_TEXT:
        if (option->choices != NULL && !is_choice(option->choices, text))
            return error_set(err, STATUS_USAGE, "%s: expected %s, not '%s'", source, option->choices, text);
        if (*text == '\0') return error_set(err, STATUS_USAGE, "%s: expected %s, not ''", source, option->argument);
        *(const char **)option->value = text;
        return STATUS_OK;
    case OPTION_INTEGER: {
        errno = 0;
        long long value = strtoll(text, &end, 10);
        if (end == text || *end != '\0' || errno != 0 || !in_range(option, (double)value))
            return error_set(err, STATUS_USAGE, "%s: expected a whole number from %.0f to %.0f, not '%s'", source,
                             option->minimum, option->maximum, text);
        *(int64_t *)option->value = value;
        return STATUS_OK;
    }
    case OPTION_REAL: {
        double value = strtod(text, &end);
        if (end == text || *end != '\0' || !in_range(option, value))
            return error_set(err, STATUS_USAGE, "%s: expected a number from %g to %g, not '%s'", source,
                             option->minimum, option->maximum, text);
        *(double *)option->value = value;
        return STATUS_OK;
    }
    case OPTION_DURATION:
        if (parse_duration(text, option->value) != STATUS_OK)
            return error_set(err, STATUS_USAGE,
                             "%s: expected a duration (90s, 15m, 2h, HH:MM:SS or D-HH:MM:SS), not '%s'", source, text);
        return STATUS_OK;
    case OPTION_LIST: {
        TextList *list = option->value;
        const char **items = realloc(list->items, (size_t)(list->count + 1) * sizeof *items);
        if (items == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the values of %s", source);
        items[list->count++] = text;
        list->items = items;
        return STATUS_OK;
    }
    }
    return STATUS_OK;
}

static const Option *find(const Command *command, const char *name, size_t length) {
    for (int i = 0; i < command->n_options; i++)
        if (strlen(command->options[i].name) == length && strncmp(command->options[i].name, name, length) == 0)
            return &command->options[i];
    return NULL;
}

static const Option *find_letter(const Command *command, char letter) {
    for (int i = 0; i < command->n_options; i++)
        if (command->options[i].letter == letter) return &command->options[i];
    return NULL;
}

static Status from_environment(const Command *command, Error *err) {
    for (int i = 0; i < command->n_options; i++) {
        const Option *option = &command->options[i];
        const char *text = option->environment != NULL ? getenv(option->environment) : NULL;
        if (text == NULL || *text == '\0') continue;
        Status status = store(option, option->environment, text, err);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* Handles the option at argv[*at] (which starts with '-') and moves *at to its last word. */
static Status parse_option(const Command *command, int argc, char **argv, int *at, Error *err) {
    const char *word = argv[*at], *value = NULL;
    const Option *option;
    if (word[1] == '-') {
        const char *name = word + 2, *equals = strchr(name, '=');
        size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
        option = find(command, name, length);
        char text[128];
        snprintf(text, sizeof text, "%.*s", (int)length, name);
        if (option == NULL) return unknown_option(command, text, err);
        if (equals != NULL) value = equals + 1;
    } else {
        option = find_letter(command, word[1]);
        if (option == NULL)
            return error_set(err, STATUS_USAGE, "unknown option %s; palinode %s --help lists them", word,
                             command->name);
        if (word[2] != '\0') value = word + 2;
    }
    char source[64];
    snprintf(source, sizeof source, "--%s", option->name);
    if (option->type == OPTION_FLAG) {
        if (value != NULL) return error_set(err, STATUS_USAGE, "%s takes no value", source);
        *(bool *)option->value = true;
        return STATUS_OK;
    }
    if (value == NULL) {
        if (*at + 1 >= argc)
            return error_set(err, STATUS_USAGE, "%s needs a value: %s %s", source, source, option->argument);
        value = argv[++*at];
    }
    return store(option, source, value, err);
}

Status options_parse(const Command *command, int argc, char **argv, const char **operands, int *n_operands,
                     Error *err) {
    Status status = from_environment(command, err);
    bool options_ended = false;
    *n_operands = 0;
    for (int at = 1; at < argc && status == STATUS_OK; at++) {
        if (!options_ended && strcmp(argv[at], "--") == 0)
            options_ended = true;
        else if (!options_ended && argv[at][0] == '-' && argv[at][1] != '\0')
            status = parse_option(command, argc, argv, &at, err);
        else if (argv[at][0] != '\0')
            operands[(*n_operands)++] = argv[at];
        else
            status =
                error_set(err, STATUS_USAGE, "an empty argument; usage: palinode %s %s", command->name, command->usage);
    }
    if (status != STATUS_OK) return status;
    if (*n_operands < command->min_operands)
        return error_set(err, STATUS_USAGE, "usage: palinode %s %s", command->name, command->usage);
    if (command->max_operands >= 0 && *n_operands > command->max_operands)
        return error_set(err, STATUS_USAGE, "unexpected '%s'; usage: palinode %s %s", operands[command->max_operands],
                         command->name, command->usage);
    return STATUS_OK;
}

/* Prints text wrapped, from column indent on. */
static void print_wrapped(const char *text, int indent) {
    int column = indent;
    while (*text != '\0') {
        int word = (int)strcspn(text, " "), blank = column > indent;
        if (blank && column + blank + word > HELP_COLUMNS) {
            printf("\n%*s", indent, "");
            column = indent;
            blank = 0;
        }
        printf("%*s%.*s", blank, "", word, text);
        column += blank + word;
        text += word;
        text += strspn(text, " ");
    }
    putchar('\n');
}

void options_print_help(const Command *command) {
    printf("palinode %s: %s\n\nUsage: palinode %s %s\n", command->name, command->summary, command->name,
           command->usage);
    if (command->n_options > 0) printf("\nOptions\n");
    for (int i = 0; i < command->n_options; i++) {
        const Option *option = &command->options[i];
        char head[96];
        int used = snprintf(head, sizeof head, "  %c%c%s --%s%s%s", option->letter ? '-' : ' ',
                            option->letter ? option->letter : ' ', option->letter ? "," : " ", option->name,
                            option->argument ? " " : "", option->argument ? option->argument : "");
        if (used > HELP_INDENT - 2)
            printf("%s\n%*s", head, HELP_INDENT, "");
        else
            printf("%-*s", HELP_INDENT, head);
        print_wrapped(option->summary, HELP_INDENT);
    }
    if (command->details != NULL) printf("\n%s\n", command->details);
}

Status command_read(const Command *command, int argc, char **argv, const char ***operands, int *n_operands,
                    bool *helped, Error *err) {
    *helped = false;
    *operands = NULL;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *helped = true;
            return STATUS_OK;
        }
    *operands = malloc((size_t)argc * sizeof **operands);
    if (*operands == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the words of the command line");
    Status status = options_parse(command, argc, argv, *operands, n_operands, err);
    if (status == STATUS_OK) return STATUS_OK;
    free((void *)*operands);
    *operands = NULL;
    return status;
}

bool command_line(const Command *command, int argc, char **argv, const char ***operands, int *n_operands,
                  int *exit_code) {
    Error err = {{0}};
    bool helped;
    Status status = command_read(command, argc, argv, operands, n_operands, &helped, &err);
    *exit_code = (int)status;
    if (helped) options_print_help(command);
    if (status != STATUS_OK) *exit_code = refuse_command_line(status, &err);
    return status == STATUS_OK && !helped;
}

int report_error(Status status, const Error *err) {
    fprintf(stderr, "palinode: %s\n", TEXT_SHOWN(err->text));
    return (int)status;
}

int refuse_command_line(Status status, const Error *err) {
    if (launcher_is_mpirun() && launcher_rank() > 0) sleep(10);
    return report_error(status, err);
}
