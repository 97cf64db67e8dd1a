/* Matrix product with a low-rank update inside: C[r, n] (+)= alpha * sum_k A[a_rows[r], k] W(k, n) + sum_j Z[r, j] U(j, n) + bias[n].
 * The update is a few more steps of the same sum into the same accumulators, so W + U Z never exists and the result is rounded once.
 * Shapes    A [*, lda] bf16   Z [rows, rank] bf16   bias [n] or [experts, n]   C [*, ldc] bf16 or f32 (see `output`)
 *           gemm_nt (forward):  W [experts, n, k], U [experts, n, rank]      W(k, n) = W[n, k]
 *           gemm_nn (gradient): W [experts, k, n], U [experts, rank, n]      W(k, n) = W[k, n]
 *           tiles [*] {expert, first row, rows, 0}, tile_count [1] int32: the rows of each expert cut into pieces of at most GEMM_ROWS;
 *           null for one matrix of `rows` rows, of which only limit[0] - limit_offset exist where `limit` is given
 * Requires  lda % 8 == 0, A zero in columns k .. lda-1, pointers 16-byte aligned; nt: k % 8 == 0; nn: n % 8 == 0; gemm_*_any: nothing
 * Accumulates fp32      Launch  grid row tiles * column_blocks, block GEMM_THREADS, static shared memory; no cluster
 * Bound by  mma.sync      Source  Hu et al. 2021 eq. 3; grouping: MegaBlocks      Twin  Gemm.java */
#include "gemm.cuh"

namespace gemm {

// Where 16-byte chunk c of row r lies in a tile with 64-byte rows, so that 8 rows of one chunk touch all banks.
__device__ __forceinline__ uint32_t deep(int r, int c) { return r * 64 + ((c ^ (r >> 1 & 3)) << 4); }

// The same for a tile with GEMM_COLUMNS * 2-byte rows.
__device__ __forceinline__ uint32_t wide(int r, int c) { return r * GEMM_COLUMNS * 2 + ((c ^ (r & 7)) << 4); }

// Starts a copy of up to 8 numbers to shared memory, with zeros beyond `count`; `safe` is any readable address.
template <bool ALIGNED>
__device__ __forceinline__ void copy(uint32_t to, const bf16* from, int count, const bf16* safe) {
    if constexpr (ALIGNED) ptx::copy16(to, count > 0 ? from : safe, count > 0);
    else ptx::store16(to, load_guarded(from, count, false));
}

// ALIGNED: every row of A and W begins at a multiple of 16 bytes; without it copies go element by element.
template <bool TRANSPOSED, bool ALIGNED>
__device__ __forceinline__ void multiply(const Product& p) {
    constexpr int COLUMNS = GEMM_COLUMNS, WARPS_M = 4, WARPS_N = 2;
    constexpr int A_BYTES = GEMM_ROWS * GEMM_DEPTH * 2, B_BYTES = COLUMNS * GEMM_DEPTH * 2, STAGE = A_BYTES + B_BYTES;
    constexpr int OUT_ROW = COLUMNS * 2 + 16;                 // padded: rows of the staged output start in different banks
    constexpr int RING = GEMM_STAGES * STAGE, STAGED = GEMM_ROWS * OUT_ROW, BYTES = RING > STAGED ? RING : STAGED;
    constexpr int M16 = GEMM_ROWS / WARPS_M / 16, N16 = COLUMNS / WARPS_N / 16;
    constexpr int B_CHUNKS = COLUMNS * GEMM_DEPTH / 8, B_LOADS = B_CHUNKS / GEMM_THREADS;
    static_assert(WARPS_M * WARPS_N * 32 == GEMM_THREADS && GEMM_DEPTH == 32 && GEMM_ROWS * 4 == 2 * GEMM_THREADS && B_CHUNKS % GEMM_THREADS == 0);
    static_assert(BYTES <= 48 * 1024, "static shared memory ends at 48 KiB");
    __shared__ __align__(128) uint8_t storage[BYTES];
    const uint32_t shared = ptx::shared_address(storage);
    const int t = threadIdx.x, warp = t / 32, lane = t % 32, wm = warp / WARPS_N, wn = warp % WARPS_N;

    // Which rows and columns.
    int expert = 0, first, live, column;
    if (p.tiles != nullptr) {
        const int tile = blockIdx.x / p.column_blocks;        // columns first: an expert's row tiles stay close in time
        column = blockIdx.x % p.column_blocks * COLUMNS;
        if (tile >= *p.tile_count) return;
        const Tile own = p.tiles[tile];
        expert = own.expert, first = own.first, live = own.rows;
    } else {
        const int row_blocks = (p.rows + GEMM_ROWS - 1) / GEMM_ROWS;
        const int rows = p.limit == nullptr ? p.rows : min(p.rows, *p.limit - p.limit_offset);
        first = blockIdx.x % row_blocks * GEMM_ROWS;          // rows first: a column block of W is read once
        column = blockIdx.x / row_blocks * COLUMNS;
        live = min(GEMM_ROWS, rows - first);
        if (live <= 0) return;
    }
    const bf16* w = p.w + expert * p.w_stride;
    const long long bias = static_cast<long long>(expert) * p.n;

    // What this thread copies in every step.
    const bf16* from_a[2];
    bool in_a[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const int r = t / 4 + 64 * i;
        in_a[i] = r < live;
        const int row = in_a[i] ? (p.a_rows == nullptr ? first + r : p.a_rows[first + r]) : 0;
        from_a[i] = p.a + static_cast<long long>(row) * p.lda + t % 4 * 8;
    }
    const bool aligned = p.n % 8 == 0;
    auto load = [&](int k0, int stage) {
        const uint32_t a = shared + stage * STAGE, b = a + A_BYTES;
#pragma unroll
        for (int i = 0; i < 2; i++) {
            copy<ALIGNED>(a + deep(t / 4 + 64 * i, t % 4), from_a[i] + k0, in_a[i] ? p.k - k0 - t % 4 * 8 : 0, p.a);
        }
#pragma unroll
        for (int i = 0; i < B_LOADS; i++) {
            const int chunk = t + i * GEMM_THREADS;
            if constexpr (TRANSPOSED) {
                const int r = chunk / (COLUMNS / 8), c = chunk % (COLUMNS / 8), n = column + c * 8;
                copy<ALIGNED>(b + wide(r, c), w + static_cast<long long>(k0 + r) * p.n + n, k0 + r < p.k ? p.n - n : 0, w);
            } else {
                const int r = chunk / 4, c = chunk % 4;
                copy<ALIGNED>(b + deep(r, c), w + static_cast<long long>(column + r) * p.k + k0 + c * 8, column + r < p.n ? p.k - k0 - c * 8 : 0, w);
            }
        }
    };

    float acc[M16][N16 * 2][4] = {};
    auto step = [&](int stage, int k16) {
        const uint32_t a = shared + stage * STAGE, b = a + A_BYTES;
        ptx::Left fa[M16];
#pragma unroll
        for (int m = 0; m < M16; m++) {
            uint32_t raw[4];
            ptx::load_matrices(raw, a + deep((wm * M16 + m) * 16 + (lane & 15), k16 * 2 + lane / 16));
            fa[m] = raw;
        }
#pragma unroll
        for (int n = 0; n < N16; n++) {
            uint32_t fb[4];
            const int block = wn * N16 + n;
            if constexpr (TRANSPOSED) ptx::load_matrices_transposed(fb, b + wide(k16 * 16 + (lane & 15), block * 2 + lane / 16));
            else ptx::load_matrices(fb, b + deep(block * 16 + (lane & 7) + lane / 16 * 8, k16 * 2 + (lane >> 3 & 1)));
            const ptx::Right even(fb[0], fb[1]), odd(fb[2], fb[3]);
#pragma unroll
            for (int m = 0; m < M16; m++) {
                ptx::multiply_add(acc[m][n * 2], fa[m], even);
                ptx::multiply_add(acc[m][n * 2 + 1], fa[m], odd);
            }
        }
    };

    // Main loop: GEMM_STAGES - 1 steps are in flight while one is multiplied.
    const int steps = (p.k + GEMM_DEPTH - 1) / GEMM_DEPTH;
#pragma unroll
    for (int s = 0; s < GEMM_STAGES - 1; s++) {
        if (s < steps) load(s * GEMM_DEPTH, s);
        ptx::commit_copies();
    }
    int stage = 0;
    for (int s = 0; s < steps; s++) {
        ptx::wait_copies<GEMM_STAGES - 2>();
        __syncthreads();
        const int next = s + GEMM_STAGES - 1;
        if (next < steps) load(next * GEMM_DEPTH, stage == 0 ? GEMM_STAGES - 1 : stage - 1);
        ptx::commit_copies();
        if constexpr (ptx::TURING) {                          // half the code
#pragma unroll 1
            for (int k16 = 0; k16 < 2; k16++) step(stage, k16);
        } else {
            step(stage, 0);
            step(stage, 1);
        }
        stage = stage + 1 == GEMM_STAGES ? 0 : stage + 1;
    }
    ptx::wait_copies<0>();
    __syncthreads();
    if (p.alpha != 1.f) {
#pragma unroll
        for (int m = 0; m < M16; m++)
#pragma unroll
            for (int n = 0; n < N16 * 2; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) acc[m][n][i] *= p.alpha;
    }

    // The low-rank update: more steps of the same sum.
    const bf16* u = p.u + expert * p.u_stride;
    for (int r0 = 0; r0 < p.rank; r0 += GEMM_DEPTH) {
        const uint32_t a = shared, b = a + A_BYTES;
        for (int chunk = t; chunk < GEMM_ROWS * 4; chunk += GEMM_THREADS) {
            const int r = chunk / 4, j = r0 + chunk % 4 * 8;
            ptx::store16(a + deep(r, chunk % 4), load_guarded(p.z + static_cast<long long>(first + r) * p.rank + j, r < live ? p.rank - j : 0, p.rank % 8 == 0));
        }
        for (int chunk = t; chunk < B_CHUNKS; chunk += GEMM_THREADS) {
            if constexpr (TRANSPOSED) {
                const int r = chunk / (COLUMNS / 8), c = chunk % (COLUMNS / 8), n = column + c * 8;
                ptx::store16(b + wide(r, c), load_guarded(u + static_cast<long long>(r0 + r) * p.n + n, r0 + r < p.rank ? p.n - n : 0, aligned));
            } else {
                const int r = chunk / 4, j = r0 + chunk % 4 * 8;
                ptx::store16(b + deep(r, chunk % 4), load_guarded(u + static_cast<long long>(column + r) * p.rank + j, column + r < p.n ? p.rank - j : 0, p.rank % 8 == 0));
            }
        }
        __syncthreads();
        step(0, 0);
        if (r0 + 16 < p.rank) step(0, 1);
        __syncthreads();
    }

    // Epilogue: whole rows through shared memory where they are 16-byte aligned, else straight from the accumulators.
    const bool staged = p.output == OUTPUT_BFLOAT16 && !p.accumulate && p.ldc % 8 == 0 && aligned;
#pragma unroll
    for (int m = 0; m < M16; m++) {
#pragma unroll
        for (int n = 0; n < N16 * 2; n++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int r = (wm * M16 + m) * 16 + half * 8 + lane / 4, c = wn * N16 * 16 + n * 8 + lane % 4 * 2;
                float v[2] = {acc[m][n][half * 2], acc[m][n][half * 2 + 1]};
                if (p.bias != nullptr) {
#pragma unroll
                    for (int i = 0; i < 2; i++) if (column + c + i < p.n) v[i] += load_as_float(p.bias, p.bias_format, bias + column + c + i);
                }
                if (staged) {
                    ptx::store4(shared + r * OUT_ROW + c * 2, pack(v[0], v[1]));
                } else if (r < live) {
                    const long long row = p.c_rows == nullptr ? first + r : p.c_rows[first + r];
#pragma unroll
                    for (int i = 0; i < 2; i++) {
                        if (column + c + i < p.n) put(p, row * p.ldc + column + c + i, v[i]);
                    }
                }
            }
        }
    }
    if (staged) {
        __syncthreads();
        for (int chunk = t; chunk < GEMM_ROWS * COLUMNS / 8; chunk += GEMM_THREADS) {
            const int r = chunk / (COLUMNS / 8), c = chunk % (COLUMNS / 8) * 8;
            if (r < live && column + c < p.n) {
                const long long row = p.c_rows == nullptr ? first + r : p.c_rows[first + r];
                *reinterpret_cast<uint4*>(static_cast<bf16*>(p.c) + row * p.ldc + column + c) = ptx::load16(shared + r * OUT_ROW + c * 2);
            }
        }
    }
}

}  // namespace gemm

#define GEMM(NAME, TRANSPOSED)                                                                                               \
    extern "C" __global__ void __launch_bounds__(GEMM_THREADS, ptx::TURING ? 1 : 2)                                          \
    gemm_##NAME(const __grid_constant__ gemm::Product p) {                                                                   \
        gemm::multiply<TRANSPOSED, true>(p);                                                                                 \
    }                                                                                                                        \
    extern "C" __global__ void __launch_bounds__(GEMM_THREADS)                                                               \
    gemm_##NAME##_any(const __grid_constant__ gemm::Product p) {                                                             \
        gemm::multiply<TRANSPOSED, false>(p);                                                                                \
    }
GEMM(nt, false)
GEMM(nn, true)
#undef GEMM
