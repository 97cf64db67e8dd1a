/* Products with a LoRA matrix, which are as narrow as its rank: Z[r, n] = alpha * sum over k of X[x_rows[r], k] M(k, n).
 * Every warp of a block sums its share of k for the same rows, straight from registers: a lane's 16 bytes of a row of X are the fragments of two
 * mma steps, because both operands may count k in any order they share. The shares are added in one order at the end.
 *   lora_z_N_R     M [experts, n, k]: z = s x A^T, n <= N
 *   lora_dz_N_R    M [experts, k, n]: dz = s dy B, n = N
 * Shapes    X [*, ldx] bf16   Z [rows, n] bf16   tiles, tile_count, limit as gemm.cu
 * Requires  k % 8 == 0, ldx % 8 == 0, pointers 16-byte aligned; R rows a block, GEMM_ROWS % R == 0
 * Accumulates fp32      Launch  grid ceil(rows / R), or tiles * GEMM_ROWS / R; block LORA_Z_FEW_THREADS for 32 rows, LORA_Z_MANY_THREADS for 64
 * Bound by  memory bandwidth      Source  Hu et al. 2021 eq. 3      Twin  LoraProjection.java */
#include "../common/numbers.cuh"
#include "../common/ptx.cuh"
#include "../common/tiles.h"

namespace lora_z {

struct Tile { int expert, first, rows, unused; };

struct Product {
    const bf16* x;
    const int* x_rows;                                        // or null: the same
    const bf16* matrix;
    bf16* z;
    const Tile* tiles;                                        // or null: one matrix
    const int* tile_count;
    const int* limit;                                         // or null
    int rows, n, k, ldx, limit_offset;
    float alpha;
};

constexpr int DEPTH = 32;                                     // of k, a step of a warp

// What a lane reads of M in one step, for 8 * N8 columns: columns N8 * (lane / 4) + j, rows 8 * (lane % 4) .. + 7 of the step. Beyond the matrix it
// reads something else that is there: X is zero beyond k, and columns beyond n are not stored.
template <int N8, bool TRANSPOSED>
struct Columns;

// M [n, k]: the eight rows of one column lie side by side.
template <int N8>
struct Columns<N8, false> {
    uint4 of[N8];

    __device__ __forceinline__ void load(const bf16* matrix, int n, int k, int first_k, int lane) {
        const int at = first_k + lane % 4 * 8;
#pragma unroll
        for (int j = 0; j < N8; j++) {
            of[j] = __ldg(reinterpret_cast<const uint4*>(matrix + static_cast<long long>(min(N8 * (lane / 4) + j, n - 1)) * k + (at < k ? at : 0)));
        }
    }
    // Rows 2 i and 2 i + 1 of column j.
    __device__ __forceinline__ uint32_t pair(int j, int i) const { return i == 0 ? of[j].x : i == 1 ? of[j].y : i == 2 ? of[j].z : of[j].w; }
};

// M [k, n]: the columns of one row lie side by side.
template <int N8>
struct Columns<N8, true> {
    static constexpr int WORDS = (N8 + 1) / 2;
    uint32_t row[8][WORDS];

    __device__ __forceinline__ void load(const bf16* matrix, int, int k, int first_k, int lane) {
        const int at = first_k + lane % 4 * 8;
        const bf16* const from = matrix + static_cast<long long>(at < k ? at : 0) * (8 * N8) + N8 * (lane / 4);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            const bf16* const here = from + i * 8 * N8;
            if constexpr (N8 == 1) row[i][0] = __ldg(reinterpret_cast<const unsigned short*>(here));
            if constexpr (N8 == 2) row[i][0] = __ldg(reinterpret_cast<const uint32_t*>(here));
            if constexpr (N8 == 4) {
                const uint2 v = __ldg(reinterpret_cast<const uint2*>(here));
                row[i][0] = v.x, row[i][1] = v.y;
            }
            if constexpr (N8 == 8) {
                const uint4 v = __ldg(reinterpret_cast<const uint4*>(here));
                row[i][0] = v.x, row[i][1] = v.y, row[i][2] = v.z, row[i][3] = v.w;
            }
        }
    }
    __device__ __forceinline__ uint32_t pair(int j, int i) const {
        return __byte_perm(row[2 * i][j / 2], row[2 * i + 1][j / 2], j % 2 == 1 ? 0x7632 : 0x5410);
    }
};

// M16 * 16 rows a block, up to 8 * N8 columns, WARPS that share k, AHEAD steps of each on their way.
template <int M16, int N8, int WARPS, int AHEAD, bool TRANSPOSED>
__device__ __forceinline__ void multiply(const Product& p) {
    constexpr int ROWS = 16 * M16, SUMS = M16 * N8 * 4;
    static_assert((WARPS == 4 || WARPS == 8) && GEMM_ROWS % ROWS == 0);
    __shared__ float shares[WARPS / 2][SUMS][32];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;

    int expert = 0, first, live;
    if (p.tiles != nullptr) {
        const int tile = blockIdx.x / (GEMM_ROWS / ROWS), skip = blockIdx.x % (GEMM_ROWS / ROWS) * ROWS;
        if (tile >= *p.tile_count) return;
        const Tile own = p.tiles[tile];
        expert = own.expert, first = own.first + skip, live = own.rows - skip;
    } else {
        const int rows = p.limit == nullptr ? p.rows : min(p.rows, *p.limit - p.limit_offset);
        first = blockIdx.x * ROWS;
        live = rows - first;
    }
    if (live <= 0) return;
    const bf16* const matrix = p.matrix + static_cast<long long>(expert) * p.n * p.k;
    const bf16* row[M16][2];                                  // rows beyond `live` read another one and are not stored
#pragma unroll
    for (int m = 0; m < M16; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int r = first + min(m * 16 + half * 8 + lane / 4, live - 1);
            row[m][half] = p.x + static_cast<long long>(p.x_rows == nullptr ? r : p.x_rows[r]) * p.ldx + lane % 4 * 8;
        }

    uint4 x[AHEAD][M16][2];
    Columns<N8, TRANSPOSED> columns[AHEAD];
    const int steps = (p.k + DEPTH - 1) / DEPTH, own_steps = (steps - warp + WARPS - 1) / WARPS;
    auto load = [&](int slot, int step) {                     // the warp's own step: all warps together walk along the rows
        const int k = (step * WARPS + warp) * DEPTH;
        const bool inside = k + lane % 4 * 8 < p.k;
#pragma unroll
        for (int m = 0; m < M16; m++)
#pragma unroll
            for (int half = 0; half < 2; half++) x[slot][m][half] = inside ? *reinterpret_cast<const uint4*>(row[m][half] + k) : uint4{};
        columns[slot].load(matrix, p.n, p.k, k, lane);
    };
    float sums[M16][N8][4] = {};
#pragma unroll
    for (int slot = 0; slot < AHEAD; slot++) load(slot, slot);
    for (int step = 0; step < own_steps; step += AHEAD) {
#pragma unroll
        for (int slot = 0; slot < AHEAD; slot++) {
            ptx::Left early[M16], late[M16];
#pragma unroll
            for (int m = 0; m < M16; m++) {
                const uint4 a = x[slot][m][0], b = x[slot][m][1];
                early[m] = {{a.x, b.x, a.y, b.y}}, late[m] = {{a.z, b.z, a.w, b.w}};
            }
#pragma unroll
            for (int j = 0; j < N8; j++) {
                const ptx::Right upper(columns[slot].pair(j, 0), columns[slot].pair(j, 1)), lower(columns[slot].pair(j, 2), columns[slot].pair(j, 3));
#pragma unroll
                for (int m = 0; m < M16; m++) {
                    ptx::multiply_add(sums[m][j], early[m], upper);
                    ptx::multiply_add(sums[m][j], late[m], lower);
                }
            }
            load(slot, step + slot + AHEAD);                  // beyond k: zeros
        }
    }

    // Half of the warps that still have a share give theirs to the other half.
#pragma unroll
    for (int givers = WARPS / 2; givers > 0; givers /= 2) {
        if (warp >= givers && warp < 2 * givers) {
#pragma unroll
            for (int i = 0; i < SUMS; i++) shares[warp - givers][i][lane] = sums[i / 4 / N8][i / 4 % N8][i % 4];
        }
        __syncthreads();
        if (warp < givers) {
#pragma unroll
            for (int i = 0; i < SUMS; i++) sums[i / 4 / N8][i / 4 % N8][i % 4] += shares[warp][i][lane];
        }
        __syncthreads();
    }
    if (warp != 0) return;
#pragma unroll
    for (int m = 0; m < M16; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int r = m * 16 + half * 8 + lane / 4;
            if (r >= live) continue;
            bf16* const out = p.z + static_cast<long long>(first + r) * p.n;
            const int column = lane % 4 * 2 * N8;             // columns 2 c and 2 c + 1 of every fragment, c = lane % 4
            float v[2 * N8];
#pragma unroll
            for (int i = 0; i < 2 * N8; i++) v[i] = p.alpha * sums[m][i % N8][half * 2 + i / N8];
#pragma unroll
            for (int i = 0; i < 2 * N8; i += 2) {
                if (p.n == 8 * N8) {
                    *reinterpret_cast<uint32_t*>(out + column + i) = pack(v[i], v[i + 1]);
                } else {
                    if (column + i < p.n) out[column + i] = __float2bfloat16_rn(v[i]);
                    if (column + i + 1 < p.n) out[column + i + 1] = __float2bfloat16_rn(v[i + 1]);
                }
            }
        }
}

}  // namespace lora_z

#define LORA_Z(N, ROWS, WARPS, RESIDENT, AHEAD)                                                                                            \
    extern "C" __global__ void __launch_bounds__(32 * WARPS, ptx::TURING ? 1 : RESIDENT)                                                   \
    lora_z_##N##_##ROWS(const __grid_constant__ lora_z::Product p) {                                                                       \
        lora_z::multiply<ROWS / 16, N / 8, WARPS, ptx::TURING ? 1 : AHEAD, false>(p);                                                      \
    }                                                                                                                                      \
    extern "C" __global__ void __launch_bounds__(32 * WARPS, ptx::TURING ? 1 : RESIDENT)                                                   \
    lora_dz_##N##_##ROWS(const __grid_constant__ lora_z::Product p) {                                                                      \
        lora_z::multiply<ROWS / 16, N / 8, WARPS, ptx::TURING ? 1 : AHEAD, true>(p);                                                       \
    }
// Few rows: blocks of fewer rows, each with more warps. Many: what is read of M serves more rows.
LORA_Z(8, 32, LORA_Z_FEW_THREADS / 32, 2, 3)
LORA_Z(8, 64, LORA_Z_MANY_THREADS / 32, 3, 2)
LORA_Z(16, 32, LORA_Z_FEW_THREADS / 32, 2, 3)
LORA_Z(16, 64, LORA_Z_MANY_THREADS / 32, 3, 2)
LORA_Z(32, 32, LORA_Z_FEW_THREADS / 32, 1, 3)
LORA_Z(32, 64, LORA_Z_MANY_THREADS / 32, 2, 2)
LORA_Z(64, 32, LORA_Z_FEW_THREADS / 32, 1, 1)
LORA_Z(64, 64, LORA_Z_MANY_THREADS / 32, 2, 1)
#undef LORA_Z
