package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Availability;
import dev.sluice.compute.DType;
import dev.sluice.compute.contract.World;
import dev.sluice.compute.contract.World.Twin;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Gradient products of few steps against float64 sums, and that the kernel of `shallow.cu` computed them.
class ShallowGemmTest {
    /// One rounding to bf16 of float32 sums: at most half a unit in the eighth bit of each.
    private static final double TOLERANCE = 0x1p-9;

    private static CudaBackend backend;

    @BeforeAll
    static void needsAGpu() {
        var availability = new PortableProvider().probe();
        assumeTrue(availability instanceof Availability.Available, availability.toString());
        backend = (CudaBackend) new PortableProvider().open();
    }

    @AfterAll
    static void close() {
        if (backend != null) {
            backend.close();
        }
    }

    /// rows, k, columns of A, n
    @ParameterizedTest
    @CsvSource({"1,8,8,40", "31,11,16,24", "32,16,16,128", "33,100,104,136", "64,128,128,2048", "129,33,40,520", "1000,128,128,256",
        "4097,64,64,384", "30000,32,32,72"})
    void sumsMatchFloat64(int rows, int k, int stride, int n) {
        for (var mode : Accumulate.values()) {
            try (var world = new World(backend, TOLERANCE, rows + n)) {
                var a = padded(world, rows, k, stride);
                var weight = world.activations("weight", 1 / Math.sqrt(k), k, n);
                var c = world.activations("c", 1, rows + 1L, n);
                long before = backend.launches().getOrDefault("gemm_nn_shallow", 0L);
                Gemm.of(backend.device(), Gemm.Form.GRADIENT, weight.tensor()).a(a.tensor(), stride).into(c.tensor(), mode).run(rows);
                world.assertClose(c.tensor(), product(a, weight, mode, c, rows, k, stride, n));
                assertEquals(1, backend.launches().getOrDefault("gemm_nn_shallow", 0L) - before);
            }
        }
    }

    /// Zeros beyond the columns that are multiplied.
    private static Twin padded(World world, int rows, int k, int stride) {
        double[] numbers = world.random().doubles((long) rows * stride, -1, 1).toArray();
        for (int r = 0; r < rows; r++) {
            Arrays.fill(numbers, r * stride + k, (r + 1) * stride, 0);
        }
        return world.given("a", DType.BFLOAT16, numbers, rows, stride);
    }

    /// What C holds afterwards: its last row is nobody's.
    private static double[] product(Twin a, Twin weight, Accumulate mode, Twin c, int rows, int k, int stride, int n) {
        double[] sums = c.values().clone();
        if (mode == Accumulate.REPLACE) {
            Arrays.fill(sums, 0, rows * n, 0);
        }
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < k; i++) {
                double left = a.values()[r * stride + i];
                for (int j = 0; j < n; j++) {
                    sums[r * n + j] += left * weight.values()[i * n + j];
                }
            }
        }
        return sums;
    }
}
