package dev.sluice.compute.probe;

import dev.sluice.compute.DType;
import dev.sluice.compute.op.AttentionOps.Shape;
import java.util.Arrays;
import java.util.List;

/// Causal attention over packed documents.
final class AttentionTrials {
    private static final int DEEPSEEK_KEYS = 192;
    private static final int DEEPSEEK_VALUES = 128;

    private AttentionTrials() {}

    static Trial attention(Ragged ragged) {
        int[] documents = ragged.documents();
        int kvHeads = ragged.upTo(2);
        int heads = kvHeads * ragged.upTo(4);
        int width = ragged.of(16, 32, 64, 128, 192, 256);
        int window = ragged.of(0, 0, 1 + ragged.upTo(100));
        return attention(documents, heads, kvHeads, width, window, ragged.of(0, 1) == 1);
    }

    static Trial attention(int[] documents, int heads, int kvHeads, int width, int window, boolean sinks) {
        int tokens = Arrays.stream(documents).sum();
        int valueWidth = width == DEEPSEEK_KEYS ? DEEPSEEK_VALUES : width;
        String sizes = Arrays.toString(documents) + " x " + heads + "/" + kvHeads + " x " + width + ", window " + window + (sinks ? ", sinks" : "");
        return new Trial("attention", sizes, side -> {
            var shape = new Shape(heads, kvHeads, width, valueWidth, (float) (1 / Math.sqrt(width)), window,
                    sinks ? side.float32("sinks", 1, heads) : null);
            var segments = side.segments(documents);
            var q = side.activations("q", 1, tokens, heads, width);
            var k = side.activations("k", 1, tokens, kvHeads, width);
            var v = side.activations("v", 1, tokens, kvHeads, valueWidth);
            var out = side.output("out", tokens, heads, valueWidth);
            var lse = side.poisoned("lse", DType.FLOAT32, tokens, heads);
            side.scratched(scratch -> side.backend().attention().forward(q, k, v, segments, shape, out, lse, scratch));
            var dOut = side.activations("dOut", 1, tokens, heads, valueWidth);
            var dq = side.output("dq", q.shape());
            var dk = side.output("dk", k.shape());
            var dv = side.output("dv", v.shape());
            side.scratched(scratch -> side.backend().attention().backward(dOut, q, k, v, out, lse, segments, shape, dq, dk, dv, scratch));
            return List.of(new Output("out", out, 2), new Output("lse", lse, 0), new Output("dq", dq, 5), new Output("dk", dk, 5),
                    new Output("dv", dv, 3));
        });
    }
}
