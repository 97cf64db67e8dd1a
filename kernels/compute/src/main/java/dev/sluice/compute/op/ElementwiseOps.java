package dev.sluice.compute.op;

import dev.sluice.compute.Tensor;

/// Operations that touch each element once.
public interface ElementwiseOps {
    /// Copies table rows: `out[t] = table[ids[t]]`.
    ///
    /// @param ids INT32 [tokens], each in 0..vocabulary-1
    /// @param table [vocabulary, hidden], any float type
    /// @param out [tokens, hidden]
    void embed(Tensor ids, Tensor table, Tensor out);

    /// `out = left + right`, all of one shape; `out` may be either input.
    void add(Tensor left, Tensor right, Tensor out);

    /// `out = activation(gate, up)`, all [rows, width].
    void gated(GatedActivation activation, Tensor gate, Tensor up, Tensor out);

    /// Gradients of [#gated]; `dGate` and `dUp` may be `gate` and `up` themselves.
    void gatedBackward(GatedActivation activation, Tensor dOut, Tensor gate, Tensor up, Tensor dGate, Tensor dUp);

    /// `x = factor * x`.
    void scale(Tensor x, float factor);

    /// `out = x` held within -limit to limit; `out` may be `x`.
    void clamp(Tensor x, float limit, Tensor out);

    /// Gradient of [#clamp] in place: 0 where x lies beyond the limit.
    ///
    /// @param x the forward pass's input
    void clampBackward(Tensor gradient, Tensor x, float limit);

    /// Copies a run of columns: `to[n * repeat + i, toColumn + c] = from[n, fromColumn + c]` for every i below
    /// `repeat = rows(to) / rows(from)`; a row is everything but the last dimension. It cuts heads apart, joins them, and
    /// gives one key to all heads.
    void copyColumns(Tensor from, int fromColumn, Tensor to, int toColumn, int columns);

    /// Gradient of [#copyColumns] with `repeat = rows(from) / rows(to)`:
    /// `to[n, toColumn + c] = sum over i of from[n * repeat + i, fromColumn + c]`, in the order of i.
    void sumColumns(Tensor from, int fromColumn, Tensor to, int toColumn, int columns);

    /// Sets every byte to zero.
    void zero(Tensor tensor);
}
