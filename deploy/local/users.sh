# Tells Elasticsearch the password that Kibana connects with.
set -euo pipefail
if ! answer=$(curl -sS --fail-with-body --retry 5 --retry-connrefused -u "elastic:$(cat /secrets/elastic)" \
  -H 'Content-Type: application/json' -d "{\"password\":\"$(cat /secrets/kibana)\"}" \
  http://elasticsearch:9200/_security/user/kibana_system/_password); then
  echo "error: cannot set the password that Kibana connects with: $answer" >&2
  exit 1
fi
