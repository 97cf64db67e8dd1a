package dev.sluice.helm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every pod of every value set meets the Restricted pod security standard and the chart's own policy.
class PodSecurityTest {

    static Stream<Deployment> deployments() {
        return SluiceChart.valueSets().stream().flatMap(values -> SluiceChart.render(values).all(Deployment.class).stream());
    }

    @ParameterizedTest
    @MethodSource("deployments")
    void podRunsWithoutRootOrToken(Deployment deployment) {
        PodSpec pod = pod(deployment);
        var security = pod.getSecurityContext();
        assertTrue(security.getRunAsNonRoot());
        assertTrue(security.getRunAsUser() > 0);
        assertEquals("RuntimeDefault", security.getSeccompProfile().getType());
        assertFalse(pod.getAutomountServiceAccountToken());
        assertFalse(pod.getEnableServiceLinks());
        assertTrue(Stream.of(pod.getHostNetwork(), pod.getHostPID(), pod.getHostIPC()).noneMatch(Boolean.TRUE::equals));
    }

    @ParameterizedTest
    @MethodSource("deployments")
    void containerHasNoPrivilege(Deployment deployment) {
        var security = container(deployment).getSecurityContext();
        assertFalse(security.getAllowPrivilegeEscalation());
        assertTrue(security.getReadOnlyRootFilesystem());
        assertEquals(List.of("ALL"), security.getCapabilities().getDrop());
        assertTrue(security.getCapabilities().getAdd().isEmpty());
    }

    @ParameterizedTest
    @MethodSource("deployments")
    void containerHasRequestsAndLimits(Deployment deployment) {
        var resources = container(deployment).getResources();
        assertTrue(resources.getRequests().keySet().containsAll(Set.of("cpu", "memory")));
        assertTrue(resources.getLimits().keySet().containsAll(Set.of("cpu", "memory")));
        assertEquals(resources.getLimits().get("memory"), resources.getRequests().get("memory"));
    }

    @ParameterizedTest
    @MethodSource("deployments")
    void probesAskTheHealthEndpoints(Deployment deployment) {
        Container container = container(deployment);
        assertEquals("/q/health/started", container.getStartupProbe().getHttpGet().getPath());
        assertEquals("/q/health/live", container.getLivenessProbe().getHttpGet().getPath());
        assertEquals("/q/health/ready", container.getReadinessProbe().getHttpGet().getPath());
        Set<String> ports = Stream.of(container.getStartupProbe(), container.getLivenessProbe(), container.getReadinessProbe())
                .map(probe -> probe.getHttpGet().getPort().getStrVal())
                .collect(Collectors.toSet());
        assertEquals(Set.of(container.getPorts().getFirst().getName()), ports);
    }

    @ParameterizedTest
    @MethodSource("deployments")
    void everyMountHasAVolumeOfAnAllowedKind(Deployment deployment) {
        PodSpec pod = pod(deployment);
        assertEquals(
                pod.getVolumes().stream().map(Volume::getName).collect(Collectors.toSet()),
                container(deployment).getVolumeMounts().stream().map(VolumeMount::getName).collect(Collectors.toSet()));
        for (Volume volume : pod.getVolumes()) {
            assertTrue(volume.getPersistentVolumeClaim() != null
                    || volume.getSecret() != null
                    || volume.getEmptyDir().getSizeLimit() != null, volume::getName);
        }
    }

    @ParameterizedTest
    @MethodSource("deployments")
    void onlyStoreScratchAndTmpAreWritable(Deployment deployment) {
        assertEquals(
                Set.of("/tmp", "/var/lib/sluice/scratch", "/var/lib/sluice/store"),
                container(deployment).getVolumeMounts().stream()
                        .filter(mount -> !Boolean.TRUE.equals(mount.getReadOnly()))
                        .map(VolumeMount::getMountPath)
                        .collect(Collectors.toSet()));
    }

    @ParameterizedTest
    @MethodSource("deployments")
    void podCarriesTheRecommendedLabels(Deployment deployment) {
        var labels = deployment.getSpec().getTemplate().getMetadata().getLabels();
        for (String label : List.of("name", "instance", "component", "version", "part-of")) {
            assertNotNull(labels.get("app.kubernetes.io/" + label), label);
        }
        assertEquals("Helm", deployment.getMetadata().getLabels().get("app.kubernetes.io/managed-by"));
    }

    private static PodSpec pod(Deployment deployment) {
        return deployment.getSpec().getTemplate().getSpec();
    }

    private static Container container(Deployment deployment) {
        return pod(deployment).getContainers().getFirst();
    }
}
