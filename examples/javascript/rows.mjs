// Commits and states as rows, docs/formats/frames.md: tables in columns.
import { readColumn, readCounts } from "./columns.mjs";
import { checkCommit, commitBytes, isId } from "./commit.mjs";
import { isInteger, Refused, unpack } from "./msgpack.mjs";
import { baseRegisters, contextOf, register } from "./registers.mjs";

const MAX_ROWS = 160_000;
const MAX_VALUES = 2_000_000;

function need(holds, why) {
  if (!holds) throw new Refused("bad_frame", `rows: ${why}`);
}

function array(item, size) {
  need(Array.isArray(item) && item.length === size, `an array of ${size}`);
  return item;
}

function count(item, most = MAX_ROWS) {
  need(isInteger(item) && item >= 0, "a count");
  if (item > most) throw new Refused("too_large", `more than ${most} rows`);
  return item;
}

function at(directory, index) {
  need(index < directory.length, "an index into a directory");
  return directory[index];
}

/** The values of a list, taken front to back. */
class Supply {
  constructor(values) {
    this.values = values;
    this.next = 0;
  }

  take(size = 1) {
    need(this.next + size <= this.values.length, "fewer than are taken");
    this.next += size;
    return this.values.slice(this.next - size, this.next);
  }

  end() {
    need(this.next === this.values.length, "more than are taken");
  }
}

function total(counts, most = MAX_ROWS) {
  return count(counts.reduce((sum, each) => sum + each, 0), most);
}

/** n lists of [device, seq]. */
function readPairs(item, devices) {
  const [lists, lengths, pairs, columns] = array(item, 4);
  const sizes = readCounts(lengths, count(lists));
  need(total(sizes) === count(pairs), "as many pairs as the lists have");
  const [device, seq] = pairs ? array(columns, 2).map((column) => readCounts(column, pairs)) : [array(columns, 0), []];
  const all = new Supply(device.map((index, n) => [at(devices, index), seq[n]]));
  return sizes.map((size) => all.take(size));
}

/** n writes: `{device, seq, stamp, author, seen}`. */
function readWrites(item, size, { devices, authors }) {
  const [heads, pairs] = array(item, 2);
  const seen = readPairs(pairs, devices);
  need(seen.length === size, "pairs of each write");
  if (!size) return array(heads, 0);
  const [device, seq, stamp, author] = array(heads, 4).map((column) => readCounts(column, size));
  return seen.map((pairsOfOne, n) => ({
    device: at(devices, device[n]), seq: seq[n], stamp: stamp[n], author: at(authors, author[n]), seen: pairsOfOne,
  }));
}

function readIds(bytes, size) {
  need(Buffer.isBuffer(bytes) && bytes.length === 16 * size, "16 planes of ids");
  const idOf = (row) => Buffer.from(Array.from({ length: 16 }, (_, plane) => bytes[plane * size + row]));
  return Array.from({ length: size }, (_, row) => idOf(row));
}

/** n rows of values: a Map of field → value each. */
function readValues(item, size) {
  const [fields, shapes, which, columns] = array(item, 4);
  need(Array.isArray(fields) && fields.every((name) => typeof name === "string"), "names of fields");
  need(Array.isArray(shapes) && shapes.every((shape) => Array.isArray(shape) && shape.every(isInteger)), "shapes");
  const shapeOf = readCounts(which, size).map((index) => at(shapes, index));
  total(shapeOf.map((shape) => shape.length), MAX_VALUES);
  const sizes = fields.map(() => 0);
  for (const shape of shapeOf) {
    for (const field of shape) {
      at(fields, field);
      sizes[field] += 1;
    }
  }
  const supplies = array(columns, fields.length).map((column, n) => new Supply(readColumn(column, sizes[n])));
  return shapeOf.map((shape) => {
    const row = new Map(shape.map((field) => [fields[field], supplies[field].take()[0]]));
    need(row.size === shape.length, "a field twice in a shape");
    return row;
  });
}

function readDirectories(devices, authors) {
  need(Array.isArray(devices) && devices.every(isId), "ids of devices");
  need(Array.isArray(authors) && authors.every((name) => typeof name === "string"), "names of authors");
  return { devices, authors };
}

/** The commits in the rows of COMMITS, each with its canonical bytes: `{commit, body}`. */
export function readCommitRows(bytes) {
  const [devices, authors, types, body] = array(unpack(bytes), 4);
  const directories = readDirectories(devices, authors);
  need(Array.isArray(types), "types");
  types.forEach((type) => array(type, 2));
  const [format, size, rows, kinds, ids, notes, values, groups, contexts, partial] = array(body, 10);
  const writes = readWrites(rows, count(size), directories);
  need(writes.every((write) => write.seen.length === 0), "no pairs beside the contexts");
  const kindOf = readCounts(kinds, size).map((index) => at(types, index));
  const records = readIds(ids, size);
  const noteOf = readColumn(notes, size);
  const fieldsOf = readValues(values, size);
  const pairs = new Supply([...readPairs(contexts, devices).entries()]);
  const namesOf = new Map(partial.map((item) => array(item, 2)));
  const commits = readCounts(groups, size).map((groupsOfOne, n) => {
    const { device, seq, stamp, author } = writes[n];
    const all = [...fieldsOf[n].keys()];
    const context = pairs.take(groupsOfOne).map(([place, seen]) => [namesOf.get(place) ?? all, seen]);
    const [type, form] = kindOf[n];
    const [record, note, fields] = [records[n], noteOf[n], fieldsOf[n]];
    return { format, device, seq, stamp, author, type, form, record, note, fields, context };
  });
  pairs.end();
  commits.forEach(checkCommit);
  return commits.map((commit) => ({ commit, body: commitBytes(commit) }));
}

/** The states in the rows of STATES: `{record, type, base, values, registers, origins}`. */
export function readStateRows(bytes) {
  const [devices, authors, blocks] = array(unpack(bytes), 3);
  const directories = readDirectories(devices, authors);
  need(Array.isArray(blocks), "blocks");
  return blocks.flatMap((block) => readBlock(array(block, 12), directories));
}

function readBlock(block, directories) {
  const [type, size, ids, based, bases, values, writesOfEach, writes, fieldsOfEach, names, columns, forked] = block;
  need(typeof type === "string", "a type");
  const has = readColumn(based, count(size));
  need(has.every((flag) => typeof flag === "boolean"), "booleans");
  const made = new Supply(readWrites(bases, has.filter(Boolean).length, directories));
  const valuesOf = readValues(values, size);
  const states = readIds(ids, size).map((record, n) => {
    const base = has[n] ? made.take()[0] : null;
    need(base || valuesOf[n].size === 0, "values without a base");
    const registers = base ? baseRegisters(base, valuesOf[n]) : new Map();
    return { record, type, base, values: valuesOf[n], registers, origins: new Map() };
  });
  const sizes = readCounts(writesOfEach, size);
  const written = readWrites(writes, total(sizes), directories);
  const registers = readRegisters(written, readCounts(fieldsOfEach, written.length), names, columns);
  const supply = new Supply(registers);
  states.forEach((state, n) => {
    for (const [name, value] of supply.take(sizes[n]).flat()) addRegister(state, name, value);
  });
  need(Array.isArray(forked), "forked registers");
  for (const item of forked) addForked(states, item);
  return states;
}

/** For each write its registers, as [name, register]. */
function readRegisters(writes, sizes, names, columns) {
  const [many, column] = array(names, 2);
  need(count(many) === total(sizes), "as many names as the writes have");
  const nameOf = new Supply(readColumn(column, many));
  need(nameOf.values.every((name) => typeof name === "string"), "names of registers");
  need(Array.isArray(columns), "columns of values");
  const valuesOf = new Map(columns.map((item) => {
    const [field, size, values] = array(item, 3);
    return [field, new Supply(readColumn(values, count(size)))];
  }));
  const registers = writes.map((write, n) => nameOf.take(sizes[n]).map((name) => {
    const values = valuesOf.get(name.split("/", 1)[0]);
    need(values, "a column for each field");
    const { device, seq, stamp, author, seen } = write;
    return [name, register([[device, seq, stamp, author, values.take()[0]]], [...seen, [device, seq]])];
  }));
  for (const values of valuesOf.values()) values.end();
  return registers;
}

function addRegister(state, name, value) {
  need(!state.registers.has(name), "a register twice");
  state.registers.set(name, value);
}

function addForked(states, item) {
  need(Array.isArray(item) && (item.length === 5 || item.length === 6), "a forked register");
  const [row, name, heads, seen, origin, contexts = null] = item;
  const value = register(heads.map((head) => array(head, 5)), seen.map((pair) => array(pair, 2)));
  // Protocol 1 told no contexts; those of several heads are then not known.
  if (contexts === null) value.contexts = heads.length > 1 ? heads.map(() => null) : value.contexts;
  else value.contexts = array(contexts, heads.length).map((told, n) => contextOf(value, n, told));
  addRegister(at(states, count(row)), name, value);
  states[row].origins.set(name, origin);
}
