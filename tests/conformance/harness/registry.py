"""The list of cases: a function with `@case` is one, named after its file and itself."""

from dataclasses import dataclass
from typing import Callable

CASES: list["Case"] = []


@dataclass(frozen=True)
class Case:
    """One case."""

    name: str
    #: The file it stands in: cases of one file share their clouds.
    file: str
    run: Callable[["Stage"], None]  # noqa: F821: the stage imports this file


def case(function):
    """Makes a function a case. It gets the stage, and passes when it returns."""
    CASES.append(Case(f"{file_of(function)}::{function.__name__}", file_of(function), function))
    return function


def refused(operation, code, call, note=""):
    """Makes a call that ought to be refused a case: it answers `code` with the documented status.

    `call` gets the stage; what it has to make first it makes before its last call.
    """
    from harness.refusals import expect_refusal

    name = f"{operation}_is_refused_with_{code}" + (f"_{note}" if note else "")
    run = lambda stage: expect_refusal(operation, code, lambda: call(stage))
    CASES.append(Case(f"refusals::{name}", file_of(call), run))


def file_of(function):
    """The file a function stands in, without folder and ending."""
    return function.__module__.rsplit(".", 1)[-1]
