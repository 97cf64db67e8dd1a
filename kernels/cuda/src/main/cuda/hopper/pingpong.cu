/* Matrix product with a low-rank update inside, dense or grouped: C[c_rows[r], n] (+)= sum_k A[a_rows[r], k] W(k, n) + sum_j Z[r, j] U(j, n) + bias[n].
 * Each multiplying warpgroup owns a whole tile; while one multiplies, the other stores and begins the next, so only the first and last
 * stores of a block show. The update is a few more steps of the same sum into the same accumulators, so W + U Z never exists and the
 * result is rounded once.
 * Shapes    A [*, lda]  Z [rows, rank]  C [*, ldc]  bf16; bias [n] or [experts, n] f32 or bf16, or null
 *           hopper_pingpong_nt_*: W [experts, n, k], U [experts, n, rank]   W(k, n) = W[n, k]
 *           hopper_pingpong_nn_*: W [experts, k, n], U [experts, rank, n]   W(k, n) = W[k, n]; the same bytes as in the forward pass
 *           tiles, tile_count: written by expert_tiles; tiles null for one matrix of `rows` rows, of which limit[0] - limit_offset exist
 * Maps      all bf16, 128-byte swizzle, zeros outside; strides multiples of 16 bytes; without an update z and u are never read
 *           a {k, rows} box {64, 64} (not read by _gather)   z {rank, rows} box {64, 64}
 *           nt: w {k, n, experts} box {64, COLUMNS, 1}, u {rank, n, experts} the same box
 *           nn: w {64, k, n / 64, experts} strides {2 n, 128, 2 k n} box {64, 64, COLUMNS / 64, 1}, u {64, rank, n / 64, experts} alike
 * Requires  compute capability 9.0; nt: k % 8 == 0, n % 8 == 0; nn: n % 64 == 0; rank, lda, ldc % 8 == 0; k > 64 or an update;
 *           _gather: A 16-byte aligned, zero in columns k .. lda-1, fewer than 2^32 - 1 elements      Accumulates fp32
 * Launch    grid min(output tiles, multiprocessors), block 384, dynamic shared Plan::SHARED_BYTES (tiles.h); no cluster
 * Bound by  the matrix unit at 128 rows an expert and more, else bandwidth of W      Source  Hu et al. 2021 eq. 3; grouping: MegaBlocks
 * Twin      HopperGemm.java */
#include "../common/activation.cuh"
#include "grouped.cuh"

namespace pingpong {

using namespace grouped;

using Product = grouped::Product<1>;
using Maps = grouped::Maps<1>;

constexpr int NONE = -1;                                      // no activation

// Shared memory: STAGES x (A | W), staging x 2, where gathered rows begin, barriers, tickets.
template <int COLUMNS_, int STAGES_, bool GATHER_, int ACTIVATION_ = NONE>
struct Plan {
    static constexpr int COLUMNS = COLUMNS_, STAGES = STAGES_, ACTIVATION = ACTIVATION_;
    static constexpr int WIDTH = ACTIVATION == NONE ? COLUMNS : COLUMNS / 2;      // columns of C in a tile: gate and up give one
    static constexpr bool GATHER = GATHER_;
    static constexpr uint32_t W_BYTES = COLUMNS * ROW_BYTES, STAGE = A_BYTES + W_BYTES;
    static constexpr uint32_t STAGING = ROWS * STAGING_ROW, STAGING_AT = STAGES * STAGE, OFFSETS = STAGING_AT + 2 * STAGING;
    static constexpr uint32_t FULL = OFFSETS + ROWS * 4, EMPTY = FULL + 8 * STAGES, TICKETS = EMPTY + 8 * STAGES;
    static constexpr uint32_t SHARED_BYTES = TICKETS + Tickets::BYTES;
    __device__ __forceinline__ static Schedule schedule(const Product& p) { return Schedule(p.rows, (p.layer[0].n + WIDTH - 1) / WIDTH); }
    static_assert(SHARED_BYTES <= 232448, "more shared memory than a block of compute capability 9.0 can have");
};

enum End : int { FIRST_END = -1, LAST_END = -2 };             // one for each multiplying warpgroup
enum NamedBarrier : int { TURN = 1, STORE = 3, GATHERERS = 5 };   // + warpgroup: its turn to multiply; its own 128 threads

// The sum over k in blocks of DEPTH: first those of A and W, then those of the update, Z and U. Only the last block may be shorter.
struct Depth {
    int weight_blocks, blocks, last_steps;                    // last_steps: products of 16 k in the last block
    __device__ __forceinline__ explicit Depth(const Layer& layer) {
        const int k = layer.k, rank = layer.rank, update_blocks = (rank + DEPTH - 1) / DEPTH, last = rank > 0 ? rank - (update_blocks - 1) * DEPTH : k - (k - 1) / DEPTH * DEPTH;
        weight_blocks = (k + DEPTH - 1) / DEPTH;
        blocks = weight_blocks + update_blocks;
        last_steps = (last + 15) / 16;
    }
};

// Adds one tile with BLOCKS x 64 rows, in at least two blocks. Releases every stage; `turn_over` runs when the last product is issued.
template <typename P, wgmma::Major W, int BLOCKS, typename TurnOver>
__device__ __forceinline__ void multiply(float (&acc)[2][P::COLUMNS / 2], Ring<P::STAGES>& ring, uint32_t shared, const Depth& depth, bool leader,
                                         TurnOver turn_over) {
    using Mma = wgmma::Product<P::COLUMNS>;
    const auto wait_full = [&] {
        ptx::wait(shared + P::FULL + 8 * ring.stage, ring.phase);
        if constexpr (P::GATHER) ptx::fence_async_shared();   // ordinary copies, now seen by this thread, before the matrix unit reads them
    };
    const auto issue = [&](bool begun) {
        wait_full();
        const uint32_t a = shared + ring.stage * P::STAGE, w = a + A_BYTES;
        wgmma::fence();
#pragma unroll
        for (int step = 0; step < DEPTH / 16; step++)
#pragma unroll
            for (int m = 0; m < BLOCKS; m++)
                Mma::template add<W>(acc[m], wgmma::k_major(a + m * A_HALF + step * 32), weights<W>(w, step), begun || step > 0);
        wgmma::commit();
    };
    issue(P::ACTIVATION == NONE);                             // before the loop: inside, sums that ordinary code began would serialise it
    int previous = ring.stage;
    ring.advance();
    for (int block = 1; block < depth.blocks - 1; block++) {
        issue(true);
        wgmma::wait<1>();
        if (leader) ptx::arrive(shared + P::EMPTY + 8 * previous);
        previous = ring.stage;
        ring.advance();
    }
    wait_full();
    const uint32_t a = shared + ring.stage * P::STAGE, w = a + A_BYTES;
#pragma unroll 1
    for (int step = 0; step < depth.last_steps; step++) {
        wgmma::fence();
#pragma unroll
        for (int m = 0; m < BLOCKS; m++)
            Mma::template add<W>(acc[m], wgmma::k_major(a + m * A_HALF + step * 32), weights<W>(w, step), 1);
        wgmma::commit();
    }
    turn_over();
    wgmma::wait<0>();
    if (leader) {
        ptx::arrive(shared + P::EMPTY + 8 * previous);
        ptx::arrive(shared + P::EMPTY + 8 * ring.stage);
    }
    ring.advance();
}

// One thread: draws tiles and brings their boxes.
template <typename P, wgmma::Major W>
__device__ __forceinline__ void produce(const Maps& maps, const Product& p, uint32_t shared) {
    const Schedule schedule = P::schedule(p);
    const Depth depth(p.layer[0]);
    Ring<P::STAGES> ring;
    Draws draws{p.drawn, schedule.total};
    Tickets tickets{shared + P::TICKETS};
    for (int work; (work = draws.next()) >= 0; tickets.number++) {
        tickets.write(work);
        int column;
        const Tile tile = schedule.at(work, column);
        for (int block = 0; block < depth.blocks; block++) {
            ptx::wait(shared + P::EMPTY + 8 * ring.stage, ring.phase ^ 1);
            const uint32_t to = shared + ring.stage * P::STAGE, barrier = shared + P::FULL + 8 * ring.stage;
            const bool update = block >= depth.weight_blocks, boxed = update || !P::GATHER;
            const int k0 = (update ? block - depth.weight_blocks : block) * DEPTH;
            ptx::arrive_expecting(barrier, P::W_BYTES + (boxed ? left_bytes(tile) : 0));
            if (boxed) load_left(to, update ? maps.z[0] : maps.a[0], barrier, k0, tile);
            const CUtensorMap& right = update ? maps.u[0] : maps.w[0];
            if constexpr (P::ACTIVATION == NONE) {
                load_right<W>(to + A_BYTES, right, barrier, k0, column * P::COLUMNS, tile.expert);
            } else {
                ptx::load_box(to + A_BYTES, right, barrier, k0, column * P::WIDTH, 0, tile.expert);
                ptx::load_box(to + A_BYTES + P::W_BYTES / 2, right, barrier, k0, column * P::WIDTH, 1, tile.expert);
            }
            ring.advance();
        }
    }
    tickets.write(FIRST_END);
    tickets.number++;
    tickets.write(LAST_END);
}

// 64 threads bring the rows of A: thread t chunk t % 8 of rows t / 8, t / 8 + 8, .. Where they begin is kept in shared memory, since this
// warpgroup has no registers to spare. Chunks beyond k are zero; rows that the tile lacks stay as they are, they are never stored.
template <typename P>
__device__ __forceinline__ void gather(const Product& p, uint32_t shared) {
    constexpr int GATHERING = 64, EACH = ROWS / 8;
    constexpr uint32_t ABSENT = ~0u;
    const Depth depth(p.layer[0]);
    const int t = threadIdx.x % GATHERING;
    const uint32_t offsets = shared + P::OFFSETS, inside = t / 8 * ROW_BYTES + (((t % 8) ^ (t / 8)) << 4);
    Ring<P::STAGES> ring;
    Tickets tickets{shared + P::TICKETS};
    for (int work; (work = tickets.read()) >= 0;) {
        int column;
        const Tile tile = P::schedule(p).at(work, column);
        ptx::sync_named(GATHERERS, GATHERING);                // the tile before has been started
#pragma unroll
        for (int i = 0; i < ROWS / GATHERING; i++) {
            const int r = i * GATHERING + t;
            const uint32_t from = r < tile.rows ? static_cast<uint32_t>(p.a_rows[tile.first + r]) * static_cast<uint32_t>(p.lda) : ABSENT;
            ptx::store4(offsets + (r % 8 * EACH + r / 8) * 4, from);
        }
        ptx::sync_named(GATHERERS, GATHERING);
        for (int block = 0; block < depth.blocks; block++) {
            ptx::wait(shared + P::EMPTY + 8 * ring.stage, ring.phase ^ 1);
            if (block < depth.weight_blocks) {
                const uint32_t to = shared + ring.stage * P::STAGE + inside;
                const int k0 = block * DEPTH + t % 8 * 8;
                const bf16* const columns = p.a + k0;
#pragma unroll
                for (int i = 0; i < EACH; i += 2) {
                    const uint2 from = ptx::load8(offsets + (t / 8 * EACH + i) * 4);
                    if (from.x != ABSENT) ptx::copy16(to + i * 8 * ROW_BYTES, columns + from.x, k0 < p.layer[0].k);
                    if (from.y != ABSENT) ptx::copy16(to + (i + 1) * 8 * ROW_BYTES, columns + from.y, k0 < p.layer[0].k);
                }
            }
            ptx::arrive_after_copies(shared + P::FULL + 8 * ring.stage);
            ring.advance();
        }
    }
    ptx::wait_copies<0>();
}

// Adds the bias and stores a tile; with an activation gate and up as they are, where wanted, and then what it makes of their rounded values.
template <typename P>
__device__ __forceinline__ void finish(float (&acc)[2][P::COLUMNS / 2], const Product& p, bf16* gate_up, const Target& target, int expert, int n0) {
    constexpr int GROUPS = P::WIDTH / 8;
    const Layer& layer = p.layer[0];
    if constexpr (P::ACTIVATION == NONE) {
        const long long bias = static_cast<long long>(expert) * layer.n;
        add_bias<0, GROUPS / 2>(acc, layer, bias, n0);        // in halves: all at once would spill
        __syncwarp();
        add_bias<GROUPS / 2, GROUPS>(acc, layer, bias, n0 + GROUPS / 2 * 8);
        store<0, GROUPS>(acc, target, n0, layer.n);
    } else {
        const long long bias = 2ll * expert * layer.n;
        add_bias<0, GROUPS>(acc, layer, bias, n0);
        add_bias<GROUPS, 2 * GROUPS>(acc, layer, bias + layer.n, n0);
        if (gate_up != nullptr) {
            Target both = target;
            both.c = gate_up, both.stride = 2 * layer.n;
            store<0, GROUPS>(acc, both, n0, layer.n);
            both.c = gate_up + layer.n;
            store<GROUPS, 2 * GROUPS>(acc, both, n0, layer.n);
        }
#pragma unroll
        for (int j = 0; j < GROUPS; j++) {
#pragma unroll
            for (int m = 0; m < 2; m++)
#pragma unroll
                for (int i = 4 * j; i < 4 * j + 4; i++)
                    acc[m][i] = activation::evaluate<P::ACTIVATION>(rounded(acc[m][i]), rounded(acc[m][GROUPS * 4 + i])).out;
            __syncwarp();                                     // a few at a time: all at once would spill
        }
        store<0, GROUPS>(acc, target, n0, layer.n);
    }
}

template <typename P, wgmma::Major W>
__device__ __forceinline__ void consume(const Product& p, bf16* gate_up, uint32_t shared) {
    const int own = threadIdx.x / WARPGROUP - 1;
    const bool leader = threadIdx.x % WARPGROUP == 0;
    const Layer& layer = p.layer[0];
    const Schedule schedule = P::schedule(p);
    const Depth depth(layer);
    Ring<P::STAGES> ring;
    Tickets tickets{shared + P::TICKETS};
    if (own == 1) {
        ptx::arrive_named(TURN, 2 * WARPGROUP);               // the other goes first
        ring.advance(depth.blocks);
        tickets.number++;
    }
    int work;
    while ((work = tickets.read()) >= 0) {
        int column;
        const Tile tile = schedule.at(work, column);
        const int n0 = column * P::WIDTH;
        float acc[2][P::COLUMNS / 2];
        if constexpr (P::ACTIVATION == NONE) begin_sums(acc, layer, p.c_rows, p.accumulate, tile.first, tile.rows, n0);
        ptx::sync_named(TURN + own, 2 * WARPGROUP);
        const auto turn_over = [&] { ptx::arrive_named(TURN + (own ^ 1), 2 * WARPGROUP); };
        if (tile.rows > 64) multiply<P, W, 2>(acc, ring, shared, depth, leader, turn_over);
        else multiply<P, W, 1>(acc, ring, shared, depth, leader, turn_over);
        finish<P>(acc, p, gate_up, {layer.c, p.c_rows, layer.ldc, tile.first, tile.rows, shared + P::STAGING_AT + own * P::STAGING, STORE + own}, tile.expert,
                  n0);
        ring.advance(depth.blocks);                           // the other warpgroup's stages
        tickets.number++;                                     // and its ticket
    }
    ptx::sync_named(TURN + own, 2 * WARPGROUP);               // no turn stays open: the first to end gives it to the last
    if (work == FIRST_END) ptx::arrive_named(TURN + (own ^ 1), 2 * WARPGROUP);
}

template <typename P, wgmma::Major W>
__device__ __forceinline__ void run(const Maps& maps, const Product& p, bf16* gate_up = nullptr) {
    extern __shared__ __align__(1024) uint8_t dynamic[];
    const uint32_t shared = ptx::shared_address(dynamic);
    const int warpgroup = threadIdx.x / WARPGROUP;
    if (threadIdx.x == 0) {
        for (int s = 0; s < P::STAGES; s++) {
            ptx::init_barrier(shared + P::FULL + 8 * s, P::GATHER ? 65 : 1);   // the copy engine's thread, and those that gather
            ptx::init_barrier(shared + P::EMPTY + 8 * s, 1);
        }
        Tickets::init(shared + P::TICKETS);
        ptx::publish_barriers();
    }
    __syncthreads();
    if (warpgroup == 0) {
        ptx::give_registers<24>();
        if (threadIdx.x < 32) {
            if (ptx::elected()) produce<P, W>(maps, p, shared);
        } else if (P::GATHER && threadIdx.x >= 64) {
            gather<P>(p, shared);
        }
    } else {
        ptx::take_registers<240>();
        consume<P, W>(p, gate_up, shared);
    }
}

}  // namespace pingpong

static_assert(pingpong::Plan<PINGPONG_WIDE_COLUMNS, 4, true>::SHARED_BYTES == PINGPONG_WIDE_SHARED_BYTES);
static_assert(pingpong::Plan<PINGPONG_NARROW_COLUMNS, 5, false>::SHARED_BYTES == PINGPONG_NARROW_SHARED_BYTES);

#define PINGPONG(NAME, MAJOR, COLUMNS, STAGES, GATHER)                                                                                          \
    extern "C" __global__ void __launch_bounds__(grouped::THREADS, 1)                                                                          \
    hopper_pingpong_##NAME(const __grid_constant__ pingpong::Maps maps, const __grid_constant__ pingpong::Product p) {                         \
        pingpong::run<pingpong::Plan<COLUMNS, STAGES, GATHER>, wgmma::MAJOR>(maps, p);                                                         \
    }
PINGPONG(nt_192, K_MAJOR, 192, 4, false)
PINGPONG(nn_192, MN_MAJOR, 192, 4, false)
PINGPONG(nt_192_gather, K_MAJOR, 192, 4, true)
PINGPONG(nn_192_gather, MN_MAJOR, 192, 4, true)
PINGPONG(nt_128, K_MAJOR, 128, 5, false)
PINGPONG(nn_128, MN_MAJOR, 128, 5, false)
#undef PINGPONG

// C is the activation [rows, n] of gate and up; these go to gate_up [rows, 2 n] where it is not null. bias [experts, 2 n].
// Maps: w {k, n, 2, experts} strides {2 k, 2 k n, 4 k n} box {64, 96, 1, 1}, u {rank, n, 2, experts} alike.
#define GATE_UP(NAME, KIND)                                                                                                                     \
    extern "C" __global__ void __launch_bounds__(grouped::THREADS, 1)                                                                          \
    hopper_gate_up_##NAME(const __grid_constant__ pingpong::Maps maps, const __grid_constant__ pingpong::Product p, bf16* gate_up) {           \
        pingpong::run<pingpong::Plan<PINGPONG_WIDE_COLUMNS, 4, true, activation::KIND>, wgmma::K_MAJOR>(maps, p, gate_up);                     \
    }
GATE_UP(swiglu, SWIGLU)
GATE_UP(clamped_swiglu, CLAMPED_SWIGLU)
#undef GATE_UP
