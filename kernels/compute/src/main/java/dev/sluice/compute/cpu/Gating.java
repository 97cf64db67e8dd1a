package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.set;

import dev.sluice.compute.op.GatedActivation;

/// Kernels of the gated activations, over addresses of floats.
enum Gating {
    SWIGLU {
        @Override
        void forward(long gate, long up, int count, long out) {
            Swiglu.forward(gate, up, count, out);
        }

        @Override
        void backward(long dOut, long gate, long up, int count, long dGate, long dUp) {
            Swiglu.backward(dOut, gate, up, count, dGate, dUp);
        }
    },
    CLAMPED_SWIGLU {
        @Override
        void forward(long gate, long up, int count, long out) {
            for (int i = 0; i < count; i++) {
                float g = Math.min(get(at(gate, i)), LIMIT);
                float u = Math.clamp(get(at(up, i)), -LIMIT, LIMIT);
                set(at(out, i), (u + 1f) * (g * sigmoid(ALPHA * g)));
            }
        }

        @Override
        void backward(long dOut, long gate, long up, int count, long dGate, long dUp) {
            for (int i = 0; i < count; i++) {
                float g = get(at(gate, i));
                float u = get(at(up, i));
                float d = get(at(dOut, i));
                float clamped = Math.min(g, LIMIT);
                float s = sigmoid(ALPHA * clamped);
                float bounded = Math.clamp(u, -LIMIT, LIMIT);
                set(at(dGate, i), g > LIMIT ? 0f : d * (bounded + 1f) * s * (1f + ALPHA * clamped * (1f - s)));
                set(at(dUp, i), u != bounded ? 0f : d * clamped * s);
            }
        }
    },
    GEGLU {
        @Override
        void forward(long gate, long up, int count, long out) {
            for (int i = 0; i < count; i++) {
                float g = get(at(gate, i));
                set(at(out, i), g * gelu(g) * get(at(up, i)));
            }
        }

        /// With `h = sigmoid(2 y)` and `y = c (x + k x^3)`: `gelu = x h`, `gelu' = h + x * 2 h (1 - h) * y'`.
        @Override
        void backward(long dOut, long gate, long up, int count, long dGate, long dUp) {
            for (int i = 0; i < count; i++) {
                float g = get(at(gate, i));
                float d = get(at(dOut, i));
                float h = gelu(g);
                float slope = h + g * 2f * h * (1f - h) * ROOT * (1f + 3f * CUBIC * g * g);
                float forGate = d * get(at(up, i)) * slope;
                set(at(dUp, i), d * g * h);
                set(at(dGate, i), forGate);
            }
        }
    },
    BILINEAR {
        @Override
        void forward(long gate, long up, int count, long out) {
            for (int i = 0; i < count; i++) {
                set(at(out, i), get(at(gate, i)) * get(at(up, i)));
            }
        }

        @Override
        void backward(long dOut, long gate, long up, int count, long dGate, long dUp) {
            for (int i = 0; i < count; i++) {
                float d = get(at(dOut, i));
                float forGate = d * get(at(up, i));
                set(at(dUp, i), d * get(at(gate, i)));
                set(at(dGate, i), forGate);
            }
        }
    };

    private static final float LIMIT = 7f;
    private static final float ALPHA = 1.702f;
    private static final float ROOT = 0.7978845608f;
    private static final float CUBIC = 0.044715f;

    abstract void forward(long gate, long up, int count, long out);

    /// `dGate` and `dUp` may be `gate` and `up`.
    abstract void backward(long dOut, long gate, long up, int count, long dGate, long dUp);

    static Gating of(GatedActivation activation) {
        return switch (activation) {
            case SWIGLU -> SWIGLU;
            case CLAMPED_SWIGLU -> CLAMPED_SWIGLU;
            case GEGLU -> GEGLU;
            case BILINEAR -> BILINEAR;
        };
    }

    private static float sigmoid(float x) {
        return 1f / (1f + Lanes.exp(-x));
    }

    /// `(1 + tanh(y)) / 2 = sigmoid(2 y)`: what gelu multiplies its argument by.
    private static float gelu(float x) {
        return sigmoid(2f * ROOT * (x + CUBIC * x * x * x));
    }
}
