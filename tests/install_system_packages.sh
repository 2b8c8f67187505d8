#!/bin/sh
# The tests drive a real browser, a real sandbox and a real database server. Debian has all three.
missing=""
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing="chromium"
command -v bwrap >/dev/null || missing="$missing bubblewrap"
ls /usr/lib/*/libseccomp.so.2 /usr/lib64/libseccomp.so.2 2>/dev/null | grep -q . || missing="$missing libseccomp2"
ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | grep -q . || missing="$missing postgresql"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing $missing with apt-get"
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "Not on this machine: $missing. Tests that need them will be skipped; install them to run all."
fi
