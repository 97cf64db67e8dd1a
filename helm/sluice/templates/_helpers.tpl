{{/*
A component's templates pass one context around:
  dict "root" $ "name" "trainer" "values" .Values.trainer
*/}}

{{/* Prefix of object names; 52 characters leave room for the longest suffix within a service's 63. */}}
{{- define "sluice.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sluice.componentName" -}}
{{ include "sluice.fullname" .root }}-{{ .name }}
{{- end -}}

{{/* The pods of this release, whatever their component. */}}
{{- define "sluice.releaseLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* A deployment's selector is immutable: nothing that an upgrade changes may enter it. */}}
{{- define "sluice.selectorLabels" -}}
{{ include "sluice.releaseLabels" .root }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{- define "sluice.commonLabels" -}}
{{ include "sluice.releaseLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: sluice
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Name, namespace and labels of a component's object. */}}
{{- define "sluice.componentMetadata" -}}
name: {{ include "sluice.componentName" . }}
namespace: {{ .root.Release.Namespace }}
labels:
  app.kubernetes.io/component: {{ .name }}
  {{- include "sluice.commonLabels" .root | nindent 2 }}
{{- end -}}

{{- define "sluice.serviceAccountName" -}}
{{ default (include "sluice.componentName" .) .values.serviceAccount.name }}
{{- end -}}

{{- define "sluice.image" -}}
{{- $image := .values.image -}}
{{- $tag := default .root.Chart.AppVersion $image.tag -}}
{{- $registry := default .root.Values.imageRegistry $image.registry -}}
{{ $registry }}/{{ $image.repository }}:{{ $tag }}{{ with $image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{- define "sluice.storeClaim" -}}
{{ default (printf "%s-store" (include "sluice.fullname" .)) .Values.store.existingClaim }}
{{- end -}}

{{- define "sluice.modelsClaim" -}}
{{ default (printf "%s-models" (include "sluice.fullname" .)) .Values.models.existingClaim }}
{{- end -}}

{{/* "true" where a volume can be attached to a single node only. */}}
{{- define "sluice.singleNode" -}}
{{- range list .Values.store .Values.models -}}
{{- if not (or (has "ReadWriteMany" .accessModes) (has "ReadOnlyMany" .accessModes)) -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* Mebibytes of "16Gi", "512Mi", "2g" or "512m"; the schema admits no other spelling. */}}
{{- define "sluice.mebibytes" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- if regexMatch "(?i)g" . -}}{{ mul $number 1024 }}{{- else -}}{{ $number }}{{- end -}}
{{- end -}}
