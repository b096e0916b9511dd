// TOML, as far as record types use it (docs/formats/schema.md): no dates, no literal or multi-line texts.
class Toml {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  take(pattern) {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match) this.at += match[0].length;
    return match;
  }

  expect(pattern, what) {
    const match = this.take(pattern);
    if (!match) throw new SyntaxError(`TOML: ${what} at ${this.text.slice(this.at, this.at + 20)}`);
    return match;
  }

  space() {
    this.take(/(\s|#[^\n]*)*/y);
  }

  key() {
    const quoted = this.take(/"((?:[^"\\\n]|\\.)*)"/y);
    return quoted ? JSON.parse(quoted[0]) : this.expect(/[A-Za-z0-9_-]+/y, "a key")[0];
  }

  keys() {
    const keys = [this.key()];
    while (this.take(/[ \t]*\.[ \t]*/y)) keys.push(this.key());
    return keys;
  }

  pair(table) {
    const keys = this.keys();
    this.expect(/[ \t]*=[ \t]*/y, "=");
    within(table, keys.slice(0, -1))[keys.at(-1)] = this.value();
  }

  value() {
    if (this.take(/\[/y)) return this.list(/\]/y, [], (list) => list.push(this.value()));
    if (this.take(/\{/y)) return this.list(/\}/y, {}, (table) => this.pair(table));
    const text = this.take(/"((?:[^"\\\n]|\\.)*)"/y);
    if (text) return JSON.parse(text[0].replace(/\\U([0-9A-Fa-f]{8})/g, (_, hex) => String.fromCodePoint(parseInt(hex, 16))));
    const word = this.expect(/[^\s,\]}#]+/y, "a value")[0];
    if (word === "true" || word === "false") return word === "true";
    if (Number.isNaN(Number(word))) throw new SyntaxError(`TOML: ${word}`);
    return Number(word);
  }

  list(end, into, add) {
    for (;;) {
      this.space();
      if (this.take(end)) return into;
      add(into);
      this.space();
      this.take(/,/y);
    }
  }

  file() {
    const root = {};
    let table = root;
    for (this.space(); this.at < this.text.length; this.space()) {
      if (this.take(/\[/y)) {
        table = within(root, this.keys());
        this.expect(/\]/y, "]");
      } else this.pair(table);
    }
    return root;
  }
}

function within(table, keys) {
  return keys.reduce((inner, key) => (inner[key] ??= {}), table);
}

/** The tables of a file as objects, in their order. */
export function readToml(text) {
  return new Toml(text).file();
}
