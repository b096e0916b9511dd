// Bundles, docs/formats/bundle.md: proved as a whole before anything of them is used.
import { chainAfter, chainStart, deviceOf, isSealed, isSigned, sha256 } from "./commit.mjs";
import { KINDS, readFrames, splitFrames } from "./frames.mjs";
import { readManifest, readMessage } from "./messages.mjs";
import { Refused, unpack } from "./msgpack.mjs";
import { readCommitRows, readStateRows } from "./rows.mjs";

const WORDS = "fieldsync bundle 1";
const MAX_MANIFEST = 16 * 1024 * 1024;

function need(holds, why) {
  if (!holds) throw new Refused("bad_bundle", why);
}

/** What is wrong with the inside of a bundle is bad_bundle, whatever part says so; a later version is bad_version. */
function within(read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refused && error.code !== "bad_version") throw new Refused("bad_bundle", error.message);
    throw error;
  }
}

/**
 * The content of a bundle, as `age -d` prints it: `{manifest, sender, frames, messages, commits, states}`.
 *
 * `known` are the devices that the reader knows, a Map of id in hex → public key, or null where it has only the id. Without
 * any it is proved only that the bundle is of whoever has the key in its manifest. Devices with commits inside whose key is
 * neither known nor in the bundle are in `unproved`.
 */
export function readBundle(content, known = new Map()) {
  const [manifest, bytes] = readOutside(content);
  const sender = deviceOf(manifest.key).toString("hex");
  need(known.size === 0 || known.has(sender), "the sender is not known"); // an id is the hash of its key
  const frames = within(() => readListed(bytes, manifest.frames));
  const messages = within(() => frames.map(({ kind, payload }) => [KINDS[kind], readMessage(KINDS[kind], payload)]));
  const enrolled = messages.flatMap(([name, message]) => (name === "PEER" ? message.devices : []));
  const told = enrolled.map(({ device, key }) => [device.toString("hex"), key]);
  const keys = new Map([...told, ...[...known].filter(([, key]) => key), [sender, manifest.key]]);
  const all = (wanted) => messages.filter(([name]) => name === wanted).map(([, message]) => message);
  const { commits, unproved } = within(() => proveCommits(all("COMMITS"), manifest, keys));
  const states = within(() => all("STATES").flatMap((message) => (message.rows.length ? readStateRows(message.rows) : [])));
  need(commits.length === manifest.commits && states.length === manifest.states, "another number of commits or states");
  return { manifest, sender, frames, messages, commits, states, unproved };
}

/** The manifest, whose signature is proved, and the bytes of the frames. */
function readOutside(content) {
  const words = Buffer.from(`${WORDS}\n`);
  const line = content.subarray(0, words.length).toString("latin1");
  if (/^fieldsync bundle \d+/.test(line) && line !== words.toString()) throw new Refused("bad_version", line.trim());
  need(line === words.toString(), "not a bundle");
  need(content.length >= words.length + 4, "cut");
  const size = content.readUInt32BE(words.length);
  const begin = words.length + 4;
  need(size <= MAX_MANIFEST && content.length >= begin + size + 64, "a manifest that is too long, or cut");
  const signed = content.subarray(begin, begin + size);
  const items = within(() => unpack(signed));
  need(Array.isArray(items), "a manifest that is no array");
  if (Number.isInteger(items[0]) && items[0] > 1) throw new Refused("bad_version", `a manifest of version ${items[0]}`);
  const manifest = within(() => readManifest(items));
  need(manifest.version === 1 && manifest.to.length > 0, "a manifest for nobody");
  const signature = content.subarray(begin + size, begin + size + 64);
  need(isSigned(manifest.key, Buffer.concat([Buffer.from(WORDS), signed]), signature), "another signature");
  return [manifest, content.subarray(begin + size + 64)];
}

function readListed(bytes, hashes) {
  const split = splitFrames(bytes);
  need(split.length === hashes.length, "another number of frames");
  split.forEach(({ all }, n) => need(sha256(all).equals(hashes[n]), `frame ${n} was changed`));
  return readFrames(bytes);
}

/** Every commit's place in its device's chain, by the manifest and by the seal of each frame. */
function proveCommits(messages, manifest, keys) {
  const stands = new Map(manifest.chains.map((each) => [each.device.toString("hex"), { seq: each.after, chain: each.start }]));
  need(manifest.chains.every((each) => each.after > 0 || each.start.equals(chainStart(each.device))), "a chain's start");
  const commits = [];
  const unproved = new Set();
  for (const { device, seal, rows, opaque } of messages) {
    const name = device.toString("hex");
    const place = stands.get(name);
    need(place, "commits of a device that the manifest does not list");
    const read = rows.length ? readCommitRows(rows) : [];
    need(read.every(({ commit }) => commit.device.equals(device)), "commits of another device");
    const bodies = [...read.map(({ commit, body }) => [commit.seq, body]), ...opaque].sort(([a], [b]) => a - b);
    for (const [seq, body] of bodies) {
      need(seq === place.seq + 1, "commits that do not follow each other");
      place.seq = seq;
      place.chain = chainAfter(place.chain, body);
    }
    if (!keys.has(name)) unproved.add(name);
    else need(isSealed(keys.get(name), device, place.seq, place.chain, seal), "a seal of another chain");
    commits.push(...read, ...opaque.map(([seq, body]) => ({ commit: null, seq, body })));
  }
  for (const { device, last, head } of manifest.chains) {
    const { seq, chain } = stands.get(device.toString("hex"));
    need(seq === last && chain.equals(head), "a chain that ends elsewhere");
  }
  return { commits, unproved: [...unproved] };
}
