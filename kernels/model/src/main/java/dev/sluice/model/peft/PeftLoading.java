package dev.sluice.model.peft;

import dev.sluice.model.config.Family;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSite;
import dev.sluice.model.lora.LoraSite.Kind;
import dev.sluice.model.lora.Targets;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;

/// What peft 0.21 over transformers 5 makes of an adapter's files. Stacks of experts it loads as they are. Matrices of
/// single experts it stacks in some families only ([Family#peftStacksExperts]), and there it joins gate and up at twice
/// the rank and alpha, whatever else the adapter says of them. Source: its `transformers_weight_conversion`.
///
/// What is lost is told, not refused: the files are right, and SGLang, vLLM and this engine read single experts by their
/// names also where peft does not.
public record PeftLoading(Family family, Adapter adapter) {
    private static final String PEFT = "peft 0.21 over transformers 5 ";
    private static final String INSTEAD = "; it loads " + AdapterFormat.PEFT_3D.label();

    /// The format for adapters whose format nobody chose: single experts, which other programs read too, where peft loads
    /// them with their whole effect, and else stacks.
    public AdapterFormat format() {
        return family.peftStacksExperts() && ofSingleExperts().isEmpty() ? AdapterFormat.PER_EXPERT : AdapterFormat.PEFT_3D;
    }

    /// What would have no effect, or another one, if peft loaded the adapter in that format; a sentence each.
    public List<String> losses(AdapterFormat format) {
        return switch (format) {
            case PEFT_3D -> ofLinearLayers().toList();
            case PER_EXPERT -> Stream.concat(ofSingleExperts().stream(), ofLinearLayers()).toList();
        };
    }

    private List<String> ofSingleExperts() {
        if (!has(site -> site.kind().stacked())) {
            return List.of();
        }
        return family.peftStacksExperts() ? ofGateAndUp()
                : List.of(PEFT + "passes over single experts of " + family.modelType() + INSTEAD);
    }

    private List<String> ofGateAndUp() {
        if (!has(site -> site.kind() == Kind.EXPERTS_GATE_UP)) {
            return List.of();
        }
        var targets = new Targets(adapter.settings());
        boolean alone = !has(site -> site.kind() == Kind.EXPERTS_DOWN);
        boolean patterned = has(site -> site.kind() == Kind.EXPERTS_GATE_UP && targets.patterned(site.name()));
        return Stream.of(alone ? "passes over single experts' gate and up where down is not adapted" : "",
                        patterned ? "gives single experts' gate and up no rank or alpha of their own" : "",
                        adapter.settings().rslora() ? "scales single experts' gate and up by sqrt(2) too much with use_rslora" : "")
                .filter(loss -> !loss.isEmpty()).map(loss -> PEFT + loss + INSTEAD).toList();
    }

    /// Where peft takes their names for those of experts.
    private Stream<String> ofLinearLayers() {
        return family.peftStacksExperts() && has(site -> site.kind().gatedLinear())
                ? Stream.of(PEFT + "does not load gate, up and down of " + family.modelType()
                        + "'s dense layers and shared experts; merge the adapter into the model instead")
                : Stream.empty();
    }

    private boolean has(Predicate<LoraSite> wanted) {
        return adapter.layout().sites().stream().anyMatch(wanted);
    }
}
