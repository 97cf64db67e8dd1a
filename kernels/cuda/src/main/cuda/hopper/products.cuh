/* What all matrix products share: the order in which output tiles are taken and how blocks draw them, the ring of stages, the weights' boxes. */
#pragma once
#include "../common/numbers.cuh"
#include "../common/tiles.h"
#include "ptx.cuh"
#include "wgmma.cuh"

namespace products {

constexpr int DEPTH = 64, WARPGROUP = 128, THREADS = 3 * WARPGROUP;   // one producer and two consumer warpgroups
constexpr uint32_t ROW_BYTES = DEPTH * 2;
static_assert(DEPTH == HOPPER_DEPTH && THREADS == HOPPER_THREADS);

// Rows first .. first + rows - 1, of one expert where there are several.
struct Tile { int expert, first, rows, unused; };

// The order of output tiles: bands of `raster` row tiles, in a band column by column.
struct Bands {
    int raster, row_tiles, columns, total;

    __device__ __forceinline__ Bands(int height, int rows, int column_tiles) : raster(height), row_tiles(rows), columns(column_tiles), total(rows * column_tiles) {}
    __device__ __forceinline__ void at(int work, int& row, int& column) const {
        const int band = work / (raster * columns), in_band = work - band * raster * columns, height = min(raster, row_tiles - band * raster);
        column = in_band / height;
        row = band * raster + in_band % height;
    }
};

// Tiles differ in cost, so blocks draw them from a counter in global memory that is zero before and after a launch. Each block's first tile
// has the block's number. A draw is needed only a tile later. Each block draws one tile too many; the draw that is the last of all clears the counter.
struct Draws {
    int* drawn;
    int total, work = blockIdx.x, draw = 0;
    bool begun = false;

    __device__ __forceinline__ void settle() {
        if (draw == max(total, static_cast<int>(gridDim.x)) - 1) *drawn = 0;
        work = gridDim.x + draw;
    }
    // The next tile, negative at the end; not to be called again then.
    __device__ __forceinline__ int next() {
        if (begun) settle();
        const bool more = work < total;
        if (more || !begun) draw = atomicAdd(drawn, 1);
        if (!more && !begun) settle();
        begun = true;
        return more ? work : -1;
    }
};

// How one thread of a block tells the others what it drew. A slot comes round again 16 tiles later, and no stage ring holds stages of 15
// tiles, so nobody still reads it.
struct Tickets {
    static constexpr int SLOTS = 16;
    static constexpr uint32_t BYTES = SLOTS * 12;             // barriers, then numbers
    uint32_t at;
    int number = 0;                                           // of the next ticket, for its writer and for each reader

    __device__ __forceinline__ static void init(uint32_t at) {
        for (int i = 0; i < SLOTS; i++) ptx::init_barrier(at + 8 * i, 1);
    }
    __device__ __forceinline__ void write(int work) const {
        const int slot = number % SLOTS;
        ptx::store4(at + SLOTS * 8 + slot * 4, work);
        ptx::arrive(at + slot * 8);
    }
    __device__ __forceinline__ int read() {
        const int slot = number % SLOTS;
        ptx::wait(at + slot * 8, number / SLOTS & 1);
        number++;
        return ptx::load4(at + SLOTS * 8 + slot * 4);
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

// What every kernel begins with, by all threads: the barriers of `stages` stages, with so many arrivals to fill and to empty one, and the tickets.
__device__ __forceinline__ void begin(int stages, uint32_t full, uint32_t to_fill, uint32_t empty, uint32_t to_empty, uint32_t tickets) {
    if (threadIdx.x == 0) {
        for (int i = 0; i < stages; i++) {
            ptx::init_barrier(full + 8 * i, to_fill);
            ptx::init_barrier(empty + 8 * i, to_empty);
        }
        Tickets::init(tickets);
        ptx::publish_barriers();
    }
    __syncthreads();
}

template <wgmma::Major W>
__device__ __forceinline__ void load_right(uint32_t to, const CUtensorMap& map, uint32_t barrier, int k0, int n0, int expert) {
    if constexpr (W == wgmma::K_MAJOR) ptx::load_box(to, map, barrier, k0, n0, expert);
    else ptx::load_box(to, map, barrier, 0, k0, n0 / 64, expert);
}

// Descriptor of 16 k, the step-th of a stage's W or U.
template <wgmma::Major W>
__device__ __forceinline__ uint64_t weights(uint32_t at, int step) {
    if constexpr (W == wgmma::K_MAJOR) return wgmma::k_major(at + step * 32);
    else return wgmma::mn_major<DEPTH * ROW_BYTES>(at + step * 16 * ROW_BYTES);
}

}  // namespace products
