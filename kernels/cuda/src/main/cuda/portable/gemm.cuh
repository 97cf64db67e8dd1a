/* What a product of gemm.cu or gemm_narrow.cu is given, and how its sums leave. */
#pragma once
#include "../common/numbers.cuh"
#include "../common/ptx.cuh"
#include "../common/tiles.h"

namespace gemm {

struct Tile { int expert, first, rows, unused; };

struct Product {
    const bf16* a;
    const int* a_rows;                                        // row of A for each row, or null: the same
    const bf16* w;
    const bf16* z;
    const bf16* u;
    const void* bias;                                         // or null
    void* c;
    const int* c_rows;                                        // row of C for each row, or null: the same
    const Tile* tiles;
    const int* tile_count;
    const int* limit;                                         // or null
    long long w_stride, u_stride;                             // elements of one expert's W and U
    int rows, n, k, lda, ldc, rank;
    int bias_format, output, accumulate, limit_offset, column_blocks;
    float alpha;
};

enum Output : int { OUTPUT_FLOAT32 = 0, OUTPUT_BFLOAT16 = 1, OUTPUT_ROUNDED_FLOAT32 = 2 };

// Element `at` of C becomes a sum, or grows by it.
__device__ __forceinline__ void put(const Product& p, long long at, float sum) {
    if (p.output == OUTPUT_BFLOAT16) {
        bf16* const out = static_cast<bf16*>(p.c) + at;
        *out = __float2bfloat16_rn(p.accumulate ? __bfloat162float(*out) + sum : sum);
    } else {
        float* const out = static_cast<float*>(p.c) + at;
        const float value = p.output == OUTPUT_ROUNDED_FLOAT32 ? rounded(sum) : sum;
        *out = p.accumulate ? *out + value : value;
    }
}

}  // namespace gemm
