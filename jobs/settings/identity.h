/* Names for work that do not depend on files, order or program version: hashes of canonical settings.
 *
 * Canonical text: "key=value\n" lines, keys sorted, numbers as the shortest text that reads back as the same double,
 * settings at their default left out (so that a later setting with a neutral default keeps old ids). The id is the
 * 128-bit XXH3 hash of that text. */
#ifndef JOBS_SETTINGS_IDENTITY_H
#define JOBS_SETTINGS_IDENTITY_H

#include "jobs/settings/settings.h"
#include "proto/wire/messages.h"

enum { CANONICAL_TEXT_BYTES = 2048 };

/* Canonical text of a training, as hashed. */
void training_canonical(const TrainingSpec *spec, char text[CANONICAL_TEXT_BYTES]);
Id training_id(const TrainingSpec *spec);
/* A training measured under a critic with a number of prompts. */
Id cell_id(Id training, const CriticSettings *critic, const EvaluationSettings *evaluation);
/* A baseline on the prompts of (task, seed) under a critic; gd's number of steps counts for gd only. */
Id baseline_id(const TaskSettings *task, uint32_t seed, const CriticSettings *critic,
               const EvaluationSettings *evaluation, Predictor predictor);

#endif
