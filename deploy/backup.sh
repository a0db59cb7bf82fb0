#!/bin/sh
# Makes a backup of the data and the code in a new folder of $1, prints its path, and removes all of them but the
# newest $2 (14 if nothing is said). Runs in the folder of the project, with the server's variables, as its user.
set -eu
umask 077
to=$1
keep=${2:-14}
name=$(date -u +%Y-%m-%dT%H%M%SZ)
draft=$to/.$name
trap 'rm -rf "$draft"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$draft"
deno task cli backup "$draft/data" >&2
# Files that are saved meanwhile are no failure (tar exits with 1).
tar -C "${CODE_DIR:-./code}" -cf "$draft/code.tar" . || [ $? -eq 1 ]
mv "$draft" "$to/$name"
find "$to" -mindepth 1 -maxdepth 1 -type d -name '????-??-??T??????Z' | sort -r | tail -n "+$((keep + 1))" |
  while read -r old; do rm -rf "$old"; done
echo "$to/$name"
