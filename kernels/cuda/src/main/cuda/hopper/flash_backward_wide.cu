/* The backward pass of flash_backward.cu for heads whose sums fill the registers of two warpgroups: the same order of work, turns and sums, but
 *   the first multiplying warpgroup makes the scores and p, the second dp and ds = p * (dp - delta), and p and ds go through shared memory,
 *   p as pairs of bf16, of which dv is made, and what rounding took from them;
 *   where two stages fit, the next step's scores and dp follow dk and dq into the matrix unit, and run beside the stores of dq and each other's waits;
 *   dv = p^T dout, dk = ds^T q and dq = ds k are then divided by columns: each warpgroup owns slabs of 64 columns of each
 * Shapes    as flash_backward.cu with v, dout, dv of VALUE columns; turns [heads * query_blocks * 2 + 1]   dq [heads, query_blocks, HEAD / 64, 64 x 64]
 *           dk [splits, kv_heads, key_blocks, HEAD / 64, 64 x 64]  dv [splits, kv_heads, key_blocks, VALUE / 64, 64 x 64] f32, each 64 x 64 in the
 *           order of registers: [4 accumulators][thread]
 * Maps      bf16, 128-byte swizzle, zeros outside: {columns, heads of the tensor, tokens}; box {64, 1, 64}
 * Requires  compute capability 9.0; HEAD and VALUE 256 and 256, or 192 and 128; heads % kv_heads == 0, (heads / kv_heads) % splits == 0
 * Launch    grid key_blocks * kv_heads * splits, block 384, dynamic shared WidePlan::SHARED_BYTES (tiles.h); prepare and gradient as there,
 *           every 64 columns a part      Accumulates fp32; p and ds are bf16 in products, ds is made of p in fp32
 * Bound by  shared memory: its bytes a clock (64 x 64 products from it), and its size, one stage of 256 columns; the exchange of p and ds
 * Source    Dao 2023, FlashAttention-2, section 3.1.2; Shah et al. 2024, FlashAttention-3      Twin  HopperAttention.java */
#include "flash_backward.cuh"

namespace flash {

// Shared memory: K, V; q and dout in STAGES stages with lse2 and delta; p^T, ds, ds^T, the rest of p as registers hold it; dq on its way out.
template <int HEAD_, int VALUE_, int STAGES_>
struct WidePlan {
    static constexpr int HEAD = HEAD_, VALUE = VALUE_, QUERIES = 64, KEYS = 64, STAGES = STAGES_;
    static constexpr bool GRADIENT_FIRST = true, WHOLE_BLOCKS = false;   // dout is free before q
    static constexpr bool AHEAD = STAGES > 1;                  // scores and dp of the next step are multiplied behind dk and dq of this one
    static constexpr uint32_t SLAB = 64 * ROW_BYTES, K_SLAB = SLAB, Q_SLAB = SLAB, SUM_SLAB = 64 * 64 * 4;
    static constexpr uint32_t K_TILE = HEAD / 64 * SLAB, V_TILE = VALUE / 64 * SLAB, Q_TILE = K_TILE, O_TILE = V_TILE;
    static constexpr uint32_t V_AT = K_TILE, Q_AT = V_AT + V_TILE, O_AT = Q_AT + STAGES * Q_TILE;
    static constexpr uint32_t P_TRANSPOSED_AT = O_AT + STAGES * O_TILE, DS_AT = P_TRANSPOSED_AT + SLAB, DS_TRANSPOSED_AT = DS_AT + SLAB;
    static constexpr uint32_t P_REST_AT = DS_TRANSPOSED_AT + SLAB, DQ_AT = P_REST_AT + SLAB, ROWS_AT = DQ_AT + HEAD / 64 * SUM_SLAB;
    static constexpr uint32_t ROWS = QUERIES * 4, BARRIERS = ROWS_AT + 2 * STAGES * ROWS;     // lse2 of each stage, delta of each stage
    static constexpr uint32_t KV_FULL = BARRIERS, TICKET = BARRIERS + 8, Q_FULL = BARRIERS + 16, O_FULL = Q_FULL + 8 * STAGES;
    static constexpr uint32_t Q_EMPTY = O_FULL + 8 * STAGES, O_EMPTY = Q_EMPTY + 8 * STAGES, DQ_FULL = O_EMPTY + 8 * STAGES, DQ_EMPTY = DQ_FULL + 16;
    static constexpr uint32_t P_WRITTEN = DQ_EMPTY + 16, DS_WRITTEN = P_WRITTEN + 8;
    static constexpr uint32_t SHARED_BYTES = DS_WRITTEN + 8;
    __device__ __forceinline__ static void init_meetings(uint32_t shared) {
        ptx::init_barrier(shared + P_WRITTEN, 2 * WARPGROUP);
        ptx::init_barrier(shared + DS_WRITTEN, 2 * WARPGROUP);
    }
    // The slabs of a warpgroup: half of each result; of 192 and 128 columns four of the eight, one warpgroup having all of dv.
    static constexpr bool EVEN = HEAD == VALUE;
    __device__ static constexpr int first(int own) { return EVEN ? own * (HEAD / 128) : own == 0 ? HEAD / 64 - 1 : 0; }            // of dk and dq
    __device__ static constexpr int slabs(int own) { return EVEN ? HEAD / 128 : own == 0 ? 1 : HEAD / 64 - 1; }
    __device__ static constexpr int value_first(int own) { return EVEN ? own * (VALUE / 128) : 0; }                               // of dv
    __device__ static constexpr int value_slabs(int own) { return EVEN ? VALUE / 128 : own == 0 ? VALUE / 64 : 0; }
    __device__ static constexpr uint32_t dq_at(int own) { return first(own) * SUM_SLAB; }
    __device__ static constexpr uint32_t dq_bytes(int own) { return slabs(own) * SUM_SLAB; }
    static_assert(EVEN ? HEAD % 128 == 0 : HEAD == 192 && VALUE == 128, "slabs for both warpgroups");
    static_assert(SHARED_BYTES <= 232448);
};

// d[64, 64] = rows of one tile times rows of another, `columns` deep
template <int COLUMNS>
__device__ __forceinline__ void multiply_rows(float (&d)[32], uint32_t a, uint32_t b) {
    wgmma::fence();
#pragma unroll
    for (int step = 0; step < COLUMNS / 16; step++)
        wgmma::Product<64>::add<wgmma::K_MAJOR>(d, wgmma::k_major(a + step / 4 * 64 * ROW_BYTES + step % 4 * 32),
                                                wgmma::k_major(b + step / 4 * 64 * ROW_BYTES + step % 4 * 32), step);
    wgmma::commit();
}

// d[64, 64 SLABS] (+)= a[64, 64] times 64 rows of SLABS slabs
template <int SLABS>
__device__ __forceinline__ void multiply_columns(float (&d)[32 * SLABS], uint32_t a, uint32_t slabs, int accumulate) {
    wgmma::fence();
#pragma unroll
    for (int step = 0; step < 4; step++)
        wgmma::Product<64 * SLABS>::template add<wgmma::MN_MAJOR>(d, wgmma::k_major(a + step * 32),
                                                                 wgmma::mn_major<64 * ROW_BYTES>(slabs + step * 16 * ROW_BYTES), accumulate | step);
    wgmma::commit();
}

// A warpgroup's 64 x 64 numbers to a slab, row by row.
__device__ __forceinline__ void store_rows(uint32_t slab, const uint32_t (&v)[16]) {
    const int row = threadIdx.x % WARPGROUP / 32 * 16 + (threadIdx.x & 15), half = threadIdx.x % 32 / 16;
#pragma unroll
    for (int n = 0; n < 8; n += 2)
        ptx::store_matrices(slab + row * ROW_BYTES + (((n + half) ^ (row & 7)) << 4), v[2 * n], v[2 * n + 1], v[2 * n + 2], v[2 * n + 3]);
}

template <int SLABS>
__device__ __forceinline__ void store_sums(float4* to, const float (&d)[32 * SLABS]) {
#pragma unroll
    for (int i = 0; i < 8 * SLABS; i++) to[i * WARPGROUP] = make_float4(d[4 * i], d[4 * i + 1], d[4 * i + 2], d[4 * i + 3]);
}

// Scores of this thread's two queries, `query` and query + 8, and its keys from `key` on become probabilities.
template <typename P>
__device__ __forceinline__ void recompute_rows(float (&s)[32], const Backward& p, const KeyTile& tile, int q0, int query, int key, const float* lse2) {
    if (q0 < tile.block * P::KEYS + P::KEYS - 1 || min(q0 + P::QUERIES, p.tokens) - 1 > tile.all) {
        const int see[2] = {p.first_key[min(query, p.tokens - 1)], p.first_key[min(query + 8, p.tokens - 1)]};
#pragma unroll
        for (int n = 0; n < 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const int j = key + n * 8 + i % 2;
                if (j > query + i / 2 * 8 || j < see[i / 2]) s[4 * n + i] = -INFINITY;
            }
    }
    const float scale_log2 = p.scale * LOG2_E, base[2] = {lse2[0], lse2[8]};
#pragma unroll
    for (int i = 0; i < 32; i++) s[i] = ptx::exp2_fast(s[i] * scale_log2 - base[i / 2 % 2]);
}

// The warpgroups meet twice a step, at barriers in shared memory, for they come from different code:
//   P_WRITTEN    the first warpgroup arrives when p is written, the second already when its products with the last ds have ended; those of the first have,
//                too. So whoever has passed may read p, and write ds
//   DS_WRITTEN   both arrive when they have read p, dv included, and the second when ds is written. So whoever has passed may read ds, and write p
// Neither warpgroup can be a phase ahead, since both wait for every phase of both. Writes reach the matrix unit by the fence before an arrival.
// The first products of the next step wait for loads that need nothing but the step before this one, so nobody waits in a circle.
template <typename P, int OWN>
__device__ __forceinline__ void differentiate_wide(const Backward& p, uint32_t shared, uint8_t* shared_here, const KeyTile& tile) {
    constexpr int SLABS = P::slabs(OWN), VALUE_SLABS = P::value_slabs(OWN), FIRST = P::first(OWN), VALUE_FIRST = P::value_first(OWN);
    constexpr int NEXT = P::AHEAD ? 1 : 0;                    // products of the next step in flight
    const int t = threadIdx.x % WARPGROUP, row = t / 32 * 16 + t % 32 / 4;            // this thread's first query of a block; the other is row + 8
    int stage = 0, block = tile.first;
    uint32_t phase = 0;
    float dk[32 * SLABS], dv[VALUE_SLABS > 0 ? 32 * VALUE_SLABS : 1];
    ptx::wait(shared + P::KV_FULL, 0);
    const int steps = tile.heads * (tile.last - tile.first + 1);
    float s[32];                                              // scores, then p; or dp
    const auto begin = [&](int at, uint32_t at_phase) {       // a step's scores, or its dp
        if constexpr (OWN == 0) {
            ptx::wait(shared + P::Q_FULL + 8 * at, at_phase);
            multiply_rows<P::HEAD>(s, shared + P::Q_AT + at * P::Q_TILE, shared);
        } else {
            ptx::wait(shared + P::O_FULL + 8 * at, at_phase);
            multiply_rows<P::VALUE>(s, shared + P::O_AT + at * P::O_TILE, shared + P::V_AT);
        }
    };
    if constexpr (OWN == 1) ptx::arrive(shared + P::P_WRITTEN);
    if constexpr (P::AHEAD) begin(0, 0), wgmma::wait<0>();
    for (int step = 0; step < steps; step++) {
        const uint32_t q = shared + P::Q_AT + stage * P::Q_TILE, o = shared + P::O_AT + stage * P::O_TILE;
        const float* rows = reinterpret_cast<const float*>(shared_here + P::ROWS_AT + (OWN * P::STAGES + stage) * P::ROWS) + row;    // lse2, or delta
        uint4* const p_rest = reinterpret_cast<uint4*>(shared_here + P::P_REST_AT) + t;
        const uint32_t turn = step & 1;                       // phase of what happens once a step
        float dq[32 * SLABS];
        uint32_t probabilities[16], rest[16];
        if constexpr (!P::AHEAD) begin(stage, phase), wgmma::wait<0>();
        if constexpr (OWN == 0) {
            const int q0 = block * P::QUERIES;
            recompute_rows<P>(s, p, tile, q0, q0 + row, tile.block * P::KEYS + t % 4 * 2, rows);
            split(probabilities, rest, s);
#pragma unroll
            for (int i = 0; i < 4; i++) p_rest[i * WARPGROUP] = make_uint4(rest[4 * i], rest[4 * i + 1], rest[4 * i + 2], rest[4 * i + 3]);
            store_transposed(shared + P::P_TRANSPOSED_AT, probabilities);
            ptx::fence_async_shared();
            ptx::arrive(shared + P::P_WRITTEN);
            ptx::wait(shared + P::P_WRITTEN, turn);
            ptx::wait(shared + P::O_FULL + 8 * stage, phase);
            multiply_columns<VALUE_SLABS>(dv, shared + P::P_TRANSPOSED_AT, o + VALUE_FIRST * P::SLAB, step);
            wgmma::wait<0>();
        } else {
            ptx::wait(shared + P::P_WRITTEN, turn);
            if constexpr (VALUE_SLABS > 0) multiply_columns<VALUE_SLABS>(dv, shared + P::P_TRANSPOSED_AT, o + VALUE_FIRST * P::SLAB, step);
            const float delta[2] = {rows[0], rows[8]};
            uint32_t ds[16];
            load_transposed(probabilities, shared + P::P_TRANSPOSED_AT);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const uint4 four = p_rest[i * WARPGROUP];
                rest[4 * i] = four.x, rest[4 * i + 1] = four.y, rest[4 * i + 2] = four.z, rest[4 * i + 3] = four.w;
            }
#pragma unroll
            for (int i = 0; i < 16; i++)
                ds[i] = pack(joined(probabilities, rest, 2 * i) * (s[2 * i] - delta[i % 2]),
                             joined(probabilities, rest, 2 * i + 1) * (s[2 * i + 1] - delta[i % 2]));
            store_rows(shared + P::DS_AT, ds);
            store_transposed(shared + P::DS_TRANSPOSED_AT, ds);
            ptx::fence_async_shared();
            wgmma::wait<0>();                                 // dv
            ptx::wait(shared + P::Q_FULL + 8 * stage, phase);
        }
        ptx::arrive(shared + P::O_EMPTY + 8 * stage);
        ptx::arrive(shared + P::DS_WRITTEN);
        ptx::wait(shared + P::DS_WRITTEN, turn);
        multiply_columns<SLABS>(dk, shared + P::DS_TRANSPOSED_AT, q + FIRST * P::SLAB, step);
        multiply_columns<SLABS>(dq, shared + P::DS_AT, shared + FIRST * P::SLAB, 0);
        const int next = stage + 1 == P::STAGES ? 0 : stage + 1;
        const uint32_t next_phase = next == 0 ? phase ^ 1 : phase;
        if constexpr (P::AHEAD) {
            const bool last = step + 1 == steps;              // multiplies its own again, for nothing: a product in a branch would break the pipeline
            begin(last ? stage : next, last ? phase : next_phase);
        }
        wgmma::wait<1 + NEXT>();                              // dk
        ptx::arrive(shared + P::Q_EMPTY + 8 * stage);
        wgmma::wait<NEXT>();                                  // dq
        if constexpr (OWN == 1) ptx::arrive(shared + P::P_WRITTEN);                   // the next step's
        ptx::wait(shared + P::DQ_EMPTY + 8 * OWN, turn ^ 1);
        store_sums<SLABS>(reinterpret_cast<float4*>(shared_here + P::DQ_AT + P::dq_at(OWN)) + t, dq);
        ptx::fence_async_shared();
        ptx::arrive(shared + P::DQ_FULL + 8 * OWN);
        wgmma::wait<0>();
        stage = next, phase = next_phase;
        if (++block > tile.last) block = tile.first;
    }
    const long long key_blocks = (p.tokens + P::KEYS - 1) / P::KEYS, at = (tile.split * p.kv_heads + tile.kv_head) * key_blocks + tile.block;
    store_sums<SLABS>(reinterpret_cast<float4*>(p.dk) + (at * (P::HEAD / 64) + FIRST) * 8 * WARPGROUP + t, dk);
    if constexpr (VALUE_SLABS > 0)
        store_sums<VALUE_SLABS>(reinterpret_cast<float4*>(p.dv) + (at * (P::VALUE / 64) + VALUE_FIRST) * 8 * WARPGROUP + t, dv);
}

}  // namespace flash

#define FLASH_BACKWARD(HEAD, VALUE, STAGES)                                                                                                  \
    static_assert(flash::WidePlan<HEAD, VALUE, STAGES>::SHARED_BYTES == FLASH_BACKWARD_##HEAD##_SHARED_BYTES);                               \
    static_assert(flash::WidePlan<HEAD, VALUE, STAGES>::QUERIES == FLASH_BACKWARD_##HEAD##_QUERIES);                                         \
    static_assert(flash::WidePlan<HEAD, VALUE, STAGES>::KEYS == FLASH_BACKWARD_##HEAD##_KEYS);                                               \
    extern "C" __global__ void __launch_bounds__(flash::THREADS, 1)                                                                          \
    flash_backward_##HEAD(const __grid_constant__ CUtensorMap q, const __grid_constant__ CUtensorMap k, const __grid_constant__ CUtensorMap v, \
                          const __grid_constant__ CUtensorMap d_out, const __grid_constant__ flash::Backward p) {                            \
        using Plan = flash::WidePlan<HEAD, VALUE, STAGES>;                                                                                   \
        flash::backward<Plan>(q, k, v, d_out, p, [&](uint32_t shared, uint8_t* shared_here, int own, const flash::KeyTile& tile) {           \
            if (own == 0) flash::differentiate_wide<Plan, 0>(p, shared, shared_here, tile);                                                  \
            else flash::differentiate_wide<Plan, 1>(p, shared, shared_here, tile);                                                           \
        });                                                                                                                                  \
    }
FLASH_BACKWARD(192, 128, 2)
FLASH_BACKWARD(256, 256, 1)
#undef FLASH_BACKWARD
