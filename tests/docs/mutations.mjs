// Cut and change the frozen vectors at every byte, and print what the reader in examples/javascript took all the same.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decrypt } from "../../examples/javascript/age.mjs";
import { readBundle } from "../../examples/javascript/bundle.mjs";
import { readCommit } from "../../examples/javascript/commit.mjs";
import { readFrames } from "../../examples/javascript/frames.mjs";
import { Refused } from "../../examples/javascript/msgpack.mjs";
import { readCommitRows, readStateRows } from "../../examples/javascript/rows.mjs";

const IDENTITY = "AGE-SECRET-KEY-1FCUH225KH2R9RPXH5VH5F6DR5SU9SZTZZPHPLHK4YXTJW35T5EWS59GYGU";
const folder = join(process.argv[2], "wire/vectors");
const hex = (name) => Buffer.from(readFileSync(join(folder, `${name}.hex`), "ascii").replace(/^#.*$/gm, "").replace(/\s/g, ""), "hex");

function* cuts(bytes) {
  for (let size = 1; size < bytes.length; size += 1) yield [`cut at ${size}`, bytes.subarray(0, size)];
}

function* flips(bytes) {
  for (let at = 0; at < bytes.length; at += 1) {
    for (const bit of [1, 128]) {
      const changed = Buffer.from(bytes);
      changed[at] ^= bit;
      yield [`${bit} flipped at ${at}`, changed];
    }
  }
}

/** Whether the reader refuses with a code of its own; anything else that it throws is a fault of the reader. */
function isRefused(read, bytes) {
  try {
    read(bytes);
    return false;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return true;
  }
}

const sealed = readFileSync(join(folder, "bundle-up.age"));
const reads = [
  ["bundle-up.age", sealed, (bytes) => decrypt(bytes, IDENTITY), [cuts, flips]],
  ["bundle-up", hex("bundle-up"), readBundle, [cuts, flips]],
  ["bundle-branch", hex("bundle-branch"), readBundle, [cuts, flips]],
  ["commit-edit", hex("commit-edit"), readCommit, [cuts]],
  ["frame-zstd", hex("frame-zstd"), readFrames, [cuts]],
  ["commits-payload", hex("commits-payload"), readCommitRows, [cuts]],
  ["states-payload", hex("states-payload"), readStateRows, [cuts]],
];
const said = { refused: 0, taken: [] };
for (const [name, whole, read, ways] of reads) {
  read(whole);
  for (const way of ways) {
    for (const [what, bytes] of way(whole)) {
      if (isRefused(read, bytes)) said.refused += 1;
      else said.taken.push(`${name}: ${what}`);
    }
  }
}
// What nothing signs may say something else when it is changed, but never makes the reader stumble.
for (const [name, read] of [["commit-edit", readCommit], ["commits-payload", readCommitRows], ["states-payload", readStateRows]]) {
  for (const [, bytes] of flips(hex(name))) isRefused(read, bytes);
}
process.stdout.write(JSON.stringify(said));
