"""The energy that training takes, where the machine counts it.

The counters of a whole node (HPE Cray, as LUMI has them) are preferred; otherwise NVIDIA's of each
GPU (NVML, where ``pynvml`` is installed) and Intel's and AMD's of the processor (RAPL, where the
kernel lets the user read them) are added up. Each process counts its own GPU, the first of a node
its processors.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

SYSTEM = Path("/sys")

Counter = Callable[[], float]
"""Joules since some moment in the past."""


class Meter:
    """The counters of this process's share of the machine."""

    def __init__(self, gpu: int | None, first_of_node: bool, system: Path = SYSTEM):
        self._counters: dict[str, Counter] = {}
        node = system / "cray" / "pm_counters" / "energy"
        if node.is_file():
            if first_of_node:
                self._counters["node counters"] = lambda: _number(node)
        else:
            if gpu is not None:
                self._counters |= _nvml(gpu)
            if first_of_node:
                self._counters |= _rapl(system)
        self._last = self._read()

    @property
    def sources(self) -> list[str]:
        """Names of the counters, empty where the machine has none that can be read."""
        return sorted(self._counters)

    def joules(self) -> float:
        """The energy taken since the last call, or since the meter was made."""
        now = self._read()
        taken = sum(max(0.0, now[name] - self._last[name]) for name in now)
        self._last = now
        return taken

    def _read(self) -> Mapping[str, float]:
        return {name: counter() for name, counter in self._counters.items()}


def _nvml(gpu: int) -> dict[str, Counter]:
    with suppress(Exception):  # no module, no driver, or a GPU without a counter
        import pynvml  # type: ignore[import-not-found]

        pynvml.nvmlInit()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        index = int(visible.split(",")[gpu]) if visible else gpu
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        return {
            "NVML": lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000,
        }
    return {}


def _rapl(system: Path) -> dict[str, Counter]:
    found: dict[str, Counter] = {}
    for path in sorted((system / "class" / "powercap").glob("intel-rapl:[0-9]*/energy_uj")):
        if path.parent.name.count(":") == 1 and os.access(path, os.R_OK):
            found[f"RAPL {path.parent.name}"] = _Unwrapped(path)
    return found


class _Unwrapped:
    """A RAPL counter in joules that goes on where the kernel's starts again from 0."""

    def __init__(self, path: Path):
        self._path = path
        self._range = _number(path.with_name("max_energy_range_uj"))
        self._last, self._passed = _number(path), 0.0

    def __call__(self) -> float:
        now = _number(self._path)
        self._passed += self._range if now < self._last else 0.0
        self._last = now
        return (self._passed + now) / 1e6


def _number(path: Path) -> float:
    return float(path.read_text().split()[0])
