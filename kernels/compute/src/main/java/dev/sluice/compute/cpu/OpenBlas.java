package dev.sluice.compute.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;

/// OpenBLAS through java.lang.foreign. Each call runs on its calling thread alone: our own workers share the work, so
/// that its cut, and with it every bit, is the same whatever the number of threads.
final class OpenBlas implements Gemm {
    private static final String RESOURCES = "org/bytedeco/openblas/linux-x86_64";
    /// Needed ones first.
    private static final List<String> FILES =
            List.of("libgcc_s.so.1", "libquadmath.so.0", "libgfortran.so.5", "libopenblas.so.0");

    private static final int ROW_MAJOR = 101;
    private static final int PLAIN = 111;
    private static final int TRANSPOSED = 112;

    /// What loading came to: the functions, or why there are none.
    private record Loaded(MethodHandle sgemm, String description, String failure) {}

    private static final Loaded LOADED = load();
    /// A constant of its own, so that calls compile to a direct jump.
    private static final MethodHandle SGEMM = LOADED.sgemm;

    /// Null if it could be loaded, else the reason why not.
    static String failure() {
        return LOADED.failure;
    }

    private static Loaded load() {
        String system = System.getProperty("os.name") + " " + System.getProperty("os.arch");
        if (!system.equals("Linux amd64")) {
            return new Loaded(null, null, "OpenBLAS is packaged for Linux amd64 only, this is " + system);
        }
        try {
            Path folder = NativeLibraries.unpack(RESOURCES, "openblas-" + version(), FILES);
            return link(SymbolLookup.libraryLookup(folder.resolve("libopenblas.so.0"), Arena.global()));
        } catch (IOException | RuntimeException | LinkageError unusable) {
            return new Loaded(null, null, "OpenBLAS cannot be loaded: " + unusable
                    + "; -D" + NativeLibraries.FOLDER_PROPERTY + " names another folder to unpack it to");
        }
    }

    private static String version() throws IOException {
        try (InputStream in = OpenBlas.class.getResourceAsStream("openblas.properties")) {
            var properties = new Properties();
            properties.load(in);
            return properties.getProperty("version");
        }
    }

    private static Loaded link(SymbolLookup library) {
        Linker linker = Linker.nativeLinker();
        // Addresses travel as longs: the same registers, and no segment object for each operand.
        var sgemm = linker.downcallHandle(library.findOrThrow("cblas_sgemm"), FunctionDescriptor.ofVoid(
                JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_FLOAT,
                JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_FLOAT, JAVA_LONG, JAVA_INT));
        var setThreads = linker.downcallHandle(library.findOrThrow("openblas_set_num_threads"), FunctionDescriptor.ofVoid(JAVA_INT));
        var config = linker.downcallHandle(library.findOrThrow("openblas_get_config"), FunctionDescriptor.of(ADDRESS));
        try {
            setThreads.invokeExact(1);
            MemorySegment text = (MemorySegment) config.invokeExact();
            return new Loaded(sgemm, text.reinterpret(Long.MAX_VALUE).getString(0).strip(), null);
        } catch (Throwable impossible) {
            throw new LinkageError("openblas_get_config failed", impossible);
        }
    }

    OpenBlas() {
        if (SGEMM == null) {
            throw new IllegalStateException(LOADED.failure);
        }
    }

    @Override
    public void nt(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
        call(PLAIN, TRANSPOSED, m, n, k, alpha, a, lda, b, ldb, add, c, ldc);
    }

    @Override
    public void nn(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
        call(PLAIN, PLAIN, m, n, k, alpha, a, lda, b, ldb, add, c, ldc);
    }

    @Override
    public void tn(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
        call(TRANSPOSED, PLAIN, m, n, k, alpha, a, lda, b, ldb, add, c, ldc);
    }

    private static void call(int transA, int transB, int m, int n, int k, float alpha, long a, int lda, long b, int ldb,
            boolean add, long c, int ldc) {
        if (m == 0 || n == 0) {
            return;
        }
        try {
            SGEMM.invokeExact(ROW_MAJOR, transA, transB, m, n, k, alpha, a, lda, b, ldb, add ? 1f : 0f, c, ldc);
        } catch (Throwable impossible) {
            throw new IllegalStateException("cblas_sgemm", impossible);
        }
    }

    @Override
    public String description() {
        return LOADED.description;
    }
}
