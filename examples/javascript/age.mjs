// age files with X25519 recipients, https://age-encryption.org/v1; which bundles are: docs/formats/bundle.md.
import {
  createDecipheriv, createHmac, createPrivateKey, createPublicKey, diffieHellman, hkdfSync, timingSafeEqual,
} from "node:crypto";
import { Refused } from "./msgpack.mjs";

const BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATORS = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHUNK = 64 * 1024;
const TAG = 16;
const PKCS8_X25519 = Buffer.from("302e020100300506032b656e04220420", "hex");
const SPKI_X25519 = Buffer.from("302a300506032b656e032100", "hex");

function need(holds, why) {
  if (!holds) throw new Refused("bad_bundle", `age: ${why}`);
}

function polymod(values) {
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    GENERATORS.forEach((generator, bit) => { if ((top >> bit) & 1) sum ^= generator; });
  }
  return sum >>> 0;
}

/** The 32 private bytes of `AGE-SECRET-KEY-1…` (Bech32). */
function identityBytes(identity) {
  const text = identity.trim().toLowerCase();
  const split = text.lastIndexOf("1");
  const prefix = text.slice(0, split);
  const digits = [...text.slice(split + 1)].map((sign) => BECH32.indexOf(sign));
  const high = [...prefix].map((sign) => sign.charCodeAt(0) >> 5);
  const low = [...prefix].map((sign) => sign.charCodeAt(0) & 31);
  const sound = prefix === "age-secret-key-" && digits.every((digit) => digit >= 0) && digits.length === 58;
  if (!sound || polymod([...high, 0, ...low, ...digits]) !== 1) throw new Error("not an age identity");
  let bits = 0n;
  for (const digit of digits.slice(0, -6)) bits = (bits << 5n) | BigInt(digit);
  return Buffer.from((bits >> 4n).toString(16).padStart(64, "0"), "hex"); // 52 digits are 260 bits: 4 are padding
}

function open(key, nonce, sealed, why) {
  need(sealed.length >= TAG, why);
  const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG });
  decipher.setAuthTag(sealed.subarray(-TAG));
  const plain = decipher.update(sealed.subarray(0, -TAG));
  try {
    decipher.final();
  } catch {
    throw new Refused("bad_bundle", `age: ${why}`);
  }
  return plain;
}

function derive(secret, salt, info) {
  return Buffer.from(hkdfSync("sha256", secret, salt, info, 32));
}

function unpadded(text) {
  const bytes = Buffer.from(text, "base64");
  need(bytes.toString("base64").replace(/=+$/, "") === text, "base64");
  return bytes;
}

/** The header: stanzas `{words, body}`, what its MAC is over, the MAC, and where the payload begins. */
function readHeader(bytes) {
  let at = 0;
  const line = () => {
    const end = bytes.indexOf(0x0a, at);
    need(end >= 0, "a header without its end");
    const text = bytes.toString("latin1", at, end);
    at = end + 1;
    return text;
  };
  need(bytes.subarray(0, 100).includes(0x0a) && line() === "age-encryption.org/v1", "not an age file");
  const stanzas = [];
  for (let text = line(); ; text = line()) {
    if (text.startsWith("--- ")) {
      return { stanzas, signed: bytes.subarray(0, at - text.length - 1 + 3), mac: unpadded(text.slice(4)), end: at };
    }
    need(text.startsWith("-> "), "a line of the header");
    let body = "";
    for (let part = line(); ; part = line()) { // the last line of a body is shorter than 64
      need(part.length <= 64, "a line of the header");
      body += part;
      if (part.length < 64) break;
    }
    stanzas.push({ words: text.slice(3).split(" "), body: unpadded(body) });
  }
}

/** The file key, from whichever X25519 stanza this identity opens; other stanzas, as of "grease", are passed over. */
function fileKey(stanzas, identity) {
  const der = Buffer.concat([PKCS8_X25519, identityBytes(identity)]);
  const secret = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const recipient = createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-32);
  for (const { words, body } of stanzas) {
    if (words[0] !== "X25519" || words.length !== 2) continue;
    const share = unpadded(words[1]);
    need(share.length === 32 && body.length === 32, "an X25519 stanza");
    const publicKey = createPublicKey({ key: Buffer.concat([SPKI_X25519, share]), format: "der", type: "spki" });
    const shared = diffieHellman({ privateKey: secret, publicKey });
    const key = derive(shared, Buffer.concat([share, recipient]), "age-encryption.org/v1/X25519");
    try {
      return open(key, Buffer.alloc(12), body, "for somebody else");
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }
  throw new Refused("bad_bundle", "age: for somebody else");
}

/** The content of an age file for this identity. */
export function decrypt(bytes, identity) {
  const { stanzas, signed, mac, end } = readHeader(bytes);
  const key = fileKey(stanzas, identity);
  const expected = createHmac("sha256", derive(key, "", "header")).update(signed).digest();
  need(mac.length === 32 && timingSafeEqual(mac, expected), "the header's MAC");
  need(bytes.length >= end + 16, "the payload");
  const payloadKey = derive(key, bytes.subarray(end, end + 16), "payload");
  const chunks = [];
  let at = end + 16;
  for (let number = 0; ; number += 1) {
    const sealed = bytes.subarray(at, at + CHUNK + TAG);
    at += sealed.length;
    const last = at === bytes.length;
    const nonce = Buffer.alloc(12);
    nonce.writeUIntBE(number, 5, 6);
    nonce[11] = last ? 1 : 0;
    chunks.push(open(payloadKey, nonce, sealed, "a chunk that was changed or cut"));
    need(chunks.at(-1).length > 0 || number === 0, "an empty last chunk");
    if (last) return Buffer.concat(chunks);
  }
}
