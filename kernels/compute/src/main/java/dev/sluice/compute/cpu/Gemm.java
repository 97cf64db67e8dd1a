package dev.sluice.compute.cpu;

/// Single-threaded float32 matrix products on addresses. Row-major; `ld` is the distance between rows in elements.
/// `c = alpha * product + (add ? c : 0)`; what c held before is not read unless it is added to.
interface Gemm {
    /// `c[m, n] = a[m, k] * b[n, k]^T`: activations times a weight.
    void nt(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc);

    /// `c[m, n] = a[m, k] * b[k, n]`: a gradient times a weight.
    void nn(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc);

    /// `c[m, n] = a[k, m]^T * b[k, n]`: the gradient of a weight.
    void tn(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc);

    /// Library and version, for the backend's description.
    String description();
}
