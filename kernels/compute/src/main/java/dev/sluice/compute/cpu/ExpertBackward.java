package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.set;

/// One run of an expert's rows backwards.
///
/// The gradient of the activations is first computed without the routing weight w: its product with the activations is
/// the exact gradient of w. Then w scales it, and z and dz of the down adapter instead of the wider dOut.
///
/// @param dOut address of [tokens, hidden]
/// @param x address of [tokens, hidden]
/// @param dRows address of [rows, hidden], written
/// @param pickOfRow address of [rows]
/// @param dWeights address of [tokens, topK], written
record ExpertBackward(Gemm gemm, ExpertCall call, long dOut, long x, long dRows, long pickOfRow, long dWeights,
        PartialGradients partials) {
    /// Rows whose adapter gradients are summed by one task; a longer list of rows gets several tasks.
    static final int RUN = 512;
    private static final int ROWS = 128;

    /// A worker's buffers.
    ///
    /// @param hidden [ROWS, hidden]: gathered dOut, later gathered x
    /// @param activations [ROWS, width]
    /// @param dActivations [ROWS, width]
    /// @param dz [ROWS, larger rank]
    /// @param widened what products need
    private record Buffers(long hidden, long activations, long dActivations, long dz, long widened) {
        static Buffers of(ExpertCall call, long scratch) {
            long activations = at(scratch, (long) ROWS * call.hidden());
            long dActivations = at(activations, (long) ROWS * call.width());
            long dz = at(dActivations, (long) ROWS * call.width());
            return new Buffers(scratch, activations, dActivations, dz, at(dz, (long) ROWS * rank(call)));
        }
    }

    /// Floats of scratch memory per worker.
    static int scratch(ExpertCall call) {
        return scratch(call.hidden(), call.width(), rank(call), call.widened());
    }

    static int scratch(int hidden, int width, int rank, int widened) {
        return ROWS * (hidden + 2 * width + rank) + widened;
    }

    private static int rank(ExpertCall call) {
        return Math.max(rank(call.gateUpLora()), rank(call.downLora()));
    }

    private static int rank(Adapter lora) {
        return lora == null ? 0 : lora.rank();
    }

    void run(ExpertRows run, int task, long scratch) {
        Adapter gateUp = call.gateUpLora() == null ? null : partials.gateUp(run, task);
        Adapter down = call.downLora() == null ? null : partials.down(run, task);
        var buffers = Buffers.of(call, scratch);
        for (int first = run.first(); first < run.end(); first += ROWS) {
            int end = Math.min(run.end(), first + ROWS);
            down(run.expert(), first, end, down, buffers);
            activation(first, end, buffers);
            gateUp(run.expert(), first, end, gateUp, buffers);
        }
    }

    private void down(int expert, int first, int end, Adapter lora, Buffers buffers) {
        int rows = end - first;
        int hidden = call.hidden();
        int width = call.width();
        call.gather(dOut, first, end, buffers.hidden());
        for (int i = 0; i < rows; i++) {
            call.gating().forward(call.gateRow(first + i), call.upRow(first + i), width, at(buffers.activations(), (long) i * width));
        }
        call.down().backward(gemm, expert, buffers.hidden(), rows, buffers.dActivations(), buffers.widened());
        if (lora != null) {
            inputGradient(lora, buffers.hidden(), rows, buffers.dz(), buffers.dActivations());
        }
        weigh(expert, first, rows, rank(lora), buffers);
        if (lora != null) {
            adapterGradients(lora, buffers.hidden(), buffers.activations(), call.z2Row(first), buffers.dz(), rows);
        }
    }

    /// Takes the routing weights' gradients, then multiplies the weights in.
    private void weigh(int expert, int first, int rows, int rank, Buffers buffers) {
        int width = call.width();
        for (int i = 0; i < rows; i++) {
            int pick = Memory.getInt(at(pickOfRow, first + i));
            float weight = get(at(call.picksWeights(), pick));
            long gradient = at(buffers.dActivations(), (long) i * width);
            set(at(dWeights, pick), Rows.dot(at(buffers.activations(), (long) i * width), gradient, width)
                    + biasGradient(expert, at(buffers.hidden(), (long) i * call.hidden())));
            Rows.scale(gradient, width, weight);
            if (rank > 0) {
                Rows.scale(at(buffers.dz(), (long) i * rank), rank, weight);
                Rows.scale(call.z2Row(first + i), rank, weight);
            }
        }
    }

    /// What the bias of down adds to the gradient of a routing weight.
    private float biasGradient(int expert, long dOutRow) {
        return call.downBias() == 0 ? 0f
                : Rows.dot(dOutRow, at(call.downBias(), (long) expert * call.hidden()), call.hidden());
    }

    private void activation(int first, int end, Buffers buffers) {
        int width = call.width();
        for (int row = first; row < end; row++) {
            call.gating().backward(at(buffers.dActivations(), (long) (row - first) * width), call.gateRow(row), call.upRow(row), width,
                    call.gateRow(row), call.upRow(row));
        }
    }

    private void gateUp(int expert, int first, int end, Adapter lora, Buffers buffers) {
        int rows = end - first;
        int hidden = call.hidden();
        long gradient = call.gateRow(first);
        long result = at(dRows, (long) first * hidden);
        call.gateUp().backward(gemm, expert, gradient, rows, result, buffers.widened());
        if (lora != null) {
            inputGradient(lora, gradient, rows, buffers.dz(), result);
            call.gather(x, first, end, buffers.hidden());
            adapterGradients(lora, gradient, buffers.hidden(), call.z1Row(first), buffers.dz(), rows);
        }
    }

    /// `dz = scale * dy B`, `dx += dz A`.
    private void inputGradient(Adapter lora, long dy, int rows, long dz, long dx) {
        int rank = lora.rank();
        gemm.nn(rows, rank, lora.out(), lora.scale(), dy, lora.out(), lora.b(), rank, false, dz, rank);
        gemm.nn(rows, lora.in(), rank, 1f, dz, rank, lora.a(), lora.in(), true, dx, lora.in());
    }

    /// `gradB += dy^T z`, `gradA += dz^T input`.
    private void adapterGradients(Adapter lora, long dy, long input, long z, long dz, int rows) {
        int rank = lora.rank();
        gemm.tn(lora.out(), rank, rows, 1f, dy, lora.out(), z, rank, true, lora.gradB(), rank);
        gemm.tn(rank, lora.in(), rows, 1f, dz, rank, input, lora.in(), true, lora.gradA(), lora.in());
    }
}
