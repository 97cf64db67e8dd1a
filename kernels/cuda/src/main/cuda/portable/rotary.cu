/* Rotary position embedding in place: (a, b) -> (a cos - b sin, b cos + a sin) for each pair; the transpose for gradients.
 * Shapes    x [tokens, heads, head_dim] bf16   positions [tokens] int32   cos, sin [max positions, pairs] f32
 * Requires  2 * pairs <= head_dim; pairs are (i, i + pairs), or (2i, 2i + 1) where interleaved; a position outside the table writes NaN and a fault
 * Launch    grid ceil(tokens * heads * pairs / FLAT_THREADS), block FLAT_THREADS: a thread a pair
 * Bound by  memory bandwidth      Source  Su et al. 2021      Twin  CudaRotary.java */
#include "../common/fault.cuh"
#include "../common/numbers.cuh"
#include "../common/tiles.h"

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
rotate(bf16* x, const int* positions, const float* cos, const float* sin, long long tokens, int heads, int head_dim, int pairs,
       int max_positions, int interleaved, int backward, int4* fault) {
    const long long index = static_cast<long long>(blockIdx.x) * FLAT_THREADS + threadIdx.x;
    if (index >= tokens * heads * pairs) return;
    const int pair = static_cast<int>(index % pairs);
    const long long row = index / pairs, token = row / heads;
    const int position = positions[token];
    const bool known = position >= 0 && position < max_positions;
    if (!known) report(fault, FAULT_POSITION, token, position, max_positions);
    const long long entry = static_cast<long long>(known ? position : 0) * pairs + pair;
    const float c = known ? cos[entry] : __int_as_float(0x7fffffff), s = backward ? -sin[entry] : sin[entry];
    bf16* head = x + row * head_dim;
    bf16* first = head + (interleaved ? 2 * pair : pair);
    bf16* second = first + (interleaved ? 1 : pairs);
    const float a = __bfloat162float(*first), b = __bfloat162float(*second);
    *first = __float2bfloat16_rn(a * c - b * s);
    *second = __float2bfloat16_rn(b * c + a * s);
}
