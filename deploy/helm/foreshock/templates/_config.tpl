{{/*
Each component gets the sections that it reads, so that a change rolls only those it concerns, and nobody has to hold
another's secrets.
*/}}

{{/* What Foreshock takes where `config` says nothing, by the names of its keys: as much as the checks need. */}}
{{- define "foreshock.config.assumed" -}}
ingest:
  memory_limit_bytes: 268435456
  drain_notice: 5s
  drain_timeout: 10s
  connections: { read_ahead_limit_bytes: 268435456 }
journal:
  retention_bytes: 21474836480
  stages_retention_bytes: 4294967296
  queue_bytes: 134217728
  cache_bytes: 67108864
worker: { shutdown_seconds: 10 }
{{- end -}}

{{/* The chart's defaults, where they differ from Foreshock's. */}}
{{- define "foreshock.config.defaults" -}}
{{- $console := printf "%s-console" (include "foreshock.fullname" .) -}}
ingest:
  # So long a pod that ends is still answered by, while balancers take it out: endpoints change at leisure.
  drain_notice: 5s
notify:
  console_url: http://{{ $console }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}:7700
{{- end -}}

{{/* What `config` can't say because other values do. */}}
{{- define "foreshock.config.given" -}}
{{- $listen := .Values.listenAddress -}}
{{- $console := printf "%s-console" (include "foreshock.fullname" .) -}}
ingest:
  grpc_address: "{{ $listen }}:4317"
  http_address: "{{ $listen }}:4318"
  {{- if .Values.tls.secret }}
  tls:
    certificate_file: /run/foreshock/tls/server.pem
    key_file: /run/foreshock/tls/server.key
    {{- if .Values.tls.clientCa.secret }}
    client_ca_file: /run/foreshock/tls/clients.pem
    {{- end }}
  {{- end }}
console:
  listen: "{{ $listen }}:7700"
  hosts:
    - {{ $console }}
    - {{ $console }}.{{ .Release.Namespace }}
    - {{ $console }}.{{ .Release.Namespace }}.svc
    - {{ $console }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
    {{- range dig "console" "hosts" (list) .Values.config }}
    - {{ . | quote }}
    {{- end }}
admin:
  address: "{{ $listen }}:9464"
{{- if eq .Values.mode "distributed" }}
{{- with .Values.kafka }}
journal:
  kind: kafka
  kafka:
    brokers: {{ .brokers | quote }}
    topic_prefix: {{ .topicPrefix | quote }}
    security_protocol: {{ .security.protocol | quote }}
    {{- if .security.ca.secret }}
    ca_file: /run/foreshock/kafka/ca.pem
    {{- end }}
    {{- if .security.client.secret }}
    certificate_file: /run/foreshock/kafka/client.pem
    key_file: /run/foreshock/kafka/client.key
    {{- end }}
    {{- with .security.sasl }}
    {{- if .mechanism }}
    sasl_mechanism: {{ .mechanism | quote }}
    {{- if .username }}
    sasl_username: {{ .username | quote }}
    {{- end }}
    {{- if .secret }}
    sasl_password: { env: KAFKA_SASL_PASSWORD }
    {{- end }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The whole configuration, as YAML. */}}
{{- define "foreshock.config" -}}
{{- $defaults := include "foreshock.config.defaults" . | fromYaml -}}
{{- $given := include "foreshock.config.given" . | fromYaml -}}
{{- mergeOverwrite $defaults (deepCopy .Values.config) $given | toYaml -}}
{{- end -}}

{{/* The file of a component: (list $ "worker"). */}}
{{- define "foreshock.toml" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $config := include "foreshock.config" $root | fromYaml -}}
{{- $read := dict
  "ingest" (list "ingest" "tenants" "journal" "admin")
  "worker" (list "tenants" "journal" "detect" "worker" "admin")
  "notify" (list "journal" "notify" "admin")
  "console" (list "journal" "console" "admin")
  "topics" (list "journal")
  "standalone" (list "ingest" "tenants" "journal" "detect" "worker" "notify" "console" "admin") -}}
{{- /* Workers need no tokens, and are not to restart for a rate. */ -}}
{{- if eq $component "worker" -}}
{{- $quotas := dict -}}
{{- range $tenant, $settings := default dict (get $config "tenants") -}}
{{- with pick (default dict $settings) "max_series" "max_patterns" }}{{ $_ := set $quotas $tenant . }}{{ end -}}
{{- end -}}
{{- $_ := set $config "tenants" $quotas -}}
{{- end -}}
# Written by the chart. The keys are explained by `foreshock config default`.
{{- range $section := get $read $component }}
{{- with get $config $section }}

[{{ $section }}]
{{- include "foreshock.toml.table" (dict "path" $section "table" .) }}
{{- end }}
{{- end }}
{{ end -}}
