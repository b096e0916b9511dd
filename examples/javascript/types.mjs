// The types of the tables in docs/formats/messages.md, in the words of these tables: `array (≤ 64) of [text, count]`.
import { MAX_COUNT } from "./commit.mjs";
import { isInteger, Refused } from "./msgpack.mjs";

const SIMPLE = {
  bool: (value) => typeof value === "boolean",
  bytes: Buffer.isBuffer,
  count: (value) => isInteger(value) && value >= 0 && value < MAX_COUNT,
  int: isInteger,
  nil: (value) => value === null,
  text: (value) => typeof value === "string",
};

function need(holds, why) {
  if (!holds) throw new Refused("bad_frame", why);
}

/** How many there are: letters of a text, bytes of a bin, items of an array. */
function sizeOf(value) {
  return typeof value === "string" ? [...value].length : value.length;
}

function checked(check, words, most) {
  return (value) => {
    need(check(value), `not ${words}`);
    need(sizeOf(value) <= most || most === undefined, `more than ${most}: ${words}`);
    return value;
  };
}

/** A reader of a type: takes a decoded value, refuses what is of another type. `named` has the tables of structs. */
class Parser {
  constructor(words, named) {
    this.words = words;
    this.named = named;
    this.rest = words;
  }

  /** What `pattern` matches next, or null. */
  next(pattern) {
    const match = this.rest.match(new RegExp(`^${pattern}`));
    if (match) this.rest = this.rest.slice(match[0].length);
    return match;
  }

  type() {
    const read = this.one();
    if (!this.next(" or nil")) return read;
    return (value) => (value === null ? null : read(value));
  }

  limit() {
    const match = this.next(" \\(≤ (\\d+)\\)");
    return match ? Number(match[1]) : undefined;
  }

  one() {
    if (this.next("array")) return this.array(this.limit());
    if (this.next("map of text → text")) return checked(isTexts, this.words);
    if (this.next("\\[")) return this.tuple();
    const bytes = this.next("(\\d+) bytes");
    if (bytes) return checked((value) => Buffer.isBuffer(value) && value.length === Number(bytes[1]), this.words);
    const [name] = this.next("\\w+");
    if (SIMPLE[name]) return checkedOf(SIMPLE[name], name, this.limit());
    return (value) => readItems(this.named[name], value, this.named);
  }

  array(most) {
    this.next(" of ");
    const item = this.one();
    return (value) => checked(Array.isArray, this.words, most)(value).map(item);
  }

  tuple() {
    const items = [];
    while (!this.next("\\]")) {
      items.push(this.type());
      this.next(", ");
    }
    return (value) => {
      need(Array.isArray(value) && value.length === items.length, `not ${this.words}`);
      return value.map((item, n) => items[n](item));
    };
  }
}

function isTexts(value) {
  return value instanceof Map && [...value.values()].every((item) => typeof item === "string");
}

function checkedOf(check, words, most) {
  return most === undefined ? (value) => (need(check(value), `not ${words}`), value) : checked(check, words, most);
}

/** An array as an object with the items of a table, `[name, type, value if missing]` each; unknown ones are skipped. */
export function readItems(table, array, named) {
  need(Array.isArray(array), "not an array");
  return Object.fromEntries(table.map(([name, words, ...missing], n) => {
    if (n < array.length) return [name, new Parser(words, named).type()(array[n])];
    need(missing.length > 0, `${name} is missing`);
    return [name, missing[0]];
  }));
}
