// Runs cases one after the other and keeps count, so that a case that does not run cannot pass.

import { inspect } from "node:util";

/** Longer than any case takes on a busy machine. */
const PATIENCE = 60_000;

export class Report {
  #rows = [];
  #parts;

  /** Cases whose names hold none of `parts` are left out, when there are some. */
  constructor(parts) { this.#parts = parts; }

  wants(suite, version, name) {
    const full = `${suite} ${version}: ${name}`;
    return this.#parts.length === 0 || this.#parts.some((part) => full.includes(part));
  }

  /** Runs the cases of a suite: functions by name. `floor` is how many there are at least. */
  async run(suite, version, cases, floor) {
    const row = this.begin(suite, version, floor);
    for (const [name, body] of Object.entries(cases)) {
      if (!this.wants(suite, version, name)) continue;
      let timer;
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error("the case did not end")), PATIENCE);
      });
      try {
        await Promise.race([body(), late]);
        this.passed(row, name);
      } catch (error) {
        this.failed(row, name, error instanceof Error ? error.stack : inspect(error));
      } finally {
        clearTimeout(timer);
      }
    }
  }

  begin(suite, version, floor) {
    const row = { suite, version, floor, passed: 0, failed: 0 };
    this.#rows.push(row);
    return row;
  }

  passed(row, name) {
    row.passed += 1;
    console.log(`test ${row.suite} ${row.version}: ${name} ... ok`);
  }

  failed(row, name, reason) {
    row.failed += 1;
    console.log(`test ${row.suite} ${row.version}: ${name} ... FAILED\n${reason}`);
  }

  /** Prints the table and a closing line for each suite; says whether all is well. */
  close() {
    const isWhole = this.#parts.length === 0;
    const rows = this.#rows.filter((row) => isWhole || row.passed + row.failed > 0);
    const width = Math.max(...rows.map((row) => row.suite.length));
    console.log(`\n${"client or suite".padEnd(width)}  version  cases  passed`);
    let isWell = rows.length > 0;
    for (const row of rows) {
      const count = row.passed + row.failed;
      const isShort = isWhole && count < row.floor;
      const note = isShort ? `  fewer than the ${row.floor} there are` : "";
      const numbers = `${String(count).padStart(5)}  ${String(row.passed).padStart(6)}`;
      console.log(`${row.suite.padEnd(width)}  ${row.version.padEnd(7)}  ${numbers}${note}`);
      isWell &&= row.failed === 0 && !isShort;
    }
    console.log();
    for (const { failed, passed } of rows) {
      console.log(`test result: ${failed === 0 ? "ok" : "FAILED"}. ${passed} passed; ${failed} failed; 0 ignored`);
    }
    return isWell;
  }
}
