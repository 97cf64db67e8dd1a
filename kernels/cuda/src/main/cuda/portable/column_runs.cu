/* Runs of columns moved between matrices of other widths: heads cut apart, joined, or given the one key that they share.
 *   copy_columns   to[n * repeat + i, to_column + c] = from[n, from_column + c]
 *   sum_columns    to[n, to_column + c] = sum over i, in its order, of from[n * repeat + i, from_column + c]
 * Shapes    from, to bf16, rows of from_width and to_width; `pieces` = rows of to * columns / UNIT
 * Requires  UNIT 8: all widths, columns and the run a multiple of 8, pointers 16-byte aligned; UNIT 1: nothing      Accumulates fp32
 * Launch    grid ceil(pieces / FLAT_THREADS), block FLAT_THREADS: a thread a piece      Bound by  memory bandwidth
 * Twin      CudaElementwise.java */
#include "../common/numbers.cuh"
#include "../common/tiles.h"

namespace column_runs {

struct Run {
    const bf16* from;
    bf16* to;
    int from_width, to_width, columns, repeat;                // from and to point at the first row's run
    unsigned pieces;
};

// Calls f(row of `to`, column in the run) for this thread's piece.
template <int UNIT, typename F>
__device__ __forceinline__ void piece(const Run& run, F f) {
    const unsigned i = blockIdx.x * FLAT_THREADS + threadIdx.x, in_row = run.columns / UNIT;
    if (i < run.pieces) f(i / in_row, static_cast<int>(i % in_row) * UNIT);
}

template <int UNIT>
__device__ __forceinline__ void copy(const Run& run) {
    piece<UNIT>(run, [&](unsigned row, int c) {
        const bf16* from = run.from + static_cast<long long>(row / run.repeat) * run.from_width + c;
        bf16* to = run.to + static_cast<long long>(row) * run.to_width + c;
        if constexpr (UNIT == 8) *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
        else *to = *from;
    });
}

template <int UNIT>
__device__ __forceinline__ void sum(const Run& run) {
    piece<UNIT>(run, [&](unsigned row, int c) {
        const bf16* from = run.from + static_cast<long long>(row) * run.repeat * run.from_width + c;
        bf16* to = run.to + static_cast<long long>(row) * run.to_width + c;
        float total[UNIT] = {};
        for (int i = 0; i < run.repeat; i++, from += run.from_width) {
            if constexpr (UNIT == 8) {
                const Eight e = Eight::load(from);
#pragma unroll
                for (int j = 0; j < 8; j++) total[j] += e.v[j];
            } else {
                total[0] += __bfloat162float(*from);
            }
        }
        if constexpr (UNIT == 8) {
            Eight e;
#pragma unroll
            for (int j = 0; j < 8; j++) e.v[j] = total[j];
            e.store(to);
        } else {
            *to = __float2bfloat16_rn(total[0]);
        }
    });
}

}  // namespace column_runs

extern "C" __global__ void __launch_bounds__(FLAT_THREADS) copy_columns(const __grid_constant__ column_runs::Run run) {
    column_runs::copy<8>(run);
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS) copy_columns_any(const __grid_constant__ column_runs::Run run) {
    column_runs::copy<1>(run);
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS) sum_columns(const __grid_constant__ column_runs::Run run) {
    column_runs::sum<8>(run);
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS) sum_columns_any(const __grid_constant__ column_runs::Run run) {
    column_runs::sum<1>(run);
}
