/* See json_output.h. */
#include "cli/shared/json_output.h"

#include "proto/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

Status json_output(json_t *value, size_t flags, Error *err) {
    char *text = value != NULL ? json_dumps(value, flags) : NULL;
    json_decref(value);
    if (text == NULL)
        return error_set(err, STATUS_NO_MEMORY,
                         "no JSON can be made of the result: no memory, or a text in it is not UTF-8");
    puts(text);
    free(text);
    return STATUS_OK;
}

json_t *text_json(const char *text) {
    json_t *value = json_string(text);
    return value != NULL ? value : json_string(TEXT_SHOWN(text));
}

json_t *number_or_null(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *model_settings_json(const ModelSettings *model, const TaskSettings *task) {
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:b, s:s, s:b}", "n_dims", (int)task->n_dims, "n_points",
                     (int)task->n_points, "n_embd", (int)model->n_embd, "n_layer", (int)model->n_layer, "n_head",
                     (int)model->n_head, "ffn", (int)model->ffn, "attention", attention_name(model->attention),
                     "causal", (int)model->causal);
}
