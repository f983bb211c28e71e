#!/usr/bin/env bash
# Gets the certificate for DOMAIN (from .env) from Let's Encrypt and puts nginx in front of the service; renews it when
# it is due. Run it as root as often as you like: what is in place stays. certbot's own timer renews later.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[[ -n ${ENV_FILE:-} ]] || cd "$here/.."
# shellcheck source=deploy/read_env.sh
source "$here/read_env.sh"
# shellcheck source=deploy/listening.sh
source "$here/listening.sh"

fail() {
	echo "deploy/certificate.sh: $*" >&2
	exit 2
}

DOMAIN=$(setting DOMAIN)
DOMAIN=${DOMAIN,,}
[[ -n $DOMAIN ]] || fail "DOMAIN is not set: write it into .env, like DOMAIN=shop.example.ru"
EMAIL=$(setting SUPPORT_EMAIL)
for command in certbot nginx envsubst; do
	command -v "$command" >/dev/null || fail "$command is missing: apt-get install certbot nginx gettext-base"
done
ACME=$(setting ACME)
HTTP_PORT=$(setting HTTP_PORT)
export DOMAIN ACME=${ACME:-/var/www/evosync-acme} HTTP_PORT=${HTTP_PORT:-80}
target=${NGINX_CONF:-/etc/nginx/conf.d/evosync.conf}
live=${LETSENCRYPT:-/etc/letsencrypt}/live/$DOMAIN
mkdir -p "$ACME" "$(dirname "$target")"

# The file is replaced whole, and what was there comes back if nginx refuses the new one.
install_conf() {
	local before
	before=$(mktemp)
	if [[ -e $target ]]; then cp "$target" "$before"; else rm "$before"; fi
	cat >"$target"
	if ! nginx -t -q; then
		if [[ -e $before ]]; then mv "$before" "$target"; else rm "$target"; fi
		fail "nginx refuses the configuration (above); nothing was changed"
	fi
	rm -f "$before"
	nginx -s reload 2>/dev/null || nginx
}

if [[ ! -e $live/fullchain.pem ]]; then
	# Until there is a certificate nginx answers Let's Encrypt's check and nothing else.
	install_conf <<-CONF
		server {
		    $(listening "$HTTP_PORT")
		    server_name $DOMAIN;
		    location ^~ /.well-known/acme-challenge/ { root $ACME; default_type text/plain; }
		    location / { return 503; }
		}
	CONF
fi

contact=(--register-unsafely-without-email)
[[ -z $EMAIL ]] || contact=(--email "$EMAIL")
certbot certonly --non-interactive --agree-tos --keep-until-expiring --webroot --webroot-path "$ACME" \
	--domain "$DOMAIN" --cert-name "$DOMAIN" --deploy-hook "nginx -s reload" "${contact[@]}"
[[ -e $live/fullchain.pem ]] || fail "certbot brought no certificate to $live"

conf=$(CERTIFICATES=$live "$here/nginx.sh")
install_conf <<<"$conf"
echo "https://$DOMAIN is served; the certificate renews itself."
