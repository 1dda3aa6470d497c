"""Speed beside peers: every case in turn, round after round, on one core with one thread.

Interleaving lets a busy spell of the machine hit all cases alike; medians over rounds drop what
it hits still. Ratios are taken round by round, between neighbours in time.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from motley.studies.bench_cases import Case

FORMAT_VERSION = 1
PACKAGES = (
    "gymnasium",
    "minigrid",
    "motley-rl",
    "numba",
    "numpy",
    "sb3-contrib",
    "stable-baselines3",
    "torch",
)
BEGIN, END = "<!-- motley bench: begin -->", "<!-- motley bench: end -->"
ENOUGH_CPU = 0.95
"""Share of a core below which a round was disturbed."""


@dataclass(frozen=True)
class Result:
    """What a case took.

    Attributes:
        key, title, note, steps: the case's.
        wall_s: seconds of each round.
        cpu_s: seconds of them in which this process computed.
    """

    key: str
    title: str
    note: str
    steps: int
    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]

    @property
    def rates(self) -> list[float]:
        """Environment steps per second, by round."""
        return [self.steps / seconds for seconds in self.wall_s]

    @property
    def median(self) -> float:
        """Of the rates."""
        return statistics.median(self.rates)

    @property
    def cpu_share(self) -> float:
        """Share of a core that it got, the median of its rounds."""
        return statistics.median(c / w for c, w in zip(self.cpu_s, self.wall_s, strict=True))


@dataclass(frozen=True)
class Bar:
    """What we hold ourselves to: a rate, or a ratio to another case's.

    Attributes:
        key: of the case.
        bound: steps/s, or a ratio where there is another case; at least that. None asks nothing.
        peer: key of the case that it is compared with.
        beyond: worlds a step: what counts is the time that a step of them all takes beyond the
            peer's, in microseconds; at most the bound.
    """

    key: str
    bound: float | None
    peer: str | None = None
    beyond: int | None = None

    def measured(self, by_key: Mapping[str, Result]) -> list[float]:
        """Return what the results say, by round."""
        ours = by_key[self.key].rates
        if self.peer is None:
            return ours
        pairs = zip(ours, by_key[self.peer].rates, strict=True)
        if self.beyond is None:
            return [a / b for a, b in pairs]
        return [1e6 * self.beyond * (1 / a - 1 / b) for a, b in pairs]

    def reached(self, measured: float) -> bool | None:
        """Whether that is as good as the bound; None where there is none."""
        if self.bound is None:
            return None
        return measured >= self.bound if self.beyond is None else measured <= self.bound


TRAINING_BARS = (
    Bar("training/64x128/motley", 8.0, "training/64x128/RecurrentPPO"),
    Bar("training/64x128/motley", 2.5, "training/64x128/shared"),
    Bar("training/64x128/motley", 2.5, "training/64x128/shared-plain"),
    Bar("training/64x128/motley", 0.35, "training/64x128/PPO"),
    Bar("training/64x64/motley", 15.0, "training/64x64/RecurrentPPO"),
    Bar("training/64x64/motley", 3.5, "training/64x64/shared"),
    Bar("training/64x64/motley", 3.5, "training/64x64/shared-plain"),
    Bar("training/256x32/motley", 1.8, "training/256x32/shared"),
    Bar("training/256x32/motley", 1.8, "training/256x32/shared-plain"),
    Bar("training/64x128-256/motley", 2.0, "training/64x128-256/PPO"),
    Bar("update/uniform/motley", 0.6, "update/uniform/roof"),
    Bar("training/costs/five", 1 / 1.6, "training/costs/reward"),
    Bar("training/costs/five", 1 / 1.3, "training/costs/summed"),
    Bar("update/five/motley", None, "update/reward/motley"),
    Bar("update/five/motley", None, "update/summed/motley"),
    Bar("rollout/motley", 200.0, "rollout/worlds", beyond=64),
    Bar("scaling/DarkHome/2", 1.8, "scaling/DarkHome/1"),
)
ENV_BARS = {"single": 40_000.0, "vector": 500_000.0}
"""Steps/s of each of our tasks through two of the doors."""
MIDDLE = Bar("envs/middle/vector", 800_000.0)
"""Steps/s of the median task, through the second of them."""


@dataclass(frozen=True)
class Verdict:
    """A bar and what was measured for it: the median over rounds, the least and the most."""

    bar: Bar
    measured: float
    lowest: float
    highest: float

    @property
    def reached(self) -> bool | None:
        """Whether the median is as good as the bound; None where there is none."""
        return self.bar.reached(self.measured)


@contextmanager
def one_core() -> Iterator[int | None]:
    """Keep this thread to one core and torch to one thread; yields the core, None if unpinned."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if not hasattr(os, "sched_setaffinity"):  # macOS, Windows
            yield None
            return
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(cores)})
        try:
            yield max(cores)
        finally:
            os.sched_setaffinity(0, cores)
    finally:
        torch.set_num_threads(threads)


def measure(
    cases: Sequence[Case], rounds: int, progress: Callable[[str], None] = lambda title: None
) -> list[Result]:
    """Run every case once to warm up and then once a round, in turn.

    Args:
        cases: what to time.
        rounds: how often.
        progress: told the title of the case that runs next.

    Raises:
        ValueError: no rounds, or two cases share a key.
    """
    if rounds < 1:
        raise ValueError(f"a median needs at least one round, not {rounds}")
    if len({case.key for case in cases}) != len(cases):
        raise ValueError(f"two cases share a key: {sorted(case.key for case in cases)}")
    seconds: dict[str, list[tuple[float, float]]] = {case.key: [] for case in cases}
    for turn in range(rounds + 1):
        for case in cases:
            progress(case.title)
            wall, cpu = time.perf_counter(), time.process_time()
            case.run()
            took = time.perf_counter() - wall, time.process_time() - cpu
            if turn:
                seconds[case.key].append(took)
    return [
        Result(
            case.key,
            case.title,
            case.note,
            case.steps,
            tuple(wall for wall, _ in seconds[case.key]),
            tuple(cpu for _, cpu in seconds[case.key]),
        )
        for case in cases
    ]


def middle(results: Sequence[Result], tasks: Sequence[str]) -> list[Result]:
    """The tasks' median rate of each round through the vector's door, as a result; or none.

    Args:
        results: of any cases.
        tasks: names of ours; all of them must have been measured.
    """
    by_key = {result.key: result for result in results}
    measured = [by_key[key] for task in tasks if (key := f"envs/{task}/vector") in by_key]
    if not measured or len(measured) < len(tasks):
        return []
    steps, shares = measured[0].steps, statistics.median(r.cpu_share for r in measured)
    rates = zip(*(result.rates for result in measured), strict=True)
    wall = tuple(steps / statistics.median(each) for each in rates)
    note = "of their rates in a round"
    title = f"median of the tasks, {measured[0].title.partition(', ')[2]}"
    return [Result(MIDDLE.key, title, note, steps, wall, tuple(shares * s for s in wall))]


def verdicts(results: Sequence[Result], tasks: Sequence[str]) -> list[Verdict]:
    """The bars that these results speak of.

    Args:
        results: of any cases.
        tasks: names of ours, whose doors have bars.
    """
    by_key = {result.key: result for result in results}
    bars = [Bar(f"envs/{task}/{door}", least) for task in tasks for door, least in ENV_BARS.items()]
    found = []
    for bar in (*bars, MIDDLE, *TRAINING_BARS):
        if bar.key not in by_key or (bar.peer is not None and bar.peer not in by_key):
            continue
        each = bar.measured(by_key)
        found.append(Verdict(bar, statistics.median(each), min(each), max(each)))
    return found


def machine(core: int | None) -> dict[str, Any]:
    """What the figures were taken on."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "pinned_to_core": core,
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of the packages that were timed, where they are installed."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def record(
    results: Sequence[Result], found: Sequence[Verdict], where: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything about a run of the benchmark, ready for JSON."""
    rows = [
        asdict(result)
        | {
            "rates": result.rates,
            "median": result.median,
            "min": min(result.rates),
            "max": max(result.rates),
            "cpu_share": result.cpu_share,
        }
        for result in results
    ]
    bars = [
        asdict(one.bar)
        | {
            "measured": one.measured,
            "min": one.lowest,
            "max": one.highest,
            "reached": one.reached,
        }
        for one in found
    ]
    return {
        "format_version": FORMAT_VERSION,
        "date": time.strftime("%Y-%m-%d"),
        "machine": dict(where),
        "results": rows,
        "bars": bars,
    }


def save(data: Mapping[str, Any], folder: Path) -> Path:
    """Write ``bench.json`` into a folder, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bench.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(data, indent=1) + "\n")
    part.replace(path)
    return path


def markdown(data: Mapping[str, Any]) -> str:
    """The tables of docs/performance.md, from `record`."""
    where = data["machine"]
    software = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    rounds = len(data["results"][0]["rates"])
    lines = [
        f"{data['date']}, {where['processor']}, {where['system']}, Python {where['python']}, one "
        f"core of {where['cores']}, one thread; medians of {rounds} rounds. {software}.",
        "",
        "| | steps/s | lowest to highest | |",
        "|---|---:|---:|---|",
    ]
    for row in data["results"]:
        spread = f"{digits(row['min'])} to {digits(row['max'])}"
        lines.append(f"| {row['title']} | {digits(row['median'])} | {spread} | {row['note']} |")
    titles = {row["key"]: row["title"] for row in data["results"]}
    lines += ["", "| bar | bound | measured | lowest to highest |", "|---|---:|---:|---:|"]
    for bar in data["bars"]:
        measured = digits(bar["measured"]) + (" (missed)" if bar["reached"] is False else "")
        spread = f"{digits(bar['min'])} to {digits(bar['max'])}"
        lines.append(f"| {bar_title(bar, titles)} | {bound(bar)} | {measured} | {spread} |")
    medians = {row["key"]: row["median"] for row in data["results"]}
    full = {key: f"{key.rpartition('/')[0]}/vector" for key in medians if key.endswith("/kernels")}
    shares = {key: medians[whole] / medians[key] for key, whole in full.items() if whole in medians}
    if shares:
        lines += ["", "| of a batch's time | in the kernels |", "|---|---:|"]
        lines += [f"| {key.split('/')[1]} | {share:.0%} |" for key, share in shares.items()]
    return "\n".join(lines)


def bar_title(bar: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """A bar for people: "ours: steps/s" or "ours / peer's"."""
    if bar["beyond"] is not None:
        return f"{titles[bar['key']]}: microseconds a step beyond {titles[bar['peer']]}"
    if bar["peer"] is None:
        return f"{titles[bar['key']]}: steps/s"
    return f"{titles[bar['key']]} / {titles[bar['peer']]}"


def bound(bar: Mapping[str, Any]) -> str:
    """A bar's bound for people."""
    if bar["bound"] is None:
        return "none"
    return f"{'at least' if bar['beyond'] is None else 'at most'} {digits(bar['bound'])}"


def digits(number: float) -> str:
    """Three significant digits, with thousands marked."""
    if number >= 100:
        return f"{float(f'{number:.3g}'):,.0f}"
    return f"{number:.3g}"


def write_docs(data: Mapping[str, Any], path: Path) -> None:
    """Put the tables between the two marks of a page.

    Raises:
        ValueError: the page lacks the marks.
    """
    text = path.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"{path} needs one line {BEGIN!r} and below it one {END!r}")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n{markdown(data)}\n{END}{after}")
