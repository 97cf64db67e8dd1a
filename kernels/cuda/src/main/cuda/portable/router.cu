/* Routing on the device, without a host synchronisation: picks, weights, and the row tables sorted by expert and, within one, by token.
 *   route_pick      p = softmax(logits), the topK largest (ties to the lower expert), weights p or p / sum of the picked p
 *   route_scan      how many rows of an expert come from earlier groups of ROUTER_TOKENS tokens, and its total
 *   route_scatter   offsets, row -> token, pick -> row; the rank inside a group is a population count, so no atomic decides an order
 *   route_backward  gradient of the logits from the gradient of the weights
 * Shapes    logits [tokens, experts] f32   picks, row_of_pick [tokens, topK] int32   weights, d_weights [tokens, topK] f32
 *           group_counts [ceil(tokens / ROUTER_TOKENS), experts] int32   totals [experts]   offsets [experts + 1]   row_token [tokens * topK]
 *           d_logits [tokens, stride] bf16, columns experts .. stride-1 written as zero
 * Requires  experts <= ROUTER_MAX_EXPERTS, topK <= experts      Accumulates fp32
 * Launch    pick, scatter: grid ceil(tokens / ROUTER_TOKENS); scan: grid ceil(experts / 8); backward: grid ceil(tokens / 8); block ROUTER_THREADS
 * Bound by  latency      Source  transformers Qwen3MoeTopKRouter; stable counting sort      Twin  CudaRouter.java */
#include "../common/numbers.cuh"
#include "../common/tiles.h"

namespace router {
constexpr int PER_LANE = ROUTER_MAX_EXPERTS / 32;
constexpr int WARPS = ROUTER_THREADS / 32;

// mask[e] has bit t set if token t of this group picked expert e.
__device__ __forceinline__ void clear(unsigned* mask, int experts) {
    for (int e = threadIdx.x; e < experts; e += ROUTER_THREADS) mask[e] = 0;
    __syncthreads();
}
}  // namespace router

extern "C" __global__ void __launch_bounds__(ROUTER_THREADS)
route_pick(const float* logits, int* picks, float* weights, int* group_counts, int tokens, int experts, int top_k, int normalize) {
    __shared__ unsigned mask[ROUTER_MAX_EXPERTS];
    router::clear(mask, experts);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    for (int t = warp; t < ROUTER_TOKENS; t += router::WARPS) {
        const long long token = static_cast<long long>(blockIdx.x) * ROUTER_TOKENS + t;
        if (token >= tokens) break;
        const float* row = logits + token * experts;
        float best = -INFINITY;
        for (int e = lane; e < experts; e += 32) best = fmaxf(best, row[e]);
        const float largest = warp_max(best);
        float exponentials = 0.f;
        for (int e = lane; e < experts; e += 32) exponentials += expf(row[e] - largest);
        const float denominator = warp_sum(exponentials);
        unsigned taken = 0;                                   // bit i: expert lane + 32 i was picked
        float picked = 0.f;
        for (int k = 0; k < top_k; k++) {
            float value = -INFINITY;
            int expert = experts;                             // larger than any real one
            for (int e = lane, i = 0; e < experts; e += 32, i++) {
                float v = row[e];
                v = isnan(v) ? -INFINITY : v;                 // weights become NaN through the denominator
                if (!(taken >> i & 1) && (v > value || expert == experts)) { value = v; expert = e; }
            }
#pragma unroll
            for (int distance = 16; distance > 0; distance /= 2) {
                const float other = __shfl_xor_sync(~0u, value, distance);
                const int index = __shfl_xor_sync(~0u, expert, distance);
                if (index < experts && (expert == experts || other > value || (other == value && index < expert))) { value = other; expert = index; }
            }
            if (expert % 32 == lane) taken |= 1u << (expert / 32);
            const float p = expf(value - largest) / denominator;
            picked += p;
            if (lane == 0) {
                picks[token * top_k + k] = expert;
                weights[token * top_k + k] = p;
                atomicOr(&mask[expert], 1u << t);
            }
        }
        if (normalize) {
            __syncwarp();
            for (int k = lane; k < top_k; k += 32) weights[token * top_k + k] /= picked;
        }
    }
    __syncthreads();
    for (int e = threadIdx.x; e < experts; e += ROUTER_THREADS) {
        group_counts[static_cast<long long>(blockIdx.x) * experts + e] = __popc(mask[e]);
    }
}

extern "C" __global__ void __launch_bounds__(ROUTER_THREADS)
route_scan(int* group_counts, int* totals, int groups, int experts) {
    const int expert = blockIdx.x * router::WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (expert >= experts) return;
    int before = 0;
    for (int first = 0; first < groups; first += 32) {
        const int group = first + lane;
        const int count = group < groups ? group_counts[static_cast<long long>(group) * experts + expert] : 0;
        int inclusive = count;
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) {
            const int left = __shfl_up_sync(~0u, inclusive, distance);
            if (lane >= distance) inclusive += left;
        }
        if (group < groups) group_counts[static_cast<long long>(group) * experts + expert] = before + inclusive - count;
        before += __shfl_sync(~0u, inclusive, 31);
    }
    if (lane == 0) totals[expert] = before;
}

extern "C" __global__ void __launch_bounds__(ROUTER_THREADS)
route_scatter(const int* picks, const int* group_counts, const int* totals, int* offsets, int* row_token, int* row_of_pick, int tokens,
              int experts, int top_k) {
    __shared__ unsigned mask[ROUTER_MAX_EXPERTS];
    __shared__ int start[ROUTER_MAX_EXPERTS];
    router::clear(mask, experts);
    if (threadIdx.x < 32) {
        int before = 0;
        for (int first = 0; first < experts; first += 32) {
            const int e = first + threadIdx.x, count = e < experts ? totals[e] : 0;
            int inclusive = count;
#pragma unroll
            for (int distance = 1; distance < 32; distance *= 2) {
                const int left = __shfl_up_sync(~0u, inclusive, distance);
                if (threadIdx.x >= distance) inclusive += left;
            }
            if (e < experts) start[e] = before + inclusive - count;
            before += __shfl_sync(~0u, inclusive, 31);
        }
    }
    const long long first_pick = static_cast<long long>(blockIdx.x) * ROUTER_TOKENS * top_k;
    const long long left = static_cast<long long>(tokens) * top_k - first_pick;
    const int mine = static_cast<int>(left < ROUTER_TOKENS * top_k ? left : ROUTER_TOKENS * top_k);
    for (int i = threadIdx.x; i < mine; i += ROUTER_THREADS) atomicOr(&mask[picks[first_pick + i]], 1u << (i / top_k));
    __syncthreads();
    for (int i = threadIdx.x; i < mine; i += ROUTER_THREADS) {
        const int expert = picks[first_pick + i], t = i / top_k;
        const int row = start[expert] + group_counts[static_cast<long long>(blockIdx.x) * experts + expert] + __popc(mask[expert] & ((1u << t) - 1));
        row_of_pick[first_pick + i] = row;
        row_token[row] = blockIdx.x * ROUTER_TOKENS + t;
    }
    if (blockIdx.x == 0) {
        for (int e = threadIdx.x; e <= experts; e += ROUTER_THREADS) offsets[e] = e < experts ? start[e] : tokens * top_k;
    }
}

extern "C" __global__ void __launch_bounds__(ROUTER_THREADS)
route_backward(const float* d_weights, const float* logits, const int* picks, const float* weights, bf16* d_logits, int tokens, int experts,
               int top_k, int stride, int normalize) {
    const long long token = static_cast<long long>(blockIdx.x) * router::WARPS + threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    if (token >= tokens) return;
    const float* row = logits + token * experts;
    const float* dw = d_weights + token * top_k;
    const float* w = weights + token * top_k;
    float dot = 0.f;                                          // same on every lane, summed in pick order
    for (int k = 0; k < top_k; k++) dot += dw[k] * w[k];
    float largest = -INFINITY, denominator = 1.f;
    if (!normalize) {
        for (int e = lane; e < experts; e += 32) largest = fmaxf(largest, row[e]);
        largest = warp_max(largest);
        float exponentials = 0.f;
        for (int e = lane; e < experts; e += 32) exponentials += expf(row[e] - largest);
        denominator = warp_sum(exponentials);
    }
    for (int e = lane; e < stride; e += 32) {
        float gradient = 0.f;
        if (e < experts) {
            int pick = -1;
            for (int k = 0; k < top_k; k++) if (picks[token * top_k + k] == e) pick = k;
            if (normalize) {
                // The weights sum to one, so experts that were not picked cancel exactly.
                gradient = pick < 0 ? 0.f : w[pick] * (dw[pick] - dot);
            } else {
                gradient = expf(row[e] - largest) / denominator * ((pick < 0 ? 0.f : dw[pick]) - dot);
            }
        }
        d_logits[token * stride + e] = __float2bfloat16_rn(gradient);
    }
}
