package dev.sluice.model.decoder;

import dev.sluice.compute.Linear;
import dev.sluice.compute.Lora;
import dev.sluice.compute.Tensor;
import dev.sluice.model.decoder.DecoderWeights.Projection;
import dev.sluice.model.lora.AdapterLayout;
import dev.sluice.model.lora.LoraSite;

/// An adapter in a backend's memory: hands every layer its matrices as views of one flat block.
///
/// @param values [size] in the backend's type
/// @param gradients [size]; for a pass without gradients the values themselves, which nothing then writes to
public record LoraBinding(AdapterLayout layout, Tensor values, Tensor gradients) {
    static Linear linear(LoraBinding binding, Projection projection, int layer, LoraSite.Kind kind) {
        return new Linear(projection.weight(), projection.bias(), lora(binding, layer, kind));
    }

    static Lora lora(LoraBinding binding, int layer, LoraSite.Kind kind) {
        return binding == null ? null : binding.layout.find(layer, kind).map(binding::lora).orElse(null);
    }

    private Lora lora(LoraSite site) {
        return new Lora(a(values, site), b(values, site), (float) site.scale(), a(gradients, site), b(gradients, site));
    }

    private static Tensor a(Tensor block, LoraSite site) {
        return site.kind().stacked()
                ? block.view(site.name() + ".lora_A", site.offsetA(), site.experts(), site.rank(), site.in())
                : block.view(site.name() + ".lora_A", site.offsetA(), site.rank(), site.in());
    }

    private static Tensor b(Tensor block, LoraSite site) {
        return site.kind().stacked()
                ? block.view(site.name() + ".lora_B", site.offsetB(), site.experts(), site.out(), site.rank())
                : block.view(site.name() + ".lora_B", site.offsetB(), site.out(), site.rank());
    }
}
