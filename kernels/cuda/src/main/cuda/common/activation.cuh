/* The gated activations: out = activation(gate, up) and its two partial derivatives. Source: Shazeer 2020; gpt-oss for the clamped one. */
#pragma once
#include "numbers.cuh"

namespace activation {

// The values are the ordinals of Java's GatedActivation.
enum Kind : int { SWIGLU = 0, CLAMPED_SWIGLU = 1, GEGLU = 2, BILINEAR = 3 };

struct Gated { float out, d_gate, d_up; };

template <int KIND>
__device__ __forceinline__ Gated evaluate(float g, float u) {
    if constexpr (KIND == SWIGLU) {
        const float s = quick_sigmoid(g), silu = g * s;
        return {silu * u, u * (s + silu - silu * s), silu};
    } else if constexpr (KIND == CLAMPED_SWIGLU) {
        constexpr float LIMIT = 7.f, ALPHA = 1.702f;
        const float c = g > LIMIT ? LIMIT : g, b = u > LIMIT ? LIMIT : u < -LIMIT ? -LIMIT : u;
        const float s = quick_sigmoid(ALPHA * c);
        return {(b + 1.f) * (c * s), g > LIMIT ? 0.f : (b + 1.f) * s * (1.f + ALPHA * c * (1.f - s)), u != b ? 0.f : c * s};
    } else if constexpr (KIND == GEGLU) {
        constexpr float ROOT = 0.7978845608f, CUBIC = 0.044715f;
        const float h = quick_sigmoid(2.f * ROOT * (g + CUBIC * g * g * g));   // (1 + tanh(y)) / 2 = quick_sigmoid(2 y)
        return {g * h * u, u * (h + g * 2.f * h * (1.f - h) * ROOT * (1.f + 3.f * CUBIC * g * g)), g * h};
    } else {
        return {g * u, u, g};
    }
}

template <int KIND>
struct Tag { static constexpr int kind = KIND; };

// Calls f with the kind as a constant of its type.
template <typename F>
__device__ __forceinline__ void choose(int kind, F f) {
    switch (kind) {
        case CLAMPED_SWIGLU: f(Tag<CLAMPED_SWIGLU>()); break;
        case GEGLU: f(Tag<GEGLU>()); break;
        case BILINEAR: f(Tag<BILINEAR>()); break;
        default: f(Tag<SWIGLU>()); break;
    }
}

}  // namespace activation
