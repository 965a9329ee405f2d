/* Trained models as safetensors files with the peer's tensor names, and prompts beside them. */
#ifndef WORKER_FILES_MODEL_FILE_H
#define WORKER_FILES_MODEL_FILE_H

#include "worker/files/safetensors.h"
#include "worker/model/tensors.h"
#include "worker/task/prompts.h"

/* Configuration from __metadata__ (n_dims, n_points, n_embd, n_layer, n_head, ffn, attention, causal), absent entries
 * from the shapes where they tell them (n_head is not told by shapes: 3 when it divides n_embd is no guess to make, so
 * it is an error that names the key), attention softmax, causal true; then the parameters in the order of tensors.h
 * (malloc'd). Contradictions, missing tensors and wrong shapes are STATUS_DATA naming tensor and shapes; further
 * tensors are ignored. */
Status model_file_read(const char *path, ModelSettings *model, TaskSettings *task, float **parameters, Error *err);

Status model_file_write(const char *path, const ModelSettings *model, const TaskSettings *task, const float *parameters,
                        Error *err);

/* in.xs, in.ys (B, N, d), in.rs (B, N, 1) or (B, N), in.y_star (B, N, d; absent: zeros unless required), in.rs_seen
 * (as in.rs; absent: in.rs), into prompts of an arena created here. */
Status prompts_file_read(const SafeTensorsFile *file, const char *path, bool require_y_star, Arena *arena, Prompts *out,
                         Error *err);

/* in.xs, in.y_star (B, N, d) and in.initial_responses (B, n0, d; 1 <= n0 < N), the first n0 responses of the prompts;
 * later responses and all rewards are 0. Into prompts of an arena created here. */
Status closed_loop_file_read(const SafeTensorsFile *file, const char *path, Arena *arena, Prompts *out,
                             int *initial_responses, Error *err);

#endif
