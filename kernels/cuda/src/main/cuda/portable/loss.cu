/* Cross entropy of a chunk of logits, and which tokens need one.
 *   loss_compact    trained_rows = tokens whose label is not negative, ascending; count
 *   loss_rows       nll[token] = lse - logit[label]; logits become scale * (exp(logit - lse) - onehot), padding columns 0
 *   score_rows      nll and the most likely id, ties to the lower; logits are only read
 * Shapes    labels [tokens] int32, negative where ignored   trained_rows [tokens], count [1] int32   nll [tokens] f32
 *           logits [chunk, stride] bf16 (loss) or f32 (score): row i belongs to token trained_rows[first + i] (loss) or first + i (score)
 * Requires  stride % 8 == 0, stride >= vocabulary; a label >= vocabulary gives NaN and a fault      Accumulates fp32
 * Launch    compact: one block of COMPACT_THREADS; rows: grid chunk, block LOSS_THREADS; rows from count - first on are left alone
 * Bound by  memory bandwidth      Source  llm.c's fused classifier for the idea      Twin  CudaLoss.java */
#include "../common/fault.cuh"
#include "../common/numbers.cuh"
#include "../common/tiles.h"

extern "C" __global__ void __launch_bounds__(COMPACT_THREADS)
loss_compact(const int* labels, int tokens, int* trained_rows, int* count) {
    __shared__ int warp_totals[COMPACT_THREADS / 32];
    int before_all = 0;
    for (int first = 0; first < tokens; first += COMPACT_THREADS) {
        const int token = first + threadIdx.x, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        const bool trained = token < tokens && labels[token] >= 0;
        const unsigned ballot = __ballot_sync(~0u, trained);
        if (lane == 0) warp_totals[warp] = __popc(ballot);
        __syncthreads();
        int before = before_all, all = 0;
        for (int w = 0; w < COMPACT_THREADS / 32; w++) {
            if (w < warp) before += warp_totals[w];
            all += warp_totals[w];
        }
        if (trained) trained_rows[before + __popc(ballot & ((1u << lane) - 1))] = token;
        before_all += all;
        __syncthreads();
    }
    if (threadIdx.x == 0) *count = before_all;
}

namespace loss {

// A running maximum and the sum of exponentials below it.
struct Exponentials {
    float largest = -INFINITY, sum = 0.f;

    __device__ __forceinline__ void add(float value) {
        const float next = fmaxf(largest, value);
        sum = sum * expf(largest - next) + expf(value - next);
        largest = next;
    }

    // Logarithm of the sum over the whole block, on every thread.
    __device__ __forceinline__ float log_sum_of_block() const {
        __shared__ float largest_of_warp[LOSS_THREADS / 32];
        const float of_warp = warp_max(largest);
        if (threadIdx.x % 32 == 0) largest_of_warp[threadIdx.x / 32] = of_warp;
        __syncthreads();
        float of_block = -INFINITY;
        for (int w = 0; w < LOSS_THREADS / 32; w++) of_block = fmaxf(of_block, largest_of_warp[w]);
        return of_block + logf(block_sum<LOSS_THREADS>(largest == -INFINITY ? 0.f : sum * expf(largest - of_block)));
    }
};

}  // namespace loss

extern "C" __global__ void __launch_bounds__(LOSS_THREADS)
loss_rows(const int* labels, const int* trained_rows, const int* count, int first, bf16* logits, float* nll, int vocabulary, int stride,
          const float* gradient_scale, int4* fault) {
    if (static_cast<int>(blockIdx.x) >= *count - first) return;
    const int token = trained_rows[first + blockIdx.x], label = labels[token];
    bf16* row = logits + static_cast<long long>(blockIdx.x) * stride;
    loss::Exponentials own;
    for (int c = threadIdx.x * 8; c < stride; c += LOSS_THREADS * 8) {
        const Eight e = Eight::of(load_guarded(row + c, vocabulary - c, true));
#pragma unroll
        for (int j = 0; j < 8; j++) if (c + j < vocabulary) own.add(e.v[j]);
    }
    const float lse = own.log_sum_of_block();
    if (threadIdx.x == 0 && label >= vocabulary) report(fault, FAULT_LABEL, token, label, vocabulary);
    if (threadIdx.x == 0) nll[token] = label < vocabulary ? lse - __bfloat162float(row[label]) : __int_as_float(0x7fffffff);
    const float scale = *gradient_scale;
    __syncthreads();                                          // the label's logit is read before any is overwritten
    for (int c = threadIdx.x * 8; c < stride; c += LOSS_THREADS * 8) {
        Eight e = Eight::of(load_guarded(row + c, vocabulary - c, true));
#pragma unroll
        for (int j = 0; j < 8; j++) {
            e.v[j] = c + j < vocabulary ? scale * (expf(e.v[j] - lse) - (c + j == label ? 1.f : 0.f)) : 0.f;
        }
        e.store(row + c);
    }
}

extern "C" __global__ void __launch_bounds__(LOSS_THREADS)
score_rows(const int* labels, int first, const float* logits, float* nll, int* predictions, int vocabulary, int stride, int4* fault) {
    const int token = first + blockIdx.x, label = labels[token];
    const float* row = logits + static_cast<long long>(blockIdx.x) * stride;
    loss::Exponentials own;
    float best = -INFINITY;
    int id = vocabulary;
    for (int i = threadIdx.x; i < vocabulary; i += LOSS_THREADS) {
        const float value = row[i];
        own.add(value);
        if (value > best || id == vocabulary) { best = value; id = i; }
    }
    const float lse = own.log_sum_of_block();
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
        const float other = __shfl_xor_sync(~0u, best, distance);
        const int index = __shfl_xor_sync(~0u, id, distance);
        if (index < vocabulary && (id == vocabulary || other > best || (other == best && index < id))) { best = other; id = index; }
    }
    __shared__ float best_of_warp[LOSS_THREADS / 32];
    __shared__ int id_of_warp[LOSS_THREADS / 32];
    if (threadIdx.x % 32 == 0) best_of_warp[threadIdx.x / 32] = best, id_of_warp[threadIdx.x / 32] = id;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int w = 1; w < LOSS_THREADS / 32; w++) {
            const int index = id_of_warp[w];
            if (index < vocabulary && (best_of_warp[w] > best || (best_of_warp[w] == best && index < id))) { best = best_of_warp[w]; id = index; }
        }
        if (label >= vocabulary) report(fault, FAULT_LABEL, token, label, vocabulary);
        predictions[token] = id;
        nll[token] = label < 0 ? 0.f : label < vocabulary ? lse - row[label] : __int_as_float(0x7fffffff);
    }
}
