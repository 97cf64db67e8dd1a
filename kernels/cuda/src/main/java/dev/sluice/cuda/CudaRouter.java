package dev.sluice.cuda;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.RouterOps;
import dev.sluice.compute.op.Routing;

/// Twin of `router.cu`. Logits are rounded to bf16 before the softmax, as the models were trained.
final class CudaRouter implements RouterOps {
    private static final int TOKENS = TileSizes.of("ROUTER_TOKENS");
    private static final int THREADS = TileSizes.of("ROUTER_THREADS");
    private static final int MAX_EXPERTS = TileSizes.of("ROUTER_MAX_EXPERTS");

    private final Device device;

    CudaRouter(Device device) {
        this.device = device;
    }

    @Override
    public void route(Tensor x, Router router, Tensor logits, Routing routing, Scope scratch) {
        check("route", routing, x.dim(0), router);
        project("route", x, router, logits);
        long tokens = x.dim(0);
        int experts = router.experts();
        long groups = Math.ceilDiv(tokens, TOKENS);
        try (var own = scratch.child("route")) {
            var counts = own.allocate("group counts", DType.INT32, groups, experts);
            var totals = own.allocate("totals", DType.INT32, experts);
            device.launch("route_pick").grid(groups).block(THREADS)
                    .pointer(logits).pointer(routing.picks()).pointer(routing.weights()).pointer(counts)
                    .int32(tokens).int32(experts).int32(router.topK()).flag(router.normalize()).run();
            device.launch("route_scan").grid(Math.ceilDiv(experts, THREADS / 32)).block(THREADS)
                    .pointer(counts).pointer(totals).int32(groups).int32(experts).run();
            device.launch("route_scatter").grid(groups).block(THREADS)
                    .pointer(routing.picks()).pointer(counts).pointer(totals).pointer(routing.offsets()).pointer(routing.rowToken())
                    .pointer(routing.rowOfPick()).int32(tokens).int32(experts).int32(router.topK()).run();
        }
    }

    @Override
    public void logits(Tensor x, Router router, Tensor logits, Scope scratch) {
        project("router logits", x, router, logits);
    }

    private void project(String operation, Tensor x, Router router, Tensor logits) {
        x.require(operation, DType.BFLOAT16, -1, router.weight().dim(1));
        router.weight().require(operation, DType.BFLOAT16, -1, -1);
        logits.require(operation, DType.FLOAT32, x.dim(0), router.experts());
        Gemm.of(device, Gemm.Form.FORWARD, router.weight()).a(x, x.dim(1))
                .into(logits, router.experts(), Gemm.Output.ROUNDED_FLOAT32).run(x.dim(0));
    }

    @Override
    public void backward(Tensor dWeights, Tensor logits, Routing routing, Router router, Tensor dx, Accumulate mode, Scope scratch) {
        String operation = "router backward";
        long tokens = routing.tokens();
        int experts = router.experts();
        check(operation, routing, tokens, router);
        dWeights.require(operation, DType.FLOAT32, tokens, router.topK());
        logits.require(operation, DType.FLOAT32, tokens, experts);
        dx.require(operation, DType.BFLOAT16, tokens, router.weight().dim(1));
        int stride = Math.ceilDiv(experts, 8) * 8;
        try (var own = scratch.child("router.backward")) {
            var gradients = own.allocate("logit gradients", DType.BFLOAT16, tokens, stride);
            device.launch("route_backward").grid(Math.ceilDiv(tokens, THREADS / 32)).block(THREADS)
                    .pointer(dWeights).pointer(logits).pointer(routing.picks()).pointer(routing.weights()).pointer(gradients)
                    .int32(tokens).int32(experts).int32(router.topK()).int32(stride).flag(router.normalize()).run();
            Gemm.of(device, Gemm.Form.GRADIENT, router.weight()).a(gradients, stride).into(dx, mode).run(tokens);
        }
    }

    private static void check(String operation, Routing routing, long tokens, Router router) {
        if (!router.plain()) {
            throw Checks.missing("a router with sigmoid scores, bias, correction, groups or a scale");
        }
        int experts = router.experts();
        if (experts > MAX_EXPERTS) {
            throw new IllegalArgumentException(operation + ": the GPU kernels hold at most " + MAX_EXPERTS + " experts, this router has "
                    + experts + "; use the cpu backend for this model");
        }
        routing.picks().require(operation, DType.INT32, tokens, router.topK());
        routing.weights().require(operation, DType.FLOAT32, tokens, router.topK());
        routing.offsets().require(operation, DType.INT32, experts + 1L);
        routing.rowToken().require(operation, DType.INT32, tokens * router.topK());
        routing.rowOfPick().require(operation, DType.INT32, tokens, router.topK());
    }
}
