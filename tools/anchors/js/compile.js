// Compiles the anchor contract: the artefact that the verifier carries, on standard output.
// node compile.js FILE.sol
const fs = require("fs");
const path = require("path");
const solc = require("solc");

// paris: no instruction that a chain may not have yet. No metadata: the bytes depend on the source's code alone
const settings = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "paris",
  metadata: { appendCBOR: false, bytecodeHash: "none" },
};
const source = process.argv[2];
const name = path.basename(source, ".sol");
const input = {
  language: "Solidity",
  sources: { [`${name}.sol`]: { content: fs.readFileSync(source, "utf8") } },
  settings: { ...settings, outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode", "evm.methodIdentifiers", "storageLayout"] } } },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
for (const problem of output.errors ?? []) console.error(problem.formattedMessage);
if ((output.errors ?? []).length > 0) process.exit(1); // warnings, too
const contract = output.contracts[`${name}.sol`][name];
const runtime = contract.evm.deployedBytecode;
if (Object.keys(runtime.immutableReferences ?? {}).length > 0) throw new Error("the code would differ from place to place");
const artefact = {
  contract: name,
  compiler: `solc ${solc.version()}`,
  settings,
  methods: contract.evm.methodIdentifiers,
  abi: contract.abi,
  bytecode: contract.evm.bytecode.object,
  runtime: runtime.object,
};
process.stdout.write(`${JSON.stringify(artefact, null, 2)}\n`);
if (process.argv.includes("--layout")) console.error(JSON.stringify(contract.storageLayout, null, 1));
