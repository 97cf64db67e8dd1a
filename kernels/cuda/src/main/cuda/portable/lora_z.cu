/* Products with a LoRA matrix, which are as narrow as its rank: Z[r, n] = alpha * sum over k of X[x_rows[r], k] M(k, n).
 * Every warp of a block sums its share of k for the same rows, straight from registers: a lane's 16 bytes of a row of X are the fragments of two
 * mma steps, because both operands may count k in any order they share. The shares are added in one order at the end.
 * Up to LORA_Z_LAYERS layers, each a product of its own, share a launch: blocks y compute layer y, or all blocks compute all the layers, which then
 * share X, each layer's columns from a multiple of 8 on.
 *   lora_z_N_R     M [experts, n, k]: z = s x A^T, n <= N
 *   lora_dz_N_R    M [experts, k, n]: dz = s dy B, n = N; a layer a block
 * Shapes    X [*, ldx] bf16   Z [rows, n] bf16   tiles, tile_count, limit as gemm.cu
 * Requires  k % 8 == 0, ldx % 8 == 0, pointers 16-byte aligned; R rows a block, GEMM_ROWS % R == 0; one n of all layers where a block computes one
 * Accumulates fp32      Launch  grid (ceil(rows / R), or tiles * GEMM_ROWS / R; layers, or 1); block LORA_Z_FEW_THREADS for 32 rows, LORA_Z_MANY_THREADS
 *           for 64
 * Bound by  memory bandwidth      Source  Hu et al. 2021 eq. 3      Twin  LoraProjection.java */
#include "../common/numbers.cuh"
#include "../common/ptx.cuh"
#include "../common/tiles.h"

namespace lora_z {

struct Tile { int expert, first, rows, unused; };

struct Layer {
    const bf16* x;
    const bf16* matrix;
    bf16* z;
    int n, k, ldx;
    float alpha;
};

struct Product {
    const int* x_rows;                                        // or null: the same
    const Tile* tiles;                                        // or null: one matrix
    const int* tile_count;
    const int* limit;                                         // or null
    int rows, limit_offset;
    // Eights of columns that come before each layer's, where a block computes all layers; 0 of the first and more than there are of those that are
    // none, or of all others where it computes one.
    int first[LORA_Z_LAYERS];
    Layer layers[LORA_Z_LAYERS];
};

constexpr int DEPTH = 32;                                     // of k, a step of a warp

// Whose fragment j of a block is, which is eight columns, and after how many columns of that layer.
template <bool SHARED>
struct Place {
    int layer, column;
    __device__ __forceinline__ Place(const Product& p, int j) : layer(blockIdx.y), column(j * 8) {
        if constexpr (SHARED) {
            int next = 0;
#pragma unroll
            for (int i = 1; i < LORA_Z_LAYERS; i++) next += p.first[i] <= j;
            layer += next;
            column -= p.first[next] * 8;
        }
    }
};

// What a lane reads of M in one step, for 8 * N8 columns, rows 8 * (lane % 4) .. + 7 of the step. Beyond the matrix it reads something else that is
// there: X is zero beyond k, and columns beyond n are not stored.
template <int N8, bool TRANSPOSED, bool SHARED>
struct Columns;

// M [n, k]: the eight rows of one column lie side by side. The lane's column of fragment j is lane / 4.
template <int N8, bool SHARED>
struct Columns<N8, false, SHARED> {
    struct Source {
        const bf16* column[SHARED ? N8 : 1];                  // of every fragment; or the layer's first, since registers are short
        int last;                                             // column of the layer
        __device__ __forceinline__ Source(const Product& p, int expert, int lane) : last(p.layers[blockIdx.y].n - 1) {
#pragma unroll
            for (int j = 0; j < (SHARED ? N8 : 1); j++) {
                const Place<SHARED> place(p, j);
                const Layer& layer = p.layers[place.layer];
                const int own = SHARED ? min(place.column + lane / 4, layer.n - 1) : 0;
                column[j] = layer.matrix + (static_cast<long long>(expert) * layer.n + own) * layer.k;
            }
        }
        __device__ __forceinline__ const bf16* of(int j, int k, int lane) const {
            if constexpr (SHARED) return column[j];
            else return column[0] + static_cast<long long>(min(j * 8 + lane / 4, last)) * k;
        }
    };
    uint4 of[N8];

    __device__ __forceinline__ void load(const Source& source, int k, int first_k, int lane) {
        const int at = first_k + lane % 4 * 8;
#pragma unroll
        for (int j = 0; j < N8; j++) of[j] = __ldg(reinterpret_cast<const uint4*>(source.of(j, k, lane) + (at < k ? at : 0)));
    }
    // Rows 2 i and 2 i + 1 of column j.
    __device__ __forceinline__ uint32_t pair(int j, int i) const { return i == 0 ? of[j].x : i == 1 ? of[j].y : i == 2 ? of[j].z : of[j].w; }
};

// M [k, n]: the columns of one row lie side by side. The lane's column of fragment j is N8 * (lane / 4) + j of all.
template <int N8>
struct Columns<N8, true, false> {
    static constexpr int WORDS = (N8 + 1) / 2;
    struct Source {
        const bf16* matrix;
        __device__ __forceinline__ Source(const Product& p, int expert, int lane) {
            const Layer& layer = p.layers[blockIdx.y];
            matrix = layer.matrix + static_cast<long long>(expert) * layer.n * layer.k + N8 * (lane / 4);
        }
    };
    uint32_t row[8][WORDS];

    __device__ __forceinline__ void load(const Source& source, int k, int first_k, int lane) {
        const int at = first_k + lane % 4 * 8;
        const bf16* const from = source.matrix + static_cast<long long>(at < k ? at : 0) * (8 * N8);
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

// M16 * 16 rows a block, up to 8 * N8 columns, of one layer or SHARED by all, WARPS that share k, AHEAD steps of each on their way.
template <int M16, int N8, int WARPS, int AHEAD, bool TRANSPOSED, bool SHARED>
__device__ __forceinline__ void multiply(const Product& p) {
    constexpr int ROWS = 16 * M16, SUMS = M16 * N8 * 4;
    static_assert((WARPS == 4 || WARPS == 8) && GEMM_ROWS % ROWS == 0);
    __shared__ float shares[WARPS / 2][SUMS][32];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const Layer& own_layer = p.layers[blockIdx.y];            // or the first of all
    const int depth = own_layer.k;

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
    const typename Columns<N8, TRANSPOSED, SHARED>::Source source(p, expert, lane);
    const bf16* row[M16][2];                                  // rows beyond `live` read another one and are not stored
#pragma unroll
    for (int m = 0; m < M16; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int r = first + min(m * 16 + half * 8 + lane / 4, live - 1);
            row[m][half] = own_layer.x + static_cast<long long>(p.x_rows == nullptr ? r : p.x_rows[r]) * own_layer.ldx + lane % 4 * 8;
        }

    uint4 x[AHEAD][M16][2];
    Columns<N8, TRANSPOSED, SHARED> columns[AHEAD];
    const int steps = (depth + DEPTH - 1) / DEPTH, own_steps = (steps - warp + WARPS - 1) / WARPS;
    auto load = [&](int slot, int step) {                     // the warp's own step: all warps together walk along the rows
        const int k = (step * WARPS + warp) * DEPTH;
        const bool inside = k + lane % 4 * 8 < depth;
#pragma unroll
        for (int m = 0; m < M16; m++)
#pragma unroll
            for (int half = 0; half < 2; half++) x[slot][m][half] = inside ? *reinterpret_cast<const uint4*>(row[m][half] + k) : uint4{};
        columns[slot].load(source, depth, k, lane);
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
    for (int i = 0; i < N8; i++) {                            // two neighbouring columns of Z a row
        const Place<SHARED> place(p, i);
        const Layer& layer = p.layers[place.layer];
        const int column = TRANSPOSED ? (lane % 4 * N8 + i) * 2 : place.column + lane % 4 * 2;
#pragma unroll
        for (int m = 0; m < M16; m++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int r = m * 16 + half * 8 + lane / 4;
                if (r >= live) continue;
                bf16* const out = layer.z + static_cast<long long>(first + r) * layer.n + column;
                const float left = layer.alpha * (TRANSPOSED ? sums[m][2 * i % N8][half * 2 + 2 * i / N8] : sums[m][i][half * 2]);
                const float right = layer.alpha * (TRANSPOSED ? sums[m][(2 * i + 1) % N8][half * 2 + (2 * i + 1) / N8] : sums[m][i][half * 2 + 1]);
                if (layer.n % 2 == 0) {
                    if (column < layer.n) *reinterpret_cast<uint32_t*>(out) = pack(left, right);
                } else {
                    if (column < layer.n) out[0] = __float2bfloat16_rn(left);
                    if (column + 1 < layer.n) out[1] = __float2bfloat16_rn(right);
                }
            }
    }
}

}  // namespace lora_z

#define LORA_Z(NAME, N, ROWS, WARPS, RESIDENT, AHEAD, TRANSPOSED, SHARED)                                                                  \
    extern "C" __global__ void __launch_bounds__(32 * WARPS, ptx::TURING ? 1 : RESIDENT)                                                   \
    NAME##_##N##_##ROWS(const __grid_constant__ lora_z::Product p) {                                                                       \
        lora_z::multiply<ROWS / 16, N / 8, WARPS, ptx::TURING ? 1 : AHEAD, TRANSPOSED, SHARED>(p);                                         \
    }
// Few rows: blocks of fewer rows, each with more warps. Many: what is read of M serves more rows.
#define LORA_Z_FEW(N, RESIDENT, AHEAD)                                                                                                     \
    LORA_Z(lora_z, N, 32, LORA_Z_FEW_THREADS / 32, RESIDENT, AHEAD, false, true)                                                           \
    LORA_Z(lora_dz, N, 32, LORA_Z_FEW_THREADS / 32, RESIDENT, AHEAD, true, false)
#define LORA_Z_MANY(N, RESIDENT, AHEAD)                                                                                                    \
    LORA_Z(lora_z, N, 64, LORA_Z_MANY_THREADS / 32, RESIDENT, AHEAD, false, false)                                                         \
    LORA_Z(lora_dz, N, 64, LORA_Z_MANY_THREADS / 32, RESIDENT, AHEAD, true, false)
LORA_Z_FEW(8, 2, 3)
LORA_Z_FEW(16, 2, 3)
LORA_Z_FEW(32, 1, 3)
LORA_Z(lora_z, 48, 32, LORA_Z_FEW_THREADS / 32, 1, 3, false, true)
LORA_Z_FEW(64, 1, 1)
LORA_Z_MANY(8, 3, 2)
LORA_Z_MANY(16, 3, 2)
LORA_Z_MANY(32, 2, 2)
LORA_Z_MANY(64, 2, 1)
#undef LORA_Z_MANY
#undef LORA_Z_FEW
#undef LORA_Z
