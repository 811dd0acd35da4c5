"""The tutorial's whole procedure with the official SDKs alone, and everything removed again."""

import json

from harness.check import equal
from harness.registry import case
from harness.tutorial import Tutorial


@case
def the_chatroom_is_built_and_removed(stage):
    resources = lambda: json.loads(stage.brisk.address.admin("status"))["resources_by_kind"]
    stage.brisk.build.shared
    before = resources()
    tutorial = Tutorial(stage.brisk)
    tutorial.build()
    tutorial.remove()
    equal("what is left", {kind: count for kind, count in resources().items() if count != before.get(kind, 0)}, {})
