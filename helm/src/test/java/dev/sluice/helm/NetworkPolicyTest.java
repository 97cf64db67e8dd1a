package dev.sluice.helm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPort;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicySpec;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class NetworkPolicyTest {

    @Test
    void everyPodIsSelectedInBothDirections() {
        Manifests manifests = SluiceChart.renderWith("");
        NetworkPolicySpec policy = manifests.only(NetworkPolicy.class).getSpec();
        assertEquals(List.of("Ingress", "Egress"), policy.getPolicyTypes());
        Map<String, String> selector = policy.getPodSelector().getMatchLabels();
        assertEquals(2, selector.size());
        for (String component : SluiceChart.COMPONENTS) {
            var labels = manifests.deployment(component).getSpec().getTemplate().getMetadata().getLabels();
            assertTrue(labels.entrySet().containsAll(selector.entrySet()));
        }
    }

    @Test
    void egressReachesDnsAndTheBrokersPortsAlone() {
        NetworkPolicySpec policy = policy("kafka: {bootstrapServers: 'a:9093,b:9094,c:9093'}");
        assertEquals(2, policy.getEgress().size());
        var dns = policy.getEgress().getFirst();
        assertEquals(List.of(53, 53), ports(dns.getPorts()));
        assertEquals(List.of("UDP", "TCP"), dns.getPorts().stream().map(NetworkPolicyPort::getProtocol).toList());
        assertEquals(
                Map.of("kubernetes.io/metadata.name", "kube-system"),
                dns.getTo().getFirst().getNamespaceSelector().getMatchLabels());
        assertEquals(List.of(9093, 9094), ports(policy.getEgress().get(1).getPorts()));
    }

    @Test
    void namedKafkaPortsReplaceTheBootstrapPorts() {
        assertEquals(
                List.of(9092, 19092),
                ports(policy("networkPolicy: {kafkaPorts: [9092, 19092]}").getEgress().get(1).getPorts()));
    }

    @Test
    void ingressReachesHttpAlone() {
        var ingress = policy("").getIngress();
        assertEquals(1, ingress.size());
        assertEquals(List.of(8080), ports(ingress.getFirst().getPorts()));
    }

    @Test
    void withoutPeersNothingComesIn() {
        assertTrue(policy("networkPolicy: {ingressFrom: []}").getIngress().isEmpty());
    }

    private static NetworkPolicySpec policy(String yaml) {
        return SluiceChart.renderWith(yaml).only(NetworkPolicy.class).getSpec();
    }

    private static List<Integer> ports(List<NetworkPolicyPort> ports) {
        return ports.stream().map(NetworkPolicyPort::getPort).map(IntOrString::getIntVal).toList();
    }
}
