/* The table of settings: defaults, spelling of values, checks over two settings, pages made from it. */
#include "jobs/settings/settings.h"

#include "tests/harness.h"

#include <math.h>
#include <stdlib.h>

static void the_defaults_are_the_papers_scale(void **state) {
    Settings settings = settings_default();
    const TrainingSpec *spec = &settings.training;
    assert_int_equal(spec->model.n_layer, 20);
    assert_int_equal(spec->model.n_head, 3);
    assert_int_equal(spec->model.n_embd, 96);
    assert_int_equal(spec->model.attention, ATTENTION_SOFTMAX);
    assert_true(spec->model.ffn && spec->model.causal);
    assert_int_equal(spec->task.n_dims, 5);
    assert_int_equal(spec->task.n_points, 20);
    assert_int_equal(spec->train.steps, 3000);
    assert_int_equal(spec->train.batch_size, 256);
    assert_int_equal(spec->train.gradient_shards, 8);
    assert_near(spec->train.learning_rate, 1e-4, 0);
    assert_int_equal(spec->train.objective, OBJECTIVE_PLACKETT_LUCE);
    assert_int_equal(spec->train.context, CONTEXT_OFFLINE);
    assert_near(spec->train.on_policy_share, 0.5, 0);
    assert_near(spec->train.exploration, 1, 0);
    assert_near(spec->train.critic_quality, 1, 0);
    assert_near(spec->train.clip_norm, 0, 0);
    assert_int_equal(spec->train.warmup_steps, 0);
    assert_int_equal(spec->train.decay, RATE_CONSTANT);
    assert_int_equal(spec->train.precision, PRECISION_FLOAT32);
    assert_near(settings.critic.quality, 1, 0);
    assert_int_equal(settings.evaluation.prompts, 1024);
    assert_int_equal(settings.evaluation.gd_steps, 50);
    assert_int_equal(settings.evaluation.baselines, 0x3e);
    assert_int_equal(settings_check(&settings, NULL, NULL), STATUS_OK);
}

static void every_default_is_written_as_it_is_formatted(void **state) {
    int count;
    const Setting *table = settings_table(&count);
    assert_int_equal(count, 31);
    for (int i = 0; i < count; i++) {
        SettingValue value;
        char text[128];
        setting_format(&table[i], table[i].default_value, text, sizeof text);
        assert_int_equal(setting_parse(&table[i], text, &value, NULL), STATUS_OK);
        assert_true(value == table[i].default_value);
        assert_ptr_equal(settings_find(table[i].key), &table[i]);
    }
    assert_null(settings_find("model"));
}

static void what_is_set_is_what_is_got_and_nothing_else_changes(void **state) {
    int count;
    const Setting *table = settings_table(&count);
    for (int i = 0; i < count; i++) {
        Settings settings = settings_default(), untouched = settings_default();
        double value = setting_get(&table[i], &settings) == 1 ? 0 : 1;
        setting_set(&table[i], &settings, value);
        assert_near(setting_get(&table[i], &settings), value, 0);
        for (int k = 0; k < count; k++)
            if (k != i) assert_near(setting_get(&table[k], &settings), setting_get(&table[k], &untouched), 0);
    }
}

static void check_refused(const char *key, const char *text) {
    SettingValue value = -77;
    Error err = {""};
    if (setting_parse(settings_find(key), text, &value, &err) == STATUS_OK) fail_msg("%s: %s was read", key, text);
    assert_near(value, -77, 0);
    assert_int_equal(strncmp(err.text, "expected ", 9), 0);
}

static void only_plain_decimal_numbers_are_read(void **state) {
    const char *const neither[] = {"",    " 3",   "3 ",   "10x", "010",   "+5", "1_000", "0x10", "nan", "NaN",
                                   "inf", ".inf", "1e3x", "--1", "1,000", "00", "\t3",   "3\n",  "-",   "three"};
    for (size_t i = 0; i < sizeof neither / sizeof neither[0]; i++) {
        check_refused("train.steps", neither[i]);
        check_refused("train.clip_norm", neither[i]);
    }
    const char *const no_integers[] = {"3e3", "3.0", "3.", ".3", "1e400", "99999999999999999999"};
    for (size_t i = 0; i < sizeof no_integers / sizeof no_integers[0]; i++)
        check_refused("train.steps", no_integers[i]);
    const char *const no_reals[] = {".",      "-.",    ".e1",  "1e",    "1e+",     "1e400",
                                    "1e-400", "-1e-3", "01.5", "0x1p3", "infinity"};
    for (size_t i = 0; i < sizeof no_reals / sizeof no_reals[0]; i++)
        check_refused("train.clip_norm", no_reals[i]);
    SettingValue value;
    const char *const reals[] = {"0.001", "1e-3", "1.0E-3", "10e-4", "1e-03", "0.1e-2", ".001", "1.e-3"};
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        assert_int_equal(setting_parse(settings_find("train.learning_rate"), reals[i], &value, NULL), STATUS_OK);
        assert_near(value, 1e-3, 0);
    }
}

static void bounds_are_kept(void **state) {
    check_refused("model.n_layer", "0");
    check_refused("model.n_layer", "201");
    check_refused("model.n_layer", "-1");
    check_refused("train.steps", "2147483649");
    check_refused("train.learning_rate", "0");
    check_refused("train.learning_rate", "10.01");
    check_refused("evaluate.critique_quality", "1.0000001");
    check_refused("evaluate.prompts", "1");
    check_refused("evaluate.gd_steps", "0");
    SettingValue value;
    assert_int_equal(setting_parse(settings_find("train.steps"), "2147483648", &value, NULL), STATUS_OK);
    assert_near(value, 2147483648.0, 0);
}

static void minus_zero_is_zero(void **state) {
    SettingValue value;
    assert_int_equal(setting_parse(settings_find("train.critic_quality"), "-0.0", &value, NULL), STATUS_OK);
    assert_false(signbit(value));
}

static void words_are_read_exactly(void **state) {
    const char *const no_booleans[] = {"yes", "no", "True", "on", "1", "", "truee"};
    for (size_t i = 0; i < sizeof no_booleans / sizeof no_booleans[0]; i++)
        check_refused("model.ffn", no_booleans[i]);
    check_refused("model.attention", "Softmax");
    check_refused("model.attention", "soft");
    check_refused("model.attention", "?");
    check_refused("model.attention", "");
    SettingValue value;
    assert_int_equal(setting_parse(settings_find("model.attention"), "linear", &value, NULL), STATUS_OK);
    assert_near(value, ATTENTION_LINEAR, 0);
    assert_int_equal(setting_parse(settings_find("evaluate.gd_steps"), "released", &value, NULL), STATUS_OK);
    assert_near(value, GD_STEPS_RELEASED, 0);
    check_refused("train.steps", "released");
}

static void a_set_is_a_list_of_different_names(void **state) {
    const Setting *setting = settings_find("evaluate.baselines");
    SettingValue value;
    char text[128];
    const char *const spellings[] = {"gd,best", "best,gd", "[gd, best]", "gd ,  best", "[best,gd]"};
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        assert_int_equal(setting_parse(setting, spellings[i], &value, NULL), STATUS_OK);
        assert_near(value, (1u << PREDICTOR_GD) + (1u << PREDICTOR_BEST), 0);
        assert_string_equal(setting_format(setting, value, text, sizeof text), "[gd, best]");
    }
    assert_int_equal(setting_parse(setting, "[]", &value, NULL), STATUS_OK);
    assert_near(value, 0, 0);
    const char *const refused[] = {"", "gd,", ",gd", "gd,gd", "gd best", "[gd", "gd]", "model", "[[gd]]", "gd,,best"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        check_refused("evaluate.baselines", refused[i]);
}

static void check_message(const char *key, const char *text, const char *message) {
    SettingValue value;
    Error err;
    assert_int_equal(setting_parse(settings_find(key), text, &value, &err), STATUS_DATA);
    assert_string_equal(err.text, message);
}

static void messages_say_what_was_expected(void **state) {
    check_message("model.n_layer", "10x", "expected an integer from 1 to 200, found '10x'");
    check_message("model.n_layer", "010",
                  "expected an integer from 1 to 200, found '010' (leading zeros could mean octal)");
    check_message("train.learning_rate", "0", "expected a number above 0 and at most 10, found '0'");
    check_message("model.ffn", "yes", "expected true or false, found 'yes'");
    check_message("train.objective", "pl", "expected plackett_luce, bradley_terry, cosine or mse, found 'pl'");
    check_message("evaluate.gd_steps", "x", "expected an integer from 1 to 100000 or released, found 'x'");
    check_message("evaluate.baselines", "all",
                  "expected a list of different names among gd, mean, best, contrast and exact, found 'all'");
    check_message("model.n_layer", "", "expected an integer from 1 to 200, found nothing");
    check_message("model.n_layer", "a\nb\x01", "expected an integer from 1 to 200, found 'a\\nb\\x01'");
    char quoted[QUOTED_BYTES], umlauts[201];
    for (int i = 0; i < 100; i++)
        memcpy(umlauts + 2 * i, "\xc3\xa4", 3);
    const char *cut = words_quote(umlauts, quoted); /* at a whole character */
    assert_int_equal(strlen(cut) % 2, 1);
    assert_string_equal(cut + strlen(cut) - 6, "\xc3\xa4...'");
}

static void numbers_are_shown_shortest_as_people_write_them_and_keep_their_spelling_in_ids(void **state) {
    const struct {
        double value;
        const char *text, *canonical;
    } cases[] = {{1e-4, "0.0001", "0.0001"},
                 {0.1, "0.1", "0.1"},
                 {1e-5, "1e-5", "1e-5"},
                 {0.1 + 0.2, "0.30000000000000004", "0.30000000000000004"},
                 {10, "10", "1e1"},
                 {200, "200", "2e2"},
                 {1e6, "1000000", "1e6"},
                 {123456.75, "123456.75", "123456.75"},
                 {2.5e-10, "2.5e-10", "2.5e-10"},
                 {1, "1", "1"},
                 {0, "0", "0"},
                 {1.0 / 3, "0.3333333333333333", "0.3333333333333333"}};
    const Setting *setting = settings_find("train.clip_norm");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        SettingValue value;
        assert_string_equal(setting_canonical(setting, cases[i].value, text, sizeof text), cases[i].canonical);
        assert_string_equal(setting_format(setting, cases[i].value, text, sizeof text), cases[i].text);
        assert_int_equal(setting_parse(setting, text, &value, NULL), STATUS_OK);
        assert_near(value, cases[i].value, 0);
    }
    char text[64];
    assert_string_equal(setting_format(settings_find("train.steps"), 2147483648.0, text, sizeof text), "2147483648");
}

static void a_misspelt_key_finds_its_nearest(void **state) {
    const char *const pairs[][2] = {{"model.n_layers", "model.n_layer"},
                                    {"modle.n_layer", "model.n_layer"},
                                    {"n_layer", "model.n_layer"},
                                    {"model.steps", "train.steps"},
                                    {"train.learning_rat", "train.learning_rate"},
                                    {"evaluate.noise", "task.noise"},
                                    {"evaluate.critic.noize", "evaluate.critic.noise"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_non_null(settings_nearest(pairs[i][0]));
        assert_string_equal(settings_nearest(pairs[i][0])->key, pairs[i][1]);
    }
    assert_null(settings_nearest("something"));
    assert_null(settings_nearest(""));
    char longest[4096];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(settings_nearest(longest));
}

static void settings_that_do_not_fit_each_other_are_named(void **state) {
    const struct {
        const char *key, *message;
        double value;
    } cases[] = {
        {"model.n_embd", "model.n_embd (100) must be divisible by model.n_head (3)", 100},
        {"train.gradient_shards", "train.gradient_shards (257) must be at most train.batch_size (256)", 257},
        {"train.warmup_steps", "train.warmup_steps (3001) must be at most train.steps (3000)", 3001},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Settings settings = settings_default();
        setting_set(settings_find(cases[i].key), &settings, cases[i].value);
        const char *key = NULL;
        Error err;
        assert_int_equal(settings_check(&settings, &key, &err), STATUS_DATA);
        assert_string_equal(key, cases[i].key);
        assert_string_equal(err.text, cases[i].message);
        setting_set(settings_find(cases[i].key), &settings, cases[i].value - 1 - 3 * (i == 0));
        assert_int_equal(settings_check(&settings, NULL, NULL), STATUS_OK);
    }
}

/* PALINODE_WRITE_REFERENCE=1 writes the page instead. */
static void the_reference_page_is_the_tables(void **state) {
    char *page = settings_reference();
    assert_non_null(page);
    const char *path = PROJECT_DIR "/docs/settings.md";
    if (getenv("PALINODE_WRITE_REFERENCE") != NULL) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        fputs(page, out);
        fclose(out);
    }
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *committed = calloc(1, 1 << 20);
    assert_non_null(committed);
    assert_true(fread(committed, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    if (strcmp(committed, page) != 0)
        fail_msg("docs/settings.md is not what jobs/settings/settings.c says; PALINODE_WRITE_REFERENCE=1 renews it");
    free(committed);
    free(page);
}

static void help_names_every_setting_within_a_hundred_columns(void **state) {
    char *help = settings_help();
    assert_non_null(help);
    int count;
    const Setting *table = settings_table(&count);
    for (int i = 0; i < count; i++) {
        char line[256], standard[128];
        setting_format(&table[i], table[i].default_value, standard, sizeof standard);
        snprintf(line, sizeof line, "    %s = %s\n", table[i].key, standard);
        assert_non_null(strstr(help, line));
    }
    for (char *line = strtok(help, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strlen(line) > 100) fail_msg("longer than 100 columns: %s", line);
        assert_true(line[strlen(line) - 1] != ' ');
    }
    free(help);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_the_papers_scale),
        cmocka_unit_test(every_default_is_written_as_it_is_formatted),
        cmocka_unit_test(what_is_set_is_what_is_got_and_nothing_else_changes),
        cmocka_unit_test(only_plain_decimal_numbers_are_read),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(minus_zero_is_zero),
        cmocka_unit_test(words_are_read_exactly),
        cmocka_unit_test(a_set_is_a_list_of_different_names),
        cmocka_unit_test(messages_say_what_was_expected),
        cmocka_unit_test(numbers_are_shown_shortest_as_people_write_them_and_keep_their_spelling_in_ids),
        cmocka_unit_test(a_misspelt_key_finds_its_nearest),
        cmocka_unit_test(settings_that_do_not_fit_each_other_are_named),
        cmocka_unit_test(the_reference_page_is_the_tables),
        cmocka_unit_test(help_names_every_setting_within_a_hundred_columns),
    };
    return run_tests(tests, argc, argv);
}
