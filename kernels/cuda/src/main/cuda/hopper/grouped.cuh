/* What the grouped matrix products share: the list of row tiles, the order in which blocks take output tiles, the ring of stages. */
#pragma once
#include "../common/numbers.cuh"
#include "../common/tiles.h"
#include "ptx.cuh"
#include "wgmma.cuh"

namespace grouped {

constexpr int ROWS = 128, DEPTH = 64, WARPGROUP = 128, THREADS = 3 * WARPGROUP;   // one producer and two consumer warpgroups
constexpr uint32_t A_BYTES = ROWS * DEPTH * 2, ROW_BYTES = DEPTH * 2;
static_assert(ROWS == HOPPER_ROWS && DEPTH == HOPPER_DEPTH && THREADS == HOPPER_THREADS);
static_assert(ROWS == GEMM_ROWS, "expert_tiles cuts experts into pieces of GEMM_ROWS");

// Rows first .. first + rows - 1 of one expert.
struct Tile { int expert, first, rows, unused; };

// Which rows exist and in what order output tiles are taken: bands of `raster` row tiles, in a band column by column.
struct Rows {
    const Tile* tiles;                                        // null for one matrix of `rows` rows
    const int* tile_count;
    const int* limit;                                         // or null: only limit[0] - limit_offset of `rows` exist
    int rows, limit_offset, raster;

    __device__ __forceinline__ int dense() const { return limit == nullptr ? rows : min(rows, max(0, *limit - limit_offset)); }
    __device__ __forceinline__ int count() const { return tiles != nullptr ? *tile_count : (dense() + ROWS - 1) / ROWS; }
};

struct Schedule {
    const Rows& rows;
    int row_tiles, columns, total;

    __device__ __forceinline__ Schedule(const Rows& r, int column_tiles)
        : rows(r), row_tiles(r.count()), columns(column_tiles), total(row_tiles * column_tiles) {}

    // The work-th output tile: its rows, and the number of its column tile.
    __device__ __forceinline__ Tile at(int work, int& column) const {
        const int band = work / (rows.raster * columns), in_band = work - band * rows.raster * columns;
        const int height = min(rows.raster, row_tiles - band * rows.raster);
        column = in_band / height;
        const int row = band * rows.raster + in_band % height;
        if (rows.tiles == nullptr) return {0, row * ROWS, min(ROWS, rows.dense() - row * ROWS), 0};
        const int4 t = __ldg(reinterpret_cast<const int4*>(rows.tiles) + row);
        return {t.x, t.y, t.z, t.w};
    }
};

// Position in a ring of STAGES stages. A producer waits for `empty` in phase ^ 1, a consumer for `full` in phase.
template <int STAGES>
struct Ring {
    int stage = 0;
    uint32_t phase = 0;
    __device__ __forceinline__ void advance(int n = 1) {
        stage += n;
        while (stage >= STAGES) stage -= STAGES, phase ^= 1;
    }
};

// The sum over k in blocks of DEPTH: first those of A and W, then those of the update, Z and U. Only the last block may be shorter.
struct Depth {
    int weight_blocks, blocks, last_steps;                    // last_steps: products of 16 k in the last block
    __device__ __forceinline__ Depth(int k, int rank) {
        const int update_blocks = (rank + DEPTH - 1) / DEPTH, last = rank > 0 ? rank - (update_blocks - 1) * DEPTH : k - (k - 1) / DEPTH * DEPTH;
        weight_blocks = (k + DEPTH - 1) / DEPTH;
        blocks = weight_blocks + update_blocks;
        last_steps = (last + 15) / 16;
    }
};

// Descriptor of 16 k, the step-th of a stage's W or U.
template <wgmma::Major W>
__device__ __forceinline__ uint64_t weights(uint32_t at, int step) {
    if constexpr (W == wgmma::K_MAJOR) return wgmma::k_major(at + step * 32);
    else return wgmma::mn_major<DEPTH * ROW_BYTES>(at + step * 16 * ROW_BYTES);
}

// A stage's rows of A, gathered: thread t of the warpgroup copies chunk t % 8 of rows t / 8, t / 8 + 16, ..; 32-bit offsets keep 8 pointers in 8 registers.
struct Gather {
    uint32_t offset[ROWS / 16], present = 0;

    __device__ __forceinline__ Gather(const Tile& tile, const int* row_token, int width) {
        // row_token null: row r is token r
        const int t = threadIdx.x % WARPGROUP;
#pragma unroll
        for (int i = 0; i < ROWS / 16; i++) {
            const int r = i * 16 + t / 8;
            const bool inside = r < tile.rows;
            present |= static_cast<uint32_t>(inside) << i;
            offset[i] = (!inside ? 0u : row_token == nullptr ? tile.first + r : row_token[tile.first + r]) * static_cast<uint32_t>(width) + t % 8 * 8;
        }
    }

    __device__ __forceinline__ void copy(uint32_t to, const bf16* x, int column) const {
        const int t = threadIdx.x % WARPGROUP;
#pragma unroll
        for (int i = 0; i < ROWS / 16; i++) {
            const int r = i * 16 + t / 8, c = t % 8;
            ptx::copy16(to + r * ROW_BYTES + ((c ^ (r & 7)) << 4), x + (offset[i] + column), present >> i & 1);
        }
    }
};

// Hands stages over LAG stages after their ordinary copies were started: wait for the copies, fence them for the matrix unit, arrive.
template <int STAGES, int LAG>
struct Handover {
    uint32_t full;                                            // first of the `full` barriers
    int started = 0, stage = 0;

    __device__ __forceinline__ void release() {
        ptx::arrive(full + 8 * stage);
        if (++stage == STAGES) stage = 0;
    }
    __device__ __forceinline__ void next() {
        ptx::commit_copies();
        ptx::wait_copies<LAG>();
        ptx::fence_async_shared();
        if (started >= LAG) release();
        started++;
    }
    __device__ __forceinline__ void finish() {
        ptx::wait_copies<0>();
        ptx::fence_async_shared();
        for (int i = min(started, LAG); i > 0; i--) release();
    }
};

}  // namespace grouped
