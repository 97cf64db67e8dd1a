/* Root-mean-square normalisation: y = weight * (x * rstd), rstd = 1 / sqrt(mean(x^2) + epsilon), and its gradient
 *   dx = rstd * (w dy - xhat * mean(w dy xhat)),  xhat = x * rstd.
 * Shapes    x, y, dy, dx [rows, width] bf16   weight [width] f32 | bf16 | f16   rstd [rows] f32
 * Requires  y may be x; dx may be dy when replaced      Accumulates fp32; one rounding at the store
 * Launch    grid ceil(rows / (ROW_THREADS / 32)), block ROW_THREADS: a warp a row
 * Bound by  memory bandwidth      Source  Zhang and Sennrich 2019      Twin  CudaNorm.java */
#include "../common/columns.cuh"
#include "../common/tiles.h"

__device__ __forceinline__ float weight_at(const void* weight, int format, int column, int j, int count) {
    return j < count ? load_as_float(weight, format, column + j) : 0.f;
}

extern "C" __global__ void __launch_bounds__(ROW_THREADS)
rms_norm(const bf16* x, const void* weight, int format, float epsilon, bf16* y, float* rstd, long long rows, int width) {
    const long long row = static_cast<long long>(blockIdx.x) * (ROW_THREADS / 32) + threadIdx.x / 32;
    if (row >= rows) return;
    const bf16* xr = x + row * width;
    bf16* yr = y + row * width;
    float squares = 0.f;
    columns_of_lane(width, [&](int c, int count) {
        const Eight e = load_columns(xr + c, count);
#pragma unroll
        for (int j = 0; j < 8; j++) squares += e.v[j] * e.v[j];
    });
    const float r = 1.f / sqrtf(warp_sum(squares) / width + epsilon);
    if (threadIdx.x % 32 == 0) rstd[row] = r;
    columns_of_lane(width, [&](int c, int count) {
        Eight e = load_columns(xr + c, count);
#pragma unroll
        for (int j = 0; j < 8; j++) e.v[j] = weight_at(weight, format, c, j, count) * (e.v[j] * r);
        store_columns(yr + c, count, e);
    });
}

extern "C" __global__ void __launch_bounds__(ROW_THREADS)
rms_norm_backward(const bf16* dy, const bf16* x, const void* weight, int format, const float* rstd, bf16* dx, int accumulate,
                  long long rows, int width) {
    const long long row = static_cast<long long>(blockIdx.x) * (ROW_THREADS / 32) + threadIdx.x / 32;
    if (row >= rows) return;
    const bf16* dyr = dy + row * width;
    const bf16* xr = x + row * width;
    bf16* dxr = dx + row * width;
    const float r = rstd[row];
    float dot = 0.f;
    columns_of_lane(width, [&](int c, int count) {
        const Eight d = load_columns(dyr + c, count), e = load_columns(xr + c, count);
#pragma unroll
        for (int j = 0; j < 8; j++) dot += weight_at(weight, format, c, j, count) * d.v[j] * (e.v[j] * r);
    });
    const float mean = warp_sum(dot) / width;
    columns_of_lane(width, [&](int c, int count) {
        Eight d = load_columns(dyr + c, count);
        const Eight e = load_columns(xr + c, count);
        Eight old = {};
        if (accumulate) old = load_columns(dxr + c, count);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            d.v[j] = old.v[j] + r * (weight_at(weight, format, c, j, count) * d.v[j] - e.v[j] * r * mean);
        }
        store_columns(dxr + c, count, d);
    });
}
