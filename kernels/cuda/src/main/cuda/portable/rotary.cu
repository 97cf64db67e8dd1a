/* Rotary position embedding, alone or after a norm of every head: (a, b) -> (a cos - b sin, b cos + a sin) for each pair.
 *   rotate_*                 x = R x, or R^T x for gradients, in place
 *   norm_rotate_*            out = R (weight * (x * rstd)), rstd = 1 / sqrt(mean(x^2) + epsilon)
 *   norm_rotate_backward_*   out = gradient of x for the gradient `dy` of the rotated heads
 * Shapes    x, dy, out [tokens, heads, head_dim] bf16   weight [head_dim] f32 | bf16 | f16   rstd [tokens, heads] f32
 *           positions [tokens] int32   cos, sin [max positions, pairs] f32; two tensors with heads of their own share a launch
 * Requires  2 * pairs <= head_dim; pairs are (i, i + pairs), or (2i, 2i + 1) where interleaved; a position outside the table writes NaN and a fault
 *           out may be x or dy; _8, _16, _32: head_dim % 8 == 0, at most 8 * LANES, pairs % 4 == 0, pointers 16-byte aligned; _any: nothing more
 * Accumulates fp32; one rounding at the store
 * Launch    block ROW_THREADS; _8, _16, _32: a warp for ROTARY_ROWS * 32 / LANES heads of one token and one tensor; _any: a warp a head
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

// Eight numbers of a head as one lane holds them: four pairs. They lie in two runs of four, which are the two halves of the pairs, or, where
// INTERLEAVED, neighbouring pairs.
template <bool INTERLEAVED>
struct Pairs {
    float a[4], b[4];

    __device__ __forceinline__ static Pairs of(uint2 first, uint2 second) {
        if constexpr (INTERLEAVED) {
            return {{low(first.x), low(first.y), low(second.x), low(second.y)}, {high(first.x), high(first.y), high(second.x), high(second.y)}};
        } else {
            return {{low(first.x), high(first.x), low(first.y), high(first.y)}, {low(second.x), high(second.x), low(second.y), high(second.y)}};
        }
    }

    __device__ __forceinline__ static Pairs of(float4 first, float4 second) {
        if constexpr (INTERLEAVED) return {{first.x, first.z, second.x, second.z}, {first.y, first.w, second.y, second.w}};
        else return {{first.x, first.y, first.z, first.w}, {second.x, second.y, second.z, second.w}};
    }

    __device__ __forceinline__ float dot(const Pairs& other) const {
        float total = 0.f;
#pragma unroll
        for (int i = 0; i < 4; i++) total += a[i] * other.a[i] + b[i] * other.b[i];
        return total;
    }

    __device__ __forceinline__ void store(bf16* first, bf16* second) const {
        if constexpr (INTERLEAVED) {
            *reinterpret_cast<uint2*>(first) = make_uint2(pack(a[0], b[0]), pack(a[1], b[1]));
            *reinterpret_cast<uint2*>(second) = make_uint2(pack(a[2], b[2]), pack(a[3], b[3]));
        } else {
            *reinterpret_cast<uint2*>(first) = make_uint2(pack(a[0], a[1]), pack(a[2], a[3]));
            *reinterpret_cast<uint2*>(second) = make_uint2(pack(b[0], b[1]), pack(b[2], b[3]));
        }
    }
};

// What turns a lane's pairs in every head of a token, the norm's weight included: (a, b) -> (a[0] a - a[1] b, b[0] b + b[1] a).
template <Step STEP, bool INTERLEAVED>
struct Turn {
    float of_a[2][4], of_b[2][4];

    // R diag(weight) forwards, diag(weight) R^T backwards, where `sin` already has its sign.
    __device__ __forceinline__ Turn(const float4& cos, const float4& sin, const Pairs<INTERLEAVED>& weight) {
        const float c[4] = {cos.x, cos.y, cos.z, cos.w}, s[4] = {sin.x, sin.y, sin.z, sin.w};
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const float wa = STEP == ROTATE ? 1.f : weight.a[i], wb = STEP == ROTATE ? 1.f : weight.b[i];
            of_a[0][i] = c[i] * wa, of_a[1][i] = s[i] * (STEP == NORM ? wb : wa);
            of_b[0][i] = c[i] * wb, of_b[1][i] = s[i] * (STEP == NORM ? wa : wb);
        }
    }

    __device__ __forceinline__ Pairs<INTERLEAVED> operator()(const Pairs<INTERLEAVED>& x) const {
        Pairs<INTERLEAVED> y;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            y.a[i] = of_a[0][i] * x.a[i] - of_a[1][i] * x.b[i];
            y.b[i] = of_b[0][i] * x.b[i] + of_b[1][i] * x.a[i];
        }
        return y;
    }
};

// A warp takes ROTARY_ROWS times 32 / LANES heads of one token and one tensor, LANES lanes a head. What is the same for all of them (angles, weight,
// addresses) is found once: a head costs few more instructions than its numbers need, of which this kernel would otherwise have too many.
template <int LANES, Step STEP, bool INTERLEAVED>
__device__ __forceinline__ void heads(const Call& p) {
    using Numbers = Pairs<INTERLEAVED>;
    constexpr int TOGETHER = 32 / LANES, ROWS = ROTARY_ROWS, SHARE = ROWS * TOGETHER;
    const unsigned work = blockIdx.x * (ROW_THREADS / 32) + threadIdx.x / 32;
    const unsigned first_shares = (p.of[0].heads + SHARE - 1) / SHARE, shares = first_shares + (p.of[1].heads + SHARE - 1) / SHARE;
    const int token = work / shares, lane = threadIdx.x % 32, chunk = lane % LANES;
    if (token >= p.tokens) return;
    const unsigned share = work % shares;
    const bool other = share >= first_shares;
    const Heads& of = p.of[other];
    const int begin = static_cast<int>(other ? share - first_shares : share) * SHARE + lane / LANES, left = of.heads - begin;
    const int turning = p.pairs / 4;                          // chunks that are rotated; those after them are not
    const bool inside = chunk < (STEP == ROTATE ? turning : p.head_dim / 8), halves = chunk < turning && !INTERLEAVED;
    const int first = halves ? chunk * 4 : chunk * 8, second = halves ? p.pairs + chunk * 4 : first + 4;
    const long long row = static_cast<long long>(token) * of.heads + begin, at = row * p.head_dim;
    const int step = TOGETHER * p.head_dim;

    // What is read goes on its way before anything waits.
    uint2 xa[ROWS] = {}, xb[ROWS] = {}, da[ROWS] = {}, db[ROWS] = {};
    float saved[ROWS] = {};
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (!inside || r * TOGETHER >= left) continue;
        xa[r] = *reinterpret_cast<const uint2*>(of.x + at + r * step + first);
        xb[r] = *reinterpret_cast<const uint2*>(of.x + at + r * step + second);
        if constexpr (STEP == NORM_BACKWARD) {
            da[r] = *reinterpret_cast<const uint2*>(of.dy + at + r * step + first);
            db[r] = *reinterpret_cast<const uint2*>(of.dy + at + r * step + second);
            saved[r] = of.rstd[row + r * TOGETHER];
        }
    }
    float4 wa = {}, wb = {};
    if constexpr (STEP != ROTATE) {
        if (inside) wa = load_four(of.weight, of.format, first), wb = load_four(of.weight, of.format, second);
    }
    float4 cos = make_float4(1.f, 1.f, 1.f, 1.f), sin = {};
    if (chunk < turning) {
        const long long angles = angles_of(p, token);
        const float nan = __int_as_float(0x7fffffff), sign = p.transposed ? -1.f : 1.f;
        cos = sin = make_float4(nan, nan, nan, nan);
        if (angles >= 0) {
            cos = *reinterpret_cast<const float4*>(p.cos + angles + chunk * 4);
            sin = *reinterpret_cast<const float4*>(p.sin + angles + chunk * 4);
        }
        sin = make_float4(sin.x * sign, sin.y * sign, sin.z * sign, sin.w * sign);
    }
    const Turn<STEP, INTERLEAVED> turn_pairs(cos, sin, Numbers::of(wa, wb));
    const float share_of_mean = 1.f / p.head_dim;
    bf16* const out = of.out + at;
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        const bool here = r * TOGETHER < left;
        const Numbers x = Numbers::of(xa[r], xb[r]);
        Numbers y;
        if constexpr (STEP == NORM_BACKWARD) {
            y = turn_pairs(Numbers::of(da[r], db[r]));
            const float rstd = saved[r], mean = rstd * rstd * rstd * share_of_mean * lanes_sum<LANES>(y.dot(x));
#pragma unroll
            for (int i = 0; i < 4; i++) y.a[i] = rstd * y.a[i] - mean * x.a[i], y.b[i] = rstd * y.b[i] - mean * x.b[i];
        } else {
            y = turn_pairs(x);
        }
        if constexpr (STEP == NORM) {
            const float rstd = rsqrtf(lanes_sum<LANES>(x.dot(x)) * share_of_mean + p.epsilon);
            if (chunk == 0 && here) of.rstd[row + r * TOGETHER] = rstd;
#pragma unroll
            for (int i = 0; i < 4; i++) y.a[i] *= rstd, y.b[i] *= rstd;
        }
        if (inside && here) y.store(out + r * step + first, out + r * step + second);
    }
}

template <int LANES, Step STEP>
__device__ __forceinline__ void heads(const Call& p) {
    if (p.interleaved) heads<LANES, STEP, true>(p);
    else heads<LANES, STEP, false>(p);
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
