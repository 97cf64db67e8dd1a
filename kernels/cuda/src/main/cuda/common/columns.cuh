/* A warp walks over one row: 16 bytes a lane where the width allows, else one number a lane. */
#pragma once
#include "numbers.cuh"

// Calls f(first column, vector) over this lane's share of a row: 8 columns at a time where the width allows, else one.
template <typename F>
__device__ __forceinline__ void columns_of_lane(int width, F f) {
    const int lane = threadIdx.x % 32;
    if (width % 8 == 0) {
        for (int c = lane * 8; c < width; c += 256) f(c, 8);
    } else {
        for (int c = lane; c < width; c += 32) f(c, 1);
    }
}

__device__ __forceinline__ Eight load_columns(const bf16* p, int count) {
    if (count == 8) return Eight::load(p);
    Eight e = {};
    e.v[0] = __bfloat162float(p[0]);
    return e;
}

__device__ __forceinline__ void store_columns(bf16* p, int count, const Eight& e) {
    if (count == 8) return e.store(p);
    p[0] = __float2bfloat16_rn(e.v[0]);
}
