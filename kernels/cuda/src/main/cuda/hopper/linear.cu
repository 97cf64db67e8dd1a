/* Matrix product with a low-rank update inside, dense or grouped: C[r, n] (+)= sum_k A[r, k] W(k, n) + sum_j Z[r, j] U(j, n) + bias[n].
 * The update is a few more steps of the same sum into the same accumulators, so W + U Z never exists and the result is rounded once.
 * Shapes    A [rows, k]  Z [rows, rank]  C [rows, ldc]  bias [n] or null  bf16
 *           linear_forward_*:  W [experts, n, k], U [experts, n, rank]      W(k, n) = W[n, k]
 *           linear_backward_*: W [experts, k, n], U [experts, rank, n]      W(k, n) = W[k, n]; the same bytes as in the forward pass
 *           tiles, tile_count: written by expert_tiles; tiles null for one matrix of `rows` rows, of which limit[0] - limit_offset exist
 * Maps      all bf16, 128-byte swizzle, zeros outside; strides multiples of 16 bytes; without an update z and u are never read
 *           a {k, rows} box {64, 128}   z {rank, rows} box {64, 128}
 *           forward:  w {k, n, experts} box {64, COLUMNS, 1}, u {rank, n, experts} the same box
 *           backward: w {64, k, n / 64, experts} strides {2 n, 128, 2 k n} box {64, 64, COLUMNS / 64, 1}, u {64, rank, n / 64, experts} alike
 * Requires  compute capability 9.0; forward k % 8 == 0, backward n % 64 == 0; rank % 8 == 0; ldc % 8 == 0; *_192: no bias, no accumulation
 *           Accumulates fp32
 * Launch    grid min(output tiles, multiprocessors), block 384, dynamic shared Plan::SHARED_BYTES (tiles.h); no cluster
 * Bound by  the matrix unit at 128 rows an expert and more, else bandwidth of W      Source  Hu et al. 2021 eq. 3; grouping: MegaBlocks
 * Run by   hopper_products.cu only: gemm.cu is what the backend launches */
#include "grouped.cuh"

namespace linear {

using namespace grouped;

struct Product {
    Rows rows;
    const bf16* bias;                                         // or null
    bf16* c;
    int n, k, rank, ldc, accumulate;
};

// Each consumer warpgroup owns a whole tile; while one multiplies the other stores. Shared memory: STAGES x (A | W), staging x 2, barriers.
template <int COLUMNS_, int STAGES_>
struct Plan {
    static constexpr int COLUMNS = COLUMNS_, STAGES = STAGES_, STORE_COLUMNS = 64;
    static constexpr bool EXTRAS = COLUMNS < 192;             // bias and accumulation: 192 columns leave no registers for them
    static constexpr uint32_t W_BYTES = COLUMNS * ROW_BYTES, STAGE = A_BYTES + W_BYTES;
    static constexpr uint32_t STAGING_ROW = STORE_COLUMNS * 2 + 16, STAGING = ROWS * STAGING_ROW;   // + 16: rows start in different banks
    static constexpr uint32_t STAGING_AT = STAGES * STAGE, FULL = STAGING_AT + 2 * STAGING, EMPTY = FULL + 8 * STAGES;
    static constexpr uint32_t SHARED_BYTES = EMPTY + 8 * STAGES;
    static_assert(SHARED_BYTES <= 232448, "more shared memory than a block of compute capability 9.0 can have");
};

enum NamedBarrier : int { TURN = 1, STORE = 3 };              // + warpgroup: its turn to multiply; its own 128 threads

// The sum of one tile with BLOCKS x 64 rows. Releases every stage but the last; `turn_over` runs when the last product is issued.
template <typename P, wgmma::Major W, int BLOCKS, typename TurnOver>
__device__ __forceinline__ void multiply(float (&acc)[2][P::COLUMNS / 2], Ring<P::STAGES>& ring, uint32_t shared, const Depth& depth, bool leader,
                                         TurnOver turn_over) {
    using Mma = wgmma::Product<P::COLUMNS>;
    int previous = -1;
    for (int block = 0; block < depth.blocks - 1; block++) {
        ptx::wait(shared + P::FULL + 8 * ring.stage, ring.phase);
        const uint32_t a = shared + ring.stage * P::STAGE, w = a + A_BYTES;
        wgmma::fence();
#pragma unroll
        for (int step = 0; step < DEPTH / 16; step++)
#pragma unroll
            for (int m = 0; m < BLOCKS; m++)
                Mma::template add<W>(acc[m], wgmma::k_major(a + m * 64 * ROW_BYTES + step * 32), weights<W>(w, step), block | step);
        wgmma::commit();
        wgmma::wait<1>();
        if (previous >= 0 && leader) ptx::arrive(shared + P::EMPTY + 8 * previous);
        previous = ring.stage;
        ring.advance();
    }
    ptx::wait(shared + P::FULL + 8 * ring.stage, ring.phase);
    const uint32_t a = shared + ring.stage * P::STAGE, w = a + A_BYTES;
#pragma unroll 1
    for (int step = 0; step < depth.last_steps; step++) {
        wgmma::fence();
#pragma unroll
        for (int m = 0; m < BLOCKS; m++)
            Mma::template add<W>(acc[m], wgmma::k_major(a + m * 64 * ROW_BYTES + step * 32), weights<W>(w, step), (depth.blocks - 1) | step);
        wgmma::commit();
    }
    turn_over();
    wgmma::wait<0>();
    if (leader) {
        if (previous >= 0) ptx::arrive(shared + P::EMPTY + 8 * previous);
        ptx::arrive(shared + P::EMPTY + 8 * ring.stage);
    }
    ring.advance();
}

// Adds bias and old values where wanted, rounds once and stores a tile, 64 columns at a time through this warpgroup's staging rows.
template <typename P>
__device__ __forceinline__ void store(const float (&acc)[2][P::COLUMNS / 2], const Product& p, const Tile& tile, int n0, uint32_t staging, int warpgroup) {
    const int t = threadIdx.x % WARPGROUP, warp = t / 32, lane = t % 32;
    const uint32_t row_part = staging + t / 8 * P::STAGING_ROW + t % 8 * 16;      // rows t / 8, t / 8 + 16, .. of 8 columns each
    const uint32_t fragment = staging + (warp * 16 + (lane & 15)) * P::STAGING_ROW + lane / 16 * 16;
#pragma unroll
    for (int c = 0; c < P::COLUMNS / 64; c++) {
        const int column = n0 + c * 64 + t % 8 * 8;
        if (n0 + c * 64 >= p.n) break;
        ptx::sync_named(STORE + warpgroup, WARPGROUP);        // the last chunk has left the staging rows
        if (P::EXTRAS && p.accumulate) {
            bf16* const out = p.c + static_cast<long long>(tile.first + t / 8) * p.ldc + column;
#pragma unroll 1
            for (int r = t / 8, i = 0; r < tile.rows; r += 16, i++) {
                if (column < p.n) ptx::store16(row_part + i * 16 * P::STAGING_ROW, *reinterpret_cast<const uint4*>(out + static_cast<long long>(i) * 16 * p.ldc));
            }
            ptx::sync_named(STORE + warpgroup, WARPGROUP);
        }
#pragma unroll
        for (int m = 0; m < 2; m++) {
            if (m == 1 && tile.rows <= 64) break;
#pragma unroll
            for (int j = 0; j < 8; j += 2) {
                float v[8];
#pragma unroll
                for (int i = 0; i < 8; i++) v[i] = acc[m][(c * 8 + j) * 4 + i];
                const uint32_t at = fragment + m * 64 * P::STAGING_ROW + j * 16;
                if (P::EXTRAS && p.accumulate) {
                    uint32_t old[4];
                    ptx::load_matrices(old, at);
#pragma unroll
                    for (int i = 0; i < 4; i++) v[2 * i] += low(old[i]), v[2 * i + 1] += high(old[i]);
                }
                if (P::EXTRAS && p.bias != nullptr) {
#pragma unroll
                    for (int h = 0; h < 2; h++) {             // columns come in eights: all of them exist or none
                        if (n0 + c * 64 + (j + h) * 8 >= p.n) break;
                        const uint32_t two = *reinterpret_cast<const uint32_t*>(p.bias + n0 + lane % 4 * 2 + c * 64 + (j + h) * 8);
                        v[h * 4] += low(two), v[h * 4 + 1] += high(two), v[h * 4 + 2] += low(two), v[h * 4 + 3] += high(two);
                    }
                }
                ptx::store_matrices(at, pack(v[0], v[1]), pack(v[2], v[3]), pack(v[4], v[5]), pack(v[6], v[7]));
            }
        }
        ptx::sync_named(STORE + warpgroup, WARPGROUP);
        bf16* const out = p.c + static_cast<long long>(tile.first + t / 8) * p.ldc + column;
#pragma unroll 2
        for (int i = 0; i < ROWS / 16; i++) {
            if (t / 8 + i * 16 < tile.rows && column < p.n) {
                *reinterpret_cast<uint4*>(out + static_cast<long long>(i) * 16 * p.ldc) = ptx::load16(row_part + i * 16 * P::STAGING_ROW);
            }
        }
    }
}

template <typename P, wgmma::Major W>
__device__ __forceinline__ void run(const CUtensorMap& a, const CUtensorMap& w, const CUtensorMap& z, const CUtensorMap& u, const Product& p) {
    extern __shared__ __align__(1024) uint8_t dynamic[];
    const uint32_t shared = ptx::shared_address(dynamic), full = shared + P::FULL, empty = shared + P::EMPTY;
    const int warpgroup = threadIdx.x / WARPGROUP;
    if (threadIdx.x == 0) {
        for (int s = 0; s < P::STAGES; s++) {
            ptx::init_barrier(full + 8 * s, 1);
            ptx::init_barrier(empty + 8 * s, 1);
        }
        ptx::publish_barriers();
    }
    __syncthreads();
    const Schedule schedule(p.rows, (p.n + P::COLUMNS - 1) / P::COLUMNS);
    const Depth depth(p.k, p.rank);
    Ring<P::STAGES> ring;

    if (warpgroup == 0) {
        ptx::give_registers<24>();
        if (threadIdx.x / 32 != 0 || !ptx::elected()) return;
        for (int work = blockIdx.x; work < schedule.total; work += gridDim.x) {
            int column;
            const Tile tile = schedule.at(work, column);
            const int n0 = column * P::COLUMNS;
            for (int block = 0; block < depth.blocks; block++) {
                ptx::wait(empty + 8 * ring.stage, ring.phase ^ 1);
                const uint32_t to = shared + ring.stage * P::STAGE, barrier = full + 8 * ring.stage;
                const bool update = block >= depth.weight_blocks;
                const int k0 = (update ? block - depth.weight_blocks : block) * DEPTH;
                ptx::arrive_expecting(barrier, P::STAGE);
                ptx::load_box(to, update ? z : a, barrier, k0, tile.first);
                if constexpr (W == wgmma::K_MAJOR) ptx::load_box(to + A_BYTES, update ? u : w, barrier, k0, n0, tile.expert);
                else ptx::load_box(to + A_BYTES, update ? u : w, barrier, 0, k0, n0 / 64, tile.expert);
                ring.advance();
            }
        }
    } else {
        ptx::take_registers<240>();
        const int own = warpgroup - 1;
        const bool leader = threadIdx.x % WARPGROUP == 0;
        const uint32_t staging = shared + P::STAGING_AT + own * P::STAGING;
        if (own == 1) ptx::arrive_named(TURN, 2 * WARPGROUP);  // the other goes first
        else ptx::sync_named(TURN, 2 * WARPGROUP);
        bool first = own == 0;                                // its first turn has been taken
        if (own == 1) ring.advance(depth.blocks);
        for (int work = blockIdx.x + own * gridDim.x; work < schedule.total; work += 2 * gridDim.x) {
            int column;
            const Tile tile = schedule.at(work, column);
            float acc[2][P::COLUMNS / 2];
            if (!first) ptx::sync_named(TURN + own, 2 * WARPGROUP);
            first = false;
            const auto turn_over = [&] {
                if (work + static_cast<int>(gridDim.x) < schedule.total) ptx::arrive_named(TURN + (own ^ 1), 2 * WARPGROUP);
            };
            if (tile.rows > 64) multiply<P, W, 2>(acc, ring, shared, depth, leader, turn_over);
            else multiply<P, W, 1>(acc, ring, shared, depth, leader, turn_over);
            store<P>(acc, p, tile, column * P::COLUMNS, staging, own);
            ring.advance(depth.blocks);                       // the other warpgroup's stages
        }
    }
}

}  // namespace linear

static_assert(linear::Plan<LINEAR_WIDE_COLUMNS, 4>::SHARED_BYTES == LINEAR_WIDE_SHARED_BYTES);
static_assert(linear::Plan<LINEAR_NARROW_COLUMNS, 5>::SHARED_BYTES == LINEAR_NARROW_SHARED_BYTES);

#define LINEAR(NAME, MAJOR, COLUMNS, STAGES)                                                                                                \
    extern "C" __global__ void __launch_bounds__(grouped::THREADS, 1)                                                                      \
    linear_##NAME##_##COLUMNS(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap w,                                \
                              const __grid_constant__ CUtensorMap z, const __grid_constant__ CUtensorMap u,                                \
                              const __grid_constant__ linear::Product p) {                                                                 \
        linear::run<linear::Plan<COLUMNS, STAGES>, wgmma::MAJOR>(a, w, z, u, p);                                                           \
    }
LINEAR(forward, K_MAJOR, 192, 4)
LINEAR(forward, K_MAJOR, 128, 5)
LINEAR(backward, MN_MAJOR, 192, 4)
LINEAR(backward, MN_MAJOR, 128, 5)
#undef LINEAR
