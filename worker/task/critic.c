/* See prompts.h: what a critic of some quality makes of clean rewards, and how often it ranks two of them rightly. */
#include "worker/task/prompts.h"

#include <math.h>
#include <string.h>

enum { GROUP = 32 }; /* prompts drawn together */

/* seen (n, N) from clean rewards, for the n units from stream.unit on. */
static void criticise(const CriticSettings *critic, RngStream stream, int n, int N, const float *clean, float *seen) {
    const double corrupted = 1 - critic->quality;
    const int count = n * N;
    float drawn[count], replacement[count];
    if (critic->noise == CRITIC_GAUSSIAN) {
        rng_normal_units(stream, (uint32_t)n, CRITIC_DEVIATION, (uint32_t)N, drawn);
        for (int k = 0; k < count; k++)
            seen[k] = (float)fmin(fmax(clean[k] + drawn[k] * corrupted, 0), 1);
        return;
    }
    memcpy(seen, clean, (size_t)count * sizeof *seen);
    if (corrupted == 0) return;
    rng_uniform_units(stream, (uint32_t)n, CRITIC_DECISION, (uint32_t)N, drawn);
    if (critic->noise == CRITIC_REPLACE)
        rng_uniform_units(stream, (uint32_t)n, CRITIC_REPLACEMENT, (uint32_t)N, replacement);
    else
        for (int k = 0; k < count; k++)
            replacement[k] = (float)(1 - (double)clean[k]);
    for (int k = 0; k < count; k++)
        if (drawn[k] < corrupted) seen[k] = replacement[k];
}

void critic_apply(Prompts *prompts, const CriticSettings *critic, RngPurpose purpose, uint32_t seed, uint32_t step,
                  uint32_t first) {
    int N = prompts->N;
    for (int p = 0; p < prompts->n; p += GROUP) {
        int n = prompts->n - p < GROUP ? prompts->n - p : GROUP;
        RngStream stream = {.purpose = purpose, .seed = seed, .step = step, .unit = first + (uint32_t)p};
        float *seen = prompts->seen + (size_t)p * N;
        criticise(critic, stream, n, N, prompts->rs + (size_t)p * N, seen);
        for (int k = 0; k < n * N && critic->feedback == FEEDBACK_BINARY; k++)
            seen[k] = seen[k] > 0.5F ? 1 : 0;
    }
}

double critic_self_check_accuracy(const Prompts *prompts, int count) {
    int N = prompts->N;
    double right = 0, pairs = 0;
    for (int p = 0; p < prompts->n; p++) {
        const float *r = prompts->rs + (size_t)p * N, *seen = prompts->seen + (size_t)p * N;
        for (int i = 0; i < count; i++)
            for (int j = i + 1; j < count; j++) {
                if (!(r[i] < r[j] || r[i] > r[j])) continue; /* nor is a NaN ranked */
                pairs++;
                if (seen[i] == seen[j])
                    right += 0.5;
                else
                    right += (seen[i] > seen[j]) == (r[i] > r[j]);
            }
    }
    return right / pairs;
}
