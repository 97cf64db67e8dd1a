package dev.sluice.helm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// What an upgrade or an uninstall must not break.
class UpgradeTest {

    @Test
    void selectorHoldsOnlyWhatNeverChanges() {
        Manifests manifests = SluiceChart.renderWith("commonLabels: {team: a}");
        for (String component : SluiceChart.COMPONENTS) {
            Map<String, String> selector =
                    manifests.deployment(component).getSpec().getSelector().getMatchLabels();
            assertEquals(
                    Map.of(
                            "app.kubernetes.io/name", "sluice",
                            "app.kubernetes.io/instance", SluiceChart.RELEASE,
                            "app.kubernetes.io/component", component),
                    selector);
            var labels = manifests.deployment(component).getSpec().getTemplate().getMetadata().getLabels();
            assertTrue(labels.entrySet().containsAll(selector.entrySet()));
        }
    }

    @Test
    void twoRendersAreEqual() {
        assertEquals(SluiceChart.renderWith("").objects(), SluiceChart.renderWith("").objects());
    }

    @Test
    void uninstallKeepsTheClaimsUnlessToldOtherwise() {
        for (String claim : new String[] {"store", "models"}) {
            assertEquals("keep", policy(SluiceChart.renderWith(""), claim));
            assertNull(policy(SluiceChart.renderWith(claim + ": {keep: false}"), claim));
        }
    }

    private static String policy(Manifests manifests, String claim) {
        var metadata = manifests.named(PersistentVolumeClaim.class, claim).getMetadata();
        return metadata.getAnnotations().get("helm.sh/resource-policy");
    }
}
