"""The hosts of pyinfra, from the inventory that the bench wrote for Ansible."""

import json
import os
from pathlib import Path

known = json.loads(Path(os.environ["BENCH_INVENTORY"]).read_text())["all"]
shared = known["vars"]


def data(name, own):
    return {
        **shared,
        **own,
        "ssh_hostname": own["ansible_host"],
        "ssh_port": own["ansible_port"],
        "ssh_user": "root",
        "ssh_key": shared["ansible_ssh_private_key_file"],
        "ssh_known_hosts_file": shared["known_hosts"],
        "ssh_strict_host_key_checking": "yes",
        "ssh_config_file": os.devnull,
        "ssh_allow_agent": False,
        "ssh_look_for_keys": False,
    }


hosts = [(name, data(name, own)) for name, own in known["hosts"].items()]
