"""Our own client writes the keys, values and signatures that the official SDKs write.

Its commands run against a cloud with a recorder in between. Each kind of call is put into the SDK's request model and
sent once more by the SDK; both requests must have the same parameters in the same places. The signature is computed
again with the SDK's own code.
"""

import functools
import json
import re
import tempfile
import types
from pathlib import Path
from typing import get_args, get_origin

from alibabacloud_tea_openapi.utils import Utils, get_canonical_query_string

from harness.build import PASSWORD
from harness.check import equal, one
from harness.clients import PRODUCTS, ProductClient
from harness.pem import pair
from harness.process import REGION, Address
from harness.recorder import Recorder
from harness.registry import case
from harness.shape import fields_of
from harness.waiting import wait_for

from .both_ways import TOPOLOGY, Home, run
from .drift import Somebody
from .sts import id_token

ROOT = Path(__file__).parents[3]
#: Where our client names its actions.
SOURCES = sorted((ROOT / "src" / "cloud").glob("*.rs"))
VERSIONS = {
    "2014-05-26": "Ecs",
    "2016-04-28": "Vpc",
    "2020-06-16": "Alb",
    "2015-01-09": "Alidns",
    "2015-01-01": "R-kvstore",
    "2020-04-07": "cas",
    "2015-04-01": "Sts",
}
#: The SDKs' ALB has no region, since it has an address a region. The official CLI and the old core send one with every
#: call, and one address for several regions needs it.
EXTRA = {"Alb": {"RegionId"}}
#: Secrets travel in the form body, as in the official Go libraries: they are in no address that way. The Python SDK has
#: some of them in the query; servers read both.
ANY_PLACE = {"Sts.*", "R-kvstore.CreateAccount", "R-kvstore.ResetAccountPassword", "cas.UploadUserCertificate"}
#: Parameters of the protocol where the old form is spoken: by who is anonymous.
SYSTEM = {"Action", "Version", "Format", "Timestamp", "SignatureNonce"}
#: Those of them that are new in each request.
CHANGING = {"Timestamp", "SignatureNonce"}
#: What the topology says and what it is changed to, so that updates are seen too.
CHANGES = {
    "stack: chatroom\n": "stack: chatroom\ntags: { team: chat }\n",
    "idle_timeout: 60s": "idle_timeout: 50s",
    "[203.0.113.0/24]": "[198.51.100.0/24]",
    "domain: example.com ": "ttl: 1200\n  domain: example.com ",
}

#: The chatroom whose Redis is the cloud's.
TAIR = ROOT / "examples" / "chatroom-tair.yaml"
#: What becomes a listener with a certificate.
PLAIN = "protocol: http"


@functools.cache
def recorded(stage):
    """Every request of a life: examined, priced, planned, made, changed, mended, secured, removed."""
    with Home(stage) as home, Recorder(home.cloud.address.host) as recorder:
        home.go_through(recorder.host)
        home.run("--local", "doctor", str(TOPOLOGY))
        home.run("--local", "cost", str(TOPOLOGY))
        home.run("--local", "cost", str(TAIR))
        home.run("--local", "apply", "--yes", str(TOPOLOGY))
        secure = examined(home)
        changed = home.folder / "changed.yaml"
        text = TOPOLOGY.read_text()
        for before, after in CHANGES.items():
            assert before in text, f"{TOPOLOGY.name} has no {before!r} to change"
            text = text.replace(before, after)
        changed.write_text(text)
        home.run("--local", "apply", "--yes", str(changed))
        drift(home)
        home.run("--local", "apply", "--yes", str(changed))
        kept(home, changed)
        home.run("--local", "apply", "--yes", str(secure))
        redirected(home)
        home.run("--local", "destroy", "--yes", str(secure))
        managed(home)
        address = home.cloud.address
        return recorder.recorded + by_role(stage), {address.access_key_id: address.access_key_secret}


def by_role(stage):
    """The requests of two plans whose keys come from STS: a user assumes a role, and a token of somebody else does."""
    address = stage.instant.address
    user, role = address.ready["ram_user"], address.ready["roles"][0]
    folder = Path(tempfile.mkdtemp(dir=stage.folder))
    profile = {"name": "role", "mode": "RamRoleArn", "access_key_id": user["access_key_id"], "region_id": REGION}
    profile |= {"access_key_secret": user["access_key_secret"], "ram_role_arn": role, "ram_session_name": "wire"}
    (folder / ".aliyun").mkdir()
    (folder / ".aliyun" / "config.json").write_text(json.dumps({"current": "role", "profiles": [profile]}))
    token = folder / "token"
    token.write_text(id_token(stage))
    provider = address.ready["oidc_provider"]["arn"]
    by_token = {"ALIBABA_CLOUD_ROLE_ARN": role, "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": provider}
    by_token["ALIBABA_CLOUD_OIDC_TOKEN_FILE"] = str(token)
    with Recorder(address.host) as recorder:
        for variables in ({}, by_token):
            words = ("--endpoint", f"http://{recorder.host}", "plan", str(TOPOLOGY))
            run(stage.programs["albatross"], folder, *words, **variables)
        return recorder.recorded


def secrets_of(stage):
    """Secrets by key: of accounts and users, and of the sessions that the answers opened."""
    requests, known = recorded(stage)
    user = stage.instant.address.ready["ram_user"]
    opened = [json.loads(one.answer)["Credentials"] for one in requests if one.action.startswith("AssumeRole")]
    sessions = {one["AccessKeyId"]: one["AccessKeySecret"] for one in opened}
    return known | {user["access_key_id"]: user["access_key_secret"]} | sessions


def examined(home):
    """A doctor looks at what there is, a certificate included; the topology with it."""
    certificate, key = pair("example.com")
    new = {"Name": home.cloud.build.name("wire"), "Cert": certificate, "Key": key}
    uploaded = home.cloud("cas.UploadUserCertificate", **new)["CertId"]
    text = TOPOLOGY.read_text()
    assert PLAIN in text, f"{TOPOLOGY.name} has no {PLAIN!r} to change"
    secure = home.folder / "secure.yaml"
    secure.write_text(text.replace(PLAIN, f"protocol: https\n    certificate: {uploaded}-{REGION}"))
    home.run("--local", "doctor", str(secure))
    return secure


def redirected(home):
    """The listener gets a certificate of the stack's own and a redirect to it, whose rule somebody changes."""
    topology = home.folder / "redirected.yaml"
    text = TOPOLOGY.read_text().replace(PLAIN, "protocol: https\n    certificate: { self_signed: true }")
    topology.write_text(text.replace("load_balancer:\n", "load_balancer:\n  redirect_from: 80\n"))
    home.run("--local", "apply", "--yes", str(topology))
    rule = one("rules", home.cloud("Alb.ListRules")["Rules"])
    home.cloud("Alb.UpdateRuleAttribute", RuleId=rule["RuleId"], Priority=7)
    available = lambda: one("rules", home.cloud("Alb.ListRules")["Rules"])["RuleStatus"] == "Available"
    wait_for("the rule takes changes again", available)
    home.run("--local", "apply", "--yes", str(topology))


def managed(home):
    """A Tair instance has the account already, grows, is closed by somebody, and makes way for a classic one."""
    topology = home.folder / "tair.yaml"
    text = TAIR.read_text()

    def applied(**changes):
        changed = text
        for before, after in changes.values():
            assert before in changed, f"{TAIR.name} has no {before!r} to change"
            changed = changed.replace(before, after)
        topology.write_text(changed)
        home.run("--local", "apply", "--yes", str(topology))

    grown = {"grown": ("class: tair.rdb.1g", "eviction: noeviction\n    class: tair.rdb.2g")}
    topology.write_text(text)
    home.run("--local", "apply", "--yes", "--target", "redis_instance.main", str(topology))
    redis = one("instances", home.cloud("R-kvstore.DescribeInstances")["Instances"]["KVStoreInstance"])["InstanceId"]
    account = {"AccountName": "chat_node", "AccountPassword": PASSWORD, "AccountPrivilege": "RoleReadWrite"}
    home.cloud("R-kvstore.CreateAccount", InstanceId=redis, **account)
    accounts = lambda: home.cloud("R-kvstore.DescribeAccounts", InstanceId=redis)["Accounts"]["Account"]
    made = lambda: [one["AccountStatus"] for one in accounts() if one["AccountName"] == "chat_node"]
    wait_for("the account is there", lambda: made() == ["Available"])
    applied()
    applied(**grown)
    home.cloud("R-kvstore.ModifySecurityIps", InstanceId=redis, SecurityIps="10.0.0.1")
    applied(**grown)
    applied(line=("tair:", "classic:"), kind=("tair.rdb.1g", "redis.master.small.default"), engine=('"7.0"', '"5.0"'))
    home.run("--local", "destroy", "--yes", str(topology))


def drift(home):
    """Somebody changes what can be changed and stops what can be stopped: the next apply has to see and mend it."""
    somebody, cloud = Somebody(home), home.cloud
    somebody.change_ten_things()
    group, rule = somebody.ids["security_group.main"], somebody.rule("6379/6379", "redis-ecs01")
    cloud("Ecs.ModifySecurityGroupRule", SecurityGroupId=group, SecurityGroupRuleId=rule, Priority="50")
    wait_for("the listener takes changes again", lambda: status_of(cloud, somebody) == "Running")
    cloud("Alb.StopListener", ListenerId=somebody.ids["listener.main"])
    wait_for("the listener has stopped", lambda: status_of(cloud, somebody) == "Stopped")
    cloud.build.instance_is(somebody.ids["instance.ecs03"], "Stopped")
    cloud.build.server_group_is_available(somebody.ids["server_group.main"])


def kept(home, topology):
    """A machine gets a data disk and a time to live; the disks grow, and one is told to stay."""
    text, machine = topology.read_text(), "ecs02: { vswitch: b, access: public"
    assert machine in text, f"{topology.name} has no {machine!r} to change"
    disks = home.folder / "disks.yaml"
    for size, stays in ((20, "false"), (40, "true")):
        goes = "false" if stays == "true" else "true"
        logs = f"{{ name: logs, size: {size}, delete_with_instance: {goes} }}"
        disks.write_text(text.replace(machine, f"{machine}, expires: {size}h, disk: {size + 20}, data_disks: [{logs}]"))
        home.run("--local", "apply", "--yes", str(disks))
    home.run("--local", "apply", "--yes", str(topology))


def status_of(cloud, somebody):
    """How far the listener is."""
    return cloud("Alb.GetListenerAttribute", ListenerId=somebody.ids["listener.main"])["ListenerStatus"]


def kinds(stage):
    """One request of each kind: product, action, and which parameters it has."""
    found = {}
    for request in recorded(stage)[0]:
        names = frozenset(re.sub(r"\d+", "N", name) for name in request.query | request.form)
        found.setdefault((VERSIONS[request.version], request.action, names), request)
    return [(product, action, request) for (product, action, _), request in found.items()]


@case
def every_action_of_our_client_was_seen(stage):
    named = set()
    for source in SOURCES:
        code = source.read_text().split("#[cfg(test)]")[0]
        named |= set(re.findall(r'Call::new\(\s*Product::\w+,\s*"(\w+)"', code))
        named |= set(re.findall(r'rule_call\("(\w+)"', code))
    assert len(named) > 30, f"only {len(named)} actions are named in the sources: {sorted(named)}"
    seen = {request.action for request in recorded(stage)[0]}
    equal("actions in the sources that were never sent", sorted(named - seen), [])


@case
def parameters_are_those_of_the_sdks(stage):
    wrong = []
    with Recorder() as recorder:
        address = Address(f"http://{recorder.host}", "key", "secret", "1", "", {})
        clients = {product: ProductClient(address, product, {}) for product in PRODUCTS}
        for product, action, ours in kinds(stage):
            theirs = sent_by_sdk(clients[product], action, ours, recorder)
            extra = EXTRA.get(product, set())
            for place, one, two in places(product, action, ours, theirs):
                wrong += differences(f"{product}.{action} {place}", one, two, extra | CHANGING)
    assert not wrong, "\n".join(wrong)


def places(product, action, ours, theirs):
    """What is compared with what."""
    if {f"{product}.*", f"{product}.{action}"} & ANY_PLACE:
        return [("parameters", ours.query | ours.form, theirs.query | theirs.form)]
    return [(place, getattr(ours, place), getattr(theirs, place)) for place in ("query", "form")]


def sent_by_sdk(client, action, ours, recorder):
    """The same call as the SDK sends it."""
    given = {name: value for name, value in (ours.query | ours.form).items() if name not in SYSTEM}
    given = {name: value for name, value in given.items() if name not in EXTRA.get(client.product, set())}
    model = getattr(client.models, f"{action}Request", None)
    parameters = typed(model, unflattened(given)) if model else given
    client(action, region=False, **parameters)
    return recorder.recorded[-1]


def unflattened(flat):
    """`Tag.1.Key` to a list of objects."""
    tree = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return listed(tree)


def listed(node):
    """Objects whose names are 1, 2, ... as lists."""
    if not isinstance(node, dict):
        return node
    items = {name: listed(value) for name, value in node.items()}
    if items and all(name.isdigit() for name in items):
        return [items[name] for name in sorted(items, key=int)]
    return items


def typed(model, values):
    """Texts as the model's types; a name it does not know stays, and is found missing later."""
    known = fields_of(model)
    return {name: as_type(known.get(name, str), value) for name, value in values.items()}


def as_type(wanted, value):
    """A text as a type."""
    if get_origin(wanted) is list:
        (item,) = get_args(wanted)
        return [as_type(item, one) for one in value]
    if hasattr(wanted, "from_map"):
        return typed(wanted, value)
    if wanted is bool:
        assert value in ("true", "false"), f"{value!r} is no boolean"
        return value == "true"
    return int(value) if wanted is int else value


def differences(what, ours, theirs, extra):
    """What is in one and not in the other, or different; Python writes booleans in its own way."""
    found = []
    for name in sorted(set(ours) | set(theirs)):
        one, two = ours.get(name), theirs.get(name)
        same = one == two or (two in ("True", "False") and one == two.lower())
        # The format is read without regard to case.
        same = same or (name == "Format" and one and two and one.lower() == two.lower())
        if not same and name not in extra:
            found.append(f"{what}: {name} is {one!r} with us, {two!r} with the SDK")
    return found


@case
def signatures_are_those_of_the_sdks(stage):
    requests, secrets = recorded(stage)[0], secrets_of(stage)
    signed = [request for request in requests if request.action != "AssumeRoleWithOIDC"]
    assert len(signed) > 100, f"only {len(signed)} requests"
    for request in signed:
        signature_is_theirs(request, secrets)
    unsigned = [request for request in requests if "authorization" not in request.headers]
    equal("unsigned requests", [request.action for request in unsigned], ["AssumeRoleWithOIDC"])


def signature_is_theirs(request, secrets):
    """Computes one signature again with the SDK's own code."""
    algorithm, rest = request.headers["authorization"].split(" ", 1)
    parts = dict(part.split("=", 1) for part in rest.split(","))
    names = parts["SignedHeaders"].split(";")
    forgotten = [name for name in request.headers if must_be_signed(name) and name not in names]
    equal(f"headers of {request.action} that are not signed", forgotten, [])
    as_signed = types.SimpleNamespace(
        method=request.method,
        pathname=request.path,
        query=request.query,
        headers={name: request.headers[name] for name in names},
    )
    payload = Utils.hash(request.body, algorithm).hex()
    equal("x-acs-content-sha256", request.headers["x-acs-content-sha256"], payload)
    key = parts["Credential"]
    theirs = Utils.get_authorization(as_signed, algorithm, payload, key, secrets[key])
    equal(f"Authorization of {request.action}", request.headers["authorization"], theirs)
    equal(f"query of {request.action}", request.raw_query, get_canonical_query_string(request.query))


def must_be_signed(name):
    """What the documentation wants signed."""
    return name in ("host", "content-type") or name.startswith("x-acs-")
