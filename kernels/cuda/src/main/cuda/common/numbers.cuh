/* Number formats and fixed-order sums that every kernel shares. */
#pragma once
#include "ptx.cuh"
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cstdint>

using bf16 = __nv_bfloat16;

// Element types of tensors that kernels accept in more than one format; the values are those of Java's Launch.code(DType).
enum Format : int { FLOAT32 = 0, BFLOAT16 = 1, FLOAT16 = 2 };

__device__ __forceinline__ float load_as_float(const void* values, int format, long long i) {
    if (format == FLOAT32) return static_cast<const float*>(values)[i];
    if (format == BFLOAT16) return __bfloat162float(static_cast<const bf16*>(values)[i]);
    return __half2float(static_cast<const __half*>(values)[i]);
}

// Four neighbours from a multiple of 4 on, of a 16-byte aligned vector that nobody writes.
__device__ __forceinline__ float4 load_four(const void* values, int format, long long i) {
    if (format == FLOAT32) return __ldg(reinterpret_cast<const float4*>(static_cast<const float*>(values) + i));
    const uint2 raw = __ldg(reinterpret_cast<const uint2*>(static_cast<const unsigned short*>(values) + i));
    if (format == BFLOAT16) {
        return make_float4(__uint_as_float(raw.x << 16), __uint_as_float(raw.x & 0xffff0000u), __uint_as_float(raw.y << 16),
                           __uint_as_float(raw.y & 0xffff0000u));
    }
    const float2 first = __half22float2(*reinterpret_cast<const __half2*>(&raw.x)), second = __half22float2(*reinterpret_cast<const __half2*>(&raw.y));
    return make_float4(first.x, first.y, second.x, second.y);
}

__device__ __forceinline__ uint32_t pack(float low, float high) { return ptx::pack_bf16(low, high); }

__device__ __forceinline__ float low(uint32_t pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float high(uint32_t pair) { return __uint_as_float(pair & 0xffff0000u); }

__device__ __forceinline__ float rounded(float x) { return ptx::TURING ? low(pack(x, 0.f)) : __bfloat162float(__float2bfloat16_rn(x)); }

// Eight bf16 numbers of one 16-byte access.
struct Eight {
    float v[8];
    __device__ __forceinline__ static Eight of(uint4 raw) {
        return {low(raw.x), high(raw.x), low(raw.y), high(raw.y), low(raw.z), high(raw.z), low(raw.w), high(raw.w)};
    }
    __device__ __forceinline__ static Eight load(const bf16* p) { return of(*reinterpret_cast<const uint4*>(p)); }
    __device__ __forceinline__ uint4 raw() const {
        return make_uint4(pack(v[0], v[1]), pack(v[2], v[3]), pack(v[4], v[5]), pack(v[6], v[7]));
    }
    __device__ __forceinline__ void store(bf16* p) const { *reinterpret_cast<uint4*>(p) = raw(); }
};

// Eight neighbours as load_four gives them.
__device__ __forceinline__ Eight load_eight(const void* values, int format, long long i) {
    const float4 a = load_four(values, format, i), b = load_four(values, format, i + 4);
    return {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
}

// Up to 8 numbers, zeros beyond `count`.
__device__ __forceinline__ uint4 load_guarded(const bf16* p, int count, bool aligned) {
    if (count >= 8 && aligned) return *reinterpret_cast<const uint4*>(p);
    uint32_t pairs[4];
    const unsigned short* raw = reinterpret_cast<const unsigned short*>(p);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const uint32_t first = 2 * i < count ? raw[2 * i] : 0, second = 2 * i + 1 < count ? raw[2 * i + 1] : 0;
        pairs[i] = first | second << 16;
    }
    return make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
}

__device__ __forceinline__ float sigmoid(float x) { return 1.f / (1.f + expf(-x)); }

// The same within 1e-5 of its value, in a fifth of the instructions: for what is rounded to bf16.
__device__ __forceinline__ float quick_sigmoid(float x) { return __fdividef(1.f, 1.f + __expf(-x)); }

// Butterfly sums: every lane ends with the same bits, in the same order on every run.
template <int LANES, typename T>
__device__ __forceinline__ T lanes_sum(T x) {
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2) x += __shfl_xor_sync(~0u, x, distance);
    return x;
}

template <typename T>
__device__ __forceinline__ T warp_sum(T x) { return lanes_sum<32>(x); }

__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) x = fmaxf(x, __shfl_xor_sync(~0u, x, distance));
    return x;
}

// Sum over a block of THREADS threads, returned to all of them. May be called repeatedly.
template <int THREADS, typename T>
__device__ __forceinline__ T block_sum(T x) {
    __shared__ T partial[THREADS / 32];
    x = warp_sum(x);
    __syncthreads();
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
    __syncthreads();
    T total = 0;
#pragma unroll
    for (int i = 0; i < THREADS / 32; i++) total += partial[i];
    return total;
}
