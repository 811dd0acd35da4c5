"""Waiting for a condition that has a name, until a deadline; never for a time."""

import time

#: Seconds any condition may take. Everything under test moves in fractions of a second.
DEADLINE = 30.0
FIRST_GAP = 0.02
LONGEST_GAP = 0.25


def wait_for(condition, look, deadline=DEADLINE):
    """Looks until it sees something true and returns that; fails with the condition's name and the last sight."""
    end = time.monotonic() + deadline
    gap = FIRST_GAP
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() >= end:
            raise AssertionError(f"waited {deadline:.0f} s in vain until {condition}; last seen: {seen!r}")
        time.sleep(gap)
        gap = min(gap * 1.5, LONGEST_GAP)


def wait_until_accepted(what, call, *passing):
    """Makes a call until it is not refused with one of these codes any more; answers its reply."""
    from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

    def attempt():
        try:
            return [call()]
        except AlibabaCloudException as error:
            if error.code not in passing:
                raise
            return None

    return wait_for(f"{what} is not refused with {' or '.join(passing)}", attempt)[0]
