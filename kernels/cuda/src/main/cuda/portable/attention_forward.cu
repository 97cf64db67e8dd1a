/* Causal softmax attention over packed documents, forward, tile by tile with a running maximum; no score matrix exists.
 *   out = softmax(scale * q k^T, with the sink logit in the denominator) v,  lse = natural logarithm of that denominator
 * Shapes    q [tokens, heads, head_dim]  k [tokens, kv_heads, head_dim]  v [tokens, kv_heads, value_dim]  out [tokens, heads, value_dim] bf16
 *           lse [tokens, heads] f32   sinks [heads] f32 | bf16 | f16 or null   starts [documents + 1] int32
 *           first_key, last_query [tokens] int32: key j and query i see each other where first_key[i] <= j <= i; last_query[j] is the last such i
 * Requires  head_dim at most HEAD and value_dim at most VALUE: 64 and 64, 128 and 128, 192 and 128, 256 and 256; multiples of 8 for speed
 *           Accumulates fp32; probabilities bf16
 * Launch    bounds: grid ceil(tokens / FLAT_THREADS), block FLAT_THREADS
 *           forward: grid (ceil(tokens / QUERIES), heads), block 2 QUERIES, dynamic shared (QUERIES HEAD + BUFFERS KEYS (HEAD + VALUE)) * 2 bytes;
 *           QUERIES and KEYS are ATTENTION_FORWARD_QUERIES and ATTENTION_KEYS, beyond 128 columns ATTENTION_WIDE_QUERIES and ATTENTION_WIDE_KEYS:
 *           at most 96 KiB, which every device from 8.0 on has, and with one buffer 64 KiB, which those of 7.5 have
 * Bound by  mma.sync      Source  Dao 2023, FlashAttention-2, section 3.1      Twin  CudaAttention.java */
#include "attention.cuh"

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
attention_bounds(const int* starts, int documents, int tokens, int window, int* first_key, int* last_query) {
    const int token = blockIdx.x * FLAT_THREADS + threadIdx.x;
    if (token >= tokens) return;
    int low = 0, high = documents;                            // starts[low] <= token < starts[high]
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (starts[middle] <= token) low = middle; else high = middle;
    }
    const int start = starts[low], last = starts[low + 1] - 1;
    first_key[token] = window > 0 ? max(start, token - window + 1) : start;
    last_query[token] = window > 0 ? static_cast<int>(min(static_cast<long long>(last), static_cast<long long>(token) + window - 1)) : last;
}

namespace attention {

// Adds to the scores of 16 queries and keys 16 n .., 16 n + 8 .. what columns 16 i .. 16 i + 15 give.
template <int HEAD>
__device__ __forceinline__ void score(float (&even)[4], float (&odd)[4], const ptx::Left& fq, uint32_t keys, int n, int i) {
    uint32_t fk[4];
    right<HEAD>(fk, keys, n * 16, i);
    ptx::multiply_add(even, fq, fk[0], fk[1]);
    ptx::multiply_add(odd, fq, fk[2], fk[3]);
}

// KEEP: the queries stay in registers, where the sums leave room for them.
template <int HEAD, int VALUE, int QUERIES, int KEYS, bool KEEP>
__device__ __forceinline__ void forward(const bf16* q, const bf16* k, const bf16* v, const int* first_key, const void* sinks, int sink_format,
                                        bf16* out, float* lse, int tokens, int heads, int kv_heads, int head_dim, int value_dim, float scale) {
    constexpr int THREADS = QUERIES / 16 * 32;
    constexpr uint32_t K_TILE = KEYS * HEAD * 2, V_TILE = KEYS * VALUE * 2;
    static_assert(VALUE <= HEAD, "the output leaves through the tile of queries");
    extern __shared__ __align__(128) uint8_t dynamic[];
    const uint32_t q_tile = ptx::shared_address(dynamic), k_tile = q_tile + QUERIES * HEAD * 2, v_tile = k_tile + BUFFERS * K_TILE;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, head = blockIdx.y, kv_head = head / (heads / kv_heads);
    const int q0 = (gridDim.x - 1 - blockIdx.x) * QUERIES;    // the longest first
    const long long q_stride = static_cast<long long>(heads) * head_dim, k_stride = static_cast<long long>(kv_heads) * head_dim;
    const long long v_stride = static_cast<long long>(kv_heads) * value_dim, out_stride = static_cast<long long>(heads) * value_dim;
    q += head * head_dim, k += kv_head * head_dim, v += kv_head * value_dim, out += head * value_dim;

    const int last = min(q0 + QUERIES, tokens) - 1, block_begin = first_key[q0] / KEYS, block_end = last / KEYS + 1;
    int query[2], see[2];                                     // this thread's two rows, and the first key each sees
#pragma unroll
    for (int i = 0; i < 2; i++) {
        query[i] = q0 + warp * 16 + lane / 4 + i * 8;
        see[i] = first_key[min(query[i], tokens - 1)];
    }
    const int see_all = first_key[last];                      // from here on every row of the tile sees every key, up to the diagonal

    load_tile<HEAD, QUERIES, THREADS>(q_tile, q, q0, tokens, head_dim, q_stride);
    auto load = [&](int block, uint32_t side) {
        load_tile<HEAD, KEYS, THREADS>(k_tile + side * K_TILE, k, block * KEYS, tokens, head_dim, k_stride);
        load_tile<VALUE, KEYS, THREADS>(v_tile + side * V_TILE, v, block * KEYS, tokens, value_dim, v_stride);
    };
    load(block_begin, 0);
    ptx::commit_copies();

    ptx::Left kept[KEEP ? HEAD / 16 : 1];
    float acc[VALUE / 8][4] = {}, maximum[2] = {-INFINITY, -INFINITY}, total[2] = {};
    const float scale2 = scale * LOG2_E;
    for (int block = block_begin; block < block_end; block++) {
        const uint32_t side = (block - block_begin) % BUFFERS, k_now = k_tile + side * K_TILE, v_now = v_tile + side * V_TILE;
        ptx::wait_copies<0>();
        __syncthreads();
        if (KEEP && block == block_begin) {
#pragma unroll
            for (int i = 0; i < HEAD / 16; i++) kept[i] = left<HEAD>(q_tile, warp * 16, i);
        }
        if (BUFFERS == 2 && block + 1 < block_end) load(block + 1, side ^ 1);
        ptx::commit_copies();

        float s[KEYS / 8][4] = {};
        if constexpr (KEEP) {
#pragma unroll
            for (int n = 0; n < KEYS / 16; n++)
#pragma unroll
                for (int i = 0; i < HEAD / 16; i++) score<HEAD>(s[n * 2], s[n * 2 + 1], kept[i], k_now, n, i);
        } else {
UNROLL_PRODUCTS
            for (int i = 0; i < HEAD / 16; i++) {
                const ptx::Left fq = left<HEAD>(q_tile, warp * 16, i);
#pragma unroll
                for (int n = 0; n < KEYS / 16; n++) score<HEAD>(s[n * 2], s[n * 2 + 1], fq, k_now, n, i);
            }
        }
        const int key0 = block * KEYS;
        if (key0 + KEYS - 1 > q0 || key0 < see_all) {         // a tile on the diagonal, a document's or the window's edge
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int key = key0 + n * 8 + lane % 4 * 2 + i % 2;
                    if (key > query[i / 2] || key < see[i / 2]) s[n][i] = -INFINITY;
                }
        }
        float base[2];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            float largest = maximum[i];
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++) largest = fmaxf(largest, fmaxf(s[n][i * 2], s[n][i * 2 + 1]) * scale2);
            largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 1));
            largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 2));
            base[i] = largest == -INFINITY ? 0.f : largest;   // a row that has seen nothing yet
            const float shrink = exp2f(maximum[i] - base[i]);
            maximum[i] = largest;
            total[i] *= shrink;
#pragma unroll
            for (int n = 0; n < VALUE / 8; n++) acc[n][i * 2] *= shrink, acc[n][i * 2 + 1] *= shrink;
        }
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                s[n][i] = exp2f(s[n][i] * scale2 - base[i / 2]);
                total[i / 2] += s[n][i];
            }
#pragma unroll
        for (int j = 0; j < KEYS / 16; j++) {                 // 16 keys: two accumulator tiles are one left operand
            const ptx::Left fp = pack_left(s[2 * j], s[2 * j + 1]);
#pragma unroll
            for (int n = 0; n < VALUE / 16; n++) {
                uint32_t fv[4];
                right_transposed<VALUE>(fv, v_now, j * 16, n);
                ptx::multiply_add(acc[n * 2], fp, fv[0], fv[1]);
                ptx::multiply_add(acc[n * 2 + 1], fp, fv[2], fv[3]);
            }
        }
        if (BUFFERS == 1 && block + 1 < block_end) {
            __syncthreads();                                  // all have read the only buffer
            load(block + 1, 0);
        }
    }

    float inverse[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        total[i] += __shfl_xor_sync(~0u, total[i], 1);
        total[i] += __shfl_xor_sync(~0u, total[i], 2);
        float grow = 1.f;
        if (sinks != nullptr) {                               // a key without a value
            const float sink = load_as_float(sinks, sink_format, head) * LOG2_E, largest = fmaxf(maximum[i], sink);
            grow = exp2f(maximum[i] - largest);
            total[i] = total[i] * grow + exp2f(sink - largest);
            maximum[i] = largest;
        }
        inverse[i] = grow / total[i];
        if (lane % 4 == 0 && query[i] < tokens) lse[static_cast<long long>(query[i]) * heads + head] = (maximum[i] + log2f(total[i])) * LN_2;
    }
    store_rows<VALUE>(q_tile + warp * 16 * HEAD * 2, acc, inverse[0], inverse[1], out, q0 + warp * 16, tokens, value_dim, out_stride);
}

}  // namespace attention

#define ATTENTION_FORWARD(HEAD, VALUE, QUERIES, KEYS, KEEP)                                                                                        \
    extern "C" __global__ void __launch_bounds__(QUERIES * 2)                                                                                     \
    attention_forward_##HEAD(const bf16* q, const bf16* k, const bf16* v, const int* first_key, const void* sinks, int sink_format, bf16* out,    \
                             float* lse, int tokens, int heads, int kv_heads, int head_dim, int value_dim, float scale) {                         \
        attention::forward<HEAD, VALUE, QUERIES, KEYS, KEEP>(q, k, v, first_key, sinks, sink_format, out, lse, tokens, heads, kv_heads, head_dim, \
                                                             value_dim, scale);                                                                   \
    }
ATTENTION_FORWARD(64, 64, ATTENTION_FORWARD_QUERIES, ATTENTION_KEYS, !ptx::TURING)
ATTENTION_FORWARD(128, 128, ATTENTION_FORWARD_QUERIES, ATTENTION_KEYS, !ptx::TURING)
ATTENTION_FORWARD(192, 128, ATTENTION_WIDE_QUERIES, ATTENTION_WIDE_KEYS, false)
ATTENTION_FORWARD(256, 256, ATTENTION_WIDE_QUERIES, ATTENTION_WIDE_KEYS, false)
#undef ATTENTION_FORWARD
