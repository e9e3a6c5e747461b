"""A stage of the flow: one asset, the function that makes it, and how Dagster shows and runs it.

A stage becomes two things. ``as_asset()`` is what the UI shows and what a person materialises by
hand, one partition a run. ``as_op()`` is its place in the nightly job, which works through all
partitions in one run: a partition that a gate refuses or that fails is reported and does not hold
the others, which a partitioned run of assets cannot do (a step there succeeds or fails for all).
Both make the same materialisation and log the same events.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dagster as dg
import tenacity

from dsk_assets.defs import metadata
from dsk_assets.defs.partitions import register
from dsk_assets.defs.resources import CatalogResource
from dsk_assets.errors import (
    DskError,
    MissingInputError,
    NotAdmittedError,
    SettingsError,
    safe_message,
)
from dsk_assets.evidence import admission, failures, sequencer
from dsk_assets.evidence.admission import Decision
from dsk_assets.evidence.catalog import Catalog, Snapshot, Stale
from dsk_assets.gates.registry import GATES
from dsk_assets.lake.progress import track

DATA_VERSION = "dagster/data_version"
CODE_VERSION = "dagster/code_version"
ATTEMPTS = 3
_ROLE = re.compile(r":\w+:`(?:~[\w.]*\.)?([\w.]+)`")
"""A reference of reStructuredText, such as one to a class, and the name that readers see."""


@dataclass(frozen=True)
class Due:
    """What a stage would make for a key, or a gate judge: ``name``; or ``why`` it would fail.

    ``why`` is told only of settings, which a person must put right.
    """

    name: str
    why: str | None = None


@dataclass(frozen=True)
class Stage:
    """One asset of the flow.

    ``make`` takes the catalog, and a key where ``keys`` lists the keys there are; it returns the
    materialisation, made now or still fresh. ``gate`` names the gate that judges the result,
    ``see_also`` an asset that readers of this one want next.
    """

    asset: str
    make: Callable[..., Snapshot]
    code_version: str
    deps: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset({"parquet"})
    partitions: dg.DynamicPartitionsDefinition | None = None
    keys: Callable[[Catalog], list[str]] | None = None
    gate: str | None = None
    principle: str = "4"
    see_also: str | None = None

    @property
    def asset_key(self) -> dg.AssetKey:
        """Dagster's key of the asset."""
        return dg.AssetKey(self.asset.split("/"))

    @property
    def name(self) -> str:
        """The asset's name as an op's name."""
        return self.asset.replace("/", "__")

    @property
    def description(self) -> str:
        """The function's docstring, in Markdown."""
        text = inspect.cleandoc(self.make.__doc__ or "")
        return _ROLE.sub(r"`\1`", text).replace("``", "`")

    def run(self, catalog: Catalog, key: str | None) -> tuple[Snapshot, Decision | None]:
        """Make the asset for *key* and let its gate judge it."""
        snapshot = self.make(catalog) if key is None else self.make(catalog, key)
        if self.gate is None:
            return snapshot, None
        judged = GATES[self.gate].judge(catalog, snapshot.partition or "")
        return snapshot, admission.decision(judged)

    def wanted(self, catalog: Catalog) -> list[str | None]:
        """The keys to run for: ``[None]`` where the stage takes none."""
        return [None] if self.keys is None else list(self.keys(catalog))

    def stale(self, catalog: Catalog, key: str | None) -> Due | None:
        """What running for *key* would write first, or why it would fail; None for neither.

        What a gate refuses, and what has nothing to work on, is not stale.
        """
        name = f"{self.asset}[{key}]" if key else self.asset
        try:
            self.run(catalog.planning(), key)
        except Stale as stale:
            first = str(stale)
            return Due(first if first.startswith("gate/") else name)
        except (NotAdmittedError, MissingInputError):
            return None
        except SettingsError as error:
            return Due(name, str(error))
        except Exception:
            return Due(name)
        return None

    def materialisation(self, snapshot: Snapshot) -> dg.AssetMaterialization:
        """The event that tells Dagster of *snapshot*."""
        internal = snapshot.statement["predicate"]["buildDefinition"]["internalParameters"]
        return dg.AssetMaterialization(
            self.asset_key,
            partition=snapshot.partition if self.partitions else None,
            metadata=metadata.of_snapshot(snapshot)
            | ({"see also": dg.AssetKey(self.see_also.split("/"))} if self.see_also else {}),
            tags={
                DATA_VERSION: f"sha256:{snapshot.digest}",
                CODE_VERSION: internal["codeVersion"],
            },
        )

    def as_asset(self) -> dg.AssetsDefinition:
        """The stage as an asset that a person can materialise, one partition a run."""
        spec = dg.AssetSpec(
            self.asset_key,
            deps=[_dependency(dep, self.partitions) for dep in self.deps],
            description=self.description,
            group_name=self.asset.split("/")[0],
            kinds=set(self.kinds),
            owners=["team:data-engineering"],
            tags={"dsk/principle": self.principle},
            code_version=self.code_version,
            partitions_def=self.partitions,
        )

        @dg.multi_asset(name=self.name, specs=[spec], check_specs=self._check_specs())
        def materialise(
            context: dg.AssetExecutionContext, catalog: CatalogResource
        ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
            key = context.partition_key if self.partitions else None
            opened = catalog.open(context.run.run_id)
            try:
                snapshot, decision = self.run(opened, key if self.keys else None)
            except Exception as error:
                raise dg.Failure(safe_message(error), allow_retries=False) from None
            if key is not None and snapshot.partition != key:
                raise dg.Failure(
                    f"{self.asset}[{key}] is frozen and cannot be made again; "
                    f"the newest is {snapshot.partition}",
                    allow_retries=False,
                )
            failures.clear(opened, self.asset, snapshot.partition)
            event = self.materialisation(snapshot)
            yield dg.MaterializeResult(
                asset_key=self.asset_key,
                metadata=event.metadata,
                data_version=dg.DataVersion(f"sha256:{snapshot.digest}"),
            )
            if decision is not None:
                others = self._decisions(opened, set(self.wanted(opened)) - {key})
                yield self._check([(key or "all", decision), *others])
            try:
                sequencer.append_new(opened)
            except Exception as error:
                raise dg.Failure(safe_message(error), allow_retries=False) from None

        return materialise

    def _decisions(self, catalog: Catalog, keys: set[str | None]) -> list[tuple[str, Decision]]:
        """The gate's newest decisions on *keys*: a check shows them all, whoever was made last."""
        found = ((key, catalog.latest(admission.asset_of(self.gate or ""), key)) for key in keys)
        return [(key or "all", admission.decision(one)) for key, one in found if one is not None]

    def as_op(self) -> dg.OpDefinition:
        """The stage as a step of the nightly job, for all keys at once."""

        @dg.op(
            name=f"nightly__{self.name}",
            description=f"{self.asset}: {self.description.splitlines()[0]}",
            ins={"after": dg.In(dg.Nothing)},
            out=dg.Out(dg.Nothing),
        )
        def step(context: dg.OpExecutionContext, catalog: CatalogResource) -> None:
            try:
                self.run_all(context, catalog.open(context.run_id))
            except dg.Failure:
                raise
            except Exception as error:
                raise dg.Failure(safe_message(error), allow_retries=False) from None

        return step

    def run_all(self, context: dg.OpExecutionContext, catalog: Catalog) -> None:
        """Run for all keys, log the events, report what was refused and what failed.

        What fails for a reason that the run has told of already is told below the level of errors.
        """
        known = known_versions(context.instance, self.asset_key)
        decisions: list[tuple[str, Decision]] = []
        keys = self.wanted(catalog)
        failed = 0
        told = {one.message for one in failures.failures(catalog) if one.run == catalog.run_id}
        for key in track(keys, self.asset):
            try:
                snapshot, decision = self._attempt(catalog, key)
            except (NotAdmittedError, MissingInputError) as error:
                context.log.info(f"{self.asset}[{key}] not made: {error}")
                failures.clear(catalog, self.asset, key)
                continue
            except Exception as error:
                tries = 1 if isinstance(error, DskError) else ATTEMPTS
                failure = failures.record(catalog, self.asset, key, error, tries)
                log = context.log.info if failure.message in told else context.log.error
                log(f"{self.asset}[{key}] failed: {failure.message}")
                told.add(failure.message)
                failed += 1
                continue
            failures.clear(catalog, self.asset, key)
            if known.get(snapshot.partition) != f"sha256:{snapshot.digest}":
                if self.partitions and snapshot.partition:
                    register(context.instance, self.partitions, [snapshot.partition])
                context.log_event(self.materialisation(snapshot))
            if decision is not None:
                decisions.append((snapshot.partition or "all", decision))
        if decisions:
            self._log_check(context, decisions)
        failures.keep_only(catalog, self.asset, keys)
        if failed and failed == len(keys):
            raise dg.Failure(f"{self.asset} failed for all it was asked for; see the errors above")

    def _attempt(self, catalog: Catalog, key: str | None) -> tuple[Snapshot, Decision | None]:
        """Run for *key*; what is not an error of ours may pass, so it is tried again."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential(multiplier=0.2, max=5),
            retry=tenacity.retry_if_not_exception_type((DskError, KeyboardInterrupt)),
            reraise=True,
        )
        return retrying(self.run, catalog, key)

    def _check_specs(self) -> list[dg.AssetCheckSpec]:
        if self.gate is None:
            return []
        gate = GATES[self.gate]
        return [
            dg.AssetCheckSpec(
                gate.name,
                asset=self.asset_key,
                description=f"Principle {gate.principle}: {gate.description}",
            )
        ]

    def _check(self, decisions: list[tuple[str, Decision]]) -> dg.AssetCheckResult:
        warned = any(not finding.passed for _, one in decisions for finding in one.findings)
        admitted = all(decision.admitted for _, decision in decisions)
        return dg.AssetCheckResult(
            asset_key=self.asset_key,
            check_name=self.gate,
            passed=admitted and not warned,
            severity=dg.AssetCheckSeverity.WARN if admitted else dg.AssetCheckSeverity.ERROR,
            metadata=metadata.of_decisions(decisions),
        )

    def _log_check(
        self, context: dg.OpExecutionContext, decisions: list[tuple[str, Decision]]
    ) -> None:
        result = self._check(decisions)
        context.log_event(
            dg.AssetCheckEvaluation(  # type: ignore[arg-type]  # accepted, though not annotated
                asset_key=self.asset_key,
                check_name=self.gate or "",
                passed=result.passed,
                severity=result.severity,
                metadata=result.metadata,
            )
        )


def _dependency(asset: str, partitions: dg.PartitionsDefinition | None) -> dg.AssetDep:
    key = dg.AssetKey(asset.removesuffix("*").split("/"))
    if asset.endswith("*"):
        return dg.AssetDep(key, partition_mapping=dg.AllPartitionMapping())
    return dg.AssetDep(key)


def known_versions(instance: dg.DagsterInstance, asset_key: dg.AssetKey) -> dict[str | None, str]:
    """The data version that Dagster knows of each partition, or of the asset (under None)."""
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION]
    )
    versions: dict[str | None, str] = {key: found[DATA_VERSION] for key, found in tags.items()}
    event = instance.get_latest_materialization_event(asset_key)
    if event and event.asset_materialization and event.asset_materialization.partition is None:
        versions[None] = (event.asset_materialization.tags or {}).get(DATA_VERSION, "")
    return versions
