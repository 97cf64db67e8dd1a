/* Routing on the device, without a host synchronisation: picks, weights, and the row tables sorted by expert and, within one, by token.
 *   route_pick      score = softmax(logits) or sigmoid(logit); the topK largest candidates (ties to the lower expert); weight = scale * score,
 *                   divided by max(sum of the picked scores + epsilon, floor) where `normalize`
 *                   candidate: the score plus its expert's correction; without either the logit, which ranks alike and more finely.
 *                   Of `groups` groups only those with the kept_groups largest sums of their two best candidates take part
 *   route_scan      how many rows of an expert come from earlier groups of ROUTER_TOKENS tokens, and its total
 *   route_scatter   offsets, row -> token, pick -> row; the rank inside a group is a population count, so no atomic decides an order
 *   route_backward  gradient of the logits from the gradient of the weights
 * Shapes    logits [tokens, experts] f32   picks, row_of_pick [tokens, topK] int32   weights, d_weights [tokens, topK] f32
 *           correction [experts] f32 or null   group_counts [ceil(tokens / ROUTER_TOKENS), experts] int32   totals [experts]
 *           offsets [experts + 1]   row_token [tokens * topK]   d_logits [tokens, stride] bf16, columns experts .. stride-1 written as zero
 * Requires  experts <= ROUTER_MAX_EXPERTS, topK <= experts, groups <= 32, each of at least two experts where there are several
 * Accumulates fp32      Launch  pick, scatter: grid ceil(tokens / ROUTER_TOKENS); scan: grid ceil(experts / 8); backward: grid ceil(tokens / 8);
 *           block ROUTER_THREADS, of pick any number of warps up to ROUTER_TOKENS; dynamic shared memory: 4 * experts bytes a warp, and pick as much again once
 * Bound by  latency      Source  transformers Qwen3MoeTopKRouter, DeepseekV3TopkRouter; stable counting sort      Twin  CudaRouter.java */
#include "../common/fault.cuh"
#include "../common/numbers.cuh"
#include "../common/ptx.cuh"
#include "../common/tiles.h"

namespace router {
constexpr int WARPS = ROUTER_THREADS / 32;

struct Rule {
    const float* correction;                                  // or null
    int experts, top_k, sigmoid, groups, kept_groups, normalize;
    float epsilon, floor, scale;
};

// The scores of one token's experts, from its logits; the whole warp builds it.
struct Scores {
    const float* row;
    float largest, denominator;
    bool by_sigmoid;

    __device__ __forceinline__ Scores(const float* logits, const Rule& rule) : row(logits), largest(0.f), denominator(1.f), by_sigmoid(rule.sigmoid) {
        if (by_sigmoid) return;
        const int lane = threadIdx.x % 32;
        float best = -INFINITY, exponentials = 0.f;
#pragma unroll 4
        for (int e = lane; e < rule.experts; e += 32) best = fmaxf(best, logit(e));
        largest = warp_max(best);
#pragma unroll 4
        for (int e = lane; e < rule.experts; e += 32) exponentials += expf(logit(e) - largest);
        denominator = warp_sum(exponentials);
    }

    __device__ __forceinline__ float logit(int expert) const { return __ldg(row + expert); }

    __device__ __forceinline__ float of(int expert) const {
        return by_sigmoid ? ::sigmoid(logit(expert)) : expf(logit(expert) - largest) / denominator;
    }
};

// What the scores of the picks are divided by.
__device__ __forceinline__ float divisor(const Rule& rule, float picked) {
    return rule.normalize ? fmaxf(picked + rule.epsilon, rule.floor) : 1.f;
}

// Candidates as integers of the same order. STRUCK is less than any; what is no number counts as the least number.
constexpr unsigned STRUCK = 0;

__device__ __forceinline__ unsigned key_of(float candidate) {
    const unsigned bits = __float_as_uint(isnan(candidate) ? -INFINITY : candidate + 0.f);   // of two zeros none is less
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

__device__ __forceinline__ float candidate_of(unsigned key) { return __uint_as_float(key >> 31 ? key & 0x7fffffffu : ~key); }

// Strikes out the candidates of all groups but the best, as if they were the least number; the whole warp works on one token's.
__device__ __forceinline__ void drop_groups(unsigned* keys, const Rule& rule) {
    const int lane = threadIdx.x % 32, size = rule.experts / rule.groups;
    const unsigned least = key_of(-INFINITY);
    unsigned first = least, second = least;                   // of group `lane`
    for (int i = 0; lane < rule.groups && i < size; i++) {
        const unsigned key = keys[lane * size + i];
        second = max(second, min(first, key));
        first = max(first, key);
    }
    const float sum = candidate_of(first) + candidate_of(second);
    int before = 0;                                           // groups that come before this one
    for (int g = 0; g < rule.groups; g++) {
        const float other = __shfl_sync(~0u, sum, g);
        before += other > sum || (other == sum && g < lane);
    }
    for (int i = 0; lane < rule.groups && before >= rule.kept_groups && i < size; i++) keys[lane * size + i] = least;
    __syncwarp();
}

// The expert of the largest key, the lowest of several, which is struck out; the whole warp looks, each lane at its own keys.
__device__ __forceinline__ int take_largest(unsigned* keys, int experts) {
    const int lane = threadIdx.x % 32;
    unsigned own = STRUCK;
    int expert = 0;
#pragma unroll 4
    for (int e = lane; e < experts; e += 32) {
        const unsigned key = keys[e];
        if (key > own) { own = key; expert = e; }
    }
    const unsigned largest = ptx::largest_of_warp(own);
    const int taken = ~ptx::largest_of_warp(own == largest ? ~static_cast<unsigned>(expert) : 0u);
    if (taken % 32 == lane) keys[taken] = STRUCK;
    return taken;
}

// mask[e] has bit t set if token t of this group picked expert e.
__device__ __forceinline__ void clear(unsigned* mask, int experts) {
    for (int e = threadIdx.x; e < experts; e += blockDim.x) mask[e] = 0;
    __syncthreads();
}
}  // namespace router

extern "C" __global__ void __launch_bounds__(ROUTER_TOKENS * 32, 1)
route_pick(const float* logits, int* picks, float* weights, int* group_counts, int tokens, const __grid_constant__ router::Rule rule) {
    extern __shared__ unsigned pick_storage[];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, experts = rule.experts;
    unsigned* const mask = pick_storage;
    unsigned* const keys = pick_storage + experts * (1 + warp);
    router::clear(mask, experts);
    for (int t = warp; t < ROUTER_TOKENS; t += blockDim.x / 32) {
        const long long token = static_cast<long long>(blockIdx.x) * ROUTER_TOKENS + t;
        if (token >= tokens) break;
        const router::Scores scores(logits + token * experts, rule);
        const bool plain = rule.correction == nullptr && rule.groups == 1;
#pragma unroll 4
        for (int e = lane; e < experts; e += 32) {
            keys[e] = router::key_of(plain ? scores.logit(e) : scores.of(e) + (rule.correction == nullptr ? 0.f : __ldg(rule.correction + e)));
        }
        __syncwarp();
        if (rule.kept_groups < rule.groups) router::drop_groups(keys, rule);
        int* const own_picks = picks + token * rule.top_k;
        float* const own_weights = weights + token * rule.top_k;
        float picked = 0.f, score = 0.f;                      // summed in pick order; of pick first + lane
        int first = 0;
        for (; first < rule.top_k; first += 32) {
            const int count = min(rule.top_k - first, 32);
            int expert = 0;
            for (int k = 0; k < count; k++) {
                const int taken = router::take_largest(keys, experts);
                if (lane == k) expert = taken;
            }
            score = scores.of(expert);
            if (lane < count) {
                own_picks[first + lane] = expert;
                own_weights[first + lane] = score;
                atomicOr(&mask[expert], 1u << t);
            }
            for (int k = 0; k < count; k++) picked += __shfl_sync(~0u, score, k);
        }
        const float sum = router::divisor(rule, picked);
        for (int k = lane; k < rule.top_k; k += 32) own_weights[k] = (k >= first - 32 ? score : own_weights[k]) / sum * rule.scale;
    }
    __syncthreads();
    for (int e = threadIdx.x; e < experts; e += blockDim.x) {
        group_counts[static_cast<long long>(blockIdx.x) * experts + e] = __popc(mask[e]);
    }
}

extern "C" __global__ void __launch_bounds__(ROUTER_THREADS)
route_scan(int* group_counts, int* totals, int groups, int experts) {
    constexpr int RUN = 4;                                    // neighbouring groups of a lane
    const int expert = blockIdx.x * router::WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (expert >= experts) return;
    int before = 0;
    for (int first = lane * RUN; first - lane * RUN < groups; first += 32 * RUN) {
        int counts[RUN], own = 0;
#pragma unroll
        for (int i = 0; i < RUN; i++) counts[i] = first + i < groups ? group_counts[static_cast<long long>(first + i) * experts + expert] : 0;
#pragma unroll
        for (int i = 0; i < RUN; i++) own += counts[i];
        int inclusive = own;
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) {
            const int left = __shfl_up_sync(~0u, inclusive, distance);
            if (lane >= distance) inclusive += left;
        }
        int at = before + inclusive - own;
#pragma unroll
        for (int i = 0; i < RUN; i++) {
            if (first + i < groups) group_counts[static_cast<long long>(first + i) * experts + expert] = at;
            at += counts[i];
        }
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

// With S = the divisor: dScore = scale * (dW - sum(dW * score) / S) / S of the picks, where the divisor is their own sum; then through the
// softmax, dLogit = score * (dScore - sum(score * dScore)), or the sigmoid, dLogit = dScore * score * (1 - score).
extern "C" __global__ void __launch_bounds__(ROUTER_THREADS)
route_backward(const float* d_weights, const float* logits, const int* picks, bf16* d_logits, int tokens, int stride,
               const __grid_constant__ router::Rule rule, int4* fault) {
    extern __shared__ float score_gradients[];
    const long long token = static_cast<long long>(blockIdx.x) * router::WARPS + threadIdx.x / 32;
    const int lane = threadIdx.x % 32, top_k = rule.top_k;
    if (token >= tokens) return;
    float* const d_scores = score_gradients + threadIdx.x / 32 * rule.experts;
    for (int e = lane; e < rule.experts; e += 32) d_scores[e] = 0.f;
    __syncwarp();
    const float* const dw = d_weights + token * top_k;
    const int* const own = picks + token * top_k;
    for (int k = lane; k - lane < top_k; k += 32) {
        const int expert = k < top_k ? own[k] : 0;
        const unsigned wrong = __ballot_sync(~0u, expert < 0 || expert >= rule.experts);
        if (wrong != 0) {
            if (lane == __ffs(wrong) - 1) report(fault, FAULT_PICK, token, expert, rule.experts);
            return;
        }
    }
    const router::Scores scores(logits + token * rule.experts, rule);
    float picked = 0.f, dot = 0.f;                            // same on every lane, summed in pick order
    for (int k = lane; k - lane < top_k; k += 32) {
        const float score = k < top_k ? scores.of(own[k]) : 0.f, d = k < top_k ? dw[k] : 0.f;
        for (int i = 0; i < min(top_k - (k - lane), 32); i++) {
            const float of_pick = __shfl_sync(~0u, score, i);
            picked += of_pick;
            dot += __shfl_sync(~0u, d, i) * of_pick;
        }
    }
    const float sum = router::divisor(rule, picked);
    const bool divided = rule.normalize && sum > rule.floor;
    const float mean = divided ? dot / sum : 0.f;
    // Where the picks are divided by their sum alone the weights do not depend on the other experts: no rounding is spread over them.
    const bool pulled = !rule.sigmoid && !(divided && rule.epsilon == 0.f);
    float pull = 0.f;
    for (int k = lane; k - lane < top_k; k += 32) {
        const float d_score = k < top_k ? rule.scale * (dw[k] - mean) / sum : 0.f;
        if (k < top_k) d_scores[own[k]] = d_score;
        if (!pulled) continue;
        const float score = k < top_k ? scores.of(own[k]) : 0.f;
        for (int i = 0; i < min(top_k - (k - lane), 32); i++) pull += __shfl_sync(~0u, score, i) * __shfl_sync(~0u, d_score, i);
    }
    __syncwarp();
#pragma unroll 4
    for (int e = lane; e < stride; e += 32) {
        float gradient = 0.f;
        if (e < rule.experts) {
            const float score = scores.of(e), d_score = d_scores[e];
            gradient = rule.sigmoid ? d_score * score * (1.f - score) : score * (d_score - pull);
        }
        d_logits[token * stride + e] = __float2bfloat16_rn(gradient);
    }
}
