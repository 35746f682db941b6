#!/usr/bin/env bash
# uki.sh STUB KERNEL INITRD CMDLINE OUT: a unified kernel image, put together with objcopy. Sections follow the stub's own.
set -euo pipefail
stub=$1 kernel=$2 initrd=$3 cmdline=$4 out=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%s' "$cmdline" >"$work/cmdline"
printf 'ID=debian\nVERSION_ID=13\nPRETTY_NAME="Debian, for the benchmark"\n' >"$work/osrel"
align=$((16#$(objdump -p "$stub" | awk '$1 == "SectionAlignment" {print $2}')))
at=0
while read -r size vma; do
  end=$((16#$size + 16#$vma))
  [ "$end" -le "$at" ] || at=$end
done < <(objdump -h "$stub" | awk '$1 ~ /^[0-9]+$/ {print $3, $4}')
sections=()
add() {
  at=$(((at + align - 1) / align * align))
  sections+=(--add-section "$1=$2" --change-section-vma "$1=$at" --set-section-flags "$1=data,readonly")
  at=$((at + $(stat -L -c %s "$2")))
}
add .osrel "$work/osrel"
add .cmdline "$work/cmdline"
add .linux "$kernel"
add .initrd "$initrd"
objcopy "${sections[@]}" "$stub" "$out"
