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
good=$(setting IMAGE_TAG_GOOD)
if [[ $new == "$old" ]]; then
	# An update that was broken off had written the name before anything was started.
	docker compose up -d --no-build --wait
	put IMAGE_TAG_GOOD "$new"
	echo "$new runs already."
	exit 0
fi
DUMP="docker compose exec -T -e MYSQL_PWD db mariadb-dump" deploy/backup.sh "${BACKUPS:-/var/backups/evosync}"
# Built before anything is changed: what does not build is not started.
IMAGE_TAG=$new docker compose build --quiet app
put IMAGE_TAG "$new"
# The way back leads to a version that got well, however many did not since.
[[ -n $good && $old != "$good" ]] || put IMAGE_TAG_PREVIOUS "$old"
before=$(setting IMAGE_TAG_PREVIOUS)
docker compose up -d --no-build --wait || {
	echo "deploy/update.sh: $new does not get well; deploy/rollback.sh starts $before again" >&2
	exit 1
}
put IMAGE_TAG_GOOD "$new"
# Images of earlier versions would fill the disk.
docker image ls --format '{{.Tag}}' evosync | grep -vxF -e "$new" -e "$before" | while read -r tag; do
	docker image rm "evosync:$tag" >/dev/null || true
done || true
echo "$new runs; deploy/rollback.sh goes back to $before."
