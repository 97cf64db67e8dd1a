{{/* Values that are each legal but contradict one another. Every message names both keys and the way out. */}}

{{- define "sluice.validate" -}}
{{- include "sluice.validate.kafka" . -}}
{{- include "sluice.validate.claims" . -}}
{{- range $name := list "ingest" "trainer" "evaluator" -}}
{{- include "sluice.validate.component" (dict "root" $ "name" $name "values" (index $.Values $name)) -}}
{{- end -}}
{{- end -}}

{{- define "sluice.validate.kafka" -}}
{{- $security := .Values.kafka.security -}}
{{- $protocol := $security.protocol -}}
{{- if not .Values.kafka.bootstrapServers -}}
{{- fail "kafka.bootstrapServers is required: name your brokers, for instance --set kafka.bootstrapServers=kafka.kafka.svc:9092" -}}
{{- end -}}
{{- if and (hasPrefix "SASL" $protocol) (not $security.sasl.existingSecret) -}}
{{- fail (printf "kafka.security.protocol=%s needs kafka.security.sasl.existingSecret: name the secret that holds the JAAS line" $protocol) -}}
{{- end -}}
{{- if and $security.sasl.existingSecret (not (hasPrefix "SASL" $protocol)) -}}
{{- fail (printf "kafka.security.sasl.existingSecret is set but kafka.security.protocol=%s does not authenticate: use SASL_SSL or SASL_PLAINTEXT, or unset the secret" $protocol) -}}
{{- end -}}
{{- range $key := list "caSecret" "clientSecret" -}}
{{- if and (index $security.tls $key) (not (hasSuffix "SSL" $protocol)) -}}
{{- fail (printf "kafka.security.tls.%s is set but kafka.security.protocol=%s does not encrypt: use SSL or SASL_SSL, or unset the secret" $key $protocol) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sluice.validate.claims" -}}
{{- if and (not .Values.models.existingClaim) (eq (join "," .Values.models.accessModes) "ReadOnlyMany") -}}
{{- fail "models.accessModes=[ReadOnlyMany] with an empty models.existingClaim creates a volume that nobody can fill: name an existing claim or add ReadWriteMany" -}}
{{- end -}}
{{- end -}}

{{- define "sluice.validate.component" -}}
{{- $name := .name -}}
{{- $values := .values -}}
{{- if and (not $values.serviceAccount.create) (not $values.serviceAccount.name) -}}
{{- fail (printf "%s.serviceAccount.create=false needs %s.serviceAccount.name: name the account that exists" $name $name) -}}
{{- end -}}
{{- $heap := include "sluice.mebibytes" $values.jvm.heap | int64 -}}
{{- $limit := include "sluice.mebibytes" $values.resources.limits.memory | int64 -}}
{{- if ge $heap $limit -}}
{{- fail (printf "%s.jvm.heap=%s leaves nothing of %s.resources.limits.memory=%s for tensors and buffers, which live outside the heap: lower the heap or raise the limit" $name $values.jvm.heap $name $values.resources.limits.memory) -}}
{{- end -}}
{{- range $claim := list "store" "models" -}}
{{- $modes := (index $.root.Values $claim).accessModes -}}
{{- if and (gt (int $values.replicas) 1) (eq (join "," $modes) "ReadWriteOnce") -}}
{{- fail (printf "%s.replicas=%d needs %s.accessModes with ReadWriteMany: a ReadWriteOnce volume is attached to one node" $name (int $values.replicas) $claim) -}}
{{- end -}}
{{- end -}}
{{- with $values.gpu -}}
{{- if and .enabled (eq $values.backend "cpu") -}}
{{- fail (printf "%s.backend=cpu never uses the GPU that %s.gpu.enabled=true requests: disable one of them" $name $name) -}}
{{- end -}}
{{- if and (not .enabled) (has $values.backend (list "hopper" "portable")) -}}
{{- fail (printf "%s.backend=%s needs a GPU but %s.gpu.enabled=false: enable it, or use auto or cpu" $name $values.backend $name) -}}
{{- end -}}
{{- end -}}
{{- $decided := dict
    "HOME" (printf "%s.scratch" $name)
    "JDK_JAVA_OPTIONS" (printf "%s.jvm.heap" $name)
    "KAFKA_BOOTSTRAP_SERVERS" "kafka.bootstrapServers"
    "KAFKA_SASL_JAAS_CONFIG" "kafka.security.sasl.existingSecret"
    "KAFKA_SASL_MECHANISM" "kafka.security.sasl.mechanism"
    "KAFKA_SECURITY_PROTOCOL" "kafka.security.protocol"
    "KAFKA_SSL_KEYSTORE_PASSWORD" "kafka.security.tls.clientSecret"
    "QUARKUS_HTTP_PORT" (printf "%s.service" $name)
    "SLUICE_BACKEND" (printf "%s.backend" $name)
    "SLUICE_MODELS" "models.existingClaim"
    "SLUICE_REPLICATION_FACTOR" "kafka.replicationFactor"
    "SLUICE_STORE" "store.existingClaim"
    "SLUICE_TOPIC_PREFIX" "kafka.topicPrefix" -}}
{{- range $values.extraEnv -}}
{{- with get $decided .name -}}
{{- fail (printf "%s.extraEnv names a variable that %s decides: set that value instead" $name .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
