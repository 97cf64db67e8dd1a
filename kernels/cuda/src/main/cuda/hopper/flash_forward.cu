/* Causal softmax attention over packed documents, forward: out = softmax(scale q k^T) v with the sink logit in the denominator, which lse keeps.
 * Two warpgroups own 64 queries each and take turns: while one fills the matrix unit, the other turns scores into probabilities; within a
 * warpgroup the scores of the next block of keys are multiplied beside the values of this one. Scores never leave registers.
 * Shapes    q [tokens, heads, HEAD]  k, v [tokens, kv_heads, HEAD]  out [tokens, heads, HEAD] bf16   lse [tokens, heads] f32
 *           first_key [tokens] int32, non-decreasing: query i sees keys first_key[i] .. i (document and window)   sinks [heads] f32 or null
 * Maps      bf16, 128-byte swizzle, zeros outside: {HEAD, heads of the tensor, tokens}; q, k, v box {64, 1, 128}, out box {64, 1, 64}
 * Requires  compute capability 9.0; HEAD 64 or 128; heads % kv_heads == 0      Accumulates fp32; probabilities bf16
 * Launch    grid min(ceil(tokens / 128) * heads, multiprocessors), block 384, dynamic shared Plan::SHARED_BYTES (tiles.h); no cluster
 * Bound by  the matrix unit (HEAD 128); exponentials (HEAD 64)
 * Source    Dao 2023, FlashAttention-2, section 3.1; Shah et al. 2024, FlashAttention-3, sections 3.1 and 3.2      Twin  HopperAttention.java */
#include "flash.cuh"

namespace flash {

struct Forward {
    const int* first_key;
    const float* sinks;                                       // or null
    float* lse;
    int tokens, heads, kv_heads;
    float scale;
};

// Shared memory: q, then K and V in STAGES stages each; every tile is HEAD / 64 slabs of 128 rows. The output leaves through q's place.
template <int HEAD_>
struct ForwardPlan {
    static constexpr int HEAD = HEAD_, SLABS = HEAD / 64, QUERIES = 128, KEYS = 128, STAGES = 2;
    static constexpr uint32_t SLAB = 128 * ROW_BYTES, TILE = SLABS * SLAB, K_AT = TILE, V_AT = K_AT + STAGES * TILE, BARRIERS = V_AT + STAGES * TILE;
    static constexpr uint32_t Q_FULL = BARRIERS, Q_EMPTY = BARRIERS + 8, K_FULL = BARRIERS + 16, V_FULL = K_FULL + 8 * STAGES;
    static constexpr uint32_t K_EMPTY = V_FULL + 8 * STAGES, V_EMPTY = K_EMPTY + 8 * STAGES, SHARED_BYTES = V_EMPTY + 8 * STAGES;
    static_assert(HEAD % 64 == 0 && SHARED_BYTES <= 232448);
};

// Queries of one head against blocks first .. last of keys, taken from the last, which holds the diagonal.
struct QueryTile {
    int q0, head, kv_head, first, last;
    __device__ __forceinline__ QueryTile(int work, const Forward& p, int queries) {      // the longest rows of the triangle first
        const int blocks = (p.tokens + queries - 1) / queries;
        last = blocks - 1 - work / p.heads;
        q0 = last * queries;
        head = work % p.heads;
        kv_head = head / (p.heads / p.kv_heads);
        first = p.first_key[q0] / queries;
    }
};

enum ForwardBarrier : int { TURN = 1, OWN = 3 };              // + warpgroup

template <typename P>
__device__ __forceinline__ void load_forward(const CUtensorMap& q, const CUtensorMap& k, const CUtensorMap& v, const Forward& p, uint32_t shared, int total) {
    int stage = 0;
    uint32_t phase = 0, q_phase = 0;
    for (int work = blockIdx.x; work < total; work += gridDim.x, q_phase ^= 1) {
        const QueryTile tile(work, p, P::QUERIES);
        ptx::wait(shared + P::Q_EMPTY, q_phase ^ 1);
        ptx::arrive_expecting(shared + P::Q_FULL, P::TILE);
#pragma unroll
        for (int s = 0; s < P::SLABS; s++) ptx::load_box(shared + s * P::SLAB, q, shared + P::Q_FULL, s * 64, tile.head, tile.q0);
        for (int block = tile.last; block >= tile.first; block--) {
            const uint32_t k_full = shared + P::K_FULL + 8 * stage, v_full = shared + P::V_FULL + 8 * stage;
            ptx::wait(shared + P::K_EMPTY + 8 * stage, phase ^ 1);
            ptx::arrive_expecting(k_full, P::TILE);
#pragma unroll
            for (int s = 0; s < P::SLABS; s++)
                ptx::load_box(shared + P::K_AT + stage * P::TILE + s * P::SLAB, k, k_full, s * 64, tile.kv_head, block * P::KEYS);
            ptx::wait(shared + P::V_EMPTY + 8 * stage, phase ^ 1);
            ptx::arrive_expecting(v_full, P::TILE);
#pragma unroll
            for (int s = 0; s < P::SLABS; s++)
                ptx::load_box(shared + P::V_AT + stage * P::TILE + s * P::SLAB, v, v_full, s * 64, tile.kv_head, block * P::KEYS);
            if (++stage == P::STAGES) stage = 0, phase ^= 1;
        }
    }
}

// The running softmax of this thread's two rows.
struct Softmax {
    float maximum[2] = {-INFINITY, -INFINITY}, total[2] = {};

    // Turns scores into probabilities relative to the new maximum; `rescale` is what older sums are to be multiplied by.
    __device__ __forceinline__ void operator()(float (&s)[64], float scale_log2, float (&rescale)[2]) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            float top = maximum[i];
#pragma unroll
            for (int n = 0; n < 16; n++) top = fmaxf(top, fmaxf(s[4 * n + 2 * i], s[4 * n + 2 * i + 1]));
            top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
            top = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
            rescale[i] = ptx::exp2_fast((maximum[i] - top) * scale_log2);
            maximum[i] = top;
            const float base = top * scale_log2;
            float sum = 0.f;
#pragma unroll
            for (int n = 0; n < 16; n++) {
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
__device__ __forceinline__ void mask(float (&s)[64], const int (&see)[2], int row, int key) {
#pragma unroll
    for (int n = 0; n < 16; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int j = key + n * 8 + i % 2;
            if (j > row + i / 2 * 8 || j < see[i / 2]) s[4 * n + i] = -INFINITY;
        }
}

__device__ __forceinline__ void pack_probabilities(uint32_t (&p)[32], const float (&s)[64]) {
#pragma unroll
    for (int i = 0; i < 32; i++) p[i] = pack(s[2 * i], s[2 * i + 1]);
}

template <typename P>
__device__ __forceinline__ void attend(const CUtensorMap& out, const Forward& p, uint32_t shared, int own, int total) {
    using Scores = wgmma::Product<P::KEYS>;
    using Values = wgmma::Product<P::HEAD>;
    const int t = threadIdx.x % WARPGROUP, warp = t / 32, lane = t % 32;
    const uint32_t q_rows = shared + own * 64 * ROW_BYTES;
    const float scale_log2 = p.scale * LOG2_E;
    int stage = 0;
    uint32_t phase = 0, q_phase = 0;
    const auto issue_scores = [&](float (&s)[64], int at) {
        const uint32_t k = shared + P::K_AT + at * P::TILE;
        wgmma::fence();
#pragma unroll
        for (int step = 0; step < P::HEAD / 16; step++)
            Scores::template add<wgmma::K_MAJOR>(s, wgmma::k_major(q_rows + step / 4 * P::SLAB + step % 4 * 32),
                                                 wgmma::k_major(k + step / 4 * P::SLAB + step % 4 * 32), step);
        wgmma::commit();
    };
    const auto issue_values = [&](float (&o)[P::HEAD / 2], const uint32_t (&probabilities)[32], int at, int accumulate) {
        const uint32_t v = shared + P::V_AT + at * P::TILE;
        wgmma::fence();
#pragma unroll
        for (int step = 0; step < P::KEYS / 16; step++)
            Values::template add<wgmma::MN_MAJOR>(o, probabilities + 4 * step, wgmma::mn_major<P::SLAB>(v + step * 16 * ROW_BYTES), accumulate | step);
        wgmma::commit();
    };
    if (own == 1) ptx::arrive_named(TURN, 2 * WARPGROUP);      // the other goes first
    for (int work = blockIdx.x; work < total; work += gridDim.x, q_phase ^= 1) {
        const QueryTile tile(work, p, P::QUERIES);
        const int row = tile.q0 + own * 64 + warp * 16 + lane / 4, key = lane % 4 * 2;
        const int see[2] = {p.first_key[min(row, p.tokens - 1)], p.first_key[min(row + 8, p.tokens - 1)]};
        const int see_all = p.first_key[min(tile.q0 + P::QUERIES, p.tokens) - 1];        // from here on every query sees every earlier key
        float s[64], o[P::HEAD / 2], rescale[2];
        uint32_t probabilities[32];
        Softmax softmax;

        ptx::wait(shared + P::Q_FULL, q_phase);
        ptx::wait(shared + P::K_FULL + 8 * stage, phase);
        issue_scores(s, stage);
        wgmma::wait<0>();
        if (t == 0) ptx::arrive(shared + P::K_EMPTY + 8 * stage);
        mask(s, see, row, tile.last * P::KEYS + key);
        softmax(s, scale_log2, rescale);
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
            if (block * P::KEYS < see_all) mask(s, see, row, block * P::KEYS + key);
            softmax(s, scale_log2, rescale);
            wgmma::wait<0>();
            if (t == 0) ptx::arrive(shared + P::V_EMPTY + 8 * v_stage);
#pragma unroll
            for (int i = 0; i < P::HEAD / 2; i++) o[i] *= rescale[i / 2 % 2];
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
                const float sink = p.sinks[tile.head], higher = fmaxf(top, sink);
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
        for (int n = 0; n < P::HEAD / 8; n += 2) {
            const uint32_t at = q_rows + n / 8 * P::SLAB + r * ROW_BYTES + (((n % 8 + lane / 16) ^ (r & 7)) << 4);
            const float* v = o + 4 * n;
            ptx::store_matrices(at, pack(v[0] * factor[0], v[1] * factor[0]), pack(v[2] * factor[1], v[3] * factor[1]),
                                pack(v[4] * factor[0], v[5] * factor[0]), pack(v[6] * factor[1], v[7] * factor[1]));
        }
        ptx::fence_async_shared();
        ptx::sync_named(OWN + own, WARPGROUP);
        if (t == 0) {
            if (tile.q0 + own * 64 < p.tokens)
#pragma unroll
                for (int slab = 0; slab < P::SLABS; slab++) ptx::store_box(out, q_rows + slab * P::SLAB, slab * 64, tile.head, tile.q0 + own * 64);
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

static_assert(flash::ForwardPlan<128>::SHARED_BYTES == FLASH_FORWARD_128_SHARED_BYTES && flash::ForwardPlan<64>::SHARED_BYTES == FLASH_FORWARD_64_SHARED_BYTES);
static_assert(flash::ForwardPlan<128>::QUERIES == FLASH_FORWARD_QUERIES && flash::ForwardPlan<128>::KEYS == FLASH_FORWARD_KEYS);

#define FLASH_FORWARD(HEAD)                                                                                                            \
    extern "C" __global__ void __launch_bounds__(flash::THREADS, 1)                                                                   \
    flash_forward_##HEAD(const __grid_constant__ CUtensorMap q, const __grid_constant__ CUtensorMap k, const __grid_constant__ CUtensorMap v, \
                         const __grid_constant__ CUtensorMap out, const __grid_constant__ flash::Forward p) {                          \
        flash::forward<flash::ForwardPlan<HEAD>>(q, k, v, out, p);                                                                     \
    }
FLASH_FORWARD(128)
FLASH_FORWARD(64)
#undef FLASH_FORWARD
