#!/usr/bin/env bash
# Updates a server to the newest version: deploy/update.sh
#
# Backs up into BACKUPS (/var/backups/evosync) with the scripts of the version that stands, takes the new version,
# builds it on the newest base image under a name of its own, fetches the newest patch releases of MariaDB and Redis,
# migrates while the version before goes on serving, and starts it. The version before stays as an image, for
# deploy/rollback.sh. Where there is no newer version, the images alone are renewed.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=deploy/read_env.sh
source deploy/read_env.sh
ENV_FILE=${ENV_FILE:-.env}

fail() {
	echo "deploy/update.sh: $*" >&2
	exit 1
}

take() {
	local was
	[[ -e $ENV_FILE ]] || {
		echo "deploy/update.sh: no $ENV_FILE here: deploy/first.sh DOMAIN writes it" >&2
		exit 2
	}
	DUMP="docker compose exec -T -e MYSQL_PWD db mariadb-dump" deploy/backup.sh "${BACKUPS:-/var/backups/evosync}" ||
		fail "the backup failed, see above; nothing was changed"
	was=$(git rev-parse HEAD)
	git pull --quiet --ff-only || fail "the newest version could not be fetched, see above; nothing was changed"
	# The new version knows best how it is built and started.
	exec deploy/update.sh --pulled "$was"
}

# shellcheck disable=SC2329 # by the trap
# What runs is of the version before: so shall be the compose files that the next `docker compose up` reads.
back() {
	local checkout="the checkout is where it was"
	git reset --quiet --keep "$was" || checkout="the checkout stays at $new"
	fail "$doing failed, see above; $old goes on serving, $checkout, nothing else was changed"
}

start() {
	local services part good before
	was=$1
	new=$(git rev-parse --short=12 HEAD)
	old=$(setting IMAGE_TAG)
	old=${old:-latest}
	good=$(setting IMAGE_TAG_GOOD)
	trap back EXIT
	doing="reading the compose files of $new"
	# In the split form there is no `app`; all parts are one image.
	services=$(docker compose config --services)
	part=app
	[[ $'\n'$services$'\n' != *$'\nweb\n'* ]] || part=web
	# Built and fetched before anything is changed: what does not build is not started.
	doing="the build of $new (on the newest base image, for which the registry is asked)"
	IMAGE_TAG=$new docker compose build --quiet --pull "$part"
	doing="fetching the images of MariaDB and Redis from the registry"
	docker compose pull --quiet db redis
	# In a container of its own, beside the old version: a long migration would keep the new one from getting well.
	doing="the migrations of $new"
	IMAGE_TAG=$new docker compose run --rm --no-deps -T "$part" migrate </dev/null
	trap - EXIT
	if [[ $new != "$old" ]]; then
		# The way back leads to a version that got well, however many did not since.
		[[ -n $good && $old != "$good" ]] || put IMAGE_TAG_PREVIOUS "$old"
		put IMAGE_TAG "$new"
	fi
	before=$(setting IMAGE_TAG_PREVIOUS)
	# A version that dies again and again is never called ill, as each start has its time: so there is an end to waiting.
	docker compose up -d --no-build --pull never --wait --wait-timeout 900 ||
		fail "$new does not get well; deploy/rollback.sh starts $before again"
	put IMAGE_TAG_GOOD "$new"
	# Images of earlier versions would fill the disk.
	docker image ls --filter dangling=false --format '{{.Tag}}' evosync | grep -vxF -e "$new" -e "$before" |
		while read -r tag; do
			docker image rm "evosync:$tag" >/dev/null || true
		done || true
	# So would those that a newer one took the name of, and what builds leave behind, but for what a week's have used.
	docker image prune -f >/dev/null || true
	docker builder prune -f --filter until=168h >/dev/null || true
	if [[ $new == "$old" ]]; then
		echo "$new runs already, now on the newest images."
	else
		echo "$new runs; deploy/rollback.sh goes back to $before."
	fi
}

# All of it is read before anything is done: a pull changes this very file.
main() {
	if [[ ${1:-} == --pulled ]]; then start "$2"; else take; fi
}
main "$@"; exit
