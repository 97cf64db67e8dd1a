/* Gradient of a LoRA matrix: G(f, j) += sum over rows of X[x_rows[row], f] Z[row, j], for every expert's own rows.
 *   gradB [out, rank] = dy^T z: X = dy, stored as it is;   gradA [rank, in] = dz^T x: X = x, stored transposed
 * Shapes    X [*, ldx] bf16   Z [rows, rank] bf16   G [experts, features, rank] f32 or bf16, or [experts, rank, features] where transposed
 *           offsets [experts + 1] int32: expert e owns rows offsets[e] .. offsets[e+1]-1; empty experts are legal and keep their gradient;
 *           null for one matrix of `rows` rows, of which only limit[0] - limit_offset exist where `limit` is given
 *           partials [splits, experts, same as a matrix of G] f32 where splits > 1; lora_gradient_sum adds them in index order
 * Requires  pointers 16-byte aligned; any rank, ldx and feature count; fast where ldx % 8 == 0 (X zero in columns features .. ldx-1) and rank % 8 == 0
 * Accumulates fp32, rows in order; a bf16 G is rounded to nearest after the addition      Launch  grid (feature blocks * rank blocks, experts, splits), block LORA_GRADIENT_THREADS
 * Bound by  bandwidth of X      Source  Hu et al. 2021; section 4.1 of MegaBlocks      Twin  LoraGradient.java */
#include "../common/numbers.cuh"
#include "../common/ptx.cuh"
#include "../common/tiles.h"

namespace lora_gradient {

constexpr int STAGES = 3;

__device__ __forceinline__ void store(void* gradient, int format, long long i, float x) {
    if (format == FLOAT32) static_cast<float*>(gradient)[i] = x;
    else static_cast<bf16*>(gradient)[i] = __float2bfloat16_rn(x);
}

template <int RANK>
__device__ __forceinline__ uint32_t z_at(int r, int c) {
    if constexpr (RANK >= 64) return r * RANK * 2 + ((c ^ (r & 7)) << 4);
    else return r * RANK * 2 + ((c ^ (r >> 2 & 1)) << 4);
}
__device__ __forceinline__ uint32_t x_at(int r, int c) { return r * LORA_GRADIENT_FEATURES * 2 + ((c ^ (r & 7)) << 4); }

template <int RANK>
__device__ __forceinline__ void sum(const bf16* x, const int* x_rows, const bf16* z, const int* offsets, void* gradient, int format, float* partials,
                                    const int* limit, int limit_offset, int rows, int features, int ldx, int rank, int transposed) {
    constexpr int ROWS = LORA_GRADIENT_ROWS, X_BYTES = ROWS * LORA_GRADIENT_FEATURES * 2, Z_BYTES = ROWS * RANK * 2, STAGE = X_BYTES + Z_BYTES;
    constexpr int X_LOADS = X_BYTES / 16 / LORA_GRADIENT_THREADS, Z_CHUNKS = Z_BYTES / 16;
    static_assert(ROWS == 32 && LORA_GRADIENT_FEATURES == 32 * (LORA_GRADIENT_THREADS / 32));
    __shared__ __align__(128) uint8_t storage[STAGES * STAGE];
    const uint32_t shared = ptx::shared_address(storage);
    const int t = threadIdx.x, warp = t / 32, lane = t % 32;
    const int rank_blocks = (rank + RANK - 1) / RANK;
    const int f0 = blockIdx.x / rank_blocks * LORA_GRADIENT_FEATURES, j0 = blockIdx.x % rank_blocks * RANK, expert = blockIdx.y;
    int begin = 0, end = limit == nullptr ? rows : min(rows, *limit - limit_offset);
    if (offsets != nullptr) begin = max(offsets[expert], 0), end = min(offsets[expert + 1], rows);
    if (gridDim.z > 1) {                                      // an equal share of whole stages for each split
        const int share = ((end - begin + ROWS - 1) / ROWS + gridDim.z - 1) / gridDim.z * ROWS;
        begin += blockIdx.z * share;
        end = min(end, begin + share);
    }
    const int steps = end > begin ? (end - begin + ROWS - 1) / ROWS : 0;
    if (steps == 0 && gridDim.z == 1) return;                 // nothing to add; a split still writes its zeros

    const bool aligned = rank % 8 == 0, x_aligned = ldx % 8 == 0;
    auto load = [&](int s, int stage) {
        const uint32_t to_x = shared + stage * STAGE, to_z = to_x + X_BYTES;
        const int base = begin + s * ROWS;
#pragma unroll
        for (int i = 0; i < X_LOADS; i++) {
            const int chunk = t + i * LORA_GRADIENT_THREADS, r = chunk / 16, c = chunk % 16;
            const bool inside = base + r < end && f0 + c * 8 < features;
            const int row = inside ? (x_rows == nullptr ? base + r : x_rows[base + r]) : 0;
            const bf16* from = x + static_cast<long long>(row) * ldx + (inside ? f0 + c * 8 : 0);
            if (x_aligned) ptx::copy16(to_x + x_at(r, c), from, inside);
            else ptx::store16(to_x + x_at(r, c), load_guarded(from, inside ? features - f0 - c * 8 : 0, false));
        }
        for (int chunk = t; chunk < Z_CHUNKS; chunk += LORA_GRADIENT_THREADS) {
            const int r = chunk / (RANK / 8), c = chunk % (RANK / 8), j = j0 + c * 8;
            const bool inside = base + r < end && j < rank;
            const bf16* from = inside ? z + static_cast<long long>(base + r) * rank + j : z;
            if (aligned) ptx::copy16(to_z + z_at<RANK>(r, c), from, inside);
            else ptx::store16(to_z + z_at<RANK>(r, c), load_guarded(from, inside ? rank - j : 0, false));
        }
    };

    float acc[2][RANK / 8][4] = {};
#pragma unroll
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps) load(s, s);
        ptx::commit_copies();
    }
    for (int s = 0; s < steps; s++) {
        ptx::wait_copies<STAGES - 2>();
        __syncthreads();
        if (s + STAGES - 1 < steps) load(s + STAGES - 1, (s + STAGES - 1) % STAGES);
        ptx::commit_copies();
        const uint32_t from_x = shared + s % STAGES * STAGE, from_z = from_x + X_BYTES;
#pragma unroll
        for (int k16 = 0; k16 < 2; k16++) {
            uint32_t fx[2][4];                                // X^T: features are the rows of the product
#pragma unroll
            for (int m = 0; m < 2; m++)
                ptx::load_matrices_transposed(fx[m], from_x + x_at(k16 * 16 + (lane & 7) + lane / 16 * 8, (warp * 2 + m) * 2 + (lane >> 3 & 1)));
#pragma unroll
            for (int n = 0; n < RANK / 16; n++) {
                uint32_t fz[4];
                ptx::load_matrices_transposed(fz, from_z + z_at<RANK>(k16 * 16 + (lane & 15), n * 2 + lane / 16));
#pragma unroll
                for (int m = 0; m < 2; m++) {
                    ptx::multiply_add(acc[m][n * 2], fx[m], fz[0], fz[1]);
                    ptx::multiply_add(acc[m][n * 2 + 1], fx[m], fz[2], fz[3]);
                }
            }
        }
    }

    const long long matrix = static_cast<long long>(features) * rank, to_f = transposed ? 1 : rank, to_j = transposed ? features : 1;
    float* share = gridDim.z > 1 ? partials + (static_cast<long long>(blockIdx.z) * gridDim.y + expert) * matrix : nullptr;
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < RANK / 8; n++) {
            const int f = f0 + warp * 32 + m * 16 + lane / 4, j = j0 + n * 8 + lane % 4 * 2;
            const long long at = f * to_f + j * to_j;
            float* sums = acc[m][n];
            if (share == nullptr) {                           // four loads are on their way before the first store
#pragma unroll
                for (int i = 0; i < 4; i++)
                    if (f + i / 2 * 8 < features && j + i % 2 < rank)
                        sums[i] += load_as_float(gradient, format, expert * matrix + at + i / 2 * 8 * to_f + i % 2 * to_j);
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const long long place = at + i / 2 * 8 * to_f + i % 2 * to_j;
                if (f + i / 2 * 8 >= features || j + i % 2 >= rank) continue;
                if (share != nullptr) share[place] = sums[i];
                else store(gradient, format, expert * matrix + place, sums[i]);
            }
        }
}

}  // namespace lora_gradient

extern "C" __global__ void __launch_bounds__(LORA_GRADIENT_THREADS)
lora_gradient_narrow(const bf16* x, const int* x_rows, const bf16* z, const int* offsets, void* gradient, int format, float* partials, const int* limit,
                     int limit_offset, int rows, int features, int ldx, int rank, int transposed) {
    lora_gradient::sum<LORA_GRADIENT_NARROW_RANK>(x, x_rows, z, offsets, gradient, format, partials, limit, limit_offset, rows, features, ldx, rank, transposed);
}

extern "C" __global__ void __launch_bounds__(LORA_GRADIENT_THREADS)
lora_gradient_wide(const bf16* x, const int* x_rows, const bf16* z, const int* offsets, void* gradient, int format, float* partials, const int* limit,
                   int limit_offset, int rows, int features, int ldx, int rank, int transposed) {
    lora_gradient::sum<LORA_GRADIENT_WIDE_RANK>(x, x_rows, z, offsets, gradient, format, partials, limit, limit_offset, rows, features, ldx, rank, transposed);
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
lora_gradient_sum(const float* partials, void* gradient, int format, long long n, int splits) {
    const long long i = static_cast<long long>(blockIdx.x) * FLAT_THREADS + threadIdx.x;
    if (i >= n) return;
    float total = load_as_float(gradient, format, i);
    for (int s = 0; s < splits; s++) total += partials[s * n + i];
    lora_gradient::store(gradient, format, i, total);
}
