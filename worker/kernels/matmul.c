/* Row-major single-precision products by OpenBLAS, the only includer of cblas.h. */
#include "worker/kernels/matmul.h"

#include <cblas.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

void matmul_openblas(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                     const float *b, int ldb, float beta, float *c, int ldc) {
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, m, n,
                k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void matmul_use_one_thread(void) {
    openblas_set_num_threads(1);
}

Status matmul_prepare(Error *err) {
    enum { WORK_SPACE = (128 << 20) + 65536, SIDE = 64 }; /* a product that is too large for kernels without it */
    static bool prepared;
    static float a[SIDE * SIDE], c[SIDE * SIDE];
    if (prepared) return STATUS_OK;
    void *probe = mmap(NULL, WORK_SPACE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED)
        return error_set(err, STATUS_IO,
                         "this process cannot have the %d MiB of address space that OpenBLAS works in (%s): see ulimit "
                         "-v",
                         WORK_SPACE >> 20, strerror(errno));
    munmap(probe, WORK_SPACE);
    matmul_openblas(false, true, SIDE, SIDE, SIDE, 1, a, SIDE, a, SIDE, 0, c, SIDE);
    prepared = true;
    return STATUS_OK;
}

void matmul_library(char *text, size_t text_bytes) {
    char version[32] = "?"; /* the configuration opens with "OpenBLAS 0.3.21 " */
    sscanf(openblas_get_config(), "OpenBLAS %31s", version);
    snprintf(text, text_bytes, "OpenBLAS %s %s", version, openblas_get_corename());
}
