{{- define "helpsync.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "helpsync.secret" -}}
{{- if and (not .Values.secrets.existing) (not .Values.secrets.values) -}}
{{- fail "set secrets.existing to a Secret that is there, or secrets.values" -}}
{{- end -}}
{{- .Values.secrets.existing | default (printf "%s-secrets" (include "helpsync.name" .)) -}}
{{- end -}}

{{/* Kubernetes kills what is not done by then. */}}
{{- define "helpsync.grace" -}}
{{- $drain := index .Values.settings "HELPSYNC_WORKER__DRAIN_SECONDS" | default 25 | int -}}
{{- $needed := add $drain 10 -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (int $needed) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d: with HELPSYNC_WORKER__DRAIN_SECONDS=%d set it to %d at least, or workers are killed while they hand their work back" (int .Values.terminationGracePeriodSeconds) $drain $needed) -}}
{{- end -}}
{{- int .Values.terminationGracePeriodSeconds -}}
{{- end -}}

{{- define "helpsync.labels" -}}
app.kubernetes.io/name: helpsync
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* Of a dict with `root` and `role`. */}}
{{- define "helpsync.selector" -}}
app.kubernetes.io/name: helpsync
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{/* The pod of a role: of a dict with `root`, `role`, `probed` (the port that is asked) and `ports`. */}}
{{- define "helpsync.pod" -}}
{{- $values := index .root.Values .role -}}
metadata:
  labels:
    {{- include "helpsync.selector" . | nindent 4 }}
  annotations:
    # Pods read their settings at their start: other settings, other pods.
    checksum/settings: {{ .root.Values.settings | toJson | sha256sum }}
    checksum/secrets: {{ .root.Values.secrets | toJson | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "helpsync.name" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "helpsync.grace" .root }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: { type: RuntimeDefault }
  topologySpreadConstraints:
    {{- $selector := include "helpsync.selector" . }}
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- $selector | nindent 10 }}
    {{- end }}
  containers:
    - name: {{ .role }}
      image: "{{ .root.Values.image.repository }}{{ with .root.Values.image.digest }}@{{ . }}{{ else }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}{{ end }}"
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: [helpsync-{{ .role }}]
      envFrom:
        - configMapRef: { name: {{ include "helpsync.name" .root }}-settings }
        - secretRef: { name: {{ include "helpsync.secret" .root }} }
      ports:
        {{- toYaml .ports | nindent 8 }}
      readinessProbe:
        httpGet: { path: /readyz, port: {{ .probed }} }
        periodSeconds: 5
        timeoutSeconds: 4
        failureThreshold: 3
      # Alive: the process answers. It counts no backend: a restart mends none of them.
      livenessProbe:
        httpGet: { path: /livez, port: {{ .probed }} }
        periodSeconds: 10
        timeoutSeconds: 4
        failureThreshold: 6
      # Migrations run before the ports open.
      startupProbe:
        httpGet: { path: /livez, port: {{ .probed }} }
        periodSeconds: 5
        timeoutSeconds: 4
        failureThreshold: 60
      {{- if eq .role "dispatcher" }}
      lifecycle:
        # Load balancers learn of the end a moment after it: keep answering until then.
        preStop: { exec: { command: [sleep, "5"] } }
      {{- end }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: tmp, mountPath: /tmp }
  volumes:
    - name: tmp
      emptyDir: { sizeLimit: 64Mi }
{{- end -}}
