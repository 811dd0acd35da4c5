"""What has to be refused: with this code, and the HTTP status the official metadata gives that code of that action."""

import functools
import json
from pathlib import Path

from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

TABLE = Path(__file__).parent.parent / "data" / "refusals.json"


@functools.lru_cache(maxsize=None)
def documented():
    """`Product.Action` to code to HTTP status; `*` holds what the gateway answers for any action."""
    return json.loads(TABLE.read_text())["refusals"]


def documented_status(operation, code):
    """The status that is documented for a code of an action."""
    table = documented()
    status = table.get(operation, {}).get(code) or table["*"].get(code)
    assert status, f"{operation} has no documented {code}: {TABLE.name} does not hold it"
    return status


def expect_refusal(operation, code, call):
    """Makes a call that has to be refused, compares code and status, and returns the error."""
    status = documented_status(operation, code)
    try:
        answer = call()
    except AlibabaCloudException as error:
        seen = (error.code, error.status_code)
        assert seen == (code, status), f"{operation} answers {seen}, documented is {(code, status)}: {error.message}"
        return error
    raise AssertionError(f"{operation} succeeds with {answer!r}, documented is {(code, status)}")
