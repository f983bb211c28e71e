#!/usr/bin/env bash
# Renders deploy/nginx.conf.template to standard output. DOMAIN and the rest come from the environment or from .env;
# UPSTREAM may name several, separated by commas: UPSTREAM=127.0.0.1:8080,127.0.0.1:8081
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[[ -n ${ENV_FILE:-} ]] || cd "$here/.."
# shellcheck source=deploy/read_env.sh
source "$here/read_env.sh"
# shellcheck source=deploy/listening.sh
source "$here/listening.sh"

DOMAIN=$(setting DOMAIN)
DOMAIN=${DOMAIN,,}
if [[ -z $DOMAIN ]]; then
	echo "deploy/nginx.sh: DOMAIN is not set: write it into .env, like DOMAIN=shop.example.ru" >&2
	exit 2
fi
if [[ ! $DOMAIN =~ ^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$ ]]; then
	echo "deploy/nginx.sh: DOMAIN must be a bare name like shop.example.ru" >&2
	exit 2
fi
for name in UPSTREAM CERTIFICATES ACME HTTP_PORT HTTPS_PORT; do
	value=$(setting "$name")
	declare "$name=$value"
done
UPSTREAM=${UPSTREAM:-127.0.0.1:8080}
UPSTREAM=${UPSTREAM//,/; server }
CERTIFICATES=${CERTIFICATES:-/etc/letsencrypt/live/$DOMAIN}
ACME=${ACME:-/var/www/evosync-acme}
HTTP_PORT=${HTTP_PORT:-80}
HTTPS_PORT=${HTTPS_PORT:-443}
LISTEN_HTTP=$(listening "$HTTP_PORT")
if has_http2_on; then
	LISTEN_HTTPS="$(listening "$HTTPS_PORT" ssl) http2 on;"
else
	LISTEN_HTTPS=$(listening "$HTTPS_PORT" "ssl http2")
fi
export DOMAIN UPSTREAM CERTIFICATES ACME LISTEN_HTTP LISTEN_HTTPS

# shellcheck disable=SC2016 # envsubst is told the names, not the values
envsubst '$DOMAIN $UPSTREAM $CERTIFICATES $ACME $LISTEN_HTTP $LISTEN_HTTPS' <"$here/nginx.conf.template"
