{{/* Quantities as numbers, to compare them. */}}

{{/* Whole seconds of a duration as Foreshock writes it (500ms, 10s, 5m, 2h, 1d), rounded up. */}}
{{- define "foreshock.seconds" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexReplaceAll "^[0-9]+" . "" | trim -}}
{{- if eq $unit "ms" }}{{ div (add $number 999) 1000 -}}
{{- else }}{{ mul $number (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) $unit) }}{{ end -}}
{{- end -}}

{{/* Bytes of a quantity as Kubernetes writes it (1Gi, 512M, 1073741824). */}}
{{- define "foreshock.bytes" -}}
{{- $text := toString . -}}
{{- if kindIs "float64" . }}{{ $text = int64 . | toString }}{{ end -}}
{{- $number := regexFind "^[0-9.]+" $text | float64 -}}
{{- $unit := regexReplaceAll "^[0-9.]+" $text "" -}}
{{- $factors := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- mulf $number (get $factors $unit) | int64 -}}
{{- end -}}
