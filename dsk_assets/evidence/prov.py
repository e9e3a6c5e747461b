"""The provenance of a materialisation as a W3C PROV document, from the statements alone.

Entities are materialisations and what came from outside, activities the runs that made them,
agents the platform and the donors. Closures go backwards from a release or a checkpoint to the
deliveries, and forwards from a donation to all that was made of it. Every relation has a name of
its own, so equal statements give equal bytes. Spec: https://www.w3.org/TR/prov-dm/
"""

import datetime as dt
import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence.catalog import Catalog, Snapshot, asset_partitions
from dsk_assets.lake.digests import sha256_json
from dsk_assets.lake.progress import track

if TYPE_CHECKING:
    from prov.model import ProvDocument

NAMESPACE = "urn:dsk:prov:"
LANDING = "donations/landing"
SHORT = ("corpus/release", "training/checkpoint", LANDING)
"""Assets whose partitions may be named alone: a version, a checkpoint, a donation."""

Format = Literal["json", "ttl"]


@dataclass(frozen=True)
class Closure:
    """Materialisations that belong together, oldest first, and the one that was asked for."""

    of: Snapshot
    snapshots: tuple[Snapshot, ...]

    def disorder(self) -> list[str]:
        """Runs that began before an input of theirs was finished, or ended before they began.

        Empty where every clock told the truth.
        """
        finished = {one.statement_digest: _ended(one) for one in self.snapshots}
        found = []
        for one in self.snapshots:
            if _ended(one) < _began(one):
                found.append(f"{one.key} was finished before it was begun")
            for dependency in _dependencies(one):
                statement = dependency.get("annotations", {}).get("statement")
                if finished.get(statement, _began(one)) > _began(one):
                    found.append(f"{one.key} was begun before its input {dependency['uri']} stood")
        return found


def closure(catalog: Catalog, key: str) -> Closure:
    """All that *key* was made from; for a donation, all that was made of it.

    *key* is ``asset``, ``asset[partition]``, or the bare version of a release, name of a
    checkpoint or donation (without its version, of the newest); its newest materialisation is
    taken. Raises :class:`~dsk_assets.errors.MissingInputError` where there is none.
    """
    snapshot = _newest(catalog, key)
    found = _made_of(catalog, snapshot) if snapshot.asset == LANDING else _made_from(
        catalog, snapshot
    )  # fmt: skip
    return Closure(snapshot, tuple(sorted(found, key=lambda one: (_ended(one), one.key))))


def _newest(catalog: Catalog, key: str) -> Snapshot:
    asset, _, partition = key.rstrip("]").partition("[")
    if "/" in asset:
        return catalog.require(asset, partition or None)
    for asset in SHORT:
        snapshot = catalog.latest(asset, key)
        if snapshot is not None:
            return snapshot
    versions = [one for one in catalog.partitions(LANDING) if one.partition("@")[0] == key]
    if versions:
        return catalog.require(LANDING, max(versions, key=_version))
    raise MissingInputError(
        f"{key!r} is no release, checkpoint or donation — name one, such as 1.0.0 or "
        "dsk-2026-0001@1.0.0, or any asset[partition]"
    )


def _version(donation: str) -> list[int]:
    return [int(number) for number in donation.partition("@")[2].split(".")]


def _made_from(catalog: Catalog, snapshot: Snapshot) -> Iterable[Snapshot]:
    """*snapshot* and, step by step, every materialisation that its statements name as input."""
    found = {snapshot.statement_digest: snapshot}
    histories: dict[str, dict[str, Snapshot]] = {}
    queue = deque([snapshot])
    for one in track(_taken(queue), "Statements"):
        for dependency in _dependencies(one):
            scheme, _, key = dependency["uri"].partition(":")
            if scheme != "dsk":
                continue
            if key not in histories:
                asset, _, partition = key.rstrip("]").partition("[")
                histories[key] = {
                    past.statement_digest: past
                    for past in catalog.history(asset, partition or None)
                }
            past = histories[key].get(dependency["annotations"]["statement"])
            if past is not None and past.statement_digest not in found:
                found[past.statement_digest] = past
                queue.append(past)
    return found.values()


def _made_of(catalog: Catalog, snapshot: Snapshot) -> Iterable[Snapshot]:
    """*snapshot* and, step by step, every materialisation that names one of them as input."""
    readers = defaultdict(list)
    for asset, partition in track(list(asset_partitions(catalog)), "Statements"):
        for one in catalog.history(asset, partition):
            for dependency in _dependencies(one):
                readers[dependency.get("annotations", {}).get("statement")].append(one)
    found = {snapshot.statement_digest: snapshot}
    queue = deque([snapshot])
    for one in _taken(queue):
        for reader in readers[one.statement_digest]:
            if reader.statement_digest not in found:
                found[reader.statement_digest] = reader
                queue.append(reader)
    return found.values()


def _taken(queue: deque[Snapshot]) -> Iterator[Snapshot]:
    while queue:
        yield queue.popleft()


def document(closed: Closure) -> "ProvDocument":
    """The closure as a PROV document.

    Inputs that lie outside the closure of a donation are left out; an input whose statement is
    gone stays as an entity that nothing generated.
    """
    from prov.model import ProvDocument

    prov = ProvDocument()
    prov.add_namespace("dsk", NAMESPACE)
    prov.agent(
        "dsk:agent/platform", {"prov:type": "prov:SoftwareAgent", "prov:label": "dsk-assets"}
    )
    inside = {one.statement_digest for one in closed.snapshots}
    known: set[str] = set()
    for one in closed.snapshots:
        _materialisation(prov, one)
        known.add(_entity(one.statement_digest))
    for one in closed.snapshots:
        for number, dependency in enumerate(_dependencies(one)):
            statement = dependency.get("annotations", {}).get("statement")
            if closed.of.asset == LANDING and one is not closed.of and statement not in inside:
                continue
            entity = _entity(statement) if statement else _source(dependency)
            if entity not in known:
                known.add(entity)
                prov.entity(entity, _of_input(dependency))
            _use(prov, one, number, entity, dependency)
    return prov


def render(prov: "ProvDocument", form: Format) -> str:
    """*prov* as PROV-JSON or as PROV-O in Turtle; equal documents give equal text."""
    if form == "json":
        content = json.loads(prov.serialize(format="json") or "{}")
        return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return _turtle(prov)


def _turtle(prov: "ProvDocument") -> str:
    """PROV-O with plain relations (``prov:used``) beside the qualified ones with their times."""
    from prov.serializers.provrdf import ProvRDFSerializer
    from rdflib.namespace import PROV

    graph = ProvRDFSerializer(prov).encode_document(prov).default_graph
    for qualified, plain, of in (
        (PROV.qualifiedUsage, PROV.used, PROV.entity),
        (PROV.qualifiedGeneration, PROV.wasGeneratedBy, PROV.activity),
        (PROV.qualifiedDerivation, PROV.wasDerivedFrom, PROV.entity),
        (PROV.qualifiedAssociation, PROV.wasAssociatedWith, PROV.agent),
        (PROV.qualifiedAttribution, PROV.wasAttributedTo, PROV.agent),
    ):
        for subject, relation in list(graph.subject_objects(qualified)):
            for related in list(graph.objects(relation, of)):
                graph.add((subject, plain, related))
    return str(graph.serialize(format="turtle"))


def _materialisation(prov: "ProvDocument", one: Snapshot) -> None:
    predicate = one.statement["predicate"]
    internal, dsk = predicate["buildDefinition"]["internalParameters"], predicate["dsk"]
    entity, run = _entity(one.statement_digest), _run(one)
    prov.entity(
        entity,
        {
            "prov:label": one.key,
            "dsk:asset": one.asset,
            "dsk:digest": f"sha256:{one.digest}",
            "dsk:statement": f"sha256:{one.statement_digest}",
            "dsk:zone": one.folder.split("/")[0],
        }
        | ({"dsk:partition": one.partition} if one.partition else {}),
    )
    prov.activity(
        run,
        _began(one),
        _ended(one),
        {
            "prov:label": f"materialise {one.key}",
            "dsk:codeVersion": internal["codeVersion"],
            "dsk:configuration": f"sha256:{dsk['configDigest']}",
            "dsk:country": dsk["country"],
        }
        | ({"dsk:commit": dsk["code"]["commit"]} if "commit" in dsk["code"] else {}),
    )
    prov.generation(entity, run, _ended(one), identifier=f"{run}/generation")
    prov.association(run, "dsk:agent/platform", identifier=f"{run}/association")
    donor = _donor(one)
    if donor:
        agent = f"dsk:agent/cvr-{donor}"
        prov.agent(agent, {"prov:type": "prov:Organization", "dsk:cvr": donor})
        prov.attribution(entity, agent, identifier=f"{run}/attribution")


def _use(
    prov: "ProvDocument", one: Snapshot, number: int, entity: str, dependency: Mapping[str, Any]
) -> None:
    run = _run(one)
    use = f"{run}/use/{number}"
    read = {"dsk:digest": f"sha256:{dependency['digest']['sha256']}"}
    only = dependency.get("annotations", {}).get("only")
    prov.usage(
        run, entity, _began(one), identifier=use,
        other_attributes=read | ({"dsk:only": " ".join(only)} if only else {}),
    )  # fmt: skip
    prov.derivation(
        _entity(one.statement_digest), entity, activity=run, generation=f"{run}/generation",
        usage=use, identifier=f"{run}/derivation/{number}",
    )  # fmt: skip


def _of_input(dependency: Mapping[str, Any]) -> dict[str, str]:
    return {
        "prov:label": dependency["uri"],
        "dsk:digest": f"sha256:{dependency['digest']['sha256']}",
    }


def _donor(one: Snapshot) -> str | None:
    """The donor's company number, unless the manifest is gone or damaged."""
    if one.asset != LANDING:
        return None
    try:
        return str(one.json("manifest.json")["donor"]["cvr"])
    except (CorruptedError, MissingInputError):
        return None


def _entity(statement: str) -> str:
    return f"dsk:entity/{statement}"


def _run(one: Snapshot) -> str:
    return f"dsk:run/{one.statement_digest}"


def _source(dependency: Mapping[str, Any]) -> str:
    return f"dsk:source/{sha256_json([dependency['uri'], dependency['digest']['sha256']])}"


def _dependencies(one: Snapshot) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = one.statement["predicate"]["buildDefinition"][
        "resolvedDependencies"
    ]
    return found


def _began(one: Snapshot) -> dt.datetime:
    return _moment(one, "startedOn")


def _ended(one: Snapshot) -> dt.datetime:
    return _moment(one, "finishedOn")


def _moment(one: Snapshot, name: str) -> dt.datetime:
    return dt.datetime.fromisoformat(one.statement["predicate"]["runDetails"]["metadata"][name])
