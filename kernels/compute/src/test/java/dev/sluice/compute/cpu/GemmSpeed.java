package dev.sluice.compute.cpu;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Random;

/// Prints GFLOP/s of one thread for the shapes that a small Mixture-of-Experts layer multiplies, library beside vectors.
final class GemmSpeed {
    /// kind, m, n, k
    private static final Object[][] SHAPES = {
        {"nt", 128, 256, 128}, {"nt", 128, 128, 128}, {"nt", 128, 16, 128}, {"nt", 128, 256, 16}, {"nt", 128, 1280, 128},
        {"nn", 128, 128, 256}, {"nn", 128, 128, 128}, {"nn", 128, 16, 256}, {"nn", 128, 128, 16}, {"nn", 128, 128, 1280},
        {"tn", 256, 16, 128}, {"tn", 16, 128, 128}, {"tn", 64, 16, 2048}, {"tn", 16, 64, 2048},
        {"nt", 64, 64, 32}, {"nt", 64, 256, 32}, {"nn", 64, 32, 64}, {"nn", 64, 32, 256}, {"tn", 64, 32, 64}, {"tn", 256, 32, 64},
        {"nt", 1, 2048, 1536}, {"nt", 2, 2048, 1536}, {"nt", 4, 2048, 1536}, {"nt", 8, 2048, 1536}, {"nt", 12, 2048, 1536}, {"nt", 16, 2048, 1536},
        {"nt", 1, 128, 1536}, {"nt", 4, 128, 1536}, {"nt", 8, 128, 1536}, {"nt", 16, 128, 1536}, {"nt", 1, 256, 128}, {"nt", 4, 256, 128}, {"nt", 8, 256, 128},
        {"nn", 1, 1536, 2048}, {"nn", 2, 1536, 2048}, {"nn", 4, 1536, 2048}, {"nn", 8, 1536, 2048}, {"nn", 16, 1536, 2048}, {"nn", 1, 128, 1536}, {"nn", 4, 128, 1536}, {"nn", 8, 128, 1536},
        {"tn", 2048, 16, 2}, {"tn", 16, 2048, 2}, {"tn", 2048, 16, 8}, {"tn", 16, 2048, 8},
        {"nt", 64, 2048, 1536}, {"nt", 512, 4096, 1024}, {"nn", 512, 1024, 4096}};

    private GemmSpeed() {}

    public static void main(String[] arguments) {
        Gemm[] gemms = {new OpenBlas(), new VectorGemm(), new Few()};
        System.out.println(gemms[0].description());
        System.out.printf("%-22s %10s %10s %10s  GFLOP/s, one thread, median%n", "kind m x n x k", "OpenBLAS", "vectors", "few rows");
        try (var arena = Arena.ofConfined()) {
            long memory = fill(arena.allocate(4L << 24, 64).address(), 1 << 24);
            for (int warm = 0; warm < 2; warm++) {
                for (Object[] s : SHAPES) {
                    double[] speeds = Arrays.stream(gemms).mapToDouble(gemm ->
                            gemm instanceof Few && s[0].equals("tn") ? Double.NaN : measure(gemm, s, memory)).toArray();
                    if (warm == 1) {
                        System.out.printf("%-22s %10.1f %10.1f %10.1f%n", s[0] + " " + s[1] + " x " + s[2] + " x " + s[3], speeds[0], speeds[1],
                                speeds[2]);
                    }
                }
            }
        }
    }

    /// The kernels for few rows, at any number of them.
    private record Few() implements Gemm {
        @Override
        public void nt(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
            DotKernel.nt(m, n, k, alpha, a, lda, b, ldb, add, c, ldc);
        }

        @Override
        public void nn(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
            AxpyKernel.nn(m, n, k, alpha, a, lda, b, ldb, add, c, ldc);
        }

        @Override
        public void tn(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
            throw new UnsupportedOperationException("few rows have no kernel for tn");
        }

        @Override
        public String description() {
            return "few rows";
        }
    }

    private static long fill(long address, int count) {
        var random = new Random(1);
        for (int i = 0; i < count; i++) {
            Memory.set(Memory.at(address, i), random.nextFloat() - 0.5f);
        }
        return address;
    }

    private static double measure(Gemm gemm, Object[] shape, long memory) {
        int m = (int) shape[1];
        int n = (int) shape[2];
        int k = (int) shape[3];
        long b = Memory.at(memory, 1 << 22);
        long c = Memory.at(memory, 3 << 22);
        int repeats = (int) Math.clamp(20_000_000L / ((long) m * n * k), 1, 1000);
        double[] seconds = new double[15];
        for (int sample = 0; sample < seconds.length; sample++) {
            long start = System.nanoTime();
            for (int i = 0; i < repeats; i++) {
                call(gemm, (String) shape[0], m, n, k, memory, b, c);
            }
            seconds[sample] = (System.nanoTime() - start) * 1e-9 / repeats;
        }
        Arrays.sort(seconds);
        return 2e-9 * m * n * k / seconds[seconds.length / 2];
    }

    private static void call(Gemm gemm, String kind, int m, int n, int k, long a, long b, long c) {
        switch (kind) {
            case "nt" -> gemm.nt(m, n, k, 1f, a, k, b, k, false, c, n);
            case "nn" -> gemm.nn(m, n, k, 1f, a, k, b, n, false, c, n);
            default -> gemm.tn(m, n, k, 1f, a, m, b, n, true, c, n);
        }
    }
}
