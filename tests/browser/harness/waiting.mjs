// Waiting for a condition instead of for a time, and ports that are free.

import { once } from "node:events";
import { createServer } from "node:net";

export const PATIENCE = 20_000;

/** Waits until `condition` gives something true, and returns it; says what was waited for when it does not in time. */
export async function until(what, condition, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
