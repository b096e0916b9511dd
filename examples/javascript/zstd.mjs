// One Zstandard frame (RFC 8878), as frames.md allows it.
import { constants, zstdDecompressSync } from "node:zlib";
import { Refused } from "./msgpack.mjs";

const MAGIC = 0xfd2fb528;
const WINDOW_LOG = 23;
const RLE = 1;
const RESERVED = 3;

function need(holds, why) {
  if (!holds) throw new Refused("bad_frame", `Zstandard: ${why}`);
}

/** Where the first frame ends: Node says nothing of a frame that is cut, and reads on behind one that is whole. */
function frameEnd(bytes) {
  need(bytes.length >= 6 && bytes.readUInt32LE(0) === MAGIC, "another beginning");
  const descriptor = bytes[4];
  const single = (descriptor >> 5) & 1;
  const from = single ? 5 : 6;
  const idSize = [0, 1, 2, 4][descriptor & 3];
  need(!bytes.subarray(from, from + idSize).some((byte) => byte !== 0), "a dictionary id");
  let at = from + idSize + [single, 2, 4, 8][descriptor >> 6];
  for (let last = 0; !last;) {
    need(at + 3 <= bytes.length, "cut");
    const header = bytes.readUIntLE(at, 3);
    const type = (header >> 1) & 3;
    need(type !== RESERVED, "a block of no known type");
    last = header & 1;
    at += 3 + (type === RLE ? 1 : header >> 3);
  }
  at += (descriptor >> 2) & 1 ? 4 : 0;
  need(at <= bytes.length, "cut");
  return at;
}

/** The content of the first frame in these bytes, `most` bytes at most. */
export function decompress(bytes, most) {
  const params = { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG };
  try {
    return zstdDecompressSync(bytes.subarray(0, frameEnd(bytes)), { maxOutputLength: most, params });
  } catch (error) {
    if (error instanceof Refused) throw error;
    if (error.code === "ERR_BUFFER_TOO_LARGE") throw new Refused("too_large", `beyond ${most} bytes`);
    throw new Refused("bad_frame", `Zstandard: ${error.message}`);
  }
}
