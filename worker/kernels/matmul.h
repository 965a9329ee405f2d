/* Matrix products and what makes them: the only place that knows OpenBLAS. */
#ifndef WORKER_KERNELS_MATMUL_H
#define WORKER_KERNELS_MATMUL_H

#include "proto/base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* As Kernels.matmul. */
void matmul_openblas(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                     const float *b, int ldb, float beta, float *c, int ldc);

/* One thread from now on: processes, not threads, share the cores. */
void matmul_use_one_thread(void);

/* Has OpenBLAS take the work space that its first product takes, for as long as this process lives. STATUS_IO where it
 * is not to be had: OpenBLAS itself would try again for ever. */
Status matmul_prepare(Error *err);

/* "OpenBLAS 0.3.21 SkylakeX": version, and the kernels that it chose for this CPU. */
void matmul_library(char *text, size_t text_bytes);

#endif
