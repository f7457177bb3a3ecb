"""A Milvus cluster on the loopback: eight processes with two query nodes, etcd, and a broker of Kafka's protocol.

The broker is librdkafka's own for tests, which keeps everything in memory: it stands in for a real log, and what is
shown here is what the death of a query node costs, not that the log survives.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from tests.engines.milvus_server import PORTS, free_ports

ROLES = {
    "rootcoord": "root_coord_port",
    "datacoord": "data_coord_port",
    "querycoord": "query_coord_port",
    "indexnode": "index_node_port",
    "datanode": "data_node_port",
    "querynode": "query_node_port",
    "querynode-2": "query_node_port",
    "proxy": "proxy_port",
}
BROKER_PLACE = "the broker's address"
BROKER = """
import sys, time
from confluent_kafka.admin import AdminClient
client = AdminClient({"test.mock.num.brokers": 1})
(broker,) = client.list_topics(timeout=10).brokers.values()
print(f"{broker.host}:{broker.port}", flush=True)
time.sleep(3600)
"""


class MilvusCluster:
    """The processes of a cluster whose data lie in `folder`."""

    def __init__(self, folder: Path, programs: Path, broker_package: str):
        self.folder, self.programs, self.broker_package = folder, programs, broker_package
        *ports, self.second_query_port, self.peer_port = free_ports(len(PORTS) + 2)
        self.ports = dict(zip(PORTS, ports, strict=True))
        self.health_ports = dict(zip(ROLES, free_ports(len(ROLES)), strict=True))
        self.uri = f"127.0.0.1:{self.ports['proxy_port']}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, seconds: float = 180) -> None:
        """Start all, and wait until each says that it is healthy."""
        settings = {role: self._settings(role) for role in ROLES}  # before a port is taken: the template tries each
        self._start_etcd()
        broker = self._start_broker()
        for role in ROLES:
            self._start_role(role, settings[role].replace(BROKER_PLACE, broker))
        end = time.monotonic() + seconds
        waiting = set(ROLES)
        while waiting:
            assert time.monotonic() < end, {role: self._said(role) for role in waiting}
            waiting = {role for role in waiting if not self._is_healthy(role)}
            time.sleep(0.5)

    def kill(self, role: str) -> None:
        """SIGKILL to one process."""
        process = self.processes.pop(role)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Kill what is left."""
        for role in list(self.processes):
            self.kill(role)

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.ports["etcd_port"], self.peer_port))
        command = ["etcd", "--data-dir", str(self.folder / "etcd"), "--initial-cluster", f"default={peer}"]
        for flag, url in (("client", client), ("peer", peer)):
            command += [f"--listen-{flag}-urls", url]
        self._run("etcd", [*command, "--advertise-client-urls", client, "--initial-advertise-peer-urls", peer], {})

    def _start_broker(self) -> str:
        self._run("broker", [sys.executable, "-c", BROKER], {"PYTHONPATH": self.broker_package})
        for _ in range(300):
            if said := re.search(r"^[\w.-]+:\d+$", self._said("broker"), re.MULTILINE):
                return said[0]
            time.sleep(0.1)
        raise TimeoutError("the broker did not start")

    def _start_role(self, role: str, settings: str) -> None:
        folder = self.folder / role
        (folder / "configs" / "milvus.yaml").write_text(settings)
        import milvus

        shutil.copy(Path(milvus.__file__).parent / "data" / "glog.conf", folder / "configs")
        environment = {
            "DEPLOY_MODE": "DISTRIBUTED",
            "METRICS_PORT": str(self.health_ports[role]),
            "MILVUS_RUN_DIR": str(folder / "run"),
            "MILVUSCONF": str(folder / "configs"),
            "LD_LIBRARY_PATH": str(self.programs),
        }
        self._run(role, [str(self.programs / "milvus"), "run", role.partition("-")[0]], environment)

    def _settings(self, role: str) -> str:
        folder = self.folder / role
        folder.mkdir()
        from milvus import MilvusServerConfig

        ports = self.ports | ({"query_node_port": self.second_query_port} if role == "querynode-2" else {})
        config = MilvusServerConfig(data_dir=str(folder), **ports)
        config.resolve()
        text = (folder / "configs" / "milvus.yaml").read_text()
        text = text.replace(str(folder / "data"), str(self.folder / "store"))
        text = text.replace("embed: true", "embed: false").replace("  type: rocksmq", "  type: kafka")
        kafka = f"kafka:\n  brokerList: {BROKER_PLACE}\n  securityProtocol: PLAINTEXT\n  readTimeout: 10\n"
        text = text.replace("# kafka:\n#   brokerList:\n", kafka)
        assert BROKER_PLACE in text
        return text.replace("\n  ip: #", "\n  ip: 127.0.0.1 #")

    def _run(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as out:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env=os.environ | environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-1000:]

    def _is_healthy(self, role: str) -> bool:
        with suppress(OSError):
            url = f"http://127.0.0.1:{self.health_ports[role]}/healthz"
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(answer.read() == b"OK")
        return False
