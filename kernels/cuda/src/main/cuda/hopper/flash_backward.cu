/* Causal softmax attention over packed documents, backward, every sum in one order. With p = exp(scale q.k - lse), delta = rowsum(dout * out):
 *   dv = p^T dout,  ds = p * (dout v^T - delta),  dk = scale ds^T q,  dq = scale ds k
 *   flash_prepare     delta, and lse in base 2, by head and padded to whole blocks of queries
 *   flash_backward    a block owns KEYS keys of one key-value head and heads / kv_heads / splits of its query heads; it walks their blocks of
 *                     QUERIES queries, holds dk and dv in registers, and adds its share of dq to a float32 sum when its turn comes: for every
 *                     block of queries the keys of the diagonal go first, then those before, .. so that sums have one order. Blocks take their
 *                     work in that order too, head after head, so each waits only for blocks that have begun, and a head's dq stays in L2
 * Shapes    as flash_forward.cu; dout as out; delta, lse2 [heads, QUERIES query_blocks] f32   turns [heads * query_blocks + 1] int32, zero
 *           before a launch and again after it   dq [heads, query_blocks, QUERIES HEAD] f32   dk, dv [splits, kv_heads, key_blocks, KEYS HEAD] f32,
 *           all three in the order of registers: [warpgroup][4 accumulators][thread]   last_query [tokens] int32: last query that sees the key
 * Maps      bf16, 128-byte swizzle, zeros outside: {HEAD, heads of the tensor, tokens}; q, dout box {64, 1, QUERIES}, k, v box {64, 1, KEYS}
 * Requires  compute capability 9.0; HEAD 64 (QUERIES 128, KEYS 128) or 128 (QUERIES 64, KEYS 128); heads % kv_heads == 0, (heads / kv_heads) % splits == 0
 * Launch    backward: grid key_blocks * kv_heads * splits, block 384, dynamic shared BackwardPlan::SHARED_BYTES (tiles.h)
 *           prepare: grid {padded tokens / FLASH_PREPARE_TOKENS, ceil(heads / FLASH_PREPARE_HEADS)}, block FLAT_THREADS; values of 64, 128
 *           or 256 columns; then flash_gradient.cu
 *           no cluster      Accumulates fp32; p and ds are bf16 in products, ds is made of p in fp32
 * Bound by  the matrix unit      Source  Dao 2023, FlashAttention-2, section 3.1.2; Shah et al. 2024, FlashAttention-3      Twin  HopperAttention.java */
#include "flash_backward.cuh"

namespace flash {

constexpr int DS_WRITTEN = 1;                                 // named barrier

// Shared memory: K, V; q and dout in STAGES stages with lse2 and delta; ds twice; dq on its way out, twice.
// The two warpgroups own halves of dq: of its columns where a head has 128, of its queries where it has 64.
template <int HEAD_>
struct BackwardPlan {
    static constexpr int HEAD = HEAD_, VALUE = HEAD, QUERIES = HEAD == 64 ? 128 : 64, KEYS = 128, STAGES = 2;
    static constexpr bool GRADIENT_FIRST = false, WHOLE_BLOCKS = true;
    static constexpr uint32_t K_SLAB = KEYS * 128, Q_SLAB = QUERIES * 128, K_TILE = HEAD / 64 * K_SLAB, V_TILE = K_TILE, Q_TILE = HEAD / 64 * Q_SLAB, O_TILE = Q_TILE;
    static constexpr uint32_t V_AT = K_TILE, Q_AT = V_AT + K_TILE, O_AT = Q_AT + STAGES * Q_TILE, DS_AT = O_AT + STAGES * Q_TILE;
    static constexpr uint32_t DS_TILE = 2 * Q_SLAB, DQ_AT = DS_AT + 2 * DS_TILE, DQ_TILE = QUERIES * HEAD * 4, ROWS_AT = DQ_AT + 2 * DQ_TILE;
    static constexpr uint32_t ROWS = QUERIES * 4, BARRIERS = ROWS_AT + 2 * STAGES * ROWS;     // lse2 of each stage, delta of each stage
    static constexpr uint32_t KV_FULL = BARRIERS, TICKET = BARRIERS + 8, Q_FULL = BARRIERS + 16, O_FULL = Q_FULL + 8 * STAGES;
    static constexpr uint32_t Q_EMPTY = O_FULL + 8 * STAGES, O_EMPTY = Q_EMPTY + 8 * STAGES, DQ_FULL = O_EMPTY + 8 * STAGES, DQ_EMPTY = DQ_FULL + 16;
    static constexpr uint32_t SHARED_BYTES = DQ_EMPTY + 16;
    __device__ __forceinline__ static void init_meetings(uint32_t) {}                         // the warpgroups meet at a named barrier
    __device__ static constexpr uint32_t dq_at(int own) { return own * DQ_TILE; }
    __device__ static constexpr uint32_t dq_bytes(int) { return DQ_TILE; }
    static_assert(STAGES == 2, "stage ^ 1 is the stage before");
    static_assert(QUERIES * HEAD == 2 * 64 * 64, "each warpgroup owns 64 x 64 of dq");
    static_assert(SHARED_BYTES <= 232448);
};

// What a warpgroup multiplies: descriptors from the addresses of tiles.
template <typename P>
struct Products {
    using Square = wgmma::Product<64>;
    using Wide = wgmma::Product<P::HEAD>;

    // d[64 keys, 64 queries] = rows (of K or V) times q or dout, transposed: rows are keys, so that dv and dk take them from registers
    __device__ __forceinline__ static void transposed(float (&d)[32], uint32_t rows, uint32_t queries) {
        wgmma::fence();
#pragma unroll
        for (int step = 0; step < P::HEAD / 16; step++)
            Square::add<wgmma::K_MAJOR>(d, wgmma::k_major(rows + step / 4 * P::K_SLAB + step % 4 * 32),
                                        wgmma::k_major(queries + step / 4 * P::Q_SLAB + step % 4 * 32), step);
        wgmma::commit();
    }
    // d[64 keys, HEAD] += a[64 keys, 64 queries] times dout or q
    __device__ __forceinline__ static void accumulate(float (&d)[P::HEAD / 2], const uint32_t (&a)[16], uint32_t queries, int any) {
        wgmma::fence();
#pragma unroll
        for (int step = 0; step < 4; step++)
            Wide::template add<wgmma::MN_MAJOR>(d, a + 4 * step, wgmma::mn_major<P::Q_SLAB>(queries + step * 16 * ROW_BYTES), any | step);
        wgmma::commit();
    }
    // d[64 queries, 64 columns] = ds times a slab of K
    __device__ __forceinline__ static void queries(float (&d)[32], uint32_t ds, uint32_t slab) {
        wgmma::fence();
#pragma unroll
        for (int step = 0; step < P::KEYS / 16; step++)
            Square::add<wgmma::MN_MAJOR>(d, wgmma::k_major(ds + step / 4 * P::Q_SLAB + step % 4 * 32),
                                         wgmma::mn_major<P::K_SLAB>(slab + step * 16 * ROW_BYTES), step);
        wgmma::commit();
    }
};

// Scores of this thread's keys, `key` and key + 8, and 64 queries from q0 on become probabilities; `lse2` is that of its first query.
template <typename P>
__device__ __forceinline__ void recompute(float (&s)[32], const Backward& p, const KeyTile& tile, int key, int q0, const float2* lse2) {
    const float scale_log2 = p.scale * LOG2_E;
    const int lane = threadIdx.x % 32;
    if (q0 < tile.block * P::KEYS + P::KEYS - 1 || min(q0 + 64, p.tokens) - 1 > tile.all) {
#pragma unroll
        for (int n = 0; n < 8; n++)
#pragma unroll
            for (int x = 0; x < 2; x++) {
                const int query = q0 + n * 8 + lane % 4 * 2 + x, see = p.first_key[min(query, p.tokens - 1)];
                if (key > query || key < see) s[4 * n + x] = -INFINITY;
                if (key + 8 > query || key + 8 < see) s[4 * n + 2 + x] = -INFINITY;
            }
    }
#pragma unroll
    for (int n = 0; n < 8; n++) {
        const float2 l = lse2[n * 4];
#pragma unroll
        for (int i = 0; i < 4; i++) s[4 * n + i] = ptx::exp2_fast(s[4 * n + i] * scale_log2 - (i % 2 ? l.y : l.x));
    }
}

__device__ __forceinline__ void pack_pairs(uint32_t (&pairs)[16], const float (&x)[32]) {
#pragma unroll
    for (int i = 0; i < 16; i++) pairs[i] = pack(x[2 * i], x[2 * i + 1]);
}

// probability(i): number i of this thread, in float32. Made of p in bf16, ds would have two roundings where PyTorch's kernels have one.
template <typename Probability>
__device__ __forceinline__ void score_gradient(uint32_t (&ds)[16], const float (&dp)[32], Probability probability, const float2* delta) {
#pragma unroll
    for (int n = 0; n < 8; n++) {
        const float2 d = delta[n * 4];
        const int i = 4 * n;
        ds[2 * n] = pack(probability(i) * (dp[i] - d.x), probability(i + 1) * (dp[i + 1] - d.y));
        ds[2 * n + 1] = pack(probability(i + 2) * (dp[i + 2] - d.x), probability(i + 3) * (dp[i + 3] - d.y));
    }
}

template <typename P>
__device__ __forceinline__ void differentiate(const Backward& p, uint32_t shared, uint8_t* shared_here, int own, const KeyTile& tile) {
    using Multiply = Products<P>;
    const int t = threadIdx.x % WARPGROUP, warp = t / 32, lane = t % 32;
    const uint32_t k_rows = shared + own * 64 * ROW_BYTES, v_rows = k_rows + P::V_AT;
    int stage = 0, buffer = 0;
    uint32_t phase = 0, dq_phase = 1;
    const int key = tile.block * P::KEYS + own * 64 + warp * 16 + lane / 4;          // and key + 8
    float dk[P::HEAD / 2], dv[P::HEAD / 2];
    ptx::wait(shared + P::KV_FULL, 0);
    const int steps = tile.heads * (tile.last - tile.first + 1);
    int block = tile.first;
    for (int step = 0; step < steps; step++) {
        const uint32_t q = shared + P::Q_AT + stage * P::Q_TILE, o = shared + P::O_AT + stage * P::Q_TILE;
        const float2* lse2 = reinterpret_cast<const float2*>(shared_here + P::ROWS_AT + stage * P::ROWS) + lane % 4;
        const float2* delta = reinterpret_cast<const float2*>(shared_here + P::ROWS_AT + (P::STAGES + stage) * P::ROWS) + lane % 4;
        const uint32_t ds_tile = shared + P::DS_AT + buffer * P::DS_TILE;             // two buffers: the other warpgroup may still read the last one
        const uint32_t ds_slab = ds_tile + own * P::Q_SLAB;
        float s[32], dp[32], dq[32];
        uint32_t probabilities[16], rest[16], ds[16];
        ptx::wait(shared + P::Q_FULL + 8 * stage, phase);
        Multiply::transposed(s, k_rows, q);
        ptx::wait(shared + P::O_FULL + 8 * stage, phase);
        Multiply::transposed(dp, v_rows, o);
        if constexpr (P::QUERIES == 64) {
            wgmma::wait<1>();                             // the scores, and dk of the step before
            if (step > 0) ptx::arrive(shared + P::Q_EMPTY + 8 * (stage ^ 1));
            recompute<P>(s, p, tile, key, block * P::QUERIES, lse2);
            split(probabilities, rest, s);
            Multiply::accumulate(dv, probabilities, o, step);
            wgmma::wait<1>();                             // dp
            score_gradient(ds, dp, [&](int i) { return joined(probabilities, rest, i); }, delta);
            store_transposed(ds_slab, ds);
            ptx::fence_async_shared();
            ptx::sync_named(DS_WRITTEN, 2 * WARPGROUP);
            Multiply::queries(dq, ds_tile, shared + own * P::K_SLAB);                 // all queries, columns 64 own ..
            Multiply::accumulate(dk, ds, q, step);
            wgmma::wait<1>();                             // dv and dq; dk goes on beside the next scores
        } else {                                          // 64 queries after the other 64, overlapping
            constexpr uint32_t HALF = 64 * ROW_BYTES;
            float s2[32];
            uint32_t probabilities2[16], ds2[16];
            Multiply::transposed(s2, k_rows, q + HALF);
            wgmma::wait<2>();                             // the first scores, and dk of the step before
            if (step > 0) ptx::arrive(shared + P::Q_EMPTY + 8 * (stage ^ 1));
            recompute<P>(s, p, tile, key, block * P::QUERIES, lse2);
            pack_pairs(probabilities, s);
            Multiply::accumulate(dv, probabilities, o, step);
            wgmma::wait<2>();                             // dp
            score_gradient(ds, dp, [&](int i) { return s[i]; }, delta);
            store_transposed(ds_slab, ds);
            Multiply::transposed(dp, v_rows, o + HALF);
            wgmma::wait<2>();                             // the second scores
            recompute<P>(s2, p, tile, key, block * P::QUERIES + 64, lse2 + 32);
            pack_pairs(probabilities2, s2);
            Multiply::accumulate(dv, probabilities2, o + HALF, 1);
            wgmma::wait<1>();                             // dp again
            score_gradient(ds2, dp, [&](int i) { return s2[i]; }, delta + 32);
            store_transposed(ds_slab + HALF, ds2);
            ptx::fence_async_shared();
            ptx::sync_named(DS_WRITTEN, 2 * WARPGROUP);
            Multiply::queries(dq, ds_tile + own * HALF, shared);                      // queries 64 own .., all columns
            Multiply::accumulate(dk, ds, q, step);
            Multiply::accumulate(dk, ds2, q + HALF, 1);
            wgmma::wait<2>();                             // dv and dq
        }
        ptx::arrive(shared + P::O_EMPTY + 8 * stage);
        ptx::wait(shared + P::DQ_EMPTY + 8 * buffer, dq_phase);
        float4* const part = reinterpret_cast<float4*>(shared_here + P::DQ_AT + buffer * P::DQ_TILE + own * (P::DQ_TILE / 2)) + t;
#pragma unroll
        for (int i = 0; i < 8; i++) part[i * WARPGROUP] = make_float4(dq[4 * i], dq[4 * i + 1], dq[4 * i + 2], dq[4 * i + 3]);
        ptx::fence_async_shared();
        ptx::arrive(shared + P::DQ_FULL + 8 * buffer);
        if (++stage == P::STAGES) stage = 0, phase ^= 1;
        buffer ^= 1;
        if (buffer == 0) dq_phase ^= 1;
        if (++block > tile.last) block = tile.first;
    }
    wgmma::wait<0>();
    const long long key_blocks = (p.tokens + P::KEYS - 1) / P::KEYS;
    const long long part = (((tile.split * p.kv_heads + tile.kv_head) * key_blocks + tile.block) * 2 + own) * (P::HEAD / 8) * WARPGROUP + t;
#pragma unroll
    for (int i = 0; i < P::HEAD / 8; i++) {
        reinterpret_cast<float4*>(p.dk)[part + i * WARPGROUP] = make_float4(dk[4 * i], dk[4 * i + 1], dk[4 * i + 2], dk[4 * i + 3]);
        reinterpret_cast<float4*>(p.dv)[part + i * WARPGROUP] = make_float4(dv[4 * i], dv[4 * i + 1], dv[4 * i + 2], dv[4 * i + 3]);
    }
}

}  // namespace flash

#define FLASH_BACKWARD(HEAD)                                                                                                                 \
    static_assert(flash::BackwardPlan<HEAD>::SHARED_BYTES == FLASH_BACKWARD_##HEAD##_SHARED_BYTES);                                          \
    static_assert(flash::BackwardPlan<HEAD>::QUERIES == FLASH_BACKWARD_##HEAD##_QUERIES);                                                    \
    static_assert(flash::BackwardPlan<HEAD>::KEYS == FLASH_BACKWARD_##HEAD##_KEYS);                                                          \
    extern "C" __global__ void __launch_bounds__(flash::THREADS, 1)                                                                          \
    flash_backward_##HEAD(const __grid_constant__ CUtensorMap q, const __grid_constant__ CUtensorMap k, const __grid_constant__ CUtensorMap v, \
                          const __grid_constant__ CUtensorMap d_out, const __grid_constant__ flash::Backward p) {                            \
        using Plan = flash::BackwardPlan<HEAD>;                                                                                              \
        flash::backward<Plan>(q, k, v, d_out, p, [&](uint32_t shared, uint8_t* shared_here, int own, const flash::KeyTile& tile) {           \
            flash::differentiate<Plan>(p, shared, shared_here, own, tile);                                                                   \
        });                                                                                                                                  \
    }
FLASH_BACKWARD(64)
FLASH_BACKWARD(128)
#undef FLASH_BACKWARD

namespace flash {

// The lanes of a head multiply 8 columns each.
template <int LANES>
__device__ __forceinline__ void prepare(const bf16* d_out, const bf16* out, const float* lse, float* lse2, float* delta, int tokens, int padded_tokens, int heads) {
    constexpr int ROWS = FLASH_PREPARE_TOKENS * FLASH_PREPARE_HEADS, TOGETHER = FLAT_THREADS / LANES;
    constexpr int STEPS = ROWS / TOGETHER, LOADED = STEPS < 4 ? STEPS : 4;                   // steps on their way at once
    static_assert(ROWS % TOGETHER == 0 && STEPS % LOADED == 0 && ROWS <= FLAT_THREADS);
    __shared__ float dots[ROWS];                              // [tokens, heads]
    const int token0 = blockIdx.x * FLASH_PREPARE_TOKENS, head0 = blockIdx.y * FLASH_PREPARE_HEADS, lane = threadIdx.x % LANES;
    const int token = token0 + threadIdx.x % FLASH_PREPARE_TOKENS, head = head0 + threadIdx.x / FLASH_PREPARE_TOKENS;
    const bool writes = threadIdx.x < ROWS && head < heads;
    const float own = writes && token < tokens ? __ldg(lse + static_cast<long long>(token) * heads + head) : INFINITY;
#pragma unroll 1
    for (int first = 0; first < STEPS; first += LOADED) {
        uint4 a[LOADED] = {}, b[LOADED] = {};
#pragma unroll
        for (int i = 0; i < LOADED; i++) {
            const int row = (first + i) * TOGETHER + threadIdx.x / LANES, t = token0 + row / FLASH_PREPARE_HEADS, h = head0 + row % FLASH_PREPARE_HEADS;
            if (t >= tokens || h >= heads) continue;
            const long long at = (static_cast<long long>(t) * heads + h) * LANES + lane;
            a[i] = __ldg(reinterpret_cast<const uint4*>(d_out) + at), b[i] = __ldg(reinterpret_cast<const uint4*>(out) + at);
        }
#pragma unroll
        for (int i = 0; i < LOADED; i++) {
            const Eight x = Eight::of(a[i]), y = Eight::of(b[i]);
            float dot = 0.f;
#pragma unroll
            for (int j = 0; j < 8; j++) dot += x.v[j] * y.v[j];
            dot = lanes_sum<LANES>(dot);
            if (lane == 0) dots[(first + i) * TOGETHER + threadIdx.x / LANES] = dot;
        }
    }
    __syncthreads();
    if (!writes) return;
    const long long at = static_cast<long long>(head) * padded_tokens + token;
    lse2[at] = own * LOG2_E;
    delta[at] = dots[threadIdx.x % FLASH_PREPARE_TOKENS * FLASH_PREPARE_HEADS + threadIdx.x / FLASH_PREPARE_TOKENS];
}

}  // namespace flash

// Padded rows get an infinite lse, so that their probabilities are zero.
extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
flash_prepare(const bf16* d_out, const bf16* out, const float* lse, float* lse2, float* delta, int tokens, int padded_tokens, int heads, int head_dim) {
    if (head_dim == 64) flash::prepare<8>(d_out, out, lse, lse2, delta, tokens, padded_tokens, heads);
    else if (head_dim == 128) flash::prepare<16>(d_out, out, lse, lse2, delta, tokens, padded_tokens, heads);
    else flash::prepare<32>(d_out, out, lse, lse2, delta, tokens, padded_tokens, heads);
}
