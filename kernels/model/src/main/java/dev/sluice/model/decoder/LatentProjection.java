package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.LinearOps.Branch;
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

    /// The layer that reads x, with the output that [#forward] goes on from.
    ///
    /// @param y what comes out at the end
    Branch input(LatentProjectionTape tape, Tensor y, Scope scope) {
        return down == null ? new Branch(up, tape.upZ, y) : new Branch(down, tape.downZ, whole(tape.latent, scope));
    }

    /// The latent, or one row that holds it and what goes past.
    private Tensor whole(Tensor latent, Scope scope) {
        return down.weight().out() == rank ? latent
                : scope.allocate("latent.whole", backend.activationType(), latent.dim(0), down.weight().out());
    }

    /// From the output of [#input] on.
    ///
    /// @param beyond [tokens, 1, down.out - rank], written, or null where that is nothing
    void forward(Branch input, LatentProjectionTape tape, Tensor y, Tensor beyond, Scope scope) {
        if (split(input, tape, beyond)) {
            new LinearPass(backend).forward(tape.normed, up, tape.upZ, y, scope);
        }
    }

    /// The same with the forward pass's z's.
    void recompute(Branch input, LatentProjectionTape tape, Tensor y, Tensor beyond, Scope scope) {
        if (split(input, tape, beyond)) {
            new LinearPass(backend).recompute(tape.normed, up, tape.upZ, y, scope);
        }
    }

    /// Whether `up` reads what this leaves, the normalised latent, and not x.
    private boolean split(Branch input, LatentProjectionTape tape, Tensor beyond) {
        if (down == null) {
            return false;
        }
        if (beyond != null) {
            backend.elementwise().copyColumns(input.y(), 0, tape.latent, 0, rank);
            backend.elementwise().copyColumns(input.y(), rank, beyond, 0, Math.toIntExact(beyond.dim(-1)));
        }
        normalize(tape);
        return true;
    }

    /// What is not kept along with the latent.
    void normalize(LatentProjectionTape tape) {
        if (down != null) {
            backend.norm().rmsNorm(tape.latent, norm, (float) Latent.NORM_EPSILON, tape.normed, tape.rstd);
        }
    }

    /// Back to the layer that reads x, with the gradient of its output.
    ///
    /// @param dBeyond gradient of what went past, or null where that was nothing
    Branch backward(Tensor dy, Tensor dBeyond, LatentProjectionTape tape, Scope scope) {
        if (down == null) {
            return new Branch(up, tape.upZ, dy);
        }
        Tensor dLatent = scope.allocate("latent.gradient", backend.activationType(), tape.latent.shape());
        new LinearPass(backend).backward(dy, tape.normed, tape.upZ, up, dLatent, Accumulate.REPLACE, scope);
        backend.norm().rmsNormBackward(dLatent, tape.latent, norm, tape.rstd, dLatent, Accumulate.REPLACE);
        Tensor whole = whole(dLatent, scope);
        if (dBeyond != null) {
            backend.elementwise().copyColumns(dLatent, 0, whole, 0, rank);
            backend.elementwise().copyColumns(dBeyond, 0, whole, rank, Math.toIntExact(dBeyond.dim(-1)));
        }
        return new Branch(down, tape.downZ, whole);
    }
}
