/* Identities: their text, their values (pinned: a change would orphan every result), what changes them and what not. */
#include "jobs/job/job.h"
#include "jobs/settings/identity.h"
#include "proto/wire/codec.h"

#include "tests/harness.h"

#include <stdlib.h>

static void the_canonical_text_is_sorted_and_leaves_defaults_out(void **state) {
    Settings settings = settings_default();
    char text[CANONICAL_TEXT_BYTES];
    training_canonical(&settings.training, text);
    assert_string_equal(text, "seed=0\n");

    settings.training = (TrainingSpec){.model = {4, 2, 48, ATTENTION_LINEAR, false, false},
                                       .task = {3, 10, TASK_NOISE_INDEPENDENT},
                                       .train = {2147483648, 64, 4, 0.1 + 0.2, OBJECTIVE_MSE, CONTEXT_MIXED, 0.5, 1e-5,
                                                 100, RATE_COSINE, PRECISION_BF16, 0.25, 0},
                                       .seed = 4294967295u};
    training_canonical(&settings.training, text);
    assert_string_equal(text, "model.attention=linear\nmodel.causal=false\nmodel.ffn=false\nmodel.n_embd=48\n"
                              "model.n_head=2\nmodel.n_layer=4\nseed=4294967295\ntask.n_dims=3\ntask.n_points=10\n"
                              "task.noise=independent\ntrain.batch_size=64\ntrain.clip_norm=1e-5\ntrain.context=mixed\n"
                              "train.critic_quality=0.5\ntrain.decay=cosine\ntrain.exploration=0\n"
                              "train.gradient_shards=4\ntrain.learning_rate=0.30000000000000004\n"
                              "train.objective=mse\ntrain.on_policy_share=0.25\ntrain.precision=bf16\n"
                              "train.steps=2147483648\ntrain.warmup_steps=100\n");

    settings = settings_default(); /* as the first ids had it, whatever is shown to people */
    settings.training.train.learning_rate = 10;
    settings.training.train.clip_norm = 1e6;
    training_canonical(&settings.training, text);
    assert_string_equal(text, "seed=0\ntrain.clip_norm=1e6\ntrain.learning_rate=1e1\n");
}

static void check_id(Id id, const char *expected) {
    char text[ID_TEXT_BYTES];
    assert_string_equal(id_text(id, text), expected);
}

static void ids_never_change(void **state) {
    Settings settings = settings_default();
    Id training = training_id(&settings.training);
    check_id(training, "c307d91098192d79f0b82acb645ed75b");
    check_id(cell_id(training, &settings.critic, &settings.evaluation), "9fc7ed6e85432c48912e4f77968d769b");
    check_id(baseline_id(&settings.training.task, 0, &settings.critic, &settings.evaluation, PREDICTOR_GD),
             "9aa2bc056f0ca684f14239e20528ba20");

    settings.training.model = (ModelSettings){4, 3, 48, ATTENTION_LINEAR, false, true};
    settings.training.train.learning_rate = 1e-3;
    settings.training.seed = 7;
    settings.critic = (CriticSettings){0.75, CRITIC_FLIP, FEEDBACK_BINARY};
    settings.evaluation.prompts = 256;
    settings.evaluation.gd_steps = GD_STEPS_RELEASED;
    settings.evaluation.baselines = 2;
    training = training_id(&settings.training);
    check_id(training, "a22bdd9b5cc1aed8ff7b39fbe7896247");
    check_id(cell_id(training, &settings.critic, &settings.evaluation), "9093d13ca1decdd1a4bf398ee9fa0d05");
    check_id(baseline_id(&settings.training.task, 7, &settings.critic, &settings.evaluation, PREDICTOR_GD),
             "2a0641c8df71389640c1caeaeff4995b");
    check_id(baseline_id(&settings.training.task, 7, &settings.critic, &settings.evaluation, PREDICTOR_EXACT),
             "653c1656c07cd8c720b437d9ee0ded82");
}

/* All ids of the one training and critic of a job. */
typedef struct Ids {
    Id training, cell, gd, mean;
} Ids;

static Ids ids_of(const Settings *settings, Id training) {
    return (Ids){.training = training_id(&settings->training),
                 .cell = cell_id(training, &settings->critic, &settings->evaluation),
                 .gd = baseline_id(&settings->training.task, settings->training.seed, &settings->critic,
                                   &settings->evaluation, PREDICTOR_GD),
                 .mean = baseline_id(&settings->training.task, settings->training.seed, &settings->critic,
                                     &settings->evaluation, PREDICTOR_MEAN)};
}

/* Another value than the default, if there is one. */
static bool other_value(const Setting *setting, double value, double *other) {
    switch (setting->type) {
    case SETTING_INTEGER:
        *other = value + 1;
        return true;
    case SETTING_REAL:
        *other = value == 0 ? 0.5 : value / 2;
        return true;
    case SETTING_BOOLEAN:
        *other = 1 - value;
        return true;
    case SETTING_CHOICE:
        *other = 1;
        return strcmp(setting->choice_name(1), "?") != 0;
    case SETTING_SET:
        *other = value - 2;
        return true;
    }
    return false;
}

static void every_setting_changes_the_ids_that_it_should_and_no_others(void **state) {
    int count, tried = 0;
    const Setting *table = settings_table(&count);
    Settings defaults = settings_default();
    defaults.training.train.context = CONTEXT_MIXED; /* so that every setting means something */
    defaults.evaluation.rounds = 4;
    Id training = training_id(&defaults.training);
    Ids before = ids_of(&defaults, training);
    for (int i = 0; i < count; i++) {
        const Setting *setting = &table[i];
        Settings settings = defaults;
        double other;
        if (!other_value(setting, setting_get(setting, &defaults), &other)) continue;
        setting_set(setting, &settings, other);
        Ids after = ids_of(&settings, training);
        bool task = strncmp(setting->key, "task.", 5) == 0;
        bool measured = setting->role == ROLE_CRITIC || setting->role == ROLE_EVALUATION;
        bool rounds = setting->role == ROLE_ROUNDS;
        bool gd_steps = strcmp(setting->key, "evaluate.gd_steps") == 0;
        assert_int_equal(!id_equal(after.training, before.training), setting->role == ROLE_TRAINING);
        assert_int_equal(!id_equal(after.cell, before.cell), measured || rounds);
        assert_int_equal(!id_equal(after.mean, before.mean), measured || task);
        assert_int_equal(!id_equal(after.gd, before.gd), measured || task || gd_steps);
        tried++;
    }
    assert_int_equal(tried, count);

    Settings settings = defaults;
    settings.training.seed = 1;
    Ids after = ids_of(&settings, training_id(&settings.training));
    assert_false(id_equal(after.training, before.training) || id_equal(after.cell, before.cell) ||
                 id_equal(after.gd, before.gd) || id_equal(after.mean, before.mean));
    assert_false(id_equal(before.gd, before.mean));
}

static void what_means_nothing_beside_the_other_settings_changes_no_id(void **state) {
    int count, tried = 0;
    const Setting *table = settings_table(&count);
    const Settings defaults = settings_default();
    Id training = training_id(&defaults.training);
    Ids before = ids_of(&defaults, training);
    for (int i = 0; i < count; i++) {
        Settings settings = defaults;
        double other;
        if (table[i].active == NULL || !other_value(&table[i], setting_get(&table[i], &defaults), &other)) continue;
        assert_false(table[i].active(&defaults));
        setting_set(&table[i], &settings, other);
        Ids after = ids_of(&settings, training);
        assert_memory_equal(&after, &before, sizeof after);
        settings_drop_inactive(&settings);
        assert_near(setting_get(&table[i], &settings), table[i].default_value, 0);
        tried++;
    }
    assert_int_equal(tried, 4);
}

static Ids ids_of_job(const char *text) {
    Job *job = NULL;
    Error err = {""};
    if (job_parse("j", text, NULL, 0, &job, &err) != STATUS_OK) fail_msg("%s", err.text);
    assert_int_equal(job_trainings(job), 1);
    Settings settings = {.critic = job_critic(job, 0), .evaluation = job_evaluation(job)};
    assert_true(job_training(job, 0, &settings.training));
    job_free(job);
    return ids_of(&settings, training_id(&settings.training));
}

static void ids_do_not_depend_on_how_a_job_is_written(void **state) {
    Ids plain = ids_of_job("model: {n_layer: 4}\ntrain: {learning_rate: 0.001, critic_quality: 0}\n"
                           "evaluate: {prompts: 64, critique_quality: 0.5}\nseeds: 3");
    const char *const texts[] = {
        "seeds: {first: 3, count: 1}\nevaluate:\n  critique_quality: 5.0e-1 # half\n  prompts: 64\n"
        "train.critic_quality: -0.0\ntrain: {learning_rate: 1e-3}\nmodel:\n    n_layer: 4\nname: other\n",
        "model: {n_layer: [4], n_head: 3, n_embd: 96, attention: \"softmax\", ffn: true, causal: true}\n"
        "task: {n_dims: 5, n_points: 20, noise: shared}\n"
        "train: {steps: 3000, batch_size: 256, learning_rate: 1.0E-3, context: offline, critic_quality: 0.0}\n"
        "evaluate: {critic: {noise: replace, feedback: scalar}, prompts: 64, critique_quality: 0.50, gd_steps: 50}\n"
        "seeds: [3]",
        "zip: [{model.n_layer: 4, train.learning_rate: 0.1e-2}]\nevaluate: {prompts: 64, critique_quality: 0.5, "
        "baselines: [gd]}\nseeds: [2, 3]\nexclude: [{seed: 2}]\ntrain: {critic_quality: 0e5}"};
    for (size_t i = 0; i < 2; i++) {
        Ids ids = ids_of_job(texts[i]);
        assert_memory_equal(&ids, &plain, sizeof ids);
    }
    Job *job = NULL;
    assert_int_equal(job_parse("j", texts[2], NULL, 0, &job, NULL), STATUS_OK);
    Settings settings = {.critic = job_critic(job, 0), .evaluation = job_evaluation(job)};
    assert_true(job_training(job, 1, &settings.training));
    Ids ids = ids_of(&settings, training_id(&settings.training));
    assert_memory_equal(&ids, &plain, sizeof ids);
    job_free(job);
}

static int by_bytes(const void *a, const void *b) {
    return memcmp(a, b, sizeof(Id));
}

static void the_trainings_of_a_grid_have_different_ids(void **state) {
    Job *job = NULL;
    assert_int_equal(
        job_parse("j",
                  "seeds: {count: 100}\nmodel: {n_layer: [1, 11, 2, 22], n_head: [1, 2], ffn: [true, false]}\n"
                  "train.learning_rate: [1, 0.1, 1e-4]\ntask.noise: [shared, independent]",
                  NULL, 0, &job, NULL),
        STATUS_OK);
    size_t count = job_grid_points(job);
    assert_int_equal(count, 9600);
    Id *ids = calloc(count, sizeof *ids);
    assert_non_null(ids);
    for (size_t i = 0; i < count; i++) {
        TrainingSpec spec;
        assert_true(job_training(job, i, &spec));
        ids[i] = training_id(&spec);
    }
    qsort(ids, count, sizeof *ids, by_bytes);
    for (size_t i = 1; i < count; i++)
        assert_false(id_equal(ids[i - 1], ids[i]));
    free(ids);
    job_free(job);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_canonical_text_is_sorted_and_leaves_defaults_out),
        cmocka_unit_test(ids_never_change),
        cmocka_unit_test(every_setting_changes_the_ids_that_it_should_and_no_others),
        cmocka_unit_test(what_means_nothing_beside_the_other_settings_changes_no_id),
        cmocka_unit_test(ids_do_not_depend_on_how_a_job_is_written),
        cmocka_unit_test(the_trainings_of_a_grid_have_different_ids),
    };
    return run_tests(tests, argc, argv);
}
