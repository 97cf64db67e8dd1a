package dev.sluice.bench.machine;

import dev.sluice.bench.Refusal;
import dev.sluice.bench.floor.Ceiling;
import dev.sluice.compute.Backend;
import java.util.Map;
import picocli.CommandLine.Option;

/// What the device can do at most: as the user says, as is known of the card, or measured here.
public final class CeilingOption {
    /// Measured with products of 8192 and copies of 4 GiB of random data.
    private static final Map<String, double[]> CARDS = Map.of("H200", new double[] {790, 4.3}, "H100 80GB HBM3", new double[] {790, 3.0});

    @Option(names = "--tflops", description = "ceiling of matrix products in TFLOP/s (default: known of the card, or measured)")
    private Double teraflops;

    @Option(names = "--terabytes", description = "ceiling of memory in TB/s, read and written (default: known of the card, or measured)")
    private Double terabytes;

    public Ceiling of(Backend backend) {
        if ((teraflops == null) != (terabytes == null)) {
            throw new Refusal("--tflops and --terabytes belong together; give both or neither");
        }
        return teraflops != null ? Ceiling.ofTera(teraflops, terabytes, "as given")
                : CARDS.entrySet().stream().filter(card -> backend.description().contains(card.getKey())).findFirst()
                        .map(card -> Ceiling.ofTera(card.getValue()[0], card.getValue()[1], "known of " + card.getKey()))
                        .orElseGet(() -> MeasuredCeiling.of(backend));
    }
}
