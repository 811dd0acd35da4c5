"""The judges are judged: each has to see what is wrong, or a pass of the others would mean nothing."""

from alibabacloud_alb20200616 import models as alb_models
from alibabacloud_tea_openapi.exceptions import ClientException

from count import ACTIONS_FLOOR, REFUSALS_FLOOR, Count
from harness.check import contains, equal
from harness.clients import lost
from harness.refusals import expect_refusal
from harness.registry import case
from harness.shape import deviations
from harness.waiting import wait_for

from .wire import differences, typed, unflattened


def fails(call):
    """The sentence a check fails with."""
    try:
        call()
    except AssertionError as error:
        return str(error)
    raise AssertionError("a check passes that has to fail")


@case
def a_field_the_sdk_does_not_know_or_reads_otherwise_is_seen(_):
    body = {
        "RequestId": 3,
        "TotalCount": 1.5,
        "Listeners": [{"ListenerPort": "80", "GzipEnabled": 1, "Port": 80, "DefaultActions": {}, "Tags": None}],
    }
    found = deviations(alb_models.ListListenersResponseBody, body)
    places = sorted(text.split(" is ")[0] for text in found)
    wanted = ["DefaultActions", "GzipEnabled", "ListenerPort", "Port", "Tags"]
    equal("places", places, sorted([f"Listeners[0].{name}" for name in wanted] + ["RequestId", "TotalCount"]))
    equal("a good reply", deviations(alb_models.ListListenersResponseBody, {"RequestId": "A", "Listeners": []}), [])


@case
def another_status_another_code_and_no_refusal_are_seen(_):
    def refuse(code, status):
        def call():
            raise ClientException(code=code, status_code=status, message="made up", data={})

        return call

    operation, code = "Ecs.StartInstance", "InvalidInstanceId.NotFound"
    expect_refusal(operation, code, refuse(code, 404))
    assert "HTTP 400" in fails(lambda: expect_refusal(operation, code, refuse(code, 400)))
    assert "Other" in fails(lambda: expect_refusal(operation, code, refuse("Other", 404)))
    assert "not refused" in fails(lambda: expect_refusal(operation, code, lambda: {"RequestId": "A"}))
    assert "holds no" in fails(lambda: expect_refusal(operation, "MadeUp", refuse("MadeUp", 404)))


@case
def a_condition_that_never_comes_is_named(_):
    sentence = fails(lambda: wait_for("pigs fly", lambda: False, deadline=0.05))
    assert "pigs fly" in sentence, sentence


@case
def another_value_in_a_reply_is_seen(_):
    contains("it", {"A": {"B": 1}, "C": 2}, {"A": {"B": 1}})
    assert "it.A.B" in fails(lambda: contains("it", {"A": {"B": 2}}, {"A": {"B": 1}}))
    assert "has no C" in fails(lambda: contains("it", {"A": 1}, {"C": 1}))
    equal("names a model did not keep", lost({"A": [{"B": 1, "C": 2}], "D": 1}, {"A": [{"B": 1}]}), ["A.0.C", "D"])


@case
def another_key_value_or_place_of_ours_is_seen(_):
    ours = {"Tag.1.Key": "a", "ListenerPort": "80", "GzipEnabled": "true", "RegionId": "cn-hangzhou"}
    theirs = {"Tag.1.Key": "a", "ListenerPort": "80", "GzipEnabled": "True"}
    equal("no differences", differences("it", ours, theirs, {"RegionId"}), [])
    equal("an extra key", len(differences("it", ours, theirs, set())), 1)
    equal("another value", len(differences("it", ours, theirs | {"ListenerPort": "81"}, {"RegionId"})), 1)
    equal("another key", len(differences("it", ours, theirs | {"Tags.1.Key": "a"}, {"RegionId"})), 1)
    model = alb_models.CreateListenerRequest
    given = typed(model, unflattened(ours | {"Tag.2.Key": "b"}))
    equal("typed", given, {"Tag": [{"Key": "a"}, {"Key": "b"}], "ListenerPort": 80, "GzipEnabled": True, "RegionId": "cn-hangzhou"})


def entry(operation, effect, named=(), shown=(), status=200, code=None):
    """A line of a log."""
    resources = {"named": list(named), "shown": list(shown)}
    return {"operation": operation, "effect": effect, "status": status, "code": code, "resources": resources}


@case
def what_was_not_driven_or_not_read_back_is_counted_as_such(_):
    log = [
        entry("P.Make", "change", ["vpc-1"], ["i-1"]),
        entry("P.Rename", "change", ["i-1"]),
        entry("P.List", "read", [], ["vpc-1"]),
        entry("P.Refused", "read", ["i-1"], status=404, code="Gone"),
    ]
    documented = {"*": {}, "P.Refused": {"Gone": [403]}}
    count = Count(log, documented)
    equal("driven", count.driven, {"P.Make", "P.Rename", "P.List"})
    equal("read back", count.read_back, set())
    equal("refusals with another status", count.refused, set())
    faults = "\n".join(count.faults({"P.Make", "P.Rename", "P.List", "P.Never"}))
    for wanted in ("P.Never is emulated", "P.Make changes", "P.Rename changes", f"{ACTIONS_FLOOR} is", f"{REFUSALS_FLOOR} is"):
        assert wanted in faults, f"{wanted!r} is not in {faults!r}"
    count = Count([*log, entry("P.Get", "read", ["i-1"])], {"*": {"Gone": [404]}})
    equal("read back", count.read_back, {"P.Make", "P.Rename"})
    equal("refusals", count.refused, {("P.Refused", "Gone")})
    absent = [entry("P.Delete", "change", ["i-1"]), entry("P.Get", "read", ["i-1"], status=404, code="Id.NotFound")]
    equal("told that it is absent", Count(absent, documented).read_back, {"P.Delete"})


@case
def a_call_of_no_known_kind_changes_nothing(_):
    unknown = entry("P.Odd", None)
    count = Count([unknown], {"*": {}})
    equal("read back and changing", (count.read_back, count.changing), (set(), set()))
