#!/usr/bin/env bash
# Updates a server to the newest version: deploy/update.sh
#
# Backs up into BACKUPS (/var/backups/evosync), takes the new version, builds it under a name of its own and starts it;
# migrations run before it serves. The version before stays as an image, for deploy/rollback.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=deploy/read_env.sh
source deploy/read_env.sh
ENV_FILE=${ENV_FILE:-.env}

[[ -e $ENV_FILE ]] || {
	echo "deploy/update.sh: no $ENV_FILE here: deploy/first.sh DOMAIN writes it" >&2
	exit 2
}
git pull --quiet --ff-only
new=$(git rev-parse --short=12 HEAD)
old=$(setting IMAGE_TAG)
old=${old:-latest}
if [[ $new == "$old" ]]; then
	echo "$new runs already."
	exit 0
fi
DUMP="docker compose exec -T -e MYSQL_PWD db mariadb-dump" deploy/backup.sh "${BACKUPS:-/var/backups/evosync}"
# Built before anything is changed: what does not build is not started.
IMAGE_TAG=$new docker compose build --quiet app
put IMAGE_TAG "$new"
put IMAGE_TAG_PREVIOUS "$old"
docker compose up -d --no-build --wait || {
	echo "deploy/update.sh: $new does not get well; deploy/rollback.sh starts $old again" >&2
	exit 1
}
echo "$new runs; deploy/rollback.sh goes back to $old."
