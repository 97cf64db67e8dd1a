package dev.sluice.compute.probe;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.op.GatedActivation;
import dev.sluice.compute.op.OptimizerOps.AdamW;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.compute.op.RotaryOps.Angles;
import dev.sluice.compute.op.RotaryOps.Direction;
import dev.sluice.compute.op.RotaryOps.NormedHeads;
import dev.sluice.compute.op.RotaryOps.Pairing;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/// Operations that look at one element or one row at a time, and the optimiser.
final class SimpleTrials {
    private static final int UPDATES = 3;

    private SimpleTrials() {}

    static Trial embed(Ragged ragged) {
        int tokens = ragged.rows();
        int width = ragged.width();
        int vocabulary = ragged.upTo(500);
        return new Trial("embed", tokens + " of " + vocabulary + " x " + width, side -> {
            var table = side.activations("table", 1, vocabulary, width);
            var ids = side.ints("ids", side.random().ints(tokens, 0, vocabulary).toArray(), tokens);
            var out = side.output("out", tokens, width);
            side.backend().elementwise().embed(ids, table, out);
            return List.of(new Output("out", out, 1));
        });
    }

    static Trial add(Ragged ragged) {
        int rows = ragged.rows();
        int width = ragged.width();
        return new Trial("add", rows + " x " + width, side -> {
            var out = side.output("out", rows, width);
            side.backend().elementwise().add(side.activations("left", 1, rows, width), side.activations("right", 1, rows, width), out);
            return List.of(new Output("out", out, 1));
        });
    }

    static Trial gated(Ragged ragged) {
        int rows = ragged.rows();
        int width = ragged.width();
        var activation = GatedActivation.values()[ragged.upTo(GatedActivation.values().length) - 1];
        return new Trial("gated", rows + " x " + width + ", " + activation, side -> {
            var gate = side.activations("gate", 2, rows, width);
            var up = side.activations("up", 1, rows, width);
            var out = side.output("out", rows, width);
            side.backend().elementwise().gated(activation, gate, up, out);
            side.backend().elementwise().gatedBackward(activation, side.activations("dOut", 1, rows, width), gate, up, gate, up);
            return List.of(new Output("out", out, 1), new Output("dGate", gate, 1), new Output("dUp", up, 1));
        });
    }

    static Trial scale(Ragged ragged) {
        int rows = ragged.rows();
        int width = ragged.width();
        return new Trial("scale", rows + " x " + width, side -> {
            var x = side.activations("x", 1, rows, width);
            side.backend().elementwise().scale(x, 0.3f);
            return List.of(new Output("x", x, 1));
        });
    }

    static Trial columns(Ragged ragged) {
        int rows = ragged.rows();
        int repeat = ragged.upTo(4);
        int columns = ragged.width();
        int from = ragged.upTo(9);
        int to = ragged.upTo(9);
        return new Trial("columns", rows + " x " + columns + ", repeated " + repeat, side -> {
            var one = side.activations("one", 1, rows, from + columns);
            var all = side.activations("all", 1, rows, repeat, to + columns);
            side.backend().elementwise().copyColumns(one, from, all, to, columns);
            var sum = side.activations("sum", 1, rows, from + columns);
            side.backend().elementwise().sumColumns(side.activations("gradient", 1, rows, repeat, to + columns), to, sum, from, columns);
            return List.of(Output.exact("all", all), new Output("sum", sum, 1));
        });
    }

    static Trial zero(Ragged ragged) {
        int rows = ragged.rows();
        int width = ragged.width();
        return new Trial("zero", rows + " x " + width, side -> {
            var out = side.output("out", rows, width);
            side.backend().elementwise().zero(out);
            return List.of(Output.exact("out", out));
        });
    }

    static Trial rmsNorm(Ragged ragged) {
        int rows = ragged.rows();
        int width = ragged.width();
        return new Trial("rms norm", rows + " x " + width, side -> {
            var x = side.activations("x", 2, rows, width);
            var weight = side.activations("weight", 1, width);
            var y = side.output("y", rows, width);
            var rstd = side.poisoned("rstd", DType.FLOAT32, rows);
            side.backend().norm().rmsNorm(x, weight, 1e-6f, y, rstd);
            var dx = side.activations("dx", 1, rows, width);
            side.backend().norm().rmsNormBackward(side.activations("dy", 1, rows, width), x, weight, rstd, dx, Accumulate.ADD);
            return List.of(new Output("y", y, 1), new Output("rstd", rstd, 0), new Output("dx", dx, 2));
        });
    }

    static Trial addRmsNorm(Ragged ragged) {
        int rows = ragged.rows();
        int width = ragged.width();
        return new Trial("add and rms norm", rows + " x " + width, side -> {
            var sum = side.output("sum", rows, width);
            var y = side.output("y", rows, width);
            var rstd = side.poisoned("rstd", DType.FLOAT32, rows);
            side.backend().norm().addRmsNorm(side.activations("x", 2, rows, width), side.activations("added", 1, rows, width),
                    side.activations("weight", 1, width), 1e-6f, sum, y, rstd);
            return List.of(new Output("sum", sum, 1), new Output("y", y, 2), new Output("rstd", rstd, 1));
        });
    }

    static Trial normRotate(Ragged ragged) {
        int tokens = ragged.rows();
        int heads = ragged.upTo(6);
        int width = ragged.of(16, 64, 96, 128, 256);
        int rotated = ragged.of(width / 2, width);
        var pairing = ragged.of(0, 1) == 0 ? Pairing.HALVES : Pairing.INTERLEAVED;
        return new Trial("norm and rotate", tokens + " x " + heads + " + 1 x " + width + ", " + rotated + " " + pairing, side -> {
            var positions = side.ints("positions", side.random().ints(tokens, 0, tokens).toArray(), tokens);
            var angles = new Angles(positions, side.float32("cos", 0.7, tokens, rotated / 2), side.float32("sin", 0.7, tokens, rotated / 2),
                    pairing);
            var query = normedHeads(side, tokens, heads, width);
            var key = normedHeads(side, tokens, 1, width);
            var rotatedQuery = side.output("rotatedQuery", tokens, heads, width);
            var rotatedKey = side.output("rotatedKey", tokens, 1, width);
            side.backend().rotary().normRotate(query, rotatedQuery, key, rotatedKey, 1e-6f, angles);
            var dQuery = side.activations("dQuery", 1, tokens, heads, width);
            var dKey = side.activations("dKey", 1, tokens, 1, width);
            side.backend().rotary().normRotateBackward(query, dQuery, key, dKey, angles);
            return List.of(new Output("rotatedQuery", rotatedQuery, 1), new Output("rotatedKey", rotatedKey, 1),
                    new Output("dQuery", dQuery, 1), new Output("dKey", dKey, 1));
        });
    }

    private static NormedHeads normedHeads(Side side, int tokens, int heads, int width) {
        return new NormedHeads(side.activations("projected", 2, tokens, heads, width), side.activations("weight", 1, width),
                side.poisoned("rstd", DType.FLOAT32, (long) tokens * heads));
    }

    static Trial rotate(Ragged ragged) {
        int tokens = ragged.rows();
        int heads = ragged.upTo(4);
        int width = ragged.of(16, 32, 64, 128);
        int rotated = ragged.of(width / 2, width);
        var pairing = ragged.of(0, 1) == 0 ? Pairing.HALVES : Pairing.INTERLEAVED;
        var direction = ragged.of(0, 1) == 0 ? Direction.FORWARD : Direction.BACKWARD;
        return new Trial("rotate", tokens + " x " + heads + " x " + width + ", " + rotated + " " + pairing + " " + direction, side -> {
            var x = side.activations("x", 1, tokens, heads, width);
            var positions = side.ints("positions", side.random().ints(tokens, 0, tokens).toArray(), tokens);
            side.backend().rotary().rotate(x, positions, side.float32("cos", 0.7, tokens, rotated / 2),
                    side.float32("sin", 0.7, tokens, rotated / 2), pairing, direction);
            return List.of(new Output("x", x, 1));
        });
    }

    static Trial adamw(Ragged ragged) {
        return adamw(64 * ragged.upTo(300));
    }

    static Trial adamw(int size) {
        return new Trial("adamw", UPDATES + " updates of " + size, side -> {
            var arena = side.backend().optimizer().arena(side.scope(), size, OptimizerState.EXACT);
            float[] start = side.uniform(1, size);
            var outputs = new ArrayList<Output>();
            try (var host = Arena.ofConfined()) {
                arena.write(host.allocateFrom(ValueLayout.JAVA_FLOAT, start));
                for (int step = 1; step <= UPDATES; step++) {
                    side.upload(arena.gradients(), side.uniform(1, size));
                    var norm = side.poisoned("norm", DType.FLOAT32, 1);
                    side.backend().optimizer().update(arena, new AdamW(1e-2, 0.9, 0.999, 1e-8, 0.01, 2, step), norm);
                    outputs.add(new Output("norm " + step, norm, 0));
                }
                var exact = host.allocate(4L * size, Long.BYTES);
                arena.read(exact);
                outputs.add(new Output("parameters", side.upload(side.poisoned("parameters", DType.FLOAT32, size),
                        exact.toArray(ValueLayout.JAVA_FLOAT)), 0));
            }
            outputs.add(new Output("compute copy", arena.values(), 1));
            outputs.add(Output.exact("gradients", arena.gradients()));
            return outputs;
        });
    }
}
