/* Matrix product with a low-rank update inside, dense: C[c_rows[r], n] (+)= sum_k A[r, k] W(k, n) + sum_j Z[r, j] U(j, n) + bias[n].
 * Each multiplying warpgroup owns a whole tile; while one multiplies, the other stores and begins the next, so only the first and last
 * stores of a block show. The update is a few more steps of the same sum into the same accumulators, so W + U Z never exists and the
 * result is rounded once.
 * Shapes    A [rows, lda]  Z [rows, rank]  C [*, ldc]  bf16; bias [n] f32 or bf16, or null
 *           hopper_pingpong_nt_*: W [n, k], U [n, rank]   W(k, n) = W[n, k]
 *           hopper_pingpong_nn_*: W [k, n], U [rank, n]   W(k, n) = W[k, n]; the same bytes as in the forward pass
 *           of `rows` rows limit[0] - limit_offset exist, all without a limit
 * Maps      all bf16, 128-byte swizzle, zeros outside; strides multiples of 16 bytes; without an update z and u are never read
 *           a {k, rows} box {64, 64}   z {rank, rows} box {64, 64}
 *           nt: w {k, n, 1} box {64, COLUMNS, 1}, u {rank, n, 1} the same box
 *           nn: w {64, k, n / 64, 1} strides {2 n, 128, 2 k n} box {64, 64, COLUMNS / 64, 1}, u {64, rank, n / 64, 1} alike
 * Requires  compute capability 9.0; nt: k % 8 == 0, n % 8 == 0; nn: n % 64 == 0; rank, lda, ldc % 8 == 0; k > 64 or an update      Accumulates fp32
 * Launch    grid min(output tiles, multiprocessors), block 384, dynamic shared Plan::SHARED_BYTES (tiles.h); no cluster
 * Bound by  the matrix unit      Source  Hu et al. 2021 eq. 3
 * Twin      HopperGemm.java */
#include "dense.cuh"

namespace pingpong {

using namespace dense;

using Product = dense::Product<1>;
using Maps = dense::Maps<1>;

// Shared memory: STAGES x (A | W), staging x 2, barriers, tickets.
template <int COLUMNS_, int STAGES_>
struct Plan {
    static constexpr int COLUMNS = COLUMNS_, STAGES = STAGES_;
    static constexpr uint32_t W_BYTES = COLUMNS * ROW_BYTES, STAGE = A_BYTES + W_BYTES;
    static constexpr uint32_t STAGING = ROWS * STAGING_ROW, STAGING_AT = STAGES * STAGE;
    static constexpr uint32_t FULL = STAGING_AT + 2 * STAGING, EMPTY = FULL + 8 * STAGES, TICKETS = EMPTY + 8 * STAGES;
    static constexpr uint32_t SHARED_BYTES = TICKETS + Tickets::BYTES;
    __device__ __forceinline__ static Schedule schedule(const Product& p) { return Schedule(p.rows, (p.layer[0].n + COLUMNS - 1) / COLUMNS); }
    static_assert(SHARED_BYTES <= 232448, "more shared memory than a block of compute capability 9.0 can have");
};

enum End : int { FIRST_END = -1, LAST_END = -2 };             // one for each multiplying warpgroup
enum NamedBarrier : int { TURN = 1, STORE = 3 };   // + warpgroup: its turn to multiply; its own 128 threads

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
    const auto issue = [&] {
        ptx::wait(shared + P::FULL + 8 * ring.stage, ring.phase);
        const uint32_t a = shared + ring.stage * P::STAGE, w = a + A_BYTES;
        wgmma::fence();
#pragma unroll
        for (int step = 0; step < DEPTH / 16; step++)
#pragma unroll
            for (int m = 0; m < BLOCKS; m++)
                Mma::template add<W>(acc[m], wgmma::k_major(a + m * A_HALF + step * 32), weights<W>(w, step), 1);
        wgmma::commit();
    };
    issue();                                                  // before the loop: inside, sums that ordinary code began would serialise it
    int previous = ring.stage;
    ring.advance();
    for (int block = 1; block < depth.blocks - 1; block++) {
        issue();
        wgmma::wait<1>();
        if (leader) ptx::arrive(shared + P::EMPTY + 8 * previous);
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
            const bool update = block >= depth.weight_blocks;
            const int k0 = (update ? block - depth.weight_blocks : block) * DEPTH;
            ptx::arrive_expecting(barrier, P::W_BYTES + left_bytes(tile));
            load_left(to, update ? maps.z[0] : maps.a[0], barrier, k0, tile);
            load_right<W>(to + A_BYTES, update ? maps.u[0] : maps.w[0], barrier, k0, column * P::COLUMNS, tile.expert);
            ring.advance();
        }
    }
    tickets.write(FIRST_END);
    tickets.number++;
    tickets.write(LAST_END);
}

template <typename P, wgmma::Major W>
__device__ __forceinline__ void consume(const Product& p, uint32_t shared) {
    constexpr int GROUPS = P::COLUMNS / 8;
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
        const int n0 = column * P::COLUMNS;
        float acc[2][P::COLUMNS / 2];
        begin_sums(acc, layer, p.c_rows, p.accumulate, tile.first, tile.rows, n0);
        ptx::sync_named(TURN + own, 2 * WARPGROUP);
        const auto turn_over = [&] { ptx::arrive_named(TURN + (own ^ 1), 2 * WARPGROUP); };
        if (tile.rows > 64) multiply<P, W, 2>(acc, ring, shared, depth, leader, turn_over);
        else multiply<P, W, 1>(acc, ring, shared, depth, leader, turn_over);
        const Target target{layer.c, p.c_rows, layer.ldc, tile.first, tile.rows, shared + P::STAGING_AT + own * P::STAGING, STORE + own};
        add_bias<0, GROUPS / 2>(acc, layer, n0);              // in halves: all at once would spill
        __syncwarp();
        add_bias<GROUPS / 2, GROUPS>(acc, layer, n0 + GROUPS / 2 * 8);
        store<0, GROUPS>(acc, target, n0, layer.n);
        ring.advance(depth.blocks);                           // the other warpgroup's stages
        tickets.number++;                                     // and its ticket
    }
    ptx::sync_named(TURN + own, 2 * WARPGROUP);               // no turn stays open: the first to end gives it to the last
    if (work == FIRST_END) ptx::arrive_named(TURN + (own ^ 1), 2 * WARPGROUP);
}

template <typename P, wgmma::Major W>
__device__ __forceinline__ void run(const Maps& maps, const Product& p) {
    extern __shared__ __align__(1024) uint8_t dynamic[];
    const uint32_t shared = ptx::shared_address(dynamic);
    const int warpgroup = threadIdx.x / WARPGROUP;
    begin(P::STAGES, shared + P::FULL, 1, shared + P::EMPTY, 1, shared + P::TICKETS);
    if (warpgroup == 0) {
        ptx::give_registers<24>();
        if (threadIdx.x < 32 && ptx::elected()) produce<P, W>(maps, p, shared);
    } else {
        ptx::take_registers<240>();
        consume<P, W>(p, shared);
    }
}

}  // namespace pingpong

static_assert(pingpong::Plan<PINGPONG_WIDE_COLUMNS, 4>::SHARED_BYTES == PINGPONG_WIDE_SHARED_BYTES);
static_assert(pingpong::Plan<PINGPONG_NARROW_COLUMNS, 5>::SHARED_BYTES == PINGPONG_NARROW_SHARED_BYTES);

#define PINGPONG(NAME, MAJOR, COLUMNS, STAGES)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(dense::THREADS, 1)                                                                          \
    hopper_pingpong_##NAME##_##COLUMNS(const __grid_constant__ pingpong::Maps maps, const __grid_constant__ pingpong::Product p) {             \
        pingpong::run<pingpong::Plan<COLUMNS, STAGES>, wgmma::MAJOR>(maps, p);                                                                 \
    }
PINGPONG(nt, K_MAJOR, 192, 4)
PINGPONG(nn, MN_MAJOR, 192, 4)
PINGPONG(nt, K_MAJOR, 128, 5)
PINGPONG(nn, MN_MAJOR, 128, 5)
#undef PINGPONG
