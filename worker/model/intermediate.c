/* See intermediate.h. */
#include "worker/model/intermediate.h"

#include "worker/model/workspace.h"

#include <assert.h>
#include <math.h>
#include <string.h>

int model_tokens(const Model *model) {
    return model->T;
}

/* Scores to weights, in place. */
static void softmax(int count, double *score) {
    double largest = score[0], sum = 0;
    for (int u = 1; u < count; u++)
        largest = score[u] > largest ? score[u] : largest;
    for (int u = 0; u < count; u++)
        sum += score[u] = exp(score[u] - largest);
    for (int u = 0; u < count; u++)
        score[u] /= sum;
}

void model_attention_at(const Model *model, int layer, int prompt, int position, double *weights) {
    const Shape *shape = &model->shape;
    int T = model->T, E = shape->E, D = shape->D, token = 3 * position, seen = shape->causal ? token + 1 : T;
    assert(model->training && prompt < model->n && token < T);
    const float *of_prompt = model->blocks[layer].qkv + (size_t)prompt * T * 3 * E;
    memset(weights, 0, (size_t)shape->H * T * sizeof *weights);
    for (int h = 0; h < shape->H; h++, weights += T) {
        const float *query = of_prompt + (size_t)token * 3 * E + h * D;
        for (int u = 0; u < seen; u++) {
            const float *key = of_prompt + ((size_t)u * 3 + 1) * E + h * D;
            for (int c = 0; c < D; c++)
                weights[u] += (double)query[c] * key[c];
            weights[u] /= sqrt(D);
        }
        if (shape->attention == ATTENTION_SOFTMAX) softmax(seen, weights);
    }
}

void model_read_out_after(Model *model, int layers, float *pred) {
    const Shape *shape = &model->shape;
    size_t E = (size_t)shape->E, reads = (size_t)model->n * shape->N;
    assert(model->training && layers >= 0 && layers <= shape->L);
    float *last = model->last;
    if (layers < shape->L) {
        last = model->d_reads; /* (n N, E), not in use without a backward pass */
        for (size_t read = 0; read < reads; read++) {
            size_t row = read / shape->N * model->T + 3 * (read % shape->N);
            memcpy(last + read * E, model->blocks[layers].input + row * E, E * sizeof *last);
        }
    }
    forward_read_out(model, (int)reads, last, model->normed, model->stats_f, pred);
}
