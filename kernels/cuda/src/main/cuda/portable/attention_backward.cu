/* Attention backward: probabilities are recomputed from lse, p = exp(scale q.k - lse); with delta = rowsum(dout * out),
 *   dv = p^T dout,  ds = p * (dout v^T - delta),  dk = scale ds^T q,  dq = scale ds k
 * in two passes that own their outputs, one over keys (dk, dv) and one over queries (dq), so that no sum depends on timing.
 * A key-value head's query heads may be shared among several blocks; their float32 sums then go to partials, added in index order.
 * Shapes    as attention_forward.cu; partials [shares, tokens, kv_heads, head_dim], then the same of value_dim, f32; delta [tokens, heads] f32; dq, dk, dv as q, k, v
 * Requires  head_dim at most HEAD and value_dim at most VALUE: 64 and 64, 128 and 128, 192 and 128, 256 and 256; multiples of 8 for speed
 *           Accumulates fp32; p and ds bf16; query heads of one key-value head in order
 * Launch    delta: grid ceil(tokens * heads / 8), block ROW_THREADS
 *           keys: grid (ceil(tokens / OWN), kv_heads, shares), shares dividing heads / kv_heads; for 256 columns the sums of dk and dv
 *           do not fit a thread's registers together: keys gives dk, and values, launched alike, dv
 *           sum: grid ceil(n / FLAT_THREADS), block FLAT_THREADS; queries: grid (ceil(tokens / OWN), heads);
 *           block 2 OWN, dynamic shared 2 (OWN + BUFFERS ROWS) (HEAD + VALUE) + 12 BUFFERS ROWS bytes, OWN the keys or queries of a block and ROWS
 *           the queries or keys of a step, as AttentionWidth.java lists them: at most 98 KiB, and with one buffer 61 KiB
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

// Queries or keys of a step, and how many keys or queries a block owns.
constexpr int ROWS_64 = ATTENTION_BACKWARD_ROWS, ROWS_128 = ptx::TURING ? ATTENTION_TURING_128_BACKWARD_ROWS : ATTENTION_BACKWARD_ROWS;
constexpr int ROWS_192 = ATTENTION_192_BACKWARD_ROWS, ROWS_256 = ATTENTION_256_BACKWARD_ROWS;
constexpr int OWN = ATTENTION_BACKWARD_OWN, OWN_256 = ptx::TURING ? ATTENTION_TURING_256_BACKWARD_OWN : OWN;

// How many queries or keys of a step are worked on at a time: few enough to keep the accumulators in registers.
template <int ROWS>
constexpr int PART = ROWS < 32 || ptx::TURING ? 16 : 32;

// d[16 x 8 N] += rows of one tile times rows of another: this warp's 16 rows from `first` on against 8 N from `part` on.
template <int HEAD, int N>
__device__ __forceinline__ void multiply_rows(float (&d)[N][4], uint32_t mine, int first, uint32_t others, int part) {
UNROLL_PRODUCTS
    for (int i = 0; i < HEAD / 16; i++) {
        const ptx::Left a = left<HEAD>(mine, first, i);
#pragma unroll
        for (int n = 0; n < N / 2; n++) {
            uint32_t b[4];
            right<HEAD>(b, others, part + n * 16, i);
            ptx::multiply_add(d[n * 2], a, b[0], b[1]);
            ptx::multiply_add(d[n * 2 + 1], a, b[2], b[3]);
        }
    }
}

// Scores and dp: side by side up to 128 columns, else one after the other, whichever takes fewer registers.
template <int HEAD, int VALUE, int N>
__device__ __forceinline__ void scores_and_dp(float (&s)[N][4], float (&dp)[N][4], uint32_t mine, uint32_t mine_too, int first, uint32_t others,
                                              uint32_t others_too, int part) {
    if constexpr (HEAD == VALUE && HEAD <= 128) {
UNROLL_PRODUCTS
        for (int i = 0; i < HEAD / 16; i++) {
            const ptx::Left a = left<HEAD>(mine, first, i), c = left<HEAD>(mine_too, first, i);
#pragma unroll
            for (int n = 0; n < N / 2; n++) {
                uint32_t b[4];
                right<HEAD>(b, others, part + n * 16, i);
                ptx::multiply_add(s[n * 2], a, b[0], b[1]);
                ptx::multiply_add(s[n * 2 + 1], a, b[2], b[3]);
                right<HEAD>(b, others_too, part + n * 16, i);
                ptx::multiply_add(dp[n * 2], c, b[0], b[1]);
                ptx::multiply_add(dp[n * 2 + 1], c, b[2], b[3]);
            }
        }
    } else {
        multiply_rows<HEAD>(s, mine, first, others, part);
        multiply_rows<VALUE>(dp, mine_too, first, others_too, part);
    }
}

// d[16 x HEAD] += a[16 x 16] times rows first .. first + 15 of a tile.
template <int HEAD>
__device__ __forceinline__ void multiply_columns(float (&d)[HEAD / 8][4], const ptx::Left& a, uint32_t tile, int first) {
#pragma unroll
    for (int n = 0; n < HEAD / 16; n++) {
        uint32_t b[4];
        right_transposed<HEAD>(b, tile, first, n);
        ptx::multiply_add(d[n * 2], a, b[0], b[1]);
        ptx::multiply_add(d[n * 2 + 1], a, b[2], b[3]);
    }
}

// OWN: keys of the block. ROWS: queries of a step. DK, DV: which gradients.
template <int HEAD, int VALUE, int OWN, int ROWS, bool DK, bool DV>
__device__ __forceinline__ void backward_keys(const bf16* d_out, const bf16* q, const bf16* k, const bf16* v, const float* lse, const float* delta,
                                              const int* first_key, const int* last_query, bf16* dk, bf16* dv, float* partials, int tokens, int heads,
                                              int kv_heads, int head_dim, int value_dim, float scale) {
    constexpr int THREADS = OWN * 2, AT_A_TIME = PART<ROWS>;
    constexpr uint32_t K_TILE = OWN * HEAD * 2, V_TILE = OWN * VALUE * 2, Q_TILE = ROWS * HEAD * 2, O_TILE = ROWS * VALUE * 2, NUMBERS = ROWS * 4;
    constexpr uint32_t NUMBERS_AT = K_TILE + V_TILE + BUFFERS * (Q_TILE + O_TILE);
    extern __shared__ __align__(128) uint8_t dynamic[];
    const uint32_t k_tile = ptx::shared_address(dynamic), v_tile = k_tile + K_TILE, q_tile = v_tile + V_TILE, o_tile = q_tile + BUFFERS * Q_TILE;
    const uint32_t numbers = k_tile + NUMBERS_AT;             // buffers of lse, delta, first_key for the queries of a step
    const uint8_t* numbers_here = dynamic + NUMBERS_AT;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, kv_head = blockIdx.y, group = heads / kv_heads / gridDim.z, key0 = blockIdx.x * OWN;
    const long long q_stride = static_cast<long long>(heads) * head_dim, k_stride = static_cast<long long>(kv_heads) * head_dim;
    const long long v_stride = static_cast<long long>(kv_heads) * value_dim, o_stride = static_cast<long long>(heads) * value_dim;
    const int block_begin = key0 / ROWS, block_end = last_query[min(key0 + OWN, tokens) - 1] / ROWS + 1;

    auto load = [&](int head, int block, int side) {
        const int q0 = block * ROWS;
        const uint32_t row = numbers + side * 3 * NUMBERS;
        load_tile<HEAD, ROWS, THREADS>(q_tile + side * Q_TILE, q + head * head_dim, q0, tokens, head_dim, q_stride);
        load_tile<VALUE, ROWS, THREADS>(o_tile + side * O_TILE, d_out + head * value_dim, q0, tokens, value_dim, o_stride);
        if (threadIdx.x < ROWS) {
            const int i = q0 + threadIdx.x;
            const bool inside = i < tokens;
            const long long at = inside ? static_cast<long long>(i) * heads + head : 0;
            ptx::copy4(row + threadIdx.x * 4, lse + at, inside);
            ptx::copy4(row + NUMBERS + threadIdx.x * 4, delta + at, inside);
            ptx::copy4(row + 2 * NUMBERS + threadIdx.x * 4, first_key + (inside ? i : 0), inside);
        }
    };
    load_tile<HEAD, OWN, THREADS>(k_tile, k + kv_head * head_dim, key0, tokens, head_dim, k_stride);
    if (DK) load_tile<VALUE, OWN, THREADS>(v_tile, v + kv_head * value_dim, key0, tokens, value_dim, v_stride);
    const int head_begin = (kv_head * gridDim.z + blockIdx.z) * group, head_end = head_begin + group;
    load(head_begin, block_begin, 0);
    ptx::commit_copies();

    float acc_k[DK ? HEAD / 8 : 1][4] = {}, acc_v[DV ? VALUE / 8 : 1][4] = {};
    const float scale2 = scale * LOG2_E;
    int next_head = head_begin, next_block = block_begin, side = 0;
    while (next_head < head_end) {                            // the query blocks of every head of this share, one after the other
        const int q0 = next_block * ROWS;
        if (++next_block == block_end) next_block = block_begin, next_head++;
        ptx::wait_copies<0>();
        __syncthreads();
        if (BUFFERS == 2 && next_head < head_end) load(next_head, next_block, side ^ 1);
        ptx::commit_copies();
        const uint32_t qs = q_tile + side * Q_TILE, os = o_tile + side * O_TILE;
        const float* row_lse = reinterpret_cast<const float*>(numbers_here + side * 3 * NUMBERS);
        side ^= BUFFERS - 1;
        const float* row_delta = row_lse + ROWS;
        const int* row_first = reinterpret_cast<const int*>(row_lse + 2 * ROWS);
#pragma unroll 1
        for (int part = 0; part < ROWS; part += AT_A_TIME) {
            float s[AT_A_TIME / 8][4] = {}, dp[AT_A_TIME / 8][4] = {};       // 16 keys x queries: transposed scores
            if constexpr (DK) scores_and_dp<HEAD, VALUE>(s, dp, k_tile, v_tile, warp * 16, qs, os, part);
            else multiply_rows<HEAD>(s, k_tile, warp * 16, qs, part);
#pragma unroll
            for (int n = 0; n < AT_A_TIME / 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int column = part + n * 8 + lane % 4 * 2 + i % 2, query = q0 + column;
                    const int key = key0 + warp * 16 + lane / 4 + i / 2 * 8;
                    const bool visible = key <= query && key >= row_first[column] && query < tokens;
                    const float p = visible ? exp2f(s[n][i] * scale2 - row_lse[column] * LOG2_E) : 0.f;
                    s[n][i] = p;
                    dp[n][i] = p * (dp[n][i] - row_delta[column]);
                }
#pragma unroll
            for (int j = 0; j < AT_A_TIME / 16; j++) {
                if constexpr (DV) multiply_columns<VALUE>(acc_v, pack_left(s[2 * j], s[2 * j + 1]), os, part + j * 16);
                if constexpr (DK) multiply_columns<HEAD>(acc_k, pack_left(dp[2 * j], dp[2 * j + 1]), qs, part + j * 16);
            }
        }
        if (BUFFERS == 1 && next_head < head_end) {
            __syncthreads();                                  // all have read the only buffer
            load(next_head, next_block, 0);
        }
    }
    if (gridDim.z > 1) {
        const long long all_k = tokens * k_stride, all_v = tokens * v_stride;
        float* to_k = partials + blockIdx.z * all_k + kv_head * head_dim;
        float* to_v = partials + gridDim.z * all_k + blockIdx.z * all_v + kv_head * value_dim;
        if constexpr (DK) store_partial<HEAD>(acc_k, scale, to_k, key0 + warp * 16, tokens, head_dim, k_stride);
        if constexpr (DV) store_partial<VALUE>(acc_v, 1.f, to_v, key0 + warp * 16, tokens, value_dim, v_stride);
        return;
    }
    // Each warp read only its own 16 rows of the key and value tiles, so it may write over them.
    const uint32_t k_rows = k_tile + warp * 16 * HEAD * 2, v_rows = v_tile + warp * 16 * VALUE * 2;
    if constexpr (DK) store_rows<HEAD>(k_rows, acc_k, scale, scale, dk + kv_head * head_dim, key0 + warp * 16, tokens, head_dim, k_stride);
    if constexpr (DV) store_rows<VALUE>(v_rows, acc_v, 1.f, 1.f, dv + kv_head * value_dim, key0 + warp * 16, tokens, value_dim, v_stride);
}

// OWN: queries of the block. ROWS: keys of a step.
template <int HEAD, int VALUE, int OWN, int ROWS>
__device__ __forceinline__ void backward_queries(const bf16* d_out, const bf16* q, const bf16* k, const bf16* v, const float* lse, const float* delta,
                                                 const int* first_key, bf16* dq, int tokens, int heads, int kv_heads, int head_dim, int value_dim,
                                                 float scale) {
    constexpr int THREADS = OWN * 2, AT_A_TIME = PART<ROWS>;
    constexpr uint32_t Q_TILE = OWN * HEAD * 2, O_TILE = OWN * VALUE * 2, K_TILE = ROWS * HEAD * 2, V_TILE = ROWS * VALUE * 2;
    extern __shared__ __align__(128) uint8_t dynamic[];
    const uint32_t q_tile = ptx::shared_address(dynamic), o_tile = q_tile + Q_TILE, k_tile = o_tile + O_TILE, v_tile = k_tile + BUFFERS * K_TILE;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, head = blockIdx.y, kv_head = head / (heads / kv_heads);
    const int q0 = (gridDim.x - 1 - blockIdx.x) * OWN, last = min(q0 + OWN, tokens) - 1;
    const long long q_stride = static_cast<long long>(heads) * head_dim, k_stride = static_cast<long long>(kv_heads) * head_dim;
    const long long v_stride = static_cast<long long>(kv_heads) * value_dim, o_stride = static_cast<long long>(heads) * value_dim;
    const int block_begin = first_key[q0] / ROWS, block_end = last / ROWS + 1;
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
    load_tile<HEAD, OWN, THREADS>(q_tile, q + head * head_dim, q0, tokens, head_dim, q_stride);
    load_tile<VALUE, OWN, THREADS>(o_tile, d_out + head * value_dim, q0, tokens, value_dim, o_stride);
    auto load = [&](int block, uint32_t side) {
        load_tile<HEAD, ROWS, THREADS>(k_tile + side * K_TILE, keys, block * ROWS, tokens, head_dim, k_stride);
        load_tile<VALUE, ROWS, THREADS>(v_tile + side * V_TILE, values, block * ROWS, tokens, value_dim, v_stride);
    };
    load(block_begin, 0);
    ptx::commit_copies();

    float acc[HEAD / 8][4] = {};
    const float scale2 = scale * LOG2_E;
    for (int block = block_begin; block < block_end; block++) {
        const uint32_t side = (block - block_begin) % BUFFERS, ks = k_tile + side * K_TILE, vs = v_tile + side * V_TILE;
        ptx::wait_copies<0>();
        __syncthreads();
        if (BUFFERS == 2 && block + 1 < block_end) load(block + 1, side ^ 1);
        ptx::commit_copies();
#pragma unroll 1
        for (int part = 0; part < ROWS; part += AT_A_TIME) {
            float s[AT_A_TIME / 8][4] = {}, dp[AT_A_TIME / 8][4] = {};
            scores_and_dp<HEAD, VALUE>(s, dp, q_tile, o_tile, warp * 16, ks, vs, part);
#pragma unroll
            for (int n = 0; n < AT_A_TIME / 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int key = block * ROWS + part + n * 8 + lane % 4 * 2 + i % 2;
                    const bool visible = key <= query[i / 2] && key >= see[i / 2];
                    const float p = visible ? exp2f(s[n][i] * scale2 - base[i / 2]) : 0.f;
                    dp[n][i] = p * (dp[n][i] - subtract[i / 2]);
                }
#pragma unroll
            for (int j = 0; j < AT_A_TIME / 16; j++) {
                multiply_columns<HEAD>(acc, pack_left(dp[2 * j], dp[2 * j + 1]), ks, part + j * 16);
            }
        }
        if (BUFFERS == 1 && block + 1 < block_end) {
            __syncthreads();                                  // all have read the only buffer
            load(block + 1, 0);
        }
    }
    store_rows<HEAD>(q_tile + warp * 16 * HEAD * 2, acc, scale, scale, dq + head * head_dim, q0 + warp * 16, tokens, head_dim, q_stride);
}

}  // namespace attention

#define PASS_OVER_KEYS(NAME, HEAD, VALUE, OWN, ROWS, DK, DV)                                                                                               \
    extern "C" __global__ void __launch_bounds__(attention::OWN * 2)                                                                                       \
    attention_backward_##NAME##_##HEAD(const bf16* d_out, const bf16* q, const bf16* k, const bf16* v, const float* lse, const float* delta,               \
                                       const int* first_key, const int* last_query, bf16* dk, bf16* dv, float* partials, int tokens, int heads,            \
                                       int kv_heads, int head_dim, int value_dim, float scale) {                                                           \
        attention::backward_keys<HEAD, VALUE, attention::OWN, attention::ROWS, DK, DV>(d_out, q, k, v, lse, delta, first_key, last_query, dk,              \
                                                                                       dv, partials, tokens, heads, kv_heads, head_dim, value_dim, scale); \
    }
PASS_OVER_KEYS(keys, 64, 64, OWN, ROWS_64, true, true)
PASS_OVER_KEYS(keys, 128, 128, OWN, ROWS_128, true, true)
PASS_OVER_KEYS(keys, 192, 128, OWN, ROWS_192, true, true)
PASS_OVER_KEYS(keys, 256, 256, OWN_256, ROWS_256, true, false)
PASS_OVER_KEYS(values, 256, 256, OWN_256, ROWS_256, false, true)
#undef PASS_OVER_KEYS

#define PASS_OVER_QUERIES(HEAD, VALUE, OWN, ROWS)                                                                                                          \
    extern "C" __global__ void __launch_bounds__(attention::OWN * 2)                                                                                       \
    attention_backward_queries_##HEAD(const bf16* d_out, const bf16* q, const bf16* k, const bf16* v, const float* lse, const float* delta,                \
                                      const int* first_key, bf16* dq, int tokens, int heads, int kv_heads, int head_dim, int value_dim,                    \
                                      float scale) {                                                                                                       \
        attention::backward_queries<HEAD, VALUE, attention::OWN, attention::ROWS>(d_out, q, k, v, lse, delta, first_key, dq, tokens, heads,                \
                                                                                  kv_heads, head_dim, value_dim, scale);                                   \
    }
PASS_OVER_QUERIES(64, 64, OWN, ROWS_64)
PASS_OVER_QUERIES(128, 128, OWN, ROWS_128)
PASS_OVER_QUERIES(192, 128, OWN, ROWS_192)
PASS_OVER_QUERIES(256, 256, OWN_256, ROWS_256)
#undef PASS_OVER_QUERIES
