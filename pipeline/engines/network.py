"""Network namespaces on this machine: to each TaskManager a `localhost` of its own.

Needs root and iproute2. The namespaces hang on one bridge with private addresses that nothing is
routed to.
"""

import dataclasses
import ipaddress
import json
import os
import shutil
import subprocess

from emotion_pipeline.components.errors import UserError

_SPACE = ipaddress.IPv4Network("10.213.0.0/16")


def can_make_namespaces() -> bool:
    """Returns whether this user may, without making any."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


@dataclasses.dataclass(frozen=True)
class Host:
    """Where a process of the cluster runs.

    Attributes:
      address: How the others reach it.
      bind_address: What its servers listen on; inside a namespace that may be everything.
      namespace: Its network namespace; empty for this machine's own network.
    """

    address: str = "127.0.0.1"
    bind_address: str = "127.0.0.1"
    namespace: str = ""

    def command(self, command: list[str]) -> list[str]:
        """Returns the command that runs another there; the process is the command's own."""
        if not self.namespace:
            return command
        return [shutil.which("ip") or "ip", "netns", "exec", self.namespace, *command]


def create(prefix: str, count: int) -> tuple[Host, list[Host]]:
    """Makes a bridge and namespaces.

    Args:
      prefix: Begins every name; at most 11 characters, since an interface's name has at most 15.
      count: Number of namespaces.

    Returns:
      This machine's end of the bridge, and the namespaces.

    Raises:
      UserError: It is not allowed or fails.
    """
    if not can_make_namespaces():
        raise UserError("more than one TaskManager on one machine needs root and the command `ip`")
    subnet = _free_subnet()
    here, *others = [str(address) for address in list(subnet.hosts())[: count + 1]]
    width = subnet.prefixlen
    hosts = []
    try:
        _ip("link", "add", prefix, "type", "bridge")
        _ip("addr", "add", f"{here}/{width}", "dev", prefix)
        _ip("link", "set", prefix, "up")
        for number, address in enumerate(others, start=1):
            name, outer = f"{prefix}-{number}", f"{prefix}v{number}"
            _ip("netns", "add", name)
            _ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", outer, "master", prefix, "up")
            _ip("-n", name, "addr", "add", f"{address}/{width}", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
            hosts.append(Host(address, "0.0.0.0", name))
    except UserError:
        remove(prefix, count)
        raise
    return Host(here, here), hosts


def remove(prefix: str, count: int) -> None:
    """Removes what `create` made, as far as it is there."""
    for number in range(1, count + 1):
        # A veth pair goes with either end.
        _ip("link", "del", f"{prefix}v{number}", check=False)
        _ip("netns", "del", f"{prefix}-{number}", check=False)
    _ip("link", "del", prefix, check=False)


def _free_subnet() -> ipaddress.IPv4Network:
    listing = json.loads(_ip("-json", "addr", "show"))
    used = {
        ipaddress.ip_interface(f"{one['local']}/{one['prefixlen']}").network
        for link in listing
        for one in link.get("addr_info", [])
        if one.get("family") == "inet"
    }
    for subnet in _SPACE.subnets(new_prefix=24):
        if not any(subnet.overlaps(other) for other in used):
            return subnet
    raise UserError(f"every network of {_SPACE} is in use on this machine")


def _ip(*arguments: str, check: bool = True) -> str:
    command = [shutil.which("ip") or "ip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise UserError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
