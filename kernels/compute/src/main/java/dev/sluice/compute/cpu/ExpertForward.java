package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;

/// One run of an expert's rows through gate_up, activation and down, all in a worker's own buffers but for tape and result.
///
/// @param x address of [tokens, hidden]
/// @param out address of [rows, hidden], before the routing weight
record ExpertForward(Gemm gemm, ExpertCall call, long x, long out) {
    /// Rows per run: enough that packing the expert's weights costs little beside multiplying with them.
    static final int ROWS = 128;

    /// Floats of scratch memory per worker: gathered inputs and activations.
    static int scratch(ExpertCall call) {
        return ROWS * (call.hidden() + call.width());
    }

    void run(ExpertRows run, long scratch) {
        int rows = run.end() - run.first();
        int hidden = call.hidden();
        int width = call.width();
        long gathered = scratch;
        long activations = at(scratch, (long) ROWS * hidden);
        call.gather(x, run.first(), run.end(), gathered);
        boolean biased = ExpertCall.bias(call.gateUpBias(), run.expert(), 2 * width, call.gateRow(run.first()), rows);
        gemm.nt(rows, 2 * width, hidden, 1f, gathered, hidden, call.gateUp().at(run.expert(), 0, 0), hidden, biased,
                call.gateRow(run.first()), 2 * width);
        if (call.gateUpLora() != null) {
            add(call.gateUpLora().expert(run.expert()), gathered, rows, call.z1Row(run.first()), call.gateRow(run.first()));
        }
        for (int i = 0; i < rows; i++) {
            int row = run.first() + i;
            call.gating().forward(call.gateRow(row), call.upRow(row), width, at(activations, (long) i * width));
        }
        long result = at(out, (long) run.first() * hidden);
        biased = ExpertCall.bias(call.downBias(), run.expert(), hidden, result, rows);
        gemm.nt(rows, hidden, width, 1f, activations, width, call.down().at(run.expert(), 0, 0), width, biased, result, hidden);
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
