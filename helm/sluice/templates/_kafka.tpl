{{/* Quarkus turns KAFKA_X_Y into Kafka's own x.y for every client of a service. */}}

{{- define "sluice.kafka.config" -}}
{{- $security := .Values.kafka.security -}}
KAFKA_BOOTSTRAP_SERVERS: {{ .Values.kafka.bootstrapServers | quote }}
KAFKA_SECURITY_PROTOCOL: {{ $security.protocol }}
{{- if hasPrefix "SASL" $security.protocol }}
KAFKA_SASL_MECHANISM: {{ $security.sasl.mechanism }}
{{- end }}
{{- if $security.tls.caSecret }}
KAFKA_SSL_TRUSTSTORE_TYPE: PEM
KAFKA_SSL_TRUSTSTORE_LOCATION: /etc/sluice/kafka-ca/{{ $security.tls.caKey }}
{{- end }}
{{- if $security.tls.clientSecret }}
KAFKA_SSL_KEYSTORE_TYPE: PKCS12
KAFKA_SSL_KEYSTORE_LOCATION: /etc/sluice/kafka-client/{{ $security.tls.keystoreKey }}
{{- end }}
{{- end -}}

{{- define "sluice.kafka.secretEnv" -}}
{{- with .Values.kafka.security.sasl }}
{{- if .existingSecret }}
- name: KAFKA_SASL_JAAS_CONFIG
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .jaasConfigKey }}
{{- end }}
{{- end }}
{{- with .Values.kafka.security.tls }}
{{- if .clientSecret }}
- name: KAFKA_SSL_KEYSTORE_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .clientSecret }}
      key: {{ .passwordKey }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "sluice.kafka.mounts" -}}
{{- with .Values.kafka.security.tls }}
{{- if .caSecret }}
- name: kafka-ca
  mountPath: /etc/sluice/kafka-ca
  readOnly: true
{{- end }}
{{- if .clientSecret }}
- name: kafka-client
  mountPath: /etc/sluice/kafka-client
  readOnly: true
{{- end }}
{{- end }}
{{- end -}}

{{- define "sluice.kafka.volumes" -}}
{{- with .Values.kafka.security.tls }}
{{- if .caSecret }}
- name: kafka-ca
  secret:
    secretName: {{ .caSecret }}
    defaultMode: 0440
    items:
      - key: {{ .caKey }}
        path: {{ .caKey }}
{{- end }}
{{- if .clientSecret }}
- name: kafka-client
  secret:
    secretName: {{ .clientSecret }}
    defaultMode: 0440
    items:
      - key: {{ .keystoreKey }}
        path: {{ .keystoreKey }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Ports of the brokers, one a line, each once. */}}
{{- define "sluice.kafka.ports" -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.kafkaPorts -}}
{{- $ports = append $ports (. | int | toString) -}}
{{- end -}}
{{- if not $ports -}}
{{- range splitList "," .Values.kafka.bootstrapServers -}}
{{- $ports = append $ports (regexFind "[0-9]+$" .) -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | join "\n" -}}
{{- end -}}
