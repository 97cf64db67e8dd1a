package dev.sluice.model.training;

import dev.sluice.compute.Backend;
import dev.sluice.compute.BackendFaultException;
import dev.sluice.compute.Workload;
import dev.sluice.compute.op.ParameterArena;
import dev.sluice.model.lora.AdapterLayout;
import dev.sluice.model.lora.LoraSite;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/// Makes sure that training trains: that the kernels of the chosen backend run, that every B gets a gradient and moves in the first
/// step, and that every A gets one as soon as B is no longer zero, in the step after. Experts that the data gave nothing to do are
/// excepted.
final class FirstSteps {
    private static final int MOST_NAMES = 4;

    private final Backend backend;
    private final AdapterLayout layout;
    private final ParameterArena parameters;
    private Map<String, Long> launches = Map.of();
    private boolean begun;
    private boolean moved;
    private boolean over;

    FirstSteps(Backend backend, AdapterLayout layout, ParameterArena parameters) {
        this.backend = backend;
        this.layout = layout;
        this.parameters = parameters;
    }

    /// Whether all was seen.
    boolean over() {
        return over;
    }

    void beforeStep() {
        launches = begun ? launches : Map.copyOf(backend.launches());
    }

    /// To be called when the gradients are complete and not used yet.
    ///
    /// @throws BackendFaultException if one is zero that cannot be
    void beforeUpdate(Evidence evidence) {
        if (!begun && evidence.conclusive()) {
            require("the gradient", layout.sites().stream().flatMap(site -> withoutGradientB(site, evidence).stream()).toList());
        }
        if (moved) {
            require("the gradient", layout.sites().stream().flatMap(site -> withoutGradientA(site).stream()).toList());
            over = true;
        }
    }

    /// @param workload of the step
    /// @param rate that was used
    /// @throws BackendFaultException if kernels did not run, or an update did not arrive
    void afterUpdate(Evidence evidence, Workload workload, double rate) {
        if (!begun) {
            requireLaunched(workload);
        }
        begun |= evidence.conclusive();
        if (!moved && rate > 0 && evidence.conclusive()) {
            require("after its update", layout.sites().stream().flatMap(site -> names(site, "lora_B",
                    unmoved(Matrices.b(backend, parameters.values(), site), site, evidence)).stream()).toList());
            moved = true;
        }
    }

    private void requireLaunched(Workload workload) {
        Map<String, Long> now = backend.launches();
        List<String> idle = backend.kernels(workload).stream().filter(prefix -> now.keySet().stream()
                .noneMatch(name -> name.startsWith(prefix) && now.get(name) > launches.getOrDefault(name, 0L))).toList();
        if (!idle.isEmpty()) {
            throw new BackendFaultException(backend.name(), "a training step did not run its kernels " + String.join(", ", idle)
                    + " at " + workload.describe());
        }
    }

    private List<String> withoutGradientB(LoraSite site, Evidence evidence) {
        return names(site, "lora_B", unmoved(Matrices.b(backend, parameters.gradients(), site), site, evidence));
    }

    /// All of a stack, or single ones that certainly took part.
    private static boolean[] unmoved(Matrices matrices, LoraSite site, Evidence evidence) {
        boolean[] unmoved = new boolean[site.experts()];
        for (int expert = 0; expert < unmoved.length; expert++) {
            unmoved[expert] = matrices.zero(expert) && (matrices.allZero() || evidence.certain(site.layer(), expert));
        }
        return unmoved;
    }

    /// Where B is not zero and gets a gradient, A gets one too.
    private List<String> withoutGradientA(LoraSite site) {
        Matrices b = Matrices.b(backend, parameters.values(), site);
        Matrices gradB = Matrices.b(backend, parameters.gradients(), site);
        Matrices gradA = Matrices.a(backend, parameters.gradients(), site);
        boolean[] wrong = new boolean[site.experts()];
        for (int expert = 0; expert < wrong.length; expert++) {
            wrong[expert] = gradA.zero(expert) && !b.zero(expert) && !gradB.zero(expert);
        }
        return names(site, "lora_A", wrong);
    }

    private static List<String> names(LoraSite site, String matrix, boolean[] wrong) {
        String name = site.name() + "." + matrix;
        if (IntStream.range(0, wrong.length).allMatch(expert -> wrong[expert])) {
            return List.of(name);
        }
        var names = new ArrayList<String>();
        IntStream.range(0, wrong.length).filter(expert -> wrong[expert]).forEach(expert -> names.add(name + " of expert " + expert));
        return names;
    }

    private void require(String what, List<String> zero) {
        if (!zero.isEmpty()) {
            throw new BackendFaultException(backend.name(), what + " of " + zero.size() + " adapter matrices is zero although the data"
                    + " reaches them: " + String.join(", ", zero.subList(0, Math.min(MOST_NAMES, zero.size())))
                    + (zero.size() > MOST_NAMES ? ", ..." : ""));
        }
    }
}
