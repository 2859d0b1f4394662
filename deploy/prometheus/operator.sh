#!/bin/sh
# Writes prometheusrule.yaml: the rules for the Prometheus operator, from those that Prometheus loads itself (`make alerts`).
set -eu
cd "$(dirname "$0")"
{
    cat <<'HEAD'
# Written by `make alerts` from ivr-workers.rules.yaml, where the comments are. Change that one.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ivr-workers
  labels: {app.kubernetes.io/part-of: ivr-workers}
spec:
HEAD
    sed -n '/^groups:/,$p' ivr-workers.rules.yaml | grep -v '^ *#' | sed 's/^\(.\)/  \1/'
} > prometheusrule.yaml.new
mv prometheusrule.yaml.new prometheusrule.yaml
