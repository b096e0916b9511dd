// The tables of docs/formats/messages.md, requests.md (joining) and bundle.md, as they stand there: name, type, and the
// value if missing.
import { unpack } from "./msgpack.mjs";
import { readItems } from "./types.mjs";

const EMPTY = Buffer.alloc(0);

const TABLES = {
  HELLO: [
    ["protocol", "int"], ["dictionary", "bytes"], ["now", "int"], ["head", "count"], ["grants", "bytes"],
    ["cursors", "array (≤ 16384) of [text, count, count]", []], ["where", "bool", false], ["devices", "count", 0],
    ["refused", "count", 0], ["schema", "bytes", EMPTY], ["servers", "bytes", EMPTY], ["receipts", "count", 0],
    ["judged", "count", 0], ["passed", "count", 0], ["budget", "count", 0],
    ["ahead", "array (≤ 16384) of [text, count, count]", []], ["epoch", "bytes (≤ 64)", EMPTY],
    ["receipt", "count", 0], ["clocks", "count", 0], ["pairs", "count", 0],
    ["reserved", "array (≤ 256) of Reserved", []], ["reserved_told", "count", 0], ["answers", "count", 0],
    ["forms", "array (≤ 1000) of [bytes, count]", []], ["units", "bytes (≤ 32)", EMPTY],
    ["report", "NodeReport or nil", null], ["register", "[count, count, count] or nil", null],
  ],
  NodeReport: [
    ["version", "text (≤ 32)"], ["free", "count or nil", null], ["backup", "count", 0],
    ["backup_fault", "text (≤ 32)", ""], ["rehearsed", "count", 0], ["rehearsal_fault", "text (≤ 32)", ""],
    ["pending", "count", 0], ["quarantined", "count", 0], ["blocked", "array (≤ 8) of [text (≤ 32), count]", []],
  ],
  COMMITS: [
    ["device", "bytes"], ["seal", "bytes"], ["rows", "bytes"], ["opaque", "array of [count, bytes]", []],
  ],
  ACK: [
    ["now", "count"], ["head", "count"], ["chain", "bytes"], ["refused", "array of [count, text, text]", []],
    ["grants", "array of [text, text] or nil", null],
    ["devices", "array of [count, bytes, text, text, array of text]", []], ["refusals", "count", 0],
    ["receipts", "array of [count, bytes, count, count]", []],
    ["servers", "array of [bytes, text, text, bytes, text] or nil", null],
    ["schema", "map of text → text or nil", null], ["epoch", "bytes", EMPTY],
    ["clocks", "array of [count, bytes, count, count, int]", []], ["pairs", "count", 0],
    ["elsewhere", "array of bytes", []], ["again", "bool", false], ["pending", "bool", false],
    ["reserved", "array (≤ 256) of Reserved", []], ["reserved_taken", "count", 0], ["answers", "count", 0],
    ["forms", "bool", false], ["lacked", "array (≤ 1000) of [count, count]", []],
    ["units", "array (≤ 16384) of text or nil", null],
  ],
  STATES: [
    ["unit", "text"], ["arrival", "count"], ["rows", "bytes"], ["gone", "array of bytes", []],
    ["asked", "array of bytes", []],
  ],
  END: [
    ["channels", "array of Summary", []], ["partial", "bool", false],
    ["ahead", "array of [text, count, count]", []],
  ],
  Summary: [
    ["unit", "text"], ["arrival", "count"], ["digest", "int"], ["records", "int"],
  ],
  ASK: [
    ["unit", "text"], ["ranges", "array (≤ 256) of Range", []], ["want", "array (≤ 200) of bytes", []],
  ],
  Range: [
    ["low", "bytes"], ["high", "bytes"], ["count", "int"], ["digest", "int"],
  ],
  FOUND: [
    ["unit", "text"], ["ranges", "array of Range", []], ["records", "array of [bytes, int]", []],
    ["within", "array of Range", []], ["over", "array of [bytes, count]", []],
    ["refused", "array of [bytes, bytes, count]", []],
  ],
  JOINED: [
    ["org", "text"], ["server", "bytes"], ["server_name", "text"], ["letters", "text"], ["person", "text"],
    ["grants", "array of [text, text]"], ["nonce", "bytes"], ["now", "int"], ["schema", "map of text → text"],
    ["lettered", "count", 0], ["age", "text", ""], ["forms", "bool", false],
  ],
  PEER: [
    ["devices", "array (≤ 1024) of Enrolment", []], ["told", "count", 0],
    ["heads", "array (≤ 16384) of [bytes, count, bytes (≤ 32)]", []],
    ["refused", "array (≤ 1024) of [bytes, count, text, text]", []], ["judged", "count", 0],
    ["receipts", "array (≤ 1024) of [count, bytes, bytes, count, count]", []],
    ["clocks", "array (≤ 1024) of [bytes, count, count, int]", []],
    ["mark", "[bytes (≤ 64), count, count] or nil", null],
    ["parted", "array (≤ 16384) of [bytes, count, count, bytes (≤ 32)]", []],
    ["former", "array (≤ 256) of Former", []], ["taken", "array (≤ 1024) of Taking", []],
    ["reports", "array (≤ 1024) of ReportBelow", []], ["reported", "count", 0],
  ],
  Enrolment: [
    ["device", "bytes"], ["key", "bytes"], ["letters", "text"], ["person", "text"],
    ["grants", "array of [text, text]"], ["state", "text"], ["enrolled", "count"], ["changed", "count"],
    ["copy_of", "bytes", EMPTY], ["copied_after", "count or nil", null], ["pending", "bool", false],
    ["approved", "count", 0], ["spared", "count", 0], ["enrolled_by", "bytes", EMPTY], ["number", "count", 0],
    ["until", "count", 0], ["since", "count", 0],
  ],
  Taking: [
    ["device", "bytes"], ["first", "count"], ["last", "count"], ["chain", "bytes (≤ 32)"], ["at", "count"],
    ["number", "count"], ["server", "bytes"], ["signature", "bytes (≤ 64)"],
  ],
  Former: [
    ["key", "bytes"], ["copy_of", "bytes"], ["letters", "text"], ["proof", "bytes"],
  ],
  ReportBelow: [
    ["number", "count"], ["device", "16 bytes"], ["at", "count"], ["skew", "int"],
    ["report", "NodeReport or nil", null],
  ],
  FORMS: [
    ["listed", "array (≤ 1000) of FormText", []], ["pieces", "array (≤ 1000) of [count, count, bytes]", []],
  ],
  FormText: [
    ["name", "text (≤ 64)"], ["hash", "32 bytes"], ["size", "count"],
  ],
  RENEW: [
    ["key", "bytes"], ["by_old", "bytes"], ["by_new", "bytes"], ["probes", "array (≤ 256) of [count, bytes]", []],
  ],
  RENEWED: [
    ["letters", "text"], ["common", "count"], ["nonce", "bytes"], ["now", "count"],
  ],
  Reserved: [
    ["number", "count"], ["source", "16 bytes"], ["key", "bytes (≤ 64)"], ["data", "bytes (≤ 16384)"],
  ],
  JoinRequest: [
    ["protocol", "int"], ["invite", "bytes"], ["secret", "bytes"], ["key", "bytes"], ["signature", "bytes"],
    ["age", "text", ""], ["letters", "text", ""],
  ],
  Manifest: [
    ["version", "int"], ["id", "16 bytes"], ["number", "count"], ["up", "bool"], ["key", "32 bytes"],
    ["to", "array (≤ 64) of 16 bytes"], ["made", "count"], ["chains", "array (≤ 65536) of CarriedCommits"],
    ["earlier", "array (≤ 512) of EarlierCommits"], ["cursors", "array (≤ 16384) of [text, count, count]"],
    ["commits", "count"], ["states", "count"], ["frames", "array of 32 bytes"], ["heard", "count", 0],
    ["protocol", "count", 1], ["reserved", "array (≤ 65536) of Reserved", []],
  ],
  CarriedCommits: [
    ["device", "16 bytes"], ["after", "count"], ["start", "32 bytes"], ["last", "count"], ["head", "32 bytes"],
  ],
  EarlierCommits: [
    ["number", "count"], ["device", "16 bytes"], ["after", "count"], ["last", "count"],
  ],
};

/** The items of a message: `name` is that of its frame, or JoinRequest. */
export function readMessage(name, payload) {
  return readItems(TABLES[name], unpack(payload), TABLES);
}

/** The items of a bundle's manifest, which were decoded. */
export function readManifest(items) {
  return readItems(TABLES.Manifest, items, TABLES);
}
