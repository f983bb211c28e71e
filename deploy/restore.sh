#!/usr/bin/env bash
# Restores a backup into an EMPTY database: deploy/restore.sh [--empty] FILE.sql.gz
#
# The service must be stopped; it brings the tables to its version when it starts. --empty throws away what is there
# before. In compose:
#   CLIENT="docker compose exec -T -e MYSQL_PWD db mariadb" deploy/restore.sh FILE.sql.gz
# Its last words are the lines that put the key back, from FILE.key into .env; a key itself is never shown.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/read_env.sh
source "$here/read_env.sh"

empty=""
if [[ ${1:-} == --empty ]]; then
	empty=yes
	shift
fi
file=$(realpath -m -- "${1:?deploy/restore.sh FILE.sql.gz, or --empty FILE.sql.gz}")
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
if [[ -n $tables && -z $empty ]]; then
	echo "deploy/restore.sh: $name is not empty; nothing was touched. --empty FILE throws away what is there." >&2
	exit 2
fi
if [[ -n $tables ]]; then
	[[ $(gzip -dc "$file" | tail -n 1) == "-- Dump completed"* ]] || {
		echo "deploy/restore.sh: $file is not a whole dump; nothing was touched" >&2
		exit 2
	}
	# The tables and not the database, which keeps its character set and who may enter it.
	mapfile -t old <<<"$tables"
	# shellcheck disable=SC2016 # quotes of SQL
	printf -v drop ', `%s`' "${old[@]}"
	"${client[@]}" "${arguments[@]}" --execute "SET foreign_key_checks = 0; DROP TABLE ${drop#, }" "$name" </dev/null
fi
gzip -dc "$file" | "${client[@]}" "${arguments[@]}" --default-character-set=utf8mb4 "$name"

key=${file%.sql.gz}.key
env=$(realpath -m -- "${ENV_FILE:-.env}")
kept() { ENV_FILE=$key SECRET_KEY="" SECRET_KEY_PREVIOUS="" setting "$1"; }
is_in_place() {
	local name theirs ours
	[[ -r $key ]] || return 1
	for name in SECRET_KEY SECRET_KEY_PREVIOUS; do
		theirs=$(kept "$name") && ours=$(secret "$name") && [[ $theirs == "$ours" ]] || return 1
	done
}
if is_in_place; then
	echo "Restored. The key of this backup is in place already."
	exit 0
fi
echo "Restored. Its tokens open with its own key only. Before the service starts, put that back:"
[[ -r $key ]] || echo "    # it is not beside the backup: fetch $key from where it is kept, then"
# Lines that name a file of the key go too: the service takes one of both.
printf "    (umask 077; { grep -aEv '%s' %q; cat %q; } >%q && mv %q %q)\n" \
	'^[[:space:]]*(export[[:space:]]+)?SECRET_KEY(_PREVIOUS)?(_FILE)?[[:space:]]*=' \
	"$env" "$key" "$env.new" "$env.new" "$env"
