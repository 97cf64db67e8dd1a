/* AdamW over one flat arena: global norm of the gradients, clip, update, gradients back to zero, without a host synchronisation.
 *   norm_partial   partial sums of squares, one per block over an equal contiguous share
 *   norm_finish    norm [1]; control = {clip factor min(1, max_norm / (norm + 1e-6)), 1 if the norm is finite else 0}
 *   adamw          m = b1 m + (1-b1) g,  v = b2 v + (1-b2) g^2,  p -= lr wd p,  p -= step_size m / (sqrt(v) / sqrt_correction2 + epsilon)
 * The float32 parameter is kept in two halves: high = (bits + 0x8000) >> 16, the bf16 number that kernels multiply with, and the signed
 * 16-bit rest low = bits - (high << 16); nearest with ties away from zero, because ties to even could need one value more than low holds.
 * Shapes    gradients, m, v [n] f32   high [n] bf16   low [n] int16   partials [NORM_PARTIALS] f64   norm [1], control [2] f32
 * Requires  n >= 1      Accumulates sums of squares in fp64; updates in fp32
 * Launch    partial: grid NORM_PARTIALS; finish: one block of 32; adamw: grid ceil(n / FLAT_THREADS); block FLAT_THREADS
 * Bound by  memory bandwidth: 28 bytes read and written a parameter      Source  Loshchilov and Hutter 2019, algorithm 2      Twin  CudaOptimizer.java */
#include "../common/numbers.cuh"
#include "../common/tiles.h"

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
norm_partial(const float* gradients, long long n, double* partials) {
    const long long share = (n + NORM_PARTIALS - 1) / NORM_PARTIALS, begin = blockIdx.x * share, end = begin + share < n ? begin + share : n;
    double squares = 0.;
    for (long long i = begin + threadIdx.x; i < end; i += FLAT_THREADS) {
        squares += static_cast<double>(gradients[i]) * gradients[i];
    }
    squares = block_sum<FLAT_THREADS>(squares);
    if (threadIdx.x == 0) partials[blockIdx.x] = squares;
}

extern "C" __global__ void __launch_bounds__(32)
norm_finish(const double* partials, float max_norm, float* norm, float* control) {
    double squares = 0.;
    for (int i = threadIdx.x; i < NORM_PARTIALS; i += 32) squares += partials[i];
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) squares += __shfl_xor_sync(~0u, squares, distance);
    if (threadIdx.x != 0) return;
    const float total = static_cast<float>(sqrt(squares));
    *norm = total;
    control[0] = fminf(1.f, max_norm / (total + 1e-6f));
    control[1] = isfinite(total) ? 1.f : 0.f;
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
adamw(float* gradients, uint16_t* high, int16_t* low, float* m, float* v, const float* control, long long n, float beta1, float beta2, float epsilon,
      float decay, float step_size, float sqrt_correction2) {
    const long long i = static_cast<long long>(blockIdx.x) * FLAT_THREADS + threadIdx.x;
    if (i >= n) return;
    if (control[1] != 0.f) {
        const float g = gradients[i] * control[0];
        const float first = beta1 * m[i] + (1.f - beta1) * g, second = beta2 * v[i] + (1.f - beta2) * g * g;
        float p = __uint_as_float((static_cast<uint32_t>(high[i]) << 16) + static_cast<int32_t>(low[i]));
        p -= decay * p;
        p -= step_size * first / (sqrtf(second) / sqrt_correction2 + epsilon);
        const uint32_t bits = __float_as_uint(p), top = (bits + 0x8000u) >> 16;
        high[i] = static_cast<uint16_t>(top);
        low[i] = static_cast<int16_t>(bits - (top << 16));
        m[i] = first;
        v[i] = second;
    }
    gradients[i] = 0.f;
}
