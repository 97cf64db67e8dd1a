/* Matrix product with a low-rank update inside, for Hopper: C[r, n] (+)= sum_k A[a_rows[r], k] W(k, n) + sum_j Z[r, j] U(j, n).
 * The update is the last step of the same sum: Z and U come as one more depth block, whose columns from `rank` on the copy engine
 * fills with zeros. One set of weight bytes serves both directions: the gradient reads W as a column-major right operand.
 * Shapes    A [*, lda] bf16   Z [rows, rank] bf16   C [*, ldc] bf16   tiles, tile_count, limit as portable/gemm.cu
 *           hopper_gemm_nt (forward):  W [experts, n, k], U [experts, n, rank];   hopper_gemm_nn (gradient): W [experts, k, n], U [experts, rank, n]
 *           maps: A {k, rows} box {64, 128}; Z {rank, rows} box {64, 128}; nt: W {k, n, experts}, U {rank, n, experts} box {64, 256, 1};
 *           nn: W {64, k, n / 64, experts}, U {64, rank, n / 64, experts} box {64, 64, 4, 1}; 128-byte swizzle, zeros outside
 * Requires  lda, ldc, rank multiples of 8, rank <= 64; nt: k % 8 == 0, n % 8 == 0; nn: n % 64 == 0; _gather: A gathered by copies of 16 bytes
 * Accumulates fp32; with `accumulate` the rounded sum is added to C
 * Launch    grid multiprocessors, block HOPPER_GEMM_THREADS: one warpgroup brings tiles, two multiply 64 rows each; dynamic shared
 *           HOPPER_GEMM_SHARED_BYTES; no cluster
 * Bound by  wgmma above some 100 rows an expert, weight bytes below      Source  Hu et al. 2021 eq. 3; CUTLASS's warp-specialised pipeline
 * Twin      HopperGemm.java */
#include "../common/numbers.cuh"
#include "../common/tiles.h"
#include "ptx.cuh"
#include "wgmma.cuh"

namespace hopper_gemm {

constexpr int ROWS = HOPPER_GEMM_ROWS, COLUMNS = HOPPER_GEMM_COLUMNS, DEPTH = HOPPER_GEMM_DEPTH, STAGES = HOPPER_GEMM_STAGES;
constexpr uint32_t A_BYTES = ROWS * DEPTH * 2, B_BYTES = COLUMNS * DEPTH * 2, STAGE = A_BYTES + B_BYTES;
constexpr uint32_t SLAB = DEPTH * 64 * 2;                     // 64 columns of a column-major right operand
constexpr uint32_t OUT_ROW = 64 * 2 + 16, OUT = STAGES * STAGE, BARRIERS = OUT + ROWS * OUT_ROW;
static_assert(BARRIERS + 2 * STAGES * 8 <= HOPPER_GEMM_SHARED_BYTES && HOPPER_GEMM_SHARED_BYTES <= 227 * 1024);
static_assert(HOPPER_GEMM_THREADS == 3 * 128 && ROWS == 128 && COLUMNS == 256 && DEPTH == 64);

struct Tile { int expert, first, rows, unused; };

struct Product {
    const bf16* a;                                            // read directly only where gathered
    const int* a_rows;
    bf16* c;
    const int* c_rows;                                        // or null
    const Tile* tiles;                                        // or null
    const int* tile_count;
    const int* limit;                                         // or null
    int rows, n, k, lda, ldc, rank, limit_offset, accumulate, column_blocks;
};

// The tiles of a product in the order that the blocks take them.
struct Work {
    const Product& p;
    int rows, row_blocks, total;

    __device__ __forceinline__ explicit Work(const Product& product) : p(product) {
        rows = p.limit == nullptr ? p.rows : max(0, min(p.rows, *p.limit - p.limit_offset));
        row_blocks = p.tiles == nullptr ? (rows + ROWS - 1) / ROWS : *p.tile_count;
        total = row_blocks * p.column_blocks;
    }

    // Grouped: columns first, so that an expert's row tiles stay close in time; one matrix: rows first, so that W is read once.
    __device__ __forceinline__ Tile tile(int w, int& column) const {
        if (p.tiles != nullptr) {
            column = w % p.column_blocks * COLUMNS;
            return p.tiles[w / p.column_blocks];
        }
        column = w / row_blocks * COLUMNS;
        const int first = w % row_blocks * ROWS;
        return {0, first, min(ROWS, rows - first), 0};
    }
};

// Position in the ring of stages.
struct Ring {
    int stage = 0;
    uint32_t phase = 0;
    __device__ __forceinline__ void next() { if (++stage == STAGES) stage = 0, phase ^= 1; }
};

template <bool TRANSPOSED>
__device__ __forceinline__ void copy_right(uint32_t to, const CUtensorMap& map, uint32_t full, int depth, int column, int expert) {
    if constexpr (TRANSPOSED) ptx::load_box(to, map, full, 0, depth, column / 64, expert);
    else ptx::load_box(to, map, full, depth, column, expert);
}

template <bool TRANSPOSED>
__device__ __forceinline__ void produce(const Work& work, const CUtensorMap& a_map, const CUtensorMap& w_map, const CUtensorMap& z_map,
                                        const CUtensorMap& u_map, uint32_t base, uint32_t full, uint32_t empty) {
    if (threadIdx.x >= 32 || !ptx::elected()) return;
    const int blocks = (work.p.k + DEPTH - 1) / DEPTH;
    Ring ring;
    for (int w = blockIdx.x; w < work.total; w += gridDim.x) {
        int column;
        const Tile tile = work.tile(w, column);
        for (int block = 0; block < blocks + (work.p.rank > 0); block++) {
            ptx::wait(empty + 8 * ring.stage, ring.phase ^ 1);
            const uint32_t to = base + ring.stage * STAGE, ready = full + 8 * ring.stage;
            const bool update = block == blocks;
            ptx::arrive_expecting(ready, STAGE);
            ptx::load_box(to, update ? z_map : a_map, ready, update ? 0 : block * DEPTH, tile.first);
            copy_right<TRANSPOSED>(to + A_BYTES, update ? u_map : w_map, ready, update ? 0 : block * DEPTH, column, tile.expert);
            ring.next();
        }
    }
}

// As `produce`, with the rows of A gathered by all 128 threads. Their writes become visible to the product two stages later.
template <bool TRANSPOSED>
__device__ __forceinline__ void produce_gathered(const Work& work, const CUtensorMap& w_map, const CUtensorMap& z_map, const CUtensorMap& u_map,
                                                 uint32_t base, uint32_t full, uint32_t empty) {
    constexpr int LAG = 2;
    const Product& p = work.p;
    const int t = threadIdx.x, blocks = (p.k + DEPTH - 1) / DEPTH;
    const bool lead = t < 32 && ptx::elected();
    Ring ring;
    int issued = 0, handed = 0;                               // handed: the next stage to hand over
    for (int w = blockIdx.x; w < work.total; w += gridDim.x) {
        int column;
        const Tile tile = work.tile(w, column);
        const bf16* from[8];
        uint32_t inside = 0;
#pragma unroll
        for (int i = 0; i < 8; i++) {                         // 16 rows of 8 chunks a pass
            const int r = i * 16 + t / 8;
            const bool in = r < tile.rows;
            inside |= static_cast<uint32_t>(in) << i;
            from[i] = p.a + static_cast<long long>(in ? p.a_rows[tile.first + r] : 0) * p.lda + t % 8 * 8;
        }
        for (int block = 0; block < blocks + (p.rank > 0); block++) {
            ptx::wait(empty + 8 * ring.stage, ring.phase ^ 1);
            const uint32_t to = base + ring.stage * STAGE, ready = full + 8 * ring.stage;
            const bool update = block == blocks;
            if (!update) {
                const bool columns = block * DEPTH + t % 8 * 8 < p.k;
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    const int r = i * 16 + t / 8, c = t % 8;
                    const bool in = columns && (inside >> i & 1);
                    ptx::copy16(to + r * 128 + ((c ^ (r & 7)) << 4), in ? from[i] + block * DEPTH : p.a, in);
                }
            }
            ptx::commit_copies();
            if (lead) {
                ptx::arrive_expecting(ready, update ? STAGE : B_BYTES);
                if (update) ptx::load_box(to, z_map, ready, 0, tile.first);
                copy_right<TRANSPOSED>(to + A_BYTES, update ? u_map : w_map, ready, update ? 0 : block * DEPTH, column, tile.expert);
            }
            ptx::wait_copies<LAG>();
            ptx::fence_async_shared();
            if (issued >= LAG) {
                ptx::arrive(full + 8 * handed);
                if (++handed == STAGES) handed = 0;
            }
            issued++;
            ring.next();
        }
    }
    ptx::wait_copies<0>();
    ptx::fence_async_shared();
    for (int i = min(issued, LAG); i > 0; i--) {
        ptx::arrive(full + 8 * handed);
        if (++handed == STAGES) handed = 0;
    }
}

// Writes 64 rows x 256 columns of one warpgroup, 64 columns at a time through its own part of shared memory.
__device__ __forceinline__ void store(const Product& p, const float (&acc)[128], uint32_t out, int group, const Tile& tile, int row0, int column) {
    const int t = threadIdx.x % 128, warp = t / 32, lane = t % 32, live = min(64, tile.rows - row0);
#pragma unroll
    for (int part = 0; part < COLUMNS / 64; part++) {
        ptx::sync_named(1 + group, 128);                      // the part before has been read
#pragma unroll
        for (int n = 0; n < 8; n++) {
            const float* v = acc + (part * 8 + n) * 4;
            const uint32_t to = out + (warp * 16 + lane / 4) * OUT_ROW + n * 16 + lane % 4 * 4;
            ptx::store4(to, pack(v[0], v[1]));
            ptx::store4(to + 8 * OUT_ROW, pack(v[2], v[3]));
        }
        ptx::sync_named(1 + group, 128);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int r = i * 16 + t / 8, c = column + part * 64 + t % 8 * 8;
            if (r < live && c < p.n) {
                const int row = tile.first + row0 + r;
                bf16* to = p.c + static_cast<long long>(p.c_rows == nullptr ? row : p.c_rows[row]) * p.ldc + c;
                uint4 raw = ptx::load16(out + r * OUT_ROW + t % 8 * 16);
                if (p.accumulate) {
                    Eight sum = Eight::of(raw);
                    const Eight old = Eight::load(to);
#pragma unroll
                    for (int j = 0; j < 8; j++) sum.v[j] += old.v[j];
                    raw = sum.raw();
                }
                *reinterpret_cast<uint4*>(to) = raw;
            }
        }
    }
}

// The k16-th 16 columns of a stage's A times the same rows of its right operand.
template <bool TRANSPOSED>
__device__ __forceinline__ void multiply(float (&acc)[COLUMNS / 2], uint32_t a, uint32_t b, int k16, int accumulate) {
    wgmma::Product<COLUMNS>::add<TRANSPOSED ? wgmma::MN_MAJOR : wgmma::K_MAJOR>(
        acc, wgmma::k_major(a + k16 * 32), TRANSPOSED ? wgmma::mn_major<SLAB>(b + k16 * 2048) : wgmma::k_major(b + k16 * 32), accumulate);
}

template <bool TRANSPOSED>
__device__ __forceinline__ void consume(const Work& work, uint32_t base, uint32_t full, uint32_t empty) {
    const Product& p = work.p;
    const int group = threadIdx.x / 128 - 1, row0 = group * 64, blocks = (p.k + DEPTH - 1) / DEPTH;
    const bool lead = threadIdx.x % 128 == 0;
    Ring ring;
    for (int w = blockIdx.x; w < work.total; w += gridDim.x) {
        int column;
        const Tile tile = work.tile(w, column);
        const bool busy = tile.rows > row0;                   // the second warpgroup of a short tile only hands stages back
        float acc[128];
        int before = -1;                                      // stage of the product still in flight
        for (int block = 0; block < blocks; block++) {
            ptx::wait(full + 8 * ring.stage, ring.phase);
            if (busy) {
                const uint32_t a = base + ring.stage * STAGE + row0 * 128, b = base + ring.stage * STAGE + A_BYTES;
                wgmma::fence();
#pragma unroll
                for (int k16 = 0; k16 < DEPTH / 16; k16++) {
                    multiply<TRANSPOSED>(acc, a, b, k16, block | k16);
                }
                wgmma::commit();
                wgmma::wait<1>();
            }
            if (before >= 0 && lead) ptx::arrive(empty + 8 * before);
            before = ring.stage;
            ring.next();
        }
        if (p.rank > 0) {                                     // the low-rank update, outside the loop: inside, ptxas would serialise it
            ptx::wait(full + 8 * ring.stage, ring.phase);
            if (busy) {
                const uint32_t a = base + ring.stage * STAGE + row0 * 128, b = base + ring.stage * STAGE + A_BYTES;
                for (int k16 = 0; k16 * 16 < p.rank; k16++) {
                    wgmma::fence();
                    multiply<TRANSPOSED>(acc, a, b, k16, 1);
                    wgmma::commit();
                    wgmma::wait<0>();
                }
            }
            if (lead) ptx::arrive(empty + 8 * before);
            before = ring.stage;
            ring.next();
        }
        wgmma::wait<0>();
        if (lead) ptx::arrive(empty + 8 * before);
        if (busy) store(p, acc, base + OUT + row0 * OUT_ROW, group, tile, row0, column);
    }
}

template <bool TRANSPOSED, bool GATHER>
__device__ __forceinline__ void run(const CUtensorMap& a_map, const CUtensorMap& w_map, const CUtensorMap& z_map, const CUtensorMap& u_map, const Product& p) {
    extern __shared__ __align__(1024) uint8_t shared[];
    const uint32_t base = ptx::shared_address(shared), full = base + BARRIERS, empty = full + STAGES * 8;
    if (threadIdx.x == 0) {
        for (int i = 0; i < STAGES; i++) {
            ptx::init_barrier(full + 8 * i, GATHER ? 129 : 1); // every gathering thread, and the copy engine's leader
            ptx::init_barrier(empty + 8 * i, 2);           // both multiplying warpgroups
        }
        ptx::publish_barriers();
    }
    __syncthreads();
    const Work work(p);
    if (threadIdx.x < 128) {
        if constexpr (GATHER) {
            ptx::give_registers<72>();
            produce_gathered<TRANSPOSED>(work, w_map, z_map, u_map, base, full, empty);
        } else {
            ptx::give_registers<40>();
            produce<TRANSPOSED>(work, a_map, w_map, z_map, u_map, base, full, empty);
        }
    } else {
        if constexpr (GATHER) ptx::take_registers<216>(); else ptx::take_registers<232>();
        consume<TRANSPOSED>(work, base, full, empty);
    }
}

}  // namespace hopper_gemm

#define HOPPER_GEMM(NAME, TRANSPOSED, GATHER)                                                                                                      \
    extern "C" __global__ void __launch_bounds__(HOPPER_GEMM_THREADS, 1)                                                                           \
    hopper_gemm_##NAME(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap w, const __grid_constant__ CUtensorMap z,        \
                       const __grid_constant__ CUtensorMap u, const __grid_constant__ hopper_gemm::Product p) {                                    \
        hopper_gemm::run<TRANSPOSED, GATHER>(a, w, z, u, p);                                                                                   \
    }
HOPPER_GEMM(nt, false, false)
HOPPER_GEMM(nn, true, false)
HOPPER_GEMM(nt_gather, false, true)
HOPPER_GEMM(nn_gather, true, true)
#undef HOPPER_GEMM
