#!/usr/bin/env node
// Sends JSON to an API behind a gateway that was checked, and prints the answer as it comes.
//
//     vitrine-verify proxy --to https://203.0.113.7 --policy policy.toml --ek-roots tpm-ca.pem &
//     API_KEY=… node client.mjs http://127.0.0.1:8788/v1/chat/completions '{"stream":true}'
//
// Node 18 or newer, nothing else. The proxy is on this machine, so plain HTTP to it leaves nothing open; it passes
// the request on over TLS with the key that the server's TPM has vouched for, or answers 502 and sends nothing.

import { once } from "node:events";
import process from "node:process";

const [url, body] = process.argv.slice(2);
if (url === undefined || body === undefined) {
  console.error("usage: client.mjs http://127.0.0.1:8788/PATH JSON");
  process.exit(2);
}

const headers = { "Content-Type": "application/json", Accept: "text/event-stream" };
if (process.env.API_KEY) headers.Authorization = `Bearer ${process.env.API_KEY}`;

const answer = await fetch(url, { method: "POST", body, headers, redirect: "manual" });
if (!answer.ok) {
  console.error(`${answer.status}: ${await answer.text()}`);
  process.exit(1);
}
try {
  for await (const piece of answer.body) {
    if (!process.stdout.write(piece)) await once(process.stdout, "drain");
  }
} catch {
  console.error("the answer broke off");
  process.exitCode = 1;
}
