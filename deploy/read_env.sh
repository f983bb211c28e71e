# shellcheck shell=bash
# Sourced by the scripts beside it. `setting NAME` is the value from the environment, else from .env (ENV_FILE), as the
# service itself reads it: literally, a pair of quotes aside. The file is never executed.

setting() {
	local name=$1 file=${ENV_FILE:-.env} line value
	value=${!name:-}
	if [[ -z $value && -r $file ]]; then
		line=$(grep -E "^[[:space:]]*(export[[:space:]]+)?${name}[[:space:]]*=" "$file" | tail -n 1 || true)
		value=${line#*=}
		value=${value%$'\r'}
		value="${value#"${value%%[![:space:]]*}"}"
		value="${value%"${value##*[![:space:]]}"}"
		case $value in
		\"*\") value=${value#\"} value=${value%\"} ;;
		\'*\') value=${value#\'} value=${value%\'} ;;
		esac
	fi
	printf '%s' "$value"
}

# `secret NAME` is the same, or what the file holds that NAME_FILE names; /run/secrets of the containers is secrets here.
secret() {
	local value file
	value=$(setting "$1")
	file=$(setting "$1_FILE")
	if [[ -z $value && -n $file ]]; then
		[[ -e $file ]] || file=${file/#\/run\//}
		value=$(<"$file")
	fi
	printf '%s' "$value"
}

# `put NAME VALUE` writes it into .env in place of what stood there; the file is replaced whole, its rights stay.
put() {
	local file=${ENV_FILE:-.env} new
	new=$(mktemp "$file.XXXXXX")
	cp -p "$file" "$new"
	{ grep -v -E "^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*=" "$file" || true; } >"$new"
	printf '%s=%s\n' "$1" "$2" >>"$new"
	mv "$new" "$file"
}
