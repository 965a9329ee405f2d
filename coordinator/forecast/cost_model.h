/* How long work takes: its nominal operations (proto/wire/cost.h) over a rate that is learned while a run goes on.
 *
 * Work whose settings make it equally fast is one class of rate. The logarithm of a class's rate is taken as normal
 * about a line over the logarithm of the model's width, which classes of one kind share (the prior across classes);
 * single pieces of work as normal about their class. So a class with few observations borrows from the others, one with
 * many stands for itself. Pure: no clock, no files. */
#ifndef COORDINATOR_FORECAST_COST_MODEL_H
#define COORDINATOR_FORECAST_COST_MODEL_H

#include "proto/base/status.h"
#include "proto/wire/messages.h"

typedef struct CostModel CostModel;

Status cost_model_create(CostModel **out, Error *err);
void cost_model_free(CostModel *model);

/* The class of rate of a kind of work under these settings, added when it is new. */
Status cost_model_rate(CostModel *model, WorkKind kind, const TrainingSpec *spec, int *rate, Error *err);

/* Work of this class was seen to do flops nominal operations in seconds on one worker, which is the given share of a
 * piece of work: a part on the way, or all of it. What is not positive is passed over. */
void cost_model_observe(CostModel *model, int rate, double flops, double seconds, double share);
/* A whole piece of work has taken seconds for flops (which were observed): tells how much single pieces differ. */
void cost_model_completed(CostModel *model, int rate, double flops, double seconds);
/* The rate, operations a second, that is believed in as long as nothing was observed at all. */
void cost_model_assume(CostModel *model, double flops_per_s);
/* Anything was observed. */
bool cost_model_knows(const CostModel *model);

/* What is believed of a class: its rate is log-normal with this mean and deviation of the logarithm, and the rates of
 * single pieces of work are log-normal about it with deviation spread. rate NaN: nothing is known. */
typedef struct RateBelief {
    double rate; /* operations a second of one worker */
    double deviation, spread;
    double borrowed; /* share of the belief that comes from other classes, so that its error is one with theirs */
} RateBelief;
RateBelief cost_model_belief(CostModel *model, int rate);

/* Seconds that a piece of work takes on one worker: median, and the quantiles 0.1 and 0.9; NaN: nothing is known. */
typedef struct Forecast {
    double expected_s, lower_s, upper_s;
} Forecast;
Forecast cost_model_forecast(CostModel *model, int rate, double flops);
/* Deviations between the median and the quantile 0.9 of a normal distribution. */
#define QUANTILE_90 1.2815515655446004

#endif
