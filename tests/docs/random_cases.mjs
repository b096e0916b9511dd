// Print what the reader in examples/javascript says of random cases, in files of the form of settle.json and registers.json.
import { editing, settling } from "../../examples/javascript/vectors.mjs";

const [settle, registers] = process.argv.slice(2);
process.stdout.write(JSON.stringify({ cases: settling(settle).cases, registers: editing(registers) }));
