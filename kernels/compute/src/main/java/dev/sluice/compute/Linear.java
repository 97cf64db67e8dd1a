package dev.sluice.compute;

/// A frozen linear layer and what is added to it: `y = x W^T + bias + lora`.
///
/// @param weight [out, in]
/// @param bias [out], or null
/// @param lora the adapter, or null where the layer is not targeted
public record Linear(Weight weight, Tensor bias, Lora lora) {
    public Linear {
        if (lora != null && (lora.a().dim(-1) != weight.in() || lora.b().dim(-2) != weight.out())) {
            throw new IllegalArgumentException("LoRA " + lora.a() + ", " + lora.b() + " does not fit a weight of "
                    + weight.out() + " x " + weight.in());
        }
    }

    /// Rank of the adapter, 0 where there is none.
    public int rank() {
        return lora == null ? 0 : lora.rank();
    }
}
