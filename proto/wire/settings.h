/* The settings of an experiment as plain values: what a job file names, what a worker obeys.
 *
 * The table that names, bounds, defaults and documents every field is jobs/settings/settings.c; here is only their
 * shape. */
#ifndef PROTO_WIRE_SETTINGS_H
#define PROTO_WIRE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum Attention { ATTENTION_SOFTMAX = 0, ATTENTION_LINEAR = 1 } Attention;
typedef enum TaskNoise { TASK_NOISE_SHARED = 0, TASK_NOISE_INDEPENDENT = 1 } TaskNoise;
typedef enum Objective {
    OBJECTIVE_PLACKETT_LUCE = 0,
    OBJECTIVE_BRADLEY_TERRY = 1,
    OBJECTIVE_COSINE = 2,
    OBJECTIVE_MSE = 3
} Objective;
typedef enum TrainContext { CONTEXT_OFFLINE = 0, CONTEXT_ON_POLICY = 1, CONTEXT_MIXED = 2 } TrainContext;
typedef enum RateDecay { RATE_CONSTANT = 0, RATE_COSINE = 1 } RateDecay;
typedef enum Precision { PRECISION_FLOAT32 = 0, PRECISION_BF16 = 1 } Precision;
typedef enum CriticNoise { CRITIC_REPLACE = 0, CRITIC_FLIP = 1, CRITIC_GAUSSIAN = 2 } CriticNoise;
typedef enum CriticFeedback { FEEDBACK_SCALAR = 0, FEEDBACK_BINARY = 1 } CriticFeedback;

/* The transformer: design symbols L, H, E. */
typedef struct ModelSettings {
    int32_t n_layer, n_head, n_embd;
    Attention attention;
    bool ffn, causal;
} ModelSettings;

/* One alignment task: d, N. */
typedef struct TaskSettings {
    int32_t n_dims, n_points;
    TaskNoise noise;
} TaskSettings;

typedef struct TrainSettings {
    int64_t steps;
    int32_t batch_size;      /* B, prompts */
    int32_t gradient_shards; /* the batch's gradient is a fixed tree sum over this many shards */
    double learning_rate;
    Objective objective;
    TrainContext context;
    double critic_quality;  /* q under which contexts are criticised, 1: clean */
    double clip_norm;       /* 0: no clipping of the gradient's norm */
    int64_t warmup_steps;   /* linear warm-up, 0: none */
    RateDecay decay;        /* of the learning rate after the warm-up */
    Precision precision;    /* of the operands of the model's matrix products */
    double on_policy_share; /* of a batch's prompts that are rollouts, for CONTEXT_MIXED */
    double exploration;     /* largest length of the perturbation of a rollout's answers, of unit length themselves */
} TrainSettings;

/* A critic at evaluation. */
typedef struct CriticSettings {
    double quality; /* q in [0, 1] */
    CriticNoise noise;
    CriticFeedback feedback;
} CriticSettings;

/* What decides a trained model, and so its training_id. */
typedef struct TrainingSpec {
    ModelSettings model;
    TaskSettings task;
    TrainSettings train;
    uint32_t seed;
} TrainingSpec;

/* Predictors: the model and the baselines. The values are written to records: append, never renumber. */
typedef enum Predictor {
    PREDICTOR_MODEL = 0,
    PREDICTOR_GD = 1,
    PREDICTOR_MEAN = 2,
    PREDICTOR_BEST = 3,
    PREDICTOR_CONTRAST = 4,
    PREDICTOR_EXACT = 5,
    PREDICTOR_COUNT = 6
} Predictor;

/* Metrics as functions of the number of examples. */
typedef enum Metric { METRIC_NMSE = 0, METRIC_KENDALL_TAU = 1, METRIC_ALIGNMENT_LOSS = 2, METRIC_COUNT = 3 } Metric;

/* Metrics as functions of the round of correction t, from 0 to R. */
typedef enum RoundMetric {
    ROUND_NMSE = 0,           /* e_t = 1 - cos(o_t, y*) */
    ROUND_GAIN = 1,           /* e_0 - e_t */
    ROUND_IMPROVED = 2,       /* share of prompts with e_t < e_t-1; this and the following are undefined at 0 */
    ROUND_WORSENED = 3,       /* share with e_t > e_t-1 */
    ROUND_RIGHT_TO_WRONG = 4, /* share with o_t-1 right and o_t wrong; right: cos(o, y*) > right_cosine */
    ROUND_WRONG_TO_RIGHT = 5, /* share with o_t-1 wrong and o_t right */
    ROUND_METRIC_COUNT = 6
} RoundMetric;

enum { GD_STEPS_RELEASED = 0 }; /* the released noisy study's int(50 - 25 p) */

/* How trained models are measured; the critics are listed apart. */
typedef struct EvaluationSettings {
    int32_t prompts;
    int32_t gd_steps;          /* Adam steps of the gd baseline, or GD_STEPS_RELEASED */
    uint32_t baselines;        /* bit 1u << predictor for every baseline wanted */
    int32_t rounds;            /* R of closed-loop correction, 0: none */
    int32_t initial_responses; /* n0 that a closed loop begins with */
    double right_cosine;       /* an answer whose cosine to the target is above counts as right */
} EvaluationSettings;

/* The names that job files, records, tables and options use ("softmax", "plackett_luce", "gd", "kendall_tau", ..);
 * "?" for a value outside the enumeration. *_from_name returns -1 for an unknown name. */
const char *attention_name(Attention value);
const char *task_noise_name(TaskNoise value);
const char *objective_name(Objective value);
const char *train_context_name(TrainContext value);
const char *rate_decay_name(RateDecay value);
const char *precision_name(Precision value);
const char *critic_noise_name(CriticNoise value);
const char *critic_feedback_name(CriticFeedback value);
const char *predictor_name(Predictor value);
const char *metric_name(Metric value);
const char *round_metric_name(RoundMetric metric);
int predictor_from_name(const char *name);
int objective_from_name(const char *name);
int attention_from_name(const char *name);

#endif
