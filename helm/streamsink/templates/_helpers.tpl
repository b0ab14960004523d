{{- define "streamsink.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "streamsink.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "streamsink.selectorLabels" -}}
app.kubernetes.io/name: {{ include "streamsink.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "streamsink.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "streamsink.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "streamsink.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "streamsink.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What can't work is refused with a sentence, before anything is installed. */}}
{{- define "streamsink.check" -}}
{{- $grouped := index .Values.config "group.id" -}}
{{- if and (gt (int .Values.replicaCount) 1) (ne .Values.mode "distributed") -}}
{{- fail "replicaCount above 1 needs mode: distributed (workers that share a group.id)" -}}
{{- end -}}
{{- if and $grouped (ne .Values.mode "distributed") -}}
{{- fail "config.group.id makes workers distributed: say mode: distributed as well" -}}
{{- end -}}
{{- if not (or (index .Values.config "bootstrap.servers") (eq (int .Values.replicaCount) 0)) -}}
{{- fail "config.bootstrap.servers is needed: brokers to start from, as --set 'config.bootstrap\\.servers=kafka:9092'" -}}
{{- end -}}
{{- if and (or .Values.autoscaling.enabled .Values.keda.enabled) (ne .Values.mode "distributed") -}}
{{- fail "autoscaling and keda need mode: distributed" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled -}}
{{- fail "autoscaling.enabled and keda.enabled exclude each other: both would set the number of workers" -}}
{{- end -}}
{{- end -}}

{{/* The worker's keys: those given over what the mode needs over what a pod needs. */}}
{{- define "streamsink.workerConfig" -}}
{{- $name := include "streamsink.fullname" . -}}
{{- $config := dict "listeners" (printf "http://0.0.0.0:%v" .Values.service.port) "log.level" .Values.logs.level -}}
{{- $_ := set $config "consumer.group.instance.id" $name -}}
{{- if eq .Values.mode "distributed" -}}
{{- $_ := set $config "group.id" $name -}}
{{- $_ := set $config "config.storage.topic" (printf "%s-configs" $name) -}}
{{- $_ := set $config "status.storage.topic" (printf "%s-statuses" $name) -}}
{{- $_ := set $config "offset.storage.topic" (printf "%s-offsets" $name) -}}
{{- end -}}
{{- range $key, $value := .Values.config -}}
{{- $_ := set $config $key $value -}}
{{- end -}}
{{- include "streamsink.flat" $config -}}
{{- end -}}

{{/* A flat map as a connector's file has it. Helm reads whole numbers as floats; lists are joined, as Kafka does. */}}
{{- define "streamsink.flat" -}}
{{- $texts := dict -}}
{{- range $key, $value := . -}}
{{- if kindIs "slice" $value -}}
{{- $_ := set $texts $key (join "," $value) -}}
{{- else if and (kindIs "float64" $value) (eq (floor $value) $value) -}}
{{- $_ := set $texts $key (int64 $value | toString) -}}
{{- else -}}
{{- $_ := set $texts $key (toString $value) -}}
{{- end -}}
{{- end -}}
{{- toYaml $texts -}}
{{- end -}}

{{/* The arguments of one snapshot of a database. Secrets stand in options as ${env:NAME}, which the command reads. */}}
{{- define "streamsink.snapshotArguments" -}}
{{- $arguments := list "database" "snapshot" .database .archive -}}
{{- range .tables -}}
{{- $arguments = concat $arguments (list "--table" .) -}}
{{- end -}}
{{- range $flag := list "prefix" "format" "rate" -}}
{{- with index $ $flag -}}
{{- $arguments = concat $arguments (list (printf "--%s" $flag) (include "streamsink.text" .)) -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := .options -}}
{{- $arguments = concat $arguments (list "--option" (printf "%s=%s" $key (include "streamsink.text" $value))) -}}
{{- end -}}
{{- range $key, $value := .set -}}
{{- $arguments = concat $arguments (list "--set" (printf "%s=%s" $key (include "streamsink.text" $value))) -}}
{{- end -}}
{{- toYaml $arguments -}}
{{- end -}}

{{/* One value as text. Helm reads whole numbers as floats. */}}
{{- define "streamsink.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* Above the longest drain of the connectors: 30 s where they don't say, and 15 s to stop, leave and end. */}}
{{- define "streamsink.graceSeconds" -}}
{{- if .Values.terminationGracePeriodSeconds -}}
{{- .Values.terminationGracePeriodSeconds -}}
{{- else -}}
{{- $longest := 30000 -}}
{{- range .Values.connectors -}}
{{- $longest = max $longest (int (default 30000 (index . "drain.timeout.ms"))) -}}
{{- end -}}
{{- add 15 (div $longest 1000) -}}
{{- end -}}
{{- end -}}
