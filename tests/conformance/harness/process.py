"""Starts a cloud of its own and ends it: the cloud lives as long as its standard input is open."""

import json
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

REGION = "cn-hangzhou"
#: Every cloud has a second one, at an address of its own.
OTHER_REGION = "ap-southeast-1"
#: Ten seconds are plenty for a program that only has to listen.
END_LIMIT = 10


@dataclass(frozen=True)
class Address:
    """Where a cloud is and whose it is; from the line it prints when it is ready."""

    endpoint: str
    access_key_id: str
    access_key_secret: str
    account_id: str
    admin_token: str
    ready: dict

    @classmethod
    def from_ready(cls, ready):
        """Reads the ready line."""
        account = ready["account"]
        return cls(
            endpoint=ready["endpoint"],
            access_key_id=account["access_key_id"],
            access_key_secret=account["access_key_secret"],
            account_id=account["id"],
            admin_token=ready["admin_token"],
            ready=ready,
        )

    @property
    def host(self):
        """Host and port, as the SDKs want it."""
        return self.endpoint.removeprefix("http://")

    def admin(self, what, body=None):
        """Asks the cloud's own endpoints, which are no part of the emulated API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_mock/{what}", data=data)
        request.add_header("x-mock-token", self.admin_token)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def calls(self):
        """The call log: every call so far, in order."""
        return [json.loads(line) for line in self.admin("calls").splitlines()]


class CloudProcess:
    """A running cloud. To be used in a `with` statement."""

    def __init__(self, program, data, pace, extra=()):
        self.data = Path(data)
        command = [str(program), "serve", "--strict", "--until-stdin-closes", "--hosts", "none", "--pace", pace]
        command += ["--region", REGION, "--region", OTHER_REGION, "--data", str(self.data), *extra]
        log = self.data.with_suffix(".log")
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(END_LIMIT)
            raise RuntimeError(f"mock-cloud did not start: {log.read_text().strip() or 'it said nothing'}")
        self.address = Address.from_ready(json.loads(line))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError("mock-cloud outlived its standard input") from None
        finally:
            self.process.stdout.close()
