// Driver of @sigstore/verify: a bundle whose log is ours. It is judged as a whole: our checkpoint's signature, our proof of
// inclusion, the entry in the form of sigstore's log, and the envelope's signature. See attest/examples/interop for commands
// and folder; `rekor/{body,proof}` are the entry and its .tlog-proof.
'use strict'

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { dsse } = require('@sigstore/core')
const { PublicKeyDetails } = require('@sigstore/protobuf-specs')
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify')

const TYPE = 'application/vnd.in-toto+json'
// SubjectPublicKeyInfo of an Ed25519 key is this and the key
const spki = (key) => Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key])

function read (folder) {
  const file = (name) => fs.readFileSync(path.join(folder, name))
  const proof = file('rekor/proof').toString()
  const cut = proof.indexOf('\n\n')
  const [, index, ...hashes] = proof.slice(0, cut).split('\n')
  const [name, , typed] = file('keys').toString().split('\n')[0].split(/\+(.{8})\+/)
  const envelope = JSON.parse(file('envelope'))
  return {
    body: file('rekor/body'),
    index: index.replace('index ', ''),
    hashes: hashes.map((hash) => Buffer.from(hash, 'base64')),
    note: Buffer.from(proof.slice(cut + 2)),
    log: { name, typed: Buffer.from(typed, 'base64') },
    payload: Buffer.from(envelope.payload, 'base64'),
    type: envelope.payloadType,
    signature: Buffer.from(envelope.signatures[0].sig, 'base64'),
    key: Buffer.from(file('envelope.key').toString().trim(), 'hex')
  }
}

function verify (thing) {
  const { name, typed } = thing.log
  const id = crypto.createHash('sha256').update(`${name}\n`).update(typed).digest()
  const tlog = {
    baseUrl: `https://${name}`,
    logId: { keyId: id },
    publicKey: { rawBytes: spki(typed.subarray(1)), keyDetails: PublicKeyDetails.PKIX_ED25519 }
  }
  const root = { certificateAuthorities: [], timestampAuthorities: [], ctlogs: [], tlogs: [tlog] }
  const trust = toTrustMaterial(root, { operator: { rawBytes: spki(thing.key) } })
  const entry = {
    logIndex: thing.index,
    logId: { keyId: id },
    kindVersion: { kind: 'dsse', version: '0.0.1' },
    integratedTime: '0',
    inclusionProof: { logIndex: thing.index, hashes: thing.hashes, checkpoint: { envelope: thing.note.toString() } },
    canonicalizedBody: thing.body
  }
  const bundle = {
    content: {
      $case: 'dsseEnvelope',
      dsseEnvelope: { payload: thing.payload, payloadType: thing.type, signatures: [{ sig: thing.signature, keyid: '' }] }
    },
    verificationMaterial: { content: { $case: 'publicKey', publicKey: { hint: 'operator' } }, tlogEntries: [entry] }
  }
  // a key that somebody names needs no proof of time
  new Verifier(trust, { tlogThreshold: 1, timestampThreshold: 0, ctlogThreshold: 0 }).verify(toSignedEntity(bundle))
}

function flipped (data, at) {
  const copy = Buffer.from(data)
  copy[at] ^= 1 << (at % 8)
  return copy
}

function judge (folder) {
  const thing = read(folder)
  verify(thing)
  const bad = [{ type: thing.type + 'x' }, { index: String(Number(thing.index) + 1) }, { hashes: thing.hashes.slice(1) }]
  for (const part of ['payload', 'signature', 'body', 'note']) {
    for (let at = 0; at < thing[part].length; at++) bad.push({ [part]: flipped(thing[part], at), at })
  }
  thing.hashes.forEach((hash, n) => {
    for (let at = 0; at < 32; at++) bad.push({ hashes: thing.hashes.with(n, flipped(hash, at)) })
  })
  let refused = 0
  let taken = 0
  for (const change of bad) {
    try {
      verify({ ...thing, ...change })
    } catch {
      refused++
      continue
    }
    // of another spelling, but the same bytes: Node's base64 reads any character for the padding
    const digits = thing.note.lastIndexOf(' ') + 1
    const bytes = (note) => Buffer.from(note.subarray(digits).toString(), 'base64')
    if (!change.note || change.at < digits || !bytes(change.note).equals(bytes(thing.note))) {
      throw new Error(`the bundle holds with ${Object.keys(change)[0]} spoilt at ${change.at}`)
    }
    taken++
  }
  return `1 bundle: checkpoint, inclusion, entry, envelope; ${refused} spoilt refused, ${taken} in the padding of base64 taken`
}

// An envelope over what @sigstore/core says that has to be signed
function write (folder) {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519')
  const payload = Buffer.from('{"by":"@sigstore/core"}')
  const sig = crypto.sign(null, dsse.preAuthEncoding(TYPE, payload), privateKey)
  const signatures = [{ keyid: '', sig: sig.toString('base64') }]
  const envelope = { payload: payload.toString('base64'), payloadType: TYPE, signatures }
  fs.writeFileSync(path.join(folder, 'envelope'), JSON.stringify(envelope))
  const key = publicKey.export({ format: 'der', type: 'spki' }).subarray(12)
  fs.writeFileSync(path.join(folder, 'envelope.key'), key.toString('hex'))
  return 'written'
}

const commands = { 'judge dsse': judge, write }
const command = commands[process.argv.slice(2, -1).join(' ')]
if (!command) {
  console.error('unknown arguments')
  process.exit(2)
}
try {
  console.log(command(process.argv.at(-1)))
} catch (error) {
  console.error(`${error.code ?? error.name}: ${error.message}`)
  process.exit(error.code === 'ENOENT' ? 2 : 1)
}
