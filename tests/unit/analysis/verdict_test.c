/* Claims become verdicts: on results made up so that what must come out is known. */
#include "tests/harness.h"

#include "analysis/output/sheet.h"
#include "analysis/report/verdict_tables.h"
#include "tests/fixtures/fake_results.h"

#include <unistd.h>

/* What a metric is, of every model and baseline. */
typedef double (*Value)(int n_layer, double quality, uint32_t seed);

/* Small and different for every seed and depth, without a pattern that helps any arm. */
static double jitter(int n_layer, uint32_t seed) {
    return 0.01 * sin(12.9898 * seed + 78.233 * n_layer);
}

static void add_result(Table *table, int n_layer, double quality, uint32_t seed, Value value) {
    TrainingSpec spec = fake_spec(n_layer, seed);
    Record record = fake_cell(&spec, quality);
    Curves *curves = &record.of.cell.curves;
    for (int i = 0; i < METRIC_COUNT * curves->n_points; i++)
        curves->value[i] = value(n_layer, quality, seed);
    add_fake(table, record);
}

static const int depths[] = {2, 4, 8};

/* A header with a job that makes claims, and depths 2, 4 and 8 under qualities 0.5 and 1. */
static Table *results(const char *claims, int n_seeds, Value value) {
    Table *table = table_create();
    Record header = fake_header();
    char text[4096];
    snprintf(text, sizeof text,
             "model: {n_layer: [2, 4, 8]}\ntask: {n_points: %d}\nevaluate: {critique_quality: [1, 0.5]}\n"
             "seeds: {first: 0, count: %d}\n%s",
             FAKE_POINTS, n_seeds, claims);
    free(header.of.header.job_text);
    header.of.header.job_text = strdup(text);
    add_fake(table, header);
    for (uint32_t seed = 0; seed < (uint32_t)n_seeds; seed++)
        for (int i = 0; i < 3; i++) {
            TrainingSpec spec = fake_spec(depths[i], seed);
            add_fake(table, fake_training(&spec, OUTCOME_DONE));
            add_result(table, depths[i], 1, seed, value);
            add_result(table, depths[i], 0.5, seed, value);
        }
    return table;
}

static Verdicts *judge(Table *table) {
    Verdicts *verdicts = NULL;
    Error err = {{0}};
    char warning[512] = "";
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    if (verdicts_create(table, NULL, 0, NULL, &verdicts, warning, sizeof warning, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_string_equal(warning, "");
    return verdicts;
}

static void done(Verdicts *verdicts, Table *table) {
    verdicts_free(verdicts);
    table_free(table);
}

static double rising(int n_layer, double quality, uint32_t seed) {
    return 0.1 * n_layer + quality + jitter(n_layer, seed);
}

static void a_difference_is_supported_contradicted_or_neither_by_its_direction(void **state) {
    Table *table =
        results("claims:\n"
                "- {id: up, test: difference, metric: kendall_tau, a: {model.n_layer: 8}, b: {model.n_layer: "
                "2}, direction: greater, where: {critique_quality: 1}}\n"
                "- {id: down, test: difference, metric: kendall_tau, a: {model.n_layer: 8}, b: "
                "{model.n_layer: 2}, direction: less, where: {critique_quality: 1}}\n"
                "- {id: any, test: difference, metric: kendall_tau, a: {model.n_layer: 8}, b: "
                "{model.n_layer: 2}, where: {critique_quality: 1}}\n",
                8, rising);
    Verdicts *verdicts = judge(table);
    assert_int_equal(verdicts->count, 3);
    const Verdict *up = &verdicts->items[0], *down = &verdicts->items[1], *any = &verdicts->items[2];
    assert_int_equal(up->decision, DECISION_SUPPORTED);
    assert_near(up->estimate.mean, 0.6, 0.01);
    assert_near(up->p, pow(2, -8), 1e-15);
    assert_near(up->p_holm, 3 * pow(2, -8), 1e-15);
    assert_near(up->p_against, 1, 1e-15);
    assert_near(up->smallest_p, pow(2, -8), 1e-15);
    assert_int_equal(up->pairing->n_seeds, 8);
    assert_true(up->effect.d_z > 10 && up->effect.interval.low > 0);
    assert_near(up->improvement.share, 1, 0);
    assert_true(up->bootstrap.low > 0.55 && up->bootstrap.high < 0.65);
    assert_string_equal(up->arms[0].label, "n_layer 8");
    assert_near(up->arms[0].interval.mean - up->arms[1].interval.mean, up->estimate.mean, 1e-12);
    assert_int_equal(down->decision, DECISION_CONTRADICTED);
    assert_near(down->p_against_holm, 2 * pow(2, -8), 1e-15); /* two of the three have an opposite */
    assert_int_equal(down->seeds_needed, 0);
    assert_int_equal(any->decision, DECISION_SUPPORTED);
    assert_near(any->p, pow(2, -7), 1e-15);
    assert_true(isnan(any->p_against));
    done(verdicts, table);
}

static double bent(int n_layer, double quality, uint32_t seed) {
    return (n_layer == 2 ? 0 : n_layer == 4 ? 0.5 : 0.45) + jitter(n_layer, seed);
}

static void a_trend_may_hold_although_a_step_goes_against_it_and_then_the_step_is_told(void **state) {
    Table *table = results("claims: [{id: deeper, test: trend, metric: kendall_tau, over: model.n_layer, direction: "
                           "increasing, where: {critique_quality: 1}},\n"
                           "{id: shallower, test: trend, metric: kendall_tau, over: model.n_layer, direction: "
                           "decreasing, where: {critique_quality: 1}}]",
                           10, bent);
    Verdicts *verdicts = judge(table);
    const Verdict *deeper = &verdicts->items[0];
    assert_int_equal(deeper->decision, DECISION_SUPPORTED);
    assert_non_null(strstr(deeper->notes, "against the trend: from n_layer 4 to n_layer 8 the mean falls by 0.05"));
    assert_near(deeper->mean_rank_correlation, 0.5, 1e-12); /* ranks 1 3 2 in every seed */
    assert_int_equal(verdicts->items[1].decision, DECISION_CONTRADICTED);
    done(verdicts, table);
}

static void a_plateau_begins_at_the_smallest_level_that_stays_within_the_margin_of_the_best(void **state) {
    const char *claims = "claims: [{id: flat, test: plateau, metric: kendall_tau, over: model.n_layer, margin: 0.1, "
                         "where: {critique_quality: 1}}]";
    Table *table = results(claims, 8, bent);
    Verdicts *verdicts = judge(table);
    assert_int_equal(verdicts->items[0].decision, DECISION_SUPPORTED);
    assert_near(verdicts->items[0].plateau_level, 4, 0);
    assert_near(verdicts->items[0].estimate.mean, 0.05, 0.01);
    assert_non_null(strstr(verdicts->items[0].notes, "flat from n_layer 4 on"));
    done(verdicts, table);
    table = results(claims, 8, rising); /* 0.4 between the last two */
    verdicts = judge(table);
    assert_int_equal(verdicts->items[0].decision, DECISION_CONTRADICTED);
    assert_true(isnan(verdicts->items[0].plateau_level));
    done(verdicts, table);
}

static void equivalence_needs_a_margin_wider_than_the_difference_and_its_spread(void **state) {
    Table *table = results("claims:\n"
                           "- {id: wide, test: equivalence, metric: nmse, at: [2, 5], margin: 0.1, a: {model.n_layer: "
                           "4}, b: {model.n_layer: 8}, where: {critique_quality: 1}}\n"
                           "- {id: narrow, test: equivalence, metric: nmse, at: [2, 5], margin: 0.01, a: "
                           "{model.n_layer: 4}, b: {model.n_layer: 8}, where: {critique_quality: 1}}\n"
                           "- {id: tight, test: equivalence, metric: nmse, at: [2, 5], margin: 0.05, a: "
                           "{model.n_layer: 4}, b: {model.n_layer: 8}, where: {critique_quality: 1}}\n",
                           10, bent);
    Verdicts *verdicts = judge(table);
    assert_int_equal(verdicts->items[0].decision, DECISION_SUPPORTED);
    assert_near(verdicts->items[0].p, pow(2, -10), 1e-15);
    assert_int_equal(verdicts->items[1].decision, DECISION_CONTRADICTED);
    assert_int_equal(verdicts->items[2].decision, DECISION_INCONCLUSIVE);
    done(verdicts, table);
}

static void a_regression_finds_the_slope_on_self_check_accuracy(void **state) {
    Table *table = results("claims: [{id: grows, test: regression, metric: kendall_tau, over: critique_quality, on: "
                           "self_check_accuracy, direction: increasing, where: {model.n_layer: 2}}]",
                           6, rising);
    Verdicts *verdicts = judge(table);
    const Verdict *grows = &verdicts->items[0];
    assert_int_equal(grows->decision, DECISION_SUPPORTED);
    assert_near(grows->estimate.mean, 2, 1e-9); /* self-check accuracy is 0.5 + quality / 2 */
    assert_true(grows->r_squared > 0.99 && grows->r_squared <= 1);
    done(verdicts, table);
}

static const char one_claim[] = "claims: [{id: up, test: difference, metric: kendall_tau, a: {model.n_layer: 8}, b: "
                                "{model.n_layer: 2}, direction: greater, where: {critique_quality: 1}}]";

/* As results, but what became of the training of depth 8 at some seeds is something else. */
static Table *results_without(int n_seeds, uint32_t first_lost, bool ended, Outcome outcome) {
    Table *table = results(one_claim, (int)first_lost, rising);
    for (uint32_t seed = first_lost; seed < (uint32_t)n_seeds; seed++) {
        TrainingSpec shallow = fake_spec(2, seed), deep = fake_spec(8, seed);
        add_fake(table, fake_training(&shallow, OUTCOME_DONE));
        add_result(table, 2, 1, seed, rising);
        if (ended) add_fake(table, fake_training(&deep, outcome));
    }
    return table;
}

static void more_than_a_fifth_of_the_seeds_diverged_is_refused_and_less_is_told(void **state) {
    Table *table = results_without(10, 8, true, OUTCOME_DIVERGED);
    Verdicts *verdicts = judge(table);
    assert_int_equal(verdicts->items[0].decision, DECISION_SUPPORTED);
    assert_int_equal(verdicts->items[0].pairing->n_wanted, 10);
    assert_int_equal(verdicts->items[0].pairing->lost[SEED_DIVERGED], 2);
    assert_non_null(strstr(verdicts->items[0].notes, "2 of 10 seeds left out: diverged"));
    done(verdicts, table);
    table = results_without(10, 7, true, OUTCOME_FAILED);
    verdicts = judge(table);
    assert_true(verdicts->items[0].refused);
    assert_int_equal(verdicts->items[0].decision, DECISION_INCONCLUSIVE);
    assert_true(isnan(verdicts->items[0].p));
    assert_non_null(strstr(verdicts->items[0].notes, "not tested: 3 of 10 seeds diverged or failed"));
    done(verdicts, table);
}

static void seeds_that_are_not_finished_make_a_verdict_provisional(void **state) {
    Table *table = results(one_claim, 6, rising);
    Error err = {{0}};
    Job *job = NULL;
    assert_int_equal(job_parse("test",
                               "model: {n_layer: [2, 4, 8]}\ntask: {n_points: 8}\nseeds: {first: 0, count: 9}\n", NULL,
                               0, &job, &err),
                     STATUS_OK);
    assert_int_equal(table_expect(table, job, &err), STATUS_OK);
    Verdicts *verdicts = judge(table);
    assert_true(verdicts->items[0].provisional);
    assert_int_equal(verdicts->items[0].pairing->lost[SEED_UNFINISHED], 3);
    assert_int_equal(verdicts->items[0].decision, DECISION_SUPPORTED);
    assert_non_null(strstr(verdicts->items[0].notes, "provisional"));
    job_free(job);
    done(verdicts, table);
}

static void an_unbalanced_comparison_uses_the_common_seeds_and_says_so(void **state) {
    Table *table = results_without(9, 7, false, OUTCOME_DONE);
    Verdicts *verdicts = judge(table);
    assert_int_equal(verdicts->items[0].pairing->n_seeds, 7);
    assert_int_equal(verdicts->items[0].pairing->seeds[6], 6);
    assert_non_null(strstr(verdicts->items[0].notes, "2 of 9 seeds left out: not asked for"));
    assert_false(verdicts->items[0].provisional);
    done(verdicts, table);
}

static void pairs_of_different_numerics_are_flagged(void **state) {
    Table *table = results(one_claim, 6, rising);
    free(table->series[4].fingerprint); /* depth 8, quality 1, seed 0 */
    table->series[4].fingerprint = strdup("fake 2");
    Verdicts *verdicts = judge(table);
    assert_int_equal(verdicts->items[0].pairing->n_mixed, 1);
    assert_non_null(strstr(verdicts->items[0].notes, "different numerics fingerprints"));
    done(verdicts, table);
}

static void one_seed_cannot_be_tested_and_few_seeds_are_told_what_they_cannot_show(void **state) {
    Table *table = results(one_claim, 1, rising);
    Verdicts *verdicts = judge(table);
    assert_true(verdicts->items[0].refused);
    assert_non_null(strstr(verdicts->items[0].notes, "only one seed has all arms"));
    done(verdicts, table);
    table = results(one_claim, 4, rising);
    verdicts = judge(table);
    assert_int_equal(verdicts->items[0].decision, DECISION_INCONCLUSIVE);
    assert_non_null(strstr(verdicts->items[0].notes, "with 4 the smallest possible p is 0.0625"));
    assert_int_equal(verdicts->items[0].seeds_needed, 5); /* 2^-5 is below 0.05 */
    done(verdicts, table);
}

static void results_of_other_settings_are_no_arm_of_a_claim(void **state) {
    Table *table = table_create();
    Table *other = results(one_claim, 6, rising);
    Record header = {.kind = RECORD_HEADER, .of.header = other->headers[0]};
    header.of.header = fake_header().of.header;
    free(header.of.header.job_text);
    header.of.header.job_text = strdup(other->headers[0].job_text);
    add_fake(table, header);
    table_free(other);
    for (uint32_t seed = 0; seed < 6; seed++)
        for (int i = 0; i < 3; i++) {
            TrainingSpec spec = fake_spec(depths[i], seed);
            spec.model.n_embd *= 2;
            add_fake(table, fake_training(&spec, OUTCOME_DONE));
            Record cell = fake_cell(&spec, 1);
            add_fake(table, cell);
        }
    Verdicts *verdicts = judge(table);
    assert_true(verdicts->items[0].refused);
    assert_non_null(strstr(verdicts->items[0].notes, "no results of its arms"));
    done(verdicts, table);
}

static void released_numbers_are_told_beside_the_claims_that_they_are_about(void **state) {
    Table *table = table_create();
    Record header = fake_header();
    free(header.of.header.job_text);
    header.of.header.job_text =
        strdup("model: {n_layer: 20, n_head: 3, n_embd: 96}\nevaluate: {critique_quality: [1, 0.5]}\nseeds: 2\n"
               "claims: [{id: quality, test: trend, metric: nmse, at: 15, over: critique_quality, direction: "
               "decreasing}]");
    add_fake(table, header);
    Verdicts *verdicts = judge(table);
    assert_non_null(strstr(verdicts->items[0].notes, "q 0.5 0.624, q 1 0.297")); /* fig2b_released.csv, n15 */
    done(verdicts, table);
}

static void no_released_number_stands_beside_an_arm_that_is_another_model_or_training(void **state) {
    static const struct {
        const char *settings, *arms, *told;
    } cases[] = {
        {"model: {n_layer: [1, 20]}", "a: {model.n_layer: 20}, b: {model.n_layer: 1}", ": n_layer 20 0.297"},
        {"train: {clip_norm: [1, 0]}", "a: {train.clip_norm: 1}, b: {train.clip_norm: 0}", ": clip_norm 0 0.297"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s\nseeds: 2\nclaims: [{id: other, test: difference, metric: nmse, at: 15, %s}]",
                 cases[i].settings, cases[i].arms);
        Table *table = table_create();
        Record header = fake_header();
        free(header.of.header.job_text);
        header.of.header.job_text = strdup(text);
        add_fake(table, header);
        Verdicts *verdicts = judge(table);
        const char *told = strstr(verdicts->items[0].notes, "256 prompts)");
        assert_non_null(told);
        told += strlen("256 prompts)");
        assert_int_equal(strncmp(told, cases[i].told, strlen(cases[i].told)), 0);
        assert_true(strchr("\n", told[strlen(cases[i].told)]) != NULL); /* and no other arm */
        done(verdicts, table);
    }
}

static void claims_about_rounds_read_the_closed_loop_and_only_that_of_their_settings(void **state) {
    Table *table = table_create();
    Record header = fake_header();
    free(header.of.header.job_text);
    header.of.header.job_text =
        strdup("model: {n_layer: 2}\ntask: {n_points: 8}\nseeds: 4\n"
               "evaluate: {critique_quality: [1, 0.5], rounds: 3}\n"
               "claims: [{id: gain, test: difference, kind: rounds, metric: gain, at: 3, a: {critique_quality: 1}, b: "
               "{critique_quality: 0.5}, direction: greater},\n"
               "  {id: later, test: difference, kind: rounds, metric: nmse, a: {at: 3}, b: {at: [0, 1]},\n"
               "    where: {critique_quality: 1}},\n"
               "  {id: linear, test: regression, kind: rounds, metric: nmse, at: 2, on: self_check_accuracy,\n"
               "    over: critique_quality}]");
    add_fake(table, header);
    for (uint32_t seed = 0; seed < 4; seed++) {
        TrainingSpec spec = fake_spec(2, seed);
        add_fake(table, fake_training(&spec, OUTCOME_DONE));
        for (int i = 0; i < 2; i++) {
            Record cell = fake_cell_with_rounds(&spec, i == 0 ? 1 : 0.5, 3);
            cell.of.cell.rounds.initial_responses = settings_default().evaluation.initial_responses;
            cell.of.cell.rounds.right_cosine = settings_default().evaluation.right_cosine;
            if (seed == 3) cell.of.cell.rounds.initial_responses++;
            add_fake(table, cell);
        }
    }
    RoundCurves good = fake_rounds(1, 0, 3), poor = fake_rounds(0.5, 0, 3);
    int place = ROUND_GAIN * good.count + 3;
    Verdicts *verdicts = judge(table);
    assert_int_equal(verdicts->items[0].pairing->n_seeds, 3);
    assert_near(verdicts->items[0].estimate.mean, good.value[place] - poor.value[place], 1e-12);
    assert_near(verdicts->items[0].p, 0.125, 1e-12);
    assert_near(verdicts->items[0].arms[0].self_check, good.self_check_accuracy, 1e-12);
    assert_near(verdicts->items[1].estimate.mean, 2.5 / 8, 1e-12); /* fake_round_value grows by 1/8 a round */
    assert_string_equal(verdicts->items[1].arms[0].label, "round 3");
    assert_string_equal(verdicts->items[1].arms[1].label, "round 0 to 1");
    assert_near(verdicts->items[2].estimate.mean, 0.5, 1e-12); /* both grow with the quality: by 1/4 and 1/2 of it */
    round_curves_free(&good);
    round_curves_free(&poor);
    done(verdicts, table);
}

static char *printed(const Verdicts *verdicts) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    verdicts_print(verdicts, out);
    fclose(out);
    return text;
}

static void verdicts_are_printed_within_100_columns_and_written_as_a_row_each(void **state) {
    Table *table = results_without(10, 7, true, OUTCOME_FAILED);
    Verdicts *verdicts = judge(table);
    char *text = printed(verdicts);
    assert_non_null(strstr(text, "INCONCLUSIVE  up\n"));
    assert_non_null(strstr(text, "    not tested: 3 of 10 seeds"));
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        assert_true(text_letters(line) <= 100);
    free(text);
    done(verdicts, table);

    table = results(one_claim, 8, rising);
    verdicts = judge(table);
    text = printed(verdicts);
    assert_non_null(strstr(text, "SUPPORTED  up\n"));
    free(text);
    json_t *json = verdicts_json(verdicts);
    json_t *claim = json_array_get(json_object_get(json, "claims"), 0);
    assert_string_equal(json_string_value(json_object_get(claim, "decision")), "supported");
    assert_int_equal(json_array_size(json_object_get(claim, "seeds")), 8);
    assert_near(json_number_value(json_object_get(claim, "p")), pow(2, -8), 1e-15);
    json_decref(json);
    char dir[] = "/tmp/verdict_test_XXXXXX", path[64], line[4096];
    assert_non_null(mkdtemp(dir));
    assert_int_equal(verdicts_write_csv(verdicts, dir, NULL), STATUS_OK);
    snprintf(path, sizeof path, "%s/claims.csv", dir);
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(line, sizeof line, file));
    assert_memory_equal(line, "id,job,decision,", 16);
    assert_non_null(fgets(line, sizeof line, file));
    assert_memory_equal(line, "up,", 3);
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
    unlink(path);
    rmdir(dir);
    done(verdicts, table);
}

static void results_without_claims_have_no_verdicts_and_print_nothing(void **state) {
    Table *table = results("", 2, rising);
    Verdicts *verdicts = judge(table);
    assert_int_equal(verdicts->count, 0);
    char *text = printed(verdicts);
    assert_string_equal(text, "");
    free(text);
    done(verdicts, table);
}

static void claims_of_a_job_that_ran_before_in_the_same_folder_do_not_go_under_in_silence(void **state) {
    Table *table = results("claims:\n- {id: x, test: trend, metric: nmse, over: model.n_layer, direction: increasing, "
                           "where: {critique_quality: 1}}\n",
                           3, rising);
    assert_int_equal(table_finish(table, NULL), STATUS_OK);
    char dir[] = "/tmp/verdict_test_XXXXXX", path[64], warning[512] = "";
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/job.resolved.yaml", dir);
    FILE *job = fopen(path, "w");
    assert_non_null(job);
    fputs("name: the-last\nmodel: {n_layer: 2}\n", job);
    fclose(job);
    Verdicts *verdicts = NULL;
    const char *dirs[] = {dir};
    assert_int_equal(verdicts_create(table, dirs, 1, NULL, &verdicts, warning, sizeof warning, NULL), STATUS_OK);
    assert_int_equal(verdicts->count, 0);
    assert_string_equal(warning,
                        "claims: job fake & job has results here too, its 1 claim is not tested: see --claims");
    unlink(path);
    rmdir(dir);
    done(verdicts, table);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_difference_is_supported_contradicted_or_neither_by_its_direction),
        cmocka_unit_test(a_trend_may_hold_although_a_step_goes_against_it_and_then_the_step_is_told),
        cmocka_unit_test(a_plateau_begins_at_the_smallest_level_that_stays_within_the_margin_of_the_best),
        cmocka_unit_test(equivalence_needs_a_margin_wider_than_the_difference_and_its_spread),
        cmocka_unit_test(a_regression_finds_the_slope_on_self_check_accuracy),
        cmocka_unit_test(more_than_a_fifth_of_the_seeds_diverged_is_refused_and_less_is_told),
        cmocka_unit_test(seeds_that_are_not_finished_make_a_verdict_provisional),
        cmocka_unit_test(an_unbalanced_comparison_uses_the_common_seeds_and_says_so),
        cmocka_unit_test(pairs_of_different_numerics_are_flagged),
        cmocka_unit_test(one_seed_cannot_be_tested_and_few_seeds_are_told_what_they_cannot_show),
        cmocka_unit_test(results_of_other_settings_are_no_arm_of_a_claim),
        cmocka_unit_test(released_numbers_are_told_beside_the_claims_that_they_are_about),
        cmocka_unit_test(no_released_number_stands_beside_an_arm_that_is_another_model_or_training),
        cmocka_unit_test(claims_about_rounds_read_the_closed_loop_and_only_that_of_their_settings),
        cmocka_unit_test(verdicts_are_printed_within_100_columns_and_written_as_a_row_each),
        cmocka_unit_test(claims_of_a_job_that_ran_before_in_the_same_folder_do_not_go_under_in_silence),
        cmocka_unit_test(results_without_claims_have_no_verdicts_and_print_nothing),
    };
    return run_tests(tests, argc, argv);
}
