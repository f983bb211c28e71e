#!/usr/bin/env bash
# Starts the version that ran before the last deploy/update.sh: deploy/rollback.sh
#
# It is the image that goes back: the compose files are those of this checkout, which stays at the newer version, and so
# do MariaDB and Redis. Nothing is built or fetched: it works where the registry is out of reach.
# The tables stay as they are, and an older version serves on them, unless a release's notes say otherwise: then restore
# the backup from before it.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=deploy/read_env.sh
source deploy/read_env.sh
ENV_FILE=${ENV_FILE:-.env}

now=$(setting IMAGE_TAG)
before=$(setting IMAGE_TAG_PREVIOUS)
[[ -n $before ]] || {
	echo "deploy/rollback.sh: no version before is known here" >&2
	exit 2
}
put IMAGE_TAG "$before"
put IMAGE_TAG_PREVIOUS "${now:-latest}"
docker compose up -d --no-build --pull never --wait --wait-timeout 900 || {
	echo "deploy/rollback.sh: $before does not get well either: docker compose logs tells why; a backup from before the" \
		"last update is in ${BACKUPS:-/var/backups/evosync}" >&2
	exit 1
}
put IMAGE_TAG_GOOD "$before"
echo "$before runs; the same again goes back to ${now:-latest}."
