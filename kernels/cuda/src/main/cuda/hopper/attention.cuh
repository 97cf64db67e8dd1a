/* What Hopper's attention kernels share. A tile of R tokens x 128 columns of one head is two slabs of R x 64, 128-byte swizzled. */
#pragma once
#include "../common/numbers.cuh"
#include "../common/ptx.cuh"
#include "../common/tiles.h"
#include "hopper.cuh"

namespace hopper_attention {

constexpr int HEAD = 128;
constexpr float LOG2_E = 1.4426950408889634f, LN_2 = 0.6931471805599453f;

// Bytes of a tile of ROWS tokens, and of each of its slabs.
template <int ROWS> constexpr uint32_t TILE = ROWS * HEAD * 2;
template <int ROWS> constexpr uint32_t SLAB = ROWS * 64 * 2;

// map: {128, heads, tokens}, box {64, 1, ROWS}; tokens outside arrive as zeros.
template <int ROWS>
__device__ __forceinline__ void copy_tile(uint32_t to, const CUtensorMap* map, uint32_t barrier, int head, int token) {
    hopper::copy_box(to, map, barrier, 0, head, token);
    hopper::copy_box(to + SLAB<ROWS>, map, barrier, 64, head, token);
}

// Columns 16 k .. 16 k + 15 as an operand whose depth is the head's columns.
template <int ROWS>
__device__ __forceinline__ uint64_t over_columns(uint32_t tile, int k) { return hopper::depth_major(tile + k / 4 * SLAB<ROWS> + k % 4 * 32); }

// Rows 16 k .. 16 k + 15 as a right operand whose depth is the tokens and whose columns are the head's.
template <int ROWS>
__device__ __forceinline__ uint64_t over_rows(uint32_t tile, int k) { return hopper::column_major(tile + k * 2048, SLAB<ROWS>); }

// 16-byte chunk c (0 .. 15) of row r.
template <int ROWS>
__device__ __forceinline__ uint32_t at(uint32_t tile, int r, int c) { return tile + c / 8 * SLAB<ROWS> + r * 128 + ((c % 8 ^ (r & 7)) << 4); }

// This warp's 16 rows from `first` as left operands in registers, one for every 16 columns.
template <int ROWS>
__device__ __forceinline__ void load_left(uint32_t (&f)[HEAD / 16][4], uint32_t tile, int first) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < HEAD / 16; k++) ptx::load_matrices(f[k], at<ROWS>(tile, first + (lane & 15), k * 2 + lane / 16));
}

// Writes this warp's 16 rows x 128 columns as bf16 through its own rows of a tile that nobody else reads any more.
template <int ROWS>
__device__ __forceinline__ void store_rows(uint32_t tile, const float (&acc)[64], float scale_low, float scale_high, bf16* p, int row_in_tile, int first,
                                           int end, long long stride) {
    const int lane = threadIdx.x % 32;
    __syncwarp();
#pragma unroll
    for (int n = 0; n < 16; n++) {
        ptx::store4(at<ROWS>(tile, row_in_tile + lane / 4, n) + lane % 4 * 4, pack(acc[n * 4] * scale_low, acc[n * 4 + 1] * scale_low));
        ptx::store4(at<ROWS>(tile, row_in_tile + lane / 4 + 8, n) + lane % 4 * 4, pack(acc[n * 4 + 2] * scale_high, acc[n * 4 + 3] * scale_high));
    }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < 8; i++) {
        const int r = i * 2 + lane / 16, c = lane % 16;
        if (first + r < end) *reinterpret_cast<uint4*>(p + (first + r) * stride + c * 8) = ptx::load16(at<ROWS>(tile, row_in_tile + r, c));
    }
}

// Two neighbouring accumulator tiles of 8 columns are one left operand of 16.
template <int N>
__device__ __forceinline__ void to_left(uint32_t (&f)[4], const float (&s)[N], int k) {
#pragma unroll
    for (int i = 0; i < 4; i++) f[i] = pack(s[k * 8 + i * 2], s[k * 8 + i * 2 + 1]);
}

}  // namespace hopper_attention
