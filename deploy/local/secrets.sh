# Makes up the passwords of the local stack, unless they are there. They are files that only Elasticsearch's user (1000,
# as in Kibana's and our images) can read.
set -euo pipefail
umask 077
for name in elastic kibana kibana-key; do
  file=/secrets/$name
  if [ ! -s "$file" ]; then
    (head -c 256 /dev/urandom | base64 -w 0 | tr -dc A-Za-z0-9 | head -c 32; echo) >"$file.new"
    mv "$file.new" "$file"
  fi
  chmod 400 "$file"
  chown 1000 "$file"
done
chmod 755 /secrets
