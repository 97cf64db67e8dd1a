{{/* The environment that all three services share. */}}
{{- define "sluice.config" -}}
{{ include "sluice.kafka.config" . }}
SLUICE_TOPIC_PREFIX: {{ .Values.kafka.topicPrefix | quote }}
SLUICE_REPLICATION_FACTOR: {{ .Values.kafka.replicationFactor | quote }}
SLUICE_STORE: file:/var/lib/sluice/store
SLUICE_MODELS: /var/lib/sluice/models
QUARKUS_HTTP_PORT: "8080"
# The root file system is read-only; libraries that unpack natives or keep caches under the home find room here.
HOME: /var/lib/sluice/scratch
{{- end -}}
