"""Take the README's pictures of the Dagster UI: ``python docs/screenshots.py FOLDER``.

Starts the read-only web server on a free port of the loopback interface over the instance in
``DAGSTER_HOME``, drives headless Chromium through it and stops the server again.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import FloatRect, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = "/usr/bin/chromium"
GRAPH: FloatRect = {"x": 560, "y": 400, "width": 940, "height": 130}
NAVIGATION = 240
"""Width of the list of places at the left."""
PERSONAL = "dsk-2026-0005%401.0.0"
"""The demonstration's donation with personal data, all of it invented."""
FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


@contextmanager
def web_server(port: int) -> Iterator[str]:
    """The read-only web server's address, while it runs."""
    command = [
        str(Path(sys.executable).with_name("dagster-webserver")), "--read-only",
        "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port),
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if server.poll() is not None:
                raise RuntimeError(f"dagster-webserver ended with {server.returncode}")
            try:
                urllib.request.urlopen(f"{address}/server_info", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def shoot(page: Page, address: str, folder: Path) -> None:
    """The graph of groups, a refusing gate, what was found in a donation, the newest checkpoint."""
    page.goto(f"{address}/asset-groups")
    page.get_by_text("transparency").first.wait_for(timeout=90_000)
    _settled(page)
    page.screenshot(path=folder / "lineage.png", clip=GRAPH)
    page.goto(f"{address}/assets/donations/landing?view=checks")
    page.get_by_text("Principle 3").first.wait_for(timeout=90_000)
    _settled(page)
    page.screenshot(path=folder / "gate.png")
    page.goto(f"{address}/assets/filtering/personal_data?view=partitions&partition={PERSONAL}")
    page.get_by_text("canaries missed").first.wait_for(timeout=90_000)
    _settled(page)
    rest = page.get_by_text("dagster/uri", exact=True).first.bounding_box()
    assert rest is not None, "the metadata hold the place of the files"
    size: FloatRect = {
        "x": NAVIGATION,
        "y": 0,
        "width": 1500 - NAVIGATION,
        "height": rest["y"] - 12,
    }
    page.screenshot(path=folder / "personal-data.png", clip=size)
    page.goto(f"{address}/assets/training/checkpoint")
    page.get_by_text("step-").first.wait_for(timeout=90_000)
    _settled(page)
    page.screenshot(path=folder / "checkpoint.png")


def _settled(page: Page) -> None:
    """Wait until layout and pictures have come to rest."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(2000)


def main(folder: Path) -> None:
    """Write the pictures to *folder*."""
    os.environ.setdefault("DAGSTER_HOME", str(ROOT / ".dsk" / "dagster"))
    folder.mkdir(parents=True, exist_ok=True)
    with web_server(free_port()) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 900}, device_scale_factor=1.5)
        shoot(page, address, folder)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
