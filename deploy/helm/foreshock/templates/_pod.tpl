{{/* The pod of a component. What is the same for all of them stands here once. */}}

{{/*
How long a pod may take to end: what its drain may take by the configuration, and ten seconds on top.
ingest: the notice, then twice drain_timeout (requests, connections). worker: the last commits, then the last snapshots.
notify: 5 s for requests under way. console: 5 s of preStop, 3 s for its streams. standalone: one after the other.
*/}}
{{- define "foreshock.grace" -}}
{{- $root := index . 0 -}}
{{- $set := mergeOverwrite (include "foreshock.config.assumed" $root | fromYaml) (include "foreshock.config" $root | fromYaml) -}}
{{- $notice := include "foreshock.seconds" $set.ingest.drain_notice | int64 -}}
{{- $ingest := add $notice (mul 2 (include "foreshock.seconds" $set.ingest.drain_timeout | int64)) -}}
{{- $worker := add $set.worker.shutdown_seconds 10 -}}
{{- $seconds := dict "ingest" $ingest "worker" $worker "notify" 5 "console" 8 "standalone" (add $ingest $worker 8) -}}
{{- add (get $seconds (include "foreshock.role" (index . 1))) 10 -}}
{{- end -}}

{{- define "foreshock.arguments" -}}
{{- $arguments := list (eq . "standalone" | ternary "run" .) "--config=/etc/foreshock/foreshock.toml" -}}
{{- if eq . "topics" }}{{ $arguments = list "topics" "apply" "--config=/etc/foreshock/foreshock.toml" }}{{ end -}}
{{- if eq . "standalone" }}{{ $arguments = append $arguments "--data-dir=/var/lib/foreshock" }}{{ end -}}
{{- toYaml $arguments -}}
{{- end -}}

{{/* Ports by their names; the numbers are Foreshock's own and the same everywhere. */}}
{{- define "foreshock.ports" -}}
{{- if has . (list "ingest" "standalone") }}
- { name: otlp-grpc, containerPort: 4317 }
- { name: otlp-http, containerPort: 4318 }
{{- end }}
{{- if has . (list "console" "standalone") }}
- { name: console, containerPort: 7700 }
{{- end }}
- { name: admin, containerPort: 9464 }
{{- end -}}

{{- define "foreshock.environment" -}}
{{- $root := index . 0 -}}
{{- $role := include "foreshock.role" (index . 1) -}}
{{- $own := index . 2 -}}
- { name: FORESHOCK_LOG, value: {{ $root.Values.logLevel | quote }} }
{{- if eq $role "worker" }}
# Static membership: a pod that is back within journal.kafka.session_timeout_ms moves no partition.
{{- if $root.Values.worker.standby }}
- name: POD_INDEX
  valueFrom:
    fieldRef: { fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']" }
# Worker and stand-by of one number are one name: one serves, the other follows.
- { name: FORESHOCK_JOURNAL__KAFKA__INSTANCE, value: "{{ include "foreshock.fullname" $root }}-worker-$(POD_INDEX)" }
- { name: FORESHOCK_WORKER__STANDBY, value: "true" }
{{- else }}
- name: FORESHOCK_JOURNAL__KAFKA__INSTANCE
  valueFrom:
    fieldRef: { fieldPath: metadata.name }
{{- end }}
{{- end }}
{{- if eq $root.Values.mode "distributed" }}
{{- with $root.Values.kafka.security.sasl }}
{{- if .secret }}
- name: KAFKA_SASL_PASSWORD
  valueFrom:
    secretKeyRef: { name: {{ .secret | quote }}, key: {{ .key | quote }} }
{{- end }}
{{- end }}
{{- with $root.Values.kafka.env }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- with $own.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What is mounted, as (dict "mounts" [...] "volumes" [...]) in YAML. */}}
{{- define "foreshock.storage" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $security := $root.Values.kafka.security -}}
{{- $kafka := and (eq $root.Values.mode "distributed") (or $security.ca.secret $security.client.secret) -}}
{{- $tls := and $root.Values.tls.secret (has $component (list "ingest" "standalone")) -}}
{{- $own := index . 2 -}}
mounts:
  - { name: config, mountPath: /etc/foreshock, readOnly: true }
  {{- if $kafka }}
  - { name: kafka, mountPath: /run/foreshock/kafka, readOnly: true }
  {{- end }}
  {{- if $tls }}
  - { name: tls, mountPath: /run/foreshock/tls, readOnly: true }
  {{- end }}
  {{- if eq $component "standalone" }}
  - { name: journal, mountPath: /var/lib/foreshock }
  {{- end }}
  {{- with $own.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  - name: config
    configMap: { name: {{ include "foreshock.fullname" $root }}-{{ include "foreshock.role" $component }} }
  {{- if $kafka }}
  - name: kafka
    projected:
      defaultMode: 0440
      sources:
        {{- with $security.ca }}
        {{- if .secret }}
        - secret:
            name: {{ .secret }}
            items: [{ key: {{ .key | quote }}, path: ca.pem }]
        {{- end }}
        {{- end }}
        {{- with $security.client }}
        {{- if .secret }}
        - secret:
            name: {{ .secret }}
            items:
              - { key: {{ .certificateKey | quote }}, path: client.pem }
              - { key: {{ .keyKey | quote }}, path: client.key }
        {{- end }}
        {{- end }}
  {{- end }}
  {{- if $tls }}
  - name: tls
    projected:
      defaultMode: 0440
      sources:
        - secret:
            name: {{ $root.Values.tls.secret }}
            items:
              - { key: tls.crt, path: server.pem }
              - { key: tls.key, path: server.key }
        {{- with $root.Values.tls.clientCa }}
        {{- if .secret }}
        - secret:
            name: {{ .secret }}
            items: [{ key: {{ .key | quote }}, path: clients.pem }]
        {{- end }}
        {{- end }}
  {{- end }}
  {{- with $own.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Metadata and spec of a pod: (list $ "worker" .Values.worker); of the topics Job as well. */}}
{{- define "foreshock.pod" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $own := index . 2 -}}
{{- $role := include "foreshock.role" $component -}}
{{- $job := eq $component "topics" -}}
{{- $storage := include "foreshock.storage" . | fromYaml -}}
metadata:
  labels:
    {{- include "foreshock.selector" . | nindent 4 }}
    {{- with merge dict (default dict $own.podLabels) $root.Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A configuration that changed is a new pod.
    checksum/config: {{ include "foreshock.toml" (list $root $role) | sha256sum }}
    {{- with $own.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- if $job }}
  restartPolicy: Never
  {{- /* Before the first install the chart's own account is not there yet. */}}
  serviceAccountName: {{ $root.Values.serviceAccount.create | ternary "default" (include "foreshock.serviceAccount" $root) }}
  {{- else }}
  serviceAccountName: {{ include "foreshock.serviceAccount" $root }}
  terminationGracePeriodSeconds: {{ include "foreshock.grace" . }}
  {{- end }}
  # Foreshock asks the cluster for nothing.
  automountServiceAccountToken: false
  # A Service would become variables, and FORESHOCK_A__B is a setting.
  enableServiceLinks: false
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $own.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    {{- with $root.Values.user }}
    runAsUser: {{ int64 . }}
    runAsGroup: {{ int64 . }}
    fsGroup: {{ int64 . }}
    fsGroupChangePolicy: OnRootMismatch
    {{- end }}
    seccompProfile: { type: RuntimeDefault }
  containers:
    - name: {{ $role }}
      image: {{ include "foreshock.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args:
        {{- include "foreshock.arguments" $role | nindent 8 }}
      env:
        {{- include "foreshock.environment" . | nindent 8 }}
      {{- with $own.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if not $job }}
      ports:
        {{- include "foreshock.ports" $role | trim | nindent 8 }}
      # /livez answers as soon as the process is up, /readyz once its journal can be used, however long that takes.
      startupProbe:
        httpGet: { path: /livez, port: admin }
        periodSeconds: 1
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /livez, port: admin }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: admin }
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      {{- end }}
      {{- if eq $component "console" }}
      lifecycle:
        # Answers until nobody is sent here any more; ingest has ingest.drain_notice for that.
        preStop:
          sleep: { seconds: 5 }
      {{- end }}
      {{- with $own.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        {{- toYaml $storage.mounts | nindent 8 }}
  volumes:
    {{- toYaml $storage.volumes | nindent 4 }}
  {{- with $own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $own.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml $own.topologySpreadConstraints | nindent 4 }}
  {{- else if not (or $job (eq $component "standalone")) }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "foreshock.selector" (list $root $component) | nindent 10 }}
    {{- end }}
  {{- end }}
{{- end -}}
