// BLAKE2b (RFC 7693) without a key. Node has it with 64 bytes only, and a shorter one is another hash, not its beginning.
const IV = [
  0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n,
];
const SIGMA = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4], [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13], [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11], [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5], [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
const LANES = [
  [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15], [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14],
];
const BLOCK = 128;

function turned(value, bits) {
  return BigInt.asUintN(64, (value >> BigInt(bits)) | (value << BigInt(64 - bits)));
}

function mix(v, [a, b, c, d], x, y) {
  v[a] = BigInt.asUintN(64, v[a] + v[b] + x);
  v[d] = turned(v[d] ^ v[a], 32);
  v[c] = BigInt.asUintN(64, v[c] + v[d]);
  v[b] = turned(v[b] ^ v[c], 24);
  v[a] = BigInt.asUintN(64, v[a] + v[b] + y);
  v[d] = turned(v[d] ^ v[a], 16);
  v[c] = BigInt.asUintN(64, v[c] + v[d]);
  v[b] = turned(v[b] ^ v[c], 63);
}

function compress(hash, block, size, last) {
  const words = Array.from({ length: 16 }, (_, n) => block.readBigUInt64LE(8 * n));
  const v = [...hash, ...IV];
  v[12] ^= BigInt(size);
  if (last) v[14] = BigInt.asUintN(64, ~v[14]);
  for (let round = 0; round < 12; round += 1) {
    const order = SIGMA[round % 10];
    LANES.forEach((lane, n) => mix(v, lane, words[order[2 * n]], words[order[2 * n + 1]]));
  }
  return hash.map((word, n) => word ^ v[n] ^ v[n + 8]);
}

/** The hash of `bytes`, `size` bytes long. */
export function blake2b(bytes, size) {
  let hash = [...IV];
  hash[0] ^= 0x01010000n ^ BigInt(size);
  const blocks = Math.max(1, Math.ceil(bytes.length / BLOCK));
  for (let n = 0; n < blocks; n += 1) {
    const block = Buffer.alloc(BLOCK);
    bytes.copy(block, 0, n * BLOCK, (n + 1) * BLOCK);
    hash = compress(hash, block, Math.min(bytes.length, (n + 1) * BLOCK), n === blocks - 1);
  }
  const out = Buffer.alloc(64);
  hash.forEach((word, n) => out.writeBigUInt64LE(word, 8 * n));
  return out.subarray(0, size);
}
