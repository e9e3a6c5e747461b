"""The single-file verifier: the modules of verification, put one after the other.

So the rules exist once: what an auditor reads and runs is what the platform runs. What the
verifier does not need is left out.
"""

import ast
import inspect
from collections import defaultdict, deque
from types import ModuleType

from dsk_assets.evidence import merkle, notes
from dsk_assets.evidence.predicates import RULES
from dsk_assets.evidence.verify import (
    attested,
    envelopes,
    faults,
    graph,
    rules,
    standalone,
    times,
    trust,
)
from dsk_assets.lake.digests import sha256_file

MODULES: tuple[ModuleType, ...] = (
    merkle, notes, faults, envelopes, trust, graph, attested, times, rules, standalone,
)  # fmt: skip
"""In the order in which they need each other; they import nothing else of the platform."""

OWN = "dsk_assets."
START = "main"


def verifier() -> str:
    """The source of ``verify.py``, which names the digest of the rules that it goes by.

    ``ValueError`` where two modules use a name for two things.
    """
    parts = [
        (module, node) for module in MODULES for node in ast.parse(inspect.getsource(module)).body
    ]
    needed = _needed([node for _, node in parts])
    imports: dict[str, set[str]] = defaultdict(set)
    sections: dict[ModuleType, list[str]] = {module: [] for module in MODULES}
    kept: set[str] = set()
    for module, node in parts:
        if isinstance(node, ast.Import | ast.ImportFrom):
            _collect(node, imports)
            continue
        names = _defined(node)
        if names & kept:
            raise ValueError(f"{module.__name__}: {names & kept} is defined twice")
        if names & needed or isinstance(node, ast.If):
            kept |= names
            sections[module].append(_source(module, node))
    head = [f'"""{inspect.getdoc(standalone)}\n"""', _imports(imports, needed)]
    for module, sources in sections.items():
        title = (module.__doc__ or "").splitlines()[0]
        head += [f"# ==== {module.__name__.rpartition('.')[2]}: {title}", *sources]
    return "\n\n\n".join(head).replace(standalone.RULES_DIGEST, sha256_file(RULES)) + "\n"


def _needed(nodes: list[ast.stmt]) -> set[str]:
    """All names that are used, directly or not, by the function ``main``."""
    uses: dict[str, set[str]] = defaultdict(set)
    for node in nodes:
        used = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        for name in _defined(node):
            uses[name] |= used
    needed: set[str] = set()
    queue = deque([START])
    while queue:
        name = queue.popleft()
        if name not in needed:
            needed.add(name)
            queue.extend(uses[name])
    return needed


def _source(module: ModuleType, node: ast.stmt) -> str:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return "\n".join(inspect.getsource(module).splitlines()[first - 1 : node.end_lineno])


def _collect(node: ast.Import | ast.ImportFrom, imports: dict[str, set[str]]) -> None:
    start = f"from {node.module} import " if isinstance(node, ast.ImportFrom) else "import "
    if OWN not in start:
        imports[start] |= {ast.unparse(alias) for alias in node.names}


def _imports(imports: dict[str, set[str]], needed: set[str]) -> str:
    lines = []
    for start, names in imports.items():
        used = sorted(name for name in names if name.split(" as ")[-1] in needed)
        if start == "import ":
            lines += [f"import {name}" for name in used]
        elif used:
            lines.append(f"{start}{', '.join(used)}")
    return "\n".join(sorted(lines, key=lambda line: ("cryptography" in line, line[0] == "f", line)))


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return {
        name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
    }
