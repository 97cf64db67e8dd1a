/* The product of gemm.cu in small tiles, for few columns or few rows: a router's logits. Warps of a block share k, so that few tiles still have many
 * bytes on their way, and read straight into registers: a lane's 16 bytes of a row of A are the fragments of two mma steps, because both operands may
 * count k in any order they share. The warps' shares are added in one order at the end.
 *   gemm_nt_narrow, gemm_nn_narrow    GEMM_NARROW_ROWS rows and GEMM_NARROW_COLUMNS columns a block
 *   gemm_nt_narrow_64                 64 rows and 64 columns: half the reads, where so many rows still make enough blocks
 * Shapes    as gemm.cu; every one of its tiles is GEMM_ROWS / rows of a block here
 * Requires  as gemm.cu; gemm_*_any: nothing
 * Accumulates fp32      Launch  grid blocks of rows * column_blocks, block GEMM_THREADS, static shared memory
 * Bound by  bandwidth of L2: a block reads all of k of its rows and columns      Twin  Gemm.java */
#include "gemm.cuh"

namespace gemm_narrow {

using gemm::Product;

constexpr int DEPTH = 32;                                     // of k, a step of a warp
constexpr int N8 = 4;                                         // eights of columns of a warp

// Up to 8 numbers, zeros beyond `count`. WHOLE: they begin at a multiple of 16 bytes and there are eight or none.
__device__ __forceinline__ uint4 eight(const bf16* from, int count, bool whole) {
    if (whole) return count > 0 ? *reinterpret_cast<const uint4*>(from) : uint4{};
    return load_guarded(from, count, false);
}

// What a lane reads of W in one step: 32 columns from `column` on, rows 8 * (lane % 4) .. + 7 of the step.
template <bool TRANSPOSED>
struct Columns;

// W [n, k]: the eight rows of one column lie side by side. The lane's column of fragment j is 8 j + lane / 4; beyond n it reads another one, which is
// not stored.
template <>
struct Columns<false> {
    uint4 of[N8];

    __device__ __forceinline__ void load(const bf16* w, int n, int depth, int column, int first_k, int lane, bool whole) {
        const int k = first_k + lane % 4 * 8;
#pragma unroll
        for (int j = 0; j < N8; j++) of[j] = eight(w + static_cast<long long>(min(column + j * 8 + lane / 4, n - 1)) * depth + k, depth - k, whole);
    }
    // Rows 2 i and 2 i + 1 of the column of fragment j.
    __device__ __forceinline__ uint32_t pair(int j, int i) const { return i == 0 ? of[j].x : i == 1 ? of[j].y : i == 2 ? of[j].z : of[j].w; }
    // Which of the warp's columns is column c of fragment j.
    __device__ __forceinline__ static int place(int j, int c) { return j * 8 + c; }
};

// W [k, n]: the columns of one row lie side by side. The lane's column of fragment j is 4 * (lane / 4) + j.
template <>
struct Columns<true> {
    uint2 row[8];                                             // four columns

    __device__ __forceinline__ void load(const bf16* w, int n, int depth, int column, int first_k, int lane, bool whole) {
        const int k = first_k + lane % 4 * 8, own = column + N8 * (lane / 4);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            const bf16* const from = w + static_cast<long long>(k + i) * n + own;
            const int count = k + i < depth ? n - own : 0;
            if (whole) {
                row[i] = count > 0 ? *reinterpret_cast<const uint2*>(from) : uint2{};
            } else {
                const uint4 four = load_guarded(from, min(count, N8), false);
                row[i] = make_uint2(four.x, four.y);
            }
        }
    }
    __device__ __forceinline__ uint32_t pair(int j, int i) const {
        const uint2 upper = row[2 * i], lower = row[2 * i + 1];
        return __byte_perm(j < 2 ? upper.x : upper.y, j < 2 ? lower.x : lower.y, j % 2 == 1 ? 0x7632 : 0x5410);
    }
    __device__ __forceinline__ static int place(int j, int c) { return c * N8 + j; }
};

// M16 * 16 rows a block; WARPS_N warps beside each other, each with 32 columns; AHEAD steps of every warp on their way.
template <int M16, int WARPS_N, int AHEAD, bool TRANSPOSED, bool ALIGNED>
__device__ __forceinline__ void multiply(const Product& p) {
    constexpr int ROWS = 16 * M16, COLUMNS = 8 * N8 * WARPS_N, WARPS_K = GEMM_THREADS / 32 / WARPS_N;
    constexpr int ADDED = 32;                                 // rows whose shares are added at once
    static_assert(GEMM_ROWS % ROWS == 0 && ROWS % ADDED == 0 && ADDED * COLUMNS % GEMM_THREADS == 0);
    __shared__ float shares[WARPS_K][ADDED][COLUMNS + 8];     // padded: rows start in different banks
    const int t = threadIdx.x, warp = t / 32, lane = t % 32, wk = warp / WARPS_N, wn = warp % WARPS_N;

    // Which rows and columns.
    int expert = 0, first, live, column;
    if (p.tiles != nullptr) {
        const int part = blockIdx.x / p.column_blocks, tile = part / (GEMM_ROWS / ROWS), skip = part % (GEMM_ROWS / ROWS) * ROWS;
        column = blockIdx.x % p.column_blocks * COLUMNS;
        if (tile >= *p.tile_count) return;
        const gemm::Tile own = p.tiles[tile];
        expert = own.expert, first = own.first + skip, live = own.rows - skip;
    } else {
        const int row_blocks = (p.rows + ROWS - 1) / ROWS;
        const int rows = p.limit == nullptr ? p.rows : min(p.rows, *p.limit - p.limit_offset);
        first = blockIdx.x % row_blocks * ROWS;
        column = blockIdx.x / row_blocks * COLUMNS;
        live = rows - first;
    }
    if (live <= 0) return;
    const int own_column = column + wn * 8 * N8;              // of this warp
    const bf16* const w = p.w + expert * p.w_stride;

    auto row_of = [&](int m, int half) { return first + min(m * 16 + half * 8 + lane / 4, live - 1); };   // beyond `live` another one, not stored
    int row[M16][2];                                          // of A
#pragma unroll
    for (int m = 0; m < M16; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int r = row_of(m, half);
            row[m][half] = p.a_rows == nullptr ? r : p.a_rows[r];
        }

    uint4 a[AHEAD][M16][2];
    Columns<TRANSPOSED> b[AHEAD];
    float sums[M16][N8][4] = {};
    auto load = [&](int slot, int step) {                     // the warp's own step: all warps together walk along the rows; zeros beyond k
        const int k = (step * WARPS_K + wk) * DEPTH, own = k + lane % 4 * 8;
#pragma unroll
        for (int m = 0; m < M16; m++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                a[slot][m][half] = eight(p.a + static_cast<long long>(row[m][half]) * p.lda + own, p.k - own, ALIGNED);
            }
        b[slot].load(w, p.n, p.k, own_column, k, lane, ALIGNED);
    };
    auto add_products = [&](int slot) {
#pragma unroll
        for (int i = 0; i < 2; i++) {                         // half of what each lane read
            auto right_of = [&](int j) { return ptx::Right(b[slot].pair(j, 2 * i), b[slot].pair(j, 2 * i + 1)); };
            const ptx::Right right[N8] = {right_of(0), right_of(1), right_of(2), right_of(3)};
#pragma unroll
            for (int m = 0; m < M16; m++) {
                const uint4 upper = a[slot][m][0], lower = a[slot][m][1];
                const uint32_t raw[4] = {i == 0 ? upper.x : upper.z, i == 0 ? lower.x : lower.z, i == 0 ? upper.y : upper.w, i == 0 ? lower.y : lower.w};
                const ptx::Left left(raw);
#pragma unroll
                for (int j = 0; j < N8; j++) ptx::multiply_add(sums[m][j], left, right[j]);
            }
        }
    };

    const int steps = (p.k + DEPTH - 1) / DEPTH, own_steps = (steps - wk + WARPS_K - 1) / WARPS_K;
#pragma unroll
    for (int slot = 0; slot < AHEAD; slot++) load(slot, slot);
    for (int step = 0; step < own_steps; step += AHEAD) {
#pragma unroll
        for (int slot = 0; slot < AHEAD; slot++) {
            add_products(slot);
            load(slot, step + slot + AHEAD);
        }
    }
    if (p.alpha != 1.f) {
#pragma unroll
        for (int m = 0; m < M16; m++)
#pragma unroll
            for (int j = 0; j < N8; j++)
#pragma unroll
                for (int i = 0; i < 4; i++) sums[m][j][i] *= p.alpha;
    }

    // The low-rank update: more steps of the same sum.
    for (int r0 = wk * DEPTH; r0 < p.rank; r0 += WARPS_K * DEPTH) {
        const bool whole = ALIGNED && p.rank % 8 == 0;
        const int j = r0 + lane % 4 * 8;
#pragma unroll
        for (int m = 0; m < M16; m++)
#pragma unroll
            for (int half = 0; half < 2; half++) a[0][m][half] = eight(p.z + static_cast<long long>(row_of(m, half)) * p.rank + j, p.rank - j, whole);
        b[0].load(p.u + expert * p.u_stride, p.n, p.rank, own_column, r0, lane, TRANSPOSED ? ALIGNED : whole);
        add_products(0);
    }

    // The warps' shares, from the first one's on.
#pragma unroll
    for (int m0 = 0; m0 < M16; m0 += ADDED / 16) {
        if (m0 > 0) __syncthreads();                          // the rows before have been added
#pragma unroll
        for (int m = m0; m < m0 + ADDED / 16; m++)
#pragma unroll
            for (int j = 0; j < N8; j++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    shares[wk][(m - m0) * 16 + i / 2 * 8 + lane / 4][wn * 8 * N8 + Columns<TRANSPOSED>::place(j, lane % 4 * 2 + i % 2)] = sums[m][j][i];
                }
        __syncthreads();
#pragma unroll
        for (int i = 0; i < ADDED * COLUMNS / GEMM_THREADS; i++) {
            const int r = (t + i * GEMM_THREADS) / COLUMNS, c = t % COLUMNS, own = m0 * 16 + r;
            float sum = 0.f;
#pragma unroll
            for (int k = 0; k < WARPS_K; k++) sum += shares[k][r][c];
            if (own >= live || column + c >= p.n) continue;
            if (p.bias != nullptr) sum += load_as_float(p.bias, p.bias_format, static_cast<long long>(expert) * p.n + column + c);
            const long long to = p.c_rows == nullptr ? first + own : p.c_rows[first + own];
            gemm::put(p, to * p.ldc + column + c, sum);
        }
    }
}

}  // namespace gemm_narrow

#define GEMM_NARROW(NAME, M16, WARPS_N, AHEAD, TRANSPOSED, ALIGNED)                                                          \
    extern "C" __global__ void __launch_bounds__(GEMM_THREADS, 1) gemm_##NAME(const __grid_constant__ gemm::Product p) {     \
        gemm_narrow::multiply<M16, WARPS_N, ptx::TURING ? 1 : AHEAD, TRANSPOSED, ALIGNED>(p);                                \
    }
GEMM_NARROW(nt_narrow, 2, 1, 4, false, true)
GEMM_NARROW(nn_narrow, 2, 1, 3, true, true)
GEMM_NARROW(nt_narrow_any, 2, 1, 1, false, false)
GEMM_NARROW(nn_narrow_any, 2, 1, 1, true, false)
GEMM_NARROW(nt_narrow_64, 4, 2, 2, false, true)
#undef GEMM_NARROW
static_assert(GEMM_NARROW_ROWS == 32 && GEMM_NARROW_COLUMNS == 32);
