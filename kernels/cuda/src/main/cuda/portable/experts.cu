/* What surrounds the grouped products of the experts.
 *   expert_tiles                 the rows of each expert cut into pieces of at most GEMM_ROWS, in expert order
 *   expert_activation            act = silu(gate) * up
 *   expert_activation_backward   for every pick: ds = <act, dI>; gate_up becomes its gradient times the routing weight, dI becomes act,
 *                                z and dz of the down projection are multiplied by the routing weight
 *   expert_combine               out[t] (+)= sum over picks, in pick order, of weight * rows[row of pick]
 * Shapes    offsets [experts + 1]   tiles [*] {expert, first row, rows, 0}, count [1] int32   gate_up [rows, 2 * width] bf16: gate, then up
 *           act, dI [rows, width] bf16   z, dz [rows, rank] bf16 or null   picks' row_of_pick [tokens, topK] int32, weights [tokens, topK] f32
 *           rows [tokens * topK, hidden], out [tokens, hidden] bf16
 * Requires  offsets ascending from 0 to the row count (else no tiles and a fault), width % 8 == 0, hidden % 8 == 0, pointers 16-byte aligned      Accumulates fp32
 * Launch    tiles: one block of COMPACT_THREADS; activation: a thread for 8 columns; activation_backward: a warp a pick; combine: a block a token
 * Bound by  memory bandwidth      Source  Shazeer 2020 (SwiGLU); Gale et al. 2022 (grouping)      Twin  CudaExperts.java */
#include "../common/fault.cuh"
#include "../common/numbers.cuh"
#include "../common/tiles.h"

extern "C" __global__ void __launch_bounds__(COMPACT_THREADS)
expert_tiles(const int* offsets, int experts, int total, int4* tiles, int* count, int4* fault) {
    __shared__ int warp_totals[COMPACT_THREADS / 32];
    int before_all = 0;
    bool wrong = offsets[0] != 0 || offsets[experts] != total;
    for (int e = threadIdx.x; e < experts; e += COMPACT_THREADS) wrong |= offsets[e] > offsets[e + 1];
    if (__syncthreads_or(wrong)) {
        if (threadIdx.x == 0) *count = 0, report(fault, FAULT_ROUTING, experts, offsets[experts], total + 1);
        return;
    }
    for (int first = 0; first < experts; first += COMPACT_THREADS) {
        const int expert = first + threadIdx.x, lane = threadIdx.x % 32;
        const int begin = expert < experts ? offsets[expert] : 0, rows = expert < experts ? offsets[expert + 1] - begin : 0;
        const int pieces = (rows + GEMM_ROWS - 1) / GEMM_ROWS;
        int inclusive = pieces;
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) {
            const int left = __shfl_up_sync(~0u, inclusive, distance);
            if (lane >= distance) inclusive += left;
        }
        if (lane == 31) warp_totals[threadIdx.x / 32] = inclusive;
        __syncthreads();
        int before = before_all, all = 0;
        for (int w = 0; w < COMPACT_THREADS / 32; w++) {
            if (w < threadIdx.x / 32) before += warp_totals[w];
            all += warp_totals[w];
        }
        for (int i = 0; i < pieces; i++) {
            tiles[before + inclusive - pieces + i] = make_int4(expert, begin + i * GEMM_ROWS, min(GEMM_ROWS, rows - i * GEMM_ROWS), 0);
        }
        before_all += all;
        __syncthreads();
    }
    if (threadIdx.x == 0) *count = before_all;
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
expert_activation(const bf16* gate_up, bf16* act, long long rows, int width) {
    const long long i = static_cast<long long>(blockIdx.x) * FLAT_THREADS + threadIdx.x;
    const int chunks = width / 8;
    if (i >= rows * chunks) return;
    const long long row = i / chunks;
    const int c = static_cast<int>(i % chunks) * 8;
    Eight g = Eight::load(gate_up + row * 2 * width + c);
    const Eight u = Eight::load(gate_up + row * 2 * width + width + c);
#pragma unroll
    for (int j = 0; j < 8; j++) g.v[j] = g.v[j] * sigmoid(g.v[j]) * u.v[j];
    g.store(act + row * width + c);
}

extern "C" __global__ void __launch_bounds__(ROW_THREADS)
expert_activation_backward(const int* row_of_pick, const float* weights, bf16* gate_up, bf16* d_inner, bf16* z, bf16* dz, float* d_weights,
                           long long picks, int width, int rank) {
    const long long pick = static_cast<long long>(blockIdx.x) * (ROW_THREADS / 32) + threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    if (pick >= picks) return;
    const long long row = row_of_pick[pick];
    const float weight = weights[pick];
    bf16* gate = gate_up + row * 2 * width;
    bf16* up = gate + width;
    bf16* inner = d_inner + row * width;
    float ds = 0.f;
    for (int c = lane * 8; c < width; c += 256) {
        Eight g = Eight::load(gate + c), u = Eight::load(up + c), d = Eight::load(inner + c);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            const float s = sigmoid(g.v[j]), silu = g.v[j] * s, act = silu * u.v[j], dh = d.v[j] * weight;
            ds += act * d.v[j];
            g.v[j] = dh * u.v[j] * (s + silu - silu * s);
            u.v[j] = dh * silu;
            d.v[j] = act;
        }
        g.store(gate + c);
        u.store(up + c);
        d.store(inner + c);
    }
    ds = warp_sum(ds);
    if (lane == 0) d_weights[pick] = ds;
    for (int j = lane; j < rank; j += 32) {
        z[row * rank + j] = __float2bfloat16_rn(__bfloat162float(z[row * rank + j]) * weight);
        dz[row * rank + j] = __float2bfloat16_rn(__bfloat162float(dz[row * rank + j]) * weight);
    }
}

extern "C" __global__ void __launch_bounds__(ROW_THREADS)
expert_combine(const bf16* rows, const int* row_of_pick, const float* weights, bf16* out, int top_k, int hidden, int accumulate) {
    const long long token = blockIdx.x;
    const int* row = row_of_pick + token * top_k;
    for (int c = threadIdx.x * 8; c < hidden; c += ROW_THREADS * 8) {
        Eight total = {};
        for (int k = 0; k < top_k; k++) {
            const Eight y = Eight::load(rows + static_cast<long long>(row[k]) * hidden + c);
            const float weight = weights == nullptr ? 1.f : weights[token * top_k + k];
#pragma unroll
            for (int j = 0; j < 8; j++) total.v[j] += weight * y.v[j];
        }
        if (accumulate) {
            const Eight old = Eight::load(out + token * hidden + c);
#pragma unroll
            for (int j = 0; j < 8; j++) total.v[j] += old.v[j];
        }
        total.store(out + token * hidden + c);
    }
}
