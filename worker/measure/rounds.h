/* What is told of rounds of self-correction (worker/task/closed_loop.h). */
#ifndef WORKER_MEASURE_ROUNDS_H
#define WORKER_MEASURE_ROUNDS_H

#include "proto/wire/codec.h"
#include "worker/task/closed_loop.h"

/* Of answers (prompts->n, count, d) to prompts; the standard error is over prompts, that of the gain over each prompt's
 * own. self_check_accuracy is left NaN, initial_responses 0. Freed by round_curves_free. */
Status round_curves_of(const Prompts *prompts, int count, const float *answers, double right_cosine, RoundCurves *out,
                       Error *err);

#endif
