{{/* Names and labels. */}}

{{- define "foreshock.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for the longest suffix and for what Kubernetes puts behind a StatefulSet's name in labels. */}}
{{- define "foreshock.fullname" -}}
{{- $name := include "foreshock.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What a component's pods are chosen by: (list $ "worker"). Never to change: selectors can't. */}}
{{- define "foreshock.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "foreshock.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* What a component's pods run: those that stand by for the workers are workers. */}}
{{- define "foreshock.role" -}}
{{- trimSuffix "-standby" . -}}
{{- end -}}

{{/* The labels of an object: (list $ "worker"). */}}
{{- define "foreshock.labels" -}}
{{- $root := index . 0 -}}
{{ include "foreshock.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "foreshock.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "foreshock.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "foreshock.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The components of the mode, in the order of a record's way. */}}
{{- define "foreshock.components" -}}
{{- if eq .Values.mode "distributed" -}}
ingest worker notify console
{{- else -}}
standalone
{{- end -}}
{{- end -}}
