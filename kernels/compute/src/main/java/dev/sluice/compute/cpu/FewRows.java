package dev.sluice.compute.cpu;

/// Sends products of very few rows with large weights to own kernels: packing a weight for a handful of rows costs a
/// library several times what multiplying with it does. The shape alone decides.
record FewRows(Gemm library) implements Gemm {
    /// Measured with GemmSpeed: the library overtakes above it.
    private static final int MOST_ROWS = 16;
    /// Narrower rows of c are over before their loop gets going.
    private static final int LEAST_AXPY_COLUMNS = 512;
    /// Products up to this size go through OpenBLAS's own path for small matrices, which packs nothing.
    private static final long SMALL_PRODUCT = 1_000_000;

    @Override
    public void nt(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
        if (m <= MOST_ROWS && large(m, n, k)) {
            DotKernel.nt(m, n, k, alpha, a, lda, b, ldb, add, c, ldc);
        } else {
            library.nt(m, n, k, alpha, a, lda, b, ldb, add, c, ldc);
        }
    }

    @Override
    public void nn(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
        if (m <= MOST_ROWS && n >= LEAST_AXPY_COLUMNS && large(m, n, k)) {
            AxpyKernel.nn(m, n, k, alpha, a, lda, b, ldb, add, c, ldc);
        } else {
            library.nn(m, n, k, alpha, a, lda, b, ldb, add, c, ldc);
        }
    }

    private static boolean large(int m, int n, int k) {
        return (long) m * n * k > SMALL_PRODUCT;
    }

    @Override
    public void tn(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
        library.tn(m, n, k, alpha, a, lda, b, ldb, add, c, ldc);
    }

    @Override
    public String description() {
        return library.description();
    }
}
