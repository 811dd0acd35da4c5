// The stage, the browser and the people of the tests of one file, on a road to each node that prefers it.

import assert from "node:assert/strict";
import { launch, Person } from "./people.mjs";
import { Stage } from "./stage.mjs";

export class Company {
  #present = [];

  /** `options`: of every person. */
  constructor(options = {}) {
    this.options = options;
  }

  /** Two nodes with these flags, a browser, and a road to each. */
  async gather(flags = []) {
    [this.stage, this.browser] = await Promise.all([Stage.raise({ flags }), launch()]);
    this.roads = [await this.stage.road(0, 1), await this.stage.road(1, 0)];
  }

  async enter(name, place, options) {
    const person = await Person.enter(this.browser, this.roads[place].address, { name, ...this.options, ...options });
    this.#present.push(person);
    return person;
  }

  /** Somebody leaves before the others. */
  async dismiss(person) {
    this.#present = this.#present.filter((one) => one !== person);
    await person.leave();
  }

  /** Ends a test: the roads are open again, everybody leaves, and nobody's page did what it must not. */
  async part() {
    const guests = this.#present;
    this.#present = [];
    for (const road of this.roads) Object.assign(road, { refusesWebSockets: false }).become("open");
    for (const guest of guests) {
      const wrongs = await guest.wrongs();
      await guest.leave();
      assert.deepEqual(wrongs, []);
    }
  }

  async disband() {
    await this.browser?.close();
    await this.stage?.fall();
  }
}
