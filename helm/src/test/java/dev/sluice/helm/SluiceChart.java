package dev.sluice.helm;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.marcnuri.helm.Helm;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// The chart under test, rendered in process.
final class SluiceChart {

    /// The chart's folder; tests run in the module's folder.
    static final Path FOLDER = Path.of("sluice").toAbsolutePath();

    static final String RELEASE = "demo";

    static final List<String> COMPONENTS = List.of("ingest", "trainer", "evaluator");

    private SluiceChart() {}

    /// The committed value sets, one file each.
    static List<Path> valueSets() {
        try (Stream<Path> files = Files.list(FOLDER.resolve("ci"))) {
            return files.sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Path valueSet(String name) {
        return FOLDER.resolve("ci").resolve(name + "-values.yaml");
    }

    static Manifests render(Path... valueFiles) {
        // helm-java assumes Kubernetes 1.20 unless told, older than the chart accepts.
        var template = new Helm(FOLDER).template().withName(RELEASE).withNamespace("tuning").withKubeVersion("1.31.0");
        for (Path values : valueFiles) {
            template.withValuesFile(values);
        }
        return Manifests.parse(template.call());
    }

    /// Renders with the required values and `yaml` over them.
    static Manifests renderWith(String yaml) {
        return render(valueSet("default"), Values.file(yaml));
    }

    /// Asserts that the render stops and that its message holds every part.
    static void assertRefused(String yaml, String... parts) {
        assertRefused(List.of(valueSet("default"), Values.file(yaml)), parts);
    }

    static void assertRefused(List<Path> valueFiles, String... parts) {
        var error = assertThrows(IllegalStateException.class, () -> render(valueFiles.toArray(Path[]::new)));
        for (String part : parts) {
            assertTrue(error.getMessage().contains(part), () -> "no '" + part + "' in: " + error.getMessage());
        }
    }
}
