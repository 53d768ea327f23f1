# Tells Elasticsearch the password that Kibana connects with. It refuses even elastic while it makes its index of users.
set -euo pipefail
for _ in $(seq 30); do
  status=$(echo "user = elastic:$(cat /secrets/elastic)" | curl -s -K - -o /tmp/answer -w '%{http_code}' \
    -H 'Content-Type: application/json' -d @<(echo "{\"password\":\"$(cat /secrets/kibana)\"}") \
    http://elasticsearch:9200/_security/user/kibana_system/_password) || true
  [ "$status" != 200 ] || exit 0
  sleep 2
done
echo "error: cannot set the password that Kibana connects with: $status $(cat /tmp/answer)" >&2
exit 1
