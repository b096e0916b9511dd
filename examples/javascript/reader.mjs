// Open a bundle and print what is in it: node reader.mjs BUNDLE IDENTITY [DEVICE …]
//
// IDENTITY is a file with the reader's `AGE-SECRET-KEY-1…`. DEVICE is a device that the reader knows, its id or public key in
// hexadecimal: the sender, and each device whose commits a branch carries (its key).
import { readFileSync } from "node:fs";
import { decrypt } from "./age.mjs";
import { readBundle } from "./bundle.mjs";
import { deviceOf, sha256 } from "./commit.mjs";
import { Refused } from "./msgpack.mjs";
import { termOf } from "./registers.mjs";
import { shown, shownCommit, shownState } from "./shown.mjs";

const DAMAGED = 8;

function print([file, identity, ...devices]) {
  const isId = (device) => device.length === 32;
  const idOf = (device) => (isId(device) ? device : deviceOf(Buffer.from(device, "hex")).toString("hex"));
  const known = new Map(devices.map((device) => [idOf(device), isId(device) ? null : Buffer.from(device, "hex")]));
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
