/* Attention backward: probabilities are recomputed from lse, p = exp(scale q.k - lse); with delta = rowsum(dout * out),
 *   dv = p^T dout,  ds = p * (dout v^T - delta),  dk = scale ds^T q,  dq = scale ds k
 * in two passes that own their outputs, one over keys (dk, dv) and one over queries (dq), so that no sum depends on timing.
 * A key-value head's query heads may be shared among several blocks; their float32 sums then go to partials, added in index order.
 * Shapes    as attention_forward.cu; partials [shares, tokens, kv_heads, head_dim], then the same of value_dim, f32; delta [tokens, heads] f32; dq, dk, dv as q, k, v
 * Requires  head_dim and value_dim at most HEAD (64 or 128); multiples of 8 for speed      Accumulates fp32; p and ds bf16; query heads of one
 *           key-value head in order
 * Launch    delta: grid ceil(tokens * heads / 8), block ROW_THREADS
 *           keys: grid (ceil(tokens / ATTENTION_KEYS), kv_heads, shares), shares dividing heads / kv_heads;
 *           sum: grid ceil(n / FLAT_THREADS), block FLAT_THREADS; queries: grid (ceil(tokens / ATTENTION_BACKWARD_QUERIES), heads);
 *           block ATTENTION_BACKWARD_THREADS, dynamic shared 6 * 64 * HEAD * 2 + 2 * 3 * 64 * 4 bytes
 * Bound by  mma.sync      Source  Dao 2023, FlashAttention-2, section 3.1.2      Twin  CudaAttention.java */
#include "../common/columns.cuh"
#include "attention.cuh"

extern "C" __global__ void __launch_bounds__(ROW_THREADS)
attention_delta(const bf16* d_out, const bf16* out, float* delta, long long rows, int value_dim) {
    const long long row = static_cast<long long>(blockIdx.x) * (ROW_THREADS / 32) + threadIdx.x / 32;
    if (row >= rows) return;
    float dot = 0.f;
    columns_of_lane(value_dim, [&](int c, int count) {
        const Eight a = load_columns(d_out + row * value_dim + c, count), b = load_columns(out + row * value_dim + c, count);
#pragma unroll
        for (int j = 0; j < 8; j++) dot += a.v[j] * b.v[j];
    });
    dot = warp_sum(dot);
    if (threadIdx.x % 32 == 0) delta[row] = dot;
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
attention_sum(const float* partials, bf16* out, long long n, int shares) {
    const long long i = static_cast<long long>(blockIdx.x) * FLAT_THREADS + threadIdx.x;
    if (i >= n) return;
    float total = 0.f;
    for (int s = 0; s < shares; s++) total += partials[s * n + i];
    out[i] = __float2bfloat16_rn(total);
}

namespace attention {

// Writes this warp's 16 rows x HEAD accumulators as float32.
template <int HEAD>
__device__ __forceinline__ void store_partial(const float (&acc)[HEAD / 8][4], float scale, float* p, int first, int end, int width, long long stride) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < HEAD / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int row = first + lane / 4 + i / 2 * 8, column = n * 8 + lane % 4 * 2 + i % 2;
            if (row < end && column < width) p[row * stride + column] = acc[n][i] * scale;
        }
}

constexpr int SIDE = 64;                                      // queries and keys of a tile
static_assert(ATTENTION_KEYS == SIDE && ATTENTION_BACKWARD_QUERIES == SIDE && ATTENTION_BACKWARD_THREADS == SIDE / 16 * 32);

template <int HEAD>
__device__ __forceinline__ void backward_keys(const bf16* d_out, const bf16* q, const bf16* k, const bf16* v, const float* lse, const float* delta,
                                              const int* first_key, const int* last_query, bf16* dk, bf16* dv, float* partials, int tokens, int heads,
                                              int kv_heads, int head_dim, int value_dim, float scale) {
    constexpr int THREADS = ATTENTION_BACKWARD_THREADS;
    constexpr uint32_t TILE = SIDE * HEAD * 2, ROWS = SIDE * 4;
    extern __shared__ __align__(128) uint8_t dynamic[];
    const uint32_t k_tile = ptx::shared_address(dynamic), v_tile = k_tile + TILE, q_tile = k_tile + 2 * TILE, o_tile = k_tile + 4 * TILE;
    const uint32_t numbers = k_tile + 6 * TILE;               // two buffers of lse, delta, first_key for 64 queries
    const uint8_t* numbers_here = dynamic + 6 * TILE;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, kv_head = blockIdx.y, group = heads / kv_heads / gridDim.z, key0 = blockIdx.x * SIDE;
    const long long q_stride = static_cast<long long>(heads) * head_dim, k_stride = static_cast<long long>(kv_heads) * head_dim;
    const long long v_stride = static_cast<long long>(kv_heads) * value_dim, o_stride = static_cast<long long>(heads) * value_dim;
    const int block_begin = key0 / SIDE, block_end = last_query[min(key0 + SIDE, tokens) - 1] / SIDE + 1;

    auto load = [&](int head, int block, int side) {
        const int q0 = block * SIDE;
        const uint32_t buffer = side * TILE, row = numbers + side * 3 * ROWS;
        load_tile<HEAD, SIDE, THREADS>(q_tile + buffer, q + head * head_dim, q0, tokens, head_dim, q_stride);
        load_tile<HEAD, SIDE, THREADS>(o_tile + buffer, d_out + head * value_dim, q0, tokens, value_dim, o_stride);
        if (threadIdx.x < SIDE) {
            const int i = q0 + threadIdx.x;
            const bool inside = i < tokens;
            const long long at = inside ? static_cast<long long>(i) * heads + head : 0;
            ptx::copy4(row + threadIdx.x * 4, lse + at, inside);
            ptx::copy4(row + ROWS + threadIdx.x * 4, delta + at, inside);
            ptx::copy4(row + 2 * ROWS + threadIdx.x * 4, first_key + (inside ? i : 0), inside);
        }
    };
    load_tile<HEAD, SIDE, THREADS>(k_tile, k + kv_head * head_dim, key0, tokens, head_dim, k_stride);
    load_tile<HEAD, SIDE, THREADS>(v_tile, v + kv_head * value_dim, key0, tokens, value_dim, v_stride);
    const int head_begin = (kv_head * gridDim.z + blockIdx.z) * group, head_end = head_begin + group;
    load(head_begin, block_begin, 0);
    ptx::commit_copies();

    float acc_k[HEAD / 8][4] = {}, acc_v[HEAD / 8][4] = {};
    const float scale2 = scale * LOG2_E;
    int next_head = head_begin, next_block = block_begin, side = 0;
    while (next_head < head_end) {                            // the query blocks of every head of this share, one after the other
        const int q0 = next_block * SIDE;
        if (++next_block == block_end) next_block = block_begin, next_head++;
        ptx::wait_copies<0>();
        __syncthreads();
        if (next_head < head_end) load(next_head, next_block, side ^ 1);
        ptx::commit_copies();
        const uint32_t qs = q_tile + side * TILE, os = o_tile + side * TILE;
        const float* row_lse = reinterpret_cast<const float*>(numbers_here + side * 3 * ROWS);
        side ^= 1;
        const float* row_delta = row_lse + SIDE;
        const int* row_first = reinterpret_cast<const int*>(row_lse + 2 * SIDE);
#pragma unroll 1
        for (int part = 0; part < 2; part++) {                // 32 queries at a time: keeps the accumulators in registers
            float s[4][4] = {}, dp[4][4] = {};                // 16 keys x 32 queries, transposed scores
#pragma unroll
            for (int i = 0; i < HEAD / 16; i++) {
                uint32_t fk[4], fv[4];
                left<HEAD>(fk, k_tile, warp * 16, i);
                left<HEAD>(fv, v_tile, warp * 16, i);
#pragma unroll
                for (int n = 0; n < 2; n++) {
                    uint32_t f[4];
                    right<HEAD>(f, qs, part * 32 + n * 16, i);
                    ptx::multiply_add(s[n * 2], fk, f[0], f[1]);
                    ptx::multiply_add(s[n * 2 + 1], fk, f[2], f[3]);
                    right<HEAD>(f, os, part * 32 + n * 16, i);
                    ptx::multiply_add(dp[n * 2], fv, f[0], f[1]);
                    ptx::multiply_add(dp[n * 2 + 1], fv, f[2], f[3]);
                }
            }
#pragma unroll
            for (int n = 0; n < 4; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int column = part * 32 + n * 8 + lane % 4 * 2 + i % 2, query = q0 + column;
                    const int key = key0 + warp * 16 + lane / 4 + i / 2 * 8;
                    const bool visible = key <= query && key >= row_first[column] && query < tokens;
                    const float p = visible ? exp2f(s[n][i] * scale2 - row_lse[column] * LOG2_E) : 0.f;
                    s[n][i] = p;
                    dp[n][i] = p * (dp[n][i] - row_delta[column]);
                }
#pragma unroll
            for (int j = 0; j < 2; j++) {
                const uint32_t fp[4] = {pack(s[2 * j][0], s[2 * j][1]), pack(s[2 * j][2], s[2 * j][3]),
                                        pack(s[2 * j + 1][0], s[2 * j + 1][1]), pack(s[2 * j + 1][2], s[2 * j + 1][3])};
                const uint32_t fd[4] = {pack(dp[2 * j][0], dp[2 * j][1]), pack(dp[2 * j][2], dp[2 * j][3]),
                                        pack(dp[2 * j + 1][0], dp[2 * j + 1][1]), pack(dp[2 * j + 1][2], dp[2 * j + 1][3])};
#pragma unroll
                for (int n = 0; n < HEAD / 16; n++) {
                    uint32_t f[4];
                    right_transposed<HEAD>(f, os, part * 32 + j * 16, n);
                    ptx::multiply_add(acc_v[n * 2], fp, f[0], f[1]);
                    ptx::multiply_add(acc_v[n * 2 + 1], fp, f[2], f[3]);
                    right_transposed<HEAD>(f, qs, part * 32 + j * 16, n);
                    ptx::multiply_add(acc_k[n * 2], fd, f[0], f[1]);
                    ptx::multiply_add(acc_k[n * 2 + 1], fd, f[2], f[3]);
                }
            }
        }
    }
    if (gridDim.z > 1) {
        const long long all_k = tokens * k_stride, all_v = tokens * v_stride;
        float* to_k = partials + blockIdx.z * all_k + kv_head * head_dim;
        float* to_v = partials + gridDim.z * all_k + blockIdx.z * all_v + kv_head * value_dim;
        store_partial<HEAD>(acc_k, scale, to_k, key0 + warp * 16, tokens, head_dim, k_stride);
        store_partial<HEAD>(acc_v, 1.f, to_v, key0 + warp * 16, tokens, value_dim, v_stride);
        return;
    }
    // Each warp read only its own 16 rows of the key and value tiles, so it may write over them.
    store_rows<HEAD>(k_tile, acc_k, scale, scale, dk + kv_head * head_dim, warp * 16, key0 + warp * 16, tokens, head_dim, k_stride);
    store_rows<HEAD>(v_tile, acc_v, 1.f, 1.f, dv + kv_head * value_dim, warp * 16, key0 + warp * 16, tokens, value_dim, v_stride);
}

template <int HEAD>
__device__ __forceinline__ void backward_queries(const bf16* d_out, const bf16* q, const bf16* k, const bf16* v, const float* lse, const float* delta,
                                                 const int* first_key, bf16* dq, int tokens, int heads, int kv_heads, int head_dim, int value_dim,
                                                 float scale) {
    constexpr int THREADS = ATTENTION_BACKWARD_THREADS;
    constexpr uint32_t TILE = SIDE * HEAD * 2;
    extern __shared__ __align__(128) uint8_t dynamic[];
    const uint32_t q_tile = ptx::shared_address(dynamic), o_tile = q_tile + TILE, k_tile = q_tile + 2 * TILE, v_tile = q_tile + 4 * TILE;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, head = blockIdx.y, kv_head = head / (heads / kv_heads);
    const int q0 = (gridDim.x - 1 - blockIdx.x) * SIDE, last = min(q0 + SIDE, tokens) - 1;
    const long long q_stride = static_cast<long long>(heads) * head_dim, k_stride = static_cast<long long>(kv_heads) * head_dim;
    const long long v_stride = static_cast<long long>(kv_heads) * value_dim, o_stride = static_cast<long long>(heads) * value_dim;
    const int block_begin = first_key[q0] / SIDE, block_end = last / SIDE + 1;
    const bf16* keys = k + kv_head * head_dim;
    const bf16* values = v + kv_head * value_dim;

    int query[2], see[2];
    float base[2], subtract[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        query[i] = q0 + warp * 16 + lane / 4 + i * 8;
        const int real = min(query[i], tokens - 1);
        see[i] = query[i] < tokens ? first_key[real] : tokens; // a row beyond the end sees nothing
        base[i] = lse[static_cast<long long>(real) * heads + head] * LOG2_E;
        subtract[i] = delta[static_cast<long long>(real) * heads + head];
    }
    load_tile<HEAD, SIDE, THREADS>(q_tile, q + head * head_dim, q0, tokens, head_dim, q_stride);
    load_tile<HEAD, SIDE, THREADS>(o_tile, d_out + head * value_dim, q0, tokens, value_dim, o_stride);
    load_tile<HEAD, SIDE, THREADS>(k_tile, keys, block_begin * SIDE, tokens, head_dim, k_stride);
    load_tile<HEAD, SIDE, THREADS>(v_tile, values, block_begin * SIDE, tokens, value_dim, v_stride);
    ptx::commit_copies();

    float acc[HEAD / 8][4] = {};
    const float scale2 = scale * LOG2_E;
    for (int block = block_begin; block < block_end; block++) {
        const uint32_t buffer = (block - block_begin) % 2 * TILE;
        ptx::wait_copies<0>();
        __syncthreads();
        if (block + 1 < block_end) {
            load_tile<HEAD, SIDE, THREADS>(k_tile + (TILE - buffer), keys, (block + 1) * SIDE, tokens, head_dim, k_stride);
            load_tile<HEAD, SIDE, THREADS>(v_tile + (TILE - buffer), values, (block + 1) * SIDE, tokens, value_dim, v_stride);
        }
        ptx::commit_copies();
#pragma unroll 1
        for (int part = 0; part < 2; part++) {                // 32 keys at a time
            float s[4][4] = {}, dp[4][4] = {};
#pragma unroll
            for (int i = 0; i < HEAD / 16; i++) {
                uint32_t fq[4], fo[4];
                left<HEAD>(fq, q_tile, warp * 16, i);
                left<HEAD>(fo, o_tile, warp * 16, i);
#pragma unroll
                for (int n = 0; n < 2; n++) {
                    uint32_t f[4];
                    right<HEAD>(f, k_tile + buffer, part * 32 + n * 16, i);
                    ptx::multiply_add(s[n * 2], fq, f[0], f[1]);
                    ptx::multiply_add(s[n * 2 + 1], fq, f[2], f[3]);
                    right<HEAD>(f, v_tile + buffer, part * 32 + n * 16, i);
                    ptx::multiply_add(dp[n * 2], fo, f[0], f[1]);
                    ptx::multiply_add(dp[n * 2 + 1], fo, f[2], f[3]);
                }
            }
#pragma unroll
            for (int n = 0; n < 4; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int key = block * SIDE + part * 32 + n * 8 + lane % 4 * 2 + i % 2;
                    const bool visible = key <= query[i / 2] && key >= see[i / 2];
                    const float p = visible ? exp2f(s[n][i] * scale2 - base[i / 2]) : 0.f;
                    dp[n][i] = p * (dp[n][i] - subtract[i / 2]);
                }
#pragma unroll
            for (int j = 0; j < 2; j++) {
                const uint32_t fd[4] = {pack(dp[2 * j][0], dp[2 * j][1]), pack(dp[2 * j][2], dp[2 * j][3]),
                                        pack(dp[2 * j + 1][0], dp[2 * j + 1][1]), pack(dp[2 * j + 1][2], dp[2 * j + 1][3])};
#pragma unroll
                for (int n = 0; n < HEAD / 16; n++) {
                    uint32_t f[4];
                    right_transposed<HEAD>(f, k_tile + buffer, part * 32 + j * 16, n);
                    ptx::multiply_add(acc[n * 2], fd, f[0], f[1]);
                    ptx::multiply_add(acc[n * 2 + 1], fd, f[2], f[3]);
                }
            }
        }
    }
    store_rows<HEAD>(q_tile, acc, scale, scale, dq + head * head_dim, warp * 16, q0 + warp * 16, tokens, head_dim, q_stride);
}

}  // namespace attention

#define ATTENTION_BACKWARD(HEAD)                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(ATTENTION_BACKWARD_THREADS)                                                                      \
    attention_backward_keys_##HEAD(const bf16* d_out, const bf16* q, const bf16* k, const bf16* v, const float* lse, const float* delta,          \
                                   const int* first_key, const int* last_query, bf16* dk, bf16* dv, float* partials, int tokens, int heads,       \
                                   int kv_heads, int head_dim, int value_dim, float scale) {                                                      \
        attention::backward_keys<HEAD>(d_out, q, k, v, lse, delta, first_key, last_query, dk, dv, partials, tokens, heads, kv_heads, head_dim,    \
                                       value_dim, scale);                                                                                         \
    }                                                                                                                                             \
    extern "C" __global__ void __launch_bounds__(ATTENTION_BACKWARD_THREADS)                                                                      \
    attention_backward_queries_##HEAD(const bf16* d_out, const bf16* q, const bf16* k, const bf16* v, const float* lse, const float* delta,       \
                                      const int* first_key, bf16* dq, int tokens, int heads, int kv_heads, int head_dim, int value_dim,           \
                                      float scale) {                                                                                              \
        attention::backward_queries<HEAD>(d_out, q, k, v, lse, delta, first_key, dq, tokens, heads, kv_heads, head_dim, value_dim, scale);        \
    }
ATTENTION_BACKWARD(64)
ATTENTION_BACKWARD(128)
#undef ATTENTION_BACKWARD
