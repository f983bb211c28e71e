# shellcheck shell=bash
# Sourced by the scripts beside it. `setting NAME` is the value from the environment, else from .env (ENV_FILE), read as
# the service reads it: quotes, escapes in them, and what follows ` #`. The file is never executed. What compose would
# read otherwise than the service, and what neither can read, ends with 2 and a line that says so.

setting() {
	local name=$1 file=${ENV_FILE:-.env} value line raw text quote whole char
	value=${!name:-}
	if [[ -z $value && -r $file ]]; then
		line=$(grep -a -E "^[[:space:]]*(export[[:space:]]+)?${name}[[:space:]]*=" "$file" | tail -n 1 || true)
		raw=${line#*=}
		text=$(stripped "$raw")
		quote=${text:0:1}
		case $text in
		\'* | \"*)
			whole="^${quote}(([^${quote}\\\\]|\\\\.)*)${quote}[[:space:]]*(#.*)?\$"
			[[ $text =~ $whole ]] || {
				echo "deploy/read_env.sh: $name in $file: its quotes do not close on its line" >&2
				return 2
			}
			text=${BASH_REMATCH[1]}
			while [[ $text == *\\* ]]; do
				value+=${text%%\\*}
				text=${text#*\\}
				char=\\${text:0:1}
				case $char in
				\\[abfnrtv]) [[ $quote == "'" ]] || printf -v char '%b' "$char" ;;
				\\\\ | \\\') char=${text:0:1} ;;
				\\\") [[ $quote == "'" ]] || char=${text:0:1} ;;
				esac
				value+=$char
				text=${text:1}
			done
			value+=$text
			;;
		\#*) [[ $raw == [[:space:]]* ]] || value=${text%%[[:space:]]#*} ;;
		*) value=${text%%[[:space:]]#*} ;;
		esac
		[[ $quote == "'" || $value != *\$* ]] || {
			echo "deploy/read_env.sh: $name in $file holds a \$ outside single quotes, which compose takes for a variable" \
				"and the service does not: write what it runs with in single quotes" >&2
			return 2
		}
	fi
	stripped "$value"
}

stripped() {
	local text=$1
	text="${text#"${text%%[![:space:]]*}"}"
	printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# `quoted VALUE` is that for .env, so that compose, the service and `setting` read it alike: in single quotes, or in
# double ones where it holds a single one. It ends with 2 where neither can carry it.
quoted() {
	case $1 in
	*$'\n'* | *$'\r'* | *\\ | *\\\\* | *\'*[\\\$\"]* | *[\\\$\"]*\'*) return 2 ;;
	*\'*) printf '"%s"' "$1" ;;
	*) printf "'%s'" "$1" ;;
	esac
}

# `secret NAME` is the same, or what the file holds that NAME_FILE names; /run/secrets of the containers is secrets here.
secret() {
	local value file
	value=$(setting "$1") || return
	file=$(setting "$1_FILE") || return
	if [[ -z $value && -n $file ]]; then
		[[ -e $file ]] || file=${file/#\/run\//}
		value=$(<"$file") || return
	fi
	stripped "$value"
}

# `put NAME VALUE` writes it into .env in place of what stood there; the file is replaced whole, its rights stay. Where it
# cannot be read or written to its end it stays as it is, for it may hold the only SECRET_KEY; then this ends with 2.
put() {
	local file=${ENV_FILE:-.env} new
	new=$(mktemp "$file.XXXXXX") || return 2
	if cp -p "$file" "$new" && others "$1" "$file" >"$new" && printf '%s=%s\n' "$1" "$2" >>"$new"; then
		mv "$new" "$file" && return
	fi
	rm -f "$new"
	echo "deploy/read_env.sh: $1 could not be written into $file, which stays as it was" >&2
	return 2
}

# The lines of a file that set anything else than NAME; grep ends with 1 where there is none, and with more if it failed.
others() {
	grep -a -v -E "^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*=" "$2" || (($? == 1))
}
