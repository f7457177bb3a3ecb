"""A Milvus server of the package `milvus`, on free ports of the loopback, that can be killed and started again."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

PORTS = (
    "proxy_port",
    "proxy_internal_port",
    "etcd_port",
    "root_coord_port",
    "data_coord_port",
    "query_coord_port",
    "etcd_peer_port",
    "index_node_port",
    "data_node_port",
    "query_node_port",
)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    opened = [socket.socket() for _ in range(count)]
    for one in opened:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in opened]
    for one in opened:
        one.close()
    return ports


def unpack(cache: Path) -> Path:
    """The server's programs, unpacked once for all runs of the tests."""
    import milvus

    final = cache / f"milvus-{milvus.__version__}"
    if not final.is_dir():
        part = cache / f".milvus-{os.getpid()}"
        part.mkdir(parents=True)
        milvus._initialize_data_files(str(part))
        try:
            part.rename(final)
        except OSError:  # another process was first
            shutil.rmtree(part)
    return final / "bin"


class MilvusServer:
    """One standalone server whose data lie in `folder`."""

    def __init__(self, folder: Path, programs: Path):
        self.folder, self.programs = folder, programs
        *ports, self.health_port = free_ports(len(PORTS) + 1)
        self.ports = dict(zip(PORTS, ports, strict=True))
        self.uri = f"127.0.0.1:{self.ports['proxy_port']}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it says that it is healthy."""
        if not (self.folder / "configs" / "milvus.yaml").exists():
            self._write_settings()
        environment = os.environ | {
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self.health_port),
            "MILVUS_RUN_DIR": str(self.folder / "run"),
            "MILVUSCONF": str(self.folder / "configs"),
            "LD_LIBRARY_PATH": str(self.programs),
        }
        command = [str(self.programs / "milvus"), "run", "standalone"]
        with (self.folder / "out.log").open("ab") as out:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=out, stderr=out, start_new_session=True
            )
        self.wait()

    def _write_settings(self) -> None:
        from milvus import MilvusServerConfig

        config = MilvusServerConfig(data_dir=str(self.folder), **self.ports)
        config.set("proxy.timeTickInterval", "20")  # ms that an answer waits for, so that the tests are quick
        config.resolve()
        file = self.folder / "configs" / "milvus.yaml"
        text = file.read_text().replace("\n  ip: #", "\n  ip: 127.0.0.1 #")
        own_etcd = self.folder / "configs" / "etcd.yaml"
        file.write_text(text.replace("\netcd:\n", f"\netcd:\n  config:\n    path: {own_etcd}\n"))
        client, peer = (f"http://127.0.0.1:{self.ports[name]}" for name in ("etcd_port", "etcd_peer_port"))
        own_etcd.write_text(
            f"name: default\nlisten-client-urls: {client}\nadvertise-client-urls: {client}\nlisten-peer-urls: {peer}\n"
            f"initial-advertise-peer-urls: {peer}\ninitial-cluster: default={peer}\n"
        )

    def wait(self, seconds: float = 120) -> None:
        """Until it is healthy."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "out.log").read_text(errors="replace")[-2000:]
            with suppress(OSError):
                url = f"http://127.0.0.1:{self.health_port}/healthz"
                with urllib.request.urlopen(url, timeout=5) as answer:
                    if answer.read() == b"OK":
                        return
            time.sleep(0.1)
        raise TimeoutError(f"Milvus was not healthy after {seconds:g} seconds")

    def kill(self) -> None:
        """SIGKILL, as a machine that loses its power."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
