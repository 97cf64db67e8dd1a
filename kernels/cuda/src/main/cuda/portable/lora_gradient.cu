/* Gradient of a LoRA matrix: G(f, j) += sum over rows of X[x_rows[row], f] Z[row, j], for every expert's own rows.
 *   gradB [out, rank] = dy^T z: X = dy, stored as it is;   gradA [rank, in] = dz^T x: X = x, stored transposed
 * Shapes    X [*, ldx] bf16   Z [rows, rank] bf16   G [experts, features, rank] f32 or bf16, or [experts, rank, features] where transposed
 *           offsets [experts + 1] int32: expert e owns rows offsets[e] .. offsets[e+1]-1; empty experts are legal and keep their gradient;
 *           null for one matrix of `rows` rows, of which only limit[0] - limit_offset exist where `limit` is given
 *           partials [splits, experts, same as a matrix of G] f32 where splits > 1; lora_gradient_sum adds them in index order
 * Requires  pointers of X and Z 16-byte aligned; any rank, ldx and feature count; fast where ldx % 8 == 0 (X zero in columns features .. ldx-1),
 *           rank % 8 == 0 and features % 4 == 0
 * Accumulates fp32, rows in order; a bf16 G is rounded to nearest after the addition
 * Launch    grid (feature blocks * rank blocks, experts, splits), block LORA_GRADIENT_THREADS, dynamic shared STAGES stages of X and Z
 * Bound by  bandwidth of X      Source  Hu et al. 2021; section 4.1 of MegaBlocks      Twin  LoraGradient.java */
#include "../common/numbers.cuh"
#include "../common/ptx.cuh"
#include "../common/tiles.h"

namespace lora_gradient {

constexpr int ROWS = LORA_GRADIENT_ROWS, FEATURES = LORA_GRADIENT_FEATURES, THREADS = LORA_GRADIENT_THREADS, STAGES = LORA_GRADIENT_STAGES;
constexpr int X_CHUNKS = FEATURES / 8;                        // of 16 bytes in a row of X
constexpr int OWN_ROWS = ROWS * X_CHUNKS / THREADS;           // rows of a stage that a thread copies a chunk of
static_assert(FEATURES == 32 * (THREADS / 32) && X_CHUNKS == 32 && ROWS == 32);

// Where chunk c of row r lies: rotated so that neither copies nor transposed reads meet in a bank.
__device__ __forceinline__ uint32_t x_at(int r, int c) { return r * FEATURES * 2 + ((c ^ (r & 7)) << 4); }

template <int RANK>
__device__ __forceinline__ uint32_t z_at(int r, int c) {
    if constexpr (RANK >= 64) return r * RANK * 2 + ((c ^ (r & 7)) << 4);
    else return r * RANK * 2 + ((c ^ (r >> 2 & 1)) << 4);
}

__device__ __forceinline__ void store(void* gradient, int format, long long i, float x) {
    if (format == FLOAT32) static_cast<float*>(gradient)[i] = x;
    else static_cast<bf16*>(gradient)[i] = __float2bfloat16_rn(x);
}

__device__ __forceinline__ float4 load_four(const void* gradient, int format, long long i) {
    if (format == FLOAT32) return *reinterpret_cast<const float4*>(static_cast<const float*>(gradient) + i);
    const uint2 raw = *reinterpret_cast<const uint2*>(static_cast<const bf16*>(gradient) + i);
    return make_float4(low(raw.x), high(raw.x), low(raw.y), high(raw.y));
}

__device__ __forceinline__ void store_four(void* gradient, int format, long long i, float4 v) {
    if (format == FLOAT32) *reinterpret_cast<float4*>(static_cast<float*>(gradient) + i) = v;
    else *reinterpret_cast<uint2*>(static_cast<bf16*>(gradient) + i) = make_uint2(pack(v.x, v.y), pack(v.z, v.w));
}

// A block's share: rows begin .. end-1 of one expert, FEATURES features from f0, RANK columns of Z from j0.
struct Share { int expert, f0, j0, begin, end; };

template <int RANK>
__device__ __forceinline__ Share share(const int* offsets, const int* limit, int limit_offset, int rows, int rank) {
    const int rank_blocks = (rank + RANK - 1) / RANK;
    Share own = {static_cast<int>(blockIdx.y), static_cast<int>(blockIdx.x) / rank_blocks * FEATURES, static_cast<int>(blockIdx.x) % rank_blocks * RANK,
                 0, limit == nullptr ? rows : min(rows, *limit - limit_offset)};
    if (offsets != nullptr) own.begin = max(offsets[own.expert], 0), own.end = min(offsets[own.expert + 1], rows);
    if (gridDim.z > 1) {                                      // an equal share of whole stages for each split
        const int part = ((own.end - own.begin + ROWS - 1) / ROWS + gridDim.z - 1) / gridDim.z * ROWS;
        own.begin += blockIdx.z * part;
        own.end = min(own.end, own.begin + part);
    }
    return own;
}

// Adds (or, as a split, writes) a tile of sums that lies in shared memory in the order of G: [RANK][FEATURES] transposed, else [FEATURES][RANK].
template <int RANK>
__device__ __forceinline__ void add_tile(const float* tile, const Share& own, void* to, int format, bool add, long long matrix, int features, int rank,
                                         bool transposed) {
    constexpr int FOURS = FEATURES * RANK / 4 / THREADS, AHEAD = 4;
    static_assert(FOURS % AHEAD == 0);
    const int inner = transposed ? features : rank, width = transposed ? FEATURES : RANK;
    const int outer0 = transposed ? own.j0 : own.f0, inner0 = transposed ? own.f0 : own.j0, outers = transposed ? rank : features;
    const uintptr_t address = reinterpret_cast<uintptr_t>(to);
    const bool fours = inner % 4 == 0 && matrix % 4 == 0 && address % (format == FLOAT32 ? 16 : 8) == 0;
    for (int first = 0; first < FOURS; first += AHEAD) {
        float4 old[AHEAD];
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int at = ((first + i) * THREADS + threadIdx.x) * 4, o = outer0 + at / width, n = inner0 + at % width;
            old[i] = make_float4(0.f, 0.f, 0.f, 0.f);
            if (add && fours && o < outers && n < inner) old[i] = load_four(to, format, static_cast<long long>(o) * inner + n);
        }
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int at = ((first + i) * THREADS + threadIdx.x) * 4, o = outer0 + at / width, n = inner0 + at % width;
            if (o >= outers) continue;
            const long long place = static_cast<long long>(o) * inner + n;
            if (fours) {
                if (n < inner) {
                    const float4 sum = *reinterpret_cast<const float4*>(tile + at);
                    store_four(to, format, place, make_float4(old[i].x + sum.x, old[i].y + sum.y, old[i].z + sum.z, old[i].w + sum.w));
                }
            } else {
                for (int k = 0; k < 4 && n + k < inner; k++)
                    store(to, format, place + k, tile[at + k] + (add ? load_as_float(to, format, place + k) : 0.f));
            }
        }
    }
}

template <int RANK>
__device__ __forceinline__ void sum(const bf16* x, const int* x_rows, const bf16* z, const int* offsets, void* gradient, int format, float* partials,
                                    const int* limit, int limit_offset, int rows, int features, int ldx, int rank, int transposed) {
    constexpr int X_BYTES = ROWS * FEATURES * 2, Z_BYTES = ROWS * RANK * 2, STAGE = X_BYTES + Z_BYTES, Z_CHUNKS = Z_BYTES / 16;
    static_assert(Z_CHUNKS <= THREADS && FEATURES * RANK * 4 <= STAGES * STAGE);
    extern __shared__ __align__(128) uint8_t storage[];
    const uint32_t shared = ptx::shared_address(storage);
    const int t = threadIdx.x, warp = t / 32, lane = t % 32;
    const Share own = share<RANK>(offsets, limit, limit_offset, rows, rank);
    const int steps = own.end > own.begin ? (own.end - own.begin + ROWS - 1) / ROWS : 0;
    if (steps == 0 && gridDim.z == 1) return;                 // nothing to add; a split still writes its zeros

    // Rows of X that this thread copies in a step; looked up one step ahead, because a map's entries come from memory too.
    auto find = [&](int s, int (&found)[OWN_ROWS]) {
#pragma unroll
        for (int i = 0; i < OWN_ROWS; i++) {
            const int row = own.begin + s * ROWS + warp + i * (THREADS / 32);
            found[i] = row >= own.end ? -1 : x_rows == nullptr ? row : x_rows[row];
        }
    };
    const bool z_aligned = rank % 8 == 0, x_aligned = ldx % 8 == 0, column = own.f0 + lane * 8 < features;
    auto load = [&](int s, const int (&found)[OWN_ROWS]) {
        const uint32_t to_x = shared + s % STAGES * STAGE, to_z = to_x + X_BYTES;
#pragma unroll
        for (int i = 0; i < OWN_ROWS; i++) {
            const bool inside = found[i] >= 0 && column;
            const bf16* from = x + (inside ? static_cast<long long>(found[i]) * ldx + own.f0 + lane * 8 : 0);
            const uint32_t to = to_x + x_at(warp + i * (THREADS / 32), lane);
            if (x_aligned) ptx::copy16(to, from, inside);
            else ptx::store16(to, load_guarded(from, inside ? features - own.f0 - lane * 8 : 0, false));
        }
        if (t < Z_CHUNKS) {
            const int r = t / (RANK / 8), c = t % (RANK / 8), row = own.begin + s * ROWS + r, j = own.j0 + c * 8;
            const bool inside = row < own.end && j < rank;
            const bf16* from = inside ? z + static_cast<long long>(row) * rank + j : z;
            if (z_aligned) ptx::copy16(to_z + z_at<RANK>(r, c), from, inside);
            else ptx::store16(to_z + z_at<RANK>(r, c), load_guarded(from, inside ? rank - j : 0, false));
        }
    };

    int found[STAGES][OWN_ROWS];                              // all looked up before the first is used
#pragma unroll
    for (int s = 0; s < STAGES; s++) find(s, found[s]);
#pragma unroll
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps) load(s, found[s]);
        ptx::commit_copies();
    }
    int next[OWN_ROWS];
#pragma unroll
    for (int i = 0; i < OWN_ROWS; i++) next[i] = found[STAGES - 1][i];

    float acc[2][RANK / 8][4] = {};
    for (int s = 0; s < steps; s++) {
        ptx::wait_copies<STAGES - 2>();
        __syncthreads();
        if (s + STAGES - 1 < steps) load(s + STAGES - 1, next);
        ptx::commit_copies();
        find(s + STAGES, next);
        const uint32_t from_x = shared + s % STAGES * STAGE, from_z = from_x + X_BYTES;
#pragma unroll
        for (int k16 = 0; k16 < ROWS / 16; k16++) {
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
    ptx::wait_copies<0>();
    __syncthreads();                                          // the stages have been read: the sums go there

    float* tile = reinterpret_cast<float*>(storage);
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < RANK / 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const int f = warp * 32 + m * 16 + i / 2 * 8 + lane / 4, j = n * 8 + lane % 4 * 2 + i % 2;
                tile[transposed ? j * FEATURES + f : f * RANK + j] = acc[m][n][i];
            }
    __syncthreads();
    const long long matrix = static_cast<long long>(features) * rank;
    if (gridDim.z > 1) {
        float* part = partials + (static_cast<long long>(blockIdx.z) * gridDim.y + own.expert) * matrix;
        add_tile<RANK>(tile, own, part, FLOAT32, false, matrix, features, rank, transposed);
    } else {
        void* to = format == FLOAT32 ? static_cast<void*>(static_cast<float*>(gradient) + own.expert * matrix)
                                     : static_cast<void*>(static_cast<bf16*>(gradient) + own.expert * matrix);
        add_tile<RANK>(tile, own, to, format, true, matrix, features, rank, transposed);
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
#pragma unroll 8
    for (int s = 0; s < splits; s++) total += partials[s * n + i];
    lora_gradient::store(gradient, format, i, total);
}
