/* Matrix product with a low-rank update inside, of one dense layer or several: C[c_rows[r], n] (+)= sum_k A[a_rows[r], k] W(k, n) + sum_j Z[r, j] U(j, n) + bias[n].
 * Both multiplying warpgroups share a tile of 256 columns, which reads fewest bytes of A and W for its operations. The update is the last
 * step of the same sum: Z and U come as one more depth block, whose columns from `rank` on the copy engine fills with zeros. One set of
 * weight bytes serves both directions: the gradient reads W as a column-major right operand.
 * Shapes    A [*, lda]  Z [rows, rank]  C [*, ldc]  bf16; bias [n] f32 or bf16, or null; limit as portable/gemm.cu
 *           hopper_gemm_nt (forward): W [n, k], U [n, rank];   hopper_gemm_nn (gradient): W [k, n], U [rank, n]
 *           hopper_layers_nt: up to 4 such layers of one A, each with its own C;  hopper_layers_nn: up to 4 layers with A, Z, k and rank of their
 *           own, added into one C: the gradient of an input that they share
 * Maps      A {k, rows} box {64, 64}; Z {rank, rows} box {64, 64}; nt: W {k, n, 1}, U {rank, n, 1} box {64, 256, 1};
 *           nn: W {64, k, n / 64, 1}, U {64, rank, n / 64, 1} box {64, 64, 4, 1}; 128-byte swizzle, zeros outside
 * Requires  compute capability 9.0; lda, ldc, rank multiples of 8, rank <= 64; nt: k % 8 == 0, n % 8 == 0; nn: n % 64 == 0;
 *           _gather: one layer, A gathered by copies of 16 bytes      Accumulates fp32
 * Launch    grid min(output tiles, multiprocessors), block HOPPER_THREADS: one warpgroup brings tiles, two multiply 64 rows each; dynamic shared
 *           HOPPER_GEMM_SHARED_BYTES; no cluster
 * Bound by  wgmma, then the card's power      Source  Hu et al. 2021 eq. 3; CUTLASS's warp-specialised pipeline
 * Twin      HopperGemm.java */
#include "dense.cuh"

namespace hopper_gemm {

using namespace dense;

// Shared memory: STAGES x (A | W), staging, barriers, tickets.
constexpr int COLUMNS = HOPPER_GEMM_COLUMNS, STAGES = 4, LAYERS = HOPPER_GEMM_LAYERS;
constexpr uint32_t B_BYTES = COLUMNS * ROW_BYTES, STAGE = A_BYTES + B_BYTES;
constexpr uint32_t STAGING = STAGES * STAGE, FULL = STAGING + ROWS * STAGING_ROW, EMPTY = FULL + 8 * STAGES, TICKETS = EMPTY + 8 * STAGES;
static_assert(TICKETS + Tickets::BYTES == HOPPER_GEMM_SHARED_BYTES && HOPPER_GEMM_SHARED_BYTES <= 227 * 1024 && COLUMNS == 256);

enum NamedBarrier : int { GROUP = 1 };                        // + warpgroup: its own 128 threads

// The output tiles of all layers and which layer a tile belongs to. Backward all layers share the tiles, and each tile takes all layers.
template <wgmma::Major W, int N>
struct Work {
    const Product<N>& p;
    Schedule schedule;

    __device__ __forceinline__ static int columns(const Product<N>& p) {
        const Layer& last = p.layer[W == wgmma::K_MAJOR ? p.layers - 1 : 0];
        return last.first_column + (last.n + COLUMNS - 1) / COLUMNS;
    }
    __device__ __forceinline__ explicit Work(const Product<N>& product) : p(product), schedule(product.rows, columns(product)) {}

    // Layers from .. to - 1 are summed for the tile, which goes to layer `from`, columns from n0.
    __device__ __forceinline__ Tile tile(int work, int& from, int& to, int& n0) const {
        int column;
        const Tile tile = schedule.at(work, column);
        from = 0;
        if constexpr (W == wgmma::K_MAJOR) {
#pragma unroll
            for (int i = 1; i < N; i++)
                if (i < p.layers && column >= p.layer[i].first_column) from = i;
        }
        to = W == wgmma::K_MAJOR ? from + 1 : p.layers;
        n0 = (column - p.layer[from].first_column) * COLUMNS;
        return tile;
    }
};

__device__ __forceinline__ int blocks_of(const Layer& layer) { return (layer.k + DEPTH - 1) / DEPTH; }

template <wgmma::Major W, int N>
__device__ __forceinline__ void produce(const Maps<N>& maps, const Product<N>& p, uint32_t shared) {
    const Work<W, N> work(p);
    Ring<STAGES> ring;
    Draws draws{p.drawn, work.schedule.total};
    Tickets tickets{shared + TICKETS};
    for (int number; (number = draws.next()) >= 0; tickets.number++) {
        tickets.write(number);
        int from, to, n0;
        const Tile tile = work.tile(number, from, to, n0);
        const auto bring = [&](const CUtensorMap& left, const CUtensorMap& right, int k0) {
            ptx::wait(shared + EMPTY + 8 * ring.stage, ring.phase ^ 1);
            const uint32_t at = shared + ring.stage * STAGE, barrier = shared + FULL + 8 * ring.stage;
            ptx::arrive_expecting(barrier, left_bytes(tile) + B_BYTES);
            load_left(at, left, barrier, k0, tile);
            load_right<W>(at + A_BYTES, right, barrier, k0, n0, tile.expert);
            ring.advance();
        };
        for (int i = from; i < to; i++)
            for (int block = 0; block < blocks_of(p.layer[i]); block++) bring(maps.a[W == wgmma::K_MAJOR ? 0 : i], maps.w[i], block * DEPTH);
        for (int i = from; i < to; i++)
            if (p.layer[i].rank > 0) bring(maps.z[i], maps.u[i], 0);
    }
    tickets.write(-1);
}

// As `produce`, with the rows of A gathered by all 128 threads.
template <wgmma::Major W>
__device__ __forceinline__ void produce_gathered(const Maps<1>& maps, const Product<1>& p, uint32_t shared) {
    const Work<W, 1> work(p);
    const Layer& layer = p.layer[0];
    const int t = threadIdx.x, blocks = blocks_of(layer);
    const bool lead = t == 0;
    Ring<STAGES> ring;
    Draws draws{p.drawn, work.schedule.total};
    Tickets tickets{shared + TICKETS};
    for (;;) {
        if (lead) tickets.write(draws.next());
        const int number = tickets.read();
        if (number < 0) break;
        int from, to, n0;
        const Tile tile = work.tile(number, from, to, n0);
        const bf16* row[8];
        uint32_t inside = 0;
#pragma unroll
        for (int i = 0; i < 8; i++) {                         // 16 rows of 8 chunks a pass
            const int r = i * 16 + t / 8;
            const bool in = r < tile.rows;
            inside |= static_cast<uint32_t>(in) << i;
            row[i] = p.a + static_cast<long long>(in ? p.a_rows[tile.first + r] : 0) * p.lda + t % 8 * 8;
        }
        for (int block = 0; block < blocks + (layer.rank > 0); block++) {
            ptx::wait(shared + EMPTY + 8 * ring.stage, ring.phase ^ 1);
            const uint32_t at = shared + ring.stage * STAGE, barrier = shared + FULL + 8 * ring.stage;
            const bool update = block == blocks;
            if (!update) {
                const bool columns = block * DEPTH + t % 8 * 8 < layer.k;
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    const int r = i * 16 + t / 8, c = t % 8;
                    ptx::copy16(at + r * ROW_BYTES + ((c ^ (r & 7)) << 4), row[i] + block * DEPTH, columns && (inside >> i & 1));
                }
            }
            if (lead) {
                ptx::arrive_expecting(barrier, B_BYTES + (update ? left_bytes(tile) : 0));
                if (update) load_left(at, maps.z[0], barrier, 0, tile);
                load_right<W>(at + A_BYTES, update ? maps.u[0] : maps.w[0], barrier, update ? 0 : block * DEPTH, n0, tile.expert);
            }
            ptx::arrive_after_copies(barrier);
            ring.advance();
        }
    }
    ptx::wait_copies<0>();
}

template <wgmma::Major W, int N, bool GATHER>
__device__ __forceinline__ void consume(const Product<N>& p, uint32_t shared) {
    using Mma = wgmma::Product<COLUMNS>;
    const Work<W, N> work(p);
    const int group = threadIdx.x / WARPGROUP - 1, row0 = group * 64;
    const bool lead = threadIdx.x % WARPGROUP == 0;
    Ring<STAGES> ring;
    Tickets tickets{shared + TICKETS};
    const auto wait_full = [&] {
        ptx::wait(shared + FULL + 8 * ring.stage, ring.phase);
        if constexpr (GATHER) ptx::fence_async_shared();      // ordinary copies, now seen by this thread, before the matrix unit reads them
    };
    const auto release = [&](int stage) { if (lead) ptx::arrive(shared + EMPTY + 8 * stage); };
    const auto add = [&](float (&acc)[1][COLUMNS / 2], int step) {
        const uint32_t a = shared + ring.stage * STAGE + row0 * ROW_BYTES, w = shared + ring.stage * STAGE + A_BYTES;
        Mma::template add<W>(acc[0], wgmma::k_major(a + step * 32), weights<W>(w, step), 1);
    };
    for (int number; (number = tickets.read()) >= 0;) {
        int from, to, n0;
        const Tile tile = work.tile(number, from, to, n0);
        int blocks = 0;
        for (int i = from; i < to; i++) blocks += blocks_of(p.layer[i]);
        if (tile.rows <= row0) {                              // the second warpgroup only hands the stages of a short tile back
            for (int i = from; i < to; i++) blocks += p.layer[i].rank > 0;
            if (lead) {
                for (; blocks > 0; blocks--) {
                    wait_full();
                    release(ring.stage);
                    ring.advance();
                }
            } else {
                ring.advance(blocks);
            }
            ptx::sync_named(GROUP + group, WARPGROUP);        // or the others would see an old phase of a barrier as the next one
            continue;
        }
        float acc[1][COLUMNS / 2];
        const Layer& layer = p.layer[from];
        begin_sums(acc, layer, p.c_rows, p.accumulate, tile.first + row0, tile.rows - row0, n0);
        const auto issue = [&] {
            wait_full();
            wgmma::fence();
#pragma unroll
            for (int step = 0; step < DEPTH / 16; step++) add(acc, step);
            wgmma::commit();
        };
        issue();                                              // before the loop: inside, sums that ordinary code began would serialise it
        int before = ring.stage;                              // stage of the product still in flight
        ring.advance();
        for (int block = 1; block < blocks; block++) {
            issue();
            wgmma::wait<1>();
            release(before);
            before = ring.stage;
            ring.advance();
        }
        for (int i = from; i < to; i++) {                     // the low-rank updates
            const int rank = p.layer[i].rank;
            if (rank == 0) continue;
            wait_full();
            for (int step = 0; step * 16 < rank; step++) {
                wgmma::fence();
                add(acc, step);
                wgmma::commit();
                wgmma::wait<0>();
            }
            release(before);
            before = ring.stage;
            ring.advance();
        }
        wgmma::wait<0>();
        release(before);
        const Target target{layer.c, p.c_rows, layer.ldc, tile.first + row0, tile.rows - row0, shared + STAGING + row0 * STAGING_ROW, GROUP + group};
        add_bias<0, COLUMNS / 8>(acc, layer, n0);
        store<0, COLUMNS / 8>(acc, target, n0, layer.n);
    }
}

template <wgmma::Major W, int N, bool GATHER>
__device__ __forceinline__ void run(const Maps<N>& maps, const Product<N>& p) {
    extern __shared__ __align__(1024) uint8_t dynamic[];
    const uint32_t shared = ptx::shared_address(dynamic);
    // Filled by every gathering thread and the copy engine's leader, or by the latter alone; emptied by both multiplying warpgroups.
    begin(STAGES, shared + FULL, GATHER ? WARPGROUP + 1 : 1, shared + EMPTY, 2, shared + TICKETS);
    if (threadIdx.x < WARPGROUP) {
        if constexpr (GATHER) {
            ptx::give_registers<72>();
            produce_gathered<W>(maps, p, shared);
        } else {
            ptx::give_registers<40>();
            if (threadIdx.x < 32 && ptx::elected()) produce<W, N>(maps, p, shared);
        }
    } else {
        if constexpr (GATHER) ptx::take_registers<216>(); else ptx::take_registers<232>();
        consume<W, N, GATHER>(p, shared);
    }
}

}  // namespace hopper_gemm

#define HOPPER_GEMM(NAME, MAJOR, LAYERS, GATHER)                                                                                                   \
    extern "C" __global__ void __launch_bounds__(dense::THREADS, 1)                                                                             \
    hopper_##NAME(const __grid_constant__ dense::Maps<LAYERS> maps, const __grid_constant__ dense::Product<LAYERS> p) {                       \
        hopper_gemm::run<wgmma::MAJOR, LAYERS, GATHER>(maps, p);                                                                                  \
    }
HOPPER_GEMM(gemm_nt, K_MAJOR, 1, false)
HOPPER_GEMM(gemm_nn, MN_MAJOR, 1, false)
HOPPER_GEMM(gemm_nt_gather, K_MAJOR, 1, true)
HOPPER_GEMM(layers_nt, K_MAJOR, hopper_gemm::LAYERS, false)
HOPPER_GEMM(layers_nn, MN_MAJOR, hopper_gemm::LAYERS, false)
#undef HOPPER_GEMM
