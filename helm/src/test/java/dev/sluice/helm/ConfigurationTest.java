package dev.sluice.helm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class ConfigurationTest {

    private static final String FLAGS =
            "--add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED -XX:+ExitOnOutOfMemoryError";

    @Test
    void environmentOfTheTrainerIsWhatTheValuesSay() {
        assertEquals(
                Map.ofEntries(
                        Map.entry("HOME", "/var/lib/sluice/scratch"),
                        Map.entry("JDK_JAVA_OPTIONS", FLAGS + " -Xmx2g"),
                        Map.entry("KAFKA_BOOTSTRAP_SERVERS", "kafka.kafka.svc:9092"),
                        Map.entry("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),
                        Map.entry("NVIDIA_DRIVER_CAPABILITIES", "compute,utility"),
                        Map.entry("QUARKUS_HTTP_PORT", "8080"),
                        Map.entry("SLUICE_BACKEND", "auto"),
                        Map.entry("SLUICE_MODELS", "/var/lib/sluice/models"),
                        Map.entry("SLUICE_REPLICATION_FACTOR", "3"),
                        Map.entry("SLUICE_STORE", "file:/var/lib/sluice/store"),
                        Map.entry("SLUICE_TOPIC_PREFIX", "sluice")),
                SluiceChart.renderWith("").environment("trainer"));
    }

    @Test
    void onlyTheServicesThatComputeChooseABackend() {
        Manifests manifests = SluiceChart.renderWith("evaluator: {backend: cpu}");
        assertEquals("cpu", manifests.environment("evaluator").get("SLUICE_BACKEND"));
        assertFalse(manifests.environment("ingest").containsKey("SLUICE_BACKEND"));
    }

    @Test
    void storeAndModelsAreMountedWhereTheEnvironmentPoints() {
        Manifests manifests = SluiceChart.renderWith("");
        for (String component : SluiceChart.COMPONENTS) {
            Map<String, String> mounts = mounts(manifests.pod(component));
            Map<String, String> environment = manifests.environment(component);
            assertEquals("file:" + mounts.get("store"), environment.get("SLUICE_STORE"));
            assertEquals(mounts.get("models"), environment.get("SLUICE_MODELS"));
            assertEquals(mounts.get("scratch"), environment.get("HOME"));
        }
    }

    @Test
    void kafkaCredentialsComeFromExistingSecrets() {
        Manifests manifests = SluiceChart.render(SluiceChart.valueSet("kafka-scram-tls"));
        for (String component : SluiceChart.COMPONENTS) {
            Map<String, String> environment = manifests.environment(component);
            assertEquals("SASL_SSL", environment.get("KAFKA_SECURITY_PROTOCOL"));
            assertEquals("SCRAM-SHA-512", environment.get("KAFKA_SASL_MECHANISM"));
            assertEquals("sluice-user/sasl.jaas.config", environment.get("KAFKA_SASL_JAAS_CONFIG"));
            assertEquals("sluice-user-tls/user.password", environment.get("KAFKA_SSL_KEYSTORE_PASSWORD"));
            assertEquals("PEM", environment.get("KAFKA_SSL_TRUSTSTORE_TYPE"));
            assertEquals("PKCS12", environment.get("KAFKA_SSL_KEYSTORE_TYPE"));
            Map<String, String> mounts = mounts(manifests.pod(component));
            assertEquals(mounts.get("kafka-ca") + "/ca.crt", environment.get("KAFKA_SSL_TRUSTSTORE_LOCATION"));
            assertEquals(mounts.get("kafka-client") + "/user.p12", environment.get("KAFKA_SSL_KEYSTORE_LOCATION"));
        }
    }

    @Test
    void changedConfigurationReplacesThePods() {
        assertNotEquals(checksum(SluiceChart.renderWith("")), checksum(SluiceChart.renderWith("kafka: {topicPrefix: other}")));
        assertEquals(checksum(SluiceChart.renderWith("")), checksum(SluiceChart.renderWith("store: {size: 1Gi}")));
    }

    @Test
    void imageNamesFollowRegistryTagAndDigest() {
        Manifests manifests = SluiceChart.render(SluiceChart.valueSet("every-value"));
        assertTrue(image(manifests, "ingest").startsWith("registry.example.com/sluice/ingest:"));
        assertTrue(image(manifests, "trainer").matches("gpu\\.example\\.com/tuning/trainer:1\\.2\\.3@sha256:[0-9a-f]{64}"));
        assertTrue(image(SluiceChart.renderWith(""), "ingest").startsWith("localhost/"));
    }

    private static String image(Manifests manifests, String component) {
        return manifests.pod(component).getContainers().getFirst().getImage();
    }

    private static String checksum(Manifests manifests) {
        Deployment deployment = manifests.deployment("ingest");
        return deployment.getSpec().getTemplate().getMetadata().getAnnotations().get("checksum/config");
    }

    private static Map<String, String> mounts(PodSpec pod) {
        return pod.getContainers().getFirst().getVolumeMounts().stream()
                .collect(Collectors.toMap(mount -> mount.getName(), mount -> mount.getMountPath()));
    }
}
