"""What 1,000 small donations cost in one night: ``python benchmarks/small_donations.py [N]``.

Delivers N donations of one short document each, runs the nightly job over a real Dagster instance
in this process and prints CPU seconds, of this process and its children, for the whole night and
for each donation; then the cost of a night in which nothing is stale.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def deliver(consortium: Path, count: int) -> None:
    """Fill the inbox with *count* donations made after an example, each with its own document."""
    from dsk_assets.intake.manifest_file import write_files_section

    source = ROOT / "examples" / "consortium"
    shutil.copytree(source, consortium, ignore=shutil.ignore_patterns("donations"))
    template = yaml.safe_load(
        (source / "donations" / "ministerium-love" / "donation.yaml").read_text("utf-8")
    )
    passages = prose(source / "donations" / "bibliotek-prosa" / "files")
    for number in range(count):
        folder = consortium / "donations" / f"lille-{number:04d}"
        (folder / "files").mkdir(parents=True)
        (folder / "files" / "brev.txt").write_text(passages[number % len(passages)], "utf-8")
        manifest = template | {"donation_id": f"dsk-2026-{5000 + number}"}
        (folder / "donation.yaml").write_text(yaml.safe_dump(manifest, allow_unicode=True))
        write_files_section(folder)


def prose(folder: Path, characters: int = 250) -> list[str]:
    """The text files in *folder* in pieces of about so many characters, whole lines each."""
    pieces, piece = [], ""
    for path in sorted(folder.glob("*.txt")):
        for line in path.read_bytes().decode("utf-8", "ignore").split("\n"):
            piece = f"{piece}\n{line}".strip()
            if len(piece) >= characters:
                pieces.append(piece)
                piece = ""
    return pieces


def main(count: int) -> None:
    """Run both nights and print what they cost."""
    with tempfile.TemporaryDirectory(prefix="dsk-bench-") as folder:
        consortium = Path(folder) / "consortium"
        os.environ |= {"DSK_HOME": f"{folder}/home", "DSK_CONSORTIUM": str(consortium)}
        deliver(consortium, count)
        from dsk_assets.defs.local import local_instance, run_nightly
        from dsk_assets.lake.progress import shown
        from dsk_assets.settings import load_settings

        with local_instance(load_settings()) as instance, shown():
            for name in ("first night", "second night"):
                before, wall = _cpu(), time.monotonic()
                result = run_nightly(instance)
                spent = _cpu() - before
                print(
                    f"{name}: {spent:.1f} CPU s, {spent / count:.3f} a donation, "
                    f"{time.monotonic() - wall:.0f} s of wall time, "
                    f"{result.skipped or ('success' if result.success else 'FAILED')}"
                )


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
