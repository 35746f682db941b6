# For the scripts of this folder: contestants take turns, so that other work on the machine tells on all of them.
# Wants $work, a scratch folder, and $rounds.

row() { printf '| %-58s | %-62s |\n' "$1" "$2"; }
say() { echo "bench: $*" >&2; }

# race NAME=COMMAND…: each command once a round, by turns; clock, processor time and memory are kept in $work/race/NAME.
# Before each run `prepare NAME` is called, if there is such a function.
race() {
  local round entry name
  rm -rf "$work/race"
  mkdir -p "$work/race"
  for round in $(seq "$rounds"); do
    for entry in "$@"; do
      name=${entry%%=*}
      ! declare -F prepare >/dev/null || prepare "$name"
      say "round $round of $rounds: $name"
      /usr/bin/time -f '%e %U %S %M' -o "$work/time" bash -c "${entry#*=}" >"$work/out" 2>"$work/err" ||
        { tail -n 30 "$work/err" "$work/out" >&2; return 1; }
      tail -n 1 "$work/time" | LC_ALL=C awk '{print $1, $2 + $3, $4}' >>"$work/race/$name"
    done
  done
}

# The middle one of a column: median NAME COLUMN
median() { cut -d' ' -f"$2" "$work/race/$1" | LC_ALL=C sort -n | sed -n "$(((rounds + 1) / 2))p"; }

# shown NAME: "1.23 s, CPU 2.34 s, 56 MiB"
shown() {
  LC_ALL=C awk -v e="$(median "$1" 1)" -v c="$(median "$1" 2)" -v m="$(median "$1" 3)" \
    'BEGIN {printf "%.2f s, CPU %.2f s, %d MiB", e, c, m / 1024}'
}

# times OURS PEER: ours as a multiple of the peer's, by the clock and by processor time
times() {
  LC_ALL=C awk -v a="$(median "$1" 1)" -v b="$(median "$2" 1)" -v c="$(median "$1" 2)" -v d="$(median "$2" 2)" \
    'BEGIN {printf "ours %.3f× its clock, %.3f× its CPU", a / b, c / d}'
}

machine() {
  echo "machine: $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg), $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo), $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs)"
}
