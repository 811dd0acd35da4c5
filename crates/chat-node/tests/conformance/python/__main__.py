"""The Python clients against two nodes: `python FOLDER PORT PORT [PART...]`.

Prints tab-separated lines: `begin SUITE VERSION`, then `ok` or `not ok`, suite, version, name and reason.
"""

import asyncio
import importlib.metadata
import sys
import threading
import traceback

import engine_cases
import socket_cases
import socket_cases_async


def report(*fields):
    print("\t".join(field.replace("\t", " ").replace("\n", "\\n") for field in fields), flush=True)


def run(suite, version, cases, parts):
    report("begin", suite, version)
    for name, body in cases:
        if parts and not any(part in f"{suite} {version}: {name}" for part in parts):
            continue
        try:
            # A client that never returns must not take the other cases with it.
            outcome = []

            def attempt():
                try:
                    result = body()
                    if asyncio.iscoroutine(result):
                        asyncio.run(asyncio.wait_for(result, 50))
                except BaseException:
                    outcome.append(traceback.format_exc())

            thread = threading.Thread(target=attempt, daemon=True)
            thread.start()
            thread.join(60)
            if thread.is_alive():
                outcome.append("the case did not end")
        except Exception:
            outcome = [traceback.format_exc()]
        if outcome:
            report("not ok", suite, version, name, outcome[0])
        else:
            report("ok", suite, version, name)


def main():
    ports, parts = [int(port) for port in sys.argv[1:3]], sys.argv[3:]
    version = importlib.metadata.version("python-socketio")
    cases = list(socket_cases.cases(ports)) + list(socket_cases_async.cases(ports))
    run("python-socketio", version, cases, parts)
    version = importlib.metadata.version("python-engineio")
    run("python-engineio", version, list(engine_cases.cases(ports)), parts)


main()
sys.stdout.flush()
# Threads of clients that were given up may still wait for something.
import os  # noqa: E402

os._exit(0)
