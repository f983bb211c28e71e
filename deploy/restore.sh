#!/usr/bin/env bash
# Restores a backup into an EMPTY database: deploy/restore.sh FILE.sql.gz
#
# The service must be stopped; it brings the tables to its version when it starts. In compose:
#   CLIENT="docker compose exec -T -e MYSQL_PWD db mariadb" deploy/restore.sh FILE.sql.gz
# Its last words are the lines that put the key back, from FILE.key into .env; a key itself is never shown.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/read_env.sh
source "$here/read_env.sh"

file=$(realpath -m -- "${1:?deploy/restore.sh FILE.sql.gz}")
# Where .env and the compose file are, whoever calls from wherever.
[[ -n ${ENV_FILE:-} ]] || cd "$here/.."
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
	echo "deploy/restore.sh: $name is not empty; nothing was touched. If you mean it, empty it first (see the README)." >&2
	exit 2
fi
gzip -dc "$file" | "${client[@]}" "${arguments[@]}" --default-character-set=utf8mb4 "$name"

key=${file%.sql.gz}.key
env=$(realpath -m -- "${ENV_FILE:-.env}")
kept() { ENV_FILE=$key SECRET_KEY="" SECRET_KEY_PREVIOUS="" setting "$1"; }
is_in_place() {
	[[ -r $key && $(kept SECRET_KEY) == "$(secret SECRET_KEY)" &&
		$(kept SECRET_KEY_PREVIOUS) == "$(secret SECRET_KEY_PREVIOUS)" ]]
}
if is_in_place; then
	echo "Restored. The key of this backup is in place already."
	exit 0
fi
echo "Restored. Its tokens open with its own key only. Before the service starts, put that back:"
[[ -r $key ]] || echo "    # it is not beside the backup: fetch $key from where it is kept, then"
# Lines that name a file of the key go too: the service takes one of both.
printf "    (umask 077; { grep -Ev '%s' %q; cat %q; } >%q && mv %q %q)\n" \
	'^[[:space:]]*(export[[:space:]]+)?SECRET_KEY(_PREVIOUS)?(_FILE)?[[:space:]]*=' \
	"$env" "$key" "$env.new" "$env.new" "$env"
