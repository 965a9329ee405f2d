/* See prompts.h: what a critic of some quality makes of clean rewards, and how often it ranks two of them rightly. */
#include "worker/task/prompts.h"

#include <math.h>

static double criticise(const CriticSettings *critic, double reward, double decision, double replacement,
                        double deviation) {
    double corrupted = 1 - critic->quality;
    switch (critic->noise) {
    case CRITIC_REPLACE:
        return decision < corrupted ? replacement : reward;
    case CRITIC_FLIP:
        return decision < corrupted ? 1 - reward : reward;
    case CRITIC_GAUSSIAN:
        break;
    }
    return fmin(fmax(reward + deviation * corrupted, 0), 1);
}

void critic_apply(Prompts *prompts, const CriticSettings *critic, RngPurpose purpose, uint32_t seed, uint32_t step,
                  uint32_t first) {
    int N = prompts->N;
    float decision[N], replacement[N], deviation[N];
    for (int p = 0; p < prompts->n; p++) {
        RngStream stream = {.purpose = purpose, .seed = seed, .step = step, .unit = first + (uint32_t)p};
        rng_uniform(stream, CRITIC_DECISION, (uint32_t)N, decision);
        rng_uniform(stream, CRITIC_REPLACEMENT, (uint32_t)N, replacement);
        rng_normal(stream, CRITIC_DEVIATION, (uint32_t)N, deviation);
        for (int i = 0; i < N; i++) {
            size_t at = (size_t)p * N + i;
            double said = criticise(critic, prompts->rs[at], decision[i], replacement[i], deviation[i]);
            if (critic->feedback == FEEDBACK_BINARY) said = said > 0.5 ? 1 : 0;
            prompts->seen[at] = (float)said;
        }
    }
}

double critic_self_check_accuracy(const Prompts *prompts) {
    int N = prompts->N;
    double right = 0, pairs = 0;
    for (int p = 0; p < prompts->n; p++) {
        const float *r = prompts->rs + (size_t)p * N, *seen = prompts->seen + (size_t)p * N;
        for (int i = 0; i < N; i++)
            for (int j = i + 1; j < N; j++) {
                if (r[i] == r[j]) continue;
                pairs++;
                if (seen[i] == seen[j])
                    right += 0.5;
                else
                    right += (seen[i] > seen[j]) == (r[i] > r[j]);
            }
    }
    return right / pairs;
}
