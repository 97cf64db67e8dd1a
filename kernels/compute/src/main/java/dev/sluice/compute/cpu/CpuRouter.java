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
import dev.sluice.compute.op.RouterOps.Kind;
import dev.sluice.compute.op.Routing;

/// Scores of all experts, the best few, and the tables that sort rows by expert.
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
            long scores = own.allocate("scores", DType.FLOAT32, workers.count(), 2L * experts).address();
            var choice = ExpertChoice.of(operation, router);
            long from = logits.address();
            long picks = routing.picks().address();
            long weights = routing.weights().address();
            int topK = router.topK();
            workers.rows(tokens, ROWS, (first, end, worker) -> {
                long score = at(scores, (long) worker * 2 * experts);
                for (int t = first; t < end; t++) {
                    score(router.kind(), at(from, (long) t * experts), experts, score);
                    choice.pick(score, at(from, (long) t * experts), at(score, experts), at(picks, (long) t * topK));
                    weigh(router, score, at(picks, (long) t * topK), at(weights, (long) t * topK));
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

    private static void score(Kind kind, long logits, int experts, long scores) {
        switch (kind) {
            case SOFTMAX_TOPK -> {
                Memory.copy(logits, scores, 4L * experts);
                double sum = Rows.expSum(scores, experts, Rows.max(scores, experts));
                Rows.scale(scores, experts, (float) (1 / sum));
            }
            case SIGMOID_TOPK -> {
                for (int e = 0; e < experts; e++) {
                    set(at(scores, e), 1f / (1f + Lanes.exp(-get(at(logits, e)))));
                }
            }
        }
    }

    private static void weigh(Router router, long scores, long picks, long weights) {
        float sum = denominator(router, scores, picks);
        for (int k = 0; k < router.topK(); k++) {
            set(at(weights, k), get(at(scores, getInt(at(picks, k)))) / sum * router.scale());
        }
    }

    private static float denominator(Router router, long scores, long picks) {
        return router.normalize() ? Math.max(pickedSum(scores, picks, router.topK()) + router.epsilon(), router.floor()) : 1f;
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
        long bias = router.bias() == null ? 0 : router.bias().require(operation, DType.FLOAT32, experts).address();
        workers.rows(tokens, ROWS, (first, end, _) -> {
            for (int t = first; bias != 0 && t < end; t++) {
                Memory.copy(bias, at(to, (long) t * experts), 4L * experts);
            }
            gemm.nt(end - first, experts, hidden, 1f, at(from, (long) first * hidden), hidden, weight, hidden, bias != 0,
                    at(to, (long) first * experts), experts);
        });
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
                    logitGradients(router, at(incoming, (long) t * topK), at(from, (long) t * experts),
                            at(picks, (long) t * topK), at(gradients, (long) t * experts));
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

    /// Through the weights to the picked scores, and through these to the logits.
    ///
    /// With `S = sum + epsilon` of normalised weights: `dScore = scale * (dW - sum(dW * score) / S) / S`.
    private static void logitGradients(Router router, long dWeights, long logits, long picks, long d) {
        int experts = router.experts();
        int topK = router.topK();
        score(router.kind(), logits, experts, d);
        float sum = denominator(router, d, picks);
        float mean = 0f;
        boolean divided = router.normalize() && sum > router.floor();
        for (int k = 0; divided && k < topK; k++) {
            mean = Math.fma(get(at(dWeights, k)), get(at(d, getInt(at(picks, k)))) / sum, mean);
        }
        float[] picked = new float[topK];
        float pull = 0f;
        for (int k = 0; k < topK; k++) {
            float score = get(at(d, getInt(at(picks, k))));
            float gradient = router.scale() * (get(at(dWeights, k)) - mean) / sum;
            pull = Math.fma(score, gradient, pull);
            picked[k] = router.kind() == Kind.SIGMOID_TOPK ? gradient * score * (1 - score) : gradient * score;
        }
        boolean cancels = divided && router.epsilon() == 0;
        softmaxPull(router, d, picks, picked, cancels ? 0f : pull);
    }

    /// `dLogit = score * (dScore - pull)` of a softmax; a sigmoid has no pull. Where the picks are divided by their sum alone
    /// it is exactly 0, so its rounding is not spread over the other experts.
    private static void softmaxPull(Router router, long d, long picks, float[] picked, float pull) {
        Rows.scale(d, router.experts(), router.kind() == Kind.SIGMOID_TOPK ? 0f : -pull);
        for (int k = 0; k < picked.length; k++) {
            long place = at(d, getInt(at(picks, k)));
            set(place, picked[k] + get(place));
        }
    }
}
