// Values as JSON, marked where JSON would lose what they are: docs/formats/vectors.md.
import { Float } from "./msgpack.mjs";

function float(value) {
  if (Object.is(value, -0)) return "-0.0";
  return /^-?\d+$/.test(String(value)) ? `${value}.0` : String(value);
}

/** A value as JSON can say it: bytes, floats, large integers and maps are marked. */
export function shown(value) {
  if (typeof value === "bigint") return { int: String(value) };
  if (value instanceof Float) return { float: float(value.value) };
  if (Buffer.isBuffer(value)) return { bytes: value.toString("hex") };
  if (Array.isArray(value)) return value.map(shown);
  if (value instanceof Map) return { map: [...value].map(([key, item]) => [key, shown(item)]) };
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shown(item)]));
}

function hex(device) {
  return { bytes: device };
}

function pairs(seen) {
  return [...seen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([device, seq]) => [hex(device), seq]);
}

export function shownCommit({ commit, body }, hash) {
  return { commit: commit && shown(commit), body: body.toString("hex"), hash: hash.toString("hex") };
}

export function shownState(state, term) {
  const { record, type, base, values, registers, origins } = state;
  const registerOf = ({ heads, seen, contexts }) => ({
    heads: heads.map(({ device, seq, stamp, author, value }) => shown([Buffer.from(device, "hex"), seq, stamp, author, value])),
    seen: shown(pairs(seen)),
    contexts: contexts.map((context) => context && shown(pairs(context))),
  });
  return {
    record: record.toString("hex"),
    type,
    base: base && shown([base.device, base.seq, base.stamp, base.author]),
    values: shown(values),
    registers: Object.fromEntries([...registers].map(([name, register]) => [name, registerOf(register)])),
    origins: shown(origins),
    term: term.toString("hex"),
  };
}
