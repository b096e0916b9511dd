// Commits, docs/formats/commit.md: the body, and the signed chain of one device's commits.
import { createHash, createPublicKey, verify } from "node:crypto";
import { byCodePoint, Float, isInteger, pack, Refused, unpack } from "./msgpack.mjs";

const MAX_BYTES = 256 * 1024;
const MAX_FIELDS = 2000;
const MAX_VALUE_DEPTH = 6;
const NAMES = ["format", "device", "seq", "stamp", "author", "type", "form", "record", "note", "fields", "context"];
export const MAX_COUNT = 2n ** 63n;

export function sha256(...parts) {
  const hash = createHash("sha256");
  parts.forEach((part) => hash.update(part));
  return hash.digest();
}

function need(holds, why) {
  if (!holds) throw new Refused("bad_frame", `commit: ${why}`);
}

export function isId(value) {
  return Buffer.isBuffer(value) && value.length === 16;
}

function isCount(value, least = 0) {
  return isInteger(value) && value >= least && value < MAX_COUNT;
}

function rising(list, compare) {
  return list.every((item, n) => n === 0 || compare(list[n - 1], item) < 0);
}

/** Refuse a value that no register may have. */
export function checkValue(value, depth = 0) {
  need(!(value instanceof Float) || Number.isFinite(value.value), "NaN or infinity");
  need(!Buffer.isBuffer(value), "bytes as a value");
  if (Array.isArray(value) || value instanceof Map) {
    need(depth < MAX_VALUE_DEPTH, "a value nested too deep");
    for (const item of value.values()) checkValue(item, depth + 1);
  }
}

// Names and pairs out of order are illegal_value to a server, which keeps the commit; they do not make it unreadable.
function checkContext(context, fields) {
  need(Array.isArray(context), "context");
  for (const group of context) {
    need(Array.isArray(group) && group.length === 2 && group.every(Array.isArray), "a group of names and pairs");
    const [names, pairs] = group;
    need(names.every((name) => fields.has(name)), "names of the commit's fields");
    need(pairs.every((pair) => Array.isArray(pair) && pair.length === 2 && isId(pair[0]) && isCount(pair[1], 1)), "pairs");
  }
}

/** A commit's items; what is not the canonical form of a commit is refused. */
export function readCommit(bytes) {
  if (bytes.length > MAX_BYTES) throw new Refused("too_large", "a commit beyond 256 KiB");
  const items = unpack(bytes);
  need(Array.isArray(items) && items.length === NAMES.length, "an array of eleven");
  const commit = Object.fromEntries(NAMES.map((name, n) => [name, items[n]]));
  checkCommit(commit);
  need(pack(items).equals(bytes), "not in canonical form");
  return commit;
}

/** Refuse a commit whose items are of other types or beyond the limits. */
export function checkCommit(commit) {
  need(isInteger(commit.format) && commit.format > 0, "format");
  if (commit.format > 1) throw new Refused("bad_version", `a commit of format ${commit.format}`);
  need(isId(commit.device) && isId(commit.record), "ids of 16 bytes");
  need(isCount(commit.seq, 1) && isCount(commit.stamp), "seq and stamp");
  need(typeof commit.author === "string" && typeof commit.type === "string", "author and type");
  need(isInteger(commit.form) && (commit.note === null || typeof commit.note === "string"), "form and note");
  need(commit.fields instanceof Map && commit.fields.size <= MAX_FIELDS, "a map of fields");
  need(rising([...commit.fields.keys()], byCodePoint), "fields in order");
  for (const value of commit.fields.values()) {
    checkValue(value);
    need(!Array.isArray(value) || value.every((item) => typeof item === "string"), "a list of other values than texts");
  }
  checkContext(commit.context, commit.fields);
}

/** A commit's canonical bytes, from its items. */
export function commitBytes(commit) {
  return pack(NAMES.map((name) => commit[name]));
}

/** The id of the device that has this Ed25519 public key. */
export function deviceOf(key) {
  return sha256("fieldsync device 1", key).subarray(0, 16);
}

/** Where a device's chain stands before its first commit. */
export function chainStart(device) {
  return sha256("fieldsync chain 1", device);
}

export function chainAfter(chain, body) {
  return sha256("fieldsync chain 1", chain, sha256(body));
}

/** Whether `signature` is that of an Ed25519 public key of 32 bytes. */
export function isSigned(key, message, signature) {
  if (signature.length !== 64 || key.length !== 32) return false;
  const jwk = { kty: "OKP", crv: "Ed25519", x: key.toString("base64url") };
  return verify(null, message, createPublicKey({ key: jwk, format: "jwk" }), signature);
}

/** Whether a device's seal vouches for its commits up to `seq`, after which its chain stands at `chain`. */
export function isSealed(key, device, seq, chain, seal) {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(seq));
  return isSigned(key, Buffer.concat([Buffer.from("fieldsync seal 1"), device, number, chain]), seal);
}
