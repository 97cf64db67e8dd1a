{{/* The parts that the pods of all three services share. */}}

{{- define "sluice.replacement" -}}
{{- if eq (include "sluice.singleNode" .root) "" -}}
type: RollingUpdate
rollingUpdate:
  {{- if (.values.gpu | default dict).enabled }}
  # A surge pod would wait for a GPU that the old pod holds.
  maxSurge: 0
  maxUnavailable: 1
  {{- else }}
  maxSurge: 1
  maxUnavailable: 0
  {{- end }}
{{- else -}}
# A surge pod on another node could never attach the volume.
type: Recreate
{{- end }}
{{- end -}}

{{- define "sluice.podMetadata" -}}
labels:
  {{- include "sluice.selectorLabels" . | nindent 2 }}
  app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
  app.kubernetes.io/part-of: sluice
  {{- with merge (dict) .values.podLabels .root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  # New configuration means new pods.
  checksum/config: {{ include "sluice.config" .root | sha256sum }}
  {{- with .values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Everything of the pod but its containers and volumes. */}}
{{- define "sluice.podSpec" -}}
serviceAccountName: {{ include "sluice.serviceAccountName" . }}
automountServiceAccountToken: false
# A service named "kafka" would otherwise inject KAFKA_PORT and its like, which Quarkus hands to the clients.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $gpu := .values.gpu | default dict -}}
{{- $tolerations := .values.tolerations -}}
{{- if $gpu.enabled -}}
{{- $tolerations = concat $gpu.tolerations .values.tolerations -}}
{{- with $gpu.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- end }}
{{- with $tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "sluice.container" -}}
image: {{ include "sluice.image" . | quote }}
imagePullPolicy: {{ .values.image.pullPolicy }}
securityContext:
  {{- toYaml .root.Values.containerSecurityContext | nindent 2 }}
ports:
  - name: http
    containerPort: 8080
    protocol: TCP
envFrom:
  - configMapRef:
      name: {{ include "sluice.fullname" .root }}-config
env:
  - name: JDK_JAVA_OPTIONS
    value: >-
      --add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED
      -XX:+ExitOnOutOfMemoryError -Xmx{{ .values.jvm.heap }}
  {{- with .values.backend }}
  - name: SLUICE_BACKEND
    value: {{ . }}
  {{- end }}
  {{- if (.values.gpu | default dict).enabled }}
  # What the container runtime injects of the driver: libcuda and nvidia-smi, no graphics.
  - name: NVIDIA_DRIVER_CAPABILITIES
    value: compute,utility
  {{- end }}
  {{- with include "sluice.kafka.secretEnv" .root | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
resources:
  requests:
    {{- toYaml .values.resources.requests | nindent 4 }}
    {{- with include "sluice.gpuResource" . }}
    {{- . | nindent 4 }}
    {{- end }}
  limits:
    {{- toYaml .values.resources.limits | nindent 4 }}
    {{- with include "sluice.gpuResource" . }}
    {{- . | nindent 4 }}
    {{- end }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  - name: scratch
    mountPath: /var/lib/sluice/scratch
  - name: store
    mountPath: /var/lib/sluice/store
  - name: models
    mountPath: /var/lib/sluice/models
    readOnly: true
  {{- with include "sluice.kafka.mounts" .root | trim }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* An extended resource has no overcommit: its request equals its limit. */}}
{{- define "sluice.gpuResource" -}}
{{- with .values.gpu -}}
{{- if .enabled -}}
{{ .resourceName }}: {{ .count }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sluice.startupProbe" -}}
httpGet:
  path: /q/health/started
  port: http
periodSeconds: {{ .values.startupProbe.periodSeconds }}
failureThreshold: {{ .values.startupProbe.failureThreshold }}
timeoutSeconds: 5
{{- end -}}

{{- define "sluice.livenessProbe" -}}
httpGet:
  path: /q/health/live
  port: http
periodSeconds: 10
failureThreshold: 6
timeoutSeconds: 5
{{- end -}}

{{- define "sluice.readinessProbe" -}}
httpGet:
  path: /q/health/ready
  port: http
periodSeconds: 10
failureThreshold: 3
timeoutSeconds: 5
{{- end -}}

{{- define "sluice.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .values.tmp.sizeLimit }}
- name: scratch
  emptyDir:
    sizeLimit: {{ .values.scratch.sizeLimit }}
- name: store
  persistentVolumeClaim:
    claimName: {{ include "sluice.storeClaim" .root }}
- name: models
  persistentVolumeClaim:
    claimName: {{ include "sluice.modelsClaim" .root }}
    readOnly: true
{{- with include "sluice.kafka.volumes" .root | trim }}
{{ . }}
{{- end }}
{{- end -}}
