// Read every frozen vector (docs/formats/vectors.md) and print as JSON what it says: node vectors.mjs tests
//
// Nothing is compared here. Of expected.json only the number of a column's values is used, which the bytes do not say.
import { readFileSync, readdirSync } from "node:fs";
import { join as path } from "node:path";
import { decrypt } from "./age.mjs";
import { readBundle } from "./bundle.mjs";
import { readColumn } from "./columns.mjs";
import { readCommit, sha256 } from "./commit.mjs";
import { editOf, isOpen } from "./edits.mjs";
import { compared } from "./equality.mjs";
import { Form } from "./form.mjs";
import { readFrames } from "./frames.mjs";
import { readMessage } from "./messages.mjs";
import { exact, Float, Refused } from "./msgpack.mjs";
import { join, stateOf, termOf } from "./registers.mjs";
import { readCommitRows, readStateRows } from "./rows.mjs";
import { settle, settleRegister } from "./settle.mjs";
import { shown, shownCommit, shownState } from "./shown.mjs";
import { openSlots } from "./slots.mjs";
import { readToml } from "./toml.mjs";

const IDENTITY = "AGE-SECRET-KEY-1FCUH225KH2R9RPXH5VH5F6DR5SU9SZTZZPHPLHK4YXTJW35T5EWS59GYGU";
const HOSTILE_COLUMN = 9;
const MESSAGES = {
  joinanswer: "JOINED", joinrequest: "JoinRequest", opaquecommits: "COMMITS", renewanswer: "RENEWED", renewrequest: "RENEW",
};

function refusedOr(read) {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { refused: error.code };
  }
}

function frames(list) {
  return list.map(({ kind, payload }) => ({ kind, payload: payload.toString("hex") }));
}

function bundle(bytes) {
  const { manifest, sender, frames: list } = readBundle(bytes);
  return { manifest: shown(manifest), sender, frames: frames(list) };
}

function commit(bytes) {
  return shownCommit({ commit: readCommit(bytes), body: bytes }, sha256(bytes));
}

const READERS = {
  bundle,
  column: (bytes, name, expected) => shown(readColumn(bytes, expected[name]?.length ?? HOSTILE_COLUMN)),
  commit,
  commits: (bytes) => readCommitRows(bytes).map((each) => shownCommit(each, sha256(each.body))),
  frame: (bytes) => frames(readFrames(bytes)),
  message: (bytes, name) => {
    const kind = name.split("-")[1];
    return shown(readMessage(MESSAGES[kind] ?? kind.toUpperCase(), bytes));
  },
  states: (bytes) => readStateRows(bytes).map((state) => shownState(state, termOf(state))),
};

function hexBytes(file) {
  return Buffer.from(readFileSync(file, "ascii").replace(/^#.*$/gm, "").replace(/\s/g, ""), "hex");
}

function wire(folder) {
  const expected = JSON.parse(readFileSync(path(folder, "expected.json")));
  const said = {};
  for (const file of readdirSync(folder).filter((each) => each.endsWith(".hex"))) {
    const name = file.slice(0, -4);
    const kind = name.replace("hostile-", "").split("-")[0];
    const isHostile = name.startsWith("hostile-");
    const read = READERS[kind];
    said[name] = refusedOr(() => read(hexBytes(path(folder, file)), name, isHostile ? {} : expected));
  }
  return said;
}

/** Values of settle.json, which has integers, and floats with a point that JSON.parse drops: nothing there rests on it. */
function fromJson(value) {
  if (typeof value === "number") return Number.isInteger(value) ? value : new Float(value);
  if (Array.isArray(value)) return value.map(fromJson);
  if (value === null || typeof value !== "object") return value;
  return new Map(Object.entries(value).map(([key, item]) => [key, fromJson(item)]));
}

function toJson(value) {
  if (value instanceof Float) return value.value;
  if (Array.isArray(value)) return value.map(toJson);
  return value instanceof Map ? Object.fromEntries([...value].map(([key, item]) => [key, toJson(item)])) : value;
}

function settleCase({ commits }, knowledge) {
  const state = commits.map(({ body }) => stateOf(readCommit(Buffer.from(body, "hex")))).reduce(join);
  const { document, conflicts } = settle(state, knowledge);
  const { base, registers } = state;
  const registerOf = ({ heads, seen }) => ({
    heads: heads.map(({ device, seq, stamp, author, value }) => [device, seq, stamp, author, toJson(value)]),
    seen: Object.fromEntries(seen),
  });
  return {
    base: base && [base.device.toString("hex"), base.seq, base.stamp, base.author],
    registers: Object.fromEntries([...registers].map(([name, register]) => [name, registerOf(register)])),
    document: toJson(document),
    conflicts,
    term: termOf(state).toString("hex"),
  };
}

/** What a file of the form of settle.json says: each case with its commits first to last, and last to first. */
export function settling(file) {
  const { form, people, off, cases, compared: texts } = JSON.parse(readFileSync(file));
  const knowledge = {
    form: new Form(readToml(form)),
    personOf: (device) => people[device] ?? device,
    isOff: (device, seq) => off.some(([of, first, last]) => of === device && seq >= first && seq <= last),
  };
  const reversed = (each) => ({ ...each, commits: each.commits.toReversed() });
  const both = (each) => [settleCase(each, knowledge), settleCase(reversed(each), knowledge)];
  return {
    compared: texts.map(([text]) => compared(text)),
    cases: Object.fromEntries(cases.map((each) => [each.name, both(each)])),
  };
}

// The form of registers.json, as its `about` tells it: states d → a, b; a → f; choices x, y.
const STATES = { d: { next: ["a", "b"] }, a: { next: ["f"] }, b: {}, f: {} };
const REGISTER_FORM = new Form({
  states: STATES, fields: { furthest: { type: "state" }, "review of a choice": { type: "choice", choices: { x: {}, y: {} } } },
});

function edit({ policy: field, heads, seen }) {
  const knowledge = { form: REGISTER_FORM, personOf: (device) => (device === "2" ? "1" : device), isOff: () => false };
  const policy = field.split(" ")[0];
  const seqs = (context) => new Map(Object.entries(context));
  const register = {
    heads: heads.map((head) => ({ ...head, device: String(head.device), value: fromJson(head.value) })),
    seen: seqs(seen),
    contexts: heads.map(({ context }) => context && seqs(context)),
  };
  const { head, conflict } = settleRegister(register, field, policy, knowledge);
  const { covers, names } = editOf(register, field, policy, { device: "1", base: { device: "9", seq: 1 } }, knowledge);
  return {
    shown: toJson(head.value),
    look: conflict,
    open: isOpen(register, field, policy, knowledge),
    covers: covers.map(({ device, seq }) => [Number(device), seq]),
    names: Object.fromEntries(names),
  };
}

/** What a file of the form of registers.json says. */
export function editing(file) {
  return JSON.parse(readFileSync(file)).cases.map(edit);
}

function everything(tests) {
  const crypto = path(tests, "crypto");
  const slots = readFileSync(path(crypto, "slots-1.json"), "utf8");
  const secrets = { passphrase: "سرّ 1", keyfile: Buffer.alloc(32, "k"), recovery: "AUCQ-KBIF-AUCQ-KBIF-AUCQ-KBIF-AUCQ-KBIF" };
  const aged = (file) => decrypt(readFileSync(file), IDENTITY);
  const ages = {
    "bundle-up": bundle(aged(path(tests, "wire/vectors/bundle-up.age"))),
    "bundle-1": aged(path(crypto, "bundle-1.age")).toString("hex"),
  };
  const keys = Object.entries(secrets).map(([kind, secret]) => [kind, openSlots(slots, kind, secret).toString("hex")]);
  return {
    wire: wire(path(tests, "wire/vectors")),
    settle: settling(path(tests, "core/vectors/settle.json")),
    registers: editing(path(tests, "core/vectors/registers.json")),
    age: ages,
    slots: Object.fromEntries(keys),
  };
}

if (import.meta.main) {
  const plain = (key, value) => (typeof value === "bigint" ? exact(value) : value);
  process.stdout.write(JSON.stringify(everything(process.argv[2]), plain));
}
