package dev.sluice.cuda;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.RouterOps;
import dev.sluice.compute.op.Routing;

/// Twin of `router.cu` and `router_split.cu`. Logits of a bf16 weight are rounded to bf16, as a bf16 layer's are; those of a
/// float32 weight are kept as they are summed, from the products of three bf16 parts.
final class CudaRouter implements RouterOps {
    private static final int TOKENS = TileSizes.of("ROUTER_TOKENS");
    private static final int THREADS = TileSizes.of("ROUTER_THREADS");
    private static final int WARP = 32;
    private static final int WARPS = THREADS / WARP;
    /// Shared memory that every card gives a block unasked.
    private static final int SHARED_BYTES = 48 << 10;
    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");
    private static final int PARTS = 3;
    /// A group a lane of a warp.
    private static final int MAX_GROUPS = 32;
    private static final int MAX_EXPERTS = TileSizes.of("ROUTER_MAX_EXPERTS");

    private final Device device;

    CudaRouter(Device device) {
        this.device = device;
    }

    @Override
    public void route(Tensor x, Router router, Tensor logits, Routing routing, Scope scratch) {
        check("route", routing, x.dim(0), router);
        project("route", x, router, logits, scratch);
        long tokens = x.dim(0);
        int experts = router.experts();
        long groups = Math.ceilDiv(tokens, TOKENS);
        try (var own = scratch.child("route")) {
            var counts = own.allocate("group counts", DType.INT32, groups, experts);
            var totals = own.allocate("totals", DType.INT32, experts);
            int warps = pickingWarps(experts);
            rule(device.launch("route_pick").grid(groups).block(warps * WARP).sharedBytes(Integer.BYTES * experts * (1 + warps))
                    .pointer(logits).pointer(routing.picks()).pointer(routing.weights()).pointer(counts).int32(tokens), router).run();
            device.launch("route_scan").grid(Math.ceilDiv(experts, WARPS)).block(THREADS)
                    .pointer(counts).pointer(totals).int32(groups).int32(experts).run();
            device.launch("route_scatter").grid(groups).block(THREADS)
                    .pointer(routing.picks()).pointer(counts).pointer(totals).pointer(routing.offsets()).pointer(routing.rowToken())
                    .pointer(routing.rowOfPick()).int32(tokens).int32(experts).int32(router.topK()).run();
        }
    }

    /// Warps of a block that picks: one for each of its tokens, or as many as have room for their candidates.
    private static int pickingWarps(int experts) {
        int warps = TOKENS;
        while (Integer.BYTES * experts * (1 + warps) > SHARED_BYTES) {
            warps /= 2;
        }
        return warps;
    }

    @Override
    public void logits(Tensor x, Router router, Tensor logits, Scope scratch) {
        project("router logits", x, router, logits, scratch);
    }

    private void project(String operation, Tensor x, Router router, Tensor logits, Scope scratch) {
        x.require(operation, DType.BFLOAT16, -1, router.weight().dim(1));
        logits.require(operation, DType.FLOAT32, x.dim(0), router.experts());
        if (router.bias() != null) {
            Checks.vector(operation, router.bias(), router.experts());
        }
        if (router.weight().dtype() == DType.FLOAT32) {
            try (var own = scratch.child("router.split")) {
                exactLogits(x, router, split(router.weight(), x.dim(0), own), logits);
            }
        } else {
            product(x, router.weight().require(operation, DType.BFLOAT16, -1, -1)).bias(router.bias())
                    .into(logits, router.experts(), Gemm.Output.ROUNDED_FLOAT32).run(x.dim(0));
        }
    }

    private Gemm product(Tensor x, Tensor weight) {
        return Gemm.of(device, Gemm.Form.FORWARD, weight).a(x, x.dim(1));
    }

    private void exactLogits(Tensor x, Router router, Split split, Tensor logits) {
        product(x, split.part(0)).bias(router.bias()).into(logits, router.experts(), Gemm.Output.FLOAT32).run(x.dim(0));
        for (int part = 1; part < PARTS; part++) {
            product(x, split.part(part)).into(logits, router.experts(), Gemm.Output.FLOAT32).add().limit(split.rows(part), 0).run(x.dim(0));
        }
    }

    /// A float32 weight as the sum of bf16 ones.
    ///
    /// @param parts BFLOAT16 [3, experts, hidden]
    /// @param rows INT32 [2]: how many tokens the second and the third part are multiplied with, none where a part is zero
    private record Split(Tensor parts, Tensor rows) {
        Tensor part(int index) {
            return parts.view("part", index * parts.dim(1) * parts.dim(2), parts.dim(1), parts.dim(2));
        }

        Tensor rows(int part) {
            return rows.view("rows", part - 1, 1);
        }
    }

    private Split split(Tensor weight, long tokens, Scope scratch) {
        var split = new Split(scratch.allocate("router parts", DType.BFLOAT16, PARTS, weight.dim(0), weight.dim(1)),
                scratch.allocate("router rows", DType.INT32, PARTS - 1));
        device.fill(split.rows.address(), (byte) 0, split.rows.bytes());
        device.launch("router_split").grid(Math.ceilDiv(weight.elements(), FLAT_THREADS)).block(FLAT_THREADS)
                .pointer(weight).pointer(split.parts).pointer(split.rows).int64(weight.elements()).int32(tokens).run();
        return split;
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
            rule(device.launch("route_backward").grid(Math.ceilDiv(tokens, WARPS)).block(THREADS).sharedBytes(Float.BYTES * experts * WARPS)
                    .pointer(dWeights).pointer(logits).pointer(routing.picks()).pointer(gradients).int32(tokens).int32(stride), router)
                    .fault().run();
            // A gradient is bf16 as all are: the weight's nearest bf16 numbers do.
            var weight = router.weight().dtype() == DType.FLOAT32 ? split(router.weight(), tokens, own).part(0) : router.weight();
            Gemm.of(device, Gemm.Form.GRADIENT, weight).a(gradients, stride).into(dx, mode).run(tokens);
        }
    }

    /// What the kernels know of a router.
    private static Launch rule(Launch launch, Router router) {
        var choice = router.choice();
        return launch.beginStruct().pointer(choice.correction()).int32(router.experts()).int32(router.topK())
                .flag(router.kind() == Kind.SIGMOID_TOPK).int32(choice.groups()).int32(choice.keptGroups()).flag(router.normalize())
                .float32(router.epsilon()).float32(router.floor()).float32(router.scale()).endStruct();
    }

    private static void check(String operation, Routing routing, long tokens, Router router) {
        int experts = router.experts();
        if (experts > MAX_EXPERTS) {
            throw new IllegalArgumentException(operation + ": the GPU kernels hold at most " + MAX_EXPERTS + " experts, this router has "
                    + experts + "; use the cpu backend for this model");
        }
        if (router.choice().groups() > MAX_GROUPS) {
            throw new IllegalArgumentException(operation + ": the GPU kernels choose from at most " + MAX_GROUPS
                    + " groups of experts, this router has " + router.choice().groups() + "; use the cpu backend for this model");
        }
        if (router.choice().correction() != null) {
            router.choice().correction().require(operation, DType.FLOAT32, experts);
        }
        routing.picks().require(operation, DType.INT32, tokens, router.topK());
        routing.weights().require(operation, DType.FLOAT32, tokens, router.topK());
        routing.offsets().require(operation, DType.INT32, experts + 1L);
        routing.rowToken().require(operation, DType.INT32, tokens * router.topK());
        routing.rowOfPick().require(operation, DType.INT32, tokens, router.topK());
    }
}
