package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ExpertOps;
import dev.sluice.compute.op.Routing;
import java.util.function.ObjLongConsumer;

/// Routed feed-forward layers: tasks are runs of one expert's rows, and each token sums its picks in their order.
final class CpuExperts implements ExpertOps {
    private static final int COMBINE_ROWS = 64;

    private final Workers workers;
    private final Gemm gemm;

    CpuExperts(Workers workers, Gemm gemm) {
        this.workers = workers;
        this.gemm = gemm;
    }

    @Override
    public void forward(Tensor x, Routing routing, Experts experts, Tape tape, Tensor out, Accumulate mode, Scope scratch) {
        String operation = "experts forward";
        var call = ExpertCall.of(operation, routing, experts, tape);
        x.require(operation, DType.FLOAT32, call.tokens(), call.hidden());
        out.require(operation, DType.FLOAT32, call.tokens(), call.hidden());
        try (var own = scratch.child("experts.forward")) {
            long rows = own.allocate("rows", DType.FLOAT32, call.rows(), call.hidden()).address();
            run(call, own, new ExpertForward(gemm, call, x.address(), rows)::run);
            combine(call, rows, true, out.address(), mode == Accumulate.ADD);
        }
    }

    @Override
    public void recompute(Tensor x, Routing routing, Experts experts, Tape tape, Scope scratch) {
        String operation = "experts recompute";
        var call = ExpertCall.of(operation, routing, experts, tape);
        x.require(operation, DType.FLOAT32, call.tokens(), call.hidden());
        try (var own = scratch.child("experts.recompute")) {
            run(call, own, new ExpertForward(gemm, call, x.address(), 0)::recompute);
        }
    }

    /// @param pass takes a run of rows and a worker's scratch memory
    private void run(ExpertCall call, Scope own, ObjLongConsumer<ExpertRows> pass) {
        int perWorker = ExpertForward.scratch(call);
        long buffers = own.allocate("buffers", DType.FLOAT32, workers.count(), perWorker).address();
        var runs = ExpertRows.of(call.offsets(), call.experts(), ExpertForward.ROWS);
        workers.run(runs.length, (task, worker) -> pass.accept(runs[task], at(buffers, (long) worker * perWorker)));
    }

    @Override
    public void backward(Tensor dOut, Tensor x, Routing routing, Experts experts, Tape tape, Tensor dx, Accumulate mode,
            Tensor dWeights, Scope scratch) {
        String operation = "experts backward";
        var call = ExpertCall.of(operation, routing, experts, tape);
        dOut.require(operation, DType.FLOAT32, call.tokens(), call.hidden());
        x.require(operation, DType.FLOAT32, call.tokens(), call.hidden());
        dx.require(operation, DType.FLOAT32, call.tokens(), call.hidden());
        dWeights.require(operation, DType.FLOAT32, call.tokens(), call.topK());
        var runs = ExpertRows.of(call.offsets(), call.experts(), ExpertBackward.RUN);
        try (var own = scratch.child("experts.backward")) {
            long rows = own.allocate("rows", DType.FLOAT32, call.rows(), call.hidden()).address();
            long pickOfRow = own.allocate("pickOfRow", DType.INT32, call.rows()).address();
            invert(call, pickOfRow);
            int perWorker = ExpertBackward.scratch(call);
            long buffers = own.allocate("buffers", DType.FLOAT32, workers.count(), perWorker).address();
            var partials = PartialGradients.allocate(own, call, runs);
            var pass = new ExpertBackward(gemm, call, dOut.address(), x.address(), rows, pickOfRow, dWeights.address(), partials);
            workers.run(runs.length, (task, worker) -> pass.run(runs[task], task, at(buffers, (long) worker * perWorker)));
            partials.addUp(workers);
            combine(call, rows, false, dx.address(), mode == Accumulate.ADD);
        }
    }

    private static void invert(ExpertCall call, long pickOfRow) {
        for (int pick = 0; pick < call.rows(); pick++) {
            Memory.setInt(at(pickOfRow, call.row(pick)), pick);
        }
    }

    /// `out[t] (+)= sum of the rows of t's picks`, each times its routing weight if `weighted`.
    private void combine(ExpertCall call, long rows, boolean weighted, long out, boolean add) {
        int hidden = call.hidden();
        int topK = call.topK();
        workers.rows(call.tokens(), COMBINE_ROWS, (first, end, _) -> {
            for (int t = first; t < end; t++) {
                long to = at(out, (long) t * hidden);
                for (int k = 0; k < topK; k++) {
                    int pick = t * topK + k;
                    long from = at(rows, (long) call.row(pick) * hidden);
                    float factor = weighted ? get(at(call.picksWeights(), pick)) : 1f;
                    if (k == 0 && !add) {
                        Rows.scaleTo(from, hidden, factor, to);
                    } else {
                        Rows.addScaled(from, hidden, factor, to);
                    }
                }
            }
        });
    }
}
