// Registers, docs/formats/settle.md and store.md: what commits make of a record's fields, and its term.
//
// A register is {heads, seen, contexts}: a head is {device, seq, stamp, author, value}; `seen` and each context are a
// Map of device → seq; a context that is not known is null. Devices are hexadecimal here: so they are keys of a Map.
import { blake2b } from "./blake2b.mjs";
import { byCodePoint, exact } from "./msgpack.mjs";

function hex(device) {
  return typeof device === "string" ? device : device.toString("hex");
}

function byDot(a, b) {
  if (a.device !== b.device) return a.device < b.device ? -1 : 1;
  return a.seq < b.seq ? -1 : Number(a.seq > b.seq);
}

export function isSame(a, b) {
  return a.device === b.device && a.seq === b.seq;
}

export function seenOf(pairs) {
  return new Map(pairs.map(([device, seq]) => [hex(device), seq]));
}

function without(map, devices) {
  return new Map([...map].filter(([device]) => !devices.includes(device)));
}

/** A register of heads [device, seq, stamp, author, value], each with the usual context. */
export function register(heads, pairs) {
  const made = heads.map(([device, seq, stamp, author, value]) => ({ device: hex(device), seq, stamp, author, value }));
  made.sort(byDot);
  const seen = seenOf(pairs);
  const usual = without(seen, made.map((head) => head.device));
  return { heads: made, seen, contexts: made.map(() => usual) };
}

/** The context of head `n` that a state tells by how it differs from the usual one. */
export function contextOf({ heads, contexts }, n, told) {
  if (told === null) return null;
  const pairs = seenOf(told);
  if (pairs.has(heads[n].device)) return without(pairs, [heads[n].device]);
  const context = new Map([...contexts[n], ...pairs]);
  return new Map([...context].filter(([, seq]) => seq > 0));
}

/** The registers that only the commit which made the record wrote. A list is a set of its members. */
export function baseRegisters(base, values) {
  const registers = new Map();
  const put = (name, value) => {
    const head = [base.device, base.seq, base.stamp, base.author, value];
    registers.set(name, register([head], [[base.device, base.seq]]));
  };
  for (const [name, value] of values) {
    if (Array.isArray(value) && !name.includes("/")) value.forEach((member) => put(`${name}/${member}`, true));
    else put(name, value);
  }
  return registers;
}

/** A commit as the state of its record: `{record, type, base, registers}`. */
export function stateOf(commit) {
  const { device, seq, stamp, author, record, type, fields, context } = commit;
  const isBase = fields.has("_code") && context.length === 0;
  if (isBase) {
    const base = { device, seq, stamp, author };
    return { record, type, base, registers: baseRegisters(base, fields) };
  }
  const seen = new Map(context.flatMap(([names, pairs]) => names.map((name) => [name, pairs])));
  const registers = new Map();
  for (const [name, value] of fields) {
    const pairs = [...(seen.get(name) ?? []), [device, seq]];
    registers.set(name, register([[device, seq, stamp, author, value]], pairs));
  }
  return { record, type, base: null, registers };
}

/** The larger of both, device by device. */
export function larger(a, b) {
  const joined = new Map(a);
  for (const [device, seq] of b) if (!(joined.get(device) >= seq)) joined.set(device, seq);
  return joined;
}

function joinRegisters(a, b) {
  const found = [];
  const take = (from, other) => from.heads.forEach((head, n) => {
    const there = other.heads.findIndex((one) => isSame(one, head));
    if (there < 0 && other.seen.get(head.device) >= head.seq) return;
    if (found.some((one) => isSame(one.head, head))) return;
    const [mine, theirs] = [from.contexts[n], there < 0 ? null : other.contexts[there]];
    found.push({ head, context: mine && theirs ? larger(mine, theirs) : mine ?? theirs });
  });
  take(a, b);
  take(b, a);
  found.sort((one, two) => byDot(one.head, two.head));
  return { heads: found.map((one) => one.head), seen: larger(a.seen, b.seen), contexts: found.map((one) => one.context) };
}

function baseFirst(a, b) {
  if (!a || !b) return a ?? b;
  const [one, two] = [a, b].map((base) => ({ ...base, device: hex(base.device) }));
  return byDot(one, two) <= 0 ? a : b;
}

/** Two states of one record as one. */
export function join(a, b) {
  const registers = new Map(a.registers);
  for (const [name, theirs] of b.registers) {
    const mine = registers.get(name);
    registers.set(name, mine ? joinRegisters(mine, theirs) : theirs);
  }
  return { ...a, base: baseFirst(a.base, b.base), registers };
}

function dot({ device, seq }) {
  const bytes = Buffer.alloc(24);
  Buffer.from(hex(device), "hex").copy(bytes);
  bytes.writeBigUInt64BE(BigInt(seq), 16);
  return bytes;
}

/** The term of a state, 64 bits: equal terms are equal registers. */
export function termOf({ record, base, registers }) {
  const parts = [record];
  if (base) parts.push(dot(base));
  const made = base && { device: hex(base.device), seq: base.seq };
  for (const name of [...registers.keys()].sort(byCodePoint)) {
    const { heads } = registers.get(name);
    if (made && heads.length === 1 && isSame(heads[0], made)) continue;
    parts.push(Buffer.from(name), Buffer.from([0]), ...heads.map(dot));
  }
  return blake2b(Buffer.concat(parts), 8);
}

/** The sum of terms, as END tells it of a channel. */
export function digestOf(terms) {
  return exact(BigInt.asUintN(64, terms.reduce((sum, term) => sum + term.readBigUInt64BE(), 0n)));
}
