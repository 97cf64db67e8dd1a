/* What the products of one matrix or several layers share: row tiles, where sums begin, what is added to them and how they are stored. */
#pragma once
#include "products.cuh"

namespace dense {

using namespace products;

constexpr int ROWS = 128;
constexpr uint32_t A_HALF = 64 * ROW_BYTES, A_BYTES = 2 * A_HALF;
static_assert(ROWS == HOPPER_ROWS);

// Which rows exist and in what bands output tiles are taken.
struct Rows {
    const int* limit;                                         // or null: only limit[0] - limit_offset of `rows` exist
    int rows, limit_offset, raster, unused;

    __device__ __forceinline__ int count() const { return limit == nullptr ? rows : min(rows, max(0, *limit - limit_offset)); }
};

// One of the layers that a launch multiplies: several layers of one input forward, several that share an input's gradient backward.
struct Layer {
    bf16* c;
    const void* bias;                                         // [n] f32 or bf16, or null
    int bias_format, n, k, ldc, rank, first_column;           // first_column: column tiles of the layers before it
};

// The gradient of several layers has one C, that of layer[0].
template <int LAYERS>
struct Product {
    Rows rows;
    const bf16* a;                                            // where rows are gathered: read directly
    const int* a_rows;                                        // or null
    const int* c_rows;                                        // or null
    int* drawn;                                               // how many tiles were drawn: 0 before the launch and after it
    int lda, accumulate, layers, unused;
    Layer layer[LAYERS];
};

// As `Product`: a is one map forward, one for each layer backward.
template <int LAYERS>
struct Maps { CUtensorMap a[LAYERS], w[LAYERS], z[LAYERS], u[LAYERS]; };

struct Schedule : Bands {
    int rows;

    __device__ __forceinline__ Schedule(const Rows& r, int column_tiles) : Bands(r.raster, (r.count() + ROWS - 1) / ROWS, column_tiles), rows(r.count()) {}

    // The work-th output tile: its rows, and the number of its column tile.
    __device__ __forceinline__ Tile at(int work, int& column) const {
        int row;
        Bands::at(work, row, column);
        return {0, row * ROWS, min(ROWS, rows - row * ROWS), 0};
    }
};

// The rows of a tile, 64 columns of them from k0; the second 64 rows only where there are any.
__device__ __forceinline__ uint32_t left_bytes(const Tile& tile) { return tile.rows > 64 ? A_BYTES : A_HALF; }
__device__ __forceinline__ void load_left(uint32_t to, const CUtensorMap& map, uint32_t barrier, int k0, const Tile& tile) {
    ptx::load_box(to, map, barrier, k0, tile.first);
    if (tile.rows > 64) ptx::load_box(to + A_HALF, map, barrier, k0, tile.first + 64);
}

// Row of C that row r of a product goes to.
__device__ __forceinline__ long long output_row(const int* c_rows, int r) { return c_rows == nullptr ? r : c_rows[r]; }

// Adds the bias to the 8-column groups FROM .. TO - 1, whose columns begin at n0 of the layer.
template <int FROM, int TO, int BLOCKS, int N>
__device__ __forceinline__ void add_bias(float (&acc)[BLOCKS][N], const Layer& layer, int n0) {
    const int at = n0 + threadIdx.x % 4 * 2;     // and every eighth from there
    const auto add = [&](auto load) {
#pragma unroll
        for (int j = 0; j < TO - FROM; j++) {                 // columns come in eights: all of them exist or none
            const float2 two = n0 + 8 * j < layer.n ? load(at + 8 * j) : make_float2(0.f, 0.f);
#pragma unroll
            for (int m = 0; m < BLOCKS; m++) {
                float* v = acc[m] + 4 * (FROM + j);
                v[0] += two.x, v[1] += two.y, v[2] += two.x, v[3] += two.y;
            }
        }
    };
    if (layer.bias == nullptr) return;
    if (layer.bias_format == FLOAT32) {
        add([&](int i) { return *reinterpret_cast<const float2*>(static_cast<const float*>(layer.bias) + i); });
    } else {
        add([&](int i) {
            const uint32_t two = *reinterpret_cast<const uint32_t*>(static_cast<const bf16*>(layer.bias) + i);
            return make_float2(low(two), high(two));
        });
    }
}

// Where the sums of a tile begin, BLOCKS x 64 rows from `first`, `rows` of which exist, columns from n0: old values or zero.
template <int BLOCKS, int N>
__device__ __forceinline__ void begin_sums(float (&acc)[BLOCKS][N], const Layer& layer, const int* c_rows, int accumulate, int first, int rows, int n0) {
    const int t = threadIdx.x % WARPGROUP;
#pragma unroll
    for (int m = 0; m < BLOCKS; m++)
#pragma unroll
        for (int i = 0; i < N; i++) acc[m][i] = 0.f;
    if (!accumulate) return;
#pragma unroll
    for (int m = 0; m < BLOCKS; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int r = m * 64 + t / 32 * 16 + t % 32 / 4 + half * 8;
            if (r < rows) {
                const bf16* old = layer.c + output_row(c_rows, first + r) * layer.ldc + n0 + t % 4 * 2;
#pragma unroll
                for (int j = 0; j < N / 4; j++) {
                    if (n0 + 8 * j >= layer.n) break;
                    const uint32_t two = *reinterpret_cast<const uint32_t*>(old + 8 * j);
                    acc[m][4 * j + 2 * half] += low(two), acc[m][4 * j + 2 * half + 1] += high(two);
                }
            }
        }
    }
}

// Where a tile goes: rows first .. first + rows - 1 of a matrix with rows of `stride`, or the rows that c_rows names.
struct Target {
    bf16* c;
    const int* c_rows;
    int stride, first, rows;
    uint32_t staging;                                         // rows of STAGING_ROW bytes that the warpgroup owns
    int barrier;                                              // and its named barrier
};

constexpr uint32_t STAGING_ROW = 64 * 2 + 16;                 // + 16: rows start in different banks

// Rounds and stores BLOCKS x 64 rows of the 8-column groups FROM .. TO - 1 to columns from n0 on that are below `end`, 64 columns at a time.
template <int FROM, int TO, int BLOCKS, int N>
__device__ __forceinline__ void store(const float (&acc)[BLOCKS][N], const Target& to, int n0, int end) {
    const int t = threadIdx.x % WARPGROUP, warp = t / 32, lane = t % 32;
    const uint32_t row_part = to.staging + t / 8 * STAGING_ROW + t % 8 * 16;      // rows t / 8, t / 8 + 16, .. of 8 columns each
    const uint32_t fragment = to.staging + (warp * 16 + (lane & 15)) * STAGING_ROW + lane / 16 * 16;
#pragma unroll
    for (int group = FROM; group < TO; group += 8) {
        const int from = n0 + (group - FROM) * 8, column = from + t % 8 * 8, groups = TO - group < 8 ? TO - group : 8;
        if (from >= end) break;
        ptx::sync_named(to.barrier, WARPGROUP);               // the last chunk has left the staging rows
#pragma unroll
        for (int m = 0; m < BLOCKS; m++) {
            if (m == 1 && to.rows <= 64) break;
#pragma unroll
            for (int j = 0; j < groups; j += 2) {
                const float* v = acc[m] + (group + j) * 4;
                ptx::store_matrices(fragment + m * 64 * STAGING_ROW + j * 16, pack(v[0], v[1]), pack(v[2], v[3]), pack(v[4], v[5]), pack(v[6], v[7]));
            }
        }
        ptx::sync_named(to.barrier, WARPGROUP);
#pragma unroll 4
        for (int i = 0; i < BLOCKS * 4; i++) {
            const int r = t / 8 + i * 16;
            if (r < to.rows && column < end && t % 8 < groups)
                *reinterpret_cast<uint4*>(to.c + output_row(to.c_rows, to.first + r) * to.stride + column) = ptx::load16(row_part + i * 16 * STAGING_ROW);
        }
    }
}

}  // namespace dense
