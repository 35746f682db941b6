// The anchor contract on a local chain: node chain.js WORK VITRINE-VERIFY ARTEFACT
// WORK: an empty folder. Prints a line for each thing that held, writes WORK/gas.md, and ends with 1 at the first that did not.
const assert = require("node:assert");
const { execFileSync, spawn, spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { keccak256 } = require("js-sha3");

const [work, verify, artefactFile] = process.argv.slice(2);
const artefact = JSON.parse(fs.readFileSync(artefactFile, "utf8"));
const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 300, 511, 512, 513, 700, 1000, 1023, 1024, 1025];
const file = (name) => path.join(work, name);
const ours = (...args) => execFileSync(verify, args, { encoding: "utf8" }).trim();
const selector = (text) => `0x${keccak256(text).slice(0, 8)}`;
const word = (value) => BigInt(value).toString(16).padStart(64, "0");
const words = (hex) => hex.slice(hex.length % 64).match(/.{64}/g).map((w) => BigInt(`0x${w}`));
const ERRORS = ["OtherHead(uint64)", "Rollback(uint64)", "Split(uint64)", "NothingNew(uint64)", "Inconsistent()"];

let url;
let asked = 0;
async function rpc(method, ...params) {
  return rpcText(JSON.stringify({ jsonrpc: "2.0", id: ++asked, method, params }));
}
async function rpcText(body) {
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  const text = await answer.text();
  const { result, error } = JSON.parse(text);
  if (error) throw Object.assign(new Error(`${body.slice(0, 80)}: ${error.message}`), { data: error.data });
  return { result, text };
}
const ask = async (...args) => (await rpc(...args)).result;

async function send(from, to, data) {
  const hash = await ask("eth_sendTransaction", { from, to, data, gas: "0x1e8480" });
  for (let wait = 0; wait < 200; wait++) {
    const receipt = await ask("eth_getTransactionReceipt", hash);
    if (receipt) return receipt;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("a transaction was not taken into a block");
}
// The error that a call reverts with, or "taken"
async function outcome(from, to, data, state) {
  try {
    await ask("eth_call", { from, to, data, gas: "0x1e8480" }, "latest", ...(state ? [state] : []));
    return "taken";
  } catch (error) {
    assert.ok(typeof error.data === "string", error.message);
    return ERRORS.find((text) => error.data.startsWith(selector(text)))?.split("(")[0] ?? `reverted with ${error.data}`;
  }
}

// A log that grows, and its checkpoints at all sizes
function grow(name, entry) {
  const checkpoints = new Map();
  let size = 0;
  ours("log", "init", file(name), "--origin", "log.example/anchored");
  for (const next of SIZES) {
    fs.writeFileSync(file("lines"), Array.from({ length: next - size }, (_, n) => `${entry(size + n)}\n`).join(""));
    ours("log", "append", file(name), "--lines", file("lines"));
    fs.copyFileSync(file(`${name}/public/checkpoint`), file(`${name}-${next}`));
    checkpoints.set(next, file(`${name}-${next}`));
    size = next;
  }
  return checkpoints;
}
const call = (log, checkpoint, old) => ours("anchor", "evm-call", checkpoint, "--log", file(log), "--old", String(old));
// The parts of a call of `anchor`, and a call of other parts
const parts = (data) => {
  const [origin, old, size, root, , , ...proof] = words(data.slice(10)).map((w) => word(w));
  return { origin, old, size, root, proof };
};
const built = ({ origin, old, size, root, proof }) =>
  `${selector("anchor(bytes32,uint64,uint64,bytes32,bytes32[])")}${origin}${old}${size}${root}${word(160)}${word(proof.length)}${proof.join("")}`;
const flipped = (hex) => word(BigInt(`0x${hex}`) ^ 1n);

async function chain() {
  const binary = path.join(__dirname, "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
  const child = spawn(binary, ["--port", "0", "--hardfork", process.env.ANCHORS_HARDFORK ?? "prague"], { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill());
  url = await new Promise((resolve, reject) => {
    let told = "";
    child.stdout.on("data", (data) => {
      if (told.length < 65536) told += data;
      const found = told.match(/Listening on (127\.0\.0\.1:\d+)/);
      if (found) resolve(`http://${found[1]}`);
    });
    child.on("error", reject);
    child.on("exit", () => reject(new Error("the local chain did not start")));
  });
}

// ANCHORS_CONTROL: a contract with a mistake is tested, whose code the verifier does not take: only the contract is judged
const control = process.env.ANCHORS_CONTROL === "1";
let checks = 0;
function judge(expected, args, why) {
  if (control) return "anchored no head, not that of the anchor contract";
  const done = spawnSync(verify, ["anchor", "evm-check", ...args], { encoding: "utf8" });
  assert.strictEqual(done.status, expected, `${why}: exit code ${done.status}: ${done.stdout}${done.stderr}`);
  checks += 1;
  return done.stdout + done.stderr;
}

// A log of any size whose leaves are all the same, so that a tree depends on its size alone: for the gas of large logs
const trees = new Map([[1, createHash("sha256").update(Buffer.from([0])).digest("hex")]]);
const left = (n) => 2 ** Math.floor(Math.log2(n - 1));
function tree(n) {
  if (!trees.has(n)) trees.set(n, createHash("sha256").update(Buffer.from(`01${tree(left(n))}${tree(n - left(n))}`, "hex")).digest("hex"));
  return trees.get(n);
}
// RFC 9162, 2.1.4.1
function treeProof(m, n, whole) {
  if (m === n) return whole ? [] : [tree(n)];
  const k = left(n);
  return m <= k ? [...treeProof(m, k, whole), tree(n - k)] : [...treeProof(m - k, n - k, false), tree(k)];
}

async function main() {
  await chain();
  const accounts = await ask("eth_accounts");
  const [publisher, stranger] = accounts;
  const log = grow("log", (n) => `entry ${n}`);
  // the same up to entry 511, another from there on: a split view
  const split = grow("split", (n) => (n < 511 ? `entry ${n}` : `other ${n}`));
  console.log(`two logs of ${SIZES.length} sizes up to ${SIZES.at(-1)}, the same up to 511`);

  if (!control) assert.strictEqual(ours("anchor", "evm-deploy"), `0x${artefact.bytecode}`);
  const deployed = await send(publisher, undefined, `0x${artefact.bytecode}`);
  assert.strictEqual(deployed.status, "0x1");
  const contract = deployed.contractAddress;
  assert.strictEqual(await ask("eth_getCode", contract, "latest"), `0x${artefact.runtime}`);
  console.log(`deployed: ${Number(deployed.gasUsed)} gas`);

  // evm-check as of the newest block, with the answers to evm-query
  const question = (checkpoint, by, block, at = contract) => ["anchor", "evm-query", checkpoint, "--contract", at, "--publisher", by, "--block-hash", block];
  async function answers(checkpoint, name, { by = publisher, at = contract } = {}) {
    const block = (await ask("eth_getBlockByNumber", "latest", false)).hash;
    const [header, proof] = ours(...question(checkpoint, by, block, at).map(String)).split("\n");
    fs.writeFileSync(file(`${name}.header`), (await rpcText(header)).text);
    fs.writeFileSync(file(`${name}.proof`), (await rpcText(proof)).text);
    return [checkpoint, "--contract", at, "--publisher", by, "--block-hash", block, "--header", file(`${name}.header`), "--proof", file(`${name}.proof`)];
  }
  const first = await answers(log.get(1), "empty");
  assert.match(judge(1, first, "nothing is anchored"), /anchored no head/);

  // growth: each head from the one before, and each checked
  const gas = [];
  const heads = async (by, origin) => words((await ask("eth_call", { to: contract, data: `${selector("heads(address,bytes32)")}${word(by)}${origin}` }, "latest")).slice(2));
  let old = 0;
  let last;
  for (const [size, checkpoint] of log) {
    const data = call("log", checkpoint, old);
    const { origin, root, proof } = parts(data);
    assert.strictEqual(origin, keccak256("log.example/anchored"));
    const receipt = await send(publisher, contract, data);
    assert.strictEqual(receipt.status, "0x1", `${old} to ${size}`);
    assert.deepStrictEqual(receipt.logs[0].topics, [`0x${keccak256("Anchored(address,bytes32,uint64,bytes32)")}`, `0x${word(publisher)}`, `0x${origin}`]);
    assert.strictEqual(receipt.logs[0].data, `0x${word(size)}${root}`);
    const [anchored, time, now] = await heads(publisher, origin);
    assert.deepStrictEqual([anchored, word(now)], [BigInt(size), root]);
    assert.strictEqual(time, BigInt((await ask("eth_getBlockByHash", receipt.blockHash, false)).timestamp));
    gas.push([old, size, proof.length, Number(receipt.gasUsed)]);
    last = await answers(checkpoint, `at-${size}`);
    judge(0, [...last, "--key", file("log/log.pub")], `head of ${size}`);
    old = size;
  }
  console.log(`growth: ${log.size} heads anchored and checked offline`);

  // every step between two sizes, from a head that is put into storage; and each with one bit of its proof or its root flipped
  const slots = JSON.parse(ours(...question(log.get(1), stranger, `0x${word(0)}`)).split("\n")[1]).params[1];
  let steps = 0;
  for (const [from, smaller] of log) {
    const root = parts(call("log", smaller, 0)).root;
    const at = (head) => ({ [contract]: { stateDiff: { [slots[0]]: `0x${word(from)}`, [slots[1]]: `0x${head}` } } });
    const [state, elsewhere] = [at(root), at(flipped(root))];
    for (const [to, larger] of log) {
      if (to <= from) continue;
      const good = call("log", larger, from);
      assert.strictEqual(await outcome(stranger, contract, good, state), "taken", `${from} to ${to}`);
      const p = parts(good);
      const one = (from + to) % p.proof.length;
      for (const bad of [
        { ...p, proof: p.proof.map((hash, n) => (n === one ? flipped(hash) : hash)) },
        { ...p, proof: p.proof.slice(1) },
        { ...p, proof: p.proof.slice(0, -1) },
        { ...p, proof: [...p.proof, p.proof[0]] },
        { ...p, root: flipped(p.root) },
      ]) {
        assert.strictEqual(await outcome(stranger, contract, built(bad), state), "Inconsistent", `${from} to ${to}, forged`);
      }
      assert.strictEqual(await outcome(stranger, contract, good, elsewhere), "Inconsistent", `${from} to ${to}, forged: from another head`);
      steps += 1;
    }
  }
  console.log(`${steps} steps between sizes taken, ${6 * steps} forged ones reverted`);

  // what the contract must not take, sent as transactions, too
  const newest = call("log", log.get(1025), 1024);
  const p = parts(newest);
  const refused = [
    ["the same head again", "NothingNew", { ...p, old: word(1025), proof: [] }],
    ["a split root of the same size", "Split", { ...parts(call("split", split.get(1025), 1024)), old: word(1025), proof: [] }],
    ["a rollback", "Rollback", parts(call("log", log.get(1000), 700))],
    ["a rollback to nothing", "Rollback", { ...p, old: word(0), size: word(0), proof: [] }],
    ["a larger tree without a proof", "Inconsistent", { ...p, old: word(1025), size: word(1026), proof: [] }],
    ["a larger tree with the last proof", "Inconsistent", { ...p, old: word(1025), size: word(2000) }],
    ["a first head over one that is there", "OtherHead", { ...p, old: word(0), size: word(2000), proof: [] }],
    ["a step from an older head", "OtherHead", { ...p, old: word(1024), size: word(2000) }],
  ];
  const before = await heads(publisher, p.origin);
  for (const [what, error, bad] of refused) {
    assert.strictEqual(await outcome(publisher, contract, built(bad)), error, what);
    assert.strictEqual((await send(publisher, contract, built(bad))).status, "0x0", what);
  }
  assert.deepStrictEqual(await heads(publisher, p.origin), before);
  // a stranger's heads are the stranger's: an empty one, one with a proof of nothing, and then a split view of their own
  assert.strictEqual(await outcome(stranger, contract, built({ ...p, old: word(0), size: word(0), proof: [] })), "NothingNew");
  assert.strictEqual(await outcome(stranger, contract, built({ ...p, old: word(0) })), "Inconsistent");
  assert.strictEqual(await outcome(stranger, contract, newest), "OtherHead");
  assert.strictEqual((await send(stranger, contract, call("split", split.get(512), 0))).status, "0x1");
  assert.strictEqual((await send(stranger, contract, call("split", split.get(1025), 512))).status, "0x1");
  assert.deepStrictEqual(await heads(publisher, p.origin), before);
  // a log that shows another tree from 512 on cannot go on where the first one was anchored
  const third = accounts[2];
  assert.strictEqual((await send(third, contract, call("log", log.get(511), 0))).status, "0x1");
  assert.strictEqual(await outcome(third, contract, call("split", split.get(513), 511)), "taken");
  assert.strictEqual((await send(third, contract, call("log", log.get(512), 511))).status, "0x1");
  assert.strictEqual(await outcome(third, contract, call("split", split.get(513), 512)), "Inconsistent");
  console.log(`${refused.length + 4} calls reverted, each with its own error; a stranger changed nothing`);

  // the offline check refuses what is not so
  const now = await answers(log.get(1025), "now");
  judge(0, now, "an older anchor as of the newest block");
  const withOption = (args, option, value) => args.map((arg, n) => (args[n - 1] === option ? value : arg));
  const instead = (checkpoint) => [checkpoint, ...now.slice(1)];
  judge(1, instead(log.get(1024)), "an older checkpoint");
  judge(0, [...instead(log.get(1024)), "--log", file("log")], "an older checkpoint that the head continues");
  judge(0, [...instead(log.get(1)), "--log", file("log")], "the first checkpoint");
  judge(1, [...instead(split.get(1024)), "--log", file("log")], "an older checkpoint of the split view");
  judge(1, [...instead(split.get(1024)), "--log", file("split")], "the same with the split view's log");
  judge(1, instead(split.get(1025)), "the split view");
  judge(1, [...now, "--key", file("split/log.pub")], "another key");
  judge(1, withOption(now, "--publisher", stranger), "another publisher");
  judge(1, withOption(now, "--contract", third), "another account");
  judge(1, withOption(now, "--block-hash", last[last.indexOf("--block-hash") + 1]), "another block");
  judge(1, withOption(now, "--header", file("at-1025.header")), "an older header");
  judge(1, withOption(now, "--proof", file("at-1024.proof")), "an older proof");
  judge(1, withOption(now, "--proof", file("now.header")), "no proof");
  judge(1, withOption(now, "--header", file("now.proof")), "no header");
  judge(0, await answers(split.get(1025), "strangers", { by: stranger }), "the stranger's own head");
  // every node of the proof, one digit changed; what is beside the nodes may say anything
  const proof = JSON.parse(fs.readFileSync(file("now.proof"), "utf8"));
  const lists = (p) => [p.result.accountProof, ...p.result.storageProof.map((slot) => slot.proof)];
  lists(proof).forEach((list, which) => list.forEach((node, n) => {
    const bad = structuredClone(proof);
    const at = 2 + ((which * 31 + n * 17) % (node.length - 2));
    lists(bad)[which][n] = node.slice(0, at) + (node[at] === "0" ? "1" : "0") + node.slice(at + 1);
    fs.writeFileSync(file("bad.proof"), JSON.stringify(bad));
    judge(1, withOption(now, "--proof", file("bad.proof")), `node ${n} of path ${which}`);
  }));
  const lying = structuredClone(proof);
  Object.assign(lying.result, { balance: "0x1", codeHash: `0x${word(1)}`, storageHash: `0x${word(2)}` });
  lying.result.storageProof.forEach((slot) => (slot.value = "0x7"));
  fs.writeFileSync(file("lying.proof"), JSON.stringify(lying));
  judge(0, withOption(now, "--proof", file("lying.proof")), "values beside the nodes");
  // another contract, with one byte more at its end, says the same
  const imitation = accounts[9];
  await ask("anvil_setCode", imitation, `0x${artefact.runtime}00`);
  assert.strictEqual((await send(publisher, imitation, call("log", log.get(1025), 0))).status, "0x1");
  assert.match(judge(1, await answers(log.get(1025), "imitation", { at: imitation }), "an imitation"), /not that of the anchor contract/);
  console.log(`${checks} offline checks judged as expected`);

  old = 0;
  for (const size of [524287, 1000000, 1000001, 1000100, 1048575, 1048576, 1048577]) {
    const proof = old ? treeProof(old, size, true) : [];
    const receipt = await send(accounts[3], contract, built({ origin: p.origin, old: word(old), size: word(size), root: tree(size), proof }));
    assert.strictEqual(receipt.status, "0x1", `${old} to ${size}`);
    gas.push([old, size, proof.length, Number(receipt.gasUsed)]);
    old = size;
  }
  console.log(`gas of a log of ${old} entries measured`);

  const vectors = process.env.ANCHORS_VECTORS;
  if (vectors) {
    const keep = (from, to) => fs.copyFileSync(file(from), path.join(vectors, to));
    for (const [from, to] of [["log-1025", "checkpoint"], ["log-1024", "older"], ["split-1025", "split"], ["log/log.pub", "log.pub"], ["now.header", "header.json"], ["now.proof", "proof.json"]]) keep(from, to);
    fs.writeFileSync(path.join(vectors, "place"), `${now.slice(1, 7).join(" ")}\n`);
  }

  const table = ["| step | hashes in the proof | gas |", "| --- | --- | --- |", `| deploy (${artefact.runtime.length / 2} bytes of code) | | ${Number(deployed.gasUsed)} |`];
  for (const [from, to, hashes, used] of gas) table.push(`| ${from} to ${to} | ${hashes} | ${used} |`);
  fs.writeFileSync(file("gas.md"), `${table.join("\n")}\n`);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
