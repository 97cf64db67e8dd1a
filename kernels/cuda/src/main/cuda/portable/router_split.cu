/* A float32 matrix as a sum of three bf16 ones: each part is the nearest bf16 number to what the parts before it leave, and three times
 * eight bits are a float32 number's. Products of the parts with a bf16 operand are exact, so that their sums are the float32 matrix's.
 * Shapes    weight [n] f32   parts [3, n] bf16   rows [2] int32, zero before: set to `count` where part 1, or part 2, has a number but zero
 * Launch    grid ceil(n / FLAT_THREADS), block FLAT_THREADS: a thread a number      Bound by  memory bandwidth
 * Source    Henry, Tang and Heinecke 2019, Leveraging the bfloat16 artificial intelligence datatype      Twin  CudaRouter.java */
#include "../common/numbers.cuh"
#include "../common/tiles.h"

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
router_split(const float* weight, bf16* parts, int* rows, long long n, int count) {
    const long long i = static_cast<long long>(blockIdx.x) * FLAT_THREADS + threadIdx.x;
    if (i >= n) return;
    float left = weight[i];
#pragma unroll
    for (int part = 0; part < 3; part++) {
        const float nearest = rounded(left);
        parts[part * n + i] = __float2bfloat16_rn(nearest);
        left -= nearest;
        if (part < 2 && rounded(left) != 0.f) rows[part] = count;   // every thread that writes writes the same
    }
}
