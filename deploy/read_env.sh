# shellcheck shell=bash
# Sourced by the scripts beside it: `setting NAME` is the value from the environment, else from .env (ENV_FILE), as the
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
