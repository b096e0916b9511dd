// Print the names of the files in a folder whose bytes the reader in examples/javascript takes as a commit.
import { readFileSync, readdirSync } from "node:fs";
import { join, parse } from "node:path";
import { readCommit } from "../../examples/javascript/commit.mjs";
import { Refused } from "../../examples/javascript/msgpack.mjs";

const folder = process.argv[2];
const taken = readdirSync(folder).filter((file) => {
  try {
    return readCommit(readFileSync(join(folder, file)));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return false;
  }
});
process.stdout.write(JSON.stringify(taken.map((file) => parse(file).name)));
