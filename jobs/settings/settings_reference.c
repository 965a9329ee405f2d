/* The table of settings as pages for readers: Markdown for docs/settings.md, plain text for --help. Nothing about a
 * single setting is written here. */
#include "jobs/settings/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMNS = 100, HELP_INDENT = 8 };

static const char preamble[] =
    "# Job file\n"
    "\n"
    "Made from the table in `jobs/settings/settings.c`; a test compares the two.\n"
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
    "| `claims` | a list of mappings | what the job expects to find: see Claims |\n"
    "| `alpha` | a number above 0 and at most 1 | the level that all claims share; default: 0.05 |\n"
    "\n"
    "The grid is the product of all axes: `seeds`, `zip`, and every setting that is given as a list. Options\n"
    "override the file: `--set model.n_layer=2,4`, `--set seeds=0,1,2`, `--set seeds.count=3`, `--set name=x`.\n";

static const char claims_chapter[] =
    "\n## Claims\n"
    "\n"
    "A claim says what a job is expected to show, before it runs. It is one test of one metric between arms, each of\n"
    "them one configuration under one critic; the arms are paired by seed. Claims are in no identity: they may be "
    "added\n"
    "or changed without training anything again.\n"
    "\n"
    "| key | value | meaning |\n"
    "|---|---|---|\n"
    "| `id` | letters, digits, `-`, `_`, `.` | what the claim is called; different for each |\n"
    "| `test` | trend, plateau, difference, equivalence or regression | see below |\n"
    "| `kind` | examples (the default) or rounds | what the metric is a function of: how many examples the model has "
    "seen, or how often it has corrected its answer (needs `evaluate.rounds`; models only) |\n"
    "| `metric` | nmse, kendall_tau or alignment_loss; of rounds: nmse, gain, improved, worsened, right_to_wrong or "
    "wrong_to_right | what is tested |\n"
    "| `at` | a number of examples, or `[first, last]` for the mean over them | from 2 to `task.n_points` - 1; "
    "default: `task.n_points` - 1 |\n"
    "| `at` of rounds | a round, or `[first, last]` | from 1 (nmse: 0) to `evaluate.rounds`, the default |\n"
    "| `at` in `a` and `b` | the same | an arm's own, in place of the claim's: `a: {at: 8}, b: {at: 0}` |\n"
    "| `over` | a key | the axis whose values are the arms: all that the grid has where the claim is |\n"
    "| `a`, `b` | mappings of keys to values | two arms |\n"
    "| `where` | a mapping of keys to values | what is the same in all arms |\n"
    "| `direction` | increasing or decreasing along an axis; greater or less: a than b | of the metric's value "
    "(a smaller nmse is a better one); makes a test one-sided |\n"
    "| `margin` | a number above 0 | how far apart still counts as the same |\n"
    "| `on` | self_check_accuracy | what the metric is regressed on |\n"
    "\n"
    "`a`, `b` and `where` take training and critic settings (`critique_quality` for `evaluate.critique_quality`, and "
    "so\n"
    "on) and `predictor`: `model`, which is the default, or one of `evaluate.baselines`. Every arm must come out as "
    "one\n"
    "configuration: whatever has several values in the job is fixed by `where`, `a` and `b`, or is `over`. Seeds are\n"
    "never fixed. An override that takes away what a claim names is an error; `--set claims=[]` drops all claims.\n"
    "\n"
    "| test | needs | takes | is supported when |\n"
    "|---|---|---|---|\n"
    "| trend | `over` (numbers, at least 2), `direction` | | the metric rises (falls) along the axis: Page's test, "
    "blocked by seed |\n"
    "| plateau | `over` (numbers, at least 3), `margin` | | from some value below the highest on, the metric stays "
    "within the margin of its best |\n"
    "| difference | `a`, `b` | `direction` | the metric in a differs from that in b: random signs of the differences "
    "|\n"
    "| equivalence | `a`, `b`, `margin` | | the metric in a is within the margin of that in b: two one-sided tests |\n"
    "| regression | `over` (of the critic), `on` | `direction` | the metric changes linearly with the critic's "
    "measured "
    "accuracy (of rounds: on the responses of the rounds): one slope a seed |\n"
    "\n"
    "Rounds of self-correction: in round 0 a model answers after `evaluate.initial_responses` random responses, which "
    "the\n"
    "critic has scored; in each round after that its last answer has become one more response, scored as well. Of the\n"
    "answer of a round, `nmse` is 1 - its cosine to the aligned answer, `gain` how much smaller that is than in round "
    "0;\n"
    "`improved` and `worsened` are the shares of prompts whose answer got better or worse by the round, and\n"
    "`right_to_wrong` and `wrong_to_right` those whose answer stopped or began to be right (`evaluate.right_cosine`).\n"
    "\n"
    "One of each:\n"
    "\n"
    "```yaml\n"
    "model: {n_layer: [5, 10, 15, 20], attention: [softmax, linear]}\n"
    "evaluate: {critique_quality: [1, 0.5, 0]}\n"
    "seeds: {count: 12}\n"
    "alpha: 0.05\n"
    "claims:\n"
    "  - {id: depth-helps, test: trend, metric: kendall_tau, at: 15, over: model.n_layer, direction: increasing,\n"
    "     where: {model.attention: softmax, critique_quality: 1}}\n"
    "  - {id: then-no-more, test: plateau, metric: kendall_tau, at: 15, over: model.n_layer, margin: 0.02,\n"
    "     where: {model.attention: softmax, critique_quality: 1}}\n"
    "  - {id: softmax-needed, test: difference, metric: kendall_tau, at: 15, a: {model.attention: softmax},\n"
    "     b: {model.attention: linear}, direction: greater, where: {model.n_layer: 20, critique_quality: 1}}\n"
    "  - {id: like-gd, test: equivalence, metric: nmse, at: [2, 15], a: {model.attention: softmax, model.n_layer: "
    "20},\n"
    "     b: {predictor: gd}, margin: 0.05, where: {critique_quality: 1}}\n"
    "  - {id: as-the-critic, test: regression, metric: kendall_tau, at: 15, on: self_check_accuracy,\n"
    "     over: critique_quality, direction: increasing, where: {model.attention: softmax, model.n_layer: 20}}\n"
    "```\n"
    "\n"
    "All claims of a job share `alpha` by Holm's procedure: of m p-values in ascending order the first must be at "
    "most\n"
    "alpha / m, the next alpha / (m - 1), and so on. The tests are exact, so that few seeds cannot show much: the\n"
    "smallest p of n seeds is 2^-n (2^-(n-1) for a difference or regression without direction), and of a trend over k\n"
    "values (1/k!)^n. `plan` says which claims are beyond the reach of a job's seeds, and how many would do;\n"
    "`analyze` tests them ([statistics.md](statistics.md)).\n";

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
    case ROLE_ROUNDS:
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
        fprintf(out, "| `%s` | %s | `%s`%s%s | %s | %s | %s |\n", setting->key, expected, standard,
                setting->fitted != NULL ? ", or " : "", setting->fitted != NULL ? setting->fitted_means : "",
                setting->unit == NULL ? "" : setting->unit, setting->summary, list_means(setting));
    }
    fputs("\n## Checked together\n\n", out);
    const SettingsCheck *checks = settings_checks(&count);
    for (int i = 0; i < count; i++)
        fprintf(out, "* `%s` must be %s `%s`%s%s%s.\n", checks[i].key, checks[i].relation, checks[i].other_key,
                checks[i].less_key == NULL ? "" : " - 1 - `", checks[i].less_key == NULL ? "" : checks[i].less_key,
                checks[i].less_key == NULL ? "" : "`");
    fputs(claims_chapter, out);
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
        snprintf(text, sizeof text, "%s: %s%s%s%s%s%s; %s", setting->summary, expected, in_units ? " (" : "",
                 in_units ? setting->unit : "", in_units ? ")" : "", setting->fitted != NULL ? "; when not set, " : "",
                 setting->fitted != NULL ? setting->fitted_means : "", list_means(setting));
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
