package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.model.config.AttentionConfig.Latent;

/// `up(norm(down(x)))` through a narrow latent. What `down` puts out beyond the latent goes past norm and `up`.
///
/// @param down null where `up` reads x itself
/// @param norm [rank], or null with `down`
/// @param rank width of the latent, 0 without `down`
record LatentProjection(Backend backend, Linear down, Tensor norm, Linear up, int rank) {
    /// @param latent [tokens, rank], before the norm
    record LatentProjectionTape(Tensor latent, Tensor normed, Tensor rstd, Tensor downZ, Tensor upZ) {}

    LatentProjectionTape tape(TapeTensors tensors, long tokens) {
        var linears = new LinearPass(backend);
        Tensor upZ = linears.z(tensors, up, tokens);
        return down == null ? new LatentProjectionTape(null, null, null, null, upZ)
                : new LatentProjectionTape(tensors.take(ActivationLevel.QKV, "latent", backend.activationType(), tokens, rank),
                        tensors.scratch("latent.normed", backend.activationType(), tokens, rank),
                        tensors.scratch("latent.rstd", DType.FLOAT32, tokens), linears.z(tensors, down, tokens), upZ);
    }

    /// @param beyond [tokens, 1, down.out - rank], written, or null where that is nothing
    void forward(Tensor x, LatentProjectionTape tape, Tensor y, Tensor beyond, Scope scope) {
        run(new LinearPass(backend)::forward, x, tape, y, beyond, scope);
    }

    /// The same with the forward pass's z's.
    void recompute(Tensor x, LatentProjectionTape tape, Tensor y, Tensor beyond, Scope scope) {
        run(new LinearPass(backend)::recompute, x, tape, y, beyond, scope);
    }

    /// A product, for the first time or again.
    @FunctionalInterface
    private interface Product {
        void run(Tensor x, Linear layer, Tensor z, Tensor y, Scope scope);
    }

    private void run(Product product, Tensor x, LatentProjectionTape tape, Tensor y, Tensor beyond, Scope scope) {
        if (down == null) {
            product.run(x, up, tape.upZ, y, scope);
            return;
        }
        if (beyond == null) {
            product.run(x, down, tape.downZ, tape.latent, scope);
        } else {
            Tensor whole = scope.allocate("latent.whole", backend.activationType(), x.dim(0), down.weight().out());
            product.run(x, down, tape.downZ, whole, scope);
            backend.elementwise().copyColumns(whole, 0, tape.latent, 0, rank);
            backend.elementwise().copyColumns(whole, rank, beyond, 0, Math.toIntExact(beyond.dim(-1)));
        }
        normalize(tape);
        product.run(tape.normed, up, tape.upZ, y, scope);
    }

    /// What is not kept along with the latent.
    void normalize(LatentProjectionTape tape) {
        if (down != null) {
            backend.norm().rmsNorm(tape.latent, norm, (float) Latent.NORM_EPSILON, tape.normed, tape.rstd);
        }
    }

    /// @param dBeyond gradient of what went past, or null where that was nothing
    /// @param dx null where nothing below is trained
    void backward(Tensor dy, Tensor dBeyond, Tensor x, LatentProjectionTape tape, Tensor dx, Accumulate mode, Scope scope) {
        var linears = new LinearPass(backend);
        if (down == null) {
            linears.backward(dy, x, tape.upZ, up, dx, mode, scope);
            return;
        }
        Tensor dLatent = scope.allocate("latent.gradient", backend.activationType(), tape.latent.shape());
        linears.backward(dy, tape.normed, tape.upZ, up, dLatent, Accumulate.REPLACE, scope);
        backend.norm().rmsNormBackward(dLatent, tape.latent, norm, tape.rstd, dLatent, Accumulate.REPLACE);
        Tensor whole = dLatent;
        if (dBeyond != null) {
            whole = scope.allocate("latent.wholeGradient", backend.activationType(), x.dim(0), down.weight().out());
            backend.elementwise().copyColumns(dLatent, 0, whole, 0, rank);
            backend.elementwise().copyColumns(dBeyond, 0, whole, rank, Math.toIntExact(dBeyond.dim(-1)));
        }
        linears.backward(whole, x, tape.downZ, down, dx, mode, scope);
    }
}
