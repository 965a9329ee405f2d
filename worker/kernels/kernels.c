/* Choice of a kernel path for this CPU, and the text that says which numerics a process computes with. */
#include "worker/kernels/kernels.h"

#include "worker/kernels/matmul.h"
#include "worker/kernels/paths.h"

#include <gnu/libc-version.h>
#include <stdio.h>
#include <string.h>

/* Raised whenever the same settings no longer give the same bits on the same CPU and libraries. */
enum { NUMERICS_VERSION = 2 };

const Kernels *kernels_at(int index) {
    const Kernels *usable[5];
    int count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (avx512) usable[count++] = &kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) usable[count++] = &kernels_avx2;
    if (avx512) usable[count++] = &kernels_avx512_openblas;
#endif
    usable[count++] = &kernels_portable;
    usable[count++] = &kernels_reference;
    return index >= 0 && index < count ? usable[index] : NULL;
}

Status kernels_select(const char *name, const Kernels **out, Error *err) {
    matmul_use_one_thread();
    if (!name || !*name) {
        *out = kernels_at(0);
        return STATUS_OK;
    }
    char known[128] = "";
    for (int i = 0; kernels_at(i); i++) {
        if (strcmp(kernels_at(i)->name, name) == 0) {
            *out = kernels_at(i);
            return STATUS_OK;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", kernels_at(i)->name);
    }
    return error_set(err, STATUS_USAGE, "kernels \"%s\": expected one of those that this CPU runs: %s", name, known);
}

Status kernels_prepare(const Kernels *kernels, Error *err) {
    return kernels->matmul == matmul_openblas ? matmul_prepare(err) : STATUS_OK;
}

const Kernels *kernels_with_precision(const Kernels *kernels, Precision precision) {
    if (precision == PRECISION_FLOAT32) return kernels;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (kernels == &kernels_avx512 && __builtin_cpu_supports("avx512bf16")) return &kernels_avx512bf16;
#endif
    return &kernels_reference_bf16;
}

void kernels_fingerprint(const Kernels *kernels, char *text, size_t text_bytes) {
    char library[96];
    matmul_library(library, sizeof library);
    snprintf(text, text_bytes, "numerics %d; kernels %s; %s; libm %s", NUMERICS_VERSION, kernels->name, library,
             gnu_get_libc_version());
}

size_t packed_floats(int k, int n) {
    return (size_t)k * round_up_to(n, WIDEST_LANES);
}

size_t attention_weights_floats(const AttentionShape *shape) {
    size_t queries = (size_t)round_up_to(attention_queries(shape), WIDEST_LANES);
    return (size_t)shape->n * shape->H * queries * round_up_to(shape->T, WIDEST_LANES);
}

size_t attention_workspace_floats(const AttentionShape *shape) {
    size_t tokens = (size_t)round_up_to(shape->T, WIDEST_LANES), width = (size_t)round_up_to(shape->D, WIDEST_LANES);
    return 8 * tokens * width + tokens * tokens;
}
