// Frames, docs/formats/frames.md: kind, length, payload.
import { Refused } from "./msgpack.mjs";
import { decompress } from "./zstd.mjs";

export const KINDS = {
  1: "HELLO", 2: "COMMITS", 3: "ACK", 4: "STATES", 5: "END", 6: "ASK", 7: "FOUND", 8: "JOINED", 9: "PEER", 10: "PART",
  11: "FORMS", 20: "RENEW", 21: "RENEWED",
};
const PART = 10;
const COMPRESSED = 0x80;
const MAX_SENT = 65536;
const MAX_JOINED = 1024 * 1024;
const MAX_PLAIN = 4 * 1024 * 1024;

/** The frames in these bytes: `{kind, payload, bytes}`, with PART frames joined and payloads as they are plain. */
export function readFrames(bytes) {
  return splitFrames(bytes).map(({ kind, packed, sent, all }) => {
    return { kind, payload: packed ? decompress(sent, MAX_PLAIN) : sent, bytes: all };
  });
}

/** The frames with their payloads as they were sent; `all` has all bytes of a frame, its parts' included. */
export function splitFrames(bytes) {
  const frames = [];
  let at = 0;
  let [begun, sent] = [0, []];
  while (at < bytes.length) {
    if (at + 5 > bytes.length) throw new Refused("bad_frame", "an unfinished frame");
    const [kind, packed, size] = [bytes[at] & ~COMPRESSED, bytes[at] >= COMPRESSED, bytes.readUInt32BE(at + 1)];
    if (!KINDS[kind] || (kind === PART && packed)) throw new Refused("bad_frame", `a frame of kind ${bytes[at]}`);
    if (kind === PART && frames.length === 0) throw new Refused("bad_frame", "a stream that begins with a part");
    if (size > MAX_SENT) throw new Refused("too_large", `a frame of ${size} bytes`);
    if (at + 5 + size > bytes.length) throw new Refused("bad_frame", "an unfinished frame");
    sent.push(bytes.subarray(at + 5, at + 5 + size));
    at += 5 + size;
    if (sent.reduce((sum, part) => sum + part.length, 0) > MAX_JOINED) throw new Refused("too_large", "too many parts");
    if (kind === PART) continue;
    frames.push({ kind, packed, sent: Buffer.concat(sent), all: bytes.subarray(begun, at) });
    [begun, sent] = [at, []];
  }
  if (sent.length) throw new Refused("bad_frame", "parts without their end");
  return frames;
}
