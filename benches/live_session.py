"""A PipeWire session of its own, and `impasto live` in it: what benches/live.py measures."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


class Session:
    """A message bus, PipeWire and its session manager, and what runs in them; all ends with it."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.env = {**os.environ, "XDG_RUNTIME_DIR": self.folder.name}
        self.children = []
        bus = self.start(
            "dbus-daemon --session --nofork --print-address",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.env["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().decode().strip()
        self.start("pipewire", stderr=subprocess.DEVNULL)
        self.wait(lambda: Path(self.folder.name, "pipewire-0").exists())
        self.start("wireplumber", stderr=subprocess.DEVNULL)
        self.wait(lambda: any("WirePlumber" in json.dumps(found) for found in self.objects()))
        return self

    def __exit__(self, *_):
        self.is_over = True
        for child in reversed(self.children):
            child.kill()
            child.wait()
        self.folder.cleanup()

    def start(self, command, **options):
        words = command.split() if isinstance(command, str) else command
        child = subprocess.Popen(words, env=self.env, **options)
        self.children.append(child)
        return child

    def gst(self, pipeline, **options):
        return self.start(["gst-launch-1.0", "-q", *pipeline.split()], **options)

    def objects(self):
        done = subprocess.run(["pw-dump"], env=self.env, stdout=subprocess.PIPE, check=False)
        with contextlib.suppress(ValueError):
            return json.loads(done.stdout)
        return []

    def node(self, description):
        """The number of a camera, once it is there."""

        def find():
            props = ((found["id"], (found.get("info") or {}).get("props", {})) for found in self.objects())
            return next((at for at, prop in props if prop.get("node.description") == description), None)

        return self.wait(find)

    @staticmethod
    def wait(is_there, seconds=20):
        deadline = time.monotonic() + seconds
        while not (found := is_there()):
            if time.monotonic() > deadline:
                sys.exit("PipeWire does not get ready")
            time.sleep(0.05)
        return found


class Live:
    """`impasto live` and what it says, with the time of each line."""

    def __init__(self, session, arguments, words):
        command = [arguments.impasto, "live", "--json", *words, *arguments.more]
        self.start = time.monotonic()
        self.child = session.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.meters, self.lines = [], []
        for stream, take in ((self.child.stdout, self.told), (self.child.stderr, self.said)):
            threading.Thread(
                target=lambda stream=stream, take=take: [take(line) for line in stream], daemon=True
            ).start()

    def told(self, line):
        self.meters.append(json.loads(line))

    def said(self, line):
        self.lines.append((time.monotonic() - self.start, line.decode().rstrip()))

    def wait_for(self, word, seconds=30):
        return Session.wait(lambda: next((at for at, line in self.lines if word in line), None), seconds)

    def memory(self):
        """Resident memory in MB."""
        text = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024

    def cpu(self):
        """Seconds of a core that it has taken."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
