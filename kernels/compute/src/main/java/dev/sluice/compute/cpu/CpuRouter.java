package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.getInt;
import static dev.sluice.compute.cpu.Memory.set;
import static dev.sluice.compute.cpu.Memory.setInt;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.RouterOps;
import dev.sluice.compute.op.Routing;

/// Softmax over all experts, the largest few, and the tables that sort rows by expert.
final class CpuRouter implements RouterOps {
    private static final int ROWS = 64;

    private final Workers workers;
    private final Gemm gemm;

    CpuRouter(Workers workers, Gemm gemm) {
        this.workers = workers;
        this.gemm = gemm;
    }

    @Override
    public void route(Tensor x, Router router, Tensor logits, Routing routing, Scope scratch) {
        String operation = "route";
        logits(operation, x, router, logits);
        int tokens = Math.toIntExact(x.dim(0));
        requireTables(operation, routing, tokens, router);
        try (var own = scratch.child("route")) {
            int experts = router.experts();
            long probabilities = own.allocate("probabilities", DType.FLOAT32, workers.count(), experts).address();
            long from = logits.address();
            long picks = routing.picks().address();
            long weights = routing.weights().address();
            int topK = router.topK();
            workers.rows(tokens, ROWS, (first, end, worker) -> {
                long p = at(probabilities, (long) worker * experts);
                for (int t = first; t < end; t++) {
                    softmax(at(from, (long) t * experts), experts, p);
                    pick(at(from, (long) t * experts), experts, at(picks, (long) t * topK), topK);
                    weigh(p, at(picks, (long) t * topK), topK, router.normalize(), at(weights, (long) t * topK));
                }
            });
        }
        RowTables.sort(routing, router.experts());
    }

    private static void requireTables(String operation, Routing routing, int tokens, Router router) {
        int topK = router.topK();
        routing.picks().require(operation, DType.INT32, tokens, topK);
        routing.weights().require(operation, DType.FLOAT32, tokens, topK);
        routing.offsets().require(operation, DType.INT32, router.experts() + 1L);
        routing.rowToken().require(operation, DType.INT32, (long) tokens * topK);
        routing.rowOfPick().require(operation, DType.INT32, tokens, topK);
    }

    private static void softmax(long logits, int experts, long p) {
        Memory.copy(logits, p, 4L * experts);
        double sum = Rows.expSum(p, experts, Rows.max(p, experts));
        Rows.scale(p, experts, (float) (1 / sum));
    }

    /// The largest logits, largest first; of equal ones the lower expert first.
    private static void pick(long logits, int experts, long picks, int topK) {
        for (int k = 0; k < topK; k++) {
            int best = -1;
            for (int e = 0; e < experts; e++) {
                if (!taken(picks, k, e) && (best < 0 || get(at(logits, e)) > get(at(logits, best)))) {
                    best = e;
                }
            }
            setInt(at(picks, k), best);
        }
    }

    private static boolean taken(long picks, int count, int expert) {
        for (int k = 0; k < count; k++) {
            if (getInt(at(picks, k)) == expert) {
                return true;
            }
        }
        return false;
    }

    private static void weigh(long p, long picks, int topK, boolean normalize, long weights) {
        float sum = normalize ? pickedSum(p, picks, topK) : 1f;
        for (int k = 0; k < topK; k++) {
            set(at(weights, k), get(at(p, getInt(at(picks, k)))) / sum);
        }
    }

    private static float pickedSum(long p, long picks, int topK) {
        float sum = 0f;
        for (int k = 0; k < topK; k++) {
            sum += get(at(p, getInt(at(picks, k))));
        }
        return sum;
    }

    @Override
    public void logits(Tensor x, Router router, Tensor logits, Scope scratch) {
        logits("router logits", x, router, logits);
    }

    private void logits(String operation, Tensor x, Router router, Tensor logits) {
        router.weight().require(operation, DType.FLOAT32, -1, -1);
        int experts = router.experts();
        int hidden = Math.toIntExact(router.weight().dim(1));
        x.require(operation, DType.FLOAT32, -1, hidden);
        int tokens = Math.toIntExact(x.dim(0));
        logits.require(operation, DType.FLOAT32, tokens, experts);
        long from = x.address();
        long weight = router.weight().address();
        long to = logits.address();
        workers.rows(tokens, ROWS, (first, end, _) -> gemm.nt(end - first, experts, hidden, 1f,
                at(from, (long) first * hidden), hidden, weight, hidden, false, at(to, (long) first * experts), experts));
    }

    @Override
    public void backward(Tensor dWeights, Tensor logits, Routing routing, Router router, Tensor dx, Accumulate mode,
            Scope scratch) {
        String operation = "router backward";
        int tokens = Math.toIntExact(routing.tokens());
        int experts = router.experts();
        int topK = router.topK();
        int hidden = Math.toIntExact(router.weight().dim(1));
        dWeights.require(operation, DType.FLOAT32, tokens, topK);
        logits.require(operation, DType.FLOAT32, tokens, experts);
        routing.picks().require(operation, DType.INT32, tokens, topK);
        dx.require(operation, DType.FLOAT32, tokens, hidden);
        long incoming = dWeights.address();
        long from = logits.address();
        long picks = routing.picks().address();
        long weight = router.weight().require(operation, DType.FLOAT32, experts, hidden).address();
        long to = dx.address();
        try (var own = scratch.child("router.backward")) {
            long gradients = own.allocate("dLogits", DType.FLOAT32, tokens, experts).address();
            requirePicks(operation, picks, tokens * topK, experts);
            workers.rows(tokens, ROWS, (first, end, _) -> {
                for (int t = first; t < end; t++) {
                    logitGradients(at(incoming, (long) t * topK), at(from, (long) t * experts), experts,
                            at(picks, (long) t * topK), topK, router.normalize(), at(gradients, (long) t * experts));
                }
                gemm.nn(end - first, hidden, experts, 1f, at(gradients, (long) first * experts), experts, weight, hidden,
                        mode == Accumulate.ADD, at(to, (long) first * hidden), hidden);
            });
        }
    }

    /// The picks steer raw memory: a routing that was never written must not.
    private static void requirePicks(String operation, long picks, int count, int experts) {
        for (int i = 0; i < count; i++) {
            int expert = getInt(at(picks, i));
            if (expert < 0 || expert >= experts) {
                throw new IllegalArgumentException(operation + ": pick " + i + " is expert " + expert + ", should be 0 to "
                        + (experts - 1));
            }
        }
    }

    /// Through the softmax, and through the division by the picks' sum where there is one.
    /// Normalised: `dLogit = w * (dW - sum(dW * w))` for picks and 0 elsewhere, since the other experts cancel.
    private static void logitGradients(long dWeights, long logits, int experts, long picks, int topK, boolean normalize,
            long d) {
        softmax(logits, experts, d);
        float sum = normalize ? pickedSum(d, picks, topK) : 1f;
        float mean = 0f;
        for (int k = 0; k < topK; k++) {
            mean = Math.fma(get(at(dWeights, k)), get(at(d, getInt(at(picks, k)))) / sum, mean);
        }
        float[] picked = new float[topK];
        for (int k = 0; k < topK; k++) {
            picked[k] = get(at(d, getInt(at(picks, k)))) / sum * (get(at(dWeights, k)) - mean);
        }
        Rows.scale(d, experts, normalize ? 0f : -mean);
        for (int k = 0; k < topK; k++) {
            set(at(d, getInt(at(picks, k))), picked[k]);
        }
    }
}
