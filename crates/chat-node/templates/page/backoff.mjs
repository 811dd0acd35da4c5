// How long to wait before the next attempt: drawn from all of zero to a ceiling, so that clients which lost one server
// together do not come back together.

// After a server that said goodbye: another one is there already.
const ORDERLY_CEILING = 250;
const FIRST_CEILING = 500;
// A load balancer takes some seconds to notice that a node is gone, and leads every other attempt there meanwhile.
const NEXT_CEILING = 1_000;
const PATIENT_FAILURES = 6;
const LAST_CEILING = 10_000;
// A connection that lasted this long, in milliseconds, was a good one.
const GOOD = 5_000;

/** Half a second, then a second for a while, then twice as long with each failure. */
function ceilingAfter(failures) {
  if (failures === 0) return FIRST_CEILING;
  return Math.min(LAST_CEILING, NEXT_CEILING * 2 ** Math.max(0, failures - PATIENT_FAILURES));
}

/** Counts failures in a row. */
export class Backoff {
  #failures = 0;
  #random;

  constructor(random) {
    this.#random = random;
  }

  /** The delay after a loss, in milliseconds. `lasted`: how long we were connected, 0 for an attempt that failed. */
  next({ orderly, lasted }) {
    if (lasted >= GOOD) this.#failures = 0;
    const first = orderly && this.#failures === 0;
    const ceiling = first ? ORDERLY_CEILING : ceilingAfter(this.#failures);
    // An orderly end of a connection that was in use is nobody's failure.
    if (!(first && lasted >= GOOD)) this.#failures += 1;
    return this.#random() * ceiling;
  }
}
