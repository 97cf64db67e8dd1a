/* Gradients of LoRA matrices, each G(f, j) += sum over rows of X[x_rows[row], f] Z[row, j], for every expert's own rows.
 *   gradB [out, rank] = dy^T z: X = dy, stored as it is;   gradA [rank, in] = dz^T x: X = x, stored transposed
 * Shapes    X [*, ldx] bf16   Z [rows, rank] bf16   G [experts, features, rank] f32 or bf16, or [experts, rank, features] where transposed
 *           offsets [experts + 1] int32: expert e owns rows offsets[e] .. offsets[e+1]-1; empty experts are legal and keep their gradient;
 *           null for one matrix, an expert of all `rows` rows, of which only limit[0] - limit_offset exist where `limit` is given
 * Shares    an expert of n >= 2 share_rows rows is shared by n / share_rows blocks, each of which leaves its sums in a place of its own; the block
 *           that comes last adds them in index order: bits depend on offsets, rows and share_rows alone
 *           places [of all calls: shares * columns, FEATURES * ranks of a block] f32   arrivals [as many] int32, 0 before and after
 *           shares is rows / share_rows, or 0 where that is 1; a call's columns are its feature blocks * rank blocks
 * Requires  pointers of X, Z and places 16-byte aligned; any rank, ldx and feature count; fast where ldx % 8 == 0 (X zero in columns
 *           features .. ldx-1), rank % 8 == 0 and features % 4 == 0
 * Accumulates fp32, rows in order; a bf16 G is rounded to nearest after the addition
 * Launch    grid: for each of up to LORA_GRADIENT_CALLS calls (shares + experts) * columns blocks, one matrix counted as one expert; block
 *           LORA_GRADIENT_THREADS, dynamic shared STAGES stages of X and Z
 * Bound by  bandwidth of X      Source  Hu et al. 2021; section 4.1 of MegaBlocks      Twin  LoraGradients.java */
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

// One gradient of those that a launch adds to.
struct Call {
    const bf16* x;
    const int* x_rows;                                        // or null: the same
    const bf16* z;
    const int* offsets;                                       // or null: one matrix
    const int* limit;                                         // or null
    void* gradient;
    int format, limit_offset, rows, features, ldx, rank, transposed;
    int experts, share_rows, shares;
    int first_block, first_place;                             // of those that are its own
};
static_assert(sizeof(Call) == LORA_GRADIENT_CALL_BYTES);

struct Calls {
    Call of[LORA_GRADIENT_CALLS];
    float* places;
    unsigned* arrivals;
    int count;
};

// A block's share: rows begin .. end-1 of one expert, FEATURES features from f0, RANK columns of Z from j0; `part` of `parts` blocks with the same
// expert, features and columns, whose places lie `columns` apart from `place` on.
struct Share { int expert, f0, j0, begin, end, part, parts, place, columns; };

// Where the rows of expert e begin, and those of e - 1 end.
__device__ __forceinline__ int first_row(const Call& p, int e) {
    if (p.offsets != nullptr) return p.offsets[e];
    if (e == 0) return 0;
    return p.limit == nullptr ? p.rows : min(p.rows, *p.limit - p.limit_offset);
}

// The expert that shared block `slot` works for: it owns the n / share_rows slots from offsets[e] / share_rows on, which no two experts' can
// both own. Every thread of the block looks at some experts. Leaves `own` without rows where there is none, or where offsets are no offsets.
__device__ __forceinline__ void find_shared(const Call& p, int slot, Share& own) {
    __shared__ int owner;
    bool wrong = false, found = false;
    for (int e = threadIdx.x; e < p.experts; e += THREADS) {
        const int begin = first_row(p, e), end = first_row(p, e + 1);
        wrong |= begin < 0 || begin > end || end > p.rows;
        if (wrong) continue;
        const int parts = (end - begin) / p.share_rows, first = begin / p.share_rows;
        if (parts < 2 || slot < first || slot >= first + parts) continue;
        found = true;
        owner = e;
    }
    const bool any_wrong = __syncthreads_or(wrong), any_found = __syncthreads_or(found);
    if (any_wrong || !any_found) return;
    own.expert = owner;
    const int begin = first_row(p, owner), rows = first_row(p, owner + 1) - begin, stages = (rows + ROWS - 1) / ROWS;
    const int first = begin / p.share_rows;
    own.parts = rows / p.share_rows, own.part = slot - first, own.place += first * own.columns;
    const auto stage = [&](int part) { return static_cast<int>(static_cast<long long>(stages) * part / own.parts) * ROWS; };
    own.begin = begin + stage(own.part);
    own.end = begin + min(rows, stage(own.part + 1));
}

template <int RANK>
__device__ __forceinline__ Share share(const Call& p) {
    const int rank_blocks = (p.rank + RANK - 1) / RANK, columns = (p.features + FEATURES - 1) / FEATURES * rank_blocks;
    const int block = blockIdx.x - p.first_block, column = block % columns, slot = block / columns;
    Share own = {0, column / rank_blocks * FEATURES, column % rank_blocks * RANK, 0, 0, 0, 1, p.first_place + column, columns};
    if (slot < p.shares) {                                    // the longest walks begin first
        find_shared(p, slot, own);
    } else {
        own.expert = slot - p.shares;
        const int begin = max(first_row(p, own.expert), 0), end = min(first_row(p, own.expert + 1), p.rows);
        if (end - begin < 2 * p.share_rows) own.begin = begin, own.end = end;
    }
    return own;
}

// The call that this block works for.
__device__ __forceinline__ const Call& find_call(const Calls& calls) {
    int c = 0;
    while (c + 1 < calls.count && static_cast<int>(blockIdx.x) >= calls.of[c + 1].first_block) c++;
    return calls.of[c];
}

// Whether this block is the last of `parts` to come here; what the others stored before is then visible to all its threads.
__device__ __forceinline__ bool comes_last(unsigned* arrivals, int parts) {
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicInc(arrivals, parts - 1) == parts - 1;  // which makes it 0 again
    __syncthreads();
    __threadfence();
    return last;
}

// What the blocks of one expert leave for the last of them: four floats of a thread next to those of its neighbours.
template <int RANK>
struct Places {
    static constexpr int FOURS = RANK / 4, TOGETHER = RANK < 32 ? 8 : 4;
    float4* const first;                                      // of this thread in the first block's place
    const long long stride;
    const int parts;

    __device__ __forceinline__ Places(float* places, const Share& own)
        : first(reinterpret_cast<float4*>(places) + static_cast<long long>(own.place) * FOURS * THREADS + threadIdx.x),
          stride(static_cast<long long>(own.columns) * FOURS * THREADS), parts(own.parts) {}

    __device__ __forceinline__ void leave(int part, const float (&acc)[2][RANK / 8][4]) const {
#pragma unroll
        for (int i = 0; i < FOURS; i++) {
            const float(&v)[4] = acc[i % 2][i / 2];
            __stcg(first + part * stride + i * THREADS, make_float4(v[0], v[1], v[2], v[3]));
        }
    }

    // The sums over all parts of acc[0][n] and acc[1][n].
    __device__ __forceinline__ void add(int n, float (&sum)[2][4]) const {
#pragma unroll
        for (int k = 0; k < 8; k++) sum[k / 4][k % 4] = 0.f;
        for (int part = 0; part < parts; part += TOGETHER) {
            float4 v[TOGETHER][2];
#pragma unroll
            for (int i = 0; i < TOGETHER; i++)
#pragma unroll
                for (int m = 0; m < 2; m++)
                    v[i][m] = part + i < parts ? __ldcg(first + (part + i) * stride + (n * 2 + m) * THREADS) : make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll
            for (int i = 0; i < TOGETHER; i++)
#pragma unroll
                for (int m = 0; m < 2; m++) sum[m][0] += v[i][m].x, sum[m][1] += v[i][m].y, sum[m][2] += v[i][m].z, sum[m][3] += v[i][m].w;
        }
    }
};

// Adds a tile of sums that lies in shared memory in the order of G: [WIDTH][FEATURES] transposed, else [FEATURES][WIDTH].
template <int WIDTH>
__device__ __forceinline__ void add_tile(const float* tile, const Call& p, const Share& own, int j0) {
    constexpr int FOURS = FEATURES * WIDTH / 4 / THREADS, AHEAD = 4;
    static_assert(FOURS % AHEAD == 0);
    const int inner = p.transposed ? p.features : p.rank, width = p.transposed ? FEATURES : WIDTH;
    const int outer0 = p.transposed ? j0 : own.f0, inner0 = p.transposed ? own.f0 : j0, outers = p.transposed ? p.rank : p.features;
    const int format = p.format, bytes = format == FLOAT32 ? 4 : 2;
    uint8_t* const to = static_cast<uint8_t*>(p.gradient) + own.expert * static_cast<long long>(p.features) * p.rank * bytes;
    const bool fours = inner % 4 == 0 && reinterpret_cast<uintptr_t>(to) % (4 * bytes) == 0;
#pragma unroll 1
    for (int first = 0; first < FOURS; first += AHEAD) {
        float4 old[AHEAD];
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int at = ((first + i) * THREADS + threadIdx.x) * 4, o = outer0 + at / width, n = inner0 + at % width;
            old[i] = make_float4(0.f, 0.f, 0.f, 0.f);
            if (fours && o < outers && n < inner) old[i] = load_four(to, format, static_cast<long long>(o) * inner + n);
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
                    store(to, format, place + k, tile[at + k] + load_as_float(to, format, place + k));
            }
        }
    }
}

// Brings a block's sums into the order of G and adds them. take(n, sums) gives the sums of acc[0][n] and acc[1][n].
template <int RANK, int UNROLL, typename Take>
__device__ __forceinline__ void finish(const Call& p, const Share& own, float* tile, Take take) {
    constexpr int WIDTH = RANK < 32 ? RANK : 32;              // ranks that go to G together
    static_assert(FEATURES * WIDTH * 4 <= STAGES * ROWS * (FEATURES + RANK) * 2);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll(UNROLL)
    for (int j0 = 0; j0 < RANK; j0 += WIDTH) {
        __syncthreads();                                      // the stages, or the tile before, have been read
#pragma unroll(UNROLL)
        for (int n = 0; n < WIDTH / 8; n++) {
            float sums[2][4];
            take(j0 / 8 + n, sums);
#pragma unroll
            for (int i = 0; i < 8; i++) {
                const int f = warp * 32 + i / 4 * 16 + i % 4 / 2 * 8 + lane / 4, j = n * 8 + lane % 4 * 2 + i % 2;
                tile[p.transposed ? j * FEATURES + f : f * WIDTH + j] = sums[i / 4][i % 4];
            }
        }
        __syncthreads();
        add_tile<WIDTH>(tile, p, own, own.j0 + j0);
    }
}

template <int RANK>
__device__ __forceinline__ void sum(const Calls& calls) {
    constexpr int X_BYTES = ROWS * FEATURES * 2, Z_BYTES = ROWS * RANK * 2, STAGE = X_BYTES + Z_BYTES, Z_CHUNKS = Z_BYTES / 16;
    static_assert(Z_CHUNKS <= THREADS && STAGES * STAGE < 64 * 1024);
    extern __shared__ __align__(128) uint8_t storage[];
    const uint32_t shared = ptx::shared_address(storage);
    const int t = threadIdx.x, warp = t / 32, lane = t % 32;
    const Call& p = find_call(calls);
    const Share own = share<RANK>(p);
    const int steps = own.end > own.begin ? (own.end - own.begin + ROWS - 1) / ROWS : 0;
    if (steps == 0) return;                                   // nothing to add; a part has rows

    // Rows of X that this thread copies in a step; looked up one step ahead, because a map's entries come from memory too.
    auto find = [&](int s, int (&found)[OWN_ROWS]) {
#pragma unroll
        for (int i = 0; i < OWN_ROWS; i++) {
            const int row = own.begin + s * ROWS + warp + i * (THREADS / 32);
            found[i] = row >= own.end ? -1 : p.x_rows == nullptr ? row : p.x_rows[row];
        }
    };
    const bool z_aligned = p.rank % 8 == 0, x_aligned = p.ldx % 8 == 0, column = own.f0 + lane * 8 < p.features;
    auto load = [&](int s, const int (&found)[OWN_ROWS]) {
        const uint32_t to_x = shared + s % STAGES * STAGE, to_z = to_x + X_BYTES;
#pragma unroll
        for (int i = 0; i < OWN_ROWS; i++) {
            const bool inside = found[i] >= 0 && column;
            const bf16* from = p.x + (inside ? static_cast<long long>(found[i]) * p.ldx + own.f0 + lane * 8 : 0);
            const uint32_t to = to_x + x_at(warp + i * (THREADS / 32), lane);
            if (x_aligned) ptx::copy16(to, from, inside);
            else ptx::store16(to, load_guarded(from, inside ? p.features - own.f0 - lane * 8 : 0, false));
        }
        if (t < Z_CHUNKS) {
            const int r = t / (RANK / 8), c = t % (RANK / 8), row = own.begin + s * ROWS + r, j = own.j0 + c * 8;
            const bool inside = row < own.end && j < p.rank;
            const bf16* from = inside ? p.z + static_cast<long long>(row) * p.rank + j : p.z;
            if (z_aligned) ptx::copy16(to_z + z_at<RANK>(r, c), from, inside);
            else ptx::store16(to_z + z_at<RANK>(r, c), load_guarded(from, inside ? p.rank - j : 0, false));
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
UNROLL_PRODUCTS
        for (int k16 = 0; k16 < ROWS / 16; k16++) {
            ptx::Left fx[2];                                  // X^T: features are the rows of the product
#pragma unroll
            for (int m = 0; m < 2; m++) {
                uint32_t raw[4];
                ptx::load_matrices_transposed(raw, from_x + x_at(k16 * 16 + (lane & 7) + lane / 16 * 8, (warp * 2 + m) * 2 + (lane >> 3 & 1)));
                fx[m] = raw;
            }
#pragma unroll
            for (int n = 0; n < RANK / 16; n++) {
                uint32_t fz[4];
                ptx::load_matrices_transposed(fz, from_z + z_at<RANK>(k16 * 16 + (lane & 15), n * 2 + lane / 16));
                const ptx::Right even(fz[0], fz[1]), odd(fz[2], fz[3]);
#pragma unroll
                for (int m = 0; m < 2; m++) {
                    ptx::multiply_add(acc[m][n * 2], fx[m], even);
                    ptx::multiply_add(acc[m][n * 2 + 1], fx[m], odd);
                }
            }
        }
    }
    ptx::wait_copies<0>();
    float* const tile = reinterpret_cast<float*>(storage);
    if (own.parts == 1) {
        finish<RANK, RANK>(p, own, tile, [&](int n, float (&sums)[2][4]) {
#pragma unroll
            for (int i = 0; i < 8; i++) sums[i / 4][i % 4] = acc[i / 4][n][i % 4];
        });
        return;
    }
    const Places<RANK> places(calls.places, own);
    places.leave(own.part, acc);
    if (comes_last(calls.arrivals + own.place, own.parts))
        finish<RANK, 1>(p, own, tile, [&](int n, float (&sums)[2][4]) { places.add(n, sums); });
}

}  // namespace lora_gradient

extern "C" __global__ void __launch_bounds__(LORA_GRADIENT_THREADS, 3) lora_gradient_narrow(const __grid_constant__ lora_gradient::Calls calls) {
    lora_gradient::sum<LORA_GRADIENT_NARROW_RANK>(calls);
}

extern "C" __global__ void __launch_bounds__(LORA_GRADIENT_THREADS, 1) lora_gradient_wide(const __grid_constant__ lora_gradient::Calls calls) {
    lora_gradient::sum<LORA_GRADIENT_WIDE_RANK>(calls);
}
