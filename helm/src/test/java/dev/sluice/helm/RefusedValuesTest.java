package dev.sluice.helm;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Values that stop the render, and the keys that the message names.
class RefusedValuesTest {

    @Test
    void missingBrokersAreNamed() {
        SluiceChart.assertRefused(List.of(), "kafka.bootstrapServers is required", "--set kafka.bootstrapServers=");
    }

    /// One mutation a line; the last column is what the message must hold.
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            kafka: {bootstrapServers: 9092}                          | bootstrapServers
            kafka: {bootstrapServers: kafka}                         | bootstrapServers
            kafka: {bootstrapServers: 'a:9092, b:9092'}              | bootstrapServers
            kafka: {replicationFactor: 0}                            | replicationFactor
            kafka: {replicationFactor: '3'}                          | replicationFactor
            kafka: {topicPrefix: 'a b'}                              | topicPrefix
            kafka: {security: {protocol: TLS}}                       | protocol
            kafka: {brokers: a:1}                                    | brokers
            unknown: 1                                               | unknown
            trainer: {gpu: {count: 0}}                               | count
            trainer: {gpu: {count: 1.5}}                             | count
            trainer: {gpu: {enabled: 'yes'}}                         | enabled
            trainer: {gpu: {resourceName: gpu}}                      | resourceName
            trainer: {backend: cuda}                                 | backend
            trainer: {jvm: {heap: 2Gi}}                              | heap
            trainer: {replicas: -1}                                  | replicas
            ingest: {replicas: 2}                                    | replicas
            trainer: {replica: 1}                                    | replica
            trainer: {resources: {limits: {nvidia.com/gpu: 1}}}      | nvidia.com/gpu
            trainer: {resources: {limits: {memory: null}}}           | memory
            trainer: {resources: {limits: {memory: 16000000000}}}    | memory
            trainer: {startupProbe: {failureThreshold: 0}}           | failureThreshold
            trainer: {podAnnotations: {a: true}}                     | podAnnotations
            ingest: {backend: cpu}                                   | backend
            ingest: {gpu: {enabled: true}}                           | gpu
            ingest: {image: {digest: sha256:abc}}                    | digest
            ingest: {image: {pullPolicy: Sometimes}}                 | pullPolicy
            ingest: {extraEnv: [{value: a}]}                         | extraEnv
            evaluator: {scratch: {sizeLimit: 0}}                     | sizeLimit
            store: {accessModes: []}                                 | accessModes
            store: {accessModes: [ReadOnlyMany]}                     | accessModes
            store: {accessModes: [ReadWriteOncePod]}                 | accessModes
            networkPolicy: {kafkaPorts: [70000]}                     | kafkaPorts
            commonLabels: {app.kubernetes.io/instance: x}            | commonLabels
            ingest: {podLabels: {app.kubernetes.io/component: x}}    | podLabels
            """)
    void schemaRefuses(String yaml, String key) {
        SluiceChart.assertRefused(yaml, "schema", key);
    }

    /// One contradiction a line; the message names both keys.
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            kafka: {security: {protocol: SASL_SSL}}                  | kafka.security.protocol=SASL_SSL | kafka.security.sasl.existingSecret
            kafka: {security: {sasl: {existingSecret: a}}}           | kafka.security.sasl.existingSecret | kafka.security.protocol=PLAINTEXT
            kafka: {security: {protocol: SSL, sasl: {existingSecret: a}}} | kafka.security.sasl.existingSecret | kafka.security.protocol=SSL
            kafka: {security: {tls: {caSecret: a}}}                  | kafka.security.tls.caSecret | kafka.security.protocol=PLAINTEXT
            kafka: {security: {tls: {clientSecret: a}}}              | kafka.security.tls.clientSecret | kafka.security.protocol=PLAINTEXT
            trainer: {backend: cpu}                                  | trainer.backend=cpu | trainer.gpu.enabled=true
            trainer: {backend: hopper, gpu: {enabled: false}}        | trainer.backend=hopper | trainer.gpu.enabled=false
            evaluator: {backend: portable}                           | evaluator.backend=portable | evaluator.gpu.enabled=false
            trainer: {jvm: {heap: 16g}}                              | trainer.jvm.heap=16g | trainer.resources.limits.memory=16Gi
            ingest: {resources: {limits: {memory: 512Mi}}}           | ingest.jvm.heap=1g | ingest.resources.limits.memory=512Mi
            trainer: {serviceAccount: {create: false}}               | trainer.serviceAccount.create=false | trainer.serviceAccount.name
            {trainer: {replicas: 2}, store: {accessModes: [ReadWriteOnce]}} | trainer.replicas=2 | store.accessModes
            {evaluator: {replicas: 3}, models: {accessModes: [ReadWriteOnce]}} | evaluator.replicas=3 | models.accessModes
            models: {accessModes: [ReadOnlyMany]}                    | models.accessModes | models.existingClaim
            trainer: {extraEnv: [{name: SLUICE_BACKEND, value: cpu}]} | trainer.extraEnv | trainer.backend
            ingest: {extraEnv: [{name: KAFKA_BOOTSTRAP_SERVERS, value: a}]} | ingest.extraEnv | kafka.bootstrapServers
            """)
    void contradictionNamesBothKeys(String yaml, String one, String other) {
        SluiceChart.assertRefused(yaml, one, other);
    }
}
