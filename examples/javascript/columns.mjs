// Columns, docs/formats/columns.md: many values of one field in few bytes.
import { codeOf } from "./codes.mjs";
import { checkValue } from "./commit.mjs";
import { exact, Float, isInteger, Refused, unpack } from "./msgpack.mjs";

const [RAW, CONST, NULLABLE, INTEGERS, DECIMALS, CHOICES, DIGITS, WORDS, TEXTS, CODES] = Array(10).keys();
const NUMBERS = [RAW, CONST, INTEGERS];
const PREFIXES = [RAW, CONST, CHOICES, DIGITS, WORDS, TEXTS];
const ALL = [...Array(10).keys()];
const WITHIN_NULLABLE = ALL.filter((tag) => tag !== NULLABLE);
const MAX_LETTERS = 32 * 1024 * 1024;
const MAX_WORDS = 1024 * 1024;
const BITS = (1n << 63n);

function need(holds, why) {
  if (!holds) throw new Refused("bad_frame", `column: ${why}`);
}

function parts(item, size) {
  need(Array.isArray(item) && item.length === size, `an array of ${size}`);
  return item;
}

function texts(values) {
  need(values.every((value) => typeof value === "string"), "texts");
  return values;
}

function integers(values) {
  need(values.every(isInteger), "integers");
  return values;
}

/** The `count` values of a column; `tags` are those that may stand here. No values are no bytes. */
export function readColumn(bytes, count, tags = ALL) {
  need(Buffer.isBuffer(bytes), "a bin");
  if (count === 0) {
    need(bytes.length === 0, "values where none are expected");
    return [];
  }
  need(bytes.length > 0 && tags.includes(bytes[0]), "a tag that may not stand here");
  const values = READERS[bytes[0]](unpack(bytes.subarray(1)), count);
  need(values.length === count, "another number of values");
  return values;
}

/** Integers from 0, such as indexes, counts and sequence numbers. */
export function readCounts(bytes, count) {
  const values = readColumn(bytes, count);
  need(integers(values).every((value) => value >= 0 && value < BITS), "integers from 0");
  return values;
}

function raw(item) {
  need(Array.isArray(item), "an array");
  item.forEach((value) => checkValue(value));
  return item;
}

function constant(item, count) {
  checkValue(item);
  return Array(count).fill(item);
}

function nullable(item, count) {
  const [mask, column] = parts(item, 2);
  need(Buffer.isBuffer(mask) && mask.length === count && mask.every((byte) => byte < 2), "a mask of 0 and 1");
  const there = readColumn(column, mask.reduce((sum, byte) => sum + byte, 0), WITHIN_NULLABLE);
  let next = 0;
  return [...mask].map((byte) => (byte ? there[next++] : null));
}

function planes(item, count) {
  const [steps, first, low, width, bytes] = parts(item, 5);
  need((steps === 0 || steps === 1) && integers([first, low]), "steps, first and low");
  need(isInteger(width) && width >= 0 && width <= 8, "0 to 8 bytes a number");
  const numbers = count - steps;
  need(Buffer.isBuffer(bytes) && bytes.length === width * numbers, "as many planes as bytes a number");
  let last = BigInt(first);
  const values = steps ? [last] : [];
  for (let n = 0; n < numbers; n += 1) {
    let number = BigInt(low);
    for (let plane = 0; plane < width; plane += 1) number += BigInt(bytes[plane * numbers + n]) << BigInt(8 * plane);
    last = steps ? last + number : number;
    values.push(last);
  }
  need(values.every((value) => value >= -BITS && value < 2n * BITS), "integers of 64 bits");
  return values.map(exact);
}

function decimals(item, count) {
  const [places, column] = parts(item, 2);
  need(isInteger(places) && places >= 0 && places <= 9, "9 places at most");
  // Read as a decimal text, so that the float is the nearest one also beyond 2^53.
  const numbers = integers(readColumn(column, count, [CONST, INTEGERS]));
  return numbers.map((number) => new Float(Number(`${number}e-${places}`)));
}

function choices(item, count) {
  const [values, indexes] = parts(item, 2);
  need(Array.isArray(values) && Buffer.isBuffer(indexes) && indexes.length === count, "values and indexes");
  need(texts(values).length <= 256 && indexes.every((index) => index < values.length), "indexes of values");
  return [...indexes].map((index) => values[index]);
}

function digits(item, count) {
  const [template, column] = parts(item, 2);
  texts([template]);
  const size = template.split("0").length - 1;
  need(size >= 2 && size <= 18, "2 to 18 digits");
  limit(template.length * count);
  return integers(readColumn(column, count, NUMBERS)).map((number) => {
    const shown = String(number).padStart(size, "0");
    need(number >= 0 && shown.length === size, "as many digits as the template has");
    let next = 0;
    return template.replace(/0/g, () => shown[next++]);
  });
}

function codes(item, count) {
  const [before, numbers] = parts(item, 2);
  const units = texts(readColumn(before, count, PREFIXES));
  return integers(readColumn(numbers, count, NUMBERS)).map((number, n) => codeOf(units[n], number));
}

function words(item, count) {
  const [known, size, column] = parts(item, 3);
  need(Array.isArray(known) && isInteger(size) && size >= 0 && size <= MAX_WORDS, "at most 1 Mi words");
  texts(known);
  const indexes = integers(readColumn(column, size, NUMBERS));
  need(indexes.every((index) => index >= 0 && index < known.length), "indexes of words");
  limit(indexes.reduce((sum, index) => sum + known[index].length + 1, 0));
  const values = [[]];
  for (const index of indexes) {
    if (known[index] === "\n") values.push([]);
    else values.at(-1).push(known[index]);
  }
  need(values.length === count, "another number of values");
  return values.map((list) => list.join(" "));
}

function separated(item) {
  return texts([item])[0].split("\0");
}

function limit(letters) {
  need(letters <= MAX_LETTERS, "32 Mi characters at most");
}

const READERS = [raw, constant, nullable, planes, decimals, choices, digits, words, separated, codes];
