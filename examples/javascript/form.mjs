// A record type, docs/formats/schema.md, as far as settling asks: policies, and the order of choices and states.
const SYSTEM = {
  _code: "once", _unit: "review", _deleted: "review", _same_as: "review", _not_same: "set", _shared: "set", _shares: "set",
  _decided: "none",
};

/** `policies`: field → policy; `orders`: field → its choices or states, first to last; `furthest` of two of them. */
export class Form {
  constructor(type, lists = {}) {
    this.fields = type.fields ?? {};
    this.states = type.states ?? {};
    this.stateForks = type.forks ?? [];
    this.beats = type.beats ?? [];
    this.lists = lists;
  }

  /** The policy of a field, of which there are members (`FIELD/…`) only, or a register of its own. */
  policy(field, membersOnly) {
    const told = SYSTEM[field] ?? this.fields[field]?.merge ?? (membersOnly ? "set" : "review");
    return told === "derived" ? "review" : told; // nobody writes a derived field; what stands there all the same is looked at
  }

  /** The choices or states of a field in their order, or null of other fields. */
  order(field) {
    const { type, choices } = this.fields[field] ?? {};
    if (type === "state") return Object.keys(this.states);
    if (type !== "choice") return null;
    return Object.keys(typeof choices === "string" ? this.lists[choices] : choices);
  }

  /** The further one of two choices or states, or null where they diverge. */
  further(field, a, b) {
    if (a === b) return a;
    const order = this.order(field) ?? [];
    const isState = this.fields[field]?.type === "state";
    const forks = isState ? this.stateForks : this.fields[field]?.forks ?? [];
    const is = ([one, two]) => one === a && two === b;
    const swapped = ([one, two]) => one === b && two === a;
    if (isState && this.beats.some(is)) return a;
    if (isState && this.beats.some(swapped)) return b;
    if (!order.includes(a) || !order.includes(b) || forks.some((pair) => is(pair) || swapped(pair))) return null;
    const later = order.indexOf(a) > order.indexOf(b) ? a : b;
    if (!isState) return later;
    const [onward, back] = [this.#leads(a, b), this.#leads(b, a)];
    if (onward && back) return later;
    return onward ? b : back ? a : null;
  }

  #leads(from, to) {
    const reached = new Set([from]);
    for (const state of reached) (this.states[state]?.next ?? []).forEach((next) => reached.add(next));
    return reached.has(to);
  }
}
