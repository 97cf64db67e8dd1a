/* AdamW over one flat arena: global norm of the gradients, clip, update, gradients back to zero, without a host synchronisation.
 *   norm_partial   partial sums of squares, one per block over an equal contiguous share
 *   norm_finish    norm [1]; control = {clip factor min(1, max_norm / (norm + 1e-6)), 1 if the norm is finite else 0}
 *   adamw          the step of adamw.cuh, with gradients and moments in float32
 * Shapes    gradients [n] f32 (norm: or bf16)   m, v [n] f32   high [n] bf16   low [n] int16   partials [NORM_PARTIALS] f64   norm [1],
 *           control [2] f32
 * Requires  n a multiple of OPTIMIZER_BLOCK; beyond the parameters there are zeros, which stay zeros
 * Accumulates sums of squares in fp64; updates in fp32
 * Launch    partial: grid NORM_PARTIALS; finish: one block of 32; adamw: a warp for OPTIMIZER_BLOCK parameters, block FLAT_THREADS
 * Bound by  memory bandwidth: 4 bytes (bf16: 2) read a parameter for the norm, 16 read and 16 written for the update      Twin  CudaOptimizer.java */
#include "../common/tiles.h"
#include "adamw.cuh"

namespace optimizer {

// Squares of the 16 bytes at a place.
__device__ __forceinline__ double squares(const float* at) {
    const float4 x = *reinterpret_cast<const float4*>(at);
    return static_cast<double>(x.x) * x.x + static_cast<double>(x.y) * x.y + static_cast<double>(x.z) * x.z + static_cast<double>(x.w) * x.w;
}
__device__ __forceinline__ double squares(const bf16* at) {
    const Eight x = Eight::load(at);
    double sum = 0.;
#pragma unroll
    for (int j = 0; j < 8; j++) sum += static_cast<double>(x.v[j]) * x.v[j];
    return sum;
}

template <typename T>
__device__ __forceinline__ double squares(const T* gradients, long long begin, long long end) {
    constexpr int WIDTH = 16 / sizeof(T);
    double sum = 0.;
#pragma unroll 4
    for (long long i = begin + threadIdx.x * WIDTH; i < end; i += FLAT_THREADS * WIDTH) sum += squares(gradients + i);
    return sum;
}

}  // namespace optimizer

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
norm_partial(const void* gradients, int format, long long n, double* partials) {
    const long long blocks = n / OPTIMIZER_BLOCK, share = (blocks + NORM_PARTIALS - 1) / NORM_PARTIALS * OPTIMIZER_BLOCK;
    const long long begin = blockIdx.x * share, end = begin + share < n ? begin + share : n;
    double sum = format == FLOAT32 ? optimizer::squares(static_cast<const float*>(gradients), begin, end)
                                   : optimizer::squares(static_cast<const bf16*>(gradients), begin, end);
    sum = block_sum<FLAT_THREADS>(sum);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(32)
norm_finish(const double* partials, float max_norm, float* norm, float* control) {
    double squares = 0.;
    for (int i = threadIdx.x; i < NORM_PARTIALS; i += 32) squares += partials[i];
    squares = warp_sum(squares);
    if (threadIdx.x != 0) return;
    const float total = static_cast<float>(sqrt(squares));
    *norm = total;
    control[0] = fminf(1.f, max_norm / (total + 1e-6f));
    control[1] = isfinite(total) ? 1.f : 0.f;
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
adamw(float4* __restrict__ gradients, uint2* __restrict__ high, uint2* __restrict__ low, float4* __restrict__ m, float4* __restrict__ v,
      const float* __restrict__ control, long long n, adamw_step::Rule rule) {
    constexpr int PARTS = OPTIMIZER_BLOCK / 32 / 4;           // a warp's stretches of four parameters a lane
    const long long block = (static_cast<long long>(blockIdx.x) * FLAT_THREADS + threadIdx.x) / 32;
    if (block >= n / OPTIMIZER_BLOCK) return;
    const long long first = block * (OPTIMIZER_BLOCK / 4) + threadIdx.x % 32;
    if (control[1] != 0.f) {
        const float clip = control[0];
        float4 gs[PARTS], ms[PARTS], vs[PARTS];
        uint2 highs[PARTS], lows[PARTS];
#pragma unroll
        for (int i = 0; i < PARTS; i++) {
            gs[i] = gradients[first + i * 32], ms[i] = m[first + i * 32], vs[i] = v[first + i * 32];
            highs[i] = high[first + i * 32], lows[i] = low[first + i * 32];
        }
#pragma unroll
        for (int i = 0; i < PARTS; i++) {
            using namespace adamw_step;
            const float a = move(rule, first_of(highs[i].x, lows[i].x), gs[i].x * clip, ms[i].x, vs[i].x);
            const float b = move(rule, second_of(highs[i].x, lows[i].x), gs[i].y * clip, ms[i].y, vs[i].y);
            const float c = move(rule, first_of(highs[i].y, lows[i].y), gs[i].z * clip, ms[i].z, vs[i].z);
            const float d = move(rule, second_of(highs[i].y, lows[i].y), gs[i].w * clip, ms[i].w, vs[i].w);
            split(a, b, highs[i].x, lows[i].x);
            split(c, d, highs[i].y, lows[i].y);
            high[first + i * 32] = highs[i], low[first + i * 32] = lows[i];
            m[first + i * 32] = ms[i], v[first + i * 32] = vs[i];
        }
    }
#pragma unroll
    for (int i = 0; i < PARTS; i++) gradients[first + i * 32] = make_float4(0.f, 0.f, 0.f, 0.f);
}
