// Settling, docs/formats/settle.md: what a record shows, and where a person must decide.
//
// `knowledge` is what a node knows beside the record: {form, personOf(device), isOff(device, seq)}.
import { MAX_COUNT } from "./commit.mjs";
import { compareValues, isEqual } from "./equality.mjs";
import { byCodePoint, isInteger } from "./msgpack.mjs";
import { isSame } from "./registers.mjs";

const UNDECIDED = ["review", "once", "server"];

/** The heads in order of stamp, device and seq: the newest is the last. */
export function byAge(heads) {
  return [...heads].sort((a, b) => {
    if (a.stamp !== b.stamp) return a.stamp < b.stamp ? -1 : 1;
    if (a.device !== b.device) return a.device < b.device ? -1 : 1;
    return a.seq < b.seq ? -1 : 1;
  });
}

/** Whether a head is a decision that was taken back. */
export function isReopened({ value }) {
  return value instanceof Map && value.has("reopened");
}

/** The heads that a head stands for: those in a decision that was taken back, if all can be read, else itself. */
function standing(head) {
  const listed = isReopened(head) ? head.value.get("reopened") : null;
  if (!Array.isArray(listed) || !listed.length || !listed.every(isHead)) return [head];
  return listed.map(([device, seq, stamp, author, value]) => ({ device, seq, stamp, author, value }));
}

function isHead(head) {
  if (!Array.isArray(head) || head.length !== 5) return false;
  const [device, seq, stamp, author] = head;
  const isCount = (number) => isInteger(number) && number >= 0 && number < MAX_COUNT;
  return /^[0-9a-f]{32}$/.test(device) && isCount(seq) && seq > 0 && isCount(stamp) && typeof author === "string";
}

/** Whether the one head has written over somebody else's commit that the other neither is nor has written over. */
function overSomebody([head, context], [other, otherContext], personOf) {
  if (!context || !otherContext) return false;
  return [...context].some(([device, seq]) => {
    if ([personOf(head.device), head.author].includes(personOf(device))) return false;
    return !(other.device === device && other.seq >= seq) && !(otherContext.get(device) >= seq);
  });
}

/** Whether two of the heads disagree though their values may be equal. */
export function isOverSomebody({ heads, contexts }, personOf) {
  const pairs = heads.map((head, n) => [head, contexts[n]]);
  return pairs.some((one) => pairs.some((other) => one !== other && overSomebody(one, other, personOf)));
}

/** Whether heads whose values are equal are in conflict all the same. */
function isApart({ heads, contexts }, personOf) {
  if (heads.some(isReopened)) return contexts.some((context) => !isEqual(context, contexts[0]));
  return isOverSomebody({ heads, contexts }, personOf);
}

/** What a register of a plain field shows: `{head, conflict}`. */
export function settleRegister(register, field, policy, { form, personOf, isOff }) {
  const heads = new Map(register.heads.flatMap(standing).map((head) => [`${head.device} ${head.seq}`, head]));
  const settled = settleHeads([...heads.values()], field, policy, { form, isOff });
  if (settled.conflict || heads.size === 1 || !UNDECIDED.includes(policy) || !isApart(register, personOf)) return settled;
  const ordered = byAge([...heads.values()]);
  return { head: ordered.at(policy === "review" ? -1 : 0), conflict: true };
}

function settleHeads(heads, field, policy, { form, isOff }) {
  const ordered = byAge(heads);
  const last = ordered.at(-1);
  const oldestFirst = policy === "once" || policy === "server";
  if (ordered.every(({ value }) => isEqual(value, last.value, form.order(field) !== null))) {
    return { head: last, conflict: false };
  }
  switch (policy) {
    case "latest": return { head: last, conflict: ordered.some(({ device, seq }) => isOff(device, seq)) };
    case "greatest": return extreme(ordered, 1, form.order(field));
    case "least": return extreme(ordered, -1, form.order(field));
    case "furthest": return furthest(ordered, field, form);
    default: return { head: oldestFirst ? ordered[0] : last, conflict: true };
  }
}

function extreme(ordered, sign, order) {
  const there = ordered.filter(({ value }) => value !== null);
  let best = there[0];
  for (const head of there) {
    const compares = compareValues(head.value, best.value, order);
    if (compares === null) return { head: ordered.at(-1), conflict: true };
    if (compares * sign >= 0) best = head;
  }
  return { head: best ?? ordered.at(-1), conflict: false };
}

function furthest(ordered, field, form) {
  const states = ordered.filter(({ value }) => typeof value === "string");
  const isFurthest = ({ value }) => states.every((other) => form.further(field, value, other.value) === value);
  const best = states.filter(isFurthest).at(-1);
  return { head: best ?? ordered.at(-1), conflict: !best };
}

function setOf(members) {
  const there = [...members].filter(([, { heads }]) => heads.some(({ value }) => value === true));
  return there.length ? there.map(([member]) => member).sort(byCodePoint) : null;
}

function tallyOf(members) {
  const larger = (a, b) => (b > a ? b : a);
  const parts = [...members.values()].map(({ heads }) => heads.map(({ value }) => value).filter(isInteger));
  const sum = parts.filter((part) => part.length).reduce((all, part) => all + BigInt(part.reduce(larger)), 0n);
  return Number(sum);
}

function logOf(members) {
  const last = [...members.values()].map(({ heads }) => heads.at(-1)).filter(({ value }) => value !== null);
  const entries = byAge(last).map(({ stamp, author, value }) => new Map([
    ["at", new Date(Number(BigInt(stamp) >> 16n)).toISOString()], ["by", author], ["text", value],
  ]));
  return entries.length ? entries : null;
}

const GATHERED = { set: setOf, tally: tallyOf, log: logOf };

/** What a record shows and the fields in conflict: `{document, conflicts}`, a Map and names in order. */
export function settle(state, knowledge) {
  const document = new Map();
  const conflicts = new Set();
  for (const [field, { plain, members }] of fieldsOf(state.registers)) {
    const policy = knowledge.form.policy(field, plain === null);
    if (policy === "none") continue;
    let value = null;
    if (GATHERED[policy]) value = GATHERED[policy](members);
    else if (plain) {
      const { head, conflict } = settleRegister(plain, field, policy, knowledge);
      value = head.value;
      if (conflict) conflicts.add(field);
    }
    if (value !== null && !(Array.isArray(value) && value.length === 0)) document.set(field, value);
  }
  settleDeletion(state, document, conflicts);
  if ((document.get("_not_same") ?? []).includes(document.get("_same_as"))) conflicts.add("_same_as");
  return { document, conflicts: [...conflicts].sort(byCodePoint) };
}

/** field → its plain register and those of its members. */
function fieldsOf(registers) {
  const fields = new Map();
  for (const [name, register] of registers) {
    const [field, ...member] = name.split("/");
    if (!fields.has(field)) fields.set(field, { plain: null, members: new Map() });
    if (member.length) fields.get(field).members.set(member.join("/"), register);
    else fields.get(field).plain = register;
  }
  return fields;
}

function settleDeletion({ base, registers }, document, conflicts) {
  const deletions = registers.get("_deleted")?.heads.filter(({ value }) => value instanceof Map) ?? [];
  if (document.get("_deleted") instanceof Map) document.set("_deleted", document.get("_deleted").get("reason"));
  const made = base && { device: base.device.toString("hex"), seq: base.seq };
  for (const deletion of deletions) {
    for (const [name, { heads }] of registers) {
      const others = heads.filter((head) => !deletions.some((each) => isSame(each, head)));
      const unseen = others.filter((head) => !hasSeen(deletion.value, name, head, made));
      if (unseen.length) conflicts.add("_deleted");
    }
  }
}

function hasSeen(deletion, name, head, made) {
  const registers = deletion.get("registers");
  const upTo = (seen) => (seen instanceof Map ? seen.get(head.device) ?? 0 : 0) >= head.seq;
  if (!(registers instanceof Map)) return upTo(deletion.get("saw"));
  const named = registers.get(registers.has(name) ? name : "");
  return upTo(named) || (made !== null && isSame(head, made) && upTo(registers.get("")));
}
