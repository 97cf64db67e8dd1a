package dev.sluice.model.peft;

import dev.sluice.model.config.TensorNames;
import dev.sluice.model.lora.AdapterLayout;
import dev.sluice.model.lora.LoraSite;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// One pair of tensors per expert and projection. A fused gate_up_proj splits: gate and up share A, and each has its
/// half of B. Files whose gate and up have different A's fuse to twice the rank, block by block.
final class PerExpertNames {
    private final TensorNames names;

    PerExpertNames(TensorNames names) {
        this.names = names;
    }

    /// @param separate layers whose gate and up have an A each
    List<FileTensor> tensors(AdapterLayout layout, Set<Integer> separate) {
        return layout.sites().stream().flatMap(site -> switch (site.kind()) {
            case EXPERTS_GATE_UP -> experts(site, e -> separate.contains(site.layer()) ? separate(site, e) : shared(site, e));
            case EXPERTS_DOWN -> experts(site, e -> down(site, e));
            case QUERY, KEY, VALUE, OUTPUT, QUERY_DOWN, QUERY_UP, KEY_VALUE_DOWN, KEY_VALUE_UP, CONVOLUTION_INPUT,
                    CONVOLUTION_OUTPUT, GATE, UP, DOWN, SHARED_GATE,
                    SHARED_UP, SHARED_DOWN, HEAD -> Peft3dNames.linear(site);
        }).toList();
    }

    /// Full name of one expert's projection.
    String gate(int layer, int expert) {
        return names.inExpert(layer, names.expertGate(), expert);
    }

    String up(int layer, int expert) {
        return names.inExpert(layer, names.expertUp(), expert);
    }

    String down(int layer, int expert) {
        return names.inExpert(layer, names.expertDown(), expert);
    }

    private static Stream<FileTensor> experts(LoraSite site, IntFunction<Stream<FileTensor>> tensors) {
        return IntStream.range(0, site.experts()).boxed().flatMap(tensors::apply);
    }

    private Stream<FileTensor> shared(LoraSite site, int expert) {
        int half = site.out() / 2;
        return Stream.of(FileTensor.contiguous(Peft3dNames.a(gate(site.layer(), expert)), site.rank(), site.in(), a(site, expert)),
                FileTensor.contiguous(Peft3dNames.b(gate(site.layer(), expert)), half, site.rank(), b(site, expert)),
                FileTensor.contiguous(Peft3dNames.a(up(site.layer(), expert)), site.rank(), site.in(), a(site, expert)),
                FileTensor.contiguous(Peft3dNames.b(up(site.layer(), expert)), half, site.rank(),
                        b(site, expert) + (long) half * site.rank()));
    }

    private Stream<FileTensor> separate(LoraSite site, int expert) {
        int half = site.out() / 2;
        int rank = site.rank() / 2;
        return Stream.of(FileTensor.contiguous(Peft3dNames.a(gate(site.layer(), expert)), rank, site.in(), a(site, expert)),
                FileTensor.matrix(Peft3dNames.b(gate(site.layer(), expert)), half, rank, b(site, expert), site.rank()),
                FileTensor.contiguous(Peft3dNames.a(up(site.layer(), expert)), rank, site.in(),
                        a(site, expert) + (long) rank * site.in()),
                FileTensor.matrix(Peft3dNames.b(up(site.layer(), expert)), half, rank,
                        b(site, expert) + (long) half * site.rank() + rank, site.rank()));
    }

    private Stream<FileTensor> down(LoraSite site, int expert) {
        return Stream.of(FileTensor.contiguous(Peft3dNames.a(down(site.layer(), expert)), site.rank(), site.in(), a(site, expert)),
                FileTensor.contiguous(Peft3dNames.b(down(site.layer(), expert)), site.out(), site.rank(), b(site, expert)));
    }

    private static long a(LoraSite site, int expert) {
        return site.offsetA() + (long) expert * site.rank() * site.in();
    }

    private static long b(LoraSite site, int expert) {
        return site.offsetB() + (long) expert * site.out() * site.rank();
    }
}
