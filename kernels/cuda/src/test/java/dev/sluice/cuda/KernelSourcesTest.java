package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// A kernel that does not wait for the grid before it, in every thread and first of all, may read what is not yet written, and so may the next one.
class KernelSourcesTest {
    private static final Path SOURCES = Path.of("src", "main", "cuda");
    private static final String WAIT = "ptx::wait_for_prerequisite_grids()";
    private static final Pattern COMMENT_OR_CONTINUATION = Pattern.compile("/\\*.*?\\*/|//[^\\n]*|\\\\(?=\\n)", Pattern.DOTALL);
    private static final Pattern KERNEL = Pattern.compile("__global__([^{;]*)\\{\\s*([^;{}]*);");

    private static Stream<String> sources() throws IOException {
        return Files.walk(SOURCES).filter(file -> file.toString().matches(".*\\.(cu|cuh|h)")).map(KernelSourcesTest::read);
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String code(String source) {
        return COMMENT_OR_CONTINUATION.matcher(source).replaceAll("");
    }

    /// Heads of the kernels whose first statement is another one.
    private static List<String> hasty(String source) {
        return KERNEL.matcher(code(source)).results().filter(kernel -> !kernel.group(2).equals(WAIT)).map(kernel -> kernel.group(1).strip()).toList();
    }

    private static long count(String source, String word) {
        return Pattern.compile(Pattern.quote(word)).matcher(code(source)).results().map(MatchResult::group).count();
    }

    @Test
    void everyKernelWaitsForTheGridBeforeItFirst() throws IOException {
        try (var sources = sources()) {
            var all = sources.toList();
            assertEquals(List.of(), all.stream().flatMap(source -> hasty(source).stream()).toList());
            long kernels = all.stream().mapToLong(source -> count(source, "__global__")).sum();
            assertTrue(kernels > 40, "only " + kernels + " kernels were found in " + SOURCES.toAbsolutePath());
            assertEquals(kernels, all.stream().flatMap(source -> KERNEL.matcher(code(source)).results()).count(), "kernels that the pattern does not see");
        }
    }

    @Test
    void onlyTheWaitSpeaksOfOtherGrids() throws IOException {
        try (var sources = sources()) {
            assertEquals(2, sources.mapToLong(source -> count(source, "griddepcontrol")).sum());
        }
    }

    @Test
    void hastyKernelIsSeen() {
        String good = "extern \"C\" __global__ void __launch_bounds__(256) \\\n    good(int n) {   \\\n    " + WAIT + "; \\\n    if (n) return; }\n";
        assertEquals(List.of(), hasty(good));
        assertEquals(List.of("void bad(int n)"), hasty(good + "__global__ void bad(int n) {\n    // " + WAIT + ";\n    if (n) return;\n    " + WAIT + ";\n}"));
        assertEquals(List.of("void bad()"), hasty("__global__ void bad() { int x = 0; }\n" + good));
    }
}
