/* First half of the experts, forward: gate | up = x[row_token] [Wg ; Wu]^T + z [Bg ; Bu]^T, act = silu(gate) * up, per routed row.
 * The rows are gathered on the way into shared memory and gate and up of one cell end in one thread: no gathered copy, no separate activation.
 * Shapes    x [tokens, hidden]  act [rows, width]  gate_up [rows, 2 width] or null  bf16   row_token [rows] int32 or null: row r is token r
 *           tiles, tile_count: written by expert_tiles, or null as in linear.cu
 * Maps      bf16, 128-byte swizzle, zeros outside: w {hidden, width, 2, experts} box {64, 128, 1, 1} over [experts, 2 width, hidden];
 *           z {rank, rows} box {64, 128}; b {rank, width, 2, experts} box {64, 128, 1, 1} over [experts, 2 width, rank]
 * Requires  compute capability 9.0; hidden % 64 == 0, width % 8 == 0, rank % 8 == 0, tokens * hidden < 2^32      Accumulates fp32, rounds once
 * Launch    grid min(output tiles, multiprocessors), block 384, dynamic shared SHARED_BYTES (tiles.h); no cluster
 * Bound by  the matrix unit at 128 rows an expert and more, else bandwidth of w      Source  Shazeer 2020 (SwiGLU); Hu et al. 2021; MegaBlocks
 * Run by   hopper_products.cu only: saving gate and up, it is slower than gemm.cu and a separate activation */
#include "grouped.cuh"

namespace gate_up {

using namespace grouped;

struct Product {
    Rows rows;
    const bf16* x;
    const int* row_token;
    bf16* act;
    bf16* gate_up;
    int hidden, width, rank;
};

// Shared memory: STAGES x (rows of x | 128 rows of gate | 128 rows of up), staging, barriers.
constexpr int COLUMNS = 128, STAGES = 4, LAG = 2;
constexpr uint32_t W_BYTES = COLUMNS * ROW_BYTES, STAGE = A_BYTES + 2 * W_BYTES;
constexpr uint32_t STAGING_ROW = COLUMNS * 2 + 16, STAGING_AT = STAGES * STAGE, FULL = STAGING_AT + ROWS * STAGING_ROW, EMPTY = FULL + 8 * STAGES;
constexpr uint32_t SHARED_BYTES = EMPTY + 8 * STAGES;
static_assert(COLUMNS == GATE_UP_COLUMNS && SHARED_BYTES == GATE_UP_SHARED_BYTES && SHARED_BYTES <= 232448);

__device__ __forceinline__ void produce(const CUtensorMap& w, const CUtensorMap& z, const CUtensorMap& b, const Product& p, uint32_t shared,
                                        const Schedule& schedule, const Depth& depth) {
    const bool leader = threadIdx.x / 32 == 0 && ptx::elected();
    Ring<STAGES> ring;
    Handover<STAGES, LAG> handover{shared + FULL};
    for (int work = blockIdx.x; work < schedule.total; work += gridDim.x) {
        int column;
        const Tile tile = schedule.at(work, column);
        const int n0 = column * COLUMNS;
        const Gather gather(tile, p.row_token, p.hidden);
        for (int block = 0; block < depth.blocks; block++) {
            ptx::wait(shared + EMPTY + 8 * ring.stage, ring.phase ^ 1);
            const uint32_t to = shared + ring.stage * STAGE, barrier = shared + FULL + 8 * ring.stage;
            if (block < depth.weight_blocks) {
                gather.copy(to, p.x, block * DEPTH);
                if (leader) {
                    ptx::arrive_expecting(barrier, 2 * W_BYTES);
                    ptx::load_box(to + A_BYTES, w, barrier, block * DEPTH, n0, 0, tile.expert);
                    ptx::load_box(to + A_BYTES + W_BYTES, w, barrier, block * DEPTH, n0, 1, tile.expert);
                }
            } else if (leader) {
                const int j0 = (block - depth.weight_blocks) * DEPTH;
                ptx::arrive_expecting(barrier, STAGE);
                ptx::load_box(to, z, barrier, j0, tile.first);
                ptx::load_box(to + A_BYTES, b, barrier, j0, n0, 0, tile.expert);
                ptx::load_box(to + A_BYTES + W_BYTES, b, barrier, j0, n0, 1, tile.expert);
            }
            handover.next();
            ring.advance();
        }
    }
    handover.finish();
}

// One pass of f over the accumulators, rounded, stored as this warpgroup's rows of out[.., columns n0 .. n0 + 127]; row by row, so that
// ragged ends need no mask.
template <typename F>
__device__ __forceinline__ void store(bf16* out, int stride, int columns, int live, uint32_t staging, int barrier, F f) {
    const int t = threadIdx.x % WARPGROUP, warp = t / 32, lane = t % 32;
    ptx::wait_stores_read();                                  // of this thread's own row
    ptx::sync_named(barrier, WARPGROUP);
#pragma unroll
    for (int j = 0; j < COLUMNS / 8; j += 2) {
        const uint32_t at = staging + (warp * 16 + (lane & 15)) * STAGING_ROW + (j + lane / 16) * 16;
        ptx::store_matrices(at, pack(f(4 * j), f(4 * j + 1)), pack(f(4 * j + 2), f(4 * j + 3)), pack(f(4 * j + 4), f(4 * j + 5)),
                            pack(f(4 * j + 6), f(4 * j + 7)));
    }
    ptx::fence_async_shared();
    ptx::sync_named(barrier, WARPGROUP);
    if (t < live) ptx::store_bytes(out + static_cast<long long>(t) * stride, staging + t * STAGING_ROW, columns * 2);
    ptx::commit_stores();
}

__device__ __forceinline__ void consume(const Product& p, uint32_t shared, int own, const Schedule& schedule, const Depth& depth) {
    using Mma = wgmma::Product<2 * COLUMNS>;
    const bool leader = threadIdx.x % WARPGROUP == 0;
    const uint32_t staging = shared + STAGING_AT + own * 64 * STAGING_ROW;
    Ring<STAGES> ring;
    for (int work = blockIdx.x; work < schedule.total; work += gridDim.x) {
        int column;
        const Tile tile = schedule.at(work, column);
        const int live = min(64, tile.rows - own * 64);       // 0 or less: this warpgroup only passes the stages on
        float acc[COLUMNS];                                   // first half gate, second half up, cell by cell
        int previous = -1;
        for (int block = 0; block < depth.blocks - 1; block++) {
            ptx::wait(shared + FULL + 8 * ring.stage, ring.phase);
            if (live > 0) {
                const uint32_t a = shared + ring.stage * STAGE + own * 64 * ROW_BYTES, w = shared + ring.stage * STAGE + A_BYTES;
                wgmma::fence();
#pragma unroll
                for (int step = 0; step < DEPTH / 16; step++)
                    Mma::add<wgmma::K_MAJOR>(acc, wgmma::k_major(a + step * 32), weights<wgmma::K_MAJOR>(w, step), block | step);
                wgmma::commit();
                wgmma::wait<1>();
            }
            if (previous >= 0 && leader) ptx::arrive(shared + EMPTY + 8 * previous);
            previous = ring.stage;
            ring.advance();
        }
        ptx::wait(shared + FULL + 8 * ring.stage, ring.phase);
        if (live > 0) {
            const uint32_t a = shared + ring.stage * STAGE + own * 64 * ROW_BYTES, w = shared + ring.stage * STAGE + A_BYTES;
#pragma unroll 1
            for (int step = 0; step < depth.last_steps; step++) {
                wgmma::fence();
                Mma::add<wgmma::K_MAJOR>(acc, wgmma::k_major(a + step * 32), weights<wgmma::K_MAJOR>(w, step), (depth.blocks - 1) | step);
                wgmma::commit();
            }
        }
        wgmma::wait<0>();
        if (leader) {
            if (previous >= 0) ptx::arrive(shared + EMPTY + 8 * previous);
            ptx::arrive(shared + EMPTY + 8 * ring.stage);
        }
        ring.advance();
        if (live <= 0) continue;
        const int n0 = column * COLUMNS, columns = min(COLUMNS, p.width - n0);
        const long long row = tile.first + own * 64;
        if (p.gate_up != nullptr) {
            bf16* const out = p.gate_up + row * 2 * p.width + n0;
            store(out, 2 * p.width, columns, live, staging, 1 + own, [&](int i) { return acc[i]; });
            store(out + p.width, 2 * p.width, columns, live, staging, 1 + own, [&](int i) { return acc[COLUMNS / 2 + i]; });
        }
        store(p.act + row * p.width + n0, p.width, columns, live, staging, 1 + own,
              [&](int i) { return acc[i] * __fdividef(1.f, 1.f + __expf(-acc[i])) * acc[COLUMNS / 2 + i]; });
    }
    ptx::wait_stores();
}

}  // namespace gate_up

extern "C" __global__ void __launch_bounds__(grouped::THREADS, 1)
expert_gate_up(const __grid_constant__ CUtensorMap w, const __grid_constant__ CUtensorMap z, const __grid_constant__ CUtensorMap b,
               const __grid_constant__ gate_up::Product p) {
    using namespace gate_up;
    extern __shared__ __align__(1024) uint8_t dynamic[];
    const uint32_t shared = ptx::shared_address(dynamic);
    if (threadIdx.x == 0) {
        for (int s = 0; s < STAGES; s++) {
            ptx::init_barrier(shared + FULL + 8 * s, WARPGROUP + 1);      // every gathering thread, and the one that starts the bulk copies
            ptx::init_barrier(shared + EMPTY + 8 * s, 2);
        }
        ptx::publish_barriers();
    }
    __syncthreads();
    const Schedule schedule(p.rows, (p.width + COLUMNS - 1) / COLUMNS);
    const Depth depth(p.hidden, p.rank);
    if (threadIdx.x / WARPGROUP == 0) {
        ptx::give_registers<72>();
        produce(w, z, b, p, shared, schedule, depth);
    } else {
        ptx::take_registers<216>();
        consume(p, shared, threadIdx.x / WARPGROUP - 1, schedule, depth);
    }
}
