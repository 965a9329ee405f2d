/* Measuring predictors on the evaluation prompts of a seed, under one critic after another.
 *
 * Prompts are drawn once, keyed by the seed alone: every model, baseline and critic is measured on the same ones. */
#ifndef WORKER_MEASURE_EVALUATE_H
#define WORKER_MEASURE_EVALUATE_H

#include "proto/wire/codec.h"
#include "worker/model/model.h"
#include "worker/task/prompts.h"

/* Predictions of a model for all prompts, from the rewards seen: pred (n, N, d), in calls of at most micro_batch
 * prompts (what the model was created for). */
void predict_all(Model *model, int micro_batch, const float *parameters, const Prompts *prompts, float *pred);

typedef struct Evaluation Evaluation;

/* Draws n_prompts evaluation prompts of (task, seed), under a clean critic until another is set. */
Status evaluation_create(const TaskSettings *task, uint32_t seed, int n_prompts, Evaluation **out, Error *err);
void evaluation_free(Evaluation *evaluation);

/* Prompts of a piece, but for a model's own; a whole number of the groups that predictors and caches take together. */
enum { EVALUATION_PIECE = 16 };
/* Called between pieces of what an evaluation_of_.. function does, with the share of it that is done: a long evaluation
 * shows that it lives. False: that function gives up, with STATUS_INCOMPLETE. */
typedef bool (*EvaluationPulse)(void *context, double share);
void evaluation_on_pulse(Evaluation *evaluation, EvaluationPulse pulse, void *context);

/* Puts a critic between prompts and predictors; returns its self-check accuracy on these prompts. */
double evaluation_set_critic(Evaluation *evaluation, const CriticSettings *critic);

/* Curves of a model (created for at least micro_batch prompts) and of a baseline under the critic set last; freed by
 * curves_free. gd_steps as in predictor_apply. */
Status evaluation_of_model(Evaluation *evaluation, Model *model, int micro_batch, const float *parameters, Curves *out,
                           Error *err);
Status evaluation_of_baseline(Evaluation *evaluation, Predictor predictor, int gd_steps, Curves *out, Error *err);

/* Draws the initial responses of settings->rounds rounds of correction (one at least) by models of a causal shape, with
 * room for all that they make: once, before evaluation_of_rounds. */
Status evaluation_prepare_rounds(Evaluation *evaluation, const Shape *shape, const EvaluationSettings *settings,
                                 Error *err);
/* A model's rounds of correction (worker/measure/rounds.h) under the critic set last; freed by round_curves_free. The
 * model's own number of prompts at once doesn't matter. */
Status evaluation_of_rounds(Evaluation *evaluation, Model *model, const float *parameters, RoundCurves *out,
                            Error *err);

#endif
