/* See settings.h. The arrays are the only list of these names. */
#include "proto/wire/settings.h"

#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static const char *const attention_names[] = {"softmax", "linear"};
static const char *const task_noise_names[] = {"shared", "independent"};
static const char *const objective_names[] = {"plackett_luce", "bradley_terry", "cosine", "mse"};
static const char *const train_context_names[] = {"offline", "on_policy", "mixed"};
static const char *const rate_decay_names[] = {"constant", "cosine"};
static const char *const precision_names[] = {"float32", "bf16"};
static const char *const critic_noise_names[] = {"replace", "flip", "gaussian"};
static const char *const critic_feedback_names[] = {"scalar", "binary"};
static const char *const predictor_names[] = {"model", "gd", "mean", "best", "contrast", "exact"};
static const char *const metric_names[] = {"nmse", "kendall_tau", "alignment_loss"};
static const char *const round_metric_names[] = {"nmse",     "gain",           "improved",
                                                 "worsened", "right_to_wrong", "wrong_to_right"};

static const char *name_of(const char *const *names, int count, int value) {
    return value >= 0 && value < count ? names[value] : "?";
}

static int value_of(const char *const *names, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

#define NAME_FUNCTION(Type, stem)                                                                                      \
    const char *stem##_name(Type value) {                                                                              \
        return name_of(stem##_names, COUNT(stem##_names), (int)value);                                                 \
    }
NAME_FUNCTION(Attention, attention)
NAME_FUNCTION(TaskNoise, task_noise)
NAME_FUNCTION(Objective, objective)
NAME_FUNCTION(TrainContext, train_context)
NAME_FUNCTION(RateDecay, rate_decay)
NAME_FUNCTION(Precision, precision)
NAME_FUNCTION(CriticNoise, critic_noise)
NAME_FUNCTION(CriticFeedback, critic_feedback)
NAME_FUNCTION(Predictor, predictor)
NAME_FUNCTION(Metric, metric)
NAME_FUNCTION(RoundMetric, round_metric)

int predictor_from_name(const char *name) {
    return value_of(predictor_names, COUNT(predictor_names), name);
}
int objective_from_name(const char *name) {
    return value_of(objective_names, COUNT(objective_names), name);
}
int attention_from_name(const char *name) {
    return value_of(attention_names, COUNT(attention_names), name);
}
