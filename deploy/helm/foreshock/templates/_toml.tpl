{{/*
A map as TOML. Helm's own toToml writes every number as a float, because numbers of a values file are floats to it.
*/}}

{{- define "foreshock.toml.key" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . }}{{ . }}{{ else }}{{ toRawJson . }}{{ end -}}
{{- end -}}

{{/* JSON's way to write a text is TOML's as well. */}}
{{- define "foreshock.toml.value" -}}
{{- if kindIs "string" . -}}
{{- toRawJson . -}}
{{- else if kindIs "float64" . -}}
{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else if kindIs "slice" . -}}
[{{ range $at, $value := . }}{{ if $at }}, {{ end }}{{ include "foreshock.toml.value" $value }}{{ end }}]
{{- else if kindIs "map" . -}}
{ {{- range $at, $key := keys . | sortAlpha }}{{ if $at }},{{ end }} {{ include "foreshock.toml.key" $key }} = {{ include "foreshock.toml.value" (get $ $key) }}{{ end }} }
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* Whether a value has a header of its own: tables but for references to a secret, and lists of tables. */}}
{{- define "foreshock.toml.nested" -}}
{{- if kindIs "map" . -}}
{{- if not (and (eq (len .) 1) (or (hasKey . "env") (hasKey . "file"))) }}true{{ end -}}
{{- else if kindIs "slice" . -}}
{{- if and . (kindIs "map" (first .)) }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/* The keys of a table and all below it: (dict "path" "ingest.limits" "table" $map). Without value: left out. */}}
{{- define "foreshock.toml.table" -}}
{{- $path := .path -}}
{{- range $key, $value := .table }}
{{- if not (or (kindIs "invalid" $value) (include "foreshock.toml.nested" $value)) }}
{{ include "foreshock.toml.key" $key }} = {{ include "foreshock.toml.value" $value }}
{{- end }}
{{- end }}
{{- range $key, $value := .table }}
{{- if include "foreshock.toml.nested" $value }}
{{- $inner := printf "%s.%s" $path (include "foreshock.toml.key" $key) }}
{{- if kindIs "map" $value }}

[{{ $inner }}]
{{- include "foreshock.toml.table" (dict "path" $inner "table" $value) }}
{{- else }}
{{- range $value }}

[[{{ $inner }}]]
{{- include "foreshock.toml.table" (dict "path" $inner "table" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
