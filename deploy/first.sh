#!/usr/bin/env bash
# Writes .env for a new server: deploy/first.sh shop.example.ru
# With a key and a password of its own; an .env that is there already is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

domain=${1:-}
domain=${domain,,}
if [[ ! $domain =~ ^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$ ]]; then
	echo "deploy/first.sh: name the domain, like deploy/first.sh shop.example.ru" >&2
	exit 2
fi
file=${ENV_FILE:-.env}
if [[ -e $file ]]; then
	echo "$file is there already and stays as it is."
	exit 0
fi
random() { head -c 48 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' | head -c "$1"; }

umask 077
sed -e "s|^#DOMAIN=.*|DOMAIN=$domain|" \
	-e "s|^#SECRET_KEY=.*|SECRET_KEY=$(random 48)|" \
	-e "s|^#DATABASE_PASSWORD=.*|DATABASE_PASSWORD=$(random 32)|" \
	-e "s|^#EVOTOR_WEBHOOK_SECRET=.*|EVOTOR_WEBHOOK_SECRET=$(random 48)|" .env.example >"$file.new"
mv "$file.new" "$file"
echo "$file is written. Look it over: mail (EMAIL_PROVIDER=smtp, SMTP_...), EVOTOR_APP_ID (the application at Evotor), OPERATOR_NAME. Keep a copy of SECRET_KEY elsewhere."
