/* What the backward kernels share: which blocks of queries see a block of keys, the thread that loads, the threads that add dq, the start. */
#pragma once
#include "flash.cuh"

namespace flash {

struct Backward {
    const int* first_key;
    const int* last_query;
    const float* lse2;
    const float* delta;
    int* turns;
    float *dq, *dk, *dv;
    int tokens, heads, kv_heads, splits;
    float scale;
};

// Keys of one block against query heads head .. head + heads - 1, blocks of queries first .. last of each.
struct KeyTile {
    int block, kv_head, split, head, heads, first, last;
    int before, all;                                          // last query that sees the keys before the block, and the first key of it
    // All blocks of keys of some heads, the last first, then of the next heads: so their sums of dq stay in L2.
    __device__ __forceinline__ KeyTile(int work, const Backward& p, int keys, int queries) {
        const int blocks = (p.tokens + keys - 1) / keys, unit = work / blocks, group = p.heads / p.kv_heads;
        block = blocks - 1 - work % blocks;
        kv_head = unit / p.splits;
        split = unit % p.splits;
        heads = group / p.splits;
        head = kv_head * group + split * heads;
        first = block * keys / queries;
        last = p.last_query[min(block * keys + keys, p.tokens) - 1] / queries;
        before = block == 0 ? -1 : p.last_query[block * keys - 1];
        all = p.last_query[block * keys];
    }
};

template <typename P>
__device__ __forceinline__ void load_backward(const CUtensorMap& q, const CUtensorMap& k, const CUtensorMap& v, const CUtensorMap& d_out, const Backward& p,
                                              uint32_t shared, const KeyTile& tile, int query_blocks) {
    int stage = 0;
    uint32_t phase = 0;
    ptx::arrive_expecting(shared + P::KV_FULL, P::K_TILE + P::V_TILE);
#pragma unroll
    for (int s = 0; s < P::HEAD / 64; s++) ptx::load_box(shared + s * P::K_SLAB, k, shared + P::KV_FULL, s * 64, tile.kv_head, tile.block * P::KEYS);
#pragma unroll
    for (int s = 0; s < P::VALUE / 64; s++)
        ptx::load_box(shared + P::V_AT + s * P::K_SLAB, v, shared + P::KV_FULL, s * 64, tile.kv_head, tile.block * P::KEYS);
    for (int head = tile.head; head < tile.head + tile.heads; head++) {
        for (int block = tile.first; block <= tile.last; block++) {
            const long long row = (static_cast<long long>(head) * query_blocks + block) * P::QUERIES;
            const auto load_queries = [&] {
                const uint32_t full = shared + P::Q_FULL + 8 * stage;
                ptx::wait(shared + P::Q_EMPTY + 8 * stage, phase ^ 1);
                ptx::arrive_expecting(full, P::Q_TILE + P::ROWS);
#pragma unroll
                for (int s = 0; s < P::HEAD / 64; s++)
                    ptx::load_box(shared + P::Q_AT + stage * P::Q_TILE + s * P::Q_SLAB, q, full, s * 64, head, block * P::QUERIES);
                ptx::load_bytes(shared + P::ROWS_AT + stage * P::ROWS, p.lse2 + row, P::ROWS, full);
            };
            const auto load_gradient = [&] {
                const uint32_t full = shared + P::O_FULL + 8 * stage;
                ptx::wait(shared + P::O_EMPTY + 8 * stage, phase ^ 1);
                ptx::arrive_expecting(full, P::O_TILE + P::ROWS);
#pragma unroll
                for (int s = 0; s < P::VALUE / 64; s++)
                    ptx::load_box(shared + P::O_AT + stage * P::O_TILE + s * P::Q_SLAB, d_out, full, s * 64, head, block * P::QUERIES);
                ptx::load_bytes(shared + P::ROWS_AT + (P::STAGES + stage) * P::ROWS, p.delta + row, P::ROWS, full);
            };
            if constexpr (P::GRADIENT_FIRST) load_gradient(), load_queries();
            else load_queries(), load_gradient();
            if (++stage == P::STAGES) stage = 0, phase ^= 1;
        }
    }
}

// Adds this thread's share of dq to the sum in L2, each block in its turn: every second block whole, or of every block the share of one warpgroup;
// another thread adds the rest. The next turn is given once an addition has arrived, which is waited for beside the next addition, but never behind
// a wait for somebody else.
template <typename P>
__device__ __forceinline__ void add_dq(const Backward& p, uint32_t shared, int own, const KeyTile& tile, int query_blocks) {
    const uint32_t from = shared + P::DQ_AT + P::dq_at(own), full = shared + P::DQ_FULL + 8 * own, bytes = P::dq_bytes(own);
    uint32_t phase = 0;
    int step = 0, next_turn = 0;
    int* pending = nullptr;                                   // whose addition is on its way
    const auto give_turn = [&] {
        ptx::fence_async();
        ptx::set_turn(pending, next_turn);
        pending = nullptr;
    };
    const auto settle = [&] {
        if (pending == nullptr) return;
        ptx::wait_stores<0>();
        give_turn();
    };
    for (int head = tile.head; head < tile.head + tile.heads; head++) {
        for (int block = tile.first; block <= tile.last; block++) {
            if (P::WHOLE_BLOCKS && (step++ & 1) != own) continue;
            const int q0 = block * P::QUERIES, turn = (min(q0 + P::QUERIES, p.tokens) - 1) / P::KEYS - tile.block;
            const long long index = static_cast<long long>(head) * query_blocks + block;
            int* const counter = p.turns + (P::WHOLE_BLOCKS ? index : 2 * index + own);
            float* const sum = p.dq + index * P::QUERIES * P::HEAD + (P::WHOLE_BLOCKS ? 0 : P::dq_at(own) / 4);
            if (!ptx::phase_ended_now(full, phase)) settle();
            ptx::wait(full, phase);
            phase ^= 1;
            if (turn == 0) {
                ptx::store_bytes(sum, from, bytes);      // the first one finds nothing to add to
            } else {
                if (ptx::turn_now(counter) != turn) {
                    settle();
                    ptx::wait_turn(counter, turn);
                }
                ptx::fence_async();
                ptx::add_floats(sum, from, bytes);
            }
            ptx::commit_stores();
            ptx::wait_stores_read();
            ptx::arrive(shared + P::DQ_EMPTY + 8 * own);
            if (pending != nullptr) {
                ptx::wait_stores<1>();
                give_turn();
            }
            pending = counter;
            next_turn = q0 > tile.before ? 0 : turn + 1;      // the last one leaves zero behind
        }
    }
    settle();
}

// A warpgroup's 64 x 64 numbers to a slab in which its columns are rows, and back; transposed_row is this lane's address for columns 8 n .. 8 n + 15.
__device__ __forceinline__ uint32_t transposed_row(uint32_t slab, int n) {
    const int warp = threadIdx.x % WARPGROUP / 32, lane = threadIdx.x % 32, row = (n + lane / 16) * 8 + lane % 8;
    return slab + row * ROW_BYTES + (((warp * 2 + (lane >> 3 & 1)) ^ (row & 7)) << 4);
}

__device__ __forceinline__ void store_transposed(uint32_t slab, const uint32_t (&v)[16]) {
#pragma unroll
    for (int n = 0; n < 8; n += 2) ptx::store_matrices_transposed(transposed_row(slab, n), v[2 * n], v[2 * n + 1], v[2 * n + 2], v[2 * n + 3]);
}

__device__ __forceinline__ void load_transposed(uint32_t (&v)[16], uint32_t slab) {
#pragma unroll
    for (int n = 0; n < 8; n += 2) {
        uint32_t four[4];
        ptx::load_matrices_transposed(four, transposed_row(slab, n));
        v[2 * n] = four[0], v[2 * n + 1] = four[1], v[2 * n + 2] = four[2], v[2 * n + 3] = four[3];
    }
}

// Float32 probabilities as pairs of bf16 and what rounding took from them: their bits plus half a step of bf16 are a bf16 rounded to nearest, and below it
// 16 bits more. The pairs are wanted anyway, for dv.
__device__ __forceinline__ uint32_t between_bf16(float p) { return __viaddmin_u32(__float_as_uint(p), 0x8000, 0x7fffffff); }      // NaN stays NaN

__device__ __forceinline__ void split(uint32_t (&rounded)[16], uint32_t (&rest)[16], const float (&p)[32]) {
#pragma unroll
    for (int i = 0; i < 16; i++) {
        const uint32_t a = between_bf16(p[2 * i]), b = between_bf16(p[2 * i + 1]);
        rounded[i] = __byte_perm(a, b, 0x7632);
        rest[i] = __byte_perm(a, b, 0x5410);
    }
}

// Number i of those that were split.
__device__ __forceinline__ float joined(const uint32_t (&rounded)[16], const uint32_t (&rest)[16], int i) {
    return __uint_as_float(__byte_perm(rest[i / 2], rounded[i / 2], i % 2 ? 0x7632 : 0x5410) - 0x8000);
}

// P: a plan of shared memory and of shares. differentiate(shared, shared here, warpgroup, tile) is what the multiplying warpgroups do.
template <typename P, typename Differentiate>
__device__ __forceinline__ void backward(const CUtensorMap& q, const CUtensorMap& k, const CUtensorMap& v, const CUtensorMap& d_out, const Backward& p,
                                         Differentiate differentiate) {
    extern __shared__ __align__(1024) uint8_t dynamic[];
    const uint32_t shared = ptx::shared_address(dynamic);
    const int query_blocks = (p.tokens + P::QUERIES - 1) / P::QUERIES;
    if (threadIdx.x == 0) {
        ptx::init_barrier(shared + P::KV_FULL, 1);
        for (int s = 0; s < P::STAGES; s++) {
            ptx::init_barrier(shared + P::Q_FULL + 8 * s, 1);
            ptx::init_barrier(shared + P::O_FULL + 8 * s, 1);
            ptx::init_barrier(shared + P::Q_EMPTY + 8 * s, 2 * WARPGROUP);
            ptx::init_barrier(shared + P::O_EMPTY + 8 * s, 2 * WARPGROUP);
        }
        for (int b = 0; b < 2; b++) {
            ptx::init_barrier(shared + P::DQ_FULL + 8 * b, P::WHOLE_BLOCKS ? 2 * WARPGROUP : WARPGROUP);
            ptx::init_barrier(shared + P::DQ_EMPTY + 8 * b, 1);
        }
        P::init_meetings(shared);
        ptx::publish_barriers();
        // A ticket rather than blockIdx: whoever holds a lower one has begun, so waiting for its turns ends. The last leaves zero behind.
        int* const next = p.turns + static_cast<long long>(p.heads) * query_blocks * (P::WHOLE_BLOCKS ? 1 : 2);
        const int ticket = atomicAdd(next, 1);
        if (ticket == static_cast<int>(gridDim.x) - 1) *next = 0;
        *reinterpret_cast<int*>(dynamic + P::TICKET) = ticket;
    }
    __syncthreads();
    const KeyTile tile(*reinterpret_cast<const int*>(dynamic + P::TICKET), p, P::KEYS, P::QUERIES);
    if (threadIdx.x / WARPGROUP == 0) {
        ptx::give_registers<24>();
        const int warp = threadIdx.x / 32;
        if (warp == 3 || !ptx::elected()) return;
        if (warp == 0) load_backward<P>(q, k, v, d_out, p, shared, tile, query_blocks);
        else add_dq<P>(p, shared, warp - 1, tile, query_blocks);
    } else {
        ptx::take_registers<240>();
        differentiate(shared, dynamic, static_cast<int>(threadIdx.x) / WARPGROUP - 1, tile);
    }
}

}  // namespace flash
