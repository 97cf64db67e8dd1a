/* The products of a router whose weight is float32, for families that compute its logits in float32.
 *   route_logits     logits[t, e] = bias[e] + sum over h of x[t, h] W[e, h]
 *   route_gradient   dx[t, h] (+)= sum over e of d_logits[t, e] W[e, h]
 * Shapes    x, dx [tokens, hidden] bf16   W [experts, hidden] f32   bias [experts] f32 | bf16 | f16, or null   logits, d_logits [tokens, experts] f32
 * Accumulates fp32, in ascending order      Launch  grid (ceil(tokens / ROUTER_TILE), ceil(columns / ROUTER_TILE)), block ROUTER_THREADS
 * Bound by  fp32 arithmetic      Source  transformers Glm4MoeTopkRouter, Ernie4_5_MoeTopKRouter      Twin  CudaRouter.java */
#include "../common/numbers.cuh"
#include "../common/tiles.h"

namespace router_products {

constexpr int DEPTH = 16, ROW = ROUTER_TILE + 4, LOADS = ROUTER_TILE * DEPTH / ROUTER_THREADS;
static_assert(ROUTER_TILE == 64 && ROUTER_THREADS == 256, "a thread sums 4 x 4 numbers");

__device__ __forceinline__ float widened(float x) { return x; }
__device__ __forceinline__ float widened(bf16 x) { return __bfloat162float(x); }

// Calls f(row, column, sum over k of a[row, k] W(k, column)) for this thread's numbers. W is [n, k], or [k, n] where TRANSPOSED.
template <bool TRANSPOSED, typename T, typename F>
__device__ __forceinline__ void multiply(const T* a, const float* w, int rows, int n, int k, F f) {
    __shared__ __align__(16) float as[DEPTH][ROW];
    __shared__ __align__(16) float ws[DEPTH][ROW];
    const int t = threadIdx.x, row0 = blockIdx.x * ROUTER_TILE, column0 = blockIdx.y * ROUTER_TILE, r4 = t / 16 * 4, c4 = t % 16 * 4;
    float acc[4][4] = {};
    for (int k0 = 0; k0 < k; k0 += DEPTH) {
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            const int at = t + i * ROUTER_THREADS, j = k0 + at % DEPTH, row = row0 + at / DEPTH;
            as[at % DEPTH][at / DEPTH] = row < rows && j < k ? widened(a[static_cast<long long>(row) * k + j]) : 0.f;
            if constexpr (TRANSPOSED) {
                const int depth = at / ROUTER_TILE, column = column0 + at % ROUTER_TILE;
                ws[depth][at % ROUTER_TILE] = k0 + depth < k && column < n ? w[static_cast<long long>(k0 + depth) * n + column] : 0.f;
            } else {
                const int column = column0 + at / DEPTH;
                ws[at % DEPTH][at / DEPTH] = column < n && j < k ? w[static_cast<long long>(column) * k + j] : 0.f;
            }
        }
        __syncthreads();
#pragma unroll
        for (int d = 0; d < DEPTH; d++) {
            const float4 x = *reinterpret_cast<const float4*>(&as[d][r4]), y = *reinterpret_cast<const float4*>(&ws[d][c4]);
            const float left[4] = {x.x, x.y, x.z, x.w}, right[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
            for (int r = 0; r < 4; r++)
#pragma unroll
                for (int c = 0; c < 4; c++) acc[r][c] = fmaf(left[r], right[c], acc[r][c]);
        }
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < 4; r++)
#pragma unroll
        for (int c = 0; c < 4; c++)
            if (row0 + r4 + r < rows && column0 + c4 + c < n) f(row0 + r4 + r, column0 + c4 + c, acc[r][c]);
}

}  // namespace router_products

extern "C" __global__ void __launch_bounds__(ROUTER_THREADS)
route_logits(const bf16* x, const float* weight, const void* bias, int bias_format, float* logits, int tokens, int experts, int hidden) {
    router_products::multiply<false>(x, weight, tokens, experts, hidden, [=](int token, int expert, float sum) {
        logits[static_cast<long long>(token) * experts + expert] = sum + (bias == nullptr ? 0.f : load_as_float(bias, bias_format, expert));
    });
}

extern "C" __global__ void __launch_bounds__(ROUTER_THREADS)
route_gradient(const float* d_logits, const float* weight, bf16* dx, int tokens, int experts, int hidden, int accumulate) {
    router_products::multiply<true>(d_logits, weight, tokens, hidden, experts, [=](int token, int column, float sum) {
        bf16* to = dx + static_cast<long long>(token) * hidden + column;
        *to = __float2bfloat16_rn(accumulate ? __bfloat162float(*to) + sum : sum);
    });
}
