"""The official Python clients, one a product, driven by wire names.

A call is written with the names of the API, `ecs("DescribeVpcs", PageSize=10)`; the SDK's own request model turns it
into a request, so a name it does not know fails here. Each reply is read by the SDK's reply model, and what the model
could not read is kept for a case of its own.
"""

import importlib

from alibabacloud_tea_openapi.models import Config
from darabonba.runtime import ExtendsParameters, RuntimeOptions

from harness.process import REGION
from harness.shape import deviations, fields_of

PRODUCTS = {
    "Ecs": "ecs20140526",
    "Vpc": "vpc20160428",
    "Alb": "alb20200616",
    "Alidns": "alidns20150109",
    "R-kvstore": "r_kvstore20150101",
    "cas": "cas20200407",
    "Sts": "sts20150401",
}


class ProductClient:
    """One product of one cloud."""

    def __init__(self, address, product, shapes, **settings):
        self.product = product
        package = f"alibabacloud_{PRODUCTS[product]}"
        self.models = importlib.import_module(f"{package}.models")
        config = {"access_key_id": address.access_key_id, "access_key_secret": address.access_key_secret}
        config |= {"endpoint": address.host, "protocol": "http", "region_id": REGION}
        self.sdk = importlib.import_module(f"{package}.client").Client(Config(**(config | settings)))
        self.shapes = shapes
        self.methods = {
            name.removesuffix("with_options").replace("_", ""): name
            for name in dir(self.sdk)
            if name.endswith("with_options")
        }
        send = self.sdk.call_api

        def judged(params, request, runtime):
            answer = send(params, request, runtime)
            self.judge(params.action, answer["body"])
            return answer

        self.sdk.call_api = judged

    def judge(self, action, body):
        """Holds a raw reply against the model that will read it."""
        model = getattr(self.models, f"{action}ResponseBody")
        self.shapes.setdefault(f"{self.product}.{action}", set()).update(deviations(model, body))

    def __call__(self, action, headers=None, region=True, **parameters):
        """Calls an action and returns its reply, as the SDK's model read it, with the names of the API.

        The region is added where the action needs one, unless `region` is false.
        """
        method = getattr(self.sdk, self.methods[action.lower()])
        runtime = RuntimeOptions(extends_parameters=ExtendsParameters(headers=headers) if headers else None)
        request = self.request(action, parameters, region)
        answer = method(runtime) if request is None else method(request, runtime)
        return answer.body.to_map()

    def request(self, action, parameters, region):
        """The SDK's request for these parameters."""
        model = getattr(self.models, f"{action}Request", None)
        if model is None:
            assert not parameters, f"{action} takes no parameters"
            return None
        if region and self.needs_region(action):
            parameters = {"RegionId": REGION} | parameters
        request = model().from_map(parameters)
        dropped = lost(parameters, request.to_map())
        assert not dropped, f"the SDK's {action} knows no {', '.join(dropped)}"
        return request

    def needs_region(self, action):
        """Whether the action's own model has a region."""
        return "RegionId" in fields_of(getattr(self.models, f"{action}Request"))


def lost(given, kept, path=""):
    """Names that were given and that a model did not keep."""
    if isinstance(given, dict) and isinstance(kept, dict):
        places = [(f"{path}.{name}" if path else name, value, kept.get(name)) for name, value in given.items()]
        return [text for place, value, other in places for text in ([place] if other is None else lost(value, other, place))]
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        return [text for number, (one, two) in enumerate(zip(given, kept)) for text in lost(one, two, f"{path}.{number}")]
    return [] if given == kept else [path]
