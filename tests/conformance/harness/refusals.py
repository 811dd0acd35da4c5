"""What has to be refused: with this code, and the HTTP status the official metadata gives that code of that action."""

import functools
import json
from pathlib import Path

from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

TABLE = Path(__file__).parent.parent / "data" / "refusals.json"


@functools.lru_cache(maxsize=None)
def documented():
    """`Product.Action` to code to HTTP statuses; `*` holds what the gateway answers for any action."""
    return json.loads(TABLE.read_text())["refusals"]


def documented_statuses(operation, code):
    """The statuses that are documented for a code of an action; some actions have two for one code."""
    table = documented()
    return table.get(operation, {}).get(code) or table["*"].get(code) or []


def code_of(call):
    """The code a call is refused with, for what no metadata documents."""
    try:
        answer = call()
    except AlibabaCloudException as error:
        return error.code
    raise AssertionError(f"not refused: {answer!r}")


def expect_refusal(operation, code, call):
    """Makes a call that has to be refused, compares code and status, and returns the error."""
    statuses = documented_statuses(operation, code)
    assert statuses, f"{TABLE.name} holds no {code} of {operation}"
    wanted = f"{code} with HTTP {' or '.join(map(str, statuses))}"
    try:
        answer = call()
    except AlibabaCloudException as error:
        fits = error.code == code and error.status_code in statuses
        assert fits, f"{operation} answers {error.code} with HTTP {error.status_code}, not {wanted}: {error.message}"
        return error
    raise AssertionError(f"{operation} is not refused with {wanted}: it answers {answer!r}")
