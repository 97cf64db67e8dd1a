package dev.sluice.compute.contract;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Nf4;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.contract.World.LoraTwin;
import dev.sluice.compute.contract.World.Twin;
import dev.sluice.compute.op.ExpertOps.Experts;
import dev.sluice.compute.op.ExpertOps.Tape;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Packed weights multiply as the numbers that they stand for do, in every packing that the backend says it takes.
public interface PackedContract extends Contract {
    @ParameterizedTest
    @CsvSource({"FP8,1,24,5", "FP8,7,160,70", "FP8,130,300,33", "FP8,2,1100,4000", "MXFP4,1,32,5", "MXFP4,7,160,70",
        "MXFP4,2,1152,4000", "NF4,1,64,5", "NF4,7,192,70", "NF4,130,320,33", "NF4,2,1152,4000"})
    default void packedLinearMatchesThePlainOne(Packing packing, int rows, int in, int out) {
        requireTaken(packing);
        try (var world = world(rows + in); var scratch = world.scratch()) {
            var packed = new PackedTwin(world, packing, out, in);
            var lora = world.lora("lora", 3, out, in, 2);
            var x = world.activations("x", 1, rows, in);
            var dy = world.activations("dy", 1, rows, out);
            var bias = world.activations("bias", 1, out);
            double[][] results = new double[2][];
            for (Weight weight : List.of(packed.plain(), packed.weight())) {
                var layer = new Linear(weight, bias.tensor(), lora.lora());
                var z = world.output("z", rows, 3);
                var y = world.output("y", rows, out);
                var dx = world.output("dx", rows, in);
                world.backend().linear().forward(x.tensor(), layer, z, y, scratch);
                world.backend().linear().backward(dy.tensor(), x.tensor(), z, layer, dx, Accumulate.REPLACE, scratch);
                if (results[0] == null) {
                    results = new double[][] {world.read(y), world.read(dx)};
                } else {
                    world.assertClose(y, results[0]);
                    world.assertClose(dx, results[1]);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"FP8,5,24,16", "FP8,40,130,140", "FP8,3,1024,640", "MXFP4,5,32,32", "MXFP4,40,160,96", "MXFP4,3,1024,640",
        "NF4,5,64,64", "NF4,40,192,128", "NF4,3,1024,640"})
    default void packedExpertsMatchThePlainOnes(Packing packing, int tokens, int hidden, int width) {
        requireTaken(packing);
        try (var world = world(tokens + hidden); var scratch = world.scratch()) {
            var routing = RoutingTwin.random(world, tokens, 2, 3, 0, 3);
            var gateUp = new PackedTwin(world, packing, 3, 2L * width, hidden);
            var down = new PackedTwin(world, packing, 3, hidden, width);
            LoraTwin lora = world.lora("lora", 2, hidden, width, 2, 3);
            Twin x = world.activations("x", 1, tokens, hidden);
            Twin dOut = world.activations("dOut", 1, tokens, hidden);
            double[][] results = null;
            for (boolean asPacked : new boolean[] {false, true}) {
                var experts = new Experts(asPacked ? gateUp.weight() : gateUp.plain(), asPacked ? down.weight() : down.plain(), null,
                        lora.lora());
                int rows = tokens * routing.topK();
                var tape = new Tape(world.output("tape", rows, 2L * width), null, world.output("z2", rows, 2));
                var out = world.output("out", tokens, hidden);
                var dx = world.output("dx", tokens, hidden);
                var dWeights = world.poisoned("dWeights", DType.FLOAT32, tokens, routing.topK());
                world.backend().experts().forward(x.tensor(), routing.routing(), experts, tape, out, Accumulate.REPLACE, scratch);
                world.backend().experts().backward(dOut.tensor(), x.tensor(), routing.routing(), experts, tape, dx,
                        Accumulate.REPLACE, dWeights, scratch);
                if (asPacked) {
                    world.assertClose(out, results[0]);
                    world.assertClose(dx, results[1]);
                    world.assertClose(dWeights, results[2]);
                } else {
                    results = new double[][] {world.read(out), world.read(dx), world.read(dWeights)};
                }
            }
        }
    }

    private void requireTaken(Packing packing) {
        Assumptions.assumeTrue(backend().packings().contains(packing),
                backend().name() + " does not multiply with " + packing);
    }

    /// Random codes, and the same numbers plain.
    final class PackedTwin {
        private static final double[] E2M1 = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
        private static final float[] NUMBERS = Nf4.numbers();
        private static final float[] SCALES = Nf4.scales();
        private final Weight.Packed weight;
        private final Weight plain;

        /// @param shape [out, in] or [experts, out, in]
        public PackedTwin(World world, Packing packing, long... shape) {
            int in = Math.toIntExact(shape[shape.length - 1]);
            long[] codeShape = shape.clone();
            codeShape[shape.length - 1] = in / packing.numbersPerByte();
            long[] scaleShape = shape.clone();
            scaleShape[shape.length - 1] = packing.scales(in);
            double[] codes = codes(world.random(), packing, Math.toIntExact(elements(codeShape)));
            double[] scales = scales(world.random(), packing, in, Math.toIntExact(elements(scaleShape)));
            double[] groups = packing == Packing.NF4 ? groups(world.random(), in, scales.length) : new double[0];
            double[] values = new double[Math.toIntExact(elements(shape))];
            for (int i = 0; i < values.length; i++) {
                int scaleIndex = i / in * (int) packing.scales(in) + i % in / packing.block();
                double scale = scales[scaleIndex];
                values[i] = switch (packing) {
                    case FP8 -> e4m3((int) codes[i]) * scale;
                    case MXFP4 -> e2m1((int) codes[i / 2] >> i % 2 * 4 & 15) * Math.pow(2, scale - 127);
                    case NF4 -> NUMBERS[(int) codes[i / 2] >> (1 - i % 2) * 4 & 15] * scale(groups, scaleIndex, scales);
                };
            }
            weight = new Weight.Packed(packing, world.given("codes", DType.UINT8, codes, codeShape).tensor(),
                    world.given("scales", packing.scaleType(), scales, scaleShape).tensor(),
                    groups.length == 0 ? null : world.given("groups", DType.FLOAT32, groups, groups.length / 2, 2).tensor());
            plain = new Weight.Dense(world.given("plain", world.backend().activationType(), values, shape).tensor());
        }

        public Weight.Packed weight() {
            return weight;
        }

        Weight plain() {
            return plain;
        }

        private static long elements(long[] shape) {
            return Tensor.elements("packed", shape);
        }

        /// Any byte but the two that stand for NaN.
        private static double[] codes(Random random, Packing packing, int count) {
            return random.ints(count, 0, 256).map(code -> packing == Packing.FP8 && (code & 127) == 127 ? code - 1 : code)
                    .asDoubleStream().toArray();
        }

        /// A factor and an offset for as many scales each as divide them all, such that the numbers are about 1 / sqrt(in).
        private static double[] groups(Random random, int in, int scales) {
            int size = Math.min(Nf4.GROUP, Integer.lowestOneBit(scales));
            return random.doubles(scales / size * 2L, 0.5, 1).map(factor -> (float) (factor / Math.sqrt(in))).toArray();
        }

        private static double scale(double[] groups, int index, double[] scales) {
            int group = index / (scales.length / (groups.length / 2)) * 2;
            return SCALES[(int) scales[index]] * groups[group] + groups[group + 1];
        }

        /// Such that the numbers are about 1 / sqrt(in).
        private static double[] scales(Random random, Packing packing, int in, int count) {
            if (packing == Packing.NF4) {
                return random.ints(count, 0, 256).asDoubleStream().toArray();
            }
            double size = 1 / Math.sqrt(in);
            return random.doubles(count, 0.5, 2).map(factor -> packing == Packing.MXFP4
                    ? 127 + Math.round(Math.log(factor * size / 3) / Math.log(2)) : (double) (float) (factor * size / 100)).toArray();
        }

        private static double e2m1(int code) {
            return code < 8 ? E2M1[code] : -E2M1[code - 8];
        }

        private static double e4m3(int code) {
            int exponent = code >> 3 & 15;
            double magnitude = exponent == 0 ? (code & 7) * 0x1p-9 : (1 + (code & 7) / 8.0) * Math.pow(2, exponent - 7);
            return code > 127 ? -magnitude : magnitude;
        }
    }
}
