"""The list of cases: a function with `@case` is one, named after its file and itself."""

from dataclasses import dataclass
from typing import Callable

CASES: list["Case"] = []


@dataclass(frozen=True)
class Case:
    """One case."""

    name: str
    run: Callable[["Stage"], None]  # noqa: F821: the stage imports this file


def case(function):
    """Makes a function a case. It gets the stage, and passes when it returns."""
    module = function.__module__.rsplit(".", 1)[-1]
    CASES.append(Case(f"{module}::{function.__name__}", function))
    return function


def error_case(operation, code, name=None):
    """Makes a function that ought to be refused a case: its one call answers `code` with the documented status."""
    from harness.refusals import expect_refusal

    def decorate(function):
        def run(stage):
            expect_refusal(operation, code, lambda: function(stage))

        run.__module__ = function.__module__
        run.__name__ = name or function.__name__
        return case(run)

    return decorate
