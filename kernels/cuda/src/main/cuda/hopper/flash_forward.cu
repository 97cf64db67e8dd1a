/* Causal softmax attention over packed documents, forward: out = softmax(scale q k^T) v with the sink logit in the denominator, which lse keeps.
 * Two warpgroups own 64 queries each and take turns: while one fills the matrix unit, the other turns scores into probabilities; within a
 * warpgroup the scores of the next block of keys are multiplied beside the values of this one. Scores never leave registers.
 * Shapes    q [tokens, heads, HEAD]  k [tokens, kv_heads, HEAD]  v [tokens, kv_heads, VALUE]  out [tokens, heads, VALUE] bf16
 *           lse [tokens, heads] f32
 *           first_key [tokens] int32, non-decreasing: query i sees keys first_key[i] .. i (document and window)   sinks [heads] f32 | bf16 | f16 or null
 * Maps      bf16, 128-byte swizzle, zeros outside: {columns, heads of the tensor, tokens}; q box {64, 1, 128}, k, v box {64, 1, KEYS},
 *           out box {64, 1, 64}
 * Requires  compute capability 9.0; HEAD and VALUE 64 and 64, 128 and 128, 192 and 128, with KEYS 128, or 256 and 256, with KEYS 64;
 *           heads % kv_heads == 0, scale > 0      Accumulates fp32; probabilities bf16
 * Launch    grid min(ceil(tokens / 128) * heads, multiprocessors), block 384, dynamic shared Plan::SHARED_BYTES (tiles.h); no cluster
 * Bound by  the matrix unit (HEAD 128); exponentials (HEAD 64)
 * Source    Dao 2023, FlashAttention-2, section 3.1; Shah et al. 2024, FlashAttention-3, sections 3.1 and 3.2      Twin  HopperAttention.java */
#include "flash.cuh"

namespace flash {

struct Forward {
    const int* first_key;
    const void* sinks;                                        // or null
    float* lse;
    int sink_format, tokens, heads, kv_heads;
    float scale;
};

// Shared memory: q, then K and V in STAGES stages each; every tile is slabs of 64 columns. The output leaves through q's place.
template <int HEAD_, int VALUE_, int KEYS_>
struct ForwardPlan {
    static constexpr int HEAD = HEAD_, VALUE = VALUE_, QUERIES = 128, KEYS = KEYS_, STAGES = 2;
    static constexpr uint32_t Q_SLAB = QUERIES * ROW_BYTES, K_SLAB = KEYS * ROW_BYTES;
    static constexpr uint32_t Q_TILE = HEAD / 64 * Q_SLAB, K_TILE = HEAD / 64 * K_SLAB, V_TILE = VALUE / 64 * K_SLAB;
    static constexpr uint32_t K_AT = Q_TILE, V_AT = K_AT + STAGES * K_TILE, BARRIERS = V_AT + STAGES * V_TILE;
    static constexpr uint32_t Q_FULL = BARRIERS, Q_EMPTY = BARRIERS + 8, K_FULL = BARRIERS + 16, V_FULL = K_FULL + 8 * STAGES;
    static constexpr uint32_t K_EMPTY = V_FULL + 8 * STAGES, V_EMPTY = K_EMPTY + 8 * STAGES, SHARED_BYTES = V_EMPTY + 8 * STAGES;
    static_assert(HEAD % 64 == 0 && VALUE % 64 == 0 && VALUE <= HEAD && QUERIES % KEYS == 0 && SHARED_BYTES <= 232448);
};

// Queries of one head against blocks first .. last of keys, taken from the last, which holds the diagonal.
struct QueryTile {
    int q0, head, kv_head, first, last;
    __device__ __forceinline__ QueryTile(int work, const Forward& p, int queries, int keys) {      // the longest rows of the triangle first
        const int blocks = (p.tokens + queries - 1) / queries;
        q0 = (blocks - 1 - work / p.heads) * queries;
        last = (min(q0 + queries, p.tokens) - 1) / keys;
        head = work % p.heads;
        kv_head = head / (p.heads / p.kv_heads);
        first = p.first_key[q0] / keys;
    }
};

enum ForwardBarrier : int { TURN = 1, OWN = 3 };              // + warpgroup

template <typename P>
__device__ __forceinline__ void load_forward(const CUtensorMap& q, const CUtensorMap& k, const CUtensorMap& v, const Forward& p, uint32_t shared, int total) {
    int stage = 0;
    uint32_t phase = 0, q_phase = 0;
    for (int work = blockIdx.x; work < total; work += gridDim.x, q_phase ^= 1) {
        const QueryTile tile(work, p, P::QUERIES, P::KEYS);
        ptx::wait(shared + P::Q_EMPTY, q_phase ^ 1);
        ptx::arrive_expecting(shared + P::Q_FULL, P::Q_TILE);
#pragma unroll
        for (int s = 0; s < P::HEAD / 64; s++) ptx::load_box(shared + s * P::Q_SLAB, q, shared + P::Q_FULL, s * 64, tile.head, tile.q0);
        for (int block = tile.last; block >= tile.first; block--) {
            const uint32_t k_full = shared + P::K_FULL + 8 * stage, v_full = shared + P::V_FULL + 8 * stage;
            ptx::wait(shared + P::K_EMPTY + 8 * stage, phase ^ 1);
            ptx::arrive_expecting(k_full, P::K_TILE);
#pragma unroll
            for (int s = 0; s < P::HEAD / 64; s++)
                ptx::load_box(shared + P::K_AT + stage * P::K_TILE + s * P::K_SLAB, k, k_full, s * 64, tile.kv_head, block * P::KEYS);
            ptx::wait(shared + P::V_EMPTY + 8 * stage, phase ^ 1);
            ptx::arrive_expecting(v_full, P::V_TILE);
#pragma unroll
            for (int s = 0; s < P::VALUE / 64; s++)
                ptx::load_box(shared + P::V_AT + stage * P::V_TILE + s * P::K_SLAB, v, v_full, s * 64, tile.kv_head, block * P::KEYS);
            if (++stage == P::STAGES) stage = 0, phase ^= 1;
        }
    }
}

// The running softmax of this thread's two rows.
struct Softmax {
    float maximum[2] = {-INFINITY, -INFINITY}, total[2] = {};

    // Turns scores into probabilities relative to the new maximum; `rescale` is what older sums are to be multiplied by.
    // BLIND: a row may have seen no key yet.
    template <bool BLIND, int N>
    __device__ __forceinline__ void apply(float (&s)[N], float scale_log2, float (&rescale)[2]) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            float top = maximum[i];
#pragma unroll
            for (int n = 0; n < N / 4; n++) top = fmaxf(top, fmaxf(s[4 * n + 2 * i], s[4 * n + 2 * i + 1]));
            top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
            top = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
            const float reference = BLIND && top == -INFINITY ? 0.f : top;
            rescale[i] = ptx::exp2_fast((maximum[i] - reference) * scale_log2);
            maximum[i] = top;
            const float base = reference * scale_log2;
            float sum = 0.f;
#pragma unroll
            for (int n = 0; n < N / 4; n++) {
#pragma unroll
                for (int x = 0; x < 2; x++) {
                    float& v = s[4 * n + 2 * i + x];
                    v = ptx::exp2_fast(v * scale_log2 - base);
                    sum += v;
                }
            }
            total[i] = total[i] * rescale[i] + sum;
        }
    }
};

// Scores that a query does not see become minus infinity. `row` and `key` are this thread's first query and first key.
template <int N>
__device__ __forceinline__ void mask(float (&s)[N], const int (&see)[2], int row, int key) {
#pragma unroll
    for (int n = 0; n < N / 4; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int j = key + n * 8 + i % 2;
            if (j > row + i / 2 * 8 || j < see[i / 2]) s[4 * n + i] = -INFINITY;
        }
}

template <int N>
__device__ __forceinline__ void pack_probabilities(uint32_t (&p)[N / 2], const float (&s)[N]) {
#pragma unroll
    for (int i = 0; i < N / 2; i++) p[i] = pack(s[2 * i], s[2 * i + 1]);
}

template <typename P>
__device__ __forceinline__ void attend(const CUtensorMap& out, const Forward& p, uint32_t shared, int own, int total) {
    using Scores = wgmma::Product<P::KEYS>;
    using Values = wgmma::Product<P::VALUE>;
    constexpr bool BLIND = P::KEYS < P::QUERIES;               // the first rows' diagonal is not in the last block
    const int t = threadIdx.x % WARPGROUP, warp = t / 32, lane = t % 32;
    const uint32_t q_rows = shared + own * 64 * ROW_BYTES;
    const float scale_log2 = p.scale * LOG2_E;
    int stage = 0;
    uint32_t phase = 0, q_phase = 0;
    const auto issue_scores = [&](float (&s)[P::KEYS / 2], int at) {
        const uint32_t k = shared + P::K_AT + at * P::K_TILE;
        wgmma::fence();
#pragma unroll
        for (int step = 0; step < P::HEAD / 16; step++)
            Scores::template add<wgmma::K_MAJOR>(s, wgmma::k_major(q_rows + step / 4 * P::Q_SLAB + step % 4 * 32),
                                                 wgmma::k_major(k + step / 4 * P::K_SLAB + step % 4 * 32), step);
        wgmma::commit();
    };
    const auto issue_values = [&](float (&o)[P::VALUE / 2], const uint32_t (&probabilities)[P::KEYS / 4], int at, int accumulate) {
        const uint32_t v = shared + P::V_AT + at * P::V_TILE;
        wgmma::fence();
#pragma unroll
        for (int step = 0; step < P::KEYS / 16; step++)
            Values::template add<wgmma::MN_MAJOR>(o, probabilities + 4 * step, wgmma::mn_major<P::K_SLAB>(v + step * 16 * ROW_BYTES), accumulate | step);
        wgmma::commit();
    };
    if (own == 1) ptx::arrive_named(TURN, 2 * WARPGROUP);      // the other goes first
    for (int work = blockIdx.x; work < total; work += gridDim.x, q_phase ^= 1) {
        const QueryTile tile(work, p, P::QUERIES, P::KEYS);
        const int row = tile.q0 + own * 64 + warp * 16 + lane / 4, key = lane % 4 * 2;
        const int see[2] = {p.first_key[min(row, p.tokens - 1)], p.first_key[min(row + 8, p.tokens - 1)]};
        const int see_all = p.first_key[min(tile.q0 + P::QUERIES, p.tokens) - 1];        // from here on every query sees every earlier key
        float s[P::KEYS / 2], o[P::VALUE / 2], rescale[2];
        uint32_t probabilities[P::KEYS / 4];
        Softmax softmax;

        ptx::wait(shared + P::Q_FULL, q_phase);
        ptx::wait(shared + P::K_FULL + 8 * stage, phase);
        issue_scores(s, stage);
        wgmma::wait<0>();
        if (t == 0) ptx::arrive(shared + P::K_EMPTY + 8 * stage);
        mask(s, see, row, tile.last * P::KEYS + key);
        softmax.apply<BLIND>(s, scale_log2, rescale);
        pack_probabilities(probabilities, s);
        int values = 0;
        for (int block = tile.last - 1; block >= tile.first; block--) {
            const int v_stage = stage;
            const uint32_t v_phase = phase;
            if (++stage == P::STAGES) stage = 0, phase ^= 1;
            ptx::wait(shared + P::K_FULL + 8 * stage, phase);
            ptx::sync_named(TURN + own, 2 * WARPGROUP);
            issue_scores(s, stage);
            ptx::wait(shared + P::V_FULL + 8 * v_stage, v_phase);
            issue_values(o, probabilities, v_stage, values);
            values = 1;
            ptx::arrive_named(TURN + (own ^ 1), 2 * WARPGROUP);
            wgmma::wait<1>();
            if (t == 0) ptx::arrive(shared + P::K_EMPTY + 8 * stage);
            if (block * P::KEYS < see_all || (BLIND && block * P::KEYS + P::KEYS - 1 > tile.q0 + own * 64)) mask(s, see, row, block * P::KEYS + key);
            softmax.apply<BLIND>(s, scale_log2, rescale);
            wgmma::wait<0>();
            if (t == 0) ptx::arrive(shared + P::V_EMPTY + 8 * v_stage);
#pragma unroll
            for (int i = 0; i < P::VALUE / 2; i++) o[i] *= rescale[i / 2 % 2];
            pack_probabilities(probabilities, s);
        }
        ptx::wait(shared + P::V_FULL + 8 * stage, phase);
        issue_values(o, probabilities, stage, values);
        float factor[2];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            float sum = softmax.total[i];
            sum += __shfl_xor_sync(~0u, sum, 1);
            sum += __shfl_xor_sync(~0u, sum, 2);
            float top = softmax.maximum[i] * p.scale;
            factor[i] = 1.f;
            if (p.sinks != nullptr) {
                const float sink = load_as_float(p.sinks, p.sink_format, tile.head), higher = fmaxf(top, sink);
                factor[i] = __expf(top - higher);
                sum = sum * factor[i] + __expf(sink - higher);
                top = higher;
            }
            factor[i] = __fdividef(factor[i], sum);
            if (lane % 4 == 0 && row + 8 * i < p.tokens) p.lse[static_cast<long long>(row + 8 * i) * p.heads + tile.head] = top + logf(sum);
        }
        wgmma::wait<0>();
        if (t == 0) ptx::arrive(shared + P::V_EMPTY + 8 * stage);
        if (++stage == P::STAGES) stage = 0, phase ^= 1;
        const int r = warp * 16 + (lane & 15);                // each warp writes over the queries that only it has read
#pragma unroll
        for (int n = 0; n < P::VALUE / 8; n += 2) {
            const uint32_t at = q_rows + n / 8 * P::Q_SLAB + r * ROW_BYTES + (((n % 8 + lane / 16) ^ (r & 7)) << 4);
            const float* v = o + 4 * n;
            ptx::store_matrices(at, pack(v[0] * factor[0], v[1] * factor[0]), pack(v[2] * factor[1], v[3] * factor[1]),
                                pack(v[4] * factor[0], v[5] * factor[0]), pack(v[6] * factor[1], v[7] * factor[1]));
        }
        ptx::fence_async_shared();
        ptx::sync_named(OWN + own, WARPGROUP);
        if (t == 0) {
            if (tile.q0 + own * 64 < p.tokens)
#pragma unroll
                for (int slab = 0; slab < P::VALUE / 64; slab++) ptx::store_box(out, q_rows + slab * P::Q_SLAB, slab * 64, tile.head, tile.q0 + own * 64);
            ptx::commit_stores();
            ptx::wait_stores_read();
            ptx::arrive(shared + P::Q_EMPTY);
        }
    }
    if (own == 0) ptx::sync_named(TURN, 2 * WARPGROUP);        // takes the last turn that was given
    ptx::wait_stores();
}

template <typename P>
__device__ __forceinline__ void forward(const CUtensorMap& q, const CUtensorMap& k, const CUtensorMap& v, const CUtensorMap& out, const Forward& p) {
    extern __shared__ __align__(1024) uint8_t dynamic[];
    const uint32_t shared = ptx::shared_address(dynamic);
    if (threadIdx.x == 0) {
        ptx::init_barrier(shared + P::Q_FULL, 1);
        ptx::init_barrier(shared + P::Q_EMPTY, 2);
        for (int s = 0; s < P::STAGES; s++) {
            ptx::init_barrier(shared + P::K_FULL + 8 * s, 1);
            ptx::init_barrier(shared + P::V_FULL + 8 * s, 1);
            ptx::init_barrier(shared + P::K_EMPTY + 8 * s, 2);
            ptx::init_barrier(shared + P::V_EMPTY + 8 * s, 2);
        }
        ptx::publish_barriers();
    }
    __syncthreads();
    const int total = (p.tokens + P::QUERIES - 1) / P::QUERIES * p.heads;
    if (threadIdx.x / WARPGROUP == 0) {
        ptx::give_registers<24>();
        if (threadIdx.x / 32 == 0 && ptx::elected()) load_forward<P>(q, k, v, p, shared, total);
    } else {
        ptx::take_registers<240>();
        attend<P>(out, p, shared, threadIdx.x / WARPGROUP - 1, total);
    }
}

}  // namespace flash

#define FLASH_FORWARD(HEAD, VALUE)                                                                                                     \
    static_assert(flash::ForwardPlan<HEAD, VALUE, FLASH_FORWARD_##HEAD##_KEYS>::SHARED_BYTES == FLASH_FORWARD_##HEAD##_SHARED_BYTES);  \
    static_assert(flash::ForwardPlan<HEAD, VALUE, FLASH_FORWARD_##HEAD##_KEYS>::QUERIES == FLASH_FORWARD_QUERIES);                     \
    extern "C" __global__ void __launch_bounds__(flash::THREADS, 1)                                                                   \
    flash_forward_##HEAD(const __grid_constant__ CUtensorMap q, const __grid_constant__ CUtensorMap k, const __grid_constant__ CUtensorMap v, \
                         const __grid_constant__ CUtensorMap out, const __grid_constant__ flash::Forward p) {                          \
        flash::forward<flash::ForwardPlan<HEAD, VALUE, FLASH_FORWARD_##HEAD##_KEYS>>(q, k, v, out, p);                                 \
    }
FLASH_FORWARD(64, 64)
FLASH_FORWARD(128, 128)
FLASH_FORWARD(192, 128)
FLASH_FORWARD(256, 256)
#undef FLASH_FORWARD
