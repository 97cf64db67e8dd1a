/* Causal softmax attention forward on Hopper: the maths and shapes of portable/attention_forward.cu, heads of exactly 128 columns.
 * Shapes    maps q {128, heads, tokens} box {64, 1, QUERIES}; k, v {128, kv_heads, tokens} box {64, 1, KEYS}; the rest as there
 * Requires  head_dim == value_dim == 128, pointers 16-byte aligned      Accumulates fp32; probabilities bf16
 * Launch    grid (ceil(tokens / HOPPER_ATTENTION_QUERIES), heads), block HOPPER_ATTENTION_THREADS: one warpgroup brings tiles, two own
 *           64 queries each; dynamic shared HOPPER_ATTENTION_FORWARD_SHARED_BYTES; no cluster
 * Bound by  wgmma and exp2      Source  Dao 2023, section 3.1; Shah et al. 2024, FlashAttention-3      Twin  HopperAttention.java */
#include "attention.cuh"

namespace hopper_attention {

struct ForwardShared {
    static constexpr int QUERIES = HOPPER_ATTENTION_QUERIES, KEYS = HOPPER_ATTENTION_KEYS, STAGES = 2;
    static constexpr uint32_t Q = 0, STAGE = 2 * TILE<KEYS>, RING = TILE<QUERIES>, BARRIERS = RING + STAGES * STAGE;
    static_assert(BARRIERS + (1 + 2 * STAGES) * 8 <= HOPPER_ATTENTION_FORWARD_SHARED_BYTES);
};

__device__ __forceinline__ void forward(const CUtensorMap* q_map, const CUtensorMap* k_map, const CUtensorMap* v_map, const int* first_key,
                                        const void* sinks, int sink_format, bf16* out, float* lse, int tokens, int heads, int kv_heads, float scale) {
    using S = ForwardShared;
    constexpr int KEYS = S::KEYS, STAGES = S::STAGES;
    extern __shared__ __align__(1024) uint8_t shared[];
    const uint32_t base = ptx::shared_address(shared), q_tile = base + S::Q, q_full = base + S::BARRIERS, full = q_full + 8, empty = full + STAGES * 8;
    const int head = blockIdx.y, q0 = (gridDim.x - 1 - blockIdx.x) * S::QUERIES; // the longest first
    const int last = min(q0 + S::QUERIES, tokens) - 1, block_begin = first_key[q0] / KEYS, block_end = last / KEYS + 1;
    if (threadIdx.x == 0) {
        hopper::init_barrier(q_full, 1);
        for (int i = 0; i < STAGES; i++) hopper::init_barrier(full + 8 * i, 1), hopper::init_barrier(empty + 8 * i, 2);
        hopper::fence_barrier_init();
    }
    __syncthreads();

    if (threadIdx.x < 128) {
        hopper::shrink_registers<24>();
        if (threadIdx.x < 32 && hopper::elect()) {
            const int kv_head = head / (heads / kv_heads);
            hopper::arrive_expecting(q_full, TILE<S::QUERIES>);
            copy_tile<S::QUERIES>(q_tile, q_map, q_full, head, q0);
            for (int block = block_begin, i = 0; block < block_end; block++, i++) {
                const int stage = i % STAGES;
                hopper::wait(empty + 8 * stage, (i / STAGES & 1) ^ 1);
                const uint32_t to = base + S::RING + stage * S::STAGE;
                hopper::arrive_expecting(full + 8 * stage, S::STAGE);
                copy_tile<KEYS>(to, k_map, full + 8 * stage, kv_head, block * KEYS);
                copy_tile<KEYS>(to + TILE<KEYS>, v_map, full + 8 * stage, kv_head, block * KEYS);
            }
        }
        return;
    }

    hopper::grow_registers<240>();
    const int group = threadIdx.x / 128 - 1, warp = threadIdx.x % 128 / 32, lane = threadIdx.x % 32;
    const int group_last = min(q0 + group * 64 + 63, tokens - 1), row = group * 64 + warp * 16; // this warp's rows of the tile
    int query[2], see[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        query[i] = q0 + row + lane / 4 + i * 8;
        see[i] = first_key[min(query[i], tokens - 1)];
    }
    const int see_all = first_key[last];
    hopper::wait(q_full, 0);
    // Queries stay in shared memory: kept as left operands in registers over the loop, ptxas 13.0 gave those registers away after the
    // first block of keys and every later score was wrong.
    const uint32_t q_own = q_tile + group * 64 * 128;         // 64 rows further down each slab

    float acc[64] = {}, maximum[2] = {-INFINITY, -INFINITY}, total[2] = {};
    const float scale2 = scale * LOG2_E;
    for (int block = block_begin, i = 0; block < block_end; block++, i++) {
        const int stage = i % STAGES, key0 = block * KEYS;
        const uint32_t k_tile = base + S::RING + stage * S::STAGE, v_tile = k_tile + TILE<KEYS>;
        hopper::wait(full + 8 * stage, i / STAGES & 1);
        if (key0 <= group_last && q0 + group * 64 < tokens) {
            float s[64];
            hopper::fence_product();
#pragma unroll
            for (int k = 0; k < HEAD / 16; k++) hopper::multiply(s, over_columns<S::QUERIES>(q_own, k), over_columns<KEYS>(k_tile, k), k);
            hopper::commit_product();
            hopper::wait_product<0>();
            if (key0 + KEYS - 1 > q0 + group * 64 || key0 < see_all) {
#pragma unroll
                for (int n = 0; n < 64; n++) {
                    const int key = key0 + n / 4 * 8 + lane % 4 * 2 + n % 2;
                    if (key > query[n / 2 % 2] || key < see[n / 2 % 2]) s[n] = -INFINITY;
                }
            }
            float base2[2];
#pragma unroll
            for (int r = 0; r < 2; r++) {
                float largest = maximum[r];
#pragma unroll
                for (int n = 0; n < 16; n++) largest = fmaxf(largest, fmaxf(s[n * 4 + r * 2], s[n * 4 + r * 2 + 1]) * scale2);
                largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 1));
                largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 2));
                base2[r] = largest == -INFINITY ? 0.f : largest; // a row that has seen nothing yet
                const float shrink = exp2f(maximum[r] - base2[r]);
                maximum[r] = largest;
                total[r] *= shrink;
#pragma unroll
                for (int n = 0; n < 16; n++) acc[n * 4 + r * 2] *= shrink, acc[n * 4 + r * 2 + 1] *= shrink;
            }
#pragma unroll
            for (int n = 0; n < 64; n++) {
                s[n] = exp2f(s[n] * scale2 - base2[n / 2 % 2]);
                total[n / 2 % 2] += s[n];
            }
            uint32_t p[KEYS / 16][4];
#pragma unroll
            for (int k = 0; k < KEYS / 16; k++) to_left(p[k], s, k);
            hopper::fence_product();
#pragma unroll
            for (int k = 0; k < KEYS / 16; k++) hopper::multiply<1>(acc, p[k], over_rows<KEYS>(v_tile, k), 1);
            hopper::commit_product();
            hopper::wait_product<0>();
        }
        if (threadIdx.x % 128 == 0) hopper::arrive(empty + 8 * stage);
    }

    float inverse[2];
#pragma unroll
    for (int r = 0; r < 2; r++) {
        total[r] += __shfl_xor_sync(~0u, total[r], 1);
        total[r] += __shfl_xor_sync(~0u, total[r], 2);
        float grow = 1.f;
        if (sinks != nullptr) {                               // a key without a value
            const float sink = load_as_float(sinks, sink_format, head) * LOG2_E, largest = fmaxf(maximum[r], sink);
            grow = exp2f(maximum[r] - largest);
            total[r] = total[r] * grow + exp2f(sink - largest);
            maximum[r] = largest;
        }
        inverse[r] = grow / total[r];
        if (lane % 4 == 0 && query[r] < tokens) lse[static_cast<long long>(query[r]) * heads + head] = (maximum[r] + log2f(total[r])) * LN_2;
    }
    hopper::barrier(1 + group, 128);                          // every warp of this warpgroup has multiplied with these queries
    store_rows<S::QUERIES>(q_tile, acc, inverse[0], inverse[1], out + head * HEAD, row, q0 + row, tokens, static_cast<long long>(heads) * HEAD);
}

}  // namespace hopper_attention

extern "C" __global__ void __launch_bounds__(HOPPER_ATTENTION_THREADS, 1)
hopper_attention_forward(const __grid_constant__ CUtensorMap q, const __grid_constant__ CUtensorMap k, const __grid_constant__ CUtensorMap v,
                         const int* first_key, const void* sinks, int sink_format, bf16* out, float* lse, int tokens, int heads, int kv_heads,
                         float scale) {
    hopper_attention::forward(&q, &k, &v, first_key, sinks, sink_format, out, lse, tokens, heads, kv_heads, scale);
}
