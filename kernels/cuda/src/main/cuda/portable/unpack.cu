/* Packed frozen matrices widened to bf16 right before a product: code times scale in float32, rounded once.
 *   unpack_fp8, unpack_fp8_any   e4m3 times a factor for every 128 numbers of a row
 *   unpack_mxfp4                 e2m1, lower half of a byte first, times a power of two for every 32: exact
 *   unpack_nf4                   a table's number, upper half of a byte first, times a scale for every 64, itself scales[code] * factor + offset
 * Shapes    codes [experts, rows, width in bytes]   scales [experts, rows, ceil(width / block)] f32 for fp8, else bytes
 *           groups [*, 2] f32: factor and offset of every 1 << group_shift scales   out [experts, rows, width] bf16
 *           offsets [experts + 1] int32, or null: an expert without rows is left out, since no product reads its matrix
 * Requires  fp8: width % 8 == 0; mxfp4: width % 32 == 0; nf4: width % 64 == 0; fp8_any: nothing; pointers 16-byte aligned; rows * width < 2^31
 * Launch    grid (ceil(rows * width / UNIT / UNPACK_UNITS / FLAT_THREADS), experts), block FLAT_THREADS; UNIT 8, of fp8_any 1
 * Bound by  memory bandwidth      Source  Micikevicius et al. 2022; OCP 2023, Microscaling formats; Dettmers et al. 2023      Twin  FrozenMatrix.java */
#include "../common/numbers.cuh"
#include "../common/tiles.h"

namespace unpack {

struct Packed {
    const uint8_t* codes;
    const void* scales;
    const float* groups;
    const int* offsets;
    bf16* out;
    int rows, width, group_shift;
};

struct Tables {
    float numbers[16];                                        // what the 4-bit codes stand for
    float scales[256];                                        // what the 8-bit codes of nf4's scales stand for
};

// 8 exponent-biased bits of e4m3 are half precision's but for the bias: the half is the number times 2^-8.
__device__ __forceinline__ float e4m3(unsigned code) {
    const __half_raw half = {static_cast<unsigned short>((code & 128u) << 8 | (code & 127u) << 7)};
    return (code & 127u) == 127u ? __int_as_float(0x7fffffff) : 256.f * __half2float(__half(half));
}

__device__ __forceinline__ float power_of_two(unsigned code) {
    return __uint_as_float(code == 0 ? 0x00400000u : code == 255 ? 0x7fffffffu : code << 23);
}

// Calls f(row of all experts, column) for this thread's units of UNIT numbers.
template <int UNIT, typename F>
__device__ __forceinline__ void units(const Packed& p, F f) {
    const int expert = blockIdx.y;
    if (p.offsets != nullptr && p.offsets[expert] == p.offsets[expert + 1]) return;
    const unsigned in_row = p.width / UNIT, all = p.rows * in_row, first = blockIdx.x * (FLAT_THREADS * UNPACK_UNITS) + threadIdx.x;
#pragma unroll
    for (int i = 0; i < UNPACK_UNITS; i++) {
        const unsigned unit = first + i * FLAT_THREADS;
        if (unit < all) f(static_cast<long long>(expert) * p.rows + unit / in_row, static_cast<int>(unit % in_row) * UNIT);
    }
}

// Eight 4-bit codes, in the order in which their halves are read.
template <bool LOW_FIRST>
__device__ __forceinline__ Eight nibbles(uint32_t codes, const float* numbers, float scale) {
    Eight e;
#pragma unroll
    for (int j = 0; j < 8; j++) e.v[j] = numbers[codes >> (LOW_FIRST ? j : j ^ 1) * 4 & 15] * scale;
    return e;
}

__device__ __forceinline__ void load_numbers(float* shared, const Tables& tables) {
    if (threadIdx.x < 16) shared[threadIdx.x] = tables.numbers[threadIdx.x];
    __syncthreads();
}

}  // namespace unpack

extern "C" __global__ void __launch_bounds__(FLAT_THREADS) unpack_fp8(const __grid_constant__ unpack::Packed p) {
    const int blocks = (p.width + 127) / 128;
    unpack::units<8>(p, [&](long long row, int c) {
        const uint2 codes = *reinterpret_cast<const uint2*>(p.codes + row * p.width + c);
        const float scale = static_cast<const float*>(p.scales)[row * blocks + c / 128];
        Eight e;
#pragma unroll
        for (int j = 0; j < 8; j++) e.v[j] = unpack::e4m3((j < 4 ? codes.x : codes.y) >> j % 4 * 8 & 255u) * scale;
        e.store(p.out + row * p.width + c);
    });
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS) unpack_fp8_any(const __grid_constant__ unpack::Packed p) {
    const int blocks = (p.width + 127) / 128;
    unpack::units<1>(p, [&](long long row, int c) {
        const float scale = static_cast<const float*>(p.scales)[row * blocks + c / 128];
        p.out[row * p.width + c] = __float2bfloat16_rn(unpack::e4m3(p.codes[row * p.width + c]) * scale);
    });
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
unpack_mxfp4(const __grid_constant__ unpack::Packed p, const __grid_constant__ unpack::Tables tables) {
    __shared__ float numbers[16];
    unpack::load_numbers(numbers, tables);
    unpack::units<8>(p, [&](long long row, int c) {
        const uint32_t codes = *reinterpret_cast<const uint32_t*>(p.codes + row * (p.width / 2) + c / 2);
        const unsigned exponent = static_cast<const uint8_t*>(p.scales)[row * (p.width / 32) + c / 32];
        unpack::nibbles<true>(codes, numbers, unpack::power_of_two(exponent)).store(p.out + row * p.width + c);
    });
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
unpack_nf4(const __grid_constant__ unpack::Packed p, const __grid_constant__ unpack::Tables tables) {
    __shared__ float numbers[16];
    unpack::load_numbers(numbers, tables);
    unpack::units<8>(p, [&](long long row, int c) {
        const uint32_t codes = *reinterpret_cast<const uint32_t*>(p.codes + row * (p.width / 2) + c / 2);
        const long long place = row * (p.width / 64) + c / 64;
        const float* group = p.groups + (place >> p.group_shift) * 2;
        // Two roundings, as the host's: no fused multiply and add.
        const float scale = __fadd_rn(__fmul_rn(tables.scales[static_cast<const uint8_t*>(p.scales)[place]], group[0]), group[1]);
        unpack::nibbles<false>(codes, numbers, scale).store(p.out + row * p.width + c);
    });
}
