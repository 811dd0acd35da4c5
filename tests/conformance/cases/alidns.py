"""Alidns: domains and records."""

from harness.check import contains, equal, has, lacks, one
from harness.refusals import code_of
from harness.registry import case

DOMAIN = "example.com"


def add(stage, host, kind="A", value="192.0.2.1", **more):
    """A new record."""
    return stage("Alidns.AddDomainRecord", DomainName=DOMAIN, RR=host, Type=kind, Value=value, **more)["RecordId"]


def records(stage, host):
    """The records of one name."""
    return stage("Alidns.DescribeSubDomainRecords", SubDomain=f"{host}.{DOMAIN}")["DomainRecords"]["Record"]


@case
def a_record_is_added_read_changed_and_deleted(stage):
    record = add(stage, "one", TTL=600)
    read = stage("Alidns.DescribeDomainRecordInfo", RecordId=record)
    wanted = {"RecordId": record, "RR": "one", "Type": "A", "Value": "192.0.2.1", "TTL": 600, "Line": "default"}
    contains("the record", read, wanted | {"DomainName": DOMAIN, "Status": "ENABLE"})
    contains("in the list", one("records", records(stage, "one")), wanted)
    stage("Alidns.UpdateDomainRecord", RecordId=record, RR="one", Type="A", Value="192.0.2.2", TTL=1200)
    changed = stage("Alidns.DescribeDomainRecordInfo", RecordId=record)
    contains("the changed record", changed, {"Value": "192.0.2.2", "TTL": 1200})
    stage("Alidns.UpdateDomainRecordRemark", RecordId=record, Remark="a test's")
    equal("remark", one("records", records(stage, "one"))["Remark"], "a test's")
    stage("Alidns.DeleteDomainRecord", RecordId=record)
    equal("records left", records(stage, "one"), [])
    read_again = lambda: stage("Alidns.DescribeDomainRecordInfo", RecordId=record)
    equal("code of what is gone", code_of(read_again), "DomainRecordNotBelongToUser")


@case
def a_record_is_paused_and_resumed(stage):
    record = add(stage, "two")
    for status in ("Disable", "Enable"):
        answer = stage("Alidns.SetDomainRecordStatus", RecordId=record, Status=status)
        equal("answered status", answer["Status"].lower(), status.lower())
        equal("status", stage("Alidns.DescribeDomainRecordInfo", RecordId=record)["Status"].lower(), status.lower())


@case
def records_are_searched_and_deleted_by_name(stage):
    add(stage, "three", value="192.0.2.3")
    add(stage, "three", value="192.0.2.4")
    add(stage, "thirty", "TXT", "hello")
    found = stage("Alidns.DescribeDomainRecords", DomainName=DOMAIN, RRKeyWord="thre", TypeKeyWord="A")
    equal("values", sorted(one["Value"] for one in found["DomainRecords"]["Record"]), ["192.0.2.3", "192.0.2.4"])
    answer = stage("Alidns.DeleteSubDomainRecords", DomainName=DOMAIN, RR="three", Type="A")
    equal("deleted", int(answer["TotalCount"]), 2)
    left = stage("Alidns.DescribeDomainRecords", DomainName=DOMAIN)["DomainRecords"]["Record"]
    lacks("hosts left", [one["RR"] for one in left], "three")
    has("hosts left", [one["RR"] for one in left], "thirty")


@case
def the_domain_is_described(stage):
    domains = stage("Alidns.DescribeDomains")["Domains"]["Domain"]
    has("domains", [one["DomainName"] for one in domains], DOMAIN)
    info = stage("Alidns.DescribeDomainInfo", DomainName=DOMAIN)
    equal("domain", info["DomainName"], DOMAIN)
    servers = stage("Alidns.DescribeDomainNs", DomainName=DOMAIN)["DnsServers"]["DnsServer"]
    assert len(servers) >= 2, f"too few name servers: {servers}"


@case
def the_root_takes_a_cname(stage):
    record = add(stage, "@", "CNAME", "elsewhere.example.net")
    found = one("records", [one for one in records(stage, "@") if one["Type"] == "CNAME"])
    contains("the record", found, {"RecordId": record, "RR": "@", "Value": "elsewhere.example.net"})
    stage("Alidns.DeleteDomainRecord", RecordId=record)
    equal("records left", [one for one in records(stage, "@") if one["Type"] == "CNAME"], [])
