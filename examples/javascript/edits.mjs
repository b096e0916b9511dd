// What an edit covers and names, docs/formats/registers.md.
import { isEqual } from "./equality.mjs";
import { larger } from "./registers.mjs";
import { byAge, isOverSomebody, isReopened } from "./settle.mjs";

const BY_EQUALITY = ["review", "once", "server", "latest"];

/** Whether a register is open: between its heads a person has yet to decide. */
export function isOpen(register, field, policy, { form, personOf }) {
  const { heads, contexts } = register;
  if (heads.some(isReopened)) return true;
  if (heads.length < 2) return false;
  const pairs = heads.flatMap(({ value }, n) => heads.slice(n + 1).map((other) => [value, other.value]));
  if (policy === "furthest") {
    const states = pairs.filter((pair) => pair.every((value) => typeof value === "string"));
    return states.some(([a, b]) => form.further(field, a, b) === null);
  }
  if (!BY_EQUALITY.includes(policy)) return false;
  if (contexts.includes(null)) return true;
  const exactly = form.order(field) !== null;
  return pairs.some(([a, b]) => !isEqual(a, b, exactly)) || isOverSomebody(register, personOf);
}

function add(names, device, seq) {
  if (seq > 0 && !(names.get(device) >= seq)) names.set(device, seq);
}

function namesOfUnknown({ heads, seen }, covers, last) {
  const names = new Map(seen);
  for (const head of heads) if (!covers.has(head)) names.set(head.device, head.seq - 1);
  return larger(new Map([...names].filter(([, seq]) => seq > 0)), last);
}

/**
 * `{covers, names}` of an edit by `device`: the heads that it replaces, and its context.
 *
 * `base` is the record's, `{device, seq}` or null; `last` is the context of the device's last commit to the field.
 */
export function editOf(register, field, policy, { device, base, last = new Map() }, knowledge) {
  const { heads, seen, contexts } = register;
  if (!isOpen(register, field, policy, knowledge)) return { covers: heads, names: larger(seen, last) };
  const isMine = (other) => knowledge.personOf(other) === knowledge.personOf(device);
  const isBase = (other, seq) => base !== null && other === base.device && seq <= base.seq;
  const chosen = heads.filter((head) => !isReopened(head));
  const own = chosen.filter((head) => isMine(head.device));
  const alone = [...seen].every(([other, seq]) => isMine(other) || isBase(other, seq));
  const covers = new Set(alone ? own : own.filter((head) => head.device === device));
  if (policy === "latest" && !alone && own.length === 0 && chosen.length) covers.add(byAge(chosen).at(-1));
  if (covers.size === heads.length) return { covers: heads, names: larger(seen, last) };
  const covered = heads.filter((head) => covers.has(head));
  if (contexts.includes(null)) return { covers: covered, names: namesOfUnknown(register, covers, last) };
  const names = new Map(last);
  heads.forEach((head, n) => {
    const context = contexts[n];
    if (covers.has(head)) add(names, head.device, head.seq);
    else if (isMine(head.device)) return;
    else if ([...context].some(([other, seq]) => !isBase(other, seq))) add(names, head.device, head.seq - 1);
    context.forEach((seq, other) => add(names, other, seq));
  });
  return { covers: covered, names };
}
