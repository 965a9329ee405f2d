/* What a changed job adds and drops, in words and in numbers. */
#include "jobs/job/job_difference.h"

#include "tests/harness.h"

static const char base[] = "name: base\nmodel: {n_layer: [2, 4], n_head: 2, n_embd: 8}\n"
                           "evaluate: {critique_quality: [1, 0.5]}\nseeds: {first: 0, count: 2}\n";

static Job *parse(const char *text) {
    Job *job;
    Error err;
    if (job_parse("j", text, NULL, 0, &job, &err) != STATUS_OK) fail_msg("%s", err.text);
    return job;
}

/* Compares base with the same job under an override. */
static JobDifference changed_by(const char *override) {
    const char *const overrides[] = {override};
    Job *before = parse(base), *after;
    JobDifference difference;
    Error err;
    if (job_parse("j", base, overrides, 1, &after, &err) != STATUS_OK) fail_msg("%s", err.text);
    assert_int_equal(job_difference(before, after, &difference, &err), STATUS_OK);
    job_free(before);
    job_free(after);
    return difference;
}

static JobDifference between(const char *old, const char *new) {
    Job *before = parse(old), *after = parse(new);
    JobDifference difference;
    Error err;
    assert_int_equal(job_difference(before, after, &difference, &err), STATUS_OK);
    job_free(before);
    job_free(after);
    return difference;
}

static void values_added_and_dropped_are_listed_with_their_trainings(void **state) {
    JobDifference difference = changed_by("model.n_layer=4,8,16");
    assert_string_equal(difference.text, "model.n_layer: 2, 4 -> 4, 8, 16; 4 trainings added, 2 no longer asked for");
    assert_int_equal(difference.trainings_added, 4);
    assert_int_equal(difference.trainings_dropped, 2);
    difference = changed_by("model.n_layer=4");
    assert_string_equal(difference.text, "model.n_layer: 2, 4 -> 4; 2 trainings no longer asked for");
    difference = changed_by("train.steps=77");
    assert_string_equal(difference.text, "train.steps: 3000 -> 77; 4 trainings added, 4 no longer asked for");
}

static void seeds_are_a_range_or_a_list(void **state) {
    assert_string_equal(changed_by("seeds.count=12").text, "seeds: 0, 1 -> 0 to 11; 20 trainings added");
    assert_string_equal(changed_by("seeds=[1]").text, "seeds: 0, 1 -> 1; 2 trainings no longer asked for");
    assert_string_equal(changed_by("seeds=[0, 1]").text, ""); /* the same seeds, written otherwise */
}

static void what_is_only_evaluated_changes_no_training(void **state) {
    assert_string_equal(changed_by("evaluate.critique_quality=1,0.5,0").text,
                        "evaluate.critique_quality: 1, 0.5 -> 1, 0.5, 0; the same trainings");
    assert_string_equal(changed_by("evaluate.baselines=[gd]").text,
                        "evaluate.baselines: [gd, mean, best, contrast, exact] -> [gd]; the same trainings");
}

static void names_claims_and_order_of_keys_are_no_difference(void **state) {
    assert_string_equal(between("name: a\nmodel: {n_layer: 2, n_head: 2, n_embd: 8}\nseeds: 3\n",
                                "name: b\nseeds: {first: 3, count: 1}\nmodel: {n_embd: 8, n_head: 2, n_layer: 2}\n"
                                "claims: [{id: c, test: difference, metric: nmse, a: {predictor: gd},\n"
                                "  b: {predictor: mean}, where: {critique_quality: 1}}]\n")
                            .text,
                        "");
}

static void links_and_exclusions_are_told(void **state) {
    JobDifference difference = between("model: {n_layer: [2, 4], n_head: 2, n_embd: 8}",
                                       "model: {n_layer: [2, 4], n_head: 2, n_embd: 8}\nexclude: [{model.n_layer: 4}]");
    assert_string_equal(difference.text, "exclude: 0 -> 1 mappings; 1 training no longer asked for");
    difference = between("model: {n_layer: [2, 4], n_embd: [8, 16], n_head: 2}",
                         "model: {n_head: 2}\nzip: [{model.n_layer: 2, model.n_embd: 8}, {model.n_layer: 4, "
                         "model.n_embd: 16}]");
    assert_string_equal(difference.text, "zip links other settings; 2 trainings no longer asked for");
}

static void long_lists_are_cut(void **state) {
    JobDifference difference = changed_by("seeds=[5, 9, 2, 7, 1, 3, 4, 8, 6, 11, 10, 40]");
    assert_non_null(strstr(difference.text, "seeds: 0, 1 -> 5, 9, 2, 7, 1, 3, 4, .., 40; "));
    char override[2048] = "train.steps=1";
    for (int i = 2; i < 300; i++)
        snprintf(override + strlen(override), sizeof override - strlen(override), ",%d", i);
    assert_non_null(strstr(changed_by(override).text, "train.steps: 3000 -> 1, 2, 3, 4, 5, 6, 7, .., 299; 1196 "));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_added_and_dropped_are_listed_with_their_trainings),
        cmocka_unit_test(seeds_are_a_range_or_a_list),
        cmocka_unit_test(what_is_only_evaluated_changes_no_training),
        cmocka_unit_test(names_claims_and_order_of_keys_are_no_difference),
        cmocka_unit_test(links_and_exclusions_are_told),
        cmocka_unit_test(long_lists_are_cut),
    };
    return run_tests(tests, argc, argv);
}
