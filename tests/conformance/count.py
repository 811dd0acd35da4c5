"""Counts from call logs what was driven, what was read back and what was refused; knows nothing of the cases.

    count.py --log FILE --mock-cloud FILE

A line of the log is one call as the cloud saw it: action, effect, status, code, and the resources that the request
names and the reply shows. A change that makes something, which its reply shows, is read back when a later call of an
action that only reads names or shows that; a change of what its request names when later reads name or show all of it.
To be told that it is absent counts too. A refusal counts once for each action and code, when its status is the documented one.
Our own client is left out: this counts what other people's clients do.

Ends with 1 when an emulated action was not driven, a change was not read back, or a total is below its floor.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ACTIONS_FLOOR = 120
REFUSALS_FLOOR = 60
TABLE = Path(__file__).parent / "data" / "refusals.json"
OURS = "albatross/"


def main():
    """Reads, counts, prints, judges."""
    arguments = parse()
    calls = [json.loads(line) for line in arguments.log.read_text().splitlines()]
    calls = [call for call in calls if not call["client"]["agent"].startswith(OURS)]
    emulated = set(provenance(arguments.mock_cloud)["actions"])
    documented = json.loads(TABLE.read_text())["refusals"]
    count = Count(calls, documented)
    print(count.table(emulated))
    faults = count.faults(emulated)
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=Path, required=True, help="call log, a line of JSON a call")
    parser.add_argument("--mock-cloud", type=Path, required=True, help="the program, asked what it emulates")
    return parser.parse_args()


def provenance(program):
    """What the program says it emulates."""
    finished = subprocess.run([program, "provenance", "--json"], capture_output=True, text=True, check=True)
    return json.loads(finished.stdout)


class Count:
    """What a log holds."""

    def __init__(self, calls, documented):
        answered = [call for call in calls if call["status"] == 200]
        told = [call for call in calls if call["status"] == 200 or says_absent(call)]
        self.calls = len(calls)
        self.driven = {call["operation"] for call in answered}
        self.changing = {call["operation"] for call in answered if call.get("effect") == "change"}
        self.read_back = changes_read_back(told)
        self.refused = set()
        for call in calls:
            pair = (call["operation"], call.get("code"))
            if pair[1] and call["status"] in statuses(documented, *pair):
                self.refused.add(pair)

    def table(self, emulated):
        """A line a product and one for all."""
        row = "{:<11} {:>9} {:>8} {:>9} {:>11} {:>9}".format
        lines = ["", row("product", "emulated", "driven", "changing", "read back", "refusals")]
        products = sorted({product_of(operation) for operation in emulated | self.driven})
        for product in [*products, None]:
            of = lambda operations: sum(product in (None, product_of(one)) for one in operations)
            refusals = sum(product in (None, product_of(operation)) for operation, _ in self.refused)
            numbers = [of(emulated), of(self.driven & emulated), of(self.changing), of(self.read_back), refusals]
            lines.append(row(product or "all", *numbers))
        return "\n".join([*lines, f"from {self.calls} calls in the log"])

    def faults(self, emulated):
        """All that falls short, as sentences."""
        faults = [f"{operation} is emulated but was not driven" for operation in sorted(emulated - self.driven)]
        missing = sorted(self.changing - self.read_back)
        faults += [f"{operation} changes something that no other action read back" for operation in missing]
        driven = len(self.driven & emulated)
        if driven < ACTIONS_FLOOR:
            faults.append(f"{driven} actions were driven, {ACTIONS_FLOOR} is the least")
        if len(self.refused) < REFUSALS_FLOOR:
            faults.append(f"{len(self.refused)} refusals were as documented, {REFUSALS_FLOOR} is the least")
        return faults


def product_of(operation):
    """`R-kvstore` of `R-kvstore.TagResources`."""
    return operation.rsplit(".", 1)[0]


def statuses(documented, operation, code):
    """The documented statuses of a code of an action."""
    return documented.get(operation, {}).get(code) or documented["*"].get(code) or []


def says_absent(call):
    """Whether a read was told that what it asked for is not there."""
    absent = ("NotFound", "NotBelongToUser", "NoExist", "NotExist", "NoSuch")
    return call.get("effect") == "read" and any(word in (call.get("code") or "") for word in absent)


def changes_read_back(calls):
    """Changing actions of which at least one call was read back."""
    read_back, awaited = set(), []
    for call in calls:
        named, shown = set(call["resources"]["named"]), set(call["resources"]["shown"])
        if call.get("effect") == "read":
            seen = named | shown
            for change in awaited:
                change.see(seen)
            read_back |= {change.operation for change in awaited if change.is_read_back}
            awaited = [change for change in awaited if change.operation not in read_back]
        elif call.get("effect") == "change" and call["status"] == 200 and call["operation"] not in read_back:
            awaited.append(Change(call["operation"], shown - named, named))
    return read_back


class Change:
    """A change that waits to be read back."""

    def __init__(self, operation, made, named):
        self.operation = operation
        self.made = made
        self.unseen = set(made or named)
        # A change of nothing that has an id cannot be followed.
        self.is_read_back = False

    def see(self, seen):
        """Takes in what a read has named or shown."""
        before = len(self.unseen)
        self.unseen -= seen
        self.is_read_back = before > 0 and (len(self.unseen) < before if self.made else not self.unseen)


if __name__ == "__main__":
    main()
