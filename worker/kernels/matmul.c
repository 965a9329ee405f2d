/* Row-major single-precision products by OpenBLAS, the only includer of cblas.h. */
#include "worker/kernels/matmul.h"

#include <cblas.h>
#include <stdio.h>

void matmul_openblas(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                     const float *b, int ldb, float beta, float *c, int ldc) {
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, m, n,
                k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void matmul_use_one_thread(void) {
    openblas_set_num_threads(1);
}

void matmul_library(char *text, size_t text_bytes) {
    char version[32] = "?"; /* the configuration opens with "OpenBLAS 0.3.21 " */
    sscanf(openblas_get_config(), "OpenBLAS %31s", version);
    snprintf(text, text_bytes, "OpenBLAS %s %s", version, openblas_get_corename());
}
