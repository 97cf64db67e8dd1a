package dev.sluice.helm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.marcnuri.helm.Helm;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RenderTest {

    static List<Path> valueSets() {
        return SluiceChart.valueSets();
    }

    @ParameterizedTest
    @MethodSource("valueSets")
    void strictLintPasses(Path values, @TempDir Path folder) throws IOException {
        Path copy = copyWithValues(values, folder.resolve("sluice"));
        var result = new Helm(copy).lint().strict().call();
        assertFalse(result.isFailed(), () -> String.join("\n", result.getMessages()));
        // Lint only reports what `fail` says, so its messages are read too.
        assertTrue(result.getMessages().stream().noneMatch(line -> line.contains("[WARNING]") || line.contains("[ERROR]")));
    }

    @Test
    void lintSeesABrokenTemplate(@TempDir Path folder) throws IOException {
        Path copy = copyWithValues(SluiceChart.valueSet("default"), folder.resolve("sluice"));
        Files.writeString(copy.resolve("templates/ingest/broken.yaml"), "{{ .Values.ingest.replicas.missing }}");
        assertTrue(new Helm(copy).lint().strict().call().isFailed());
    }

    @ParameterizedTest
    @MethodSource("valueSets")
    void objectsAreWhollyKnownToKubernetesAndNamedOnce(Path values) {
        List<HasMetadata> objects = SluiceChart.render(values).objects();
        assertEquals(objects.size(), objects.stream().map(RenderTest::address).distinct().count());
        assertTrue(objects.stream().allMatch(object -> "tuning".equals(object.getMetadata().getNamespace())));
    }

    @Test
    void strictReaderRefusesAnUnknownField() {
        var error = assertThrows(
                UncheckedIOException.class,
                () -> Manifests.parse("{apiVersion: v1, kind: Service, spec: {ports: [{port: 1, targetPrt: 2}]}}"));
        assertTrue(error.getMessage().contains("targetPrt"));
    }

    @Test
    void strictReaderRefusesAKeyThatStandsTwice() {
        assertThrows(
                UncheckedIOException.class,
                () -> Manifests.parse("apiVersion: v1\nkind: Service\nmetadata: {name: a, name: b}"));
    }

    @Test
    void everyComponentHasDeploymentServiceAndAccount() {
        Manifests manifests = SluiceChart.renderWith("");
        for (String component : SluiceChart.COMPONENTS) {
            assertEquals(
                    "demo-sluice-" + component,
                    manifests.pod(component).getServiceAccountName());
            assertFalse(manifests.named(ServiceAccount.class, component).getAutomountServiceAccountToken());
            var port = manifests.named(Service.class, component).getSpec().getPorts().getFirst();
            assertEquals(8080, port.getPort());
            assertEquals("http", port.getTargetPort().getStrVal());
        }
    }

    @Test
    void servicesSelectTheirOwnPods() {
        Manifests manifests = SluiceChart.renderWith("");
        for (String component : SluiceChart.COMPONENTS) {
            assertEquals(
                    manifests.deployment(component).getSpec().getSelector().getMatchLabels(),
                    manifests.named(Service.class, component).getSpec().getSelector());
        }
    }

    @Test
    void disruptionBudgetsGuardAllButTheTrainer() {
        var budgets = SluiceChart.renderWith("").all(PodDisruptionBudget.class);
        assertEquals(
                List.of("demo-sluice-evaluator", "demo-sluice-ingest"),
                budgets.stream().map(budget -> budget.getMetadata().getName()).sorted().toList());
        assertTrue(budgets.stream().allMatch(budget -> budget.getSpec().getMaxUnavailable().getIntVal() == 1));
    }

    @Test
    void existingClaimsAreUsedInsteadOfNewOnes() {
        Manifests manifests = SluiceChart.renderWith("{store: {existingClaim: a}, models: {existingClaim: b}}");
        assertTrue(manifests.all(PersistentVolumeClaim.class).isEmpty());
        var claims = manifests.pod("trainer").getVolumes().stream()
                .filter(volume -> volume.getPersistentVolumeClaim() != null)
                .collect(Collectors.toMap(
                        volume -> volume.getName(),
                        volume -> volume.getPersistentVolumeClaim().getClaimName()));
        assertEquals(Map.of("store", "a", "models", "b"), claims);
    }

    @Test
    void namesOfLongReleasesFitIntoADnsLabel() {
        Manifests manifests = SluiceChart.renderWith("fullnameOverride: " + "n".repeat(70));
        assertTrue(manifests.objects().stream().allMatch(object -> object.getMetadata().getName().length() <= 63));
    }

    private static String address(HasMetadata object) {
        return object.getKind() + "/" + object.getMetadata().getName();
    }

    private static Path copyWithValues(Path values, Path target) throws IOException {
        try (var files = Files.walk(SluiceChart.FOLDER)) {
            for (Path file : files.toList()) {
                Files.copy(file, target.resolve(SluiceChart.FOLDER.relativize(file)));
            }
        }
        Path defaults = target.resolve("values.yaml");
        Values.write(defaults, Values.merge(Values.read(defaults), Values.read(values)));
        return target;
    }
}
