#!/usr/bin/env bash
# Writes the schemas beside it again (README.md says from what). Everything else goes to a directory that is removed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

KEDA=2.16.1.0
PROMETHEUS_OPERATOR=0.80.1.0
STRIMZI=0.45.0

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "cloudcoil.models.keda==$KEDA" "cloudcoil.models.prometheus_operator==$PROMETHEUS_OPERATOR"

cat >"$work/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ivr-workers</groupId><artifactId>crds</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>io.strimzi</groupId><artifactId>api</artifactId><version>$STRIMZI</version></dependency>
    <dependency><groupId>io.strimzi</groupId><artifactId>crd-generator</artifactId><version>$STRIMZI</version></dependency>
  </dependencies>
</project>
XML
mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$work/libs"
mkdir "$work/strimzi"
java -cp "$work/libs/*" io.strimzi.crdgenerator.CrdGenerator --yaml \
    "io.strimzi.api.kafka.model.topic.KafkaTopic=$work/strimzi/kafkatopic.yaml" \
    "io.strimzi.api.kafka.model.user.KafkaUser=$work/strimzi/kafkauser.yaml" 2>"$work/words" ||
    { cat "$work/words" >&2; exit 1; }

"$work/venv/bin/python" "$here/strict.py" "$work/strimzi" "$here"
