/* Attention backward on Hopper: the maths, shapes and two passes of portable/attention_backward.cu, heads of exactly 128 columns.
 *   keys      a block owns 128 keys (64 a warpgroup) and walks over tiles of 64 queries: transposed scores, so that p^T and ds^T are left
 *             operands in registers for dv += p^T dout and dk += ds^T q
 *   queries   a block owns 128 queries and walks over tiles of 64 keys; q and dout stay in registers
 * Shapes    maps of q, dout {128, heads, tokens} and k, v {128, kv_heads, tokens}: box {64, 1, 128} for what a block owns, {64, 1, 64} for
 *           what it walks over; the rest as there
 * Requires  head_dim == value_dim == 128, pointers 16-byte aligned      Accumulates fp32; p and ds bf16
 * Launch    keys: grid (ceil(tokens / 128), kv_heads, shares); queries: grid (ceil(tokens / 128), heads); block HOPPER_ATTENTION_THREADS,
 *           dynamic shared HOPPER_ATTENTION_BACKWARD_SHARED_BYTES; no cluster
 * Bound by  wgmma      Source  Dao 2023, section 3.1.2; Shah et al. 2024      Twin  HopperAttention.java */
#include "attention.cuh"

namespace hopper_attention {

constexpr int OWN = 128, SIDE = HOPPER_ATTENTION_BACKWARD_SIDE;

struct BackwardShared {
    static constexpr int STAGES = 3;
    static constexpr uint32_t RING = 2 * TILE<OWN>, STAGE = 2 * TILE<SIDE>, NUMBERS = RING + STAGES * STAGE, ROW = SIDE * 4;
    static constexpr uint32_t BARRIERS = NUMBERS + STAGES * 2 * ROW;
    static_assert(BARRIERS + (1 + 2 * STAGES) * 8 <= HOPPER_ATTENTION_BACKWARD_SHARED_BYTES);
};

struct Barriers {
    uint32_t own, full, empty;
    __device__ __forceinline__ Barriers(uint32_t base, int arrivals) : own(base + BackwardShared::BARRIERS), full(own + 8), empty(full + BackwardShared::STAGES * 8) {
        if (threadIdx.x == 0) {
            hopper::init_barrier(own, 1);
            for (int i = 0; i < BackwardShared::STAGES; i++) hopper::init_barrier(full + 8 * i, arrivals), hopper::init_barrier(empty + 8 * i, 2);
            hopper::fence_barrier_init();
        }
        __syncthreads();
    }
};

// Writes this warp's 16 rows x 128 columns as float32.
__device__ __forceinline__ void store_partial(const float (&acc)[64], float scale, float* p, int first, int end, long long stride) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < 16; n++)
#pragma unroll
        for (int r = 0; r < 2; r++) {
            const int row = first + lane / 4 + r * 8;
            if (row < end) {
                *reinterpret_cast<float2*>(p + row * stride + n * 8 + lane % 4 * 2) = make_float2(acc[n * 4 + r * 2] * scale, acc[n * 4 + r * 2 + 1] * scale);
            }
        }
}

struct KeysPass {
    const CUtensorMap *k, *v, *q, *o;
    const float *lse, *delta;
    const int* last_query;
    bf16 *dk, *dv;
    float* partials;
    int tokens, heads, kv_heads;
    float scale;
};

__device__ __forceinline__ void backward_keys(const KeysPass& p) {
    using S = BackwardShared;
    constexpr int STAGES = S::STAGES;
    extern __shared__ __align__(1024) uint8_t shared[];
    const uint32_t base = ptx::shared_address(shared), k_tile = base, v_tile = base + TILE<OWN>;
    const Barriers barriers(base, 33);                        // the copy engine's leader and a warp that brings numbers
    const int kv_head = blockIdx.y, group_heads = p.heads / p.kv_heads / gridDim.z, head_begin = (kv_head * gridDim.z + blockIdx.z) * group_heads;
    const int key0 = blockIdx.x * OWN, block_begin = key0 / SIDE, block_end = p.last_query[min(key0 + OWN, p.tokens) - 1] / SIDE + 1;
    const int blocks = block_end - block_begin, steps = blocks * group_heads;

    if (threadIdx.x < 128) {
        hopper::shrink_registers<24>();
        if (threadIdx.x >= 32) return;
        const bool lead = hopper::elect();
        if (lead) {
            hopper::arrive_expecting(barriers.own, 2 * TILE<OWN>);
            copy_tile<OWN>(k_tile, p.k, barriers.own, kv_head, key0);
            copy_tile<OWN>(v_tile, p.v, barriers.own, kv_head, key0);
        }
        int head = head_begin, block = block_begin;
        for (int i = 0; i < steps; i++) {
            const int stage = i % STAGES;
            hopper::wait(barriers.empty + 8 * stage, (i / STAGES & 1) ^ 1);
            const uint32_t to = base + S::RING + stage * S::STAGE, full = barriers.full + 8 * stage;
            if (lead) {
                hopper::arrive_expecting(full, S::STAGE);
                copy_tile<SIDE>(to, p.q, full, head, block * SIDE);
                copy_tile<SIDE>(to + TILE<SIDE>, p.o, full, head, block * SIDE);
            }
            uint32_t* numbers = reinterpret_cast<uint32_t*>(shared + S::NUMBERS + stage * 2 * S::ROW);
#pragma unroll
            for (int j = 0; j < 2; j++) {                     // lse and delta of each query of the tile
                const int column = threadIdx.x + j * 32, query = block * SIDE + column;
                const bool inside = query < p.tokens;
                const long long at = inside ? static_cast<long long>(query) * p.heads + head : 0;
                numbers[column] = __float_as_uint(inside ? p.lse[at] * LOG2_E : 0.f);
                numbers[SIDE + column] = __float_as_uint(inside ? p.delta[at] : 0.f);
            }
            hopper::arrive(full);
            if (++block == block_end) block = block_begin, head++;
        }
        return;
    }

    hopper::grow_registers<240>();
    const int group = threadIdx.x / 128 - 1, warp = threadIdx.x % 128 / 32, lane = threadIdx.x % 32, row = group * 64 + warp * 16;
    const int key = key0 + row + lane / 4;
    int seen_by[2];                                           // the last query that sees each of this thread's two keys
#pragma unroll
    for (int r = 0; r < 2; r++) seen_by[r] = key + r * 8 < p.tokens ? p.last_query[key + r * 8] : -1;
    const uint32_t k_own = k_tile + group * 64 * 128, v_own = v_tile + group * 64 * 128; // 64 rows further down each slab
    float acc_k[64] = {}, acc_v[64] = {};
    const float scale2 = p.scale * LOG2_E;
    hopper::wait(barriers.own, 0);
    int block = block_begin;
    for (int i = 0; i < steps; i++) {
        const int stage = i % STAGES, q0 = block * SIDE;
        if (++block == block_end) block = block_begin;
        const uint32_t q_tile = base + S::RING + stage * S::STAGE, o_tile = q_tile + TILE<SIDE>;
        hopper::wait(barriers.full + 8 * stage, i / STAGES & 1);
        if (q0 + SIDE > key0 + group * 64) {                  // some query of the tile is not before all of these keys
            float s[32], dp[32];
            hopper::fence_product();
#pragma unroll
            for (int k = 0; k < HEAD / 16; k++) hopper::multiply(s, over_columns<OWN>(k_own, k), over_columns<SIDE>(q_tile, k), k);
            hopper::commit_product();
#pragma unroll
            for (int k = 0; k < HEAD / 16; k++) hopper::multiply(dp, over_columns<OWN>(v_own, k), over_columns<SIDE>(o_tile, k), k);
            hopper::commit_product();
            const float* row_lse = reinterpret_cast<const float*>(shared + S::NUMBERS + stage * 2 * S::ROW);
            const float* row_delta = row_lse + SIDE;
            hopper::wait_product<1>();
#pragma unroll
            for (int n = 0; n < 32; n++) {
                const int column = n / 4 * 8 + lane % 4 * 2 + n % 2, r = n / 2 % 2;
                const bool visible = key + r * 8 <= q0 + column && q0 + column <= seen_by[r];
                s[n] = visible ? exp2f(s[n] * scale2 - row_lse[column]) : 0.f;
            }
            hopper::wait_product<0>();
            uint32_t f[SIDE / 16][4], g[SIDE / 16][4];        // p and ds, packed piece by piece: both whole in float32 would not fit
#pragma unroll
            for (int k = 0; k < SIDE / 16; k++) {
                to_left(f[k], s, k);
#pragma unroll
                for (int n = k * 8; n < k * 8 + 8; n++) dp[n] = s[n] * (dp[n] - row_delta[n / 4 * 8 + lane % 4 * 2 + n % 2]);
                to_left(g[k], dp, k);
            }
            hopper::fence_product();
#pragma unroll
            for (int k = 0; k < SIDE / 16; k++) hopper::multiply<1>(acc_v, f[k], over_rows<SIDE>(o_tile, k), 1);
#pragma unroll
            for (int k = 0; k < SIDE / 16; k++) hopper::multiply<1>(acc_k, g[k], over_rows<SIDE>(q_tile, k), 1);
            hopper::commit_product();
            hopper::wait_product<0>();
        }
        if (threadIdx.x % 128 == 0) hopper::arrive(barriers.empty + 8 * stage);
    }

    const long long stride = static_cast<long long>(p.kv_heads) * HEAD, all = p.tokens * stride;
    if (gridDim.z > 1) {
        store_partial(acc_k, p.scale, p.partials + blockIdx.z * all + kv_head * HEAD, key0 + row, p.tokens, stride);
        store_partial(acc_v, 1.f, p.partials + (gridDim.z + blockIdx.z) * all + kv_head * HEAD, key0 + row, p.tokens, stride);
        return;
    }
    // The other warps of this warpgroup may still be multiplying with these rows.
    hopper::barrier(1 + group, 128);
    store_rows<OWN>(k_tile, acc_k, p.scale, p.scale, p.dk + kv_head * HEAD, row, key0 + row, p.tokens, stride);
    store_rows<OWN>(v_tile, acc_v, 1.f, 1.f, p.dv + kv_head * HEAD, row, key0 + row, p.tokens, stride);
}

struct QueriesPass {
    const CUtensorMap *q, *o, *k, *v;
    const float *lse, *delta;
    const int* first_key;
    bf16* dq;
    int tokens, heads, kv_heads;
    float scale;
};

__device__ __forceinline__ void backward_queries(const QueriesPass& p) {
    using S = BackwardShared;
    constexpr int STAGES = S::STAGES;
    extern __shared__ __align__(1024) uint8_t shared[];
    const uint32_t base = ptx::shared_address(shared), q_tile = base, o_tile = base + TILE<OWN>;
    const Barriers barriers(base, 1);
    const int head = blockIdx.y, q0 = (gridDim.x - 1 - blockIdx.x) * OWN, last = min(q0 + OWN, p.tokens) - 1;
    const int block_begin = p.first_key[q0] / SIDE, block_end = last / SIDE + 1;

    if (threadIdx.x < 128) {
        hopper::shrink_registers<24>();
        if (threadIdx.x < 32 && hopper::elect()) {
            const int kv_head = head / (p.heads / p.kv_heads);
            hopper::arrive_expecting(barriers.own, 2 * TILE<OWN>);
            copy_tile<OWN>(q_tile, p.q, barriers.own, head, q0);
            copy_tile<OWN>(o_tile, p.o, barriers.own, head, q0);
            for (int block = block_begin, i = 0; block < block_end; block++, i++) {
                const int stage = i % STAGES;
                hopper::wait(barriers.empty + 8 * stage, (i / STAGES & 1) ^ 1);
                const uint32_t to = base + S::RING + stage * S::STAGE, full = barriers.full + 8 * stage;
                hopper::arrive_expecting(full, S::STAGE);
                copy_tile<SIDE>(to, p.k, full, kv_head, block * SIDE);
                copy_tile<SIDE>(to + TILE<SIDE>, p.v, full, kv_head, block * SIDE);
            }
        }
        return;
    }

    hopper::grow_registers<240>();
    const int group = threadIdx.x / 128 - 1, warp = threadIdx.x % 128 / 32, lane = threadIdx.x % 32, row = group * 64 + warp * 16;
    const int group_last = min(q0 + group * 64 + 63, p.tokens - 1);
    int query[2], see[2];
    float row_lse[2], row_delta[2];
#pragma unroll
    for (int r = 0; r < 2; r++) {
        query[r] = q0 + row + lane / 4 + r * 8;
        const int real = min(query[r], p.tokens - 1);
        see[r] = query[r] < p.tokens ? p.first_key[real] : p.tokens; // a row beyond the end sees nothing
        row_lse[r] = p.lse[static_cast<long long>(real) * p.heads + head] * LOG2_E;
        row_delta[r] = p.delta[static_cast<long long>(real) * p.heads + head];
    }
    hopper::wait(barriers.own, 0);
    uint32_t fq[HEAD / 16][4], fo[HEAD / 16][4];
    load_left<OWN>(fq, q_tile, row);
    load_left<OWN>(fo, o_tile, row);
    float acc[64] = {};
    const float scale2 = p.scale * LOG2_E;
    for (int block = block_begin, i = 0; block < block_end; block++, i++) {
        const int stage = i % STAGES, key0 = block * SIDE;
        const uint32_t k_tile = base + S::RING + stage * S::STAGE, v_tile = k_tile + TILE<SIDE>;
        hopper::wait(barriers.full + 8 * stage, i / STAGES & 1);
        if (key0 <= group_last && q0 + group * 64 < p.tokens) {
            float s[32], dp[32];
            hopper::fence_product();
#pragma unroll
            for (int k = 0; k < HEAD / 16; k++) hopper::multiply<0>(s, fq[k], over_columns<SIDE>(k_tile, k), k);
            hopper::commit_product();
#pragma unroll
            for (int k = 0; k < HEAD / 16; k++) hopper::multiply<0>(dp, fo[k], over_columns<SIDE>(v_tile, k), k);
            hopper::commit_product();
            hopper::wait_product<1>();
#pragma unroll
            for (int n = 0; n < 32; n++) {
                const int key = key0 + n / 4 * 8 + lane % 4 * 2 + n % 2, r = n / 2 % 2;
                const bool visible = key <= query[r] && key >= see[r];
                s[n] = visible ? exp2f(s[n] * scale2 - row_lse[r]) : 0.f;
            }
            hopper::wait_product<0>();
#pragma unroll
            for (int n = 0; n < 32; n++) dp[n] = s[n] * (dp[n] - row_delta[n / 2 % 2]);
            uint32_t g[SIDE / 16][4];
#pragma unroll
            for (int k = 0; k < SIDE / 16; k++) to_left(g[k], dp, k);
            hopper::fence_product();
#pragma unroll
            for (int k = 0; k < SIDE / 16; k++) hopper::multiply<1>(acc, g[k], over_rows<SIDE>(k_tile, k), 1);
            hopper::commit_product();
            hopper::wait_product<0>();
        }
        if (threadIdx.x % 128 == 0) hopper::arrive(barriers.empty + 8 * stage);
    }
    store_rows<OWN>(q_tile, acc, p.scale, p.scale, p.dq + head * HEAD, row, q0 + row, p.tokens, static_cast<long long>(p.heads) * HEAD);
}

}  // namespace hopper_attention

extern "C" __global__ void __launch_bounds__(HOPPER_ATTENTION_THREADS, 1)
hopper_attention_backward_keys(const __grid_constant__ CUtensorMap k, const __grid_constant__ CUtensorMap v, const __grid_constant__ CUtensorMap q,
                               const __grid_constant__ CUtensorMap o, const float* lse, const float* delta, const int* last_query,
                               bf16* dk, bf16* dv, float* partials, int tokens, int heads, int kv_heads, float scale) {
    hopper_attention::backward_keys({&k, &v, &q, &o, lse, delta, last_query, dk, dv, partials, tokens, heads, kv_heads, scale});
}

extern "C" __global__ void __launch_bounds__(HOPPER_ATTENTION_THREADS, 1)
hopper_attention_backward_queries(const __grid_constant__ CUtensorMap q, const __grid_constant__ CUtensorMap o, const __grid_constant__ CUtensorMap k,
                                  const __grid_constant__ CUtensorMap v, const float* lse, const float* delta, const int* first_key, bf16* dq,
                                  int tokens, int heads, int kv_heads, float scale) {
    hopper_attention::backward_queries({&q, &o, &k, &v, lse, delta, first_key, dq, tokens, heads, kv_heads, scale});
}
