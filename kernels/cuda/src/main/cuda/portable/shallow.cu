/* Gradient products of few steps, whose reading and writing of C is what they take: C[r, n] (+)= sum over k of A[r, k] W[k, n]. A router's.
 * A block keeps its columns of W and walks over row tiles. It asks for the old C together with A, before it multiplies.
 * Shapes    A [rows, lda] bf16   W [k, n] bf16   C [rows, ldc] bf16
 * Requires  k <= SHALLOW_DEPTH; n, lda, ldc % 8 == 0, A zero in columns k .. lda-1, pointers 16-byte aligned
 * Accumulates fp32, rounded once      Launch  grid (ceil(n / SHALLOW_COLUMNS), any part of the row tiles), block SHALLOW_THREADS
 * Bound by  memory bandwidth      Source  the chain rule      Twin  ShallowGemm.java */
#include "../common/numbers.cuh"
#include "../common/ptx.cuh"
#include "../common/tiles.h"

namespace shallow {

struct Product {
    const bf16* a;
    const bf16* w;
    bf16* c;
    int rows, n, k, lda, ldc, accumulate;
};

constexpr int WARPS = SHALLOW_THREADS / 32, M16 = SHALLOW_ROWS / 16, N8 = SHALLOW_COLUMNS / WARPS / 8;   // a warp has all rows of its columns
constexpr int CHUNKS = SHALLOW_DEPTH / 8, A_BYTES = SHALLOW_ROWS * SHALLOW_DEPTH * 2, W_BYTES = SHALLOW_DEPTH * SHALLOW_COLUMNS * 2;
static_assert(N8 == 4 && SHALLOW_DEPTH == SHALLOW_COLUMNS && A_BYTES + W_BYTES <= 48 * 1024);

// Where 16-byte chunk c of row r lies in either tile, so that 8 rows of one chunk touch all banks.
__device__ __forceinline__ uint32_t place(int r, int c) { return r * (SHALLOW_DEPTH * 2) + ((c ^ (r & 7)) << 4); }

// Word i of lane q and word q of lane i of every four lanes change places: eight neighbours of a row that a lane loads or stores become the pairs
// that it has of four sums, and the other way round.
__device__ __forceinline__ void transpose(uint32_t (&words)[4]) {
#pragma unroll
    for (int bit = 1; bit <= 2; bit *= 2) {
        const bool upper = (threadIdx.x & bit) != 0;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if ((i & bit) != 0) continue;
            const uint32_t got = __shfl_xor_sync(~0u, upper ? words[i] : words[i + bit], bit);
            if (upper) words[i] = got;
            else words[i + bit] = got;
        }
    }
}

}  // namespace shallow

extern "C" __global__ void __launch_bounds__(SHALLOW_THREADS, ptx::TURING ? 1 : SHALLOW_RESIDENT)
gemm_nn_shallow(const __grid_constant__ shallow::Product p) {
    using namespace shallow;
    __shared__ __align__(128) uint8_t storage[A_BYTES + W_BYTES];
    const uint32_t a = ptx::shared_address(storage), w = a + A_BYTES;
    const int t = threadIdx.x, warp = t / 32, lane = t % 32;
    const int first_column = blockIdx.x * SHALLOW_COLUMNS, depth = (p.k + 15) / 16 * 16;
    for (int chunk = t; chunk < depth * (SHALLOW_COLUMNS / 8); chunk += SHALLOW_THREADS) {
        const int r = chunk / (SHALLOW_COLUMNS / 8), c = chunk % (SHALLOW_COLUMNS / 8), column = first_column + c * 8;
        const bool inside = r < p.k && column < p.n;
        ptx::copy16(w + place(r, c), inside ? p.w + static_cast<long long>(r) * p.n + column : p.w, inside);
    }

    const int column = first_column + warp * 32 + lane % 4 * 8;   // of the eight neighbours that this lane loads and stores
    for (int first = blockIdx.y * SHALLOW_ROWS; first < p.rows; first += gridDim.y * SHALLOW_ROWS) {
        const int live = min(SHALLOW_ROWS, p.rows - first);
#pragma unroll
        for (int i = 0; i < SHALLOW_ROWS * CHUNKS / SHALLOW_THREADS; i++) {
            const int chunk = t + i * SHALLOW_THREADS, r = chunk / CHUNKS, c = chunk % CHUNKS;
            const bool inside = r < live && c * 8 < p.k;
            if (c * 8 < depth) ptx::copy16(a + place(r, c), inside ? p.a + static_cast<long long>(first + r) * p.lda + c * 8 : p.a, inside);
        }
        ptx::commit_copies();
        bf16* const out = p.c + static_cast<long long>(first + lane / 4) * p.ldc + column;
        uint4 old[M16 * 2];                                   // of rows 8 i + lane / 4
#pragma unroll
        for (int i = 0; i < M16 * 2; i++) {
            const bool wanted = p.accumulate && i * 8 + lane / 4 < live && column < p.n;
            old[i] = wanted ? *reinterpret_cast<const uint4*>(out + static_cast<long long>(i * 8) * p.ldc) : uint4{};
        }
        ptx::wait_copies<0>();
        __syncthreads();

        float sums[M16][N8][4] = {};
#pragma unroll 1
        for (int k = 0; k < depth; k += 16) {
            uint32_t right[N8 / 2][4];
#pragma unroll
            for (int n = 0; n < N8 / 2; n++) ptx::load_matrices_transposed(right[n], w + place(k + (lane & 15), warp * N8 + n * 2 + lane / 16));
#pragma unroll
            for (int m = 0; m < M16; m++) {
                uint32_t raw[4];
                ptx::load_matrices(raw, a + place(m * 16 + (lane & 15), k / 8 + lane / 16));
                const ptx::Left left(raw);
#pragma unroll
                for (int n = 0; n < N8; n++) ptx::multiply_add(sums[m][n], left, right[n / 2][n % 2 * 2], right[n / 2][n % 2 * 2 + 1]);
            }
        }
        __syncthreads();                                      // nobody reads this A any more

#pragma unroll
        for (int i = 0; i < M16 * 2; i++) {
            uint32_t words[4] = {old[i].x, old[i].y, old[i].z, old[i].w};
            transpose(words);
#pragma unroll
            for (int n = 0; n < N8; n++) {
                const float (&sum)[4] = sums[i / 2][n];
                words[n] = pack(sum[i % 2 * 2] + low(words[n]), sum[i % 2 * 2 + 1] + high(words[n]));
            }
            transpose(words);
            if (i * 8 + lane / 4 < live && column < p.n) {
                *reinterpret_cast<uint4*>(out + static_cast<long long>(i * 8) * p.ldc) = make_uint4(words[0], words[1], words[2], words[3]);
            }
        }
    }
}
