/* Rotary position embedding, alone or after a norm of every head: (a, b) -> (a cos - b sin, b cos + a sin) for each pair.
 *   rotate_*                 x = R x, or R^T x for gradients, in place
 *   norm_rotate_*            out = R (weight * (x * rstd)), rstd = 1 / sqrt(mean(x^2) + epsilon)
 *   norm_rotate_backward_*   out = gradient of x for the gradient `dy` of the rotated heads
 * Shapes    x, dy, out [tokens, heads, head_dim] bf16   weight [head_dim] f32 | bf16 | f16   rstd [tokens, heads] f32
 *           positions [tokens] int32   cos, sin [max positions, pairs] f32; two tensors with heads of their own share a launch
 * Requires  2 * pairs <= head_dim; pairs are (i, i + pairs), or (2i, 2i + 1) where interleaved; a position outside the table writes NaN and a fault
 *           out may be x or dy; _8, _16, _32: head_dim % 8 == 0, at most 8 * LANES, pairs % 4 == 0, pointers 16-byte aligned; _any: nothing more
 * Accumulates fp32; one rounding at the store
 * Launch    block ROW_THREADS; _8, _16, _32: a warp for ROTARY_ROWS * 32 / LANES heads of one token; _any: a warp a head
 * Bound by  memory bandwidth      Source  Su et al. 2021; Zhang and Sennrich 2019      Twin  CudaRotary.java */
#include "../common/fault.cuh"
#include "../common/numbers.cuh"
#include "../common/tiles.h"

namespace rotary {

enum Step { ROTATE, NORM, NORM_BACKWARD };

struct Heads {
    const bf16* x;                                            // as projected
    const bf16* dy;                                           // gradient of the rotated heads, or null
    bf16* out;
    float* rstd;                                              // null where nothing is normalised, as is `weight`
    const void* weight;
    int format, heads;
};

struct Call {
    Heads of[2];
    const int* positions;
    const float *cos, *sin;
    int4* fault;
    int tokens, head_dim, pairs, max_positions, interleaved, transposed;
    float epsilon;
};

// Where a token's angles lie in the tables, or -1 beyond them.
__device__ __forceinline__ long long angles_of(const Call& p, int token) {
    const int position = p.positions[token];
    if (position >= 0 && position < p.max_positions) return static_cast<long long>(position) * p.pairs;
    report(p.fault, FAULT_POSITION, token, position, p.max_positions);
    return -1;
}

__device__ __forceinline__ void turn(float& a, float& b, float cos, float sin) {
    const float first = a;
    a = first * cos - b * sin;
    b = b * cos + first * sin;
}

// Eight numbers of a head as one lane holds them: two runs of four, which are the two halves of four pairs or four neighbouring pairs.
struct Chunk {
    float a[4], b[4];

    __device__ __forceinline__ Chunk(uint2 first, uint2 second)
        : a{low(first.x), high(first.x), low(first.y), high(first.y)}, b{low(second.x), high(second.x), low(second.y), high(second.y)} {}

    __device__ __forceinline__ void rotate(const float (&cos)[4], const float (&sin)[4], bool interleaved) {
        if (interleaved) {
            turn(a[0], a[1], cos[0], sin[0]), turn(a[2], a[3], cos[1], sin[1]);
            turn(b[0], b[1], cos[2], sin[2]), turn(b[2], b[3], cos[3], sin[3]);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) turn(a[i], b[i], cos[i], sin[i]);
        }
    }

    __device__ __forceinline__ void multiply(const float4& wa, const float4& wb) {
        a[0] *= wa.x, a[1] *= wa.y, a[2] *= wa.z, a[3] *= wa.w;
        b[0] *= wb.x, b[1] *= wb.y, b[2] *= wb.z, b[3] *= wb.w;
    }

    __device__ __forceinline__ void scale(float factor) {
#pragma unroll
        for (int i = 0; i < 4; i++) a[i] *= factor, b[i] *= factor;
    }

    __device__ __forceinline__ float dot(const Chunk& other) const {
        float total = 0.f;
#pragma unroll
        for (int i = 0; i < 4; i++) total += a[i] * other.a[i];
#pragma unroll
        for (int i = 0; i < 4; i++) total += b[i] * other.b[i];
        return total;
    }

    __device__ __forceinline__ void store(bf16* first, bf16* second) const {
        *reinterpret_cast<uint2*>(first) = make_uint2(pack(a[0], a[1]), pack(a[2], a[3]));
        *reinterpret_cast<uint2*>(second) = make_uint2(pack(b[0], b[1]), pack(b[2], b[3]));
    }
};

// A warp takes ROTARY_ROWS times 32 / LANES heads of one token, LANES lanes a head, and keeps the token's angles in registers.
template <int LANES, Step STEP>
__device__ __forceinline__ void heads(const Call& p) {
    constexpr int TOGETHER = 32 / LANES, ROWS = ROTARY_ROWS, SHARE = ROWS * TOGETHER;
    const unsigned work = blockIdx.x * (ROW_THREADS / 32) + threadIdx.x / 32;
    const int all = p.of[0].heads + p.of[1].heads, shares = (all + SHARE - 1) / SHARE;
    const int token = work / shares, lane = threadIdx.x % 32, chunk = lane % LANES;
    if (token >= p.tokens) return;
    const int turning = p.pairs / 4;                          // chunks that are rotated; those after them are not
    const bool inside = chunk < (STEP == ROTATE ? turning : p.head_dim / 8), halves = chunk < turning && !p.interleaved;
    const int first = halves ? chunk * 4 : chunk * 8, second = halves ? p.pairs + chunk * 4 : first + 4;
    const int begin = work % shares * SHARE + lane / LANES;

    // What is read goes on its way before anything waits.
    uint2 xa[ROWS] = {}, xb[ROWS] = {}, da[ROWS] = {}, db[ROWS] = {};
    float saved[ROWS] = {};
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        const int head = begin + r * TOGETHER;
        if (!inside || head >= all) continue;
        const bool other = head >= p.of[0].heads;
        const Heads& of = p.of[other];
        const long long row = static_cast<long long>(token) * of.heads + (other ? head - p.of[0].heads : head), at = row * p.head_dim;
        xa[r] = *reinterpret_cast<const uint2*>(of.x + at + first);
        xb[r] = *reinterpret_cast<const uint2*>(of.x + at + second);
        if constexpr (STEP == NORM_BACKWARD) {
            da[r] = *reinterpret_cast<const uint2*>(of.dy + at + first);
            db[r] = *reinterpret_cast<const uint2*>(of.dy + at + second);
            saved[r] = of.rstd[row];
        }
    }
    float cos[4] = {1.f, 1.f, 1.f, 1.f}, sin[4] = {};
    if (chunk < turning) {
        const long long angles = angles_of(p, token);
        const float nan = __int_as_float(0x7fffffff);
        float4 c = make_float4(nan, nan, nan, nan), s = c;
        if (angles >= 0) {
            c = *reinterpret_cast<const float4*>(p.cos + angles + chunk * 4);
            s = *reinterpret_cast<const float4*>(p.sin + angles + chunk * 4);
        }
        const float sign = p.transposed ? -1.f : 1.f;
        cos[0] = c.x, cos[1] = c.y, cos[2] = c.z, cos[3] = c.w;
        sin[0] = s.x * sign, sin[1] = s.y * sign, sin[2] = s.z * sign, sin[3] = s.w * sign;
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        const int head = begin + r * TOGETHER;
        const bool here = head < all, other = head >= p.of[0].heads;
        const Heads& of = p.of[here && other];
        const long long row = here ? static_cast<long long>(token) * of.heads + (other ? head - p.of[0].heads : head) : 0;
        Chunk x(xa[r], xb[r]);
        float4 wa = {}, wb = {};
        if constexpr (STEP != ROTATE) {
            if (inside) wa = load_four(of.weight, of.format, first), wb = load_four(of.weight, of.format, second);
        }
        if constexpr (STEP == NORM) {
            const float rstd = 1.f / sqrtf(lanes_sum<LANES>(x.dot(x)) / p.head_dim + p.epsilon);
            if (chunk == 0 && here) of.rstd[row] = rstd;
            x.scale(rstd);
            x.multiply(wa, wb);
        }
        if constexpr (STEP == NORM_BACKWARD) {
            const float rstd = saved[r];
            Chunk d(da[r], db[r]);
            d.rotate(cos, sin, p.interleaved);
            d.multiply(wa, wb);
            x.scale(rstd);
            const float mean = lanes_sum<LANES>(d.dot(x)) / p.head_dim;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                x.a[i] = rstd * (d.a[i] - x.a[i] * mean);
                x.b[i] = rstd * (d.b[i] - x.b[i] * mean);
            }
        } else {
            x.rotate(cos, sin, p.interleaved);
        }
        if (inside && here) x.store(of.out + row * p.head_dim + first, of.out + row * p.head_dim + second);
    }
}

// Any head and any number of pairs: a warp a head, a lane a pair, then a lane a number.
template <Step STEP>
__device__ __forceinline__ void any(const Call& p) {
    const long long work = static_cast<long long>(blockIdx.x) * (ROW_THREADS / 32) + threadIdx.x / 32;
    const int all = p.of[0].heads + p.of[1].heads, lane = threadIdx.x % 32;
    const long long token = work / all;
    if (token >= p.tokens) return;
    const int head = static_cast<int>(work % all);
    const bool other = head >= p.of[0].heads;
    const Heads& of = p.of[other];
    const long long row = token * of.heads + (other ? head - p.of[0].heads : head);
    const bf16 *x = of.x + row * p.head_dim, *dy = of.dy + row * p.head_dim;
    bf16* const out = of.out + row * p.head_dim;
    const long long angles = angles_of(p, static_cast<int>(token));
    const float nan = __int_as_float(0x7fffffff), sign = p.transposed ? -1.f : 1.f;
    const auto weight = [&](int i) { return load_as_float(of.weight, of.format, i); };
    const auto number = [](const bf16* from, int i) { return __bfloat162float(from[i]); };
    // Calls f(first, second, cos, sin) for this lane's pairs and g(column) for its numbers beyond them.
    const auto visit = [&](auto f, auto g) {
        for (int pair = lane; pair < p.pairs; pair += 32) {
            f(p.interleaved ? 2 * pair : pair, p.interleaved ? 2 * pair + 1 : pair + p.pairs, angles < 0 ? nan : p.cos[angles + pair],
              angles < 0 ? nan : sign * p.sin[angles + pair]);
        }
        if constexpr (STEP != ROTATE) {
            for (int i = 2 * p.pairs + lane; i < p.head_dim; i += 32) g(i);
        }
    };
    if constexpr (STEP == ROTATE) {
        visit([&](int i, int j, float cos, float sin) {
            float a = number(x, i), b = number(x, j);
            turn(a, b, cos, sin);
            out[i] = __float2bfloat16_rn(a), out[j] = __float2bfloat16_rn(b);
        }, [](int) {});
    } else if constexpr (STEP == NORM) {
        float squares = 0.f;
        for (int i = lane; i < p.head_dim; i += 32) squares += number(x, i) * number(x, i);
        const float rstd = 1.f / sqrtf(warp_sum(squares) / p.head_dim + p.epsilon);
        if (lane == 0) of.rstd[row] = rstd;
        visit([&](int i, int j, float cos, float sin) {
            float a = number(x, i) * rstd * weight(i), b = number(x, j) * rstd * weight(j);
            turn(a, b, cos, sin);
            out[i] = __float2bfloat16_rn(a), out[j] = __float2bfloat16_rn(b);
        }, [&](int i) { out[i] = __float2bfloat16_rn(number(x, i) * rstd * weight(i)); });
    } else {
        const float rstd = of.rstd[row];
        float dot = 0.f;
        visit([&](int i, int j, float cos, float sin) {
            float a = number(dy, i), b = number(dy, j);
            turn(a, b, cos, sin);
            dot += weight(i) * a * (number(x, i) * rstd) + weight(j) * b * (number(x, j) * rstd);
        }, [&](int i) { dot += weight(i) * number(dy, i) * (number(x, i) * rstd); });
        const float mean = warp_sum(dot) / p.head_dim;
        visit([&](int i, int j, float cos, float sin) {
            float a = number(dy, i), b = number(dy, j);
            turn(a, b, cos, sin);
            const float first = rstd * (weight(i) * a - number(x, i) * rstd * mean), second = rstd * (weight(j) * b - number(x, j) * rstd * mean);
            out[i] = __float2bfloat16_rn(first), out[j] = __float2bfloat16_rn(second);
        }, [&](int i) { out[i] = __float2bfloat16_rn(rstd * (weight(i) * number(dy, i) - number(x, i) * rstd * mean)); });
    }
}

}  // namespace rotary

#define ROTARY(NAME, STEP)                                                                                                                      \
    extern "C" __global__ void __launch_bounds__(ROW_THREADS) NAME##_8(const __grid_constant__ rotary::Call p) { rotary::heads<8, STEP>(p); }   \
    extern "C" __global__ void __launch_bounds__(ROW_THREADS) NAME##_16(const __grid_constant__ rotary::Call p) { rotary::heads<16, STEP>(p); } \
    extern "C" __global__ void __launch_bounds__(ROW_THREADS) NAME##_32(const __grid_constant__ rotary::Call p) { rotary::heads<32, STEP>(p); } \
    extern "C" __global__ void __launch_bounds__(ROW_THREADS) NAME##_any(const __grid_constant__ rotary::Call p) { rotary::any<STEP>(p); }
ROTARY(rotate, rotary::ROTATE)
ROTARY(norm_rotate, rotary::NORM)
ROTARY(norm_rotate_backward, rotary::NORM_BACKWARD)
#undef ROTARY
