/* What the attention kernels share: tiles of HEAD columns in shared memory, their fragments, and which keys a query sees. */
#pragma once
#include "../common/numbers.cuh"
#include "../common/ptx.cuh"
#include "../common/tiles.h"

namespace attention {

// Tiles of a step: one is multiplied while the next one arrives, where copies run in the background.
constexpr int BUFFERS = ptx::TURING ? 1 : 2;
constexpr float LOG2_E = 1.4426950408889634f, LN_2 = 0.6931471805599453f;

// Where 16-byte chunk c of row r lies in a tile of HEAD bf16 columns, a multiple of 64.
template <int HEAD>
__device__ __forceinline__ uint32_t at(int r, int c) { return r * HEAD * 2 + ((c ^ (r & 7)) << 4); }

// Copies ROWS rows of one head into a tile; rows from `end` on and columns from `width` on become zero.
// `stride` is elements between tokens; `p` points at this head of token 0.
template <int HEAD, int ROWS, int THREADS>
__device__ __forceinline__ void load_tile(uint32_t tile, const bf16* p, int first, int end, int width, long long stride) {
    constexpr int CHUNKS = HEAD / 8;
    static_assert(ROWS * CHUNKS % THREADS == 0);
    if (width % 8 != 0) {                                     // rows that begin anywhere: element by element
#pragma unroll 1
        for (int chunk = threadIdx.x; chunk < ROWS * CHUNKS; chunk += THREADS) {
            const int r = chunk / CHUNKS, c = chunk % CHUNKS;
            ptx::store16(tile + at<HEAD>(r, c), load_guarded(p + (first + r) * stride + c * 8, first + r < end ? width - c * 8 : 0, false));
        }
        return;
    }
#pragma unroll 2
    for (int i = 0; i < ROWS * CHUNKS / THREADS; i++) {
        const int chunk = threadIdx.x + i * THREADS, r = chunk / CHUNKS, c = chunk % CHUNKS;
        const bool inside = first + r < end && c * 8 < width;
        ptx::copy16(tile + at<HEAD>(r, c), inside ? p + (first + r) * stride + c * 8 : p, inside);
    }
}

// Rows first .. first + 15, columns 16 k .. 16 k + 15 of a tile, as the left operand.
template <int HEAD>
__device__ __forceinline__ ptx::Left left(uint32_t tile, int first, int k) {
    const int lane = threadIdx.x % 32;
    uint32_t f[4];
    ptx::load_matrices(f, tile + at<HEAD>(first + (lane & 15), k * 2 + lane / 16));
    return f;
}

// Two tiles of sums, rounded, as the left operand.
__device__ __forceinline__ ptx::Left pack_left(const float (&even)[4], const float (&odd)[4]) {
    const uint32_t f[4] = {pack(even[0], even[1]), pack(even[2], even[3]), pack(odd[0], odd[1]), pack(odd[2], odd[3])};
    return f;
}

// The right operand whose columns are rows first .. first + 15 of the tile and whose depth is columns 16 k .. 16 k + 15.
template <int HEAD>
__device__ __forceinline__ void right(uint32_t (&f)[4], uint32_t tile, int first, int k) {
    const int lane = threadIdx.x % 32;
    ptx::load_matrices(f, tile + at<HEAD>(first + (lane & 7) + lane / 16 * 8, k * 2 + (lane >> 3 & 1)));
}

// The right operand whose depth is rows first .. first + 15 of the tile and whose columns are columns 16 n .. 16 n + 15.
template <int HEAD>
__device__ __forceinline__ void right_transposed(uint32_t (&f)[4], uint32_t tile, int first, int n) {
    const int lane = threadIdx.x % 32;
    ptx::load_matrices_transposed(f, tile + at<HEAD>(first + (lane & 15), n * 2 + lane / 16));
}

// Writes this warp's 16 rows x HEAD accumulators as bf16 through `tile`, 16 rows that only this warp still reads.
template <int HEAD>
__device__ __forceinline__ void store_rows(uint32_t tile, const float (&acc)[HEAD / 8][4], float scale_low, float scale_high, bf16* p, int first, int end,
                                           int width, long long stride) {
    const int lane = threadIdx.x % 32;
    __syncwarp();
#pragma unroll
    for (int n = 0; n < HEAD / 8; n++) {
        ptx::store4(tile + at<HEAD>(lane / 4, n) + lane % 4 * 4, pack(acc[n][0] * scale_low, acc[n][1] * scale_low));
        ptx::store4(tile + at<HEAD>(lane / 4 + 8, n) + lane % 4 * 4, pack(acc[n][2] * scale_high, acc[n][3] * scale_high));
    }
    __syncwarp();
    if (width % 8 != 0) {
        const uint16_t* raw = reinterpret_cast<const uint16_t*>(__cvta_shared_to_generic(tile));
        uint16_t* out = reinterpret_cast<uint16_t*>(p);
#pragma unroll 1
        for (int i = lane; i < 16 * width; i += 32) {
            const int r = i / width, c = i % width;
            if (first + r < end) out[(first + r) * stride + c] = raw[(at<HEAD>(r, c / 8) + c % 8 * 2) / 2];
        }
        return;
    }
    constexpr int CHUNKS = HEAD / 8;
#pragma unroll
    for (int i = 0; i < 16 * CHUNKS / 32; i++) {
        const int chunk = lane + i * 32, r = chunk / CHUNKS, c = chunk % CHUNKS;
        if (first + r < end && c * 8 < width) {
            *reinterpret_cast<uint4*>(p + (first + r) * stride + c * 8) = ptx::load16(tile + at<HEAD>(r, c));
        }
    }
}

}  // namespace attention
