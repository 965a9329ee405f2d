/* Job files: what is read, what is refused and in which words, overrides, the resolved form, the shipped files, damage.
 */
#include "jobs/job/job.h"
#include "jobs/settings/identity.h"
#include "jobs/settings/settings.h"
#include "proto/wire/codec.h"

#include "tests/harness.h"

#include <glob.h>
#include <stdlib.h>
#include <unistd.h>

static Job *parse_with(const char *text, const char *const *overrides, int n_overrides) {
    Job *job = NULL;
    Error err = {""};
    if (job_parse("dir/some job.yaml", text, overrides, n_overrides, &job, &err) != STATUS_OK) fail_msg("%s", err.text);
    return job;
}

static Job *parse(const char *text) {
    return parse_with(text, NULL, 0);
}

/* Parsing text must fail with this message ("j:" is the path). */
static void check_refused(const char *text, const char *message) {
    Job *job = NULL;
    Error err = {""};
    if (job_parse("j", text, NULL, 0, &job, &err) != STATUS_DATA) fail_msg("not refused: %s", text);
    assert_null(job);
    if (strcmp(err.text, message) != 0) print_error("for: %s\n", text);
    assert_string_equal(err.text, message);
}

static void check_override_refused(const char *text, const char *override, const char *message) {
    Job *job = NULL;
    Error err = {""};
    if (job_parse("j", text, &override, 1, &job, &err) != STATUS_USAGE) fail_msg("not refused: %s", override);
    assert_string_equal(err.text, message);
}

static TrainingSpec training(const Job *job, uint64_t index) {
    TrainingSpec spec;
    assert_true(job_training(job, index, &spec));
    return spec;
}

/* --- what is read ------------------------------------------------------------------------------------------------ */

static const char whole_job[] = "# a comment\n"
                                "name: depth-1.b\n"
                                "model:    {n_layer: [5, 10], attention: linear, ffn: false, causal: true}\n"
                                "task:     {n_dims: 4, n_points: 12, noise: independent}\n"
                                "train:    {steps: 100, batch_size: 32, gradient_shards: 4, learning_rate: 1.0e-3,\n"
                                "           objective: 'mse', context: offline, critic_quality: 0.5, clip_norm: 1,\n"
                                "           warmup_steps: 10, decay: cosine}\n"
                                "evaluate:\n"
                                "  prompts: 64\n"
                                "  critique_quality: [1, 0.5, 0]\n"
                                "  critic: {noise: [replace, flip], feedback: binary}\n"
                                "  gd_steps: released\n"
                                "  baselines:\n"
                                "    - gd\n"
                                "    - mean\n"
                                "seeds:    {first: 7, count: 3}\n"
                                "zip:      [{model.n_head: 1, model.n_embd: 32}, {model: {n_head: 3, n_embd: 96}}]\n"
                                "exclude:  [{model.n_layer: 10, model.n_embd: 32, seed: 8}]\n"
                                "alpha:    0.01\n"
                                "claims:   [{id: up, test: trend, metric: nmse, at: [2, 5], over: critique_quality,\n"
                                "            direction: decreasing, where: {critic.noise: flip, model: {n_layer: 5,\n"
                                "            n_embd: 96}}}]\n";

static void every_key_of_a_job_file_is_read(void **state) {
    Job *job = parse(whole_job);
    assert_string_equal(job_name(job), "depth-1.b");
    assert_string_equal(job_text(job), whole_job);
    assert_int_equal(job_grid_points(job), 12);
    assert_int_equal(job_trainings(job), 11);
    TrainingSpec spec = training(job, 0);
    assert_int_equal(spec.model.n_layer, 5);
    assert_int_equal(spec.model.n_head, 1);
    assert_int_equal(spec.model.n_embd, 32);
    assert_int_equal(spec.model.attention, ATTENTION_LINEAR);
    assert_false(spec.model.ffn);
    assert_true(spec.model.causal);
    assert_int_equal(spec.task.n_dims, 4);
    assert_int_equal(spec.task.n_points, 12);
    assert_int_equal(spec.task.noise, TASK_NOISE_INDEPENDENT);
    assert_int_equal(spec.train.steps, 100);
    assert_int_equal(spec.train.batch_size, 32);
    assert_int_equal(spec.train.gradient_shards, 4);
    assert_near(spec.train.learning_rate, 1e-3, 0);
    assert_int_equal(spec.train.objective, OBJECTIVE_MSE);
    assert_near(spec.train.critic_quality, 0.5, 0);
    assert_near(spec.train.clip_norm, 1, 0);
    assert_int_equal(spec.train.warmup_steps, 10);
    assert_int_equal(spec.train.decay, RATE_COSINE);
    assert_int_equal(spec.seed, 7);

    EvaluationSettings evaluation = job_evaluation(job);
    assert_int_equal(evaluation.prompts, 64);
    assert_int_equal(evaluation.gd_steps, GD_STEPS_RELEASED);
    assert_int_equal(evaluation.baselines, 1u << PREDICTOR_GD | 1u << PREDICTOR_MEAN);
    assert_int_equal(job_critics(job), 6);
    CriticSettings critic = job_critic(job, 3);
    assert_near(critic.quality, 0.5, 0);
    assert_int_equal(critic.noise, CRITIC_FLIP);
    assert_int_equal(critic.feedback, FEEDBACK_BINARY);
    int n_claims;
    assert_string_equal(job_claims(job, &n_claims)->id, "up");
    assert_int_equal(n_claims, 1);
    assert_near(job_alpha(job), 0.01, 0);
    job_free(job);
}

static void an_empty_job_is_one_training_of_the_defaults(void **state) {
    const char *const texts[] = {NULL, "{}", "---\n{}\n...\n", "# only\n{}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        Job *job = parse(texts[i]);
        assert_int_equal(job_trainings(job), 1);
        assert_int_equal(job_critics(job), 1);
        TrainingSpec spec = training(job, 0);
        assert_int_equal(spec.model.n_layer, 20);
        assert_int_equal(spec.seed, 0);
        assert_string_equal(job_name(job), "some-job");
        job_free(job);
    }
}

static void names_come_from_the_file_when_none_is_given(void **state) {
    const char *const cases[][2] = {{"a/b/depth.yaml", "depth"},
                                    {"x.yml", "x"},
                                    {"x.y.yaml", "x.y"},
                                    {"plain", "plain"},
                                    {"-", "job"},
                                    {".yaml", "job"},
                                    {"", "job"},
                                    {"\xc3\xa4.yaml", "job-a483c10f"},
                                    {"a b/", "job"},
                                    {"a b", "a-b"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Job *job = NULL;
        assert_int_equal(job_parse(cases[i][0], "{}", NULL, 0, &job, NULL), STATUS_OK);
        assert_string_equal(job_name(job), cases[i][1]);
        job_free(job);
    }
}

static void seeds_are_a_range_a_list_or_a_number(void **state) {
    const struct {
        const char *text;
        uint32_t seeds[3];
        uint64_t count;
    } cases[] = {{"seeds: {first: 4, count: 3}", {4, 5, 6}, 3},
                 {"seeds: {count: 2}", {0, 1}, 2},
                 {"seeds: {first: 9}", {9}, 1},
                 {"seeds: [3, 1, 4294967295]", {3, 1, 4294967295u}, 3},
                 {"seeds: 12", {12}, 1},
                 {"seeds: {first: 4294967295, count: 1}", {4294967295u}, 1},
                 {"seeds.first: 2\nseeds.count: 2", {2, 3}, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Job *job = parse(cases[i].text);
        assert_int_equal(job_grid_points(job), cases[i].count);
        for (uint64_t k = 0; k < cases[i].count; k++)
            assert_int_equal(training(job, k).seed, cases[i].seeds[k]);
        job_free(job);
    }
}

static void a_key_may_be_nested_or_dotted(void **state) {
    Job *job = parse("model.n_layer: 4\nmodel: {n_head: 1}\nevaluate: {critic.noise: flip}\nevaluate.prompts: 8\n");
    assert_int_equal(training(job, 0).model.n_layer, 4);
    assert_int_equal(training(job, 0).model.n_head, 1);
    assert_int_equal(job_critic(job, 0).noise, CRITIC_FLIP);
    assert_int_equal(job_evaluation(job).prompts, 8);
    job_free(job);
}

/* --- what is refused --------------------------------------------------------------------------------------------- */

static void unknown_keys_are_refused_with_the_nearest(void **state) {
    check_refused("model: {n_layers: 4}", "j:1:9: unknown key 'n_layers' in model; did you mean 'n_layer'?");
    check_refused("modle: {n_layer: 4}", "j:1:1: unknown key 'modle'; did you mean 'model'?");
    check_refused("seed: 4", "j:1:1: unknown key 'seed'; did you mean 'seeds'?");
    check_refused("steps: 4", "j:1:1: unknown key 'steps'; did you mean 'train.steps'?");
    check_refused("model: {steps: 4}", "j:1:9: unknown key 'steps' in model; did you mean 'train.steps'?");
    check_refused("evaluate:\n  critics: {noise: flip}",
                  "j:2:3: unknown key 'critics' in evaluate; did you mean 'critic'?");
    check_refused("evaluate: {critic: {nose: flip}}",
                  "j:1:21: unknown key 'nose' in evaluate.critic; did you mean 'noise'?");
    check_refused("figures: []", "j:1:1: unknown key 'figures'");
    check_refused("claim: []", "j:1:1: unknown key 'claim'; did you mean 'claims'?");
    check_refused("seeds: {frist: 3}", "j:1:9: unknown key 'frist' in seeds; did you mean 'first'?");
    check_refused("exclude: [{seeds: 3}]", "j:1:12: unknown key 'seeds'; did you mean 'seed'?");
    check_refused("'': 3", "j:1:1: unknown key ''");
    check_refused("\"a\\nb\": 3", "j:1:1: unknown key 'a\\nb'");
    check_refused("<<: {}", "j:1:1: merge keys (<<) are not allowed in a job file");
}

static void wrong_types_are_refused(void **state) {
    check_refused("model: 3", "j:1:8: model: expected a mapping of settings, found one value");
    check_refused("model:\ntask: {}", "j:1:7: model: expected a mapping of settings, found nothing");
    check_refused("evaluate: {critic: flip}",
                  "j:1:20: evaluate.critic: expected a mapping of settings, found one value");
    check_refused("[1, 2]", "j:1:1: job: expected a mapping, found a list");
    check_refused("word", "j:1:1: job: expected a mapping, found one value");
    check_refused("model: {n_layer: {a: 1}}",
                  "j:1:18: model.n_layer: expected an integer from 1 to 200, found a mapping");
    check_refused("model: {n_layer: [1, [2]]}",
                  "j:1:22: model.n_layer: expected an integer from 1 to 200, found a list");
    check_refused("evaluate: {prompts: [8, 9]}",
                  "j:1:21: evaluate.prompts: expected one value for the whole job, found a list");
    check_refused("name: [a]", "j:1:7: name: expected a word, found a list");
    check_refused("seeds: {first: [1]}", "j:1:16: seeds: expected an integer from 0 to 4294967295, found a list");
    check_refused("zip: {model.n_head: 1}", "j:1:6: zip: expected a list of mappings, found a mapping");
    check_refused("zip: [3]", "j:1:7: zip: expected a mapping, found one value");
    check_refused("exclude: [{model.n_head: [1, 2]}]",
                  "j:1:26: model.n_head: expected an integer from 1 to 256, found a list");
}

static void ambiguous_and_malformed_values_are_refused(void **state) {
    check_refused("model: {n_layer: 10x}", "j:1:18: model.n_layer: expected an integer from 1 to 200, found '10x'");
    check_refused("model:\n  n_layer: 010", "j:2:12: model.n_layer: expected an integer from 1 to 200, found '010' "
                                            "(leading zeros could mean octal)");
    check_refused("model: {n_layer: \"3\"}",
                  "j:1:18: model.n_layer: expected an integer from 1 to 200, found the quoted text '3'");
    check_refused("model: {ffn: 'true'}", "j:1:14: model.ffn: expected true or false, found the quoted text 'true'");
    check_refused("model: {ffn: yes}", "j:1:14: model.ffn: expected true or false, found 'yes'");
    check_refused("model: {n_layer: }", "j:1:18: model.n_layer: expected an integer from 1 to 200, found nothing");
    check_refused("model: {n_layer: [4, ~]}", "j:1:22: model.n_layer: expected an integer from 1 to 200, found '~'");
    check_refused("model: {n_layer: 1\n  2}", "j:1:18: model.n_layer: expected an integer from 1 to 200, found '1 2'");
    check_refused("train: {learning_rate: .nan}",
                  "j:1:24: train.learning_rate: expected a number above 0 and at most 10, found '.nan'");
    check_refused("model: {n_layer: [2, 4, 3, 4, 4]}", "j:1:28: model.n_layer: 4 is in the list twice");
    check_refused("train: {learning_rate: [1e-3, 0.001]}", "j:1:31: train.learning_rate: 0.001 is in the list twice");
    check_refused("evaluate: {baselines: [gd, mean, gd]}", "j:1:34: evaluate.baselines: gd is in the list twice");
    check_refused("model: {n_layer: []}", "j:1:18: model.n_layer: an empty list");
    check_refused("name: ../up", "j:1:7: name: expected at most 100 letters, digits, '-', '_' and '.', starting with a "
                                 "letter or digit, found '../up'");
    check_refused("seeds: -1", "j:1:8: seeds: expected an integer from 0 to 4294967295, found '-1'");
    check_refused("seeds: [1, 2, 1]", "j:1:15: seeds: 1 is in the list twice");
    check_refused("seeds: {count: 0}", "j:1:16: seeds.count: expected an integer from 1 to 1000000, found '0'");
    check_refused("seeds: {first: 4294967295, count: 2}", "j:1:35: seeds: the last one is beyond 4294967295");
}

static void values_of_an_axis_that_agree_to_12_digits_are_warned_of_where_the_later_one_stands(void **state) {
    static const struct {
        const char *text, *override, *warnings;
    } cases[] = {
        {"train: {learning_rate: [0.3, 0.1, 0.30000000000000004]}", NULL,
         "dir/some job.yaml:1:35: train.learning_rate: 0.30000000000000004 and 0.3 agree to 12 digits, and are two "
         "values "
         "all the same\n"},
        {"train: {learning_rate: [0.30000000000000004, 0.3]}\nevaluate: {critique_quality: [1, 0.9999999999999]}", NULL,
         "dir/some job.yaml:1:46: train.learning_rate: 0.3 and 0.30000000000000004 agree to 12 digits, and are two "
         "values "
         "all the same\n"
         "dir/some job.yaml:2:34: evaluate.critique_quality: 0.9999999999999 and 1 agree to 12 digits, and are two "
         "values "
         "all the same\n"},
        {"{}", "train.clip_norm=10,10.000000000000002",
         "--set train.clip_norm=10,10.000000000000002: train.clip_norm: 10.000000000000002 and 10 agree to 12 digits, "
         "and "
         "are two values all the same\n"},
        {"train: {learning_rate: [0.3, 0.3000000001], clip_norm: [0, 1e-20]}\nmodel: {n_layer: [1, 2]}", NULL, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Job *job = parse_with(cases[i].text, &cases[i].override, cases[i].override != NULL);
        assert_string_equal(job_warnings(job), cases[i].warnings);
        job_free(job);
    }
}

static void keys_given_twice_are_refused(void **state) {
    check_refused("model: {n_layer: 4, n_layer: 5}", "j:1:21: n_layer is given twice: first at line 1, column 9");
    check_refused("model: {n_layer: 4}\nmodel: {n_head: 1}", "j:2:1: model is given twice: first at line 1, column 1");
    check_refused("model: {n_layer: 4}\nmodel.n_layer: 5",
                  "j:2:1: model.n_layer is given twice: first at line 1, column 9");
    check_refused("seeds: [1]\nseeds.count: 2",
                  "j:2:14: seeds are given as a list or number and as first and count: expected one of the two");
    check_refused("seeds.count: 2\nseeds: 1",
                  "j:2:8: seeds are given as a list or number and as first and count: expected one of the two");
    check_refused("model: {n_head: 1}\nzip: [{model.n_head: 1}]",
                  "j:2:8: model.n_head is given twice: first at line 1, column 9");
    check_refused("zip: [{model.n_head: 1}]\nmodel: {n_head: 1}",
                  "j:2:9: model.n_head is given twice: first at line 1, column 8");
    check_refused("exclude: [{model.n_head: 1, model: {n_head: 3}}]",
                  "j:1:37: model.n_head is given twice: first at line 1, column 12");
}

static void yaml_beyond_plain_data_is_refused(void **state) {
    check_refused("model: &m {n_layer: 4}", "j:1:8: anchors (&name) are not allowed in a job file");
    check_refused("model: *m", "j:1:8: aliases (*name) are not allowed in a job file");
    check_refused("model: {n_layer: !!int 4}", "j:1:18: tags (!name) are not allowed in a job file");
    check_refused("--- {}\n--- {}\n", "j:2:1: a second document: a job file holds one");
    check_refused("{}\n}", "j:2:1: not valid YAML: did not find expected <document start>");
    check_refused("", "j:1:1: nothing here: expected a job, or {}");
    check_refused("# nothing\n", "j:1:1: nothing here: expected a job, or {}");
    check_refused("model:\n\tn_layer: 4", "j:2:1: a tab: lines are indented by spaces");
    check_refused("model: {n_layer: 4",
                  "j:2:1: not valid YAML: did not find expected ',' or '}' while parsing a flow mapping");
    check_refused("{[a]: 3}", "j:1:2: expected a key");
    check_refused("name: \"a\\0b\"", "j:1:7: a NUL character in a text");
    check_refused("name: x\n\xff", "j:2:1: not text in UTF-8: invalid leading UTF-8 octet");
    check_refused("name: \xc3\xa4\x01", "j:1:8: not text in UTF-8: control characters are not allowed");
    check_refused("[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", "j:1:17: nested deeper than 16 levels");
}

static void zip_entries_must_match_each_other(void **state) {
    check_refused("zip: [{model.n_head: 1, model.n_embd: 32}, {model.n_head: 3}]",
                  "j:1:44: model.n_embd is missing here: expected the same keys in each mapping of zip");
    check_refused("zip: [{model.n_head: 1}, {model.n_head: 3, model.n_embd: 32}]",
                  "j:1:44: model.n_embd is not in the first mapping of zip: expected the same keys in each");
    check_refused("zip: [{model.n_head: 1}, {model.n_head: 3}, {model.n_head: 1}]",
                  "j:1:60: this mapping of zip is in the list twice");
    check_refused("zip: [{evaluate.prompts: 9}]",
                  "j:1:8: evaluate.prompts cannot be linked: only training settings can");
    check_refused("zip: []", "j:1:6: zip: an empty list");
    check_refused("zip: [{}]", "j:1:7: zip: an empty mapping");
}

static void an_exclusion_must_match_something_but_not_everything(void **state) {
    check_refused("model: {n_layer: [2, 4]}\nexclude: [{model.n_layer: 3}]",
                  "j:2:11: exclude: no training of the grid matches this mapping");
    check_refused("seeds: {first: 2, count: 2}\nexclude: [{seed: 4}]",
                  "j:2:11: exclude: no training of the grid matches this mapping");
    check_refused("exclude: [{task.n_dims: 4}]", "j:1:11: exclude: no training of the grid matches this mapping");
    check_refused("zip: [{model.n_head: 1, model.n_embd: 32}, {model.n_head: 3, model.n_embd: 96}]\n"
                  "exclude: [{model.n_head: 1, model.n_embd: 96}]",
                  "j:2:11: exclude: no training of the grid matches this mapping");
    check_refused("model: {n_layer: [2, 4]}\nexclude: [{model.n_layer: 2}, {model.n_layer: 4}]",
                  "j:2:11: exclude: every training is excluded");
    check_refused("exclude: [{evaluate.critique_quality: 1}]",
                  "j:1:12: evaluate.critique_quality cannot be excluded: only training settings and seed can");
    check_refused("exclude: [{}]", "j:1:11: exclude: an empty mapping");
}

static void combinations_that_cannot_be_are_refused_where_they_are_written(void **state) {
    check_refused("model: {n_embd: 100, n_head: 3}",
                  "j:1:17: model.n_embd (100) must be divisible by model.n_head (3)");
    check_refused("model: {n_head: 5}", "j:1:17: model.n_embd (96) must be divisible by model.n_head (5)");
    check_refused("model: {n_head: [1, 3, 5], n_embd: [15, 30, 33]}",
                  "j:1:45: model.n_embd (33) must be divisible by model.n_head (5)");
    check_refused("train: {batch_size: [64, 4], gradient_shards: 8}",
                  "j:1:47: train.gradient_shards (8) must be at most train.batch_size (4)");
    check_refused("train: {steps: 10, warmup_steps: 11}",
                  "j:1:34: train.warmup_steps (11) must be at most train.steps (10)");
    check_refused("model: {causal: [true, false]}\ntrain: {context: [offline, mixed]}",
                  "j:1:24: model.causal (false) must be true for the rollouts of train.context (mixed)");
    check_refused("task: {n_points: 3}\ntrain: {context: on_policy}",
                  "j:1:18: task.n_points (3) must be at least 4 for the rollouts of train.context (on_policy)");
    job_free(parse("model: {causal: false}\ntask: {n_points: 3}\ntrain: {exploration: 0, on_policy_share: 1}"));
    check_refused("zip: [{model.n_head: 1, model.n_embd: 7}, {model.n_head: 3, model.n_embd: 7}]",
                  "j:1:75: model.n_embd (7) must be divisible by model.n_head (3)");
    job_free(parse("zip: [{model.n_head: 1, model.n_embd: 7}, {model.n_head: 7, model.n_embd: 14}]"));
}

static void excluded_combinations_need_not_be_possible(void **state) {
    job_free(parse("model: {n_head: [1, 5]}\nexclude: [{model.n_head: 5}]"));
    job_free(parse("model: {n_head: [3, 5], n_embd: [15, 18]}\nexclude: [{model.n_head: 5, model.n_embd: 18}]"));
    job_free(parse("model: {n_head: [3, 5], n_layer: [1, 2]}\n"
                   "exclude: [{model.n_head: 5, model.n_layer: 1}, {model.n_layer: 2, model.n_head: 5}]"));
    check_refused("model: {n_head: [3, 5], n_layer: [1, 2]}\nexclude: [{model.n_head: 5, model.n_layer: 1}]",
                  "j:1:21: model.n_embd (96) must be divisible by model.n_head (5)");
}

static void rounds_must_fit_every_causal_training_of_the_grid(void **state) {
    check_refused(
        "evaluate: {rounds: 18}",
        "j:1:20: evaluate.rounds (18) must be at most task.n_points (20) - 1 - evaluate.initial_responses (2)");
    check_refused(
        "task: {n_points: [20, 10]}\nevaluate: {initial_responses: 4, rounds: 6}",
        "j:2:42: evaluate.rounds (6) must be at most task.n_points (10) - 1 - evaluate.initial_responses (4)");
    check_refused("model.causal: [true, false]\nevaluate.rounds: 3",
                  "j:2:18: evaluate.rounds (3) must be 0 without model.causal (false)");
    check_refused("evaluate: {rounds: [1, 2]}",
                  "j:1:20: evaluate.rounds: expected one value for the whole job, found a list");
    check_refused("evaluate: {rounds: -1}", "j:1:20: evaluate.rounds: expected an integer from 0 to 254, found '-1'");
    job_free(parse("evaluate: {rounds: 17}"));
    job_free(parse("evaluate: {rounds: 18, initial_responses: 1}"));
    job_free(parse("task: {n_points: [20, 10]}\nevaluate.rounds: 8\nexclude: [{task.n_points: 10}]"));
    job_free(parse("model.causal: [true, false]\nevaluate.rounds: 0\nevaluate.initial_responses: 200"));
}

static void what_means_nothing_without_rounds_is_as_if_not_given(void **state) {
    Job *job = parse("evaluate: {initial_responses: 5, right_cosine: 0.5}");
    assert_int_equal(job_evaluation(job).initial_responses, 2);
    assert_near(job_evaluation(job).right_cosine, 0.9, 0);
    job_free(job);
    job = parse("evaluate: {rounds: 3, initial_responses: 5, right_cosine: 0.5}");
    assert_int_equal(job_evaluation(job).rounds, 3);
    assert_int_equal(job_evaluation(job).initial_responses, 5);
    assert_near(job_evaluation(job).right_cosine, 0.5, 0);
    job_free(job);
}

static void several_values_of_what_means_nothing_are_one_training(void **state) {
    check_refused("train: {context: [offline, mixed], on_policy_share: [0.25, 0.5]}",
                  "j:1:60: train.on_policy_share means nothing where train.context is offline: exclude all but one of "
                  "its values there");
    check_refused("train: {exploration: [0, 1]}", "j:1:26: train.exploration means nothing where train.context is "
                                                  "offline: exclude all but one of its values there");
    job_free(parse("train: {context: mixed, on_policy_share: [0.25, 0.5]}"));
    job_free(parse("train: {context: [on_policy, mixed], exploration: [0.25, 0.5]}"));
    job_free(parse("train: {context: [offline, mixed], on_policy_share: [0.25, 0.5]}\n"
                   "exclude: [{train.context: offline, train.on_policy_share: 0.25}]"));
    job_free(parse("zip: [{train.context: offline, train.exploration: 1}, {train.context: mixed, train.exploration: 2},"
                   "{train.context: mixed, train.exploration: 0}]"));
}

static void sizes_have_limits(void **state) {
    char text[4096] = "model: {n_layer: [1";
    for (int i = 2; i <= 200; i++)
        sprintf(text + strlen(text), ",%d", i);
    strcat(text, "]}\nseeds: {count: 10000}\nmodel.n_head: [1, 2, 3, 4, 6]\n");
    job_free(parse(text));
    strcat(text, "model.ffn: [true, false]\n");
    check_refused(text,
                  "j:2:16: a grid of 20000000 trainings: expected at most 10000000 (the longest list, seeds, has 10000 "
                  "values)");

    char *many = malloc(60000);
    assert_non_null(many);
    strcpy(many, "exclude:\n");
    for (int i = 0; i <= 1000; i++)
        strcat(many, "- {seed: 0}\n");
    check_refused(many, "j:1002:3: exclude: more than 1000 mappings");
    strcpy(many, "evaluate: {critique_quality: [0");
    for (int i = 1; i < 5001; i++)
        sprintf(many + strlen(many), ",%.4f", i / 10000.0);
    strcat(many, "], critic: {noise: [replace, flip]}}");
    check_refused(many, "j:1:30: a grid of 10002 critics: expected at most 10000 (the longest list, "
                        "evaluate.critique_quality, has 5001 values)");
    free(many);
}

static void a_default_that_nobody_set_follows_what_it_must_fit(void **state) {
    TrainingSpec spec, explicit;
    const struct {
        const char *text, *same;
        int shards, heads;
    } cases[] = {{"train: {batch_size: 4}", "train: {batch_size: 4, gradient_shards: 4}", 4, 3},
                 {"train: {batch_size: 8}", "train: {batch_size: 8, gradient_shards: 8}", 8, 3},
                 {"model: {n_embd: 8}", "model: {n_embd: 8, n_head: 2}", 8, 2},
                 {"model: {n_embd: 7}", "model: {n_embd: 7, n_head: 1}", 8, 1},
                 {"{}", "{model: {n_embd: 96, n_head: 3}, train: {batch_size: 256, gradient_shards: 8}}", 8, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Job *job = parse(cases[i].text), *same = parse(cases[i].same);
        assert_true(job_training(job, 0, &spec) && job_training(same, 0, &explicit));
        assert_int_equal(spec.train.gradient_shards, cases[i].shards);
        assert_int_equal(spec.model.n_head, cases[i].heads);
        assert_true(id_equal(training_id(&spec), training_id(&explicit)));
        char *resolved = job_resolved(job);
        Job *again = parse(resolved);
        assert_true(job_training(again, 0, &explicit));
        assert_true(id_equal(training_id(&spec), training_id(&explicit)));
        free(resolved);
        job_free(again);
        job_free(job);
        job_free(same);
    }
    Job *job = parse("train: {batch_size: [4, 64]}");
    job_training(job, 0, &spec);
    assert_int_equal(spec.train.gradient_shards, 4);
    job_training(job, 1, &spec);
    assert_int_equal(spec.train.gradient_shards, 8);
    job_free(job);
    check_refused("train: {batch_size: 4, gradient_shards: 8}",
                  "j:1:41: train.gradient_shards (8) must be at most train.batch_size (4)");
    check_refused("model: {n_embd: 8, n_head: 3}", "j:1:17: model.n_embd (8) must be divisible by model.n_head (3)");
}

/* Every setting alone, at its ends: what is refused names a setting that stands in the job, or tells what to set. */
static void no_setting_alone_is_refused_for_a_default_that_follows(void **state) {
    int count;
    const Setting *table = settings_table(&count);
    for (int i = 0; i < count; i++) {
        const Setting *setting = &table[i];
        if (setting->type != SETTING_INTEGER || setting->role != ROLE_TRAINING) continue;
        const double values[] = {setting->minimum, setting->minimum + 4, setting->maximum};
        for (int k = 0; k < 3; k++) {
            char text[128], value[64];
            Job *job = NULL;
            Error err = {""};
            snprintf(text, sizeof text, "%s: %s", setting->key,
                     setting_format(setting, values[k], value, sizeof value));
            Status status = job_parse("j", text, NULL, 0, &job, &err);
            if (status != STATUS_OK &&
                (strstr(err.text, setting->key) == NULL || strstr(err.text, "gradient_shards (8)") != NULL ||
                 (strstr(err.text, "n_head") != NULL && strcmp(setting->key, "model.n_head") != 0)))
                fail_msg("%s: %s", text, err.text);
            job_free(job);
        }
    }
}

/* --- overrides --------------------------------------------------------------------------------------------------- */

static void overrides_replace_what_the_file_says(void **state) {
    const char *const overrides[] = {"model.n_layer=2,4",
                                     "seeds=5, 6",
                                     "name=other",
                                     "evaluate.critique_quality=1,0.5",
                                     "evaluate.baselines=gd,mean",
                                     "model.attention=softmax",
                                     "task.n_dims=3",
                                     "task.n_dims=2",
                                     "claims=[]"};
    Job *job = parse_with(whole_job, overrides, 9);
    assert_string_equal(job_name(job), "other");
    assert_string_equal(job_text(job), whole_job);
    assert_int_equal(job_trainings(job), 8);
    assert_int_equal(training(job, 0).seed, 5);
    assert_int_equal(training(job, 2).model.n_layer, 4);
    assert_int_equal(training(job, 0).model.attention, ATTENTION_SOFTMAX);
    assert_int_equal(training(job, 0).task.n_dims, 2);
    assert_int_equal(job_critics(job), 4);
    assert_int_equal(job_evaluation(job).baselines, 1u << PREDICTOR_GD | 1u << PREDICTOR_MEAN);
    int n_claims;
    job_claims(job, &n_claims);
    assert_int_equal(n_claims, 0);
    assert_near(job_alpha(job), 0.01, 0);
    job_free(job);

    const char *const count[] = {"seeds.count=2", "evaluate.baselines=[]"};
    job = parse_with("seeds: {first: 7, count: 9}", count, 2);
    assert_int_equal(job_grid_points(job), 2);
    assert_int_equal(training(job, 0).seed, 7);
    assert_int_equal(job_evaluation(job).baselines, 0);
    job_free(job);
}

/* As who writes YAML types them. */
static void a_list_in_brackets_overrides_as_in_the_file(void **state) {
    const char *const overrides[] = {"seeds=[3, 1]", "model.n_layer=[2]", "model.attention=[softmax,\nlinear] ",
                                     "evaluate.baselines=[]"};
    Job *job = parse_with("{}", overrides, 4);
    assert_int_equal(job_trainings(job), 4);
    assert_int_equal(job_evaluation(job).baselines, 0);
    job_free(job);
    check_override_refused("{}", "seeds=[]", "--set seeds=[]: seeds: an empty list");
    check_override_refused("{}", "seeds=[1,",
                           "--set seeds=[1,: seeds: expected an integer from 0 to 4294967295, found '[1'");
    check_override_refused("{}", "seeds=[1, ]",
                           "--set seeds=[1, ]: seeds: expected an integer from 0 to 4294967295, found nothing");
    check_override_refused("{}", "seeds=[1, 1]", "--set seeds=[1, 1]: seeds: 1 is in the list twice");
    check_override_refused("{}", "evaluate.prompts=[8]",
                           "--set evaluate.prompts=[8]: evaluate.prompts: expected one value for the whole job, found "
                           "a list");
}

static void a_mark_of_unicode_in_front_of_a_file_is_skipped(void **state) {
    Job *job = parse_with("\xef\xbb\xbf"
                          "seeds: [4, 5]",
                          NULL, 0);
    assert_int_equal(job_trainings(job), 2);
    job_free(job);
}

static void overrides_are_checked_like_the_file(void **state) {
    check_override_refused("{}", "model.n_layer=2x",
                           "--set model.n_layer=2x: model.n_layer: expected an integer from 1 to 200, found '2x'");
    check_override_refused("{}", "model.n_layer=2,",
                           "--set model.n_layer=2,: model.n_layer: expected an integer from 1 to 200, found nothing");
    check_override_refused("{}", "model.n_layer=",
                           "--set model.n_layer=: model.n_layer: expected an integer from 1 to 200, found nothing");
    check_override_refused("{}", "model.n_layer=2,2", "--set model.n_layer=2,2: model.n_layer: 2 is in the list twice");
    check_override_refused("{}", "model.n_layer", "--set model.n_layer: expected KEY=VALUE or KEY=VALUE,VALUE,..");
    check_override_refused("{}", "=3", "--set =3: expected KEY=VALUE or KEY=VALUE,VALUE,..");
    check_override_refused("{}", "model.layers=3",
                           "--set model.layers=3: unknown key 'model.layers'; did you mean 'model.n_layer'?");
    check_override_refused("{}", "model=3", "--set model=3: expected one setting of model: model.KEY=VALUE");
    check_override_refused("{}", "zip=3", "--set zip=3: zip can only be given in a job file");
    check_override_refused("{}", "claims=[x]",
                           "--set claims=[x]: claims can only be given in a job file; claims=[] drops them");
    check_override_refused("{}", "evaluate.prompts=8,9",
                           "--set evaluate.prompts=8,9: evaluate.prompts: expected one "
                           "value for the whole job, found a list");
    check_override_refused("model.n_head: 3", "model.n_embd=100",
                           "--set model.n_embd=100: model.n_embd (100) must be divisible by model.n_head (3)");
    const char *const rounds = "task: {n_points: 10}\nevaluate: {rounds: 6}"; /* what fits until it is overridden */
    check_override_refused(rounds, "task.n_points=8",
                           "--set task.n_points=8: evaluate.rounds (6) must be at most task.n_points (8) - 1 - "
                           "evaluate.initial_responses (2)");
    check_override_refused(rounds, "evaluate.initial_responses=4",
                           "--set evaluate.initial_responses=4: evaluate.rounds (6) must be at most task.n_points (10) "
                           "- 1 - evaluate.initial_responses (4)");
    check_override_refused(rounds, "model.causal=true,false",
                           "--set model.causal=true,false: evaluate.rounds (6) must be 0 without model.causal (false)");
    check_override_refused(whole_job, "model.n_head=1",
                           "--set model.n_head=1: model.n_head is linked by the file's zip: expected another key");
    check_override_refused("seeds: [1, 2]", "seeds.count=2",
                           "--set seeds.count=2: seeds are given as a list or number and as first and count: expected "
                           "one of the two");
    check_override_refused("{}", "name=a\nb",
                           "--set name=a\\nb: name: expected at most 100 letters, digits, '-', '_' and "
                           "'.', starting with a letter or digit, found 'a\\nb'");
}

static void an_exclusion_whose_values_an_override_took_away_is_dropped(void **state) {
    const char *const overrides[] = {"model.n_layer=4,5"};
    Job *job = parse_with("model: {n_layer: [2, 20]}\nexclude: [{model.n_layer: 20}]", overrides, 1);
    assert_int_equal(job_trainings(job), 2);
    job_free(job);
}

/* --- files ------------------------------------------------------------------------------------------------------- */

static void check_same_grid(const Job *job, const Job *other) {
    assert_string_equal(job_name(job), job_name(other));
    assert_int_equal(job_grid_points(job), job_grid_points(other));
    assert_int_equal(job_trainings(job), job_trainings(other));
    for (uint64_t i = 0; i < job_grid_points(job); i++) {
        TrainingSpec a, b;
        assert_int_equal(job_training(job, i, &a), job_training(other, i, &b));
        assert_memory_equal(training_id(&a).bytes, training_id(&b).bytes, 16);
    }
    EvaluationSettings a = job_evaluation(job), b = job_evaluation(other);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(job_critics(job), job_critics(other));
    for (int i = 0; i < job_critics(job); i++) {
        CriticSettings c = job_critic(job, i), d = job_critic(other, i);
        assert_memory_equal(&c, &d, sizeof c);
    }
}

static void check_resolved(const Job *job) {
    char *resolved = job_resolved(job);
    assert_non_null(resolved);
    Job *again = NULL;
    Error err = {""};
    if (job_parse("resolved", resolved, NULL, 0, &again, &err) != STATUS_OK) fail_msg("%s\n%s", err.text, resolved);
    check_same_grid(job, again);
    char *twice = job_resolved(again);
    assert_string_equal(twice, resolved);
    free(twice);
    free(resolved);
    job_free(again);
}

static void the_resolved_form_parses_to_the_same_job(void **state) {
    const char *const texts[] = {NULL, whole_job, "seeds: [4, 2]\ntrain.learning_rate: [0.3, 1e-9]",
                                 "zip: [{model.n_layer: 3}, {model.n_layer: 4}]\nevaluate.baselines: []",
                                 "model: {n_head: [1, 5]}\nexclude: [{model.n_head: 5}]\nname: true"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        Job *job = parse(texts[i]);
        check_resolved(job);
        job_free(job);
    }
    const char *const overrides[] = {"model.n_layer=4,5"};
    Job *job = parse_with("model: {n_layer: [2, 20]}\nexclude: [{model.n_layer: 20}, {seed: 0, model.n_layer: 5}]",
                          overrides, 1);
    check_resolved(job);
    job_free(job);
}

static void every_shipped_job_file_parses(void **state) {
    const char *const patterns[] = {PROJECT_DIR "/jobs/quick/*.yaml", PROJECT_DIR "/jobs/paper/*.yaml"};
    const size_t expected[] = {11, 12};
    for (int p = 0; p < 2; p++) {
        glob_t files;
        assert_int_equal(glob(patterns[p], 0, NULL, &files), 0);
        assert_true(files.gl_pathc >= expected[p]);
        for (size_t i = 0; i < files.gl_pathc; i++) {
            Job *job = NULL;
            Error err = {""};
            if (job_read(files.gl_pathv[i], NULL, 0, &job, &err) != STATUS_OK) fail_msg("%s", err.text);
            const char *stem = strrchr(files.gl_pathv[i], '/') + 1;
            assert_int_equal(strncmp(job_name(job), stem, strlen(job_name(job))), 0);
            assert_string_equal(stem + strlen(job_name(job)), ".yaml");
            assert_true(job_trainings(job) >= 2);
            check_resolved(job);
            job_free(job);
        }
        globfree(&files);
    }
}

static int by_bytes(const void *a, const void *b) {
    return memcmp(a, b, sizeof(Id));
}

/* The ids of all trainings of a job file, sorted; malloc'd. */
static Id *trainings_of(const char *path, size_t *count) {
    Job *job = NULL;
    Error err = {""};
    if (job_read(path, NULL, 0, &job, &err) != STATUS_OK) fail_msg("%s", err.text);
    Id *ids = calloc(job_trainings(job), sizeof *ids);
    assert_non_null(ids);
    *count = 0;
    for (uint64_t i = 0; i < job_grid_points(job); i++) {
        TrainingSpec spec;
        if (job_training(job, i, &spec)) ids[(*count)++] = training_id(&spec);
    }
    assert_int_equal(*count, job_trainings(job));
    job_free(job);
    qsort(ids, *count, sizeof *ids, by_bytes);
    return ids;
}

static void the_whole_study_in_one_file_has_the_trainings_of_every_figure_once(void **state) {
    size_t n_all, n_figures = 0;
    Id *all = trainings_of(PROJECT_DIR "/jobs/paper/all.yaml", &n_all);
    bool *found = calloc(n_all, sizeof *found);
    for (size_t i = 1; i < n_all; i++)
        assert_false(id_equal(all[i - 1], all[i]));
    glob_t files;
    assert_int_equal(glob(PROJECT_DIR "/jobs/paper/fig*.yaml", 0, NULL, &files), 0);
    for (size_t f = 0; f < files.gl_pathc; f++) {
        size_t count;
        Id *ids = trainings_of(files.gl_pathv[f], &count);
        for (size_t i = 0; i < count; i++) {
            const Id *same = bsearch(&ids[i], all, n_all, sizeof *all, by_bytes);
            if (same == NULL) fail_msg("a training of %s is not in all.yaml", files.gl_pathv[f]);
            n_figures += !found[same - all];
            found[same - all] = true;
        }
        free(ids);
    }
    assert_int_equal(n_figures, n_all);
    globfree(&files);
    free(found);
    free(all);
}

/* Writes bytes to a new file, reads it as a job, removes it. */
static Status read_bytes(const char *bytes, size_t size, Error *err) {
    char path[] = "/tmp/palinode-job-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    for (size_t done = 0; done < size;) {
        ssize_t n = write(file, bytes + done, size - done);
        assert_true(n > 0);
        done += (size_t)n;
    }
    close(file);
    Job *job = NULL;
    Status status = job_read(path, NULL, 0, &job, err);
    job_free(job);
    unlink(path);
    return status;
}

static void files_that_are_no_job_files_are_refused(void **state) {
    Error err;
    Job *job = NULL;
    assert_int_equal(job_read("/nonexistent/job.yaml", NULL, 0, &job, &err), STATUS_IO);
    assert_string_equal(err.text, "cannot open the job file /nonexistent/job.yaml: No such file or directory");
    assert_int_equal(job_read("/tmp", NULL, 0, &job, &err), STATUS_IO);
    assert_string_equal(err.text, "cannot read the job file /tmp: Is a directory");
    assert_int_equal(job_read("/dev/zero", NULL, 0, &job, &err), STATUS_DATA);
    assert_string_equal(err.text, "/dev/zero: longer than 1048576 bytes: not a job file");

    assert_int_equal(read_bytes("name: x\n", 8, &err), STATUS_OK);
    assert_int_equal(read_bytes("name: x\0y\n", 10, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, ":1:8: not text in UTF-8: control characters are not allowed"));
    assert_int_equal(read_bytes("\xef\xbb\xbfname: x\n", 11, &err), STATUS_OK);
    assert_int_equal(read_bytes("\xff\xfen\0a\0", 6, &err), STATUS_DATA);

    char *longest = malloc(1 << 20);
    assert_non_null(longest);
    memset(longest, '#', 1 << 20);
    memcpy(longest, "{}\n", 3);
    assert_int_equal(read_bytes(longest, 1 << 20, &err), STATUS_OK);
    memset(longest, '[', 1 << 20);
    assert_int_equal(read_bytes(longest, 1 << 20, &err), STATUS_DATA);
    memset(longest, 'k', 1 << 20);
    assert_int_equal(read_bytes(longest, 1 << 20, &err), STATUS_DATA);
    for (int i = 0; i < 1 << 20; i++)
        longest[i] = i % 2 == 0 ? '1' : ',';
    memcpy(longest, "seeds: [", 8);
    longest[(1 << 20) - 1] = ']';
    assert_int_equal(read_bytes(longest, 1 << 20, &err), STATUS_DATA);
    assert_non_null(strstr(err.text, "1 is in the list twice"));
    free(longest);
}

static void standard_input_is_a_dash(void **state) {
    int saved = dup(STDIN_FILENO), ends[2];
    assert_int_equal(pipe(ends), 0);
    static const char text[] = "model: {n_layer: 4x}";
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    Job *job = NULL;
    Error err;
    assert_int_equal(job_read("-", NULL, 0, &job, &err), STATUS_DATA);
    dup2(saved, STDIN_FILENO);
    close(saved);
    assert_string_equal(err.text, "standard input:1:18: model.n_layer: expected an integer from 1 to 200, found '4x'");
}

/* --- damage ------------------------------------------------------------------------------------------------------ */

/* A damaged job parses to something usable, or is refused with a place and one line of words. */
static void check_damaged(const char *text, int *n_read) {
    Job *job = NULL;
    Error err = {""};
    Status status = job_parse("j", text, NULL, 0, &job, &err);
    if (status == STATUS_OK) {
        TrainingSpec spec;
        assert_true(job_trainings(job) >= 1 && job_trainings(job) <= job_grid_points(job));
        job_training(job, job_grid_points(job) - 1, &spec);
        Settings settings = settings_default();
        settings.training = spec;
        assert_true(job_trainings(job) < job_grid_points(job) || settings_check(&settings, NULL, NULL) == STATUS_OK);
        job_free(job);
        ++*n_read;
        return;
    }
    assert_int_equal(status, STATUS_DATA);
    assert_null(job);
    assert_int_equal(strncmp(err.text, "j:", 2), 0);
    assert_true(strlen(err.text) > 10);
    assert_null(strpbrk(err.text, "\n\r\t"));
}

static void every_truncation_is_read_or_refused(void **state) {
    int n_read = 0;
    for (size_t length = 0; length < strlen(whole_job); length++) {
        char *text = strndup(whole_job, length);
        assert_non_null(text);
        check_damaged(text, &n_read);
        free(text);
    }
    assert_in_range(n_read, 1, strlen(whole_job) / 2);
}

static void every_changed_byte_is_read_or_refused(void **state) {
    static const char changes[] = " \n\t:,-[]{}#&*!|>'\"%@`?0.~ax\x01\x7f\x80\xc3\xff";
    int n_read = 0;
    char text[sizeof whole_job];
    for (size_t i = 0; i < strlen(whole_job); i++) {
        for (size_t k = 0; k < strlen(changes); k++) {
            strcpy(text, whole_job);
            text[i] = changes[k];
            check_damaged(text, &n_read);
        }
        memcpy(text, whole_job, i); /* a byte lost */
        strcpy(text + i, whole_job + i + 1);
        check_damaged(text, &n_read);
    }
    assert_in_range(n_read, 100, sizeof text * sizeof changes / 2);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_of_a_job_file_is_read),
        cmocka_unit_test(an_empty_job_is_one_training_of_the_defaults),
        cmocka_unit_test(names_come_from_the_file_when_none_is_given),
        cmocka_unit_test(seeds_are_a_range_a_list_or_a_number),
        cmocka_unit_test(a_key_may_be_nested_or_dotted),
        cmocka_unit_test(unknown_keys_are_refused_with_the_nearest),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(ambiguous_and_malformed_values_are_refused),
        cmocka_unit_test(values_of_an_axis_that_agree_to_12_digits_are_warned_of_where_the_later_one_stands),
        cmocka_unit_test(keys_given_twice_are_refused),
        cmocka_unit_test(yaml_beyond_plain_data_is_refused),
        cmocka_unit_test(zip_entries_must_match_each_other),
        cmocka_unit_test(an_exclusion_must_match_something_but_not_everything),
        cmocka_unit_test(combinations_that_cannot_be_are_refused_where_they_are_written),
        cmocka_unit_test(excluded_combinations_need_not_be_possible),
        cmocka_unit_test(rounds_must_fit_every_causal_training_of_the_grid),
        cmocka_unit_test(what_means_nothing_without_rounds_is_as_if_not_given),
        cmocka_unit_test(several_values_of_what_means_nothing_are_one_training),
        cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(a_default_that_nobody_set_follows_what_it_must_fit),
        cmocka_unit_test(no_setting_alone_is_refused_for_a_default_that_follows),
        cmocka_unit_test(overrides_replace_what_the_file_says),
        cmocka_unit_test(a_list_in_brackets_overrides_as_in_the_file),
        cmocka_unit_test(a_mark_of_unicode_in_front_of_a_file_is_skipped),
        cmocka_unit_test(overrides_are_checked_like_the_file),
        cmocka_unit_test(an_exclusion_whose_values_an_override_took_away_is_dropped),
        cmocka_unit_test(the_resolved_form_parses_to_the_same_job),
        cmocka_unit_test(every_shipped_job_file_parses),
        cmocka_unit_test(the_whole_study_in_one_file_has_the_trainings_of_every_figure_once),
        cmocka_unit_test(files_that_are_no_job_files_are_refused),
        cmocka_unit_test(standard_input_is_a_dash),
        cmocka_unit_test(every_truncation_is_read_or_refused),
        cmocka_unit_test(every_changed_byte_is_read_or_refused),
    };
    return run_tests(tests, argc, argv);
}
