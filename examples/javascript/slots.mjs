// Key slots, docs/formats/slots.md: the store's key, wrapped for each secret that may open it.
import { argon2Sync, createDecipheriv, createHash, hkdfSync } from "node:crypto";
import { Refused } from "./msgpack.mjs";

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The 20 bytes of a recovery key as it is printed, or typed with what is forgiven. */
function recoveryBytes(text) {
  const typed = { 0: "O", 1: "I", 8: "B" };
  const signs = [...text.toUpperCase().replace(/[\s-]/g, "")].map((sign) => typed[sign] ?? sign);
  const bits = signs.map((sign) => BASE32.indexOf(sign).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

function wrappingKey(slot, secret) {
  const salt = Buffer.from(slot.salt, "base64");
  const hkdf = (bytes) => Buffer.from(hkdfSync("sha256", bytes, salt, `fieldsync slot 1 ${slot.kind}`, 32));
  if (slot.kind === "keyfile") return hkdf(secret);
  if (slot.kind === "recovery") return hkdf(recoveryBytes(secret));
  const { memory, iterations, lanes } = slot;
  const inRange = memory >= 65536 && memory <= 1048576 && iterations >= 3 && iterations <= 20 && lanes >= 1 && lanes <= 8;
  if (!inRange) throw new Refused("slot_policy", "a passphrase slot of another price");
  const message = Buffer.from(secret.normalize("NFC"));
  return argon2Sync("argon2id", { message, nonce: salt, parallelism: lanes, tagLength: 32, memory, passes: iterations });
}

function isWhole(file) {
  const json = JSON.stringify({ ...file, checksum: "" });
  return createHash("sha256").update(json).digest("hex") === file.checksum;
}

/** The store's key, from `slots.json` and the secret of a slot of this kind: a text, or a key file's bytes. */
export function openSlots(text, kind, secret) {
  const file = JSON.parse(text);
  if (file.version > 1) throw new Refused("bad_version", "slots of a later version");
  if (!isWhole(file) || `${JSON.stringify(file, null, 1)}\n` !== text) throw new Refused("store_damaged", "the checksum");
  const slot = file.slots.find((each) => each.kind === kind);
  const { wrapped, ...rest } = { ...slot, version: file.version, store: file.store };
  const [salt, nonce] = [slot.salt, slot.nonce].map((text) => Buffer.from(text, "base64"));
  const hex = { salt: salt.toString("hex"), nonce: nonce.toString("hex") };
  const bound = Object.fromEntries(Object.entries({ ...rest, ...hex }).sort(([a], [b]) => (a < b ? -1 : 1)));
  const sealed = Buffer.from(wrapped, "base64");
  const decipher = createDecipheriv("chacha20-poly1305", wrappingKey(slot, secret), nonce, { authTagLength: 16 });
  decipher.setAAD(Buffer.from(JSON.stringify(bound)));
  decipher.setAuthTag(sealed.subarray(-16));
  const key = decipher.update(sealed.subarray(0, -16));
  try {
    decipher.final();
  } catch {
    throw new Refused("wrong_passphrase", "another secret");
  }
  return key;
}
