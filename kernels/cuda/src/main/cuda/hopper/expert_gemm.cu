/* Grouped matrix product with a low-rank update inside, for rows sorted by expert: C[r, n] = sum_k A[a_rows[r], k] W[e](k, n) + sum_j Z[r, j] U[e](j, n) + bias[e, n].
 * The weights are the left operand of the matrix unit and rows the right one, C^T = W^T A^T: an instruction then takes as many rows as there are, in steps of
 * 16, where with rows on the left it takes 64. An expert's rows are cut into even pieces of at most PIECE, which leaves at most 15 rows of 16 columns empty,
 * and a tile of 256 columns and up to 160 rows, its sums in the registers of two warpgroups, reads a tenth fewer bytes for its operations than one
 * of 128 rows. The update is a few more steps of the same sum.
 * Shapes    A [*, lda]  Z [rows, rank]  C [rows, ldc]  bf16; bias [experts, n] f32 or bf16, or null; tiles, tile_count: even pieces of expert_tiles
 *           hopper_experts_nt (forward): W [experts, n, k], U [experts, n, rank];   hopper_experts_nn (gradient): W [experts, k, n], U [experts, rank, n]
 * Maps      A {k, rows} box {64, 32}; Z {rank, rows} box {64, 32}; nt: W {k, n, experts}, U {rank, n, experts} box {64, 256, 1};
 *           nn: W {64, k, n / 64, experts}, U {64, rank, n / 64, experts} box {64, 64, 4, 1}; 128-byte swizzle, zeros outside
 * Requires  compute capability 9.0; lda, ldc, rank multiples of 8, rank <= 64; nt: k % 8 == 0, n % 8 == 0; nn: n % 64 == 0; _gather: A by copies of 16 bytes
 * Launch    grid min(output tiles, multiprocessors), block HOPPER_THREADS: one warpgroup brings tiles, two multiply 128 columns each; dynamic shared
 *           EXPERT_GEMM_SHARED_BYTES; no cluster      Accumulates fp32
 * Bound by  wgmma above some 100 rows an expert, weight bytes below      Source  Hu et al. 2021 eq. 3; grouping: Gale et al. 2022      Twin  HopperExpertGemm.java */
#include "products.cuh"

namespace expert_gemm {

using namespace products;

struct Product {
    const Tile* tiles;
    const int* tile_count;
    const bf16* a;                                            // where rows are gathered: read directly
    const int* a_rows;                                        // row of A of each row, or null
    bf16* c;
    const void* bias;
    int* drawn;                                               // how many tiles were drawn: 0 before the launch and after it
    int bias_format, n, k, lda, ldc, rank, raster, unused;
};

struct Maps { CUtensorMap a, w, z, u; };

// Shared memory: STAGES x (W | A), staging of both warpgroups, barriers, tickets.
constexpr int COLUMNS = EXPERT_GEMM_COLUMNS, OWN_COLUMNS = 128, PIECE = EXPERT_GEMM_PIECE, STEP = 16, BOX = EXPERT_GEMM_BOX, STAGES = 4, STAGED_ROWS = 32;
constexpr uint32_t W_BYTES = COLUMNS * ROW_BYTES, STAGE = W_BYTES + PIECE * ROW_BYTES, STAGED_ROW = OWN_COLUMNS * 2 + 16;   // + 16: rows start in different banks
constexpr uint32_t STAGED_BYTES = STAGED_ROWS * STAGED_ROW, STAGED = STAGES * STAGE, FULL = STAGED + 2 * STAGED_BYTES;
constexpr uint32_t EMPTY = FULL + 8 * STAGES, TICKETS = EMPTY + 8 * STAGES;
static_assert(TICKETS + Tickets::BYTES == EXPERT_GEMM_SHARED_BYTES && EXPERT_GEMM_SHARED_BYTES <= 232448);
static_assert(PIECE % STEP == 0 && PIECE % BOX == 0 && PIECE * 8 % WARPGROUP == 0 && STAGED_ROWS % STEP == 0);

enum NamedBarrier : int { GROUP = 1 };                        // + warpgroup: its own 128 threads

struct Work {
    const Product& p;
    Bands bands;

    __device__ __forceinline__ explicit Work(const Product& product)
        : p(product), bands(product.raster, *product.tile_count, (product.n + COLUMNS - 1) / COLUMNS) {}
    __device__ __forceinline__ Tile tile(int work, int& n0) const {
        int row, column;
        bands.at(work, row, column);
        n0 = column * COLUMNS;
        const int4 t = __ldg(reinterpret_cast<const int4*>(p.tiles) + row);
        return {t.x, t.y, t.z, t.w};
    }
};

__device__ __forceinline__ int depth_blocks(const Product& p) { return (p.k + DEPTH - 1) / DEPTH; }

// Boxes of BOX rows that hold the rows of a tile; what lies behind them belongs to sums that are not stored.
__device__ __forceinline__ int boxes(const Tile& tile) { return (tile.rows + BOX - 1) / BOX; }
__device__ __forceinline__ void load_rows(uint32_t to, const CUtensorMap& map, uint32_t barrier, int k0, const Tile& tile) {
    for (int i = 0; i < boxes(tile); i++) ptx::load_box(to + i * BOX * ROW_BYTES, map, barrier, k0, tile.first + i * BOX);
}

template <wgmma::Major W>
__device__ __forceinline__ void produce(const Maps& maps, const Product& p, uint32_t shared) {
    const Work work(p);
    Ring<STAGES> ring;
    Draws draws{p.drawn, work.bands.total};
    Tickets tickets{shared + TICKETS};
    const int blocks = depth_blocks(p);
    for (int number; (number = draws.next()) >= 0; tickets.number++) {
        tickets.write(number);
        int n0;
        const Tile tile = work.tile(number, n0);
        for (int block = 0; block < blocks + (p.rank > 0); block++) {
            ptx::wait(shared + EMPTY + 8 * ring.stage, ring.phase ^ 1);
            const uint32_t at = shared + ring.stage * STAGE, barrier = shared + FULL + 8 * ring.stage;
            const bool update = block == blocks;
            const int k0 = update ? 0 : block * DEPTH;
            ptx::arrive_expecting(barrier, W_BYTES + boxes(tile) * BOX * ROW_BYTES);
            load_right<W>(at, update ? maps.u : maps.w, barrier, k0, n0, tile.expert);
            load_rows(at + W_BYTES, update ? maps.z : maps.a, barrier, k0, tile);
            ring.advance();
        }
    }
    tickets.write(-1);
}

// Which rows of A a gathering thread copies chunks of.
struct Gather {
    static constexpr int PASSES = PIECE * 8 / WARPGROUP;      // 16 rows of 8 chunks a pass
    Tile tile;
    int number, n0;
    uint32_t from[PASSES], inside;                            // in chunks of 16 bytes; a bit for each that exists

    __device__ __forceinline__ void find(const Product& p) {
        const uint32_t row_chunks = p.lda / 8;
        inside = 0;
#pragma unroll
        for (int i = 0; i < PASSES; i++) {
            const int r = i * 16 + threadIdx.x / 8;
            const bool in = r < tile.rows;
            inside |= static_cast<uint32_t>(in) << i;
            from[i] = (in ? p.a_rows[tile.first + r] : 0) * row_chunks + threadIdx.x % 8;
        }
    }
};

// As `produce`, with the rows of A gathered by all 128 threads. The next tile and its rows are looked up before this one ends.
template <wgmma::Major W>
__device__ __forceinline__ void produce_gathered(const Maps& maps, const Product& p, uint32_t shared) {
    const Work work(p);
    Ring<STAGES> ring;
    Draws draws{p.drawn, work.bands.total};
    Tickets tickets{shared + TICKETS};
    const int t = threadIdx.x, blocks = depth_blocks(p), c = t % 8;
    const bool lead = t == 0;
    const uint32_t place = t / 8 * ROW_BYTES + ((c ^ (t / 8 & 7)) << 4);              // of the first pass; 16 rows on it is the same chunk
    const auto draw = [&](Gather& to) {
        if (lead) tickets.write(draws.next());
        to.number = tickets.read();
        if (to.number >= 0) to.tile = work.tile(to.number, to.n0);
    };
    Gather now, next;
    draw(now);
    if (now.number >= 0) now.find(p);
    while (now.number >= 0) {
        for (int block = 0; block < blocks + (p.rank > 0); block++) {
            if (block == max(blocks - 3, 0)) draw(next);
            if (block == blocks - 1 && next.number >= 0) next.find(p);
            ptx::wait(shared + EMPTY + 8 * ring.stage, ring.phase ^ 1);
            const uint32_t at = shared + ring.stage * STAGE, barrier = shared + FULL + 8 * ring.stage;
            const bool update = block == blocks;
            if (!update) {
                const uint4* const a = reinterpret_cast<const uint4*>(p.a) + block * (DEPTH / 8);
                const bool columns = block * DEPTH + c * 8 < p.k;
#pragma unroll
                for (int i = 0; i < Gather::PASSES; i++)
                    if (i * 16 < now.tile.rows) ptx::copy16(at + W_BYTES + place + i * 16 * ROW_BYTES, a + now.from[i], columns && (now.inside >> i & 1));
            }
            if (lead) {
                ptx::arrive_expecting(barrier, W_BYTES + (update ? boxes(now.tile) * BOX * ROW_BYTES : 0));
                load_right<W>(at, update ? maps.u : maps.w, barrier, update ? 0 : block * DEPTH, now.n0, now.tile.expert);
                if (update) load_rows(at + W_BYTES, maps.z, barrier, 0, now.tile);
            }
            ptx::arrive_after_copies(barrier);
            ring.advance();
        }
        now = next;
    }
    ptx::wait_copies<0>();
}

// What of a warpgroup's tile a thread has yet to store: 8 columns of every eighth of the rows in staging.
struct Leaving {
    static constexpr int ROWS = WARPGROUP * 8 / OWN_COLUMNS, MOST = STAGED_ROWS / ROWS;           // that leave at once; of one thread
    uint32_t from;
    bf16* to;
    int row = 0, rows = 0;

    __device__ __forceinline__ explicit Leaving(uint32_t staged) : from(staged + first() * STAGED_ROW + chunk() * 16) {}
    __device__ __forceinline__ static int first() { return threadIdx.x % WARPGROUP / (OWN_COLUMNS / 8); }
    __device__ __forceinline__ static int chunk() { return threadIdx.x % (OWN_COLUMNS / 8); }

    __device__ __forceinline__ void begin(const Product& p, int row0, int count, int column0) {
        const int column = column0 + chunk() * 8;
        to = p.c + static_cast<long long>(row0 + first()) * p.ldc + column;
        row = 0;
        rows = column < p.n ? min(count, STAGED_ROWS) - first() : 0;
    }
    __device__ __forceinline__ void step(int ldc) {
        if (row >= rows) return;
        *reinterpret_cast<uint4*>(to + static_cast<long long>(row) * ldc) = ptx::load16(from + row * STAGED_ROW);
        row += ROWS;
    }
    // All that is left, with the loads of all rows on their way at once.
    __device__ __forceinline__ void end(int ldc) {
        if (row >= rows) return;
        uint4 v[MOST];
#pragma unroll
        for (int i = 0; i < MOST; i++) v[i] = ptx::load16(from + min(row + i * ROWS, STAGED_ROWS - ROWS) * STAGED_ROW);
#pragma unroll
        for (int i = 0; i < MOST; i++)
            if (row + i * ROWS < rows) *reinterpret_cast<uint4*>(to + static_cast<long long>(row + i * ROWS) * ldc) = v[i];
        row = rows;
    }
};

// A tile that was drawn; none where its number is negative.
struct Drawn {
    int number, n0;
    Tile tile;

    __device__ __forceinline__ void read(Tickets& tickets, const Work& work) {
        number = tickets.read();
        if (number >= 0) tile = work.tile(number, n0);
    }
};

// What a multiplying warpgroup goes on with from tile to tile.
struct Multiplier {
    const Work& work;
    uint32_t shared;
    int group;
    Tickets tickets;
    Leaving leaving;
    Ring<STAGES> ring{};
    Drawn now{};

    __device__ __forceinline__ Multiplier(const Work& all, uint32_t memory, int warpgroup)
        : work(all), shared(memory), group(warpgroup), tickets{memory + TICKETS}, leaving(memory + STAGED + warpgroup * STAGED_BYTES) {}
    __device__ __forceinline__ uint32_t staged() const { return shared + STAGED + group * STAGED_BYTES; }
};

// A warpgroup's sums of TOKENS rows: [2 x 64 columns][rows], as wgmma.cuh says. Bias of these columns is added, then rows leave as rows, the first of them
// beside the products of the next tile.
template <int TOKENS>
__device__ __forceinline__ void store(float (&acc)[2][TOKENS / 2], Multiplier& own, const Tile& tile, int column0) {
    const Product& p = own.work.p;
    const int t = threadIdx.x % WARPGROUP, warp = t / 32, lane = t % 32;
    if (p.bias != nullptr) {
        const long long bias = static_cast<long long>(tile.expert) * p.n + column0 + warp * 16 + lane / 4;
#pragma unroll
        for (int m = 0; m < 2; m++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int column = m * 64 + half * 8;
                const float b = column0 + warp * 16 + lane / 4 + column < p.n ? load_as_float(p.bias, p.bias_format, bias + column) : 0.f;
#pragma unroll
                for (int j = 0; j < TOKENS / 8; j++) acc[m][4 * j + 2 * half] += b, acc[m][4 * j + 2 * half + 1] += b;
            }
    }
    const uint32_t fragment = own.staged() + ((lane & 7) + lane / 16 * 8) * STAGED_ROW + (warp * 16 + (lane >> 3 & 1) * 8) * 2;
#pragma unroll
    for (int from = (TOKENS - 1) / STAGED_ROWS * STAGED_ROWS; from >= 0; from -= STAGED_ROWS) {
        own.leaving.end(p.ldc);
        ptx::sync_named(GROUP + own.group, WARPGROUP);        // nobody reads staging any more
#pragma unroll
        for (int row = 0; row < STAGED_ROWS; row += STEP)
            if (from + row < TOKENS)
#pragma unroll
                for (int m = 0; m < 2; m++) {
                    const float* v = acc[m] + (from + row) / 2;
                    ptx::store_matrices_transposed(fragment + row * STAGED_ROW + m * 128, pack(v[0], v[1]), pack(v[2], v[3]), pack(v[4], v[5]), pack(v[6], v[7]));
                }
        ptx::sync_named(GROUP + own.group, WARPGROUP);
        own.leaving.begin(p, tile.first + from, tile.rows - from, column0);
    }
}

// One tile of at most TOKENS rows.
template <wgmma::Major W, bool GATHER, int TOKENS>
__device__ __forceinline__ void multiply(Multiplier& own) {
    using Mma = wgmma::Product<TOKENS>;
    const Product& p = own.work.p;
    const uint32_t shared = own.shared;
    Ring<STAGES>& ring = own.ring;
    const auto wait_full = [&] {
        ptx::wait(shared + FULL + 8 * ring.stage, ring.phase);
        if constexpr (GATHER) ptx::fence_async_shared();      // ordinary copies, now seen by this thread, before the matrix unit reads them
    };
    const auto release = [&](int stage) { ptx::arrive(shared + EMPTY + 8 * stage); };
    float acc[2][TOKENS / 2];
    const auto add = [&](int step, int accumulate) {
        const uint32_t at = shared + ring.stage * STAGE, w = at + own.group * 2 * 64 * ROW_BYTES;
        const uint64_t rows = wgmma::k_major(at + W_BYTES + step * 32);
        Mma::template add<wgmma::K_MAJOR, W>(acc[0], weights<W>(w, step), rows, accumulate);
        Mma::template add<wgmma::K_MAJOR, W>(acc[1], weights<W>(w + 64 * ROW_BYTES, step), rows, accumulate);
    };
    const auto issue = [&](int first) {
        wait_full();
        wgmma::fence();
#pragma unroll
        for (int step = 0; step < DEPTH / 16; step++) add(step, step == 0 ? first : 1);
        wgmma::commit();
    };
    issue(0);
    own.leaving.step(p.ldc);
    int before = ring.stage;                                  // stage of the product still in flight
    ring.advance();
    for (int block = depth_blocks(p); --block > 0;) {
        issue(1);
        own.leaving.step(p.ldc);
        wgmma::wait<1>();
        release(before);
        before = ring.stage;
        ring.advance();
    }
    if (p.rank > 0) {                                         // the low-rank update
        wait_full();
#pragma unroll 1
        for (int step = 0; step * 16 < p.rank; step++) {
            wgmma::fence();
            add(step, 1);
            wgmma::commit();
        }
        wgmma::wait<0>();
        release(before);
        before = ring.stage;
        ring.advance();
    }
    const Tile tile = own.now.tile;
    const int column0 = own.now.n0 + own.group * OWN_COLUMNS;
    own.now.read(own.tickets, own.work);                      // the next one, beside the last products
    wgmma::wait<0>();
    release(before);
    store<TOKENS>(acc, own, tile, column0);
}

// The smallest of the widths TOKENS, TOKENS + 16, .. PIECE that holds the tile.
template <wgmma::Major W, bool GATHER, int TOKENS = STEP>
__device__ __forceinline__ void multiply_fitting(Multiplier& own) {
    if constexpr (TOKENS < PIECE) {
        if (own.now.tile.rows > TOKENS) return multiply_fitting<W, GATHER, TOKENS + STEP>(own);
    }
    multiply<W, GATHER, TOKENS>(own);
}

template <wgmma::Major W, bool GATHER>
__device__ __forceinline__ void run(const Maps& maps, const Product& p) {
    extern __shared__ __align__(1024) uint8_t dynamic[];
    const uint32_t shared = ptx::shared_address(dynamic);
    // Filled by every gathering thread and the copy engine's leader, or by the latter alone; emptied by every multiplying thread.
    begin(STAGES, shared + FULL, GATHER ? WARPGROUP + 1 : 1, shared + EMPTY, 2 * WARPGROUP, shared + TICKETS);
    if (threadIdx.x < WARPGROUP) {
        if constexpr (GATHER) {
            ptx::give_registers<72>();
            produce_gathered<W>(maps, p, shared);
        } else {
            ptx::give_registers<40>();
            if (threadIdx.x < 32 && ptx::elected()) produce<W>(maps, p, shared);
        }
    } else {
        if constexpr (GATHER) ptx::take_registers<216>(); else ptx::take_registers<232>();
        const Work work(p);
        Multiplier own(work, shared, threadIdx.x / WARPGROUP - 1);
        for (own.now.read(own.tickets, work); own.now.number >= 0;) multiply_fitting<W, GATHER>(own);
        own.leaving.end(p.ldc);
    }
}

}  // namespace expert_gemm

#define EXPERT_GEMM(NAME, MAJOR, GATHER)                                                                                                           \
    extern "C" __global__ void __launch_bounds__(products::THREADS, 1)                                                                             \
    hopper_experts_##NAME(const __grid_constant__ expert_gemm::Maps maps, const __grid_constant__ expert_gemm::Product p) {                       \
        expert_gemm::run<wgmma::MAJOR, GATHER>(maps, p);                                                                                          \
    }
EXPERT_GEMM(nt, K_MAJOR, false)
EXPERT_GEMM(nn, MN_MAJOR, false)
EXPERT_GEMM(nt_gather, K_MAJOR, true)
EXPERT_GEMM(nn_gather, MN_MAJOR, true)
#undef EXPERT_GEMM
