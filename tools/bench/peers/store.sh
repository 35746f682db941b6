#!/usr/bin/env bash
# store.sh FOLDER SUITE PACKAGE…
# Fills FOLDER with what a Debian system of these packages needs, and makes a mirror of it that needs no network:
# FOLDER/mirror, for `file://`. Resolved and checked by apt, from this machine's own mirrors or VITRINE_MIRROR.
set -euo pipefail
folder=$(realpath -m "$1") suite=$2
shift 2
wanted="$suite $*"
[ "$(cat "$folder/wanted" 2>/dev/null)" != "$wanted" ] || exit 0
rm -rf "$folder"
mkdir -p "$folder/apt/lists/partial" "$folder/mirror/pool/partial" "$folder/apt/etc/none"
mirror=${VITRINE_MIRROR:-}
[ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/*$')
# word by word: VITRINE_MIRROR may be a list
for one in $mirror; do
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $one $suite main"
done >"$folder/apt/etc/sources.list"
touch "$folder/apt/status"
options=(-q -o "Dir::State::status=$folder/apt/status" -o "Dir::State::lists=$folder/apt/lists" -o "Dir::Cache=$folder/apt"
  -o "Dir::Cache::archives=$folder/mirror/pool" -o "Dir::Etc::sourcelist=$folder/apt/etc/sources.list" -o "Dir::Etc::sourceparts=$folder/apt/etc/none"
  -o Dir::Etc::preferences=/dev/null -o "Dir::Etc::preferencesparts=$folder/apt/etc/none" -o APT::Architecture=amd64 -o APT::Install-Recommends=false
  -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Acquire::Languages=none)
apt-get "${options[@]}" update >&2
apt-get "${options[@]}" install --yes --download-only '?essential' '?priority(required)' "$@" >&2
cd "$folder/mirror"
rm -rf pool/partial pool/lock
binary=dists/$suite/main/binary-amd64
mkdir -p "$binary"
dpkg-scanpackages --multiversion pool >"$binary/Packages" 2>/dev/null
{
  printf 'Suite: %s\nCodename: %s\nComponents: main\nArchitectures: amd64\nDate: %s\nSHA256:\n' "$suite" "$suite" "$(LC_ALL=C date -Ru)"
  for file in "$binary/Packages"; do
    echo " $(sha256sum <"$file" | cut -d' ' -f1) $(stat -c %s "$file") ${file#dists/"$suite"/}"
  done
} >"dists/$suite/Release"
rm -rf "$folder/apt"
echo "$wanted" >"$folder/wanted"
