#!/usr/bin/env bash
# Restores a backup into an EMPTY database: deploy/restore.sh FILE.sql.gz
#
# The service must be stopped; it brings the tables to its version when it starts. In compose:
#   CLIENT="docker compose exec -T -e MYSQL_PWD db mariadb" deploy/restore.sh FILE.sql.gz
# The key is put back by hand, from FILE.key into .env.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/read_env.sh
source "$here/read_env.sh"

file=${1:?deploy/restore.sh FILE.sql.gz}
name=${DATABASE_NAME:-evosync}
gzip -t "$file"

# By way of the environment, so that no list of processes shows it.
MYSQL_PWD=$(secret DATABASE_PASSWORD)
export MYSQL_PWD
arguments=("--user=${DATABASE_USER:-evosync}")
if [[ -n ${CLIENT:-} ]]; then
	read -r -a client <<<"$CLIENT"
else
	client=(mariadb)
	arguments+=("--host=${DATABASE_HOST:-127.0.0.1}" "--port=${DATABASE_PORT:-3306}")
fi

tables=$("${client[@]}" "${arguments[@]}" --skip-column-names --batch --execute "SHOW TABLES" "$name" </dev/null)
if [[ -n $tables ]]; then
	echo "deploy/restore.sh: $name is not empty; nothing was touched. Drop and create it first, if you mean it." >&2
	exit 2
fi
gzip -dc "$file" | "${client[@]}" "${arguments[@]}" --default-character-set=utf8mb4 "$name"
key=${file%.sql.gz}.key
echo "Restored. The key belongs into .env: $([[ -e $key ]] && echo "$key" || echo "not beside the backup")"
