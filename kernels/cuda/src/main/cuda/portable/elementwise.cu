/* Operations that touch each element once: embed, add, gated, gated_backward, scale, clamp, clamp_backward.
 * Shapes    embed: ids [tokens] int32, table [vocabulary, hidden] f32 | bf16 | f16, out [tokens, hidden] bf16
 *           others: flat arrays of n bf16 numbers; outputs may be inputs
 * Requires  pointers 16-byte aligned; ids in range (one that is not writes a NaN row and a fault)
 * Launch    embed: grid tokens, block ROW_THREADS; others: grid ceil(n / 8 / FLAT_THREADS), block FLAT_THREADS
 * Bound by  memory bandwidth      Source  gated: Shazeer 2020      Twin  CudaElementwise.java */
#include "../common/activation.cuh"
#include "../common/fault.cuh"
#include "../common/numbers.cuh"
#include "../common/tiles.h"

extern "C" __global__ void __launch_bounds__(ROW_THREADS)
embed(const int* ids, const void* table, int format, int vocabulary, int hidden, bf16* out, int4* fault) {
    const long long token = blockIdx.x;
    const int id = ids[token];
    const bool known = id >= 0 && id < vocabulary;
    if (!known && threadIdx.x == 0) report(fault, FAULT_TOKEN_ID, token, id, vocabulary);
    for (int i = threadIdx.x; i < hidden; i += ROW_THREADS) {
        const float value = known ? load_as_float(table, format, static_cast<long long>(id) * hidden + i) : __int_as_float(0x7fffffff);
        out[token * hidden + i] = __float2bfloat16_rn(value);
    }
}

// Calls f(first element, how many: 8 or fewer) for this thread's share of n elements.
template <typename F>
__device__ __forceinline__ void eight_at_a_time(long long n, F f) {
    const long long first = (static_cast<long long>(blockIdx.x) * FLAT_THREADS + threadIdx.x) * 8;
    if (first < n) f(first, n - first < 8 ? static_cast<int>(n - first) : 8);
}

__device__ __forceinline__ Eight load_some(const bf16* p, int count) {
    if (count == 8) return Eight::load(p);
    Eight e = {};
#pragma unroll
    for (int i = 0; i < 8; i++) if (i < count) e.v[i] = __bfloat162float(p[i]);
    return e;
}

__device__ __forceinline__ void store_some(bf16* p, int count, const Eight& e) {
    if (count == 8) return e.store(p);
#pragma unroll
    for (int i = 0; i < 8; i++) if (i < count) p[i] = __float2bfloat16_rn(e.v[i]);
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
add(const bf16* left, const bf16* right, bf16* out, long long n) {
    eight_at_a_time(n, [=](long long i, int count) {
        Eight a = load_some(left + i, count);
        const Eight b = load_some(right + i, count);
#pragma unroll
        for (int j = 0; j < 8; j++) a.v[j] += b.v[j];
        store_some(out + i, count, a);
    });
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
gated(int kind, const bf16* gate, const bf16* up, bf16* out, long long n) {
    eight_at_a_time(n, [=](long long i, int count) {
        Eight g = load_some(gate + i, count);
        const Eight u = load_some(up + i, count);
        activation::choose(kind, [&](auto tag) {
#pragma unroll
            for (int j = 0; j < 8; j++) g.v[j] = activation::evaluate<decltype(tag)::kind>(g.v[j], u.v[j]).out;
        });
        store_some(out + i, count, g);
    });
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
gated_backward(int kind, const bf16* d_out, const bf16* gate, const bf16* up, bf16* d_gate, bf16* d_up, long long n) {
    eight_at_a_time(n, [=](long long i, int count) {
        const Eight d = load_some(d_out + i, count);
        Eight g = load_some(gate + i, count), u = load_some(up + i, count);
        activation::choose(kind, [&](auto tag) {
#pragma unroll
            for (int j = 0; j < 8; j++) {
                const activation::Gated a = activation::evaluate<decltype(tag)::kind>(g.v[j], u.v[j]);
                g.v[j] = d.v[j] * a.d_gate;
                u.v[j] = d.v[j] * a.d_up;
            }
        });
        store_some(d_gate + i, count, g);
        store_some(d_up + i, count, u);
    });
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
scale(bf16* x, float factor, long long n) {
    eight_at_a_time(n, [=](long long i, int count) {
        Eight e = load_some(x + i, count);
#pragma unroll
        for (int j = 0; j < 8; j++) e.v[j] *= factor;
        store_some(x + i, count, e);
    });
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
clamp(const bf16* x, float limit, bf16* out, long long n) {
    eight_at_a_time(n, [=](long long i, int count) {
        Eight e = load_some(x + i, count);
#pragma unroll
        for (int j = 0; j < 8; j++) e.v[j] = e.v[j] > limit ? limit : e.v[j] < -limit ? -limit : e.v[j];
        store_some(out + i, count, e);
    });
}

extern "C" __global__ void __launch_bounds__(FLAT_THREADS)
clamp_backward(bf16* gradient, const bf16* x, float limit, long long n) {
    eight_at_a_time(n, [=](long long i, int count) {
        Eight d = load_some(gradient + i, count);
        const Eight e = load_some(x + i, count);
#pragma unroll
        for (int j = 0; j < 8; j++) d.v[j] = fabsf(e.v[j]) > limit ? 0.f : d.v[j];
        store_some(gradient + i, count, d);
    });
}
