/* AdamW whose moments take one byte each; the step of adamw.cuh, and norm and control of optimizer.cu. The moments move their parameters in
 * fp32 and are rounded after that, so only what the next steps remember is inexact. A warp owns a block of OPTIMIZER_BLOCK parameters, eight a
 * lane, which share two scales.
 *
 * v: its fp32 bits cut to the upper 12 count up as v does, eight counts an octave. Stored is how far the count lies above the block's base,
 * which is 255 below the block's largest count (the scale holds that count's number) and at least 7, so that what is decoded is 0 or a normal
 * number. Nothing is scaled: v is off only by its own cut, less than 1/8. Code 0 is v = 0 alone, when no gradient ever came; a v more than 31
 * octaves below the block's largest, of gradients 46000 times as small, is raised to code 1, which makes its updates smaller. A linear map
 * would send it to 0 beside an m that is not, and the update to m / epsilon.
 * m: stored is the ratio u = m / sqrt(v), v as rounded, in 1/127 of the block's largest |u|. By Cauchy and Schwarz |u| is at most
 * (1 - b1) / sqrt((1 - b2) (1 - b1^2 / b2)), 7.3 for the usual betas, so the memory of an update is off by less than 0.06, mostly 0.01, of
 * the learning rate, even where gradients of a block differ by orders of magnitude, which a linear map of m itself would not survive.
 * Both cuts round up or down with the odds of what they cut off, by a hash of parameter and step: b2 = 0.999 moves v by a hundredth of a
 * count a step, and rounding to nearest would never move it. The odds keep the averages right; the spread that they add to sqrt(v) over a
 * run, that is to the learning rate of a single parameter, is about a tenth. The same steps give the same bits.
 *
 * Shapes    gradients, high [n] bf16   low [n] int16   mean, variance [n] bytes   mean_scale, variance_scale [n / OPTIMIZER_BLOCK] f32
 *           control [2] f32
 * Requires  n a multiple of OPTIMIZER_BLOCK; beyond the parameters there are zeros, which stay zeros      Accumulates fp32
 * Launch    a warp for OPTIMIZER_BLOCK parameters, block FLAT_THREADS
 * Bound by  memory bandwidth: 8.03 bytes read and 8.03 written a parameter      Twin  CudaOptimizer.java; the CPU's EightBits.java rounds alike */
#include "../common/tiles.h"
#include "../common/ptx.cuh"
#include "adamw.cuh"

namespace lean {

constexpr int VARIANCE_SHIFT = 20, LARGEST_COUNT = 0x7f7, LEAST_BASE = 7, CODES = 255;
constexpr float MEAN_STEPS = 127.f, LEAST_RATIO = 1e-30f;
constexpr float INTEGER = 12582912.f;                         // 1.5 * 2^23: added to a small number, it leaves that number rounded in the low bits

// The finaliser of MurmurHash3.
__device__ __forceinline__ uint32_t mix(uint32_t x) {
    x = (x ^ x >> 16) * 0x85EBCA6Bu;
    x = (x ^ x >> 13) * 0xC2B2AE35u;
    return x ^ x >> 16;
}

__device__ __forceinline__ int base_of(float scale) {
    return max(static_cast<int>(__float_as_uint(scale) >> VARIANCE_SHIFT) - CODES, LEAST_BASE);
}

__device__ __forceinline__ float variance_of(uint32_t code, int base) {
    return code == 0 ? 0.f : __uint_as_float((base + code) << VARIANCE_SHIFT);
}

__device__ __forceinline__ uint32_t byte_of(uint2 bytes, int j) { return (j < 4 ? bytes.x : bytes.y) >> j % 4 * 8 & 0xffu; }

// Four numbers' lowest bytes in one word.
__device__ __forceinline__ uint32_t bytes(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return __byte_perm(__byte_perm(a, b, 0x0040), __byte_perm(c, d, 0x0040), 0x5410);
}

__device__ __forceinline__ uint32_t word(const uint4& words, int i) { return i == 0 ? words.x : i == 1 ? words.y : i == 2 ? words.z : words.w; }

// Moves the eight parameters of a lane and leaves their moments as they are to be kept: mean[] = m / sqrt(v).
__device__ __forceinline__ void block(const uint4& gradients, uint4& high, uint4& low, uint2& mean, uint2& variance, float& mean_scale,
                                      float& variance_scale, float clip, uint32_t seed, uint32_t index, const adamw_step::Rule& rule) {
    const Eight g = Eight::of(gradients);
    const float unit = mean_scale / MEAN_STEPS;
    int base = base_of(variance_scale);
    float p[8], first[8], second[8];
    uint32_t dither[8], count[8], largest = 0;
#pragma unroll
    for (int j = 0; j < 8; j++) {
        const uint32_t highs = word(high, j / 2), lows = word(low, j / 2), code = byte_of(variance, j);
        second[j] = variance_of(code, base);
        first[j] = static_cast<float>(static_cast<int8_t>(byte_of(mean, j))) * unit * adamw_step::root(second[j]);
        p[j] = adamw_step::move(rule, j % 2 == 0 ? adamw_step::first_of(highs, lows) : adamw_step::second_of(highs, lows), g.v[j] * clip,
                                first[j], second[j]);
        dither[j] = mix(index + j ^ seed);
        count[j] = min((__float_as_uint(second[j]) + (dither[j] >> (32 - VARIANCE_SHIFT))) >> VARIANCE_SHIFT, LARGEST_COUNT);
        largest = max(largest, count[j]);
    }
    adamw_step::split(p[0], p[1], high.x, low.x);
    adamw_step::split(p[2], p[3], high.y, low.y);
    adamw_step::split(p[4], p[5], high.z, low.z);
    adamw_step::split(p[6], p[7], high.w, low.w);

    largest = ptx::largest_of_warp(largest);
    variance_scale = __uint_as_float(largest << VARIANCE_SHIFT);
    base = max(static_cast<int>(largest) - CODES, LEAST_BASE);
    float ratio = 0.f;
#pragma unroll
    for (int j = 0; j < 8; j++) {
        count[j] = second[j] == 0.f ? 0 : max(static_cast<int>(count[j]) - base, 1);
        first[j] = count[j] == 0 ? 0.f : first[j] * adamw_step::inverse_root(variance_of(count[j], base));
        ratio = fmaxf(ratio, fabsf(first[j]));
    }
    variance = make_uint2(bytes(count[0], count[1], count[2], count[3]), bytes(count[4], count[5], count[6], count[7]));

    ratio = __uint_as_float(ptx::largest_of_warp(__float_as_uint(ratio)));      // bits of numbers that are not negative order as they do
    const float steps = ratio < LEAST_RATIO ? 0.f : MEAN_STEPS / ratio;
    mean_scale = ratio < LEAST_RATIO ? 0.f : ratio;
    uint32_t codes[8];
#pragma unroll
    for (int j = 0; j < 8; j++) {
        const float share = (static_cast<float>(dither[j] & 0xfffu) + .5f) / 4096.f - .5f;
        codes[j] = __float_as_uint(first[j] * steps + share + INTEGER);
    }
    mean = make_uint2(bytes(codes[0], codes[1], codes[2], codes[3]), bytes(codes[4], codes[5], codes[6], codes[7]));
}

}  // namespace lean

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
adamw_lean(uint4* __restrict__ gradients, uint4* __restrict__ high, uint4* __restrict__ low, uint2* __restrict__ mean,
           uint2* __restrict__ variance, float* __restrict__ mean_scale, float* __restrict__ variance_scale, const float* __restrict__ control,
           long long n, int step, adamw_step::Rule rule) {
    static_assert(OPTIMIZER_BLOCK == 32 * 8);
    const long long block = (static_cast<long long>(blockIdx.x) * FLAT_THREADS + threadIdx.x) / 32;
    if (block >= n / OPTIMIZER_BLOCK) return;                 // whole warps
    const int lane = threadIdx.x % 32;
    const long long at = block * 32 + lane, index = at * 8;
    if (control[1] != 0.f) {
        uint4 highs = high[at], lows = low[at];
        uint2 means = mean[at], variances = variance[at];
        float scale_of_mean = mean_scale[block], scale_of_variance = variance_scale[block];
        const uint32_t seed = lean::mix(step + 0x9E3779B9u * static_cast<uint32_t>(index >> 32));
        lean::block(gradients[at], highs, lows, means, variances, scale_of_mean, scale_of_variance, control[0], seed,
                    static_cast<uint32_t>(index), rule);
        high[at] = highs, low[at] = lows, mean[at] = means, variance[at] = variances;
        if (lane == 0) mean_scale[block] = scale_of_mean, variance_scale[block] = scale_of_variance;
    }
    gradients[at] = make_uint4(0, 0, 0, 0);
}
