"""What Alidns has to refuse."""

from harness.registry import refused

from .alidns import add


def twice(stage):
    """The same record again."""
    host = stage.build.name("twice")
    add(stage, host)
    return add(stage, host)


def cname_beside_an_address(stage):
    """A CNAME where an address is."""
    host = stage.build.name("taken")
    add(stage, host)
    return add(stage, host, "CNAME", "elsewhere.example.net")


def unchanged(stage):
    """An update that changes nothing."""
    host = stage.build.name("same")
    record = add(stage, host, value="192.0.2.9")
    return stage("Alidns.UpdateDomainRecord", RecordId=record, RR=host, Type="A", Value="192.0.2.9")


refused("Alidns.AddDomainRecord", "DomainRecordDuplicate", twice)
refused("Alidns.AddDomainRecord", "DomainRecordConflict", cname_beside_an_address)
refused(
    "Alidns.AddDomainRecord",
    "IncorrectDomainUser",
    lambda stage: stage("Alidns.AddDomainRecord", DomainName="someone-elses.org", RR="www", Type="A", Value="192.0.2.1"),
)
refused("Alidns.UpdateDomainRecord", "DomainRecordDuplicate", unchanged)
refused(
    "Alidns.UpdateDomainRecord",
    "DomainRecordNotBelongToUser",
    lambda stage: stage("Alidns.UpdateDomainRecord", RecordId="404404404", RR="www", Type="A", Value="192.0.2.1"),
)
