//! Alidns: domains and records.

use super::Explanation;

pub(super) const ENTRIES: &[Explanation] = &[
    Explanation {
        codes: &["IncorrectDomainUser", "InvalidDomainName.NoExist", "DomainForbidden"],
        means: "the domain is not in this account",
        why: "Alidns serves the domains that were added to the account, wherever they were bought. `dns.domain` is \
              the domain that was added, without a host in front of it.",
        next: "write a domain of this account under `dns.domain`, or add {DomainName|the domain} at \
               dns.console.aliyun.com with `Add Domain Name`",
    },
    Explanation {
        codes: &["DomainRecordConflict"],
        means: "another record stands in the way of the alias",
        why: "A CNAME cannot stand beside an A, AAAA or URL record of the same host and line; at hosts other than \
              `@` not beside MX either.",
        next: "remove the other record of {RR|the host} of {DomainName|the domain} at dns.console.aliyun.com, or write \
               another `dns.host`",
    },
    Explanation {
        codes: &["DomainRecordDuplicate"],
        means: "the very same record is there already",
        why: "Host, type, line and value are the same as of another record, or an update changed nothing.",
        next: "run the same command again: a record that is as wanted is taken over",
    },
    Explanation {
        codes: &["DomainRecordLocked"],
        means: "the record is locked",
        why: "Somebody locked it in the console.",
        next: "unlock it at dns.console.aliyun.com, then run the same command again",
    },
    Explanation {
        codes: &["DomainRecordNotBelongToUser", "InvalidRR.NoExist"],
        means: "the record is not there",
        why: "It was deleted in the console, or belongs to another account.",
        next: "run the same command again: it is then made anew",
    },
    Explanation {
        codes: &["QuotaExceeded.TTL"],
        means: "the domain's edition takes no shorter TTL",
        why: "600 seconds are the least in the free edition, 60 and 1 in the paid ones.",
        next: "write `ttl: 600` under `dns`, or a better edition for {DomainName|the domain} at dns.console.aliyun.com",
    },
    Explanation {
        codes: &["QuotaExceeded.Record", "QuotaExceeded.ARecord"],
        means: "the domain has as many records as its edition allows",
        why: "Editions differ in how many records a domain and a host may have.",
        next: "remove unused records of {DomainName|the domain} at dns.console.aliyun.com, or choose a better edition",
    },
    Explanation {
        codes: &["RecordForbidden.BlackHole"],
        means: "the domain is cut off because it is under attack",
        why: "During an attack that exceeds its edition, a domain takes no changes.",
        next: "wait until dns.console.aliyun.com shows {DomainName|the domain} as normal again",
    },
    Explanation {
        codes: &["LastOperationNotFinished", "RecordForbidden.DNSChange"],
        means: "the domain is being changed and takes no other change yet",
        why: "Changes of one domain are made one after another.",
        next: "run the same command again",
    },
];
