{{/* What no schema can say: values that contradict one another. Every fault at once, each with what to do. */}}

{{- define "foreshock.checks" -}}
{{- $faults := list -}}
{{- $kafka := .Values.kafka -}}
{{- $security := $kafka.security -}}
{{- $set := mergeOverwrite (include "foreshock.config.assumed" . | fromYaml) (include "foreshock.config" . | fromYaml) -}}
{{- $received := addf $set.ingest.memory_limit_bytes (mulf 2 $set.ingest.connections.read_ahead_limit_bytes) | int64 -}}

{{- if eq .Values.mode "distributed" -}}

{{- if not $kafka.brokers -}}
{{- $faults = append $faults "kafka.brokers is empty: say where Kafka is, host:port, comma-separated; or take mode: standalone" -}}
{{- end -}}
{{- range splitList "," $kafka.brokers -}}
{{- if and $kafka.brokers (not (regexMatch "^([A-Za-z0-9._-]+|\\[[0-9a-fA-F:]+\\]):[0-9]+$" (trim .))) -}}
{{- $faults = append $faults (printf "kafka.brokers: %q is not host:port" .) -}}
{{- end -}}
{{- end -}}
{{- range list "telemetry_partitions" "stage_partitions" -}}
{{- if hasKey (dig "journal" (dict) $.Values.config) . -}}
{{- $faults = append $faults (printf "config.journal.%s is the embedded journal's: take config.journal.kafka.%s" . .) -}}
{{- end -}}
{{- end -}}
{{- $tls := has $security.protocol (list "ssl" "sasl_ssl") -}}
{{- $sasl := hasPrefix "sasl_" $security.protocol -}}
{{- if and (not $tls) (or $security.ca.secret $security.client.secret) -}}
{{- $faults = append $faults (printf "kafka.security has certificates, but protocol %s uses none: take ssl or sasl_ssl" $security.protocol) -}}
{{- end -}}
{{- if and $sasl (not $security.sasl.mechanism) -}}
{{- $faults = append $faults "kafka.security.sasl.mechanism is empty: say which the brokers want" -}}
{{- end -}}
{{- if and (not $sasl) $security.sasl.mechanism -}}
{{- $faults = append $faults (printf "kafka.security.sasl.mechanism is set, but protocol %s logs nobody in: take sasl_ssl" $security.protocol) -}}
{{- end -}}
{{- if and $sasl $security.sasl.mechanism (ne $security.sasl.mechanism "OAUTHBEARER") (not (and $security.sasl.username $security.sasl.secret)) -}}
{{- $faults = append $faults (printf "kafka.security.sasl: %s needs username, and secret: the name of a Secret with the password" $security.sasl.mechanism) -}}
{{- end -}}
{{- $floor := addf $received $set.journal.queue_bytes 134217728 | int64 -}}
{{- $given := dig "limits" "memory" "" .Values.ingest.resources -}}
{{- $limit := include "foreshock.bytes" $given | int64 -}}
{{- if and $limit (lt $limit $floor) -}}
{{- $faults = append $faults (printf "ingest.resources.limits.memory is %v, %d bytes are needed: ingest.memory_limit_bytes + 2 x ingest.connections.read_ahead_limit_bytes + journal.queue_bytes + 128Mi; raise it or lower those" $given $floor) -}}
{{- end -}}
{{- with .Values.ingest.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- $faults = append $faults "ingest.autoscaling: minReplicas is above maxReplicas" -}}
{{- end -}}
{{- end -}}

{{- else -}}

{{- if $kafka.brokers -}}
{{- $faults = append $faults "kafka.brokers is set, but mode standalone keeps its journal on a volume: take mode: distributed" -}}
{{- end -}}
{{- $floor := addf $received $set.journal.queue_bytes $set.journal.cache_bytes 536870912 | int64 -}}
{{- $given := dig "limits" "memory" "" .Values.standalone.resources -}}
{{- $limit := include "foreshock.bytes" $given | int64 -}}
{{- if and $limit (lt $limit $floor) -}}
{{- $faults = append $faults (printf "standalone.resources.limits.memory is %v, %d bytes are needed: ingest.memory_limit_bytes + 2 x ingest.connections.read_ahead_limit_bytes + journal.queue_bytes + journal.cache_bytes + 512Mi; raise it or lower those" $given $floor) -}}
{{- end -}}
{{- $floor := addf $set.journal.retention_bytes $set.journal.stages_retention_bytes 2147483648 | int64 -}}
{{- if lt (include "foreshock.bytes" .Values.standalone.persistence.size | int64) $floor -}}
{{- $faults = append $faults (printf "standalone.persistence.size is %s, %d bytes are needed: journal.retention_bytes + journal.stages_retention_bytes + 2Gi; raise it or lower those" .Values.standalone.persistence.size $floor) -}}
{{- end -}}

{{- end -}}

{{- if and .Values.tls.clientCa.secret (not .Values.tls.secret) -}}
{{- $faults = append $faults "tls.clientCa is set without tls.secret: clients' certificates are asked for over TLS only" -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\n  - %s\n" (join "\n  - " $faults)) -}}
{{- end -}}
{{- end -}}
