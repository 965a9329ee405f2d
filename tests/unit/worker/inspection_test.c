/* Inspection: a model set by hand whose attention is known, and read-outs against the predictors they are compared
 * with. */
#include "tests/harness.h"
#include "worker/inspect/inspection.h"
#include "worker/measure/evaluate.h"

#include <math.h>
#include <stdlib.h>

enum { N = 9, D = 3, E = 8, I = 6, PROMPTS = 21, SEED = 4 };

static const Kernels *best_kernels(void) {
    const Kernels *kernels = NULL;
    assert_int_equal(kernels_select(NULL, &kernels, NULL), STATUS_OK);
    return kernels;
}

static InspectionSettings settings_of(int layers, int heads, Attention attention) {
    return (InspectionSettings){
        .model = {layers, heads, E, attention, true, true},
        .task = {.n_dims = D, .n_points = N},
        .critic = {.quality = 1},
        .seed = SEED,
        .prompts = PROMPTS,
        .examples = I,
    };
}

/* Parameters (malloc'd) that are all 0 but for LayerNorm's gains; list: malloc'd. */
static float *blank(const InspectionSettings *settings, Tensor **list, int *count) {
    Shape shape = shape_of(&settings->model, &settings->task);
    *count = tensors_count(&shape);
    *list = calloc((size_t)*count, sizeof **list);
    tensors_list(&shape, *list);
    float *parameters = calloc(tensors_parameters(&shape), sizeof *parameters);
    for (int i = 0; i < *count; i++)
        for (size_t k = 0; k < (*list)[i].size && (*list)[i].init == INIT_ONE; k++)
            parameters[(*list)[i].offset + k] = 1;
    return parameters;
}

static float *tensor(float *parameters, const Tensor *list, int count, TensorRole role) {
    for (int i = 0; i < count; i++)
        if (list[i].role == role) return parameters + list[i].offset;
    fail_msg("no tensor of role %d", role);
    return NULL;
}

static void inspect(const InspectionSettings *settings, const float *parameters, Inspection *out) {
    Error err;
    if (inspection_of(settings, best_kernels(), parameters, out, &err) != STATUS_OK) fail_msg("%s", err.text);
}

static void without_scores_attention_is_even_and_follows_no_reward(void **state) {
    InspectionSettings settings = settings_of(2, 2, ATTENTION_SOFTMAX);
    Tensor *list;
    int count;
    float *parameters = blank(&settings, &list, &count);
    Inspection inspection;
    inspect(&settings, parameters, &inspection);
    for (int k = 0; k < 4; k++) {
        const HeadInspection *head = &inspection.heads[k];
        assert_int_equal(head->mass[TOKEN_X].count, PROMPTS);
        assert_near(head->mass[TOKEN_X].mean, I / (3.0 * I + 1), 1e-12);
        assert_near(head->mass[TOKEN_Y].mean, I / (3.0 * I + 1), 1e-12);
        assert_near(head->mass[TOKEN_R].mean, I / (3.0 * I + 1), 1e-12);
        assert_near(head->mass[TOKEN_SELF].mean, 1 / (3.0 * I + 1), 1e-12);
        assert_near(head->mass[TOKEN_X].standard_error, 0, 1e-12);
        assert_int_equal(head->follows_reward[TOKEN_Y].count, 0);
        assert_true(isnan(head->follows_reward[TOKEN_R].mean));
    }
    inspection_free(&inspection);
    free(list);
    free(parameters);
}

/* The embedding of a reward token is (r, 5, 0, ..), of a response (y, 0, 5, 0, ..) with the first entry of the
 * response, of a query alike (x, 0, 0, 5, 0, ..). LayerNorm's first entry of a reward token grows with r: head 0 asks
 * for it, head 1 for its contrary. */
static float *reward_seeker(const InspectionSettings *settings, float asked) {
    Tensor *list;
    int count;
    float *parameters = blank(settings, &list, &count);
    tensor(parameters, list, count, READ_IN_WEIGHT)[0] = 1; /* (E, d): entry 0 of a token to entry 0 */
    float *positions = tensor(parameters, list, count, POSITIONS);
    for (int token = 0; token < 3 * N; token++)
        positions[token * E + (token % 3 == 2 ? 1 : token % 3 == 1 ? 2 : 3)] = 5;
    float *weight = tensor(parameters, list, count, C_ATTN_WEIGHT),
          *bias = tensor(parameters, list, count, C_ATTN_BIAS);
    bias[0] = asked;           /* queries: head 0's entry 0 */
    bias[E / 2] = -asked;      /* head 1's */
    weight[0 * 3 * E + E] = 1; /* keys: entry 0 of the stream to head 0's entry 0 */
    weight[0 * 3 * E + E + E / 2] = 1;
    free(list);
    return parameters;
}

static void a_head_that_asks_for_the_reward_is_seen_to_follow_it(void **state) {
    for (int linear = 0; linear <= 1; linear++) {
        InspectionSettings settings = settings_of(1, 2, (Attention)linear);
        float *parameters = reward_seeker(&settings, 3);
        Inspection inspection;
        inspect(&settings, parameters, &inspection);
        for (int h = 0; h < 2; h++) {
            const Estimate *of_r = &inspection.heads[h].follows_reward[TOKEN_R];
            assert_int_equal(of_r->count, PROMPTS);
            assert_near(of_r->mean, h == 0 ? 1 : -1, 0);
            assert_near(of_r->standard_error, 0, 0);
            assert_true(fabs(inspection.heads[h].follows_reward[TOKEN_Y].mean) < 0.999);
            double all = 0;
            for (int kind = 0; kind < TOKEN_KINDS; kind++)
                all += inspection.heads[h].mass[kind].mean;
            assert_near(all, 1, 1e-12);
        }
        inspection_free(&inspection);
        free(parameters);
    }
}

/* Keys see the kind of a token only: scores are s a for one kind and s b for the others, LayerNorm making a and b of
 * (5, 0, .., 0). */
static void mass_on_a_kind_of_token_is_what_the_scores_say(void **state) {
    InspectionSettings settings = settings_of(1, 1, ATTENTION_SOFTMAX);
    Tensor *list;
    int count;
    float *parameters = blank(&settings, &list, &count);
    float *positions = tensor(parameters, list, count, POSITIONS);
    for (int token = 0; token < 3 * N; token++)
        positions[token * E + token % 3] = 5;
    tensor(parameters, list, count, C_ATTN_BIAS)[0] = 2;
    tensor(parameters, list, count, C_ATTN_WEIGHT)[1 * 3 * E + E] = 1; /* entry 1 is large for responses */
    Inspection inspection;
    inspect(&settings, parameters, &inspection);
    double rstd = 1 / sqrt(25.0 / E - 25.0 / (E * E) + 1e-5);
    double of_y = exp(2 * (5 - 5.0 / E) * rstd / sqrt(E)), other = exp(2 * (-5.0 / E) * rstd / sqrt(E));
    double all = I * of_y + (2 * I + 1) * other;
    const HeadInspection *head = &inspection.heads[0];
    assert_near(head->mass[TOKEN_Y].mean, I * of_y / all, 1e-6);
    assert_near(head->mass[TOKEN_X].mean, I * other / all, 1e-6);
    assert_near(head->mass[TOKEN_R].mean, I * other / all, 1e-6);
    assert_near(head->mass[TOKEN_SELF].mean, other / all, 1e-6);
    inspection_free(&inspection);
    free(list);
    free(parameters);
}

/* The last layer's answers are what evaluate measures; so are gd and the mean. */
static void the_last_layer_and_the_targets_measure_as_evaluation_does(void **state) {
    InspectionSettings settings = settings_of(2, 2, ATTENTION_SOFTMAX);
    settings.critic = (CriticSettings){.quality = 0.7, .noise = CRITIC_FLIP};
    Shape shape = shape_of(&settings.model, &settings.task);
    float *parameters = calloc(tensors_parameters(&shape), sizeof *parameters);
    tensors_init(&shape, SEED, parameters);
    for (size_t k = 0; k < tensors_parameters(&shape); k++)
        if (parameters[k] != 1) parameters[k] *= 6;
    Inspection inspection;
    inspect(&settings, parameters, &inspection);
    Evaluation *evaluation;
    Model *model;
    Curves curves[3];
    assert_int_equal(evaluation_create(&settings.task, SEED, PROMPTS, &evaluation, NULL), STATUS_OK);
    evaluation_set_critic(evaluation, &settings.critic);
    assert_int_equal(model_create(&shape, best_kernels(), 4, false, &model, NULL), STATUS_OK);
    assert_int_equal(evaluation_of_model(evaluation, model, 4, parameters, &curves[0], NULL), STATUS_OK);
    assert_int_equal(evaluation_of_baseline(evaluation, PREDICTOR_GD, 50, &curves[1], NULL), STATUS_OK);
    assert_int_equal(evaluation_of_baseline(evaluation, PREDICTOR_MEAN, 0, &curves[2], NULL), STATUS_OK);
    const AnswerInspection *answers[3] = {&inspection.layers[2], &inspection.baseline[6],
                                          &inspection.baseline[TARGET_MEAN]};
    assert_int_equal(inspection_gd_steps[6], 50);
    for (int k = 0; k < 3; k++) {
        size_t nmse = curves_at(&curves[k], METRIC_NMSE, I), tau = curves_at(&curves[k], METRIC_KENDALL_TAU, I);
        assert_near(answers[k]->cosine[TARGET_ALIGNED].mean, 1 - curves[k].value[nmse], 1e-6);
        assert_near(answers[k]->cosine[TARGET_ALIGNED].standard_error, curves[k].standard_error[nmse], 1e-6);
        assert_near(answers[k]->kendall_tau.mean, curves[k].value[tau], 1e-2); /* a pair may swap by rounding */
        curves_free(&curves[k]);
    }
    for (int target = 0; target < TARGETS; target++)
        assert_near(inspection.baseline[target].cosine[target].mean, 1, 1e-6);
    model_free(model);
    evaluation_free(evaluation);
    inspection_free(&inspection);
    free(parameters);
}

static void prompts_after_others_are_measured_as_well(void **state) {
    InspectionSettings settings = settings_of(1, 2, ATTENTION_SOFTMAX);
    float *parameters = reward_seeker(&settings, 3);
    Inspection few, more;
    settings.prompts = 1;
    inspect(&settings, parameters, &few);
    assert_int_equal(few.layers[1].cosine[TARGET_MEAN].count, 1);
    assert_true(isnan(few.layers[1].kendall_tau.standard_error));
    settings.prompts = 20;
    inspect(&settings, parameters, &more);
    assert_int_equal(more.layers[1].cosine[TARGET_MEAN].count, 20);
    assert_true(more.heads[0].mass[TOKEN_R].standard_error > 0);
    inspection_free(&few);
    inspection_free(&more);
    free(parameters);
}

static void a_model_without_mask_looks_at_all_responses(void **state) {
    InspectionSettings settings = settings_of(1, 1, ATTENTION_SOFTMAX);
    settings.model.causal = false;
    Tensor *list;
    int count;
    float *parameters = blank(&settings, &list, &count);
    Inspection inspection;
    inspect(&settings, parameters, &inspection);
    assert_near(inspection.heads[0].mass[TOKEN_X].mean, (N - 1) / (3.0 * N), 1e-12);
    assert_near(inspection.heads[0].mass[TOKEN_R].mean, 1 / 3.0, 1e-12);
    assert_near(inspection.heads[0].mass[TOKEN_SELF].mean, 1 / (3.0 * N), 1e-12);
    inspection_free(&inspection);
    free(list);
    free(parameters);
}

static void the_nearest_target_is_the_first_of_equals_and_none_where_all_are_far(void **state) {
    AnswerInspection answer;
    for (int target = 0; target < TARGETS; target++)
        answer.cosine[target] = (Estimate){.count = 9, .mean = 0.1 * target, .standard_error = 0.01};
    answer.cosine[TARGET_ALIGNED].mean = 2; /* not among those that are compared */
    assert_int_equal(inspection_nearest(&answer), TARGET_CONTRAST);
    answer.cosine[4].mean = answer.cosine[TARGET_CONTRAST].mean - 0.009;
    assert_int_equal(inspection_nearest(&answer), 4);
    for (int target = 0; target < TARGET_ALIGNED; target++)
        answer.cosine[target].mean = 0.02;
    assert_int_equal(inspection_nearest(&answer), -1);
    for (int target = 0; target < TARGETS; target++)
        answer.cosine[target] = (Estimate){.mean = NAN, .standard_error = NAN};
    assert_int_equal(inspection_nearest(&answer), -1);
    answer.cosine[TARGET_MEAN] = (Estimate){.count = 2, .mean = 0.5, .standard_error = 0.01};
    assert_int_equal(inspection_nearest(&answer), TARGET_MEAN);
}

static void tau_b_counts_pairs_and_leaves_ties_out(void **state) {
    const double up[] = {1, 2, 3, 4}, down[] = {4, 3, 2, 1}, swapped[] = {1, 3, 2, 4}, tied[] = {1, 1, 2, 2},
                 same[] = {7, 7, 7, 7};
    assert_near(kendall_tau_b(4, up, up), 1, 1e-15);
    assert_near(kendall_tau_b(4, up, down), -1, 1e-15);
    assert_near(kendall_tau_b(4, up, swapped), 4.0 / 6, 1e-15);
    assert_near(kendall_tau_b(4, up, tied), 4 / sqrt(6 * 4), 1e-15);
    assert_true(isnan(kendall_tau_b(4, up, same)));
    assert_true(isnan(kendall_tau_b(1, up, up)));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_scores_attention_is_even_and_follows_no_reward),
        cmocka_unit_test(a_head_that_asks_for_the_reward_is_seen_to_follow_it),
        cmocka_unit_test(mass_on_a_kind_of_token_is_what_the_scores_say),
        cmocka_unit_test(the_last_layer_and_the_targets_measure_as_evaluation_does),
        cmocka_unit_test(prompts_after_others_are_measured_as_well),
        cmocka_unit_test(a_model_without_mask_looks_at_all_responses),
        cmocka_unit_test(the_nearest_target_is_the_first_of_equals_and_none_where_all_are_far),
        cmocka_unit_test(tau_b_counts_pairs_and_leaves_ties_out),
    };
    return run_tests(tests, argc, argv);
}
