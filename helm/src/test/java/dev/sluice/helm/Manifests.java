package dev.sluice.helm;

import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The objects of one render, each read into its Kubernetes type.
///
/// Reading is strict: an unknown field, a wrong type, a key that stands twice or a kind that is not
/// listed here is an error that names the place.
record Manifests(List<HasMetadata> objects) {

    private static final Map<String, Class<? extends HasMetadata>> KINDS = Stream.of(
                    ConfigMap.class,
                    Deployment.class,
                    NetworkPolicy.class,
                    PersistentVolumeClaim.class,
                    PodDisruptionBudget.class,
                    Service.class,
                    ServiceAccount.class)
            .collect(Collectors.toMap(
                    type -> HasMetadata.getApiVersion(type) + " " + HasMetadata.getKind(type), Function.identity()));

    // fabric8's types collect unknown fields instead of refusing them; without the collector, Jackson refuses.
    private static final YAMLMapper YAML = YAMLMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .annotationIntrospector(new JacksonAnnotationIntrospector() {
                @Override
                public Boolean hasAnySetter(Annotated annotated) {
                    return false;
                }
            })
            .build();

    static Manifests parse(String rendered) {
        var objects = new ArrayList<HasMetadata>();
        try (var documents = YAML.readerFor(JsonNode.class).<JsonNode>readValues(rendered)) {
            while (documents.hasNextValue()) {
                JsonNode document = documents.nextValue();
                String kind = document.path("apiVersion").asText() + " " + document.path("kind").asText();
                objects.add(YAML.treeToValue(document, Objects.requireNonNull(KINDS.get(kind), kind)));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new Manifests(List.copyOf(objects));
    }

    <T extends HasMetadata> List<T> all(Class<T> type) {
        return objects.stream().filter(type::isInstance).map(type::cast).toList();
    }

    /// The only object of its type.
    <T extends HasMetadata> T only(Class<T> type) {
        List<T> found = all(type);
        if (found.size() != 1) {
            throw new AssertionError("wanted one " + type.getSimpleName() + ", found " + found.size());
        }
        return found.getFirst();
    }

    /// The object of a type whose name ends in `-suffix`.
    <T extends HasMetadata> T named(Class<T> type, String suffix) {
        return all(type).stream()
                .filter(object -> object.getMetadata().getName().endsWith("-" + suffix))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no " + type.getSimpleName() + " named *-" + suffix));
    }

    Deployment deployment(String component) {
        return named(Deployment.class, component);
    }

    PodSpec pod(String component) {
        return deployment(component).getSpec().getTemplate().getSpec();
    }

    /// What a component's process finds in its environment; a value from a secret reads `secret/key`.
    Map<String, String> environment(String component) {
        var environment = new TreeMap<>(only(ConfigMap.class).getData());
        pod(component).getContainers().getFirst().getEnv().forEach(variable -> {
            var source = variable.getValueFrom();
            environment.put(
                    variable.getName(),
                    source == null
                            ? variable.getValue()
                            : source.getSecretKeyRef().getName() + "/" + source.getSecretKeyRef().getKey());
        });
        return environment;
    }
}
