/* Root-mean-square normalisation: y = weight * (x * rstd), rstd = 1 / sqrt(mean(x^2) + epsilon), and its gradient
 *   dx = rstd * (w dy - xhat * mean(w dy xhat)),  xhat = x * rstd.
 *   rms_norm_*            one read of x: the row stays in registers between the sum and the store
 *   add_rms_norm_*        the same of x + added, which is rounded and stored as `sum` before it is normalised
 *   rms_norm_backward_*   dx replaced or added to
 * Shapes    x, added, sum, y, dy, dx [rows, width] bf16   weight [width] f32 | bf16 | f16   rstd [rows] f32
 * Requires  y may be x; sum may be x or added; dx may be dy when replaced
 *           _T_C: T threads a row, each at most C times 8 columns, so width <= 8 T C; width % 8 == 0, pointers 16-byte aligned; _any: nothing
 * Accumulates fp32; one rounding at the store      Launch  block NORM_THREADS, NORM_THREADS / T rows a block; _any: a warp a row
 * Bound by  memory bandwidth      Source  Zhang and Sennrich 2019      Twin  CudaNorm.java */
#include "../common/numbers.cuh"
#include "../common/tiles.h"

namespace rms {

// Sum over the threads of a row, returned to all of them.
template <int THREADS>
__device__ __forceinline__ float row_sum(float x) {
    if constexpr (THREADS <= 32) {
        return lanes_sum<THREADS>(x);
    } else {
        static_assert(THREADS == NORM_THREADS, "a block a row");
        return block_sum<NORM_THREADS>(x);
    }
}

// The row of this thread and its first column; its other columns follow at steps of 8 * THREADS.
template <int THREADS>
struct Place {
    static constexpr int STEP = 8 * THREADS;
    const long long row;
    const int first;
    const bool live;
    __device__ __forceinline__ Place(long long rows)
        : row(static_cast<long long>(blockIdx.x) * (NORM_THREADS / THREADS) + threadIdx.x / THREADS), first(threadIdx.x % THREADS * 8),
          live(row < rows) {}
};

template <int THREADS, int CHUNKS, bool ADD>
__device__ __forceinline__ void forward(const bf16* x, const bf16* added, bf16* sum, const void* weight, int format, float epsilon, bf16* y,
                                        float* rstd, long long rows, int width) {
    const Place<THREADS> at(rows);
    const long long start = at.row * width + at.first;
    const int columns = at.live ? width - at.first : 0;       // from this thread's first one on
    uint4 row[CHUNKS] = {}, more[ADD ? CHUNKS : 1] = {};
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        if (c * at.STEP >= columns) continue;
        row[c] = *reinterpret_cast<const uint4*>(x + start + c * at.STEP);
        if constexpr (ADD) more[c] = *reinterpret_cast<const uint4*>(added + start + c * at.STEP);
    }
    float squares = 0.f;
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        Eight e = Eight::of(row[c]);
        if constexpr (ADD) {
            const Eight m = Eight::of(more[c]);
#pragma unroll
            for (int j = 0; j < 8; j++) e.v[j] += m.v[j];
            row[c] = e.raw();
            if (c * at.STEP < columns) *reinterpret_cast<uint4*>(sum + start + c * at.STEP) = row[c];
            e = Eight::of(row[c]);
        }
#pragma unroll
        for (int j = 0; j < 8; j++) squares += e.v[j] * e.v[j];
    }
    const float r = 1.f / sqrtf(row_sum<THREADS>(squares) / width + epsilon);
    if (at.live && at.first == 0) rstd[at.row] = r;
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        if (c * at.STEP >= columns) continue;
        Eight e = Eight::of(row[c]);
        const Eight w = load_eight(weight, format, at.first + c * at.STEP);
#pragma unroll
        for (int j = 0; j < 8; j++) e.v[j] = w.v[j] * (e.v[j] * r);
        e.store(y + start + c * at.STEP);
    }
}

template <int THREADS, int CHUNKS>
__device__ __forceinline__ void backward(const bf16* dy, const bf16* x, const void* weight, int format, const float* rstd, bf16* dx, int accumulate,
                                         long long rows, int width) {
    const Place<THREADS> at(rows);
    const long long start = at.row * width + at.first;
    const int columns = at.live ? width - at.first : 0;
    uint4 d_row[CHUNKS] = {}, x_row[CHUNKS] = {};
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        if (c * at.STEP >= columns) continue;
        d_row[c] = *reinterpret_cast<const uint4*>(dy + start + c * at.STEP);
        x_row[c] = *reinterpret_cast<const uint4*>(x + start + c * at.STEP);
    }
    const float r = at.live ? rstd[at.row] : 0.f;
    float dot = 0.f;
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        if (c * at.STEP >= columns) continue;
        const Eight d = Eight::of(d_row[c]), e = Eight::of(x_row[c]), w = load_eight(weight, format, at.first + c * at.STEP);
#pragma unroll
        for (int j = 0; j < 8; j++) dot += w.v[j] * d.v[j] * (e.v[j] * r);
    }
    uint4 old[CHUNKS] = {};
    if (accumulate) {
#pragma unroll
        for (int c = 0; c < CHUNKS; c++) if (c * at.STEP < columns) old[c] = *reinterpret_cast<const uint4*>(dx + start + c * at.STEP);
    }
    const float mean = row_sum<THREADS>(dot) / width;
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        if (c * at.STEP >= columns) continue;
        Eight d = Eight::of(d_row[c]);
        const Eight e = Eight::of(x_row[c]), o = Eight::of(old[c]), w = load_eight(weight, format, at.first + c * at.STEP);
#pragma unroll
        for (int j = 0; j < 8; j++) d.v[j] = o.v[j] + r * (w.v[j] * d.v[j] - e.v[j] * r * mean);
        d.store(dx + start + c * at.STEP);
    }
}

}  // namespace rms

#define NORM(THREADS, CHUNKS)                                                                                                           \
    extern "C" __global__ void __launch_bounds__(NORM_THREADS)                                                                          \
    rms_norm_##THREADS##_##CHUNKS(const bf16* x, const void* weight, int format, float epsilon, bf16* y, float* rstd, long long rows,   \
                                  int width) {                                                                                          \
        rms::forward<THREADS, CHUNKS, false>(x, nullptr, nullptr, weight, format, epsilon, y, rstd, rows, width);                      \
    }                                                                                                                                   \
    extern "C" __global__ void __launch_bounds__(NORM_THREADS)                                                                          \
    add_rms_norm_##THREADS##_##CHUNKS(const bf16* x, const bf16* added, bf16* sum, const void* weight, int format, float epsilon,       \
                                      bf16* y, float* rstd, long long rows, int width) {                                                \
        rms::forward<THREADS, CHUNKS, true>(x, added, sum, weight, format, epsilon, y, rstd, rows, width);                             \
    }                                                                                                                                   \
    extern "C" __global__ void __launch_bounds__(NORM_THREADS)                                                                          \
    rms_norm_backward_##THREADS##_##CHUNKS(const bf16* dy, const bf16* x, const void* weight, int format, const float* rstd, bf16* dx,  \
                                           int accumulate, long long rows, int width) {                                                 \
        rms::backward<THREADS, CHUNKS>(dy, x, weight, format, rstd, dx, accumulate, rows, width);                                      \
    }
NORM(16, 1)
NORM(32, 2)
NORM(32, 4)
NORM(32, 8)
NORM(128, 4)
NORM(128, 8)
#undef NORM

extern "C" __global__ void __launch_bounds__(NORM_THREADS)
rms_norm_any(const bf16* x, const void* weight, int format, float epsilon, bf16* y, float* rstd, long long rows, int width) {
    const rms::Place<32> at(rows);
    if (!at.live) return;
    const bf16* const from = x + at.row * width;
    bf16* const to = y + at.row * width;
    float squares = 0.f;
    for (int c = at.first / 8; c < width; c += 32) squares += __bfloat162float(from[c]) * __bfloat162float(from[c]);
    const float r = 1.f / sqrtf(warp_sum(squares) / width + epsilon);
    if (at.first == 0) rstd[at.row] = r;
    for (int c = at.first / 8; c < width; c += 32) to[c] = __float2bfloat16_rn(load_as_float(weight, format, c) * (__bfloat162float(from[c]) * r));
}

extern "C" __global__ void __launch_bounds__(NORM_THREADS)
rms_norm_backward_any(const bf16* dy, const bf16* x, const void* weight, int format, const float* rstd, bf16* dx, int accumulate, long long rows,
                      int width) {
    const rms::Place<32> at(rows);
    if (!at.live) return;
    const bf16 *const d = dy + at.row * width, *const from = x + at.row * width;
    bf16* const to = dx + at.row * width;
    const float r = rstd[at.row];
    float dot = 0.f;
    for (int c = at.first / 8; c < width; c += 32) dot += load_as_float(weight, format, c) * __bfloat162float(d[c]) * (__bfloat162float(from[c]) * r);
    const float mean = warp_sum(dot) / width;
    for (int c = at.first / 8; c < width; c += 32) {
        const float old = accumulate ? __bfloat162float(to[c]) : 0.f;
        to[c] = __float2bfloat16_rn(old + r * (load_as_float(weight, format, c) * __bfloat162float(d[c]) - __bfloat162float(from[c]) * r * mean));
    }
}
