package dev.sluice.cuda;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.LossOps;

/// Cross entropy in chunks of tokens, two matrix products a chunk; twin of `loss.cu`. Ignored tokens are left out on the device,
/// so the host never learns how many there are: chunks beyond the last trained token do nothing.
final class CudaLoss implements LossOps {
    private static final int THREADS = TileSizes.of("LOSS_THREADS");
    /// Tokens whose logits exist at one time: 622 MB of bf16 with a vocabulary of 151,936, and enough tiles in the gradient of
    /// 2,048 columns for every multiprocessor of a large card.
    private static final int CHUNK = 2048;
    /// The same for scores, which are float32.
    private static final int SCORE_CHUNK = 512;

    private final Device device;
    private final FrozenMatrix frozen;

    CudaLoss(Device device) {
        this.device = device;
        this.frozen = new FrozenMatrix(device);
    }

    @Override
    public void crossEntropy(Tensor hidden, Linear head, Tensor labels, Tensor gradientScale, Tensor nll, Tensor headZ, Tensor dHidden,
            Scope scratch) {
        String operation = "cross entropy";
        long tokens = check(operation, hidden, head, labels, nll);
        Checks.z(operation, headZ, tokens, head.rank());
        dHidden.require(operation, DType.BFLOAT16, hidden.shape());
        gradientScale.require(operation, DType.FLOAT32, 1);
        device.fill(nll.address(), (byte) 0, nll.bytes());
        device.fill(dHidden.address(), (byte) 0, dHidden.bytes());
        try (var own = scratch.child("cross entropy")) {
            var trained = own.allocate("trained rows", DType.INT32, tokens);
            var count = own.allocate("count", DType.INT32, 1);
            device.launch("loss_compact").block(TileSizes.of("COMPACT_THREADS"))
                    .pointer(labels).int32(tokens).pointer(trained).pointer(count).run();
            long chunk = Math.min(tokens, CHUNK);
            var weight = frozen.of(operation, head.weight(), own);
            var logits = own.allocate("logits", DType.BFLOAT16, chunk, stride(head));
            var dz = head.lora() == null ? null : own.allocate("dz", DType.BFLOAT16, chunk, head.rank());
            for (long first = 0; first < tokens; first += CHUNK) {
                var piece = new Chunk(hidden, head, weight, trained, count, first, Math.min(chunk, tokens - first), logits, headZ, dz);
                piece.forward();
                device.launch("loss_rows").grid(piece.rows).block(THREADS)
                        .pointer(labels).pointer(trained).pointer(count).int32(first).pointer(logits).pointer(nll)
                        .int32(head.weight().out()).int32(stride(head)).pointer(gradientScale).fault().run();
                piece.backward(dHidden, own);
            }
        }
    }

    /// Some of the trained tokens.
    private final class Chunk {
        private final Tensor hidden;
        private final Linear head;
        private final Tensor trained;
        private final Tensor count;
        private final long first;
        private final long rows;
        private final Tensor logits;
        private final Tensor z;
        private final Tensor dz;
        private final Tensor weight;

        Chunk(Tensor hidden, Linear head, Tensor weight, Tensor trained, Tensor count, long first, long rows, Tensor logits, Tensor headZ,
                Tensor dz) {
            this.hidden = hidden;
            this.head = head;
            this.trained = trained;
            this.count = count;
            this.first = first;
            this.rows = rows;
            this.logits = logits;
            this.z = headZ == null ? null : headZ.view("z", first * head.rank(), rows, head.rank());
            this.dz = dz;
            this.weight = weight;
        }

        private Gemm fromHidden(Tensor matrix) {
            return Gemm.of(device, Gemm.Form.FORWARD, matrix).a(hidden, hidden.dim(1)).gather(trained, first).limit(count, first);
        }

        private Gemm fromLogits(Tensor matrix) {
            return Gemm.of(device, Gemm.Form.GRADIENT, matrix).a(logits, stride(head)).limit(count, first);
        }

        void forward() {
            var product = fromHidden(weight).bias(head.bias()).into(logits, stride(head), Gemm.Output.BFLOAT16);
            if (head.lora() != null) {
                fromHidden(head.lora().a()).alpha(head.lora().scale()).into(z, Accumulate.REPLACE).run(rows);
                product.update(z, head.lora().b(), head.rank());
            }
            product.run(rows);
        }

        void backward(Tensor dHidden, Scope own) {
            var product = fromLogits(weight).into(dHidden, Accumulate.REPLACE).scatter(trained, first);
            var lora = head.lora();
            if (lora != null) {
                fromLogits(lora.b()).alpha(lora.scale()).into(dz, Accumulate.REPLACE).run(rows);
                product.update(dz, lora.a(), head.rank());
                new LoraGradients(device, own).add(
                        LoraGradient.of(logits, stride(head)).rows(rows).limit(count, first).intoB(z, lora.gradB()),
                        LoraGradient.of(hidden, hidden.dim(1)).gather(trained, first).rows(rows).limit(count, first).intoA(dz, lora.gradA()));
            }
            product.run(rows);
        }
    }

    @Override
    public void score(Tensor hidden, Linear head, Tensor labels, Tensor nll, Tensor predictions, Scope scratch) {
        String operation = "score";
        long tokens = check(operation, hidden, head, labels, nll);
        predictions.require(operation, DType.INT32, tokens);
        try (var own = scratch.child("score")) {
            long chunk = Math.min(tokens, SCORE_CHUNK);
            var weight = frozen.of(operation, head.weight(), own);
            var logits = own.allocate("logits", DType.FLOAT32, chunk, stride(head));
            var z = head.lora() == null ? null : own.allocate("z", DType.BFLOAT16, chunk, head.rank());
            for (long first = 0; first < tokens; first += chunk) {
                long rows = Math.min(chunk, tokens - first);
                var piece = hidden.view("hidden", first * hidden.dim(1), rows, hidden.dim(1));
                var product = Gemm.of(device, Gemm.Form.FORWARD, weight).a(piece, hidden.dim(1))
                        .bias(head.bias()).into(logits, stride(head), Gemm.Output.FLOAT32);
                if (head.lora() != null) {
                    Gemm.of(device, Gemm.Form.FORWARD, head.lora().a()).a(piece, hidden.dim(1)).alpha(head.lora().scale())
                            .into(z, Accumulate.REPLACE).run(rows);
                    product.update(z, head.lora().b(), head.rank());
                }
                product.run(rows);
                device.launch("score_rows").grid(rows).block(THREADS)
                        .pointer(labels).int32(first).pointer(logits).pointer(nll).pointer(predictions)
                        .int32(head.weight().out()).int32(stride(head)).fault().run();
            }
        }
    }

    /// Elements between two rows of logits: whole 16-byte pieces.
    private static long stride(Linear head) {
        return Math.ceilDiv(head.weight().out(), 8) * 8;
    }

    private static long check(String operation, Tensor hidden, Linear head, Tensor labels, Tensor nll) {
        hidden.require(operation, DType.BFLOAT16, -1, head.weight().in());
        labels.require(operation, DType.INT32, hidden.dim(0));
        nll.require(operation, DType.FLOAT32, hidden.dim(0));
        if (head.bias() != null) {
            Checks.vector(operation, head.bias(), head.weight().out());
        }
        return hidden.dim(0);
    }
}
