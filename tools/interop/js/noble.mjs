// Driver of @noble/post-quantum: cosignatures of type 0x06 (ML-DSA-44) on checkpoints. What is signed is put together here, from the
// text of tlog-cosignature; key generation, signing and judging are the peer's. `ml-dsa/{keys,notes/*,seeds}` of the folder are
// judged: each note by all keys, the first witness's line without chance (so that it has to be the very same bytes), the second one's
// with it.
import crypto from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { ml_dsa44 as scheme } from '@noble/post-quantum/ml-dsa.js'

const ORIGIN = 'noble.example/log'
const DASH = '\u2014 '
const spki = (key) => Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key])

function number (value) {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

const text = (string) => Buffer.concat([Buffer.from([Buffer.byteLength(string)]), Buffer.from(string)])

function cosignedMessage (name, time, body) {
  const [origin, size, root, end, ...more] = body.split('\n')
  if (end !== '' || more.length) throw new Error('a checkpoint of three lines')
  const label = Buffer.from('subtree/v1\n\0')
  return Buffer.concat([label, text(name), time, text(origin), number(0), number(size), Buffer.from(root, 'base64')])
}

const keyId = (name, typed) => crypto.createHash('sha256').update(`${name}\n`).update(typed).digest().subarray(0, 4)

function readKey (line) {
  const [, name, id, digits] = line.match(/^([^+]*)\+([0-9a-f]{8})\+(.*)$/)
  const typed = Buffer.from(digits, 'base64')
  if (keyId(name, typed).toString('hex') !== id) throw new Error(`the id of ${name} is not its key's`)
  return { name, type: typed[0], key: typed.subarray(1), id }
}

function readNote (bytes) {
  const cut = bytes.lastIndexOf('\n\n')
  const lines = bytes.subarray(cut + 2).toString().trimEnd().split('\n').map((line) => {
    const [, name, digits] = line.match(/^\u2014 (\S+) (\S+)$/)
    return { name, bytes: Buffer.from(digits, 'base64') }
  })
  return { body: bytes.subarray(0, cut + 1).toString(), lines }
}

// The key that holds, or an error; `bytes` is key id and signature
function holds ({ name, bytes }, body, keys) {
  const key = keys.find((key) => key.name === name && key.id === bytes.subarray(0, 4).toString('hex'))
  if (!key) throw new Error(`nobody's: ${name}`)
  const rest = bytes.subarray(4)
  const good = key.type === 1
    ? crypto.verify(null, Buffer.from(body), { key: spki(key.key), format: 'der', type: 'spki' }, rest)
    : key.type === 6 && scheme.verify(rest.subarray(8), cosignedMessage(name, rest.subarray(0, 8), body), key.key)
  if (!good) throw new Error(`the signature of ${name} does not hold`)
  return key
}

function judge (folder) {
  const file = (name) => fs.readFileSync(path.join(folder, 'ml-dsa', name))
  const keys = file('keys').toString().trimEnd().split('\n').map(readKey)
  const [seed] = file('seeds').toString().split('\n').map((line) => Buffer.from(line, 'hex'))
  const ours = scheme.keygen(seed)
  if (!Buffer.from(ours.publicKey).equals(keys[1].key)) throw new Error('another key of this seed')
  const names = fs.readdirSync(path.join(folder, 'ml-dsa/notes'))
  let lines = 0
  let spoilt = 0
  for (const [n, name] of names.entries()) {
    const note = readNote(file(`notes/${name}`))
    const signers = note.lines.map((line) => holds(line, note.body, keys))
    if (signers.length !== keys.length || new Set(signers).size !== keys.length) throw new Error(`${name}: not by all keys`)
    lines += signers.length
    const own = note.lines[1].bytes.subarray(4)
    const message = cosignedMessage(keys[1].name, own.subarray(0, 8), note.body)
    const same = scheme.sign(message, ours.secretKey, { extraEntropy: false })
    if (!Buffer.from(same).equals(own.subarray(8))) throw new Error(`${name}: signed without chance it is another signature`)
    for (const line of note.lines.slice(1)) {
      // every byte of one note, every 100th of the others
      for (let at = 4; at < line.bytes.length; at += n ? 100 : 1) {
        const bytes = Buffer.from(line.bytes)
        bytes[at] ^= 1 << (at % 8)
        try {
          holds({ ...line, bytes }, note.body, keys)
        } catch {
          spoilt++
          continue
        }
        throw new Error(`${name}: holds with byte ${at} spoilt`)
      }
    }
  }
  return `${names.length} notes, ${lines} signatures, ${names.length} of them made again; ${spoilt} spoilt refused`
}

function write (folder) {
  const log = crypto.generateKeyPairSync('ed25519')
  const logKey = log.publicKey.export({ format: 'der', type: 'spki' }).subarray(12)
  const witnesses = ['noble.example/w1', 'noble.example/w2'].map((name) => ({ name, ...scheme.keygen(crypto.randomBytes(32)) }))
  const typed = (type, key) => Buffer.concat([Buffer.from([type]), Buffer.from(key)])
  const keyLine = (name, typed) => `${name}+${keyId(name, typed).toString('hex')}+${typed.toString('base64')}\n`
  const keys = [keyLine(ORIGIN, typed(1, logKey)), ...witnesses.map((w) => keyLine(w.name, typed(6, w.publicKey)))]
  fs.writeFileSync(path.join(folder, 'keys'), keys.join(''))
  fs.mkdirSync(path.join(folder, 'notes'), { recursive: true })
  const line = (name, typed, bytes) => `${DASH}${name} ${Buffer.concat([keyId(name, typed), bytes]).toString('base64')}\n`
  for (const size of [0, 1, 255, 1482, 2n ** 40n]) {
    const body = `${ORIGIN}\n${size}\n${crypto.createHash('sha256').update(`${size}`).digest('base64')}\n`
    let note = `${body}\n${line(ORIGIN, typed(1, logKey), crypto.sign(null, Buffer.from(body), log.privateKey))}`
    for (const [n, { name, publicKey, secretKey }] of witnesses.entries()) {
      const time = number(1763600000 + n)
      const message = cosignedMessage(name, time, body)
      const signature = scheme.sign(message, secretKey, n ? {} : { extraEntropy: false })
      note += line(name, typed(6, publicKey), Buffer.concat([time, Buffer.from(signature)]))
    }
    fs.writeFileSync(path.join(folder, 'notes', `${size}`), note)
  }
  return 'written'
}

const commands = { 'judge notes': judge, write }
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
