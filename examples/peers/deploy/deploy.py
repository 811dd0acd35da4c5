"""What albatross does on a host of a node, by pyinfra.

The user, the folder of a release with the binary, the environment, the unit, the link, a service that runs and starts
with its host. Where anything changed, the node has to answer that it is ready.
"""

from pathlib import Path

from pyinfra import host
from pyinfra.operations import files, server, systemd

TEMPLATES = Path(__file__).parent / "templates"
RELEASE = f"/opt/albatross/releases/{host.data.release}"

server.user(
    name="User",
    user="albatross",
    system=True,
    create_home=False,
    ensure_home=False,
    shell="/usr/sbin/nologin",
)
files.directory(name="Folder of the release", path=RELEASE, mode="755")
files.directory(name="Folder of the environment", path="/etc/albatross", mode="755")
binary = files.put(
    name="Binary",
    src=host.data.binary,
    dest=f"{RELEASE}/chat-node",
    mode="755",
    create_remote_dir=False,
)
environment = files.template(
    name="Environment",
    src=str(TEMPLATES / "chat-node.env.j2"),
    dest="/etc/albatross/chat-node.env",
    mode="600",
    create_remote_dir=False,
    **{name: host.data.get(name) for name in ("private_address", "redis_address", "redis_password", "node")},
)
unit = files.template(
    name="Unit",
    src=str(TEMPLATES / "chat-node.service.j2"),
    dest="/etc/systemd/system/chat-node.service",
    mode="644",
    create_remote_dir=False,
    node=host.data.node,
)
link = files.link(name="Release in force", path="/opt/albatross/current", target=f"releases/{host.data.release}")


def changed():
    return any(done.did_change() for done in (binary, environment, unit, link))


systemd.service(name="Restart", service="chat-node.service", restarted=True, daemon_reload=True, _if=changed)
systemd.service(name="Service", service="chat-node.service", running=True, enabled=True)
server.shell(
    name="Health",
    commands=[
        f"curl --silent --show-error --fail --output /dev/null --retry 100 --retry-all-errors --retry-delay 1 "
        f"http://{host.data.private_address}:5000/readyz"
    ],
    _if=changed,
)
