/* Short causal convolution of every column over the tokens of its document, and the gradient of its input.
 *   convolve            y[t, c] = bias[c] + sum over j of taps[c, j] x[t - (length - 1) + j, c]
 *   convolve_backward   dx[t, c] = sum over j of taps[c, j] dy[t + (length - 1) - j, c]
 * Shapes    x, y, dy, dx [tokens, width] bf16   taps [width, length], bias [width] f32 | bf16 | f16   starts [documents + 1] int32
 * Requires  starts ascending from 0 to tokens; the result is not the input      Accumulates fp32, in the order of the taps
 * Launch    grid (tokens, ceil(width / ROW_THREADS)), block ROW_THREADS: a thread a column      Bound by  memory bandwidth
 * Source    Liquid AI 2025, LFM2      Twin  CudaConvolution.java */
#include "../common/numbers.cuh"
#include "../common/tiles.h"

namespace convolution {

struct Document { int start, end; };

// The document of a token; the same search on every thread of a block.
__device__ __forceinline__ Document document_of(const int* starts, int documents, int token) {
    int low = 0, high = documents - 1;                        // the last start that is not beyond the token
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (starts[middle] <= token) low = middle;
        else high = middle - 1;
    }
    return {starts[low], starts[low + 1]};
}

}  // namespace convolution

extern "C" __global__ void __launch_bounds__(ROW_THREADS)
convolve(const bf16* x, const int* starts, int documents, const void* taps, int taps_format, int length, const void* bias, int bias_format,
         bf16* y, int width) {
    const int token = blockIdx.x, c = blockIdx.y * ROW_THREADS + threadIdx.x;
    if (c >= width) return;
    const int before = token - convolution::document_of(starts, documents, token).start;
    float sum = bias == nullptr ? 0.f : load_as_float(bias, bias_format, c);
    for (int j = max(0, length - 1 - before); j < length; j++) {
        const long long row = token - (length - 1) + j;
        sum = fmaf(load_as_float(taps, taps_format, static_cast<long long>(c) * length + j), __bfloat162float(x[row * width + c]), sum);
    }
    y[static_cast<long long>(token) * width + c] = __float2bfloat16_rn(sum);
}

extern "C" __global__ void __launch_bounds__(ROW_THREADS)
convolve_backward(const bf16* dy, const int* starts, int documents, const void* taps, int taps_format, int length, bf16* dx, int width) {
    const int token = blockIdx.x, c = blockIdx.y * ROW_THREADS + threadIdx.x;
    if (c >= width) return;
    const int left = convolution::document_of(starts, documents, token).end - token;   // this token included
    float sum = 0.f;
    for (int j = max(0, length - left); j < length; j++) {
        const long long row = token + (length - 1) - j;
        sum = fmaf(load_as_float(taps, taps_format, static_cast<long long>(c) * length + j), __bfloat162float(dy[row * width + c]), sum);
    }
    dx[static_cast<long long>(token) * width + c] = __float2bfloat16_rn(sum);
}
