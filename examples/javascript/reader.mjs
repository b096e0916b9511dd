// Open a bundle and print what is in it: node reader.mjs BUNDLE IDENTITY [KEY …]
//
// IDENTITY is a file with the reader's `AGE-SECRET-KEY-1…`. KEY is the public key, in hexadecimal, of a device that the
// reader knows: of the sender, and of each device whose commits a branch carries.
import { readFileSync } from "node:fs";
import { decrypt } from "./age.mjs";
import { readBundle } from "./bundle.mjs";
import { deviceOf, sha256 } from "./commit.mjs";
import { Refused } from "./msgpack.mjs";
import { termOf } from "./registers.mjs";
import { shown, shownCommit, shownState } from "./shown.mjs";

const DAMAGED = 8;

function print([file, identity, ...keys]) {
  const known = new Map(keys.map((key) => Buffer.from(key, "hex")).map((key) => [deviceOf(key).toString("hex"), key]));
  const bundle = readBundle(decrypt(readFileSync(file), readFileSync(identity, "utf8")), known);
  const said = {
    sender: bundle.sender,
    manifest: shown(bundle.manifest),
    messages: bundle.messages.map(([name, message]) => ({ [name]: shown(message) })),
    commits: bundle.commits.map((each) => shownCommit(each, sha256(each.body))),
    states: bundle.states.map((state) => shownState(state, termOf(state))),
    unproved: bundle.unproved,
  };
  process.stdout.write(`${JSON.stringify(said, null, 1)}\n`);
}

try {
  print(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = DAMAGED;
}
