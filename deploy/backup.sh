#!/usr/bin/env bash
# Backs the database and the key up: deploy/backup.sh FOLDER
#
# Writes FOLDER/evosync-TIME.sql.gz and, beside it, evosync-TIME.key (SECRET_KEY and the earlier ones, readable by its
# owner alone). One without the other opens no token: keep both, in different places. In compose:
#   DUMP="docker compose exec -T -e MYSQL_PWD db mariadb-dump" deploy/backup.sh /var/backups/evosync
# Otherwise DATABASE_HOST, _PORT, _USER, _PASSWORD and _NAME say where the database is. KEEP (30) backups stay.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/read_env.sh
source "$here/read_env.sh"

folder=$(realpath -m -- "${1:?deploy/backup.sh FOLDER}")
# Where .env and the compose file are, whoever calls from wherever.
[[ -n ${ENV_FILE:-} ]] || cd "$here/.."
mkdir -p "$folder"
umask 077
stamp=$(date -u +%Y%m%dT%H%M%SZ)
file=$folder/evosync-$stamp.sql.gz
trap 'rm -f "$file.part"' EXIT

# By way of the environment, so that no list of processes shows it.
MYSQL_PWD=$(secret DATABASE_PASSWORD)
# Before anything is written: what cannot be read of .env is told here.
key=$(secret SECRET_KEY)
previous=$(secret SECRET_KEY_PREVIOUS)
code=0
export MYSQL_PWD
arguments=("--user=${DATABASE_USER:-evosync}")
if [[ -n ${DUMP:-} ]]; then
	read -r -a dump <<<"$DUMP"
else
	dump=(mariadb-dump)
	arguments+=("--host=${DATABASE_HOST:-127.0.0.1}" "--port=${DATABASE_PORT:-3306}")
fi

# One moment in time, without a lock on anybody.
"${dump[@]}" "${arguments[@]}" --single-transaction --quick --hex-blob --default-character-set=utf8mb4 \
	--routines=false --skip-dump-date "${DATABASE_NAME:-evosync}" | gzip -6 >"$file.part"
gzip -t "$file.part"
# A dump that broke off lacks its last line.
[[ $(gzip -dc "$file.part" | tail -n 1) == "-- Dump completed"* ]] || {
	echo "deploy/backup.sh: the dump is not whole" >&2
	exit 1
}
mv "$file.part" "$file"

if [[ -z $key ]]; then
	echo "deploy/backup.sh: SECRET_KEY is not set here: back up the data folder's secret.key yourself" >&2
elif key=$(quoted "$key") && previous=$(quoted "$previous"); then
	printf 'SECRET_KEY=%s\nSECRET_KEY_PREVIOUS=%s\n' "$key" "$previous" >"${file%.sql.gz}.key"
else
	echo "deploy/backup.sh: the key is NOT backed up, keep it yourself and change it: no quotes in .env carry two" \
		"backslashes, one at the end, a line break, or ' beside \", \$ or a backslash" >&2
	code=1
fi

find "$folder" -maxdepth 1 -name 'evosync-*.sql.gz' | sort -r | tail -n "+$((${KEEP:-30} + 1))" | while read -r old; do
	rm -f "$old" "${old%.sql.gz}.key"
done
echo "$file"
exit "$code"
