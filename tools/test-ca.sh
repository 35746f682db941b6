#!/usr/bin/env bash
# test-ca.sh FOLDER: a CA and the certificate of the gateway's upstream for the VM tests. Made once.
set -euo pipefail
folder=$1
mkdir -p "$folder"
cd "$folder"
key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null; }
key > ca.key
openssl req -x509 -new -key ca.key -subj "/CN=Vitrine test CA" -days 3650 -out ca.pem \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
key > upstream.key
openssl req -new -key upstream.key -subj "/CN=api.vitrine" -out upstream.csr
openssl x509 -req -in upstream.csr -CA ca.pem -CAkey ca.key -days 3650 -out upstream.pem \
  -extfile <(echo "subjectAltName=DNS:api.vitrine,DNS:silent.vitrine") 2>/dev/null
openssl x509 -in ca.pem -outform DER | base64 -w0 > ca.der.base64.new
# the last file says that all others are there
mv ca.der.base64.new ca.der.base64
