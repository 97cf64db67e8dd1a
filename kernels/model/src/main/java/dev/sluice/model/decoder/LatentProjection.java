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

    LatentProjectionTape tape(Scope scope, long tokens) {
        var linears = new LinearPass(backend);
        Tensor upZ = linears.z(scope, up, tokens);
        return down == null ? new LatentProjectionTape(null, null, null, null, upZ)
                : new LatentProjectionTape(scope.allocate("latent", backend.activationType(), tokens, rank),
                        scope.allocate("latent.normed", backend.activationType(), tokens, rank),
                        scope.allocate("latent.rstd", DType.FLOAT32, tokens), linears.z(scope, down, tokens), upZ);
    }

    /// @param beyond [tokens, 1, down.out - rank], written, or null where that is nothing
    void forward(Tensor x, LatentProjectionTape tape, Tensor y, Tensor beyond, Scope scope) {
        var linears = new LinearPass(backend);
        if (down == null) {
            linears.forward(x, up, tape.upZ, y, scope);
            return;
        }
        if (beyond == null) {
            linears.forward(x, down, tape.downZ, tape.latent, scope);
        } else {
            Tensor whole = scope.allocate("latent.whole", backend.activationType(), x.dim(0), down.weight().out());
            linears.forward(x, down, tape.downZ, whole, scope);
            backend.elementwise().copyColumns(whole, 0, tape.latent, 0, rank);
            backend.elementwise().copyColumns(whole, rank, beyond, 0, Math.toIntExact(beyond.dim(-1)));
        }
        backend.norm().rmsNorm(tape.latent, norm, (float) Latent.NORM_EPSILON, tape.normed, tape.rstd);
        linears.forward(tape.normed, up, tape.upZ, y, scope);
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
