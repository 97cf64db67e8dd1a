package dev.sluice.cuda;

import static java.util.stream.Collectors.joining;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import java.util.List;

/// Adds to gradients of LoRA's matrices, several by one launch: twin of `lora_gradient.cu`.
final class LoraGradients {
    private static final int CALLS = TileSizes.of("LORA_GRADIENT_CALLS");
    private static final int CALL_BYTES = TileSizes.of("LORA_GRADIENT_CALL_BYTES");
    private static final int FEATURES = TileSizes.of("LORA_GRADIENT_FEATURES");
    private static final int THREADS = TileSizes.of("LORA_GRADIENT_THREADS");
    private static final int ROWS = TileSizes.of("LORA_GRADIENT_ROWS");
    private static final int STAGES = TileSizes.of("LORA_GRADIENT_STAGES");

    private final Device device;
    private final Scope scratch;

    LoraGradients(Device device, Scope scratch) {
        this.device = device;
        this.scratch = scratch;
    }

    /// @param sums into different matrices
    void add(LoraGradient... sums) {
        add(List.of(sums));
    }

    /// @param sums into different matrices
    void add(List<LoraGradient> sums) {
        for (int i = 0; i < sums.size(); i += CALLS) {
            launch(sums.subList(i, Math.min(i + CALLS, sums.size())));
        }
    }

    private void launch(List<LoraGradient> sums) {
        var kernel = LoraGradientKernel.of(sums.stream().mapToLong(LoraGradient::rank).max().orElseThrow());
        long columns = sums.stream().mapToLong(sum -> sum.columns(kernel)).sum();
        long tiles = sums.stream().mapToLong(sum -> sum.shares(kernel, columns) * sum.columns(kernel)).sum();
        try (var own = scratch.child("lora.gradient")) {
            var places = tiles == 0 ? null : own.allocate("places", DType.FLOAT32, tiles, kernel.tile());
            var launch = device.launch(kernel.kernel).block(THREADS).sharedBytes(STAGES * ROWS * 2 * (FEATURES + kernel.ranks))
                    .detail(sizes(sums)).beginStruct();
            long block = 0;
            long place = 0;
            for (var sum : sums) {
                sum.write(launch, kernel, columns, block, place);
                long shared = sum.shares(kernel, columns) * sum.columns(kernel);
                block += shared + sum.experts() * sum.columns(kernel);
                place += shared;
            }
            for (int i = sums.size() * CALL_BYTES; i < CALLS * CALL_BYTES; i += Long.BYTES) {
                launch.int64(0);
            }
            launch.pointer(places).int64(device.arrivals()).int32(sums.size()).endStruct().grid(block).run();
        }
    }

    /// Their sizes, where times are taken.
    private static String sizes(List<LoraGradient> sums) {
        if (!KernelTimes.WANTED) {
            return "";
        }
        return sums.stream().map(sum -> Long.toString(sum.features()))
                .collect(joining("+", " rows=" + sums.getFirst().rowsOrGrouped() + " features=", " rank=" + sums.getFirst().rank()));
    }
}
