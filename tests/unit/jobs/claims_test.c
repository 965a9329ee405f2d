/* Claims of job files: what is read, the arms that are found, what is refused and where, what seeds can show, damage.
 */
#include "jobs/job/job.h"

#include "tests/harness.h"

#include <stdlib.h>

/* Lines 1 to 3 of every job here; claims are given from line 4 on. */
#define GRID                                                                                                           \
    "model: {n_layer: [4, 2, 8], attention: [softmax, linear]}\n"                                                      \
    "evaluate: {critique_quality: [1, 0.5, 0], baselines: [gd, mean]}\n"                                               \
    "seeds: {count: 12}\n"

static Job *parse_with(const char *text, const char *const *overrides, int n_overrides) {
    Job *job = NULL;
    Error err = {""};
    if (job_parse("j", text, overrides, n_overrides, &job, &err) != STATUS_OK) fail_msg("%s", err.text);
    return job;
}

static Job *parse(const char *text) {
    return parse_with(text, NULL, 0);
}

static void check_refused(const char *text, const char *message) {
    Job *job = NULL;
    Error err = {""};
    if (job_parse("j", text, NULL, 0, &job, &err) != STATUS_DATA) fail_msg("not refused: %s", text);
    assert_null(job);
    if (strcmp(err.text, message) != 0) print_error("for: %s\n", text);
    assert_string_equal(err.text, message);
}

/* A job of GRID with one claim, on line 5 from column 4 on. */
static void check_claim_refused(const char *claim, const char *message) {
    char text[2048];
    snprintf(text, sizeof text, GRID "claims:\n - {%s}", claim);
    check_refused(text, message);
}

static void check_override_refused(const char *text, const char *override, const char *message) {
    Job *job = NULL;
    Error err = {""};
    if (job_parse("j", text, &override, 1, &job, &err) != STATUS_USAGE) fail_msg("not refused: %s", override);
    assert_string_equal(err.text, message);
}

static const Claim *claim_of(const Job *job, int index) {
    int count;
    const Claim *claims = job_claims(job, &count);
    assert_in_range(index, 0, count - 1);
    return &claims[index];
}

static void check_sentence(const Claim *claim, const char *sentence) {
    char text[512];
    assert_string_equal(claim_sentence(claim, text, sizeof text), sentence);
}

/* --- what is read ------------------------------------------------------------------------------------------------ */

static const char one_of_each[] =
    GRID "alpha: 0.1\n"
         "claims:\n"
         "  - {id: up, test: trend, metric: kendall_tau, at: 15, over: model.n_layer, direction: increasing,\n"
         "     where: {model.attention: softmax, critique_quality: 1}}\n"
         "  - {id: flat.2, test: plateau, metric: kendall_tau, at: [10, 15], over: model.n_layer, margin: 0.02,\n"
         "     where: {model: {attention: softmax}, evaluate: {critique_quality: 1}}}\n"
         "  - id: softmax_needed\n"
         "    test: difference\n"
         "    metric: nmse\n"
         "    kind: examples\n"
         "    a: {model.attention: softmax}\n"
         "    b: {model.attention: linear}\n"
         "    direction: less\n"
         "    where: {model.n_layer: 8, critique_quality: 1}\n"
         "  - {id: like-gd, test: equivalence, metric: alignment_loss, at: [2, 15], margin: 0.05,\n"
         "     a: {model.attention: softmax, model.n_layer: 8}, b: {predictor: gd}, where: {critique_quality: 0.5}}\n"
         "  - {id: linear, test: regression, metric: kendall_tau, on: self_check_accuracy,\n"
         "     over: evaluate.critique_quality, where: {model.attention: softmax, model.n_layer: 8}}\n";

static void every_kind_of_claim_is_read_with_its_arms(void **state) {
    Job *job = parse(one_of_each);
    int count;
    job_claims(job, &count);
    assert_int_equal(count, 5);
    assert_near(job_alpha(job), 0.1, 0);

    const Claim *claim = claim_of(job, 0);
    assert_string_equal(claim->id, "up");
    assert_int_equal(claim->test, CLAIM_TREND);
    assert_int_equal(claim->metric, METRIC_KENDALL_TAU);
    assert_int_equal(claim->at.first, 15);
    assert_int_equal(claim->at.last, 15);
    assert_int_equal(claim->direction, CLAIM_INCREASING);
    assert_string_equal(claim->over->key, "model.n_layer");
    assert_int_equal(claim->n_seeds, 12);
    assert_int_equal(claim->n_arms, 3);
    for (int i = 0; i < 3; i++) { /* ascending, whatever the order in the file */
        assert_near(claim->arms[i].level, 2 << i, 0);
        assert_int_equal(claim->arms[i].settings.training.model.n_layer, 2 << i);
        assert_int_equal(claim->arms[i].settings.training.model.n_embd, 96);
        assert_int_equal(claim->arms[i].settings.training.model.attention, ATTENTION_SOFTMAX);
        assert_near(claim->arms[i].settings.critic.quality, 1, 0);
        assert_int_equal(claim->arms[i].settings.evaluation.prompts, 1024);
        assert_int_equal(claim->arms[i].predictor, PREDICTOR_MODEL);
    }
    check_sentence(claim, "kendall_tau at 15 examples increasing with model.n_layer (2, 4, 8) where model.attention "
                          "softmax, evaluate.critique_quality 1");

    claim = claim_of(job, 1);
    assert_string_equal(claim->id, "flat.2");
    assert_int_equal(claim->test, CLAIM_PLATEAU);
    assert_int_equal(claim->at.first, 10);
    assert_near(claim->margin, 0.02, 0);
    check_sentence(claim, "kendall_tau over 10 to 15 examples within 0.02 of its best from a level below the last of "
                          "model.n_layer (2, 4, 8) where model.attention softmax, evaluate.critique_quality 1");

    claim = claim_of(job, 2);
    assert_int_equal(claim->test, CLAIM_DIFFERENCE);
    assert_int_equal(claim->metric, METRIC_NMSE);
    assert_int_equal(claim->at.first, 19); /* the default: all examples */
    assert_int_equal(claim->at.last, 19);
    assert_int_equal(claim->direction, CLAIM_LESS);
    assert_null(claim->over);
    assert_int_equal(claim->n_arms, 2);
    assert_int_equal(claim->arms[0].settings.training.model.attention, ATTENTION_SOFTMAX);
    assert_int_equal(claim->arms[1].settings.training.model.attention, ATTENTION_LINEAR);
    assert_int_equal(claim->arms[1].settings.training.model.n_layer, 8);
    check_sentence(claim, "nmse at 19 examples: model.attention softmax less than model.attention linear where "
                          "model.n_layer 8, evaluate.critique_quality 1");

    claim = claim_of(job, 3);
    assert_int_equal(claim->test, CLAIM_EQUIVALENCE);
    assert_int_equal(claim->arms[0].predictor, PREDICTOR_MODEL);
    assert_int_equal(claim->arms[1].predictor, PREDICTOR_GD);
    assert_near(claim->arms[1].settings.critic.quality, 0.5, 0);
    check_sentence(claim,
                   "alignment_loss over 2 to 15 examples: model.n_layer 8, model.attention softmax within 0.05 of "
                   "predictor gd where evaluate.critique_quality 0.5");

    claim = claim_of(job, 4);
    assert_int_equal(claim->test, CLAIM_REGRESSION);
    assert_int_equal(claim->direction, CLAIM_TWO_SIDED);
    assert_near(claim->arms[0].level, 0, 0);
    assert_near(claim->arms[2].settings.critic.quality, 1, 0);
    check_sentence(claim, "kendall_tau at 19 examples changing linearly with self_check_accuracy over "
                          "evaluate.critique_quality (0, 0.5, 1) where model.n_layer 8, model.attention softmax");
    job_free(job);
}

static void claims_may_stand_before_the_grid_or_be_none(void **state) {
    Job *job = parse("claims: [{id: a, test: trend, metric: nmse, over: critique_quality, direction: decreasing}]\n"
                     "evaluate: {critique_quality: [1, 0]}");
    assert_int_equal(claim_of(job, 0)->n_arms, 2);
    assert_near(job_alpha(job), 0.05, 0);
    job_free(job);

    int count;
    job = parse("claims: []");
    job_claims(job, &count);
    assert_int_equal(count, 0);
    job_free(job);
    const char *const none = "claims=[]";
    job = parse_with(one_of_each, &none, 1);
    job_claims(job, &count);
    assert_int_equal(count, 0);
    job_free(job);
}

static void linked_axes_are_fixed_by_any_of_their_keys(void **state) {
    static const char zip[] = "zip: [{model.n_head: 1, model.n_embd: 32}, {model.n_head: 3, model.n_embd: 96},\n"
                              "      {model.n_head: 3, model.n_embd: 48}, {model.n_head: 4, model.n_embd: 96}]\n";
    char text[1024];
    snprintf(text, sizeof text,
             "%sclaims:\n - {id: a, test: difference, metric: nmse, a: {model.n_head: 1}, b: {model.n_embd: 48}}\n"
             " - {id: b, test: trend, metric: nmse, over: model.n_head, direction: increasing, where: {model.n_embd: "
             "96}}\n",
             zip);
    Job *job = parse(text);
    const Claim *claim = claim_of(job, 0);
    assert_int_equal(claim->arms[0].settings.training.model.n_embd, 32);
    assert_int_equal(claim->arms[1].settings.training.model.n_head, 3);
    claim = claim_of(job, 1);
    assert_int_equal(claim->n_arms, 2);
    assert_int_equal(claim->arms[0].settings.training.model.n_head, 3);
    assert_int_equal(claim->arms[1].settings.training.model.n_head, 4);
    job_free(job);

    snprintf(text, sizeof text,
             "%sclaims:\n - {id: a, test: trend, metric: nmse, over: model.n_head, direction: increasing}", zip);
    check_refused(text, "j:4:4: claim a: model.n_embd may be 32, 96, 48 or 96: expected one of them in where");
    snprintf(text, sizeof text,
             "%sclaims:\n - {id: a, test: difference, metric: nmse, a: {model.n_head: 1}, b: {model.n_embd: 96}}", zip);
    check_refused(text, "j:4:4: claim a: model.n_head may be 1, 3, 3 or 4: expected one of them in where or b");
    snprintf(
        text, sizeof text,
        "%sclaims:\n - {id: a, test: difference, metric: nmse, a: {model: {n_head: 1, n_embd: 96}}, b: {model.n_embd: "
        "48}}",
        zip);
    check_refused(text, "j:4:4: claim a: no mapping of zip has all the values that where and a say");
}

static void what_a_baseline_does_not_depend_on_need_not_be_fixed(void **state) {
    Job *job =
        parse(GRID "claims:\n - {id: a, test: trend, metric: nmse, over: critique_quality, direction: decreasing,\n"
                   "    where: {predictor: gd}}\n"
                   " - {id: b, test: difference, metric: nmse, a: {predictor: gd}, b: {predictor: mean},\n"
                   "    where: {critique_quality: 0}}\n"
                   " - {id: c, test: difference, metric: nmse, a: {critique_quality: 0}, b: {critique_quality: 1},\n"
                   "    where: {predictor: mean}}\n");
    assert_int_equal(claim_of(job, 0)->arms[2].predictor, PREDICTOR_GD);
    assert_int_equal(claim_of(job, 1)->arms[1].predictor, PREDICTOR_MEAN);
    assert_int_equal(claim_of(job, 2)->arms[1].predictor, PREDICTOR_MEAN);
    job_free(job);
}

static void excluded_levels_and_seeds_are_not_counted(void **state) {
    Job *job = parse(GRID "exclude: [{model.n_layer: 2, model.attention: linear}, {model.n_layer: 4, seed: 3},\n"
                          "          {model.n_layer: 8, seed: 3}, {model.n_layer: 8, seed: 4}]\n"
                          "claims:\n - {id: a, test: trend, metric: nmse, over: model.n_layer, direction: increasing,\n"
                          "    where: {model.attention: linear, critique_quality: 1}}\n"
                          " - {id: b, test: difference, metric: nmse, a: {model.n_layer: 2}, b: {model.n_layer: 4},\n"
                          "    where: {model.attention: softmax, critique_quality: 1}}\n"
                          " - {id: c, test: difference, metric: nmse, a: {model.n_layer: 2}, b: {predictor: gd},\n"
                          "    where: {model.attention: softmax, critique_quality: 1}}\n");
    assert_int_equal(claim_of(job, 0)->n_arms, 2);
    assert_near(claim_of(job, 0)->arms[0].level, 4, 0);
    assert_int_equal(claim_of(job, 0)->n_seeds, 10);
    assert_int_equal(claim_of(job, 1)->n_seeds, 11);
    assert_int_equal(claim_of(job, 2)->n_seeds, 12);
    job_free(job);

    /* A baseline is lost with its task, for all seeds or one. */
    job =
        parse("task: {n_dims: [2, 4]}\nmodel: {ffn: [true, false]}\nseeds: {count: 9}\n"
              "exclude: [{seed: 1}, {seed: 2, task.n_dims: 4}, {seed: 3, model.ffn: true}, {seed: 1, task.n_dims: 2}]\n"
              "claims: [{id: a, test: difference, metric: nmse, a: {predictor: gd}, b: {predictor: mean},\n"
              "  where: {task.n_dims: 4}}]");
    assert_int_equal(claim_of(job, 0)->n_seeds, 7);
    job_free(job);
    check_refused(
        "task: {n_dims: [2, 4]}\nexclude: [{task.n_dims: 4}]\nclaims:\n - {id: a, test: difference, metric: nmse,"
        " a: {predictor: gd}, b: {predictor: mean}, where: {task.n_dims: 4}}",
        "j:4:47: claim a: every training of a is excluded");

    check_refused(GRID "exclude: [{model.n_layer: 2, model.attention: linear}]\n"
                       "claims:\n - {id: a, test: difference, metric: nmse, a: {model.n_layer: 4},\n    b: "
                       "{model.n_layer: 2},\n    where: {model.attention: linear, critique_quality: 1}}\n",
                  "j:7:8: claim a: every training of b is excluded");
    check_refused("model: {n_layer: [2, 4]}\nseeds: [1, 2]\nexclude: [{model.n_layer: 2, seed: 1},\n"
                  "  {model.n_layer: 4, seed: 2}]\n"
                  "claims: [{id: a, test: difference, metric: nmse, a: {model.n_layer: 4}, b: {model.n_layer: 2}}]\n",
                  "j:5:10: claim a: for no seed are all of its arms in the grid");
}

static void the_example_of_the_reference_page_is_a_job(void **state) {
    char *page = settings_reference();
    assert_non_null(page);
    char *text = strstr(page, "```yaml\n"), *end = text == NULL ? NULL : strstr(text + 8, "```\n");
    assert_non_null(end);
    *end = '\0';
    Job *job = parse(text + 8);
    for (int i = 0; i < 5; i++)
        assert_int_equal(claim_of(job, i)->test, i);
    job_free(job);
    free(page);
}

/* --- what is refused --------------------------------------------------------------------------------------------- */

static void words_of_a_claim_are_checked(void **state) {
    check_refused("claims: 3", "j:1:9: claims: expected a list of mappings, found one value");
    check_refused("claims: {id: x}", "j:1:9: claims: expected a list of mappings, found a mapping");
    check_refused("claims: [x]", "j:1:10: claims: expected a mapping, found one value");
    check_refused("claims: [{}]", "j:1:10: claims: an empty mapping");
    check_refused("alpha: 0", "j:1:8: alpha: expected a number above 0 and at most 1, found '0'");
    check_refused("alhpa: 0.1", "j:1:1: unknown key 'alhpa'; did you mean 'alpha'?");
    check_claim_refused("id: x, tset: trend", "j:5:12: unknown key 'tset'; did you mean 'test'?");
    check_claim_refused("id: x, model.n_layer: 2", "j:5:12: unknown key 'model.n_layer'");
    check_claim_refused("id: x, model: {n_layer: 2}", "j:5:12: unknown key 'model'");
    check_claim_refused("id: x, id: y", "j:5:12: id is given twice: first at line 5, column 5");
    check_claim_refused("id: a b", "j:5:9: id: expected at most 100 letters, digits, '-', '_' and '.', starting with a "
                                   "letter or digit, found 'a b'");
    check_claim_refused("id: [a]", "j:5:9: id: expected a word, found a list");
    check_claim_refused("test: trnd", "j:5:11: test: expected trend, plateau, difference, equivalence or regression, "
                                      "found 'trnd'");
    check_claim_refused("metric: tau", "j:5:13: metric: expected nmse, kendall_tau or alignment_loss, found 'tau'");
    check_claim_refused("direction: two-sided", "j:5:16: direction: expected increasing, decreasing, greater or less, "
                                                "found 'two-sided'");
    check_claim_refused("margin: 0", "j:5:13: margin: expected a number above 0 and at most 1000, found '0'");
    check_claim_refused("margin: -1", "j:5:13: margin: expected a number above 0 and at most 1000, found '-1'");
    check_claim_refused("on: quality", "j:5:9: on: expected self_check_accuracy, found 'quality'");
    check_claim_refused("kind: round", "j:5:11: kind: expected examples or rounds, found 'round'");
    check_claim_refused("metric: gain", "j:5:13: metric: gain is of kind: rounds");
    check_claim_refused("metric: kendall_tau, kind: rounds",
                        "j:5:13: metric: expected nmse, gain, improved, worsened, right_to_wrong or wrong_to_right, "
                        "found 'kendall_tau'");
    check_claim_refused("where: 3", "j:5:12: where: expected a mapping, found one value");
    check_claim_refused("where: {}", "j:5:12: where: an empty mapping");
    check_claim_refused("a: {model.n_layers: 2}", "j:5:9: unknown key 'model.n_layers'; did you mean 'model.n_layer'?");
    check_claim_refused("a: {critique_qualty: 1}",
                        "j:5:9: unknown key 'critique_qualty'; did you mean 'critique_quality'?");
    check_claim_refused("a: {critic: {nose: flip}}", "j:5:18: unknown key 'nose' in critic; did you mean 'noise'?");
    check_claim_refused("a: {model.n_layer: [2, 4]}",
                        "j:5:24: model.n_layer: expected an integer from 1 to 200, found a list");
    check_claim_refused("a: {predictor: sgd}",
                        "j:5:20: predictor: expected model, gd, mean, best, contrast or exact, found 'sgd'");
    check_claim_refused("a: {evaluate.prompts: 8}",
                        "j:5:9: evaluate.prompts has one value for the whole job: a claim cannot name it");
    check_claim_refused("a: {critique_quality: 1, evaluate.critique_quality: 0}",
                        "j:5:57: evaluate.critique_quality is given twice: first at line 5, column 27");
    check_claim_refused(
        "a: {seed: 1}, b: {seed: 2}",
        "j:5:9: a claim is about all seeds of the job, by which its arms are paired: none can be chosen");
    check_claim_refused(
        "over: seeds",
        "j:5:11: a claim is about all seeds of the job, by which its arms are paired: none can be chosen");
    check_claim_refused("over: n_layer", "j:5:11: unknown key 'n_layer'; did you mean 'model.n_layer'?");
    check_claim_refused("over: predictor", "j:5:11: over: expected the key of an axis, found 'predictor'");
    check_claim_refused("over: [model.n_layer]", "j:5:11: over: expected the key of an axis, found a list");
    check_claim_refused("over: evaluate.baselines",
                        "j:5:11: evaluate.baselines has one value for the whole job: a claim cannot name it");
}

/* --- rounds ------------------------------------------------------------------------------------------------------ */

#define ROUNDS_GRID "evaluate: {critique_quality: [1, 0.5, 0], rounds: 6}\nseeds: {count: 4}\nclaims:\n - "

static void a_claim_of_rounds_has_its_metrics_and_rounds(void **state) {
    Job *job = parse(
        ROUNDS_GRID "{id: up, test: trend, metric: gain, kind: rounds, at: 4, over: critique_quality,\n"
                    "    direction: increasing}\n"
                    " - {id: better, at: [0, 6], test: difference, metric: nmse, a: {critique_quality: 1},\n"
                    "    b: {critique_quality: 0}, direction: less, kind: rounds}\n"
                    " - {id: linear, test: regression, kind: rounds, metric: wrong_to_right, on: self_check_accuracy,\n"
                    "    over: critique_quality}\n");
    const Claim *claim = claim_of(job, 0);
    assert_int_equal(claim->kind, CLAIM_ROUNDS);
    assert_int_equal(claim->round_metric, ROUND_GAIN);
    assert_int_equal(claim->at.first, 4);
    assert_int_equal(claim->at.last, 4);
    assert_int_equal(claim->n_arms, 3);
    assert_int_equal(claim->arms[0].settings.evaluation.rounds, 6);
    check_sentence(claim, "gain at round 4 increasing with evaluate.critique_quality (0, 0.5, 1)");
    claim = claim_of(job, 1);
    assert_int_equal(claim->round_metric, ROUND_NMSE);
    assert_int_equal(claim->at.first, 0);
    assert_int_equal(claim->at.last, 6);
    check_sentence(claim, "nmse over rounds 0 to 6: evaluate.critique_quality 1 less than evaluate.critique_quality 0");
    claim = claim_of(job, 2);
    assert_int_equal(claim->round_metric, ROUND_WRONG_TO_RIGHT);
    assert_int_equal(claim->at.first, 6); /* the default: the last */
    assert_int_equal(claim->at.last, 6);
    check_sentence(claim, "wrong_to_right at round 6 changing linearly with self_check_accuracy over "
                          "evaluate.critique_quality (0, 0.5, 1)");
    char *resolved = job_resolved(job);
    assert_non_null(strstr(resolved, "{id: up, test: trend, metric: gain, kind: rounds, at: 4, over: "));
    Job *again = parse(resolved);
    check_sentence(claim_of(again, 1),
                   "nmse over rounds 0 to 6: evaluate.critique_quality 1 less than evaluate.critique_quality 0");
    free(resolved);
    job_free(again);
    job_free(job);
}

static void two_arms_may_differ_in_their_round_or_number_of_examples_alone(void **state) {
    Job *job =
        parse(ROUNDS_GRID "{id: rounds-help, test: difference, metric: nmse, kind: rounds, a: {at: 6}, b: {at: 0},\n"
                          "    direction: less, where: {critique_quality: 1}}\n"
                          " - {id: random, test: equivalence, margin: 0.02, metric: nmse, kind: rounds, b: {at: 0},\n"
                          "    a: {at: [5, 6]}, where: {critique_quality: 0}}\n"
                          " - {id: more, test: difference, metric: kendall_tau, a: {critique_quality: 1},\n"
                          "    b: {critique_quality: 1, at: 5}}\n");
    const Claim *claim = claim_of(job, 0);
    check_sentence(claim, "nmse: that at round 6 less than that at round 0 where evaluate.critique_quality 1");
    assert_int_equal(claim->arms[0].first, 6);
    assert_int_equal(claim->arms[0].last, 6);
    assert_int_equal(claim->arms[1].first, 0);
    assert_int_equal(claim->arms[1].last, 0);
    check_sentence(claim_of(job, 1), "nmse: that over rounds 5 to 6 within 0.02 of that at round 0 where "
                                     "evaluate.critique_quality 0");
    claim = claim_of(job, 2);
    assert_int_equal(claim->arms[0].first, 19); /* the default: all examples */
    assert_int_equal(claim->arms[1].last, 5);
    check_sentence(claim, "kendall_tau at 19 examples: evaluate.critique_quality 1 other than "
                          "evaluate.critique_quality 1 at 5 examples");
    char *resolved = job_resolved(job);
    Job *again = parse(resolved);
    check_sentence(claim_of(again, 0),
                   "nmse: that at round 6 less than that at round 0 where evaluate.critique_quality 1");
    assert_int_equal(claim_of(again, 2)->arms[1].first, 5);
    free(resolved);
    job_free(again);
    job_free(job);
}

static void an_arms_round_or_number_of_examples_is_checked(void **state) {
    static const char claim[] =
        "claims:\n - {id: x, test: difference, metric: nmse, direction: less, where: {critique_quality: 1}, ";
    const char *const cases[][2] = {
        {"a: {at: 1}, b: {at: 3}}", "j:3:99: at: expected an integer from 2 to 255, found '1'"},
        {"a: {at: 20}, b: {at: 3}}", "j:3:99: claim x: at 20 examples, but with task.n_points 20 there are 2 to 19"},
        {"a: {at: 3}, b: {at: 3}}", "j:3:106: claim x: a and b are the same"},
        {"at: 7, a: {at: 3}, b: {at: 5}}", "j:3:95: claim x: both a and b say at, so that of the claim means nothing"},
        {"at: 7, a: {at: [3, 2]}, b: {at: 5}}", "j:3:106: at: the first (3) comes after the last (2)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, "evaluate: {critique_quality: [1, 0]}\n%s%s", claim, cases[i][0]);
        check_refused(text, cases[i][1]);
    }
    check_claim_refused("where: {at: 3}", "j:5:13: at stands beside where, or in a and b");
    check_claim_refused("over: at", "j:5:11: over: expected the key of an axis, found 'at'");
}

static void rounds_that_no_model_makes_are_refused(void **state) {
    static const char claim[] = "{id: x, test: difference, metric: nmse, kind: rounds, a: {critique_quality: 1}, b: "
                                "{critique_quality: 0}, ";
    const char *const cases[][2] = {
        {"at: 7}", "j:4:114: claim x: at round 7, but evaluate.rounds is 6"},
        {"at: 255}", "j:4:114: at: expected an integer from 0 to 254, found '255'"},
        {"where: {predictor: gd}}", "j:4:50: claim x: kind: rounds, but gd makes no rounds"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, ROUNDS_GRID "%s%s", claim, cases[i][0]);
        check_refused(text, cases[i][1]);
    }
    check_refused(ROUNDS_GRID "{id: x, test: trend, kind: rounds, metric: gain, at: 0, over: critique_quality, "
                              "direction: increasing}",
                  "j:4:57: at: expected an integer from 1 to 254, found '0'");
    check_refused("claims:\n - {id: x, test: difference, metric: gain, kind: rounds, a: {predictor: gd}, b: "
                  "{predictor: model}}",
                  "j:2:50: claim x: kind: rounds, but evaluate.rounds is 0");
    check_override_refused(ROUNDS_GRID "{id: x, test: trend, kind: rounds, metric: gain, at: 5, over: "
                                       "critique_quality, direction: increasing}",
                           "evaluate.rounds=4",
                           "--set evaluate.rounds=4: claim x: at round 5, but evaluate.rounds is 4 (--set claims=[] "
                           "drops all claims)");
}

static void the_numbers_of_examples_are_checked(void **state) {
    static const char trend[] = "id: x, test: trend, metric: nmse, over: critique_quality, direction: decreasing,"
                                "\n where: {model: {n_layer: 2, attention: softmax}}, at: ";
    const char *const cases[][2] = {
        {"1", "j:6:56: at: expected an integer from 2 to 255, found '1'"},
        {"2.5", "j:6:56: at: expected an integer from 2 to 255, found '2.5'"},
        {"[]", "j:6:56: at: expected a number or [first, last], found a list of 0"},
        {"[2, 3, 4]", "j:6:56: at: expected a number or [first, last], found a list of 3"},
        {"[2, x]", "j:6:60: at: expected an integer from 2 to 255, found 'x'"},
        {"[5, 4]", "j:6:56: at: the first (5) comes after the last (4)"},
        {"20", "j:6:56: claim x: at 20 examples, but with task.n_points 20 there are 2 to 19"},
        {"[2, 21]", "j:6:56: claim x: at 21 examples, but with task.n_points 20 there are 2 to 19"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char claim[512];
        snprintf(claim, sizeof claim, "%s%s", trend, cases[i][0]);
        check_claim_refused(claim, cases[i][1]);
    }
    check_refused("task: {n_points: [8, 12]}\n"
                  "claims: [{id: x, test: trend, metric: nmse, over: task.n_points, direction: decreasing, at: 8}]",
                  "j:2:93: claim x: at 8 examples, but with task.n_points 8 there are 2 to 7");
    Job *job = parse("task: {n_points: [8, 12]}\n"
                     "claims: [{id: x, test: trend, metric: nmse, over: task.n_points, direction: decreasing}]");
    assert_int_equal(claim_of(job, 0)->at.last, 7);
    job_free(job);
}

static void a_test_has_the_keys_it_needs_and_no_others(void **state) {
    check_claim_refused("test: trend", "j:5:4: this claim has no id");
    check_claim_refused("id: x", "j:5:4: this claim has no test");
    check_claim_refused("id: x, test: trend", "j:5:4: this claim has no metric");
    check_claim_refused("id: x, test: trend, metric: nmse, direction: less", "j:5:4: claim x: trend needs over");
    check_claim_refused("id: x, test: trend, metric: nmse, over: model.n_layer",
                        "j:5:4: claim x: trend needs direction");
    check_claim_refused("id: x, test: trend, metric: nmse, over: model.n_layer, direction: less",
                        "j:5:60: claim x: the direction of a trend is increasing or decreasing, found less");
    check_claim_refused("id: x, test: trend, metric: nmse, over: model.n_layer, direction: increasing, margin: 1",
                        "j:5:83: claim x: trend takes no margin");
    check_claim_refused(
        "id: x, test: trend, metric: nmse, over: model.n_layer, direction: increasing, a: {predictor: gd}",
        "j:5:83: claim x: trend takes no a");
    check_claim_refused("id: x, test: plateau, metric: nmse, over: model.n_layer",
                        "j:5:4: claim x: plateau needs margin");
    check_claim_refused("id: x, test: plateau, metric: nmse, over: model.n_layer, margin: 1, direction: increasing",
                        "j:5:73: claim x: plateau takes no direction");
    check_claim_refused("id: x, test: difference, metric: nmse, a: {predictor: gd}",
                        "j:5:4: claim x: difference needs b");
    check_claim_refused("id: x, test: difference, metric: nmse, a: {predictor: gd}, b: {predictor: mean}, direction: "
                        "increasing",
                        "j:5:86: claim x: the direction of a difference is greater or less, found increasing");
    check_claim_refused("id: x, test: difference, metric: nmse, a: {predictor: gd}, b: {predictor: mean}, margin: 1",
                        "j:5:86: claim x: difference takes no margin");
    check_claim_refused("id: x, test: equivalence, metric: nmse, a: {predictor: gd}, b: {predictor: mean}",
                        "j:5:4: claim x: equivalence needs margin");
    check_claim_refused("id: x, test: equivalence, metric: nmse, a: {predictor: gd}, b: {predictor: mean}, margin: 1,"
                        "over: model.n_layer",
                        "j:5:97: claim x: equivalence takes no over");
    check_claim_refused("id: x, test: regression, metric: nmse, over: critique_quality",
                        "j:5:4: claim x: regression needs on");
    check_claim_refused("id: x, test: regression, metric: nmse, on: self_check_accuracy",
                        "j:5:4: claim x: regression needs over");
    check_claim_refused("id: x, test: trend, metric: nmse, over: model.attention, direction: increasing",
                        "j:5:45: claim x: the values of model.attention have no order, which a trend needs");
    check_claim_refused("id: x, test: regression, metric: nmse, on: self_check_accuracy, over: model.n_layer",
                        "j:5:75: claim x: self_check_accuracy does not depend on model.n_layer, but on the critic's "
                        "settings");
}

static void an_id_is_of_one_claim(void **state) {
    check_refused(GRID "claims:\n"
                       " - {id: x, test: difference, metric: nmse, a: {predictor: gd}, b: {predictor: mean}}\n"
                       " - {test: difference, id: x, metric: nmse, a: {predictor: gd}, b: {predictor: mean}}\n",
                  "j:6:23: another claim is called x: first at line 5, column 4");
}

static void every_reference_is_one_of_the_jobs(void **state) {
#define DIFFERENCE "id: x, test: difference, metric: nmse, "
#define TREND      "id: x, test: trend, metric: nmse, direction: increasing, over: "
    check_claim_refused(DIFFERENCE "a: {model.n_layer: 2}, b: {model.n_layer: 3}",
                        "j:5:86: claim x: model.n_layer is never 3 in this job, but 4, 2 or 8");
    check_claim_refused(DIFFERENCE "a: {model.n_head: 2}, b: {model.n_layer: 2}",
                        "j:5:62: claim x: model.n_head is never 2 in this job, but 3");
    check_claim_refused(TREND "model.n_layer, where: {critique_quality: 0.9}",
                        "j:5:109: claim x: evaluate.critique_quality is never 0.9 in this job, but 1, 0.5 or 0");
    check_claim_refused(TREND "model.n_layer, where: {predictor: best}",
                        "j:5:102: claim x: best is not in evaluate.baselines");
    check_claim_refused(DIFFERENCE "a: {predictor: exact}, b: {predictor: gd}",
                        "j:5:59: claim x: exact is not in evaluate.baselines");
    check_claim_refused(TREND "model.n_head",
                        "j:5:68: claim x: a trend needs at least 2 values of model.n_head, here is 1");
    check_refused("evaluate: {critique_quality: [1, 0]}\n"
                  "claims: [{id: x, test: plateau, metric: nmse, over: critique_quality, margin: 1}]",
                  "j:2:53: claim x: a plateau needs at least 3 values of evaluate.critique_quality, here are 2");
    check_claim_refused(TREND "model.n_layer, where: {predictor: gd, critique_quality: 1}",
                        "j:5:68: claim x: gd does not depend on model.n_layer");
    check_claim_refused(DIFFERENCE "a: {predictor: gd, model.n_layer: 2}, b: {model.n_layer: 2}",
                        "j:5:78: claim x: gd does not depend on model.n_layer");
    check_claim_refused(DIFFERENCE "a: {model.n_layer: 2}, b: {model.n_layer: 4}, where: {model.n_layer: 2}",
                        "j:5:63: claim x: both where and a name model.n_layer");
    check_claim_refused(DIFFERENCE "a: {model.n_layer: 2}, b: {predictor: gd}, where: {predictor: mean}",
                        "j:5:82: claim x: both where and b name the predictor");
    check_claim_refused(TREND "model.n_layer, where: {model.n_layer: 2}",
                        "j:5:106: claim x: both over and where name model.n_layer");
}

static void an_axis_left_free_is_named(void **state) {
    check_claim_refused(TREND "model.n_layer, where: {critique_quality: 1}",
                        "j:5:4: claim x: model.attention may be softmax or linear: expected one of them in where");
    check_claim_refused(TREND "critique_quality, where: {model.attention: softmax}",
                        "j:5:4: claim x: model.n_layer may be 4, 2 or 8: expected one of them in where");
    check_claim_refused(DIFFERENCE "a: {model.attention: linear, model.n_layer: 2}, b: {model.n_layer: 2}, where: "
                                   "{critique_quality: 0}",
                        "j:5:4: claim x: model.attention may be softmax or linear: expected one of them in where or b");
    check_claim_refused(
        DIFFERENCE "a: {model.attention: linear, model.n_layer: 2}, b: {predictor: gd}",
        "j:5:4: claim x: evaluate.critique_quality may be 1, 0.5 or 0: expected one of them in where or a");
    check_claim_refused(
        DIFFERENCE "a: {predictor: gd}, b: {predictor: mean}",
        "j:5:4: claim x: evaluate.critique_quality may be 1, 0.5 or 0: expected one of them in where or a");
}

static void arms_that_are_the_same_are_no_comparison(void **state) {
    check_claim_refused(DIFFERENCE "a: {model.n_layer: 2}, b: {model.n_layer: 2}, where: {critique_quality: 1, "
                                   "model.attention: softmax}",
                        "j:5:70: claim x: a and b are the same");
    check_claim_refused(DIFFERENCE
                        "a: {predictor: gd}, b: {predictor: gd, model.n_head: 3}, where: {critique_quality: 1}",
                        "j:5:97: claim x: gd does not depend on model.n_head");
    check_claim_refused(DIFFERENCE "a: {predictor: gd}, b: {predictor: gd}, where: {critique_quality: 1}",
                        "j:5:67: claim x: a and b are the same");
    check_claim_refused(DIFFERENCE "a: {predictor: model, model.n_layer: 2}, b: {model.n_layer: 2}, where: "
                                   "{critique_quality: 1, model.attention: softmax}",
                        "j:5:88: claim x: a and b are the same");
}

static void claims_have_limits(void **state) {
    char *text = malloc(100000);
    assert_non_null(text);
    strcpy(text, "claims:\n");
    for (int i = 0; i <= CLAIMS_MAX; i++)
        sprintf(text + strlen(text),
                "- {id: x%d, test: difference, metric: nmse, a: {predictor: gd}, b: {predictor: mean}}\n", i);
    check_refused(text, "j:102:3: claims: more than 100");
    *strrchr(text, '-') = '#';
    job_free(parse(text));

    strcpy(text, "model: {n_layer: [1");
    for (int i = 2; i <= CLAIM_LEVELS_MAX + 1; i++)
        sprintf(text + strlen(text), ", %d", i);
    strcat(text, "]}\nclaims: [{id: x, test: trend, metric: nmse, direction: increasing, over: model.n_layer}]");
    check_refused(text, "j:2:74: claim x: over more than 100 values of model.n_layer");
    free(text);
}

/* --- overrides and the resolved form ----------------------------------------------------------------------------- */

static void an_override_may_not_take_away_what_a_claim_needs(void **state) {
    check_override_refused(
        one_of_each, "model.n_layer=8",
        "--set model.n_layer=8: claim up: a trend needs at least 2 values of model.n_layer, here is 1 "
        "(--set claims=[] drops all claims)");
    check_override_refused(
        one_of_each, "model.attention=softmax",
        "--set model.attention=softmax: claim softmax_needed: model.attention is never linear in this "
        "job, but softmax (--set claims=[] drops all claims)");
    check_override_refused(
        one_of_each, "model.n_head=1,3",
        "--set model.n_head=1,3: claim up: model.n_head may be 1 or 3: expected one of them in where "
        "(--set claims=[] drops all claims)");
    check_override_refused(one_of_each, "evaluate.baselines=mean",
                           "--set evaluate.baselines=mean: claim like-gd: gd is not in evaluate.baselines (--set "
                           "claims=[] drops all claims)");
    check_override_refused(
        one_of_each, "task.n_points=10",
        "--set task.n_points=10: claim up: at 15 examples, but with task.n_points 10 there are 2 to 9 "
        "(--set claims=[] drops all claims)");
    const char *const overrides[] = {"model.n_layer=8,16", "model.n_layer=4,8,16", "seeds=3", "alpha=0.2"};
    Job *job = parse_with(one_of_each, overrides, 4);
    assert_near(claim_of(job, 0)->arms[2].level, 16, 0);
    assert_int_equal(claim_of(job, 0)->n_seeds, 1);
    assert_near(job_alpha(job), 0.2, 0);
    job_free(job);
}

static void the_resolved_form_keeps_claims(void **state) {
    Job *job = parse(one_of_each), *again;
    char *resolved = job_resolved(job);
    assert_non_null(resolved);
    assert_non_null(strstr(
        resolved,
        "alpha: 0.1\n"
        "claims:\n"
        "  - {id: up, test: trend, metric: kendall_tau, at: 15, over: model.n_layer, direction: increasing, "
        "where: {model.attention: softmax, evaluate.critique_quality: 1}}\n"
        "  - {id: flat.2, test: plateau, metric: kendall_tau, at: [10, 15], over: model.n_layer, margin: 0.02, "
        "where: {model.attention: softmax, evaluate.critique_quality: 1}}\n"
        "  - {id: softmax_needed, test: difference, metric: nmse, at: 19, a: {model.attention: softmax}, "
        "b: {model.attention: linear}, direction: less, where: {model.n_layer: 8, evaluate.critique_quality: 1}}\n"
        "  - {id: like-gd, test: equivalence, metric: alignment_loss, at: [2, 15], a: {model.n_layer: 8, "
        "model.attention: softmax}, b: {predictor: gd}, margin: 0.05, where: {evaluate.critique_quality: 0.5}}\n"
        "  - {id: linear, test: regression, metric: kendall_tau, at: 19, on: self_check_accuracy, "
        "over: evaluate.critique_quality, where: {model.n_layer: 8, model.attention: softmax}}\n"));
    again = parse(resolved);
    char *twice = job_resolved(again);
    assert_string_equal(twice, resolved);
    free(twice);
    free(resolved);
    job_free(again);
    job_free(job);
}

/* --- what seeds can show ----------------------------------------------------------------------------------------- */

static void the_smallest_p_of_each_test_is_that_of_its_permutations(void **state) {
    Claim claim = {.test = CLAIM_DIFFERENCE};
    assert_near(claim_smallest_p(&claim, 1), 1, 0);
    assert_near(claim_smallest_p(&claim, 5), 0.0625, 0); /* 2 of 2^5 sign patterns */
    claim.direction = CLAIM_GREATER;
    assert_near(claim_smallest_p(&claim, 5), 0.03125, 0);
    assert_near(claim_smallest_p(&claim, 3), 0.125, 0);
    claim = (Claim){.test = CLAIM_REGRESSION, .n_arms = 5};
    assert_near(claim_smallest_p(&claim, 5), 0.0625, 0);
    claim.direction = CLAIM_INCREASING;
    assert_near(claim_smallest_p(&claim, 5), 0.03125, 0);
    claim = (Claim){.test = CLAIM_EQUIVALENCE, .n_arms = 2};
    assert_near(claim_smallest_p(&claim, 4), 0.0625, 0);
    claim = (Claim){.test = CLAIM_PLATEAU, .n_arms = 4};
    assert_near(claim_smallest_p(&claim, 4), 0.0625, 0);
    claim = (Claim){.test = CLAIM_TREND, .direction = CLAIM_DECREASING, .n_arms = 2};
    assert_near(claim_smallest_p(&claim, 3), 0.125, 0);
    claim.n_arms = 4;
    assert_near(claim_smallest_p(&claim, 1), 1.0 / 24, 1e-15);
    assert_near(claim_smallest_p(&claim, 2), 1.0 / 576, 1e-15);
    claim.n_arms = CLAIM_LEVELS_MAX;
    assert_near(claim_smallest_p(&claim, 1000000), 0, 0);
}

static void a_claim_is_out_of_reach_when_the_first_step_of_holm_is(void **state) {
    Claim claims[4];
    ClaimOutlook outlooks[4];
    for (int i = 0; i < 4; i++)
        claims[i] = (Claim){.test = CLAIM_DIFFERENCE, .direction = CLAIM_GREATER, .n_seeds = 3};
    claims_outlook(claims, 4, 0.05, outlooks);
    for (int i = 0; i < 4; i++) {
        assert_near(outlooks[i].smallest_p, 0.125, 0);
        assert_near(outlooks[i].needed_p, 0.0125, 0);
        assert_false(outlooks[i].within_reach);
        assert_int_equal(outlooks[i].seeds_needed, 7); /* 2^-7 = 0.0078, 2^-6 = 0.0156 */
    }
    for (int i = 0; i < 4; i++)
        claims[i].n_seeds = 7;
    claims_outlook(claims, 4, 0.05, outlooks);
    for (int i = 0; i < 4; i++)
        assert_true(outlooks[i].within_reach);
    claims_outlook(claims, 0, 0.05, outlooks);
}

/* Once stronger claims are rejected, Holm asks less of the rest: a claim of p 0.0313 can be supported beside two
 * trends. */
static void later_steps_of_holm_are_easier(void **state) {
    Claim claims[3] = {{.test = CLAIM_DIFFERENCE, .direction = CLAIM_GREATER, .n_seeds = 5},
                       {.test = CLAIM_TREND, .n_arms = 4, .n_seeds = 5},
                       {.test = CLAIM_TREND, .n_arms = 5, .n_seeds = 5}};
    ClaimOutlook outlooks[3];
    claims_outlook(claims, 3, 0.05, outlooks);
    assert_true(outlooks[0].within_reach);
    assert_near(outlooks[0].needed_p, 0.05, 0);
    assert_near(outlooks[1].needed_p, 0.025, 0);
    assert_near(outlooks[2].needed_p, 0.05 / 3, 1e-18);
    assert_int_equal(outlooks[0].seeds_needed, 5);
    assert_int_equal(outlooks[1].seeds_needed, 2);

    /* And what comes after one that fails, fails with it, though its own bound would have been met. */
    claims[0] = (Claim){.test = CLAIM_DIFFERENCE, .n_seeds = 5};                          /* 0.0625 */
    claims[1] = (Claim){.test = CLAIM_DIFFERENCE, .direction = CLAIM_LESS, .n_seeds = 5}; /* 0.03125 */
    claims[2] = (Claim){.test = CLAIM_TREND, .n_arms = 4, .n_seeds = 5};
    claims_outlook(claims, 3, 0.06, outlooks);
    assert_false(outlooks[0].within_reach);
    assert_false(outlooks[1].within_reach); /* 0.06 / 2 */
    assert_near(outlooks[0].needed_p, 0.03, 0);
    assert_true(outlooks[2].within_reach);
}

static void seeds_needed_are_found_at_any_level(void **state) {
    Claim claim = {.test = CLAIM_DIFFERENCE, .n_seeds = 1};
    ClaimOutlook outlook;
    claims_outlook(&claim, 1, 1e-300, &outlook);
    assert_int_equal(outlook.seeds_needed, 998); /* 2^-997 = 7.5e-301 */
    claims_outlook(&claim, 1, 5e-324, &outlook);
    assert_in_range(outlook.seeds_needed, 1000, 1080);
    claims_outlook(&claim, 1, 1, &outlook);
    assert_int_equal(outlook.seeds_needed, 1);
    assert_true(outlook.within_reach);
}

/* --- damage ------------------------------------------------------------------------------------------------------ */

static void check_damaged(const char *text, int *n_read) {
    Job *job = NULL;
    Error err = {""};
    if (job_parse("j", text, NULL, 0, &job, &err) != STATUS_OK) {
        assert_null(job);
        assert_int_equal(strncmp(err.text, "j:", 2), 0);
        assert_true(strlen(err.text) > 10);
        assert_null(strpbrk(err.text, "\n\r\t"));
        return;
    }
    int count;
    char sentence[300];
    const Claim *claims = job_claims(job, &count);
    for (int i = 0; i < count; i++) {
        assert_in_range(claims[i].n_arms, 2, 3);
        assert_in_range(claims[i].at.first, 2, claims[i].at.last);
        assert_in_range(claims[i].at.last, 2, 255);
        assert_in_range(claims[i].n_seeds, 1, 1000000);
        assert_true(strlen(claim_sentence(&claims[i], sentence, sizeof sentence)) > 20);
    }
    job_free(job);
    ++*n_read;
}

static void every_truncation_is_read_or_refused(void **state) {
    int n_read = 0;
    for (size_t length = 0; length < strlen(one_of_each); length++) {
        char *text = strndup(one_of_each, length);
        assert_non_null(text);
        check_damaged(text, &n_read);
        free(text);
    }
    assert_in_range(n_read, 1, strlen(one_of_each) / 2);
}

static void every_changed_byte_is_read_or_refused(void **state) {
    static const char changes[] = " \n:,-[]{}#&'0.x\x01\xff";
    int n_read = 0;
    char text[sizeof one_of_each];
    for (size_t i = strlen(GRID); i < strlen(one_of_each); i++) {
        for (size_t k = 0; k < strlen(changes); k++) {
            strcpy(text, one_of_each);
            text[i] = changes[k];
            check_damaged(text, &n_read);
        }
        memcpy(text, one_of_each, i); /* a byte lost */
        strcpy(text + i, one_of_each + i + 1);
        check_damaged(text, &n_read);
    }
    assert_in_range(n_read, 100, sizeof text * sizeof changes / 2);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_claim_is_read_with_its_arms),
        cmocka_unit_test(claims_may_stand_before_the_grid_or_be_none),
        cmocka_unit_test(linked_axes_are_fixed_by_any_of_their_keys),
        cmocka_unit_test(what_a_baseline_does_not_depend_on_need_not_be_fixed),
        cmocka_unit_test(excluded_levels_and_seeds_are_not_counted),
        cmocka_unit_test(the_example_of_the_reference_page_is_a_job),
        cmocka_unit_test(words_of_a_claim_are_checked),
        cmocka_unit_test(a_claim_of_rounds_has_its_metrics_and_rounds),
        cmocka_unit_test(rounds_that_no_model_makes_are_refused),
        cmocka_unit_test(two_arms_may_differ_in_their_round_or_number_of_examples_alone),
        cmocka_unit_test(an_arms_round_or_number_of_examples_is_checked),
        cmocka_unit_test(the_numbers_of_examples_are_checked),
        cmocka_unit_test(a_test_has_the_keys_it_needs_and_no_others),
        cmocka_unit_test(an_id_is_of_one_claim),
        cmocka_unit_test(every_reference_is_one_of_the_jobs),
        cmocka_unit_test(an_axis_left_free_is_named),
        cmocka_unit_test(arms_that_are_the_same_are_no_comparison),
        cmocka_unit_test(claims_have_limits),
        cmocka_unit_test(an_override_may_not_take_away_what_a_claim_needs),
        cmocka_unit_test(the_resolved_form_keeps_claims),
        cmocka_unit_test(the_smallest_p_of_each_test_is_that_of_its_permutations),
        cmocka_unit_test(a_claim_is_out_of_reach_when_the_first_step_of_holm_is),
        cmocka_unit_test(later_steps_of_holm_are_easier),
        cmocka_unit_test(seeds_needed_are_found_at_any_level),
        cmocka_unit_test(every_truncation_is_read_or_refused),
        cmocka_unit_test(every_changed_byte_is_read_or_refused),
    };
    return run_tests(tests, argc, argv);
}
