#!/bin/sh
# Makes sure that node and npm are there: installs Debian's packages when run as root, and names them otherwise.
set -eu
if command -v node >/dev/null && command -v npm >/dev/null; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm
else
  echo "error: the tests need Node.js and npm" >&2
  echo "hint:  as root: apt-get install nodejs npm" >&2
  exit 3
fi
