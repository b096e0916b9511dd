// Equal values and the order of values, docs/formats/settle.md.
import { byCodePoint, Float, isInteger } from "./msgpack.mjs";

const CONTROLS = "\\u0000-\\u0008\\u000e-\\u001b\\u007f-\\u0084\\u0086-\\u009f";
const UNSEEN = "\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f"
  + "\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\u{e0000}-\\u{e0fff}";
const REMOVED = new RegExp(`[\\u0640${CONTROLS}${UNSEEN}]`, "gu");
// Not \s: that lacks U+001C-001F and U+0085, and has U+FEFF.
const SPACES = /[\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/gu;
const DIGITS = /[\u0660-\u0669\u06f0-\u06f9]/gu;

/** A text as it is compared. */
export function compared(text) {
  const digits = text.replace(REMOVED, "").replace(DIGITS, (digit) => String(digit.charCodeAt(0) & 0x0f));
  return digits.normalize("NFC").replace(SPACES, " ").replace(/^ | $/g, "");
}

export function isNumber(value) {
  return isInteger(value) || value instanceof Float;
}

function number(value) {
  return value instanceof Float ? value.value : value;
}

/** Whether two values are equal; `exactly`: texts as they stand, as those of choices and states. */
export function isEqual(a, b, exactly) {
  if (typeof a === "string" && typeof b === "string") return exactly ? a === b : compared(a) === compared(b);
  // == compares a BigInt and a number by what they are, where === tells them apart.
  if (isNumber(a) && isNumber(b)) return number(a) == number(b);
  if (Buffer.isBuffer(a) && Buffer.isBuffer(b)) return a.equals(b);
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, n) => isEqual(item, b[n], exactly));
  }
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size && [...a].every(([key, item]) => b.has(key) && isEqual(item, b.get(key), exactly));
  }
  return a === b;
}

/** Below zero if `a` is before `b`; null for values of different kinds. `order`: the choices in their order, or null. */
export function compareValues(a, b, order) {
  if (order) return order.indexOf(a) - order.indexOf(b);
  const [one, two] = [a, b].map((value) => (typeof value === "boolean" ? Number(value) : number(value)));
  if (typeof one === "string" && typeof two === "string") return byCodePoint(one, two);
  if (typeof one === "string" || typeof two === "string" || !isNumeric(one) || !isNumeric(two)) return null;
  return one < two ? -1 : Number(one > two);
}

function isNumeric(value) {
  return typeof value === "number" || typeof value === "bigint";
}
