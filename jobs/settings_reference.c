/* The table of settings as pages for readers: Markdown for docs/settings.md, plain text for --help. Nothing about a
 * single setting is written here. */
#include "jobs/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMNS = 100, HELP_INDENT = 8 };

static const char preamble[] =
    "# Job file\n"
    "\n"
    "Made from the table in `jobs/settings.c`; a test compares the two.\n"
    "\n"
    "A job file is YAML: one mapping. Every key may be left out; what is left out has its default, the paper's scale.\n"
    "A key may be nested (`model: {n_layer: 4}`) or dotted (`model.n_layer: 4`). Anchors, aliases, tags and several\n"
    "documents are refused, and so is every key that is not listed here.\n"
    "\n"
    "| key | value | meaning |\n"
    "|---|---|---|\n"
    "| `name` | letters, digits, `-`, `_`, `.` | what the job is called; default: the file's name |\n"
    "| `seeds` | `{first: 0, count: 12}`, a list, or one number | seeds from 0 to 4294967295; default: seed 0 |\n"
    "| `zip` | a list of mappings with the same training keys | linked axes: their values change together |\n"
    "| `exclude` | a list of mappings of training keys and `seed` | combinations to leave out: those that agree with "
    "every entry of one mapping |\n"
    "\n"
    "The grid is the product of all axes: `seeds`, `zip`, and every setting that is given as a list. Options\n"
    "override the file: `--set model.n_layer=2,4`, `--set seeds=0,1,2`, `--set seeds.count=3`, `--set name=x`.\n";

/* Length of the section's part of a key: "evaluate" of "evaluate.critic.noise". */
static size_t section_length(const char *key) {
    return strcspn(key, ".");
}

static bool starts_section(const Setting *table, int i) {
    if (i == 0) return true;
    size_t length = section_length(table[i].key);
    return length != section_length(table[i - 1].key) || memcmp(table[i].key, table[i - 1].key, length) != 0;
}

static const char *list_means(const Setting *setting) {
    switch (setting->role) {
    case ROLE_TRAINING:
        return "axis: a training for each value";
    case ROLE_CRITIC:
        return "axis: evaluated under each value, nothing trained";
    case ROLE_EVALUATION:
        return "one value a job";
    case ROLE_BASELINE:
        return "one value a job; concerns baselines only";
    }
    return "";
}

static void print_reference(FILE *out) {
    int count;
    const Setting *table = settings_table(&count);
    fputs(preamble, out);
    for (int i = 0; i < count; i++) {
        const Setting *setting = &table[i];
        char expected[256], standard[256];
        setting_format(setting, setting->default_value, standard, sizeof standard);
        setting_expected(setting, expected, sizeof expected);
        if (starts_section(table, i))
            fprintf(out,
                    "\n## %.*s\n\n| key | value | default | unit | meaning | a list of values "
                    "|\n|---|---|---|---|---|---|\n",
                    (int)section_length(setting->key), setting->key);
        fprintf(out, "| `%s` | %s | `%s` | %s | %s | %s |\n", setting->key, expected, standard,
                setting->unit == NULL ? "" : setting->unit, setting->summary, list_means(setting));
    }
    fputs("\n## Checked together\n\n", out);
    const SettingsCheck *checks = settings_checks(&count);
    for (int i = 0; i < count; i++)
        fprintf(out, "* `%s` must be %s `%s`.\n", checks[i].key, checks[i].relation, checks[i].other_key);
}

/* Prints text word by word, every line indented and at most HELP_COLUMNS wide. */
static void print_wrapped(FILE *out, const char *text) {
    int column = 0;
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column == 0 || column + 1 + length > HELP_COLUMNS)
            column = fprintf(out, "%s%*s", column == 0 ? "" : "\n", HELP_INDENT, "") - (column != 0);
        else
            column += fprintf(out, " ");
        column += fprintf(out, "%.*s", length, text);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_help(FILE *out) {
    int count;
    const Setting *table = settings_table(&count);
    for (int i = 0; i < count; i++) {
        const Setting *setting = &table[i];
        char expected[256], standard[256], text[1024];
        setting_format(setting, setting->default_value, standard, sizeof standard);
        setting_expected(setting, expected, sizeof expected);
        bool in_units = setting->unit != NULL && strcmp(setting->unit, "numbers") != 0;
        snprintf(text, sizeof text, "%s: %s%s%s%s; %s", setting->summary, expected, in_units ? " (" : "",
                 in_units ? setting->unit : "", in_units ? ")" : "", list_means(setting));
        fprintf(out, "    %s = %s\n", setting->key, standard);
        print_wrapped(out, text);
    }
}

static char *printed(void (*print)(FILE *)) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) return NULL;
    print(out);
    bool failed = ferror(out) != 0;
    if (fclose(out) == 0 && !failed) return text;
    free(text);
    return NULL;
}

char *settings_reference(void) {
    return printed(print_reference);
}

char *settings_help(void) {
    return printed(print_help);
}
