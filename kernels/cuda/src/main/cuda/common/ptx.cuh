/* The PTX instructions that the kernels use, each once, under the name it is thought of by. Needs compute capability 7.5, whose cards have neither
 * copies in the background nor bf16 products: what differs there stands here, below TURING, and nowhere else. */
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cstdint>

namespace ptx {

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// Four 8x8 matrices of 16-bit elements; lane l gives the address of row l % 8 of matrix l / 8.
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], uint32_t address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}

// The same, each matrix transposed on the way.
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&r)[4], uint32_t address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}

__device__ __forceinline__ void store16(uint32_t shared, uint4 v) {
    asm volatile("st.shared.v4.u32 [%0], {%1,%2,%3,%4};" ::"r"(shared), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}

__device__ __forceinline__ uint4 load16(uint32_t shared) {
    uint4 v;
    asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "r"(shared) : "memory");
    return v;
}

__device__ __forceinline__ void store4(uint32_t shared, uint32_t v) {
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(shared), "r"(v) : "memory");
}

__device__ __forceinline__ uint32_t load4(uint32_t shared) {
    uint32_t v;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(v) : "r"(shared) : "memory");
    return v;
}

#if __CUDA_ARCH__ >= 800

constexpr bool TURING = false;

// Before a loop of products that need not be unrolled.
#define UNROLL_PRODUCTS _Pragma("unroll")

__device__ __forceinline__ uint32_t largest_of_warp(uint32_t x) { return __reduce_max_sync(~0u, x); }

// Two numbers rounded to bf16.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
    __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<uint32_t*>(&pair);
}

// Copies 16 bytes from global to shared memory, or writes 16 zero bytes where `valid` is false; the source is not read then.
__device__ __forceinline__ void copy16(uint32_t shared, const void* global, bool valid) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(valid ? 16 : 0) : "memory");
}

// The same for 4 bytes.
__device__ __forceinline__ void copy4(uint32_t shared, const void* global, bool valid) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared), "l"(global), "r"(valid ? 4 : 0) : "memory");
}

__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most PENDING of this thread's newest groups of copies are unfinished.
template <int PENDING>
__device__ __forceinline__ void wait_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// Operands of a product: 16 rows and 8 columns of bf16, 16 deep, as load_matrices gives them.
struct Left {
    uint32_t v[4];
    Left() = default;
    __device__ __forceinline__ Left(const uint32_t (&raw)[4]) : v{raw[0], raw[1], raw[2], raw[3]} {}
};

struct Right {
    uint32_t v[2];
    __device__ __forceinline__ Right(uint32_t upper, uint32_t lower) : v{upper, lower} {}
};

// c[16x8] += a[16x16] b[16x8], bf16 inputs, float32 sums.
__device__ __forceinline__ void multiply_add(float (&c)[4], const Left& a, const Right& b) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a.v[0]), "r"(a.v[1]), "r"(a.v[2]), "r"(a.v[3]), "r"(b.v[0]), "r"(b.v[1]));
}

#else

constexpr bool TURING = true;

// Before a loop of products that need not be unrolled: here one takes fifty instructions.
#define UNROLL_PRODUCTS _Pragma("unroll 1")

__device__ __forceinline__ uint32_t largest_of_warp(uint32_t x) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) x = max(x, __shfl_xor_sync(~0u, x, distance));
    return x;
}

// x in the upper half, rounded to nearest, ties to even: adding up to half of its last bit carries where it rounds up.
__device__ __forceinline__ uint32_t round_to_bf16(float x) {
    const uint32_t bits = __float_as_uint(x);
    return x != x ? 0x7fff0000u : bits + 0x7fffu + (bits >> 16 & 1u);
}

__device__ __forceinline__ uint32_t pack_bf16(float low, float high) { return __byte_perm(round_to_bf16(low), round_to_bf16(high), 0x7632); }

// The same copies, done at once.
__device__ __forceinline__ void copy16(uint32_t shared, const void* global, bool valid) {
    store16(shared, valid ? *static_cast<const uint4*>(global) : uint4{});
}

__device__ __forceinline__ void copy4(uint32_t shared, const void* global, bool valid) {
    store4(shared, valid ? *static_cast<const uint32_t*>(global) : 0);
}

__device__ __forceinline__ void commit_copies() {}

template <int PENDING>
__device__ __forceinline__ void wait_copies() {}

// The same product by float16. Every row of a and column of b is multiplied by the power of two that brings its largest number M to 2^14 .. 2^15, and
// the sum by the inverses. float16 holds bf16's 8 bits from 2^-17 on and rounds what is less by at most 2^-25, so a number is off by at most 2^-39 M,
// and a sum of 16 products by 2^-34 M N: a thousandth of float32's rounding of M N. A power is at most 2^126, where every smaller bf16 number is a
// multiple of 2^-7 and exact. Infinities and NaNs count as 2^128 and stay what they are.
struct Power {
    uint32_t bits;                                            // of the float32 power of two
    // `largest`: bits of this lane's largest magnitude, of which the four lanes that share a row or column have one each.
    __device__ __forceinline__ explicit Power(uint32_t largest) {
        largest = max(largest, __shfl_xor_sync(~0u, largest, 1));
        largest = max(largest, __shfl_xor_sync(~0u, largest, 2));
        bits = min((268u << 23) - (largest & 0x7f800000u), 253u << 23);
    }
    __device__ __forceinline__ float inverse() const { return __uint_as_float((254u << 23) - bits); }
    __device__ __forceinline__ uint32_t times(uint32_t pair) const {
        const float power = __uint_as_float(bits);
        const __half2 scaled = __floats2half2_rn(__uint_as_float(pair << 16) * power, __uint_as_float(pair & 0xffff0000u) * power);
        return *reinterpret_cast<const uint32_t*>(&scaled);
    }
};

// Bits of the largest of four magnitudes; those below the exponent may be another's.
__device__ __forceinline__ uint32_t largest_of(uint32_t first, uint32_t second) {
    first &= 0x7fff7fffu, second &= 0x7fff7fffu;
    return max(max(first, second), max(first << 16, second << 16));
}

struct Left {
    uint32_t v[4];
    float undo[2];                                            // for rows lane / 4 and lane / 4 + 8
    Left() = default;
    __device__ __forceinline__ Left(const uint32_t (&raw)[4]) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            const Power power(largest_of(raw[i], raw[i + 2]));
            v[i] = power.times(raw[i]), v[i + 2] = power.times(raw[i + 2]);
            undo[i] = power.inverse();
        }
    }
};

struct Right {
    uint32_t v[2];
    float undo[2];                                            // for columns lane % 4 * 2 and the next; the lane's numbers are of column lane / 4
    __device__ __forceinline__ Right(uint32_t upper, uint32_t lower) {
        const Power power(largest_of(upper, lower));
        v[0] = power.times(upper), v[1] = power.times(lower);
        const float own = power.inverse();
        undo[0] = __shfl_sync(~0u, own, threadIdx.x % 4 * 8);
        undo[1] = __shfl_sync(~0u, own, threadIdx.x % 4 * 8 + 4);
    }
};

__device__ __forceinline__ void multiply_add(float (&c)[4], const Left& a, const Right& b) {
    float sum[4] = {};
#pragma unroll
    for (int half = 0; half < 2; half++) {
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                     : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                     : "r"(a.v[half * 2]), "r"(a.v[half * 2 + 1]), "r"(b.v[half]));
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {                             // the lesser power first: what lies between neither overflows nor vanishes
        const float row = a.undo[i / 2], column = b.undo[i % 2];
        c[i] = fmaf(sum[i] * fminf(row, column), fmaxf(row, column), c[i]);
    }
}

#endif

__device__ __forceinline__ void multiply_add(float (&c)[4], const Left& a, uint32_t upper, uint32_t lower) { multiply_add(c, a, Right(upper, lower)); }

}  // namespace ptx
