package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;

/// One run of an expert's rows through gate_up, activation and down, all in a worker's own buffers but for tape and result.
///
/// @param x address of [tokens, hidden]
/// @param out address of [rows, hidden], before the routing weight; 0 where rows only pass gate_up again
record ExpertForward(Gemm gemm, ExpertCall call, long x, long out) {
    /// Rows per run: enough that packing the expert's weights costs little beside multiplying with them.
    static final int ROWS = 128;

    /// Floats of scratch memory per worker: gathered inputs, activations, and what products need.
    static int scratch(ExpertCall call) {
        return scratch(call.hidden(), call.width(), call.widened());
    }

    static int scratch(int hidden, int width, int widened) {
        return ROWS * (hidden + width) + widened;
    }

    void run(ExpertRows run, long scratch) {
        gateUp(run, scratch, false);
        int rows = run.end() - run.first();
        int hidden = call.hidden();
        int width = call.width();
        long activations = activations(scratch);
        for (int i = 0; i < rows; i++) {
            int row = run.first() + i;
            call.gating().forward(call.gateRow(row), call.upRow(row), width, at(activations, (long) i * width));
        }
        long result = at(out, (long) run.first() * hidden);
        boolean biased = ExpertCall.bias(call.downBias(), run.expert(), hidden, result, rows);
        call.down().forward(gemm, run.expert(), activations, rows, biased, result, widened(scratch));
        if (call.downLora() != null) {
            add(call.downLora().expert(run.expert()), activations, rows, false, call.z2Row(run.first()), result);
        }
    }

    /// gate_up alone, with the z of an earlier pass.
    void recompute(ExpertRows run, long scratch) {
        gateUp(run, scratch, true);
    }

    private void gateUp(ExpertRows run, long gathered, boolean known) {
        int rows = run.end() - run.first();
        long result = call.gateRow(run.first());
        call.gather(x, run.first(), run.end(), gathered);
        boolean biased = ExpertCall.bias(call.gateUpBias(), run.expert(), 2 * call.width(), result, rows);
        call.gateUp().forward(gemm, run.expert(), gathered, rows, biased, result, widened(gathered));
        if (call.gateUpLora() != null) {
            add(call.gateUpLora().expert(run.expert()), gathered, rows, known, call.z1Row(run.first()), result);
        }
    }

    /// Behind the gathered rows.
    private long activations(long scratch) {
        return at(scratch, (long) ROWS * call.hidden());
    }

    private long widened(long scratch) {
        return at(activations(scratch), (long) ROWS * call.width());
    }

    /// `z = scale * input A^T` unless it is known, `y += z B^T`.
    private void add(Adapter lora, long input, int rows, boolean known, long z, long y) {
        if (!known) {
            gemm.nt(rows, lora.rank(), lora.in(), lora.scale(), input, lora.in(), lora.a(), lora.in(), false, z, lora.rank());
        }
        gemm.nt(rows, lora.out(), lora.rank(), 1f, z, lora.rank(), lora.b(), lora.rank(), true, y, lora.out());
    }
}
