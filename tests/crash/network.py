"""network.py: a network of its own for the torture test: a server, a few sites with clients, a router between them.

       server namespace            router namespace                site namespaces
         10.9.0.2  eth0 ------ s  10.9.0.1      10.9.1.1  c1 ------ eth0  10.9.1.2   clients 0, 5, 10...
                                                10.9.2.1  c2 ------ eth0  10.9.2.2   clients 1, 6, 11...
                                                    ...

Owns the namespaces and how they are cut off from each other. Knows nothing of chat. Needs root or user namespaces, and
iproute2; nothing outside of these namespaces is changed, and they go with the processes that hold them.
"""

import os
import shutil
import subprocess

SERVER = "10.9.0.2"


class Unavailable(Exception):
    """There can be no such network here; the text says why."""


class Namespace:
    """A network namespace, as long as the process that holds it lives."""

    def __init__(self, inside=None):
        """`inside`: another one, whose user namespace it shares."""
        user = [] if os.getuid() == 0 or inside else ["--user", "--map-root-user"]
        prefix = inside.prefix if inside else []
        self.holder = subprocess.Popen(
            [*prefix, "unshare", *user, "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if self.holder.stdout.readline() != b"up\n":
            why = self.holder.stderr.read().decode().strip()
            self.close()
            raise Unavailable(f"no network namespaces: {why}")
        self.pid = self.holder.pid
        enter = ["nsenter", "--target", str(self.pid), "--net"]
        self.prefix = enter + ([] if os.getuid() == 0 else ["--user", "--preserve-credentials"])

    def ip(self, *words):
        self.run("ip", *words)

    def run(self, *command):
        done = subprocess.run([*self.prefix, *command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()}")

    def forward(self, interface, on):
        self.run("sh", "-c", f"echo {int(on)} >/proc/sys/net/ipv4/conf/{interface}/forwarding")

    def close(self):
        for pipe in (self.holder.stdin, self.holder.stdout, self.holder.stderr):
            pipe.close()
        self.holder.wait()


class Cable:
    """From the router to one namespace, and the ways in which it can fail.

    all    every packet is lost, both ways, and nobody is told
    in     what comes from the namespace is lost
    out    what goes to it is lost
    down   the cable is pulled out at its end: sending fails there, as with a notebook that leaves the wireless network
    """

    KINDS = ("all", "in", "out", "down")

    def __init__(self, router, end, name, number):
        self.router, self.end, self.name = router, end, name
        self.near, self.far = f"10.9.{number}.1", f"10.9.{number}.2"
        self.kind = None
        router.ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(end.pid))
        router.ip("address", "add", f"{self.near}/24", "dev", name)
        router.ip("link", "set", name, "up")
        router.forward(name, True)
        end.ip("address", "add", f"{self.far}/24", "dev", "eth0")
        self._plug()

    def _plug(self):
        self.end.ip("link", "set", "eth0", "up")
        self.end.ip("route", "replace", "default", "via", self.near)

    def cut(self, kind):
        self.kind = kind
        if kind in ("all", "in"):
            self.router.forward(self.name, False)
        if kind in ("all", "out"):
            self.router.ip("route", "add", "blackhole", self.far)
        if kind == "down":
            self.end.ip("link", "set", "eth0", "down")

    def mend(self):
        if self.kind in ("all", "in"):
            self.router.forward(self.name, True)
        if self.kind in ("all", "out"):
            self.router.ip("route", "del", "blackhole", self.far)
        if self.kind == "down":
            self._plug()
        self.kind = None


class Network:
    def __init__(self, sites):
        self.namespaces = []
        for tool in ("unshare", "nsenter", "ip"):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is not installed")
        try:
            router = self._namespace()
            self.server = self._namespace(router)
            self.trunk = Cable(router, self.server, "s", 0)
            self.sites = [self._namespace(router) for _ in range(sites)]
            self.cables = [Cable(router, site, f"c{n}", n) for n, site in enumerate(self.sites, 1)]
        except Unavailable:
            self.close()
            raise

    def _namespace(self, inside=None):
        self.namespaces.append(Namespace(inside))
        return self.namespaces[-1]

    def close(self):
        for namespace in reversed(self.namespaces):
            namespace.close()
        self.namespaces = []
