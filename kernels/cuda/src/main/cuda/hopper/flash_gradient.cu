/* The last pass of attention's gradient: sums the float32 shares of dq, dk and dv in the order of their splits, scales, rounds, and puts rows
 * where they belong. One launch for all three.
 * Shapes    parts [splits, heads, 64-row blocks, groups of 8 columns, 128] float4, as flash_backward.cu leaves them: thread t has columns
 *           t % 4 * 2 and the next of rows t / 32 * 16 + t % 32 / 4 (x, y) and 8 further down (z, w)
 *           out [tokens, heads, columns] bf16, columns % 32 == 0
 * Launch    block FLASH_GRADIENT_THREADS; a block a 64-row block and 32 columns of a head: the sum of heads * blocks * columns / 32 over the three
 *           no cluster      Accumulates fp32, splits in order
 * Bound by  memory bandwidth      Source  Dao 2023, FlashAttention-2, section 3.1.2      Twin  HopperAttention.java */
#include "flash.cuh"

namespace flash {

struct Sum {
    const float4* parts;
    bf16* out;
    int splits, blocks, heads, columns;                       // blocks of 64 rows
    float scale;
    __host__ __device__ __forceinline__ int work() const { return heads * blocks * (columns / 32); }
};

struct Gradient {
    int tokens;
    Sum of[3];
};

// Lane i of four neighbours gives word j of `v` to lane j and keeps what the others give it, in their order.
__device__ __forceinline__ void transpose(uint32_t (&v)[4], int lane) {
    uint32_t own[4];
#pragma unroll
    for (int step = 0; step < 4; step++) {
        const int other = lane % 4 ^ step;
        const uint32_t given = other == 0 ? v[0] : other == 1 ? v[1] : other == 2 ? v[2] : v[3];
        const uint32_t taken = __shfl_xor_sync(~0u, given, step);
#pragma unroll
        for (int i = 0; i < 4; i++) if (i == other) own[i] = taken;
    }
#pragma unroll
    for (int i = 0; i < 4; i++) v[i] = own[i];
}

}  // namespace flash

static_assert(flash::WARPGROUP == FLASH_GRADIENT_THREADS);

extern "C" __global__ void __launch_bounds__(FLASH_GRADIENT_THREADS)
flash_gradient(const __grid_constant__ flash::Gradient p) {
    constexpr int GROUPS = 4;                                 // of a block, one for each lane of four
    int work = blockIdx.x, which = 0;
    while (which < 2 && work >= p.of[which].work()) work -= p.of[which++].work();
    const flash::Sum& sum = p.of[which];
    const int t = threadIdx.x, lane = t % 32, quarters = sum.columns / 32;
    const int quarter = work % quarters, block = work / quarters % sum.blocks, head = work / quarters / sum.blocks;
    const long long group = ((static_cast<long long>(head) * sum.blocks + block) * quarters + quarter) * GROUPS * FLASH_GRADIENT_THREADS;
    const long long split = static_cast<long long>(sum.work()) * GROUPS * FLASH_GRADIENT_THREADS;
    const float4* from = sum.parts + group + t;
    float4 total[GROUPS];
#pragma unroll
    for (int g = 0; g < GROUPS; g++) total[g] = from[g * FLASH_GRADIENT_THREADS];
#pragma unroll 2
    for (int s = 1; s < sum.splits; s++) {
        float4 more[GROUPS];
#pragma unroll
        for (int g = 0; g < GROUPS; g++) more[g] = __ldg(from + s * split + g * FLASH_GRADIENT_THREADS);
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            total[g].x += more[g].x, total[g].y += more[g].y, total[g].z += more[g].z, total[g].w += more[g].w;
        }
    }
    uint32_t upper[4], lower[4];
#pragma unroll
    for (int g = 0; g < GROUPS; g++) {
        upper[g] = pack(total[g].x * sum.scale, total[g].y * sum.scale);
        lower[g] = pack(total[g].z * sum.scale, total[g].w * sum.scale);
    }
    flash::transpose(upper, lane);
    flash::transpose(lower, lane);
    const long long row = block * 64ll + t / 32 * 16 + lane / 4, stride = static_cast<long long>(sum.heads) * sum.columns;
    bf16* const to = sum.out + row * stride + head * sum.columns + (quarter * GROUPS + lane % 4) * 8;
    if (row < p.tokens) *reinterpret_cast<uint4*>(to) = make_uint4(upper[0], upper[1], upper[2], upper[3]);
    if (row + 8 < p.tokens) *reinterpret_cast<uint4*>(to + 8 * stride) = make_uint4(lower[0], lower[1], lower[2], lower[3]);
}
