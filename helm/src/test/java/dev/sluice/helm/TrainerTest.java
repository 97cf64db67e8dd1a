package dev.sluice.helm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import io.fabric8.kubernetes.api.model.Toleration;
import java.util.List;
import org.junit.jupiter.api.Test;

class TrainerTest {

    @Test
    void gpuIsLimitedAndRequestedAlike() {
        ResourceRequirements resources = resources(SluiceChart.renderWith("trainer: {gpu: {count: 2}}"), "trainer");
        assertEquals(new Quantity("2"), resources.getLimits().get("nvidia.com/gpu"));
        assertEquals(new Quantity("2"), resources.getRequests().get("nvidia.com/gpu"));
    }

    @Test
    void withoutGpuNothingOfItIsLeft() {
        Manifests manifests = SluiceChart.renderWith("trainer: {gpu: {enabled: false, runtimeClassName: nvidia}}");
        assertTrue(resources(manifests, "trainer").getLimits().keySet().stream().noneMatch(name -> name.contains("gpu")));
        assertTrue(manifests.pod("trainer").getTolerations().isEmpty());
        assertNull(manifests.pod("trainer").getRuntimeClassName());
        assertNull(manifests.environment("trainer").get("NVIDIA_DRIVER_CAPABILITIES"));
    }

    @Test
    void onlyTheTrainerHoldsAGpuByDefault() {
        Manifests manifests = SluiceChart.renderWith("");
        assertTrue(resources(manifests, "trainer").getLimits().containsKey("nvidia.com/gpu"));
        assertFalse(resources(manifests, "ingest").getLimits().containsKey("nvidia.com/gpu"));
        assertFalse(resources(manifests, "evaluator").getLimits().containsKey("nvidia.com/gpu"));
    }

    @Test
    void gpuNodesAreReachedThroughRuntimeClassAndTolerations() {
        Manifests manifests = SluiceChart.render(SluiceChart.valueSet("every-value"));
        assertEquals("nvidia", manifests.pod("trainer").getRuntimeClassName());
        assertEquals(
                List.of("nvidia.com/gpu", "research"),
                manifests.pod("trainer").getTolerations().stream().map(Toleration::getKey).toList());
        assertTrue(resources(manifests, "trainer").getLimits().containsKey("nvidia.com/mig-3g.40gb"));
    }

    @Test
    void runningJobIsNotEvictedByAutoscalersAndHasTimeToCheckpoint() {
        var template = SluiceChart.renderWith("").deployment("trainer").getSpec().getTemplate();
        var annotations = template.getMetadata().getAnnotations();
        assertEquals("false", annotations.get("cluster-autoscaler.kubernetes.io/safe-to-evict"));
        assertEquals("true", annotations.get("karpenter.sh/do-not-disrupt"));
        assertEquals(300, template.getSpec().getTerminationGracePeriodSeconds());
    }

    @Test
    void startupLeavesTenMinutesToLoadTheModel() {
        var probe = SluiceChart.renderWith("").pod("trainer").getContainers().getFirst().getStartupProbe();
        assertEquals(600, probe.getPeriodSeconds() * probe.getFailureThreshold());
    }

    @Test
    void upgradeNeverNeedsASecondGpu() {
        var strategy = SluiceChart.renderWith("").deployment("trainer").getSpec().getStrategy();
        assertEquals("RollingUpdate", strategy.getType());
        assertEquals(0, strategy.getRollingUpdate().getMaxSurge().getIntVal());
        assertEquals(1, strategy.getRollingUpdate().getMaxUnavailable().getIntVal());
    }

    @Test
    void volumeOfASingleNodeIsReleasedBeforeItIsMountedAgain() {
        for (String claim : List.of("store", "models")) {
            Manifests manifests = SluiceChart.renderWith(claim + ": {accessModes: [ReadWriteOnce]}");
            for (String component : SluiceChart.COMPONENTS) {
                var strategy = manifests.deployment(component).getSpec().getStrategy();
                assertEquals("Recreate", strategy.getType());
                assertNull(strategy.getRollingUpdate());
            }
        }
    }

    private static ResourceRequirements resources(Manifests manifests, String component) {
        return manifests.pod(component).getContainers().getFirst().getResources();
    }
}
