/* What the records of a folder teach a cost model: how fast its trainings and baselines were. */
#ifndef COORDINATOR_FORECAST_RATES_H
#define COORDINATOR_FORECAST_RATES_H

#include "coordinator/forecast/cost_model.h"

/* Reads the records of dir into costs, at most the first twenty thousand that tell a rate; *count is their number. A
 * dir that is not there or cannot be read teaches nothing, which is no failure: what is wrong with it is for others to
 * say. STATUS_NO_MEMORY. */
Status rates_learn(const char *dir, CostModel *costs, uint64_t *count, Error *err);

#endif
