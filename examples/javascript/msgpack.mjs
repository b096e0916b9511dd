// MessagePack, as far as fieldsync uses it: no extensions, every value told apart.
//
// In JavaScript 1 and 1.0 are one number, and beyond 2^53 numbers are not exact. So here
//   an integer is a number, beyond 2^53 - 1 a BigInt;   a float is a Float;
//   bin is a Buffer;   a map is a Map, which keeps its order.

/** A program that refuses input names why; the codes are those of docs/formats/errors.md. */
export class Refused extends Error {
  constructor(code, why) {
    super(`${code}: ${why}`);
    this.code = code;
  }
}

/** A float of 64 bits, whatever its value: 1.0 stays one. */
export class Float {
  constructor(value) {
    this.value = value;
  }
}

// ignoreBOM: without it U+FEFF at the beginning of a text would be lost.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text that UTF-8 bytes say; what is no UTF-8 is refused. */
export function textOf(bytes) {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Refused("bad_frame", "no UTF-8");
  }
}

/** A BigInt as a number where that is exact. */
export function exact(big) {
  const safe = big >= BigInt(Number.MIN_SAFE_INTEGER) && big <= BigInt(Number.MAX_SAFE_INTEGER);
  return safe ? Number(big) : big;
}

export function isInteger(value) {
  return typeof value === "bigint" || Number.isInteger(value);
}

// Payloads hold rows, columns and values; none of these nests deeper than this.
const MAX_DEPTH = 32;

class Decoder {
  constructor(bytes) {
    this.bytes = Buffer.from(bytes);
    this.at = 0;
  }

  take(size) {
    if (this.at + size > this.bytes.length) throw new Refused("bad_frame", "the bytes end too early");
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  /** An unsigned integer of 1, 2 or 4 bytes. */
  unsigned(size) {
    return this.take(size).readUIntBE(0, size);
  }

  value(depth) {
    if (depth > MAX_DEPTH) throw new Refused("bad_frame", "nested too deep");
    const tag = this.unsigned(1);
    if (tag < 0x80) return tag;
    if (tag < 0x90) return this.map(tag & 0x0f, depth);
    if (tag < 0xa0) return this.array(tag & 0x0f, depth);
    if (tag < 0xc0) return textOf(this.take(tag & 0x1f));
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return this.take(this.unsigned(1 << (tag - 0xc4)));
      case 0xca: return new Float(this.take(4).readFloatBE());
      case 0xcb: return new Float(this.take(8).readDoubleBE());
      case 0xcc: case 0xcd: case 0xce: return this.unsigned(1 << (tag - 0xcc));
      case 0xcf: return exact(this.take(8).readBigUInt64BE());
      case 0xd0: return this.take(1).readInt8();
      case 0xd1: return this.take(2).readInt16BE();
      case 0xd2: return this.take(4).readInt32BE();
      case 0xd3: return exact(this.take(8).readBigInt64BE());
      case 0xd9: case 0xda: case 0xdb: return textOf(this.take(this.unsigned(1 << (tag - 0xd9))));
      case 0xdc: case 0xdd: return this.array(this.unsigned(2 << (tag - 0xdc)), depth);
      case 0xde: case 0xdf: return this.map(this.unsigned(2 << (tag - 0xde)), depth);
      default: throw new Refused("bad_frame", `tag ${tag.toString(16)} is not used`);
    }
  }

  // Every item has one byte at least: a length beyond the bytes never makes a large array.
  array(size, depth) {
    if (size > this.bytes.length - this.at) throw new Refused("bad_frame", "the bytes end too early");
    return Array.from({ length: size }, () => this.value(depth + 1));
  }

  map(size, depth) {
    const map = new Map();
    for (let n = 0; n < size; n += 1) {
      const key = this.value(depth + 1);
      if (typeof key !== "string" || map.has(key)) throw new Refused("bad_frame", "a key that is no text, or twice");
      map.set(key, this.value(depth + 1));
    }
    return map;
  }
}

/** The one value that these bytes hold. */
export function unpack(bytes) {
  const decoder = new Decoder(bytes);
  const value = decoder.value(0);
  if (decoder.at !== decoder.bytes.length) throw new Refused("bad_frame", "bytes behind the value");
  return value;
}

function head(tag, size, number) {
  const bytes = Buffer.alloc(1 + size);
  bytes[0] = tag;
  bytes.writeUIntBE(number, 1, size);
  return bytes;
}

/** A length in the smallest form: `small` tags (from, below), then one tag each for 1, 2 and 4 bytes. */
function length(number, [from, below], tags) {
  if (number < below) return Buffer.from([from + number]);
  const [size, tag] = [[1, tags[0]], [2, tags[1]], [4, tags[2]]].find(([n, t]) => t && number < 2 ** (8 * n));
  return head(tag, size, number);
}

function integer(value) {
  if (value >= 0 && value < 0x80) return Buffer.from([value]);
  if (value < 0 && value >= -0x20) return Buffer.from([0x100 + value]);
  if (value >= 0 && value < 2 ** 32) return length(value, [0, 0], [0xcc, 0xcd, 0xce]);
  const bytes = Buffer.alloc(9);
  if (value >= 0) {
    bytes[0] = 0xcf;
    bytes.writeBigUInt64BE(BigInt(value), 1);
    return bytes;
  }
  for (const [tag, size] of [[0xd0, 1], [0xd1, 2], [0xd2, 4]]) {
    if (value < -(2 ** (8 * size - 1))) continue;
    bytes[0] = tag;
    bytes.writeIntBE(Number(value), 1, size);
    return bytes.subarray(0, 1 + size);
  }
  bytes[0] = 0xd3;
  bytes.writeBigInt64BE(BigInt(value), 1);
  return bytes;
}

/** The bytes of a value, in the smallest form of every integer and length. */
export function pack(value) {
  if (value === null) return Buffer.from([0xc0]);
  if (typeof value === "boolean") return Buffer.from([value ? 0xc3 : 0xc2]);
  if (isInteger(value)) return integer(value);
  if (value instanceof Float) {
    const bytes = Buffer.alloc(9);
    bytes[0] = 0xcb;
    bytes.writeDoubleBE(value.value, 1);
    return bytes;
  }
  if (typeof value === "string") {
    const bytes = Buffer.from(value);
    return Buffer.concat([length(bytes.length, [0xa0, 32], [0xd9, 0xda, 0xdb]), bytes]);
  }
  if (Buffer.isBuffer(value)) return Buffer.concat([length(value.length, [0, 0], [0xc4, 0xc5, 0xc6]), value]);
  if (Array.isArray(value)) {
    return Buffer.concat([length(value.length, [0x90, 16], [0, 0xdc, 0xdd]), ...value.map(pack)]);
  }
  const items = [...value].flatMap(([key, item]) => [pack(key), pack(item)]);
  return Buffer.concat([length(value.size, [0x80, 16], [0, 0xde, 0xdf]), ...items]);
}

/** Order of texts by code point, which is the order of their UTF-8 bytes; `<` compares UTF-16. */
export function byCodePoint(a, b) {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
