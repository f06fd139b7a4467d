"""The daemon runs without those parts of its libraries that only their own commands need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LOADED = "import sys; from controller import cli; cli._load({!r}); print(*(name for name in sys.modules), sep='\\n')"


def loaded(command: str) -> set[str]:
    """The modules of a process that has loaded a command, as `print-station` does."""
    done = subprocess.run([sys.executable, "-c", LOADED.format(command)], check=True, capture_output=True, text=True,
                          cwd=Path(__file__).parents[2])  # fmt: skip
    return set(done.stdout.split())


SPARED = {"click", "multiprocessing", "smartcard.System", "difflib", "pkcs11", "cryptography.hazmat.primitives.serialization",
          "numpy", "PIL"}  # fmt: skip


def test_what_the_daemon_has_no_use_for_is_not_loaded() -> None:
    modules = loaded("run")
    assert {"uvicorn.server", "smartcard.scard", "controller.app"} <= modules
    assert SPARED & modules == set()


def test_a_server_of_the_lean_library_answers(tmp_path: Path) -> None:
    code = f"""
import asyncio
from controller import lean_libraries
lean_libraries.prepare()
from controller.http.server import HttpServer, listen
async def app(scope, receive, send):
    await send({{"type": "http.response.start", "status": 204, "headers": []}})
    await send({{"type": "http.response.body", "body": b""}})
async def main():
    server = HttpServer(app, listen(["unix:{tmp_path}/http.sock"]))
    serving = asyncio.create_task(server.serve())
    await server.started()
    reader, writer = await asyncio.open_unix_connection("{tmp_path}/http.sock")
    writer.write(b"GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
    print((await reader.readline()).decode().strip())
    writer.close()
    server.stop()
    await serving
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert (done.stdout, done.stderr, done.returncode) == ("HTTP/1.1 204 No Content\n", "", 0)
