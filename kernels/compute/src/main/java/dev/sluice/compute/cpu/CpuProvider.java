package dev.sluice.compute.cpu;

import dev.sluice.compute.Availability;
import dev.sluice.compute.Backend;
import dev.sluice.compute.BackendProvider;

/// The CPU, preferred least. Needs the Java vector module, and takes OpenBLAS where it can be loaded.
public final class CpuProvider implements BackendProvider {
    static final String NAME = "cpu";
    /// Environment variable with the number of threads; all processors if it is not set.
    static final String THREADS = "SLUICE_CPU_THREADS";

    private static final String VECTOR_MODULE = "jdk.incubator.vector";
    private static final System.Logger LOG = System.getLogger(CpuProvider.class.getName());

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int preference() {
        return 0;
    }

    @Override
    public Availability probe() {
        if (ModuleLayer.boot().findModule(VECTOR_MODULE).isEmpty()) {
            return new Availability.Unavailable(
                    "the Java vector module is not there; start java with --add-modules " + VECTOR_MODULE);
        }
        try {
            return new Availability.Available(threads(System.getenv(THREADS)) + " threads");
        } catch (IllegalArgumentException wrong) {
            return new Availability.Unavailable(wrong.getMessage());
        }
    }

    @Override
    public Backend open() {
        if (probe() instanceof Availability.Unavailable(var reason)) {
            throw new IllegalStateException("cpu backend: " + reason);
        }
        return new CpuBackend(threads(System.getenv(THREADS)), gemm());
    }

    static Gemm gemm() {
        String failure = OpenBlas.failure();
        if (failure == null) {
            return new FewRows(new OpenBlas());
        }
        LOG.log(System.Logger.Level.WARNING, "{0}; multiplying with Java vectors instead, which is slower", failure);
        return new FewRows(new VectorGemm());
    }

    /// @throws IllegalArgumentException if it is set to something that is no count
    static int threads(String setting) {
        if (setting == null || setting.isBlank()) {
            return Runtime.getRuntime().availableProcessors();
        }
        try {
            int threads = Integer.parseInt(setting.strip());
            if (threads >= 1) {
                return threads;
            }
        } catch (NumberFormatException notANumber) {
            // Reported below, with the same words.
        }
        throw new IllegalArgumentException(THREADS + " should be a count of at least 1, was '" + setting + "'");
    }
}
