"""Drives mock-cloud, and our own client, with other people's clients, and counts from the call log what was driven.

    .ci/conformance            every case
    .ci/conformance PART...    the cases whose names hold one of these parts; nothing is counted then

Prints a line a case and a table a product, and ends with `test result:` as other tests do.
"""

import argparse
import importlib
import itertools
import json
import pkgutil
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import cases  # noqa: E402
from harness.registry import CASES, Case  # noqa: E402
from harness.stage import Stage  # noqa: E402


def main():
    """Runs what was asked for; the exit code says whether all of it passed."""
    arguments = parse()
    for module in sorted(found.name for found in pkgutil.iter_modules(cases.__path__)):
        importlib.import_module(f"cases.{module}")
    chosen = [case for case in CASES if not arguments.parts or any(part in case.name for part in arguments.parts)]
    if not chosen:
        sys.exit(f"no case has {' or '.join(arguments.parts)} in its name")
    programs = {name: Path(path).resolve() for name, path in arguments.program}
    folder = Path(tempfile.mkdtemp(prefix="conformance-"))
    begun = time.monotonic()
    try:
        tally = run(chosen, folder, programs, counted=not arguments.parts)
    finally:
        shutil.rmtree(folder)
    passed, failed = tally.count(True), tally.count(False)
    verdict = "FAILED" if failed else "ok"
    print(f"\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; "
          f"finished in {time.monotonic() - begun:.2f}s")
    sys.exit(1 if failed else 0)


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="run the cases whose names hold one of these")
    parser.add_argument("--program", nargs=2, action="append", metavar=("NAME", "FILE"), required=True,
                        help="a program under test: mock-cloud, albatross")
    return parser.parse_args()


def run(chosen, folder, programs, counted):
    """Runs the cases, file by file, and then the ones that follow from all of them."""
    shapes, logs, tally = {}, [], []
    for _, group in itertools.groupby(chosen, key=lambda case: case.file):
        with Stage(folder, programs, shapes) as stage:
            tally += [judge(case, stage) for case in group]
        logs += stage.logs
    tally += [judge(shape_case(operation, shapes[operation]), None) for operation in sorted(shapes)]
    if counted:
        calls = [call for log in logs for call in log]
        counting = lambda _: count(calls, folder, programs["mock-cloud"])
        tally.append(judge(Case("count::what_was_driven_by_the_call_log", "count", counting), None))
    return tally


def shape_case(operation, deviations):
    """Every reply of an action had only fields the SDK knows, with the types it reads."""

    def look(_):
        assert not deviations, "\n".join(sorted(deviations))

    return Case(f"shape::{operation}", "shape", look)


def count(calls, folder, serve):
    """Has the counting program judge the log: it knows nothing of the cases."""
    log = folder / "calls.ndjson"
    log.write_text("".join(json.dumps(call) + "\n" for call in calls))
    command = [sys.executable, str(HERE / "count.py"), "--log", str(log), "--mock-cloud", str(serve)]
    finished = subprocess.run(command, capture_output=True, text=True)
    print(finished.stdout, end="")
    assert finished.returncode == 0, finished.stderr.strip()


def judge(case, stage):
    """Runs one case and says how it went."""
    begun = time.monotonic()
    try:
        case.run(stage)
    except Exception as error:  # a case fails in whatever way it likes; the others go on
        where = traceback.extract_tb(error.__traceback__)
        place = next((frame for frame in reversed(where) if "/cases/" in frame.filename), where[-1])
        print(f"test {case.name} ... FAILED ({time.monotonic() - begun:.2f}s)")
        print(f"    {Path(place.filename).name}:{place.lineno}: {type(error).__name__}: {brief(error)}", flush=True)
        return False
    print(f"test {case.name} ... ok ({time.monotonic() - begun:.2f}s)", flush=True)
    return True


def brief(error):
    """An error in a few lines: the SDKs repeat their whole reply."""
    text = f"{error.code} ({error.status_code})" if getattr(error, "status_code", None) else ""
    return (f"{text} {getattr(error, 'message', error)}").strip()[:2000]


if __name__ == "__main__":
    main()
