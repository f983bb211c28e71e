# shellcheck shell=bash
# Sourced by the scripts beside it. `listening PORT [OPTIONS]` is nginx's `listen` for a port, and for IPv6 too where
# this host has it: a domain with an AAAA record is asked there first, by Let's Encrypt as well. What names an address
# (127.0.0.1:80) is taken as it is.

listening() {
	local options=${2:+ $2}
	printf 'listen %s%s;' "$1" "$options"
	if [[ $1 =~ ^[0-9]+$ ]] && grep -qs . "${IF_INET6:-/proc/net/if_inet6}"; then
		printf ' listen [::]:%s%s;' "$1" "$options"
	fi
}

# `http2 on;` where this host's nginx has it (1.25.1 and newer, which warn of the word in `listen`); without nginx the
# old way, which every version takes.
has_http2_on() {
	local version
	version=$(PATH=$PATH:/usr/sbin:/usr/local/sbin nginx -v 2>&1) || return 1
	[[ $version =~ nginx/([0-9]+)\.([0-9]+)\.([0-9]+) ]] || return 1
	((BASH_REMATCH[1] * 1000000 + BASH_REMATCH[2] * 1000 + BASH_REMATCH[3] >= 1025001))
}
