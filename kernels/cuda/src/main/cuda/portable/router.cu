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
 *           block ROUTER_THREADS; pick: 4 * experts * (1 + ROUTER_THREADS / 32) bytes of shared memory
 * Bound by  latency      Source  transformers Qwen3MoeTopKRouter, DeepseekV3TopkRouter; stable counting sort      Twin  CudaRouter.java */
#include "../common/fault.cuh"
#include "../common/numbers.cuh"
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
        for (int e = lane; e < rule.experts; e += 32) best = fmaxf(best, row[e]);
        largest = warp_max(best);
        for (int e = lane; e < rule.experts; e += 32) exponentials += expf(row[e] - largest);
        denominator = warp_sum(exponentials);
    }

    __device__ __forceinline__ float of(int expert) const {
        return by_sigmoid ? ::sigmoid(row[expert]) : expf(row[expert] - largest) / denominator;
    }
};

// What the scores of the picks are divided by.
__device__ __forceinline__ float divisor(const Rule& rule, float picked) {
    return rule.normalize ? fmaxf(picked + rule.epsilon, rule.floor) : 1.f;
}

// Strikes out the candidates of all groups but the best; the whole warp works on one token's.
__device__ __forceinline__ void drop_groups(float* candidates, const Rule& rule) {
    const int lane = threadIdx.x % 32, size = rule.experts / rule.groups;
    float first = -INFINITY, second = -INFINITY;              // of group `lane`
    for (int i = 0; lane < rule.groups && i < size; i++) {
        const float value = candidates[lane * size + i];
        second = fmaxf(second, fminf(first, value));
        first = fmaxf(first, value);
    }
    const float sum = first + second;
    int before = 0;                                           // groups that come before this one
    for (int g = 0; g < rule.groups; g++) {
        const float other = __shfl_sync(~0u, sum, g);
        before += other > sum || (other == sum && g < lane);
    }
    for (int i = 0; lane < rule.groups && before >= rule.kept_groups && i < size; i++) candidates[lane * size + i] = -INFINITY;
    __syncwarp();
}

// mask[e] has bit t set if token t of this group picked expert e.
__device__ __forceinline__ void clear(unsigned* mask, int experts) {
    for (int e = threadIdx.x; e < experts; e += ROUTER_THREADS) mask[e] = 0;
    __syncthreads();
}
}  // namespace router

extern "C" __global__ void __launch_bounds__(ROUTER_THREADS, 4)
route_pick(const float* logits, int* picks, float* weights, int* group_counts, int tokens, const __grid_constant__ router::Rule rule) {
    extern __shared__ unsigned pick_storage[];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, experts = rule.experts;
    unsigned* mask = pick_storage;
    float* candidates = reinterpret_cast<float*>(pick_storage + experts * (1 + warp));
    router::clear(mask, experts);
    for (int t = warp; t < ROUTER_TOKENS; t += router::WARPS) {
        const long long token = static_cast<long long>(blockIdx.x) * ROUTER_TOKENS + t;
        if (token >= tokens) break;
        const router::Scores scores(logits + token * experts, rule);
        const bool plain = rule.correction == nullptr && rule.groups == 1;
        for (int e = lane; e < experts; e += 32) {
            const float value = plain ? scores.row[e] : scores.of(e) + (rule.correction == nullptr ? 0.f : rule.correction[e]);
            candidates[e] = isnan(value) ? -INFINITY : value; // the weights stay NaN
        }
        __syncwarp();
        if (rule.kept_groups < rule.groups) router::drop_groups(candidates, rule);
        unsigned taken = 0;                                   // bit i: expert lane + 32 i was picked
        float picked = 0.f;
        for (int k = 0; k < rule.top_k; k++) {
            float value = -INFINITY;
            int expert = experts;                             // larger than any real one
            for (int e = lane, i = 0; e < experts; e += 32, i++) {
                const float v = candidates[e];
                if (!(taken >> i & 1) && (v > value || expert == experts)) { value = v; expert = e; }
            }
#pragma unroll
            for (int distance = 16; distance > 0; distance /= 2) {
                const float other = __shfl_xor_sync(~0u, value, distance);
                const int index = __shfl_xor_sync(~0u, expert, distance);
                if (index < experts && (expert == experts || other > value || (other == value && index < expert))) { value = other; expert = index; }
            }
            if (expert % 32 == lane) taken |= 1u << (expert / 32);
            const float score = scores.of(expert);
            picked += score;
            if (lane == 0) {
                picks[token * rule.top_k + k] = expert;
                weights[token * rule.top_k + k] = score;
                atomicOr(&mask[expert], 1u << t);
            }
        }
        __syncwarp();
        const float sum = router::divisor(rule, picked);
        for (int k = lane; k < rule.top_k; k += 32) weights[token * rule.top_k + k] = weights[token * rule.top_k + k] / sum * rule.scale;
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

// With S = the divisor: dScore = scale * (dW - sum(dW * score) / S) / S of the picks, where the divisor is their own sum; then through the
// softmax, dLogit = score * (dScore - sum(score * dScore)), or the sigmoid, dLogit = dScore * score * (1 - score).
extern "C" __global__ void __launch_bounds__(ROUTER_THREADS)
route_backward(const float* d_weights, const float* logits, const int* picks, bf16* d_logits, int tokens, int stride,
               const __grid_constant__ router::Rule rule, int4* fault) {
    const long long token = static_cast<long long>(blockIdx.x) * router::WARPS + threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    if (token >= tokens) return;
    const router::Scores scores(logits + token * rule.experts, rule);
    const float* dw = d_weights + token * rule.top_k;
    const int* own = picks + token * rule.top_k;
    float picked = 0.f, dot = 0.f;                            // same on every lane, summed in pick order
    for (int k = 0; k < rule.top_k; k++) {
        if (own[k] < 0 || own[k] >= rule.experts) {
            if (lane == 0) report(fault, FAULT_PICK, token, own[k], rule.experts);
            return;
        }
        const float score = scores.of(own[k]);
        picked += score;
        dot += dw[k] * score;
    }
    const float sum = router::divisor(rule, picked);
    const bool divided = rule.normalize && sum > rule.floor;
    const float mean = divided ? dot / sum : 0.f;
    float pull = 0.f;
    for (int k = 0; k < rule.top_k; k++) pull += scores.of(own[k]) * (rule.scale * (dw[k] - mean) / sum);
    // Where the picks are divided by their sum alone the weights do not depend on the other experts: no rounding is spread over them.
    if (rule.sigmoid || (divided && rule.epsilon == 0.f)) pull = 0.f;
    for (int e = lane; e < stride; e += 32) {
        float gradient = 0.f;
        if (e < rule.experts) {
            int pick = -1;
            for (int k = 0; k < rule.top_k; k++) if (own[k] == e) pick = k;
            const float score = scores.of(e), d_score = pick < 0 ? 0.f : rule.scale * (dw[pick] - mean) / sum;
            gradient = rule.sigmoid ? d_score * score * (1.f - score) : score * (d_score - pull);
        }
        d_logits[token * stride + e] = __float2bfloat16_rn(gradient);
    }
}
