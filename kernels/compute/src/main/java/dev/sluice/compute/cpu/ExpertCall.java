package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;

import dev.sluice.compute.DType;
import dev.sluice.compute.Lora;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ExpertOps.Experts;
import dev.sluice.compute.op.ExpertOps.Tape;
import dev.sluice.compute.op.Routing;
import java.util.Objects;

/// The checked shapes and addresses of one call of a routed layer, forward or backward.
///
/// @param z1 tape of the gate_up adapter, or 0
/// @param z2 tape of the down adapter, or 0
/// @param gateUpBias address of [experts, 2 * width], or 0
/// @param downBias address of [experts, hidden], or 0
record ExpertCall(int tokens, int topK, int experts, int hidden, int width, ExpertMatrix gateUp, ExpertMatrix down, long gateUpBias,
        long downBias, Gating gating, Adapter gateUpLora, Adapter downLora, long picksWeights, long offsets, long rowToken, long rowOfPick, long tape, long z1, long z2) {
    static ExpertCall of(String operation, Routing routing, Experts layer, Tape tape) {
        ExpertMatrix gateUp = ExpertMatrix.of(operation, layer.gateUp());
        ExpertMatrix down = ExpertMatrix.of(operation, layer.down());
        int width = down.in();
        int hidden = down.out();
        if (gateUp.out() != 2 * width || gateUp.in() != hidden || gateUp.experts() != down.experts()) {
            throw new IllegalArgumentException(operation + ": gate_up of " + gateUp.experts() + " x " + gateUp.out() + " x "
                    + gateUp.in() + " does not fit down of " + down.experts() + " x " + hidden + " x " + width);
        }
        int tokens = Math.toIntExact(routing.tokens());
        int topK = routing.topK();
        long rows = (long) tokens * topK;
        requireLora(operation, layer.gateUpLora(), gateUp);
        requireLora(operation, layer.downLora(), down);
        return new ExpertCall(tokens, topK, gateUp.experts(), hidden, width, gateUp, down,
                bias(operation, layer.gateUpBias(), gateUp), bias(operation, layer.downBias(), down),
                Gating.of(layer.activation()), Adapter.of(operation, layer.gateUpLora()), Adapter.of(operation, layer.downLora()),
                routing.weights().require(operation, DType.FLOAT32, tokens, topK).address(),
                routing.offsets().require(operation, DType.INT32, gateUp.experts() + 1L).address(),
                routing.rowToken().require(operation, DType.INT32, rows).address(),
                routing.rowOfPick().require(operation, DType.INT32, tokens, topK).address(),
                tape.gateUp().require(operation, DType.FLOAT32, rows, gateUp.out()).address(),
                z(operation, tape.gateUpZ(), rows, layer.gateUpRank()), z(operation, tape.downZ(), rows, layer.downRank()))
                .requireOffsets(operation);
    }

    private static void requireLora(String operation, Lora lora, ExpertMatrix base) {
        if (lora != null) {
            lora.a().require(operation, DType.FLOAT32, base.experts(), lora.rank(), base.in());
            lora.b().require(operation, DType.FLOAT32, base.experts(), base.out(), lora.rank());
        }
    }

    private static long bias(String operation, Tensor bias, ExpertMatrix base) {
        return bias == null ? 0 : bias.require(operation, DType.FLOAT32, base.experts(), base.out()).address();
    }

    private static long z(String operation, Tensor z, long rows, int rank) {
        if (rank == 0) {
            return 0;
        }
        if (z == null) {
            throw new IllegalArgumentException(operation + ": an expert stack with LoRA needs z FLOAT32 [" + rows + ", " + rank + "]");
        }
        return z.require(operation, DType.FLOAT32, rows, rank).address();
    }

    int rows() {
        return tokens * topK;
    }

    /// Floats of scratch memory that a product with an expert's matrices needs.
    int widened() {
        return Math.max(gateUp.scratch(), down.scratch());
    }

    long gateRow(int row) {
        return at(tape, (long) row * 2 * width);
    }

    long upRow(int row) {
        return at(gateRow(row), width);
    }

    /// Writes the bias of `expert` to rows of that width, or nothing without one; returns whether it did.
    static boolean bias(long biases, int expert, int width, long rows, int count) {
        for (int i = 0; biases != 0 && i < count; i++) {
            Memory.copy(at(biases, (long) expert * width), at(rows, (long) i * width), 4L * width);
        }
        return biases != 0;
    }

    long z1Row(int row) {
        return at(z1, (long) row * gateUpLora.rank());
    }

    long z2Row(int row) {
        return at(z2, (long) row * downLora.rank());
    }

    int token(int row) {
        return Objects.checkIndex(Memory.getInt(at(rowToken, row)), tokens);
    }

    /// Routed row of pick `pick`.
    int row(int pick) {
        return Objects.checkIndex(Memory.getInt(at(rowOfPick, pick)), rows());
    }

    /// The tables steer raw memory: a routing that was never written must not.
    private ExpertCall requireOffsets(String operation) {
        int before = 0;
        for (int e = 0; e <= experts; e++) {
            int offset = Memory.getInt(at(offsets, e));
            if (offset < before || offset > rows() || e == experts && offset != rows()) {
                throw new IllegalArgumentException(operation + ": offsets of the routing should rise from 0 to " + rows()
                        + ", offset " + e + " is " + offset);
            }
            before = offset;
        }
        return this;
    }

    /// Copies the tokens of rows first to end-1 from [tokens, hidden] next to each other.
    void gather(long from, int first, int end, long to) {
        for (int row = first; row < end; row++) {
            Memory.copy(at(from, (long) token(row) * hidden), at(to, (long) (row - first) * hidden), 4L * hidden);
        }
    }
}
