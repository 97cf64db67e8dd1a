package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;

/// One run of an expert's rows through gate_up, activation and down, all in a worker's own buffers but for tape and result.
///
/// @param x address of [tokens, hidden]
/// @param out address of [rows, hidden], before the routing weight
record ExpertForward(Gemm gemm, ExpertCall call, long x, long out) {
    /// Rows per run: enough that packing the expert's weights costs little beside multiplying with them.
    static final int ROWS = 128;

    /// Floats of scratch memory per worker: gathered inputs, activations, and what products need.
    static int scratch(ExpertCall call) {
        return ROWS * (call.hidden() + call.width()) + call.widened();
    }

    void run(ExpertRows run, long scratch) {
        int rows = run.end() - run.first();
        int hidden = call.hidden();
        int width = call.width();
        long gathered = scratch;
        long activations = at(scratch, (long) ROWS * hidden);
        long widened = at(activations, (long) ROWS * width);
        call.gather(x, run.first(), run.end(), gathered);
        boolean biased = ExpertCall.bias(call.gateUpBias(), run.expert(), 2 * width, call.gateRow(run.first()), rows);
        call.gateUp().forward(gemm, run.expert(), gathered, rows, biased, call.gateRow(run.first()), widened);
        if (call.gateUpLora() != null) {
            add(call.gateUpLora().expert(run.expert()), gathered, rows, call.z1Row(run.first()), call.gateRow(run.first()));
        }
        for (int i = 0; i < rows; i++) {
            int row = run.first() + i;
            call.gating().forward(call.gateRow(row), call.upRow(row), width, at(activations, (long) i * width));
        }
        long result = at(out, (long) run.first() * hidden);
        biased = ExpertCall.bias(call.downBias(), run.expert(), hidden, result, rows);
        call.down().forward(gemm, run.expert(), activations, rows, biased, result, widened);
        if (call.downLora() != null) {
            add(call.downLora().expert(run.expert()), activations, rows, call.z2Row(run.first()), result);
        }
    }

    /// `z = scale * input A^T`, `y += z B^T`.
    private void add(Adapter lora, long input, int rows, long z, long y) {
        gemm.nt(rows, lora.rank(), lora.in(), lora.scale(), input, lora.in(), lora.a(), lora.in(), false, z, lora.rank());
        gemm.nt(rows, lora.out(), lora.rank(), 1f, z, lora.rank(), lora.b(), lora.rank(), true, y, lora.out());
    }
}
