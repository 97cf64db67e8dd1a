package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.load;
import static dev.sluice.compute.cpu.Memory.set;
import static dev.sluice.compute.cpu.Memory.store;
import static dev.sluice.compute.cpu.Memory.whole;

import jdk.incubator.vector.FloatVector;

/// SwiGLU on rows: `silu(gate) * up`. Source: Shazeer 2020.
final class Swiglu {
    private Swiglu() {}

    static void forward(long gate, long up, int count, long out) {
        int i = 0;
        for (; i < whole(count); i += LANES) {
            var g = load(at(gate, i));
            store(g.mul(sigmoid(g)).mul(load(at(up, i))), at(out, i));
        }
        for (; i < count; i++) {
            float g = get(at(gate, i));
            set(at(out, i), g * sigmoid(g) * get(at(up, i)));
        }
    }

    /// `dUp = dOut * silu(gate)`, `dGate = dOut * up * sigmoid(gate) * (1 + gate * (1 - sigmoid(gate)))`.
    static void backward(long dOut, long gate, long up, int count, long dGate, long dUp) {
        int i = 0;
        for (; i < whole(count); i += LANES) {
            var g = load(at(gate, i));
            var d = load(at(dOut, i));
            var s = sigmoid(g);
            var slope = s.mul(g.mul(s.neg().add(1f)).add(1f));
            var forGate = d.mul(load(at(up, i))).mul(slope);
            store(d.mul(g.mul(s)), at(dUp, i));
            store(forGate, at(dGate, i));
        }
        for (; i < count; i++) {
            float g = get(at(gate, i));
            float d = get(at(dOut, i));
            float s = sigmoid(g);
            float forGate = d * get(at(up, i)) * (s * (1f + g * (1f - s)));
            set(at(dUp, i), d * (g * s));
            set(at(dGate, i), forGate);
        }
    }

    private static FloatVector sigmoid(FloatVector x) {
        return FloatVector.broadcast(Memory.SPECIES, 1f).div(Lanes.exp(x.neg()).add(1f));
    }

    private static float sigmoid(float x) {
        return 1f / (1f + Lanes.exp(-x));
    }
}
