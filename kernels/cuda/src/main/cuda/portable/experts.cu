/* What surrounds the grouped products of the experts.
 *   expert_tiles                 the rows of each expert cut into pieces, in expert order: by the first block into pieces of GEMM_ROWS and a last one,
 *                                by the second, if there is one, into as few as can be of at most EXPERT_GEMM_PIECE, even to 16 rows
 *   expert_activation            act = activation(gate, up)
 *   expert_activation_backward   for every pick: ds = <act, dI> + <dOut of its token, bias of its expert>; gate_up becomes its gradient times
 *                                the routing weight, dI becomes act, z and dz of the down projection are multiplied by the routing weight
 *   expert_combine               out[t] (+)= sum over picks, in pick order, of weight * rows[row of pick]
 * Shapes    offsets [experts + 1]   each list of tiles [*] {expert, first row, rows, 0}, count [1] int32   gate_up [rows, 2 * width] bf16: gate, then up
 *           act, dI [rows, width] bf16   z, dz [rows, rank] bf16 or null   picks' row_of_pick [tokens, topK] int32, weights [tokens, topK] f32
 *           rows [tokens * topK, hidden], out [tokens, hidden] bf16
 * Requires  offsets ascending from 0 to the row count, or within it where experts are not whole (else no tiles and a fault), pointers 16-byte aligned; fast where width and hidden are
 *           multiples of 8      Accumulates fp32
 * Launch    tiles: one or two blocks of whole warps, COMPACT_THREADS threads at most; activation: a thread for 8 columns, or for one where width is no multiple of 8;
 *           activation_backward: a warp a pick; combine: a block a token
 * Bound by  memory bandwidth      Source  Shazeer 2020 (gating); Gale et al. 2022 (grouping)      Twin  CudaExperts.java */
#include "../common/activation.cuh"
#include "../common/columns.cuh"
#include "../common/fault.cuh"
#include "../common/numbers.cuh"
#include "../common/tiles.h"

namespace experts {

// The first of `count` ascending numbers that is larger than `number`; there is one.
__device__ __forceinline__ int first_larger(const int* ascending, int count, int number) {
    int low = 0;
    for (int high = count - 1; low < high;) {
        const int middle = (low + high) / 2;
        if (ascending[middle] > number) high = middle;
        else low = middle + 1;
    }
    return low;
}

__device__ __forceinline__ int pieces_of(int rows, bool evenly) {
    return evenly ? (rows + EXPERT_GEMM_PIECE - 1) / EXPERT_GEMM_PIECE : (rows + GEMM_ROWS - 1) / GEMM_ROWS;
}

// Piece `i` of an expert with `rows` rows from `begin` on.
__device__ __forceinline__ int4 piece(int expert, int begin, int rows, int i, bool evenly) {
    constexpr int UNIT = 16;                                  // rows that even pieces are multiples of
    static_assert(EXPERT_GEMM_PIECE % UNIT == 0);
    int from = i * GEMM_ROWS, height = GEMM_ROWS;
    if (evenly) {
        const int units = (rows + UNIT - 1) / UNIT, pieces = pieces_of(rows, evenly);
        const int least = units / pieces, more = units - least * pieces;                     // the first `more` pieces have one unit more
        from = (i * least + min(i, more)) * UNIT, height = (least + (i < more ? 1 : 0)) * UNIT;
    }
    return make_int4(expert, begin + from, min(height, rows - from), 0);
}

}  // namespace experts

extern "C" __global__ void __launch_bounds__(COMPACT_THREADS)
expert_tiles(const int* offsets, int experts, int total, int whole, int4* fixed, int* fixed_count, int4* even, int* even_count, int4* fault) {
    const bool evenly = blockIdx.x == 1;
    int4* const tiles = evenly ? even : fixed;
    int* const count = evenly ? even_count : fixed_count;
    const int threads = blockDim.x, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    __shared__ int warp_totals[COMPACT_THREADS / 32];
    __shared__ int ends[COMPACT_THREADS];                     // pieces of the experts up to this one
    bool wrong = whole ? offsets[0] != 0 || offsets[experts] != total : offsets[0] < 0 || offsets[experts] > total;
    for (int e = threadIdx.x; e < experts; e += threads) wrong |= offsets[e] > offsets[e + 1];
    if (__syncthreads_or(wrong)) {
        if (threadIdx.x == 0) *count = 0, report(fault, FAULT_ROUTING, experts, offsets[experts], total + 1);
        return;
    }
    int written = 0;
    for (int first = 0; first < experts; first += threads) {
        const int expert = first + threadIdx.x, here = min(experts - first, threads);
        int inclusive = expert < experts ? experts::pieces_of(__ldg(offsets + expert + 1) - __ldg(offsets + expert), evenly) : 0;
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) {
            const int left = __shfl_up_sync(~0u, inclusive, distance);
            if (lane >= distance) inclusive += left;
        }
        if (lane == 31) warp_totals[warp] = inclusive;
        __syncthreads();                                      // also: nobody reads the ends of the experts before
        ends[threadIdx.x] = inclusive + warp_sum(lane < warp ? warp_totals[lane] : 0);
        __syncthreads();
        const int pieces = ends[here - 1];
        for (int i = threadIdx.x; i < pieces; i += threads) {
            const int at = experts::first_larger(ends, here, i), begin = __ldg(offsets + first + at);
            tiles[written + i] = experts::piece(first + at, begin, __ldg(offsets + first + at + 1) - begin, i - (at == 0 ? 0 : ends[at - 1]), evenly);
        }
        written += pieces;
    }
    if (threadIdx.x == 0) *count = written;
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
expert_activation(int kind, const bf16* gate_up, bf16* act, long long rows, int width) {
    const long long i = static_cast<long long>(blockIdx.x) * FLAT_THREADS + threadIdx.x;
    const int unit = width % 8 == 0 ? 8 : 1, pieces = width / unit;
    if (i >= rows * pieces) return;
    const bool small = i >> 32 == 0;                           // a division of 64 bits takes longer than the memory
    const long long row = small ? static_cast<unsigned>(i) / static_cast<unsigned>(pieces) : i / pieces;
    const int c = static_cast<int>(i - row * pieces) * unit;
    Eight g = load_columns(gate_up + row * 2 * width + c, unit);
    const Eight u = load_columns(gate_up + row * 2 * width + width + c, unit);
    activation::choose(kind, [&](auto tag) {
#pragma unroll
        for (int j = 0; j < 8; j++) g.v[j] = activation::evaluate<decltype(tag)::kind>(g.v[j], u.v[j]).out;
    });
    store_columns(act + row * width + c, unit, g);
}

namespace experts {

struct Bias {
    const void* down;                                         // [experts, hidden], or null
    const bf16* d_out;                                        // [tokens, hidden]
    const int* picks;                                         // [tokens, topK]
    int format, hidden, top_k;
};

// What the bias of down adds to the gradient of a routing weight; this lane's share.
__device__ __forceinline__ float bias_gradient(const Bias& bias, long long pick) {
    float sum = 0.f;
    const bf16* d_out = bias.d_out + pick / bias.top_k * bias.hidden;
    const long long row = static_cast<long long>(bias.picks[pick]) * bias.hidden;
    columns_of_lane(bias.hidden, [&](int c, int count) {
        const Eight d = load_columns(d_out + c, count);
#pragma unroll
        for (int j = 0; j < 8; j++) sum += j < count ? d.v[j] * load_as_float(bias.down, bias.format, row + c + j) : 0.f;
    });
    return sum;
}

}  // namespace experts

extern "C" __global__ void __launch_bounds__(ROW_THREADS, 4)
expert_activation_backward(int kind, const int* row_of_pick, const float* weights, bf16* gate_up, bf16* d_inner, bf16* z, bf16* dz,
                           float* d_weights, long long picks, int width, int rank, const __grid_constant__ experts::Bias bias) {
    const long long pick = static_cast<long long>(blockIdx.x) * (ROW_THREADS / 32) + threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    if (pick >= picks) return;
    const long long row = row_of_pick[pick];
    const float weight = weights[pick];
    bf16* gate = gate_up + row * 2 * width;
    bf16* up = gate + width;
    bf16* inner = d_inner + row * width;
    float ds = bias.down == nullptr ? 0.f : experts::bias_gradient(bias, pick);
    activation::choose(kind, [&](auto tag) {
        columns_of_lane(width, [&](int c, int count) {
            Eight g = load_columns(gate + c, count), u = load_columns(up + c, count), d = load_columns(inner + c, count);
#pragma unroll
            for (int j = 0; j < 8; j++) {
                const activation::Gated a = activation::evaluate<decltype(tag)::kind>(g.v[j], u.v[j]);
                const float dh = d.v[j] * weight;
                ds += a.out * d.v[j];
                g.v[j] = dh * a.d_gate;
                u.v[j] = dh * a.d_up;
                d.v[j] = a.out;
            }
            store_columns(gate + c, count, g);
            store_columns(up + c, count, u);
            store_columns(inner + c, count, d);
        });
    });
    ds = warp_sum(ds);
    if (lane == 0) d_weights[pick] = ds;
    for (int j = lane; j < rank; j += 32) {
        z[row * rank + j] = __float2bfloat16_rn(__bfloat162float(z[row * rank + j]) * weight);
        dz[row * rank + j] = __float2bfloat16_rn(__bfloat162float(dz[row * rank + j]) * weight);
    }
}

namespace experts {

// One number of the sum.
__device__ __forceinline__ float combined(const bf16* rows, const int* row, const float* weight, int top_k, int hidden, int c) {
    float total = 0.f;
    for (int k = 0; k < top_k; k++) {
        total += (weight == nullptr ? 1.f : weight[k]) * __bfloat162float(rows[static_cast<long long>(row[k]) * hidden + c]);
    }
    return total;
}

// Eight of them, with the rows of eight picks on their way at once.
__device__ __forceinline__ Eight combined_eight(const bf16* rows, const int* row, const float* weight, int top_k, int hidden, int c) {
    constexpr int TOGETHER = 8;
    Eight total = {};
    for (int first = 0; first < top_k; first += TOGETHER) {
        uint4 y[TOGETHER] = {};
#pragma unroll
        for (int i = 0; i < TOGETHER; i++) {
            if (first + i < top_k) y[i] = *reinterpret_cast<const uint4*>(rows + static_cast<long long>(__ldg(row + first + i)) * hidden + c);
        }
#pragma unroll
        for (int i = 0; i < TOGETHER; i++) {
            if (first + i >= top_k) continue;
            const Eight e = Eight::of(y[i]);
            const float w = weight == nullptr ? 1.f : __ldg(weight + first + i);
#pragma unroll
            for (int j = 0; j < 8; j++) total.v[j] += w * e.v[j];
        }
    }
    return total;
}

}  // namespace experts

extern "C" __global__ void __launch_bounds__(ROW_THREADS, 3)
expert_combine(const bf16* rows, const int* row_of_pick, const float* weights, bf16* out, int top_k, int hidden, int accumulate) {
    const long long token = blockIdx.x;
    const int* const row = row_of_pick + token * top_k;
    const float* const weight = weights == nullptr ? nullptr : weights + token * top_k;
    bf16* const to = out + token * hidden;
    if (hidden % 8 != 0) {
        for (int c = threadIdx.x; c < hidden; c += ROW_THREADS) {
            const float total = experts::combined(rows, row, weight, top_k, hidden, c);
            to[c] = __float2bfloat16_rn(accumulate ? total + __bfloat162float(to[c]) : total);
        }
        return;
    }
    for (int c = threadIdx.x * 8; c < hidden; c += ROW_THREADS * 8) {
        Eight old = {};
        if (accumulate) old = Eight::load(to + c);
        Eight total = experts::combined_eight(rows, row, weight, top_k, hidden, c);
#pragma unroll
        for (int j = 0; j < 8; j++) total.v[j] += old.v[j];
        total.store(to + c);
    }
}
