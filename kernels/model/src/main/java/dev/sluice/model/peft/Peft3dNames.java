package dev.sluice.model.peft;

import dev.sluice.model.lora.AdapterLayout;
import dev.sluice.model.lora.LoraSite;
import dev.sluice.model.lora.LoraSite.Kind;
import java.util.List;
import java.util.stream.Stream;

/// PEFT's own names. Over a stack of experts, rows of `lora_A` are expert-major (row e * r + j) and columns of `lora_B`
/// expert-fastest (column j * experts + e). Where both parameters of one module are adapted their wrappers nest, and
/// the inner one, `gate_up_proj`, is named through `base_layer`. Source: peft 0.21, `ParamWrapper`.
final class Peft3dNames {
    private static final String PREFIX = "base_model.model.";

    private Peft3dNames() {}

    static List<FileTensor> tensors(AdapterLayout layout) {
        return layout.sites().stream().flatMap(site -> tensors(layout, site)).toList();
    }

    /// The two tensors of a linear layer, which are named the same in every format.
    static Stream<FileTensor> linear(LoraSite site) {
        return Stream.of(FileTensor.contiguous(a(site.name()), site.rank(), site.in(), site.offsetA()),
                FileTensor.contiguous(b(site.name()), site.out(), site.rank(), site.offsetB()));
    }

    static String a(String module) {
        return PREFIX + module + ".lora_A.weight";
    }

    static String b(String module) {
        return PREFIX + module + ".lora_B.weight";
    }

    private static Stream<FileTensor> tensors(AdapterLayout layout, LoraSite site) {
        return site.kind().stacked() ? stacked(layout, site) : linear(site);
    }

    private static Stream<FileTensor> stacked(AdapterLayout layout, LoraSite site) {
        String module = site.name().substring(0, site.name().lastIndexOf('.'));
        boolean inner = site.kind() == Kind.EXPERTS_GATE_UP && layout.find(site.layer(), Kind.EXPERTS_DOWN).isPresent();
        String wrapper = inner ? module + ".base_layer" : module;
        int columns = Math.multiplyExact(site.experts(), site.rank());
        return Stream.of(FileTensor.contiguous(a(wrapper), columns, site.in(), site.offsetA()),
                new FileTensor(b(wrapper), site.out(), columns, site.offsetB(), site.rank(), site.alternating(),
                        site.experts(), (long) site.out() * site.rank()));
    }
}
