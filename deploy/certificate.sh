#!/usr/bin/env bash
# Gets the certificate for DOMAIN (from .env) from Let's Encrypt and puts nginx in front of the service; renews it when
# it is due. Run it as root as often as you like: what is in place stays, or comes back where no certificate is got.
# certbot's own timer renews later.
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
former=$target.before
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
	reload
}

reload() {
	nginx -s reload 2>/dev/null || nginx
}

# However this ends: what gave way to the check of the certificate comes back, unless the new one stands in its place.
put_back() {
	[[ -e $former ]] || return 0
	if cmp -s "$former" "$target"; then
		rm "$former"
		return
	fi
	# Renamed, not copied: a full disk does not stop that.
	mv -f "$target" "$target.check"
	mv "$former" "$target"
	if nginx -t -q; then
		rm "$target.check"
		echo "deploy/certificate.sh: the configuration of before is back in $target" >&2
		reload
	else
		mv "$target" "$former"
		mv "$target.check" "$target"
		echo "deploy/certificate.sh: nginx refuses the configuration of before (above), whose certificate may be gone;" \
			"it is kept as $former, and until there is a certificate nginx answers 503" >&2
	fi
}
trap put_back EXIT

if [[ ! -e $live/fullchain.pem ]]; then
	# One that is there already was kept by a start that came to nothing, and what stands now is that one's check.
	[[ ! -e $target || -e $former ]] || cp -p "$target" "$former"
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
	--domain "$DOMAIN" --cert-name "$DOMAIN" --deploy-hook "nginx -s reload" "${contact[@]}" ||
	fail "certbot got no certificate for $DOMAIN (above)"
[[ -e $live/fullchain.pem ]] || fail "certbot brought no certificate to $live"

conf=$(CERTIFICATES=$live "$here/nginx.sh")
install_conf <<<"$conf"
rm -f "$former"
echo "https://$DOMAIN is served; the certificate renews itself."
