/* What a trained model has learned to do, told by the token that makes a prediction: where its attention goes in every
 * layer and head, whether that follows the rewards, and what its residual stream would answer after every layer.
 *
 * Everything is a mean over prompts, the evaluation prompts of a seed, at one number of examples i: of the prediction
 * made at x_i from responses 0 .. i-1. A model without causal mask sees all n_points of them, and so do the means. */
#ifndef WORKER_INSPECT_INSPECTION_H
#define WORKER_INSPECT_INSPECTION_H

#include "worker/model/model.h"
#include "worker/task/prompts.h"

/* Mean over the prompts for which the value is defined; NaN of none, and the standard error of fewer than two. */
typedef struct Estimate {
    int count;
    double mean, standard_error;
} Estimate;

/* Tokens by what they hold; the query itself, x_i, is of its own kind. */
typedef enum TokenKind { TOKEN_X, TOKEN_Y, TOKEN_R, TOKEN_SELF, TOKEN_KINDS } TokenKind;

/* One layer and head. */
typedef struct HeadInspection {
    Estimate mass[TOKEN_KINDS]; /* share of the attention; of linear attention's absolute weights */
    /* Kendall's tau-b over the responses seen, between the rewards as the model sees them and the (signed) attention on
     * their tokens: TOKEN_Y and TOKEN_R are used. Undefined for a prompt whose rewards or whose weights are all equal.
     */
    Estimate follows_reward[TOKEN_KINDS];
} HeadInspection;

/* What an answer is compared with: gd after so many steps (inspection_gd_steps), the mean of the responses, their
 * contrast, the aligned answer. */
enum { INSPECTION_GD = 8 };
typedef enum Target {
    TARGET_GD = 0, /* the first of INSPECTION_GD */
    TARGET_MEAN = INSPECTION_GD,
    TARGET_CONTRAST,
    TARGET_ALIGNED,
    TARGETS
} Target;

/* Adam steps of the gd targets, growing: 0, 1, 2, 5, .. */
extern const int inspection_gd_steps[INSPECTION_GD];

/* An answer: of the residual stream after some layers, or of a target. */
typedef struct AnswerInspection {
    Estimate cosine[TARGETS];
    Estimate kendall_tau; /* of its cosines to the responses and their clean rewards, as the metric */
} AnswerInspection;

typedef struct InspectionSettings {
    ModelSettings model;
    TaskSettings task;
    CriticSettings critic;
    uint32_t seed; /* of the prompts and of gd's start */
    int prompts;
    int examples; /* i, from 2 to n_points - 1 */
} InspectionSettings;

typedef struct Inspection {
    InspectionSettings settings;
    HeadInspection *heads;      /* (n_layer, n_head) */
    AnswerInspection *layers;   /* (n_layer + 1), [k] after k layers */
    AnswerInspection *baseline; /* (TARGETS) of the targets themselves */
} Inspection;

/* Looks into a model of these settings with these parameters. Freed by inspection_free. */
Status inspection_of(const InspectionSettings *settings, const Kernels *kernels, const float *parameters,
                     Inspection *out, Error *err);
void inspection_free(Inspection *inspection);

/* The target, the aligned answer left out, whose cosine with an answer is largest; of those within a standard error of
 * the largest the first, so of equal ones the fewest steps of gd. -1: the largest is not clearly (by three standard
 * errors) above 0. */
int inspection_nearest(const AnswerInspection *answer);

/* "x", "y", "r", "itself"; "gd 50", "mean", "contrast", "y*". */
const char *token_kind_name(TokenKind kind);
const char *target_name(Target target, char text[16]);

/* Kendall's tau-b of two rows of n numbers; NaN where one has equal ones only. */
double kendall_tau_b(int n, const double *a, const double *b);

#endif
