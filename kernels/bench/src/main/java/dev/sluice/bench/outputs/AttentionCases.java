package dev.sluice.bench.outputs;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.op.AttentionOps.Shape;
import dev.sluice.compute.op.RotaryOps.Angles;
import dev.sluice.compute.op.RotaryOps.NormedHeads;
import dev.sluice.compute.op.RotaryOps.Pairing;
import java.util.Arrays;
import java.util.List;

/// Attention over packed documents in every pair of widths that has kernels of its own, and what stands before it.
final class AttentionCases {
    private static final int[] DOCUMENTS = {300, 1, 129, 207};
    private static final int TOKENS = Arrays.stream(DOCUMENTS).sum();
    private static final float EPSILON = 1e-6f;
    private static final double THETA = 1e4;

    private AttentionCases() {}

    static List<OutputCase> all() {
        return List.of(attention("attention 128", 8, 2, 128, 128, 0, false),
                attention("attention 64 with window and sinks", 8, 1, 64, 64, 128, true),
                attention("attention 64 with sinks", 8, 1, 64, 64, 0, true),
                attention("attention 256", 4, 4, 256, 256, 0, false), attention("attention 192 and 128", 4, 4, 192, 128, 0, false),
                rmsNorm(777, 2048), normRotate(8, 2, 128));
    }

    private static OutputCase attention(String name, int heads, int kvHeads, int width, int valueWidth, int window, boolean sinks) {
        return new OutputCase(name, "attention", one -> {
            var side = one.side();
            var shape = new Shape(heads, kvHeads, width, valueWidth, (float) (1 / Math.sqrt(width)), window,
                    sinks ? one.input("sinks", side.float32("sinks", 1, heads)) : null);
            one.setting("window", window);
            one.setting("scale", shape.scale());
            var segments = side.segments(DOCUMENTS);
            one.input("starts", segments.device());
            var q = one.input("q", 1, TOKENS, heads, width);
            var k = one.input("k", 1, TOKENS, kvHeads, width);
            var v = one.input("v", 1, TOKENS, kvHeads, valueWidth);
            var dOut = one.input("d.y", 1, TOKENS, heads, valueWidth);
            var y = one.output("y", TOKENS, heads, valueWidth);
            var lse = side.poisoned("lse", DType.FLOAT32, TOKENS, heads);
            var dq = one.output("d.q", q.shape());
            var dk = one.output("d.k", k.shape());
            var dv = one.output("d.v", v.shape());
            var attention = side.backend().attention();
            side.scratched(scratch -> attention.forward(q, k, v, segments, shape, y, lse, scratch));
            side.scratched(scratch -> attention.backward(dOut, q, k, v, y, lse, segments, shape, dq, dk, dv, scratch));
        });
    }

    private static OutputCase rmsNorm(int rows, int width) {
        return new OutputCase("rms norm", "rms_norm", one -> {
            var x = one.input("x", 2, rows, width);
            var weight = one.input("weight", 1, width);
            var dy = one.input("d.y", 1, rows, width);
            var y = one.output("y", rows, width);
            var dx = one.output("d.x", rows, width);
            var rstd = one.side().poisoned("rstd", DType.FLOAT32, rows);
            one.setting("epsilon", EPSILON);
            var norm = one.side().backend().norm();
            norm.rmsNorm(x, weight, EPSILON, y, rstd);
            norm.rmsNormBackward(dy, x, weight, rstd, dx, Accumulate.REPLACE);
        });
    }

    private static OutputCase normRotate(int heads, int kvHeads, int width) {
        return new OutputCase("norm and rotate", "norm_rotate", one -> {
            var side = one.side();
            float[] cos = new float[TOKENS * width / 2];
            float[] sin = new float[cos.length];
            for (int i = 0; i < cos.length; i++) {
                double angle = i / (width / 2) * Math.pow(THETA, -(i % (width / 2)) / (width / 2.0));
                cos[i] = (float) Math.cos(angle);
                sin[i] = (float) Math.sin(angle);
            }
            var positions = one.input("positions", side.ints("positions", side.random().ints(TOKENS, 0, TOKENS).toArray(), TOKENS));
            var angles = new Angles(positions, one.input("cos", side.float32("cos", cos, TOKENS, width / 2)),
                    one.input("sin", side.float32("sin", sin, TOKENS, width / 2)), Pairing.HALVES);
            one.setting("epsilon", EPSILON);
            var query = heads(one, "q", heads, width);
            var key = heads(one, "k", kvHeads, width);
            // The gradients are written over what they are made of.
            var dQuery = one.output("d.q", one.input("d.yq", 1, TOKENS, heads, width));
            var dKey = one.output("d.k", one.input("d.yk", 1, TOKENS, kvHeads, width));
            var rotary = side.backend().rotary();
            rotary.normRotate(query, one.output("yq", TOKENS, heads, width), key, one.output("yk", TOKENS, kvHeads, width), EPSILON, angles);
            rotary.normRotateBackward(query, dQuery, key, dKey, angles);
        });
    }

    private static NormedHeads heads(Recording one, String name, int heads, int width) {
        return new NormedHeads(one.input(name, 2, TOKENS, heads, width), one.input(name + "Weight", 1, width),
                one.side().poisoned("rstd", DType.FLOAT32, (long) TOKENS * heads));
    }
}
