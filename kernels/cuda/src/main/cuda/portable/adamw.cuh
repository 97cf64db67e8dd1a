/* One parameter's step, for every form that its state is kept in.
 *   m += mean_share (g - m),  v = b2 v + variance_share g^2,  p -= decay p,  p -= step_size m / (sqrt(v) inverse_root + epsilon)
 * The float32 parameter is kept in two halves: high = (bits + 0x8000) >> 16, the bf16 number that kernels multiply with, and the signed
 * 16-bit rest low = bits - (high << 16); nearest with ties away from zero, because ties to even could need one value more than low holds.
 * Root, its inverse and division are the device's fast ones, within 2 units in the last place; subnormal squares are as good as 0.
 * Source  Loshchilov and Hutter 2019, algorithm 2 */
#pragma once
#include "../common/numbers.cuh"

namespace adamw_step {

// What the step is like, by value: the fields in the order in which CudaOptimizer.java puts them.
struct Rule {
    float mean_share, beta2, variance_share, epsilon, decay, step_size, inverse_root;
};

__device__ __forceinline__ float root(float x) {
    float y;
    asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

__device__ __forceinline__ float inverse_root(float x) {
    float y;
    asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// Brings the moments up to date and returns the new parameter.
__device__ __forceinline__ float move(const Rule& rule, float p, float g, float& mean, float& variance) {
    mean += rule.mean_share * (g - mean);
    variance = rule.beta2 * variance + rule.variance_share * g * g;
    p -= rule.decay * p;
    return p - rule.step_size * __fdividef(mean, root(variance) * rule.inverse_root + rule.epsilon);
}

// Two neighbouring parameters of one word of high halves and one of low ones: the first, the second, and both words from both.
__device__ __forceinline__ float first_of(uint32_t high, uint32_t low) {
    return __uint_as_float((high << 16) + static_cast<uint32_t>(static_cast<int32_t>(low << 16) >> 16));
}
__device__ __forceinline__ float second_of(uint32_t high, uint32_t low) {
    return __uint_as_float((high & 0xffff0000u) + static_cast<uint32_t>(static_cast<int32_t>(low) >> 16));
}
__device__ __forceinline__ void split(float first, float second, uint32_t& high, uint32_t& low) {
    const uint32_t a = __float_as_uint(first), b = __float_as_uint(second);
    high = __byte_perm(a + 0x8000u, b + 0x8000u, 0x7632);
    low = __byte_perm(a, b, 0x5410);                          // bits - (high << 16) has the lower half of bits
}

}  // namespace adamw_step
