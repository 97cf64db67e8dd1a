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

    /// `out = silu(gate) * up` with `silu(x) = x / (1 + exp(-x))`, all [rows, width]. Source: Shazeer 2020, SwiGLU.
    void swiglu(Tensor gate, Tensor up, Tensor out);

    /// Gradients of [#swiglu]; `dGate` and `dUp` may be `gate` and `up` themselves.
    void swigluBackward(Tensor dOut, Tensor gate, Tensor up, Tensor dGate, Tensor dUp);

    /// Sets every byte to zero.
    void zero(Tensor tensor);
}
