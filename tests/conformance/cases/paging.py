"""Lists to their end, page by page, in every style: nothing missing, nothing twice, no page too large."""

from harness.build import PASSWORD, ZONES
from harness.check import equal
from harness.registry import case

from .certificates import upload


def by_token(call, items, size=None):
    """All items of a list that hands out tokens, and how many pages it took."""
    found, token, pages = [], None, 0
    while True:
        more = {} if size is None else {"MaxResults": size}
        answer = call(**more, **({"NextToken": token} if token else {}))
        page = items(answer)
        pages += 1
        assert size is None or len(page) <= size, f"a page of {len(page)}, asked for {size} at most"
        found += page
        token = answer.get("NextToken")
        if not token:
            return found, pages
        assert pages < 100, "the list has no end"


def by_number(call, items, size, names=("PageNumber", "PageSize")):
    """All items of a list with numbered pages, and what it says the total is."""
    found, number = [], 1
    while True:
        answer = call(**{names[0]: number, names[1]: size})
        equal(names[0], answer[names[0]], number)
        equal(names[1], answer[names[1]], size)
        page = items(answer)
        assert len(page) <= size, f"a page of {len(page)}, asked for {size} at most"
        if not page:
            return found, answer["TotalCount"]
        found += page
        number += 1
        assert number < 100, "the list has no end"


def complete(found, made):
    """Each exactly once."""
    equal("ids on all pages", sorted(found), sorted(made))


@case
def alb_by_token(stage):
    vpc = stage.build.vpc()
    made = [stage.build.server_group(VpcId=vpc) for _ in range(5)]
    call = lambda **page: stage("Alb.ListServerGroups", VpcId=vpc, **page)
    found, pages = by_token(call, lambda answer: [one["ServerGroupId"] for one in answer["ServerGroups"]], 2)
    complete(found, made)
    equal("pages", pages, 3)


@case
def ecs_by_token(stage):
    vpc = stage.build.vpc()
    made = [stage.build.group(vpc) for _ in range(5)]
    call = lambda **page: stage("Ecs.DescribeSecurityGroups", VpcId=vpc, **page)
    ids = lambda answer: [one["SecurityGroupId"] for one in answer["SecurityGroups"]["SecurityGroup"]]
    complete(by_token(call, ids, 2)[0], made)


@case
def ecs_instances_by_token_have_pages_of_ten_at_least(stage):
    vpc = stage.build.vpc()
    place = {"VSwitchId": stage.build.vswitch(vpc, 1), "SecurityGroupId": stage.build.group(vpc)}
    made = stage.build.instances(12, **place)
    call = lambda **page: stage("Ecs.DescribeInstances", VpcId=vpc, **page)
    ids = lambda answer: [one["InstanceId"] for one in answer["Instances"]["Instance"]]
    equal("a page asked to hold 3", len(ids(call(MaxResults=3))), 10)
    found, pages = by_token(call, ids, 10)
    complete(found, made)
    equal("pages", pages, 2)


@case
def ecs_tags_by_token_without_a_size(stage):
    groups = [stage.build.group(stage.build.shared["vpc"]) for _ in range(3)]
    for group in groups:
        tags = [{"Key": f"key-{number}", "Value": group} for number in range(20)]
        stage("Ecs.TagResources", ResourceType="securitygroup", ResourceId=[group], Tag=tags)
    call = lambda **page: stage("Ecs.ListTagResources", ResourceType="securitygroup", ResourceId=groups, **page)
    items = lambda answer: [(one["ResourceId"], one["TagKey"]) for one in answer["TagResources"]["TagResource"]]
    found, pages = by_token(call, items)
    complete(found, [(group, f"key-{number}") for group in groups for number in range(20)])
    assert pages > 1, "60 tags came on one page"


@case
def vpc_by_number(stage):
    vpc = stage.build.vpc()
    made = [stage.build.vswitch(vpc, number) for number in range(5)]
    call = lambda **page: stage("Vpc.DescribeVSwitches", VpcId=vpc, **page)
    found, total = by_number(call, lambda answer: [one["VSwitchId"] for one in answer["VSwitches"]["VSwitch"]], 2)
    complete(found, made)
    equal("TotalCount", total, 5)


@case
def ecs_by_number(stage):
    prefix = stage.build.name("pages")
    from harness.build import public_key

    made = [f"{prefix}-{number}" for number in range(3)]
    for name in made:
        stage("Ecs.ImportKeyPair", KeyPairName=name, PublicKeyBody=public_key())
    call = lambda **page: stage("Ecs.DescribeKeyPairs", KeyPairName=f"{prefix}*", **page)
    found, total = by_number(call, lambda answer: [one["KeyPairName"] for one in answer["KeyPairs"]["KeyPair"]], 2)
    complete(found, made)
    equal("TotalCount", total, 3)


@case
def alidns_by_number(stage):
    host = stage.build.name("pages")
    made = [
        stage("Alidns.AddDomainRecord", DomainName="example.com", RR=host, Type="A", Value=f"192.0.2.{number}")["RecordId"]
        for number in range(5)
    ]
    call = lambda **page: stage("Alidns.DescribeDomainRecords", DomainName="example.com", RRKeyWord=host, **page)
    found, total = by_number(call, lambda answer: [one["RecordId"] for one in answer["DomainRecords"]["Record"]], 2)
    complete(found, made)
    equal("TotalCount", total, 5)


@case
def redis_by_number(stage):
    vpc = stage.build.vpc()
    new = {"VpcId": vpc, "VSwitchId": stage.build.vswitch(vpc, 1), "ZoneId": ZONES[0], "Password": PASSWORD}
    made = [stage.build.redis(**new) for _ in range(3)]
    size = 30
    answer = stage("R-kvstore.DescribeInstances", VpcId=vpc, PageSize=size, PageNumber=1)
    complete([one["InstanceId"] for one in answer["Instances"]["KVStoreInstance"]], made)
    equal("TotalCount", answer["TotalCount"], 3)
    beyond = stage("R-kvstore.DescribeInstances", VpcId=vpc, PageSize=size, PageNumber=2)
    equal("the page after the last", beyond["Instances"]["KVStoreInstance"], [])


@case
def redis_accounts_by_number(stage):
    redis = stage.build.redis()
    made = [f"reader{number}" for number in range(3)]
    for name in made:
        stage("R-kvstore.CreateAccount", InstanceId=redis, AccountName=name, AccountPassword=PASSWORD)
        stage.build.redis_is(redis, "Normal")
    answer = stage("R-kvstore.DescribeAccounts", InstanceId=redis)["Accounts"]["Account"]
    complete([one["AccountName"] for one in answer if one["AccountName"] != redis], made)


@case
def certificates_by_current_page(stage):
    name = f"{stage.build.name('pages')}.example.com"
    made = [upload(stage, name)[0] for _ in range(5)]
    call = lambda **page: stage("cas.ListCertificates", Keyword=name, **page)
    ids = lambda answer: [int(one["CertificateId"]) for one in answer["CertificateList"]]
    found, total = by_number(call, ids, 2, ("CurrentPage", "ShowSize"))
    complete(found, made)
    equal("TotalCount", total, 5)
    orders = lambda **page: stage("cas.ListUserCertificateOrder", OrderType="UPLOAD", Keyword=name, **page)
    found, _ = by_number(orders, lambda answer: [one["CertificateId"] for one in answer["CertificateOrderList"]], 2, ("CurrentPage", "ShowSize"))
    complete(found, made)
