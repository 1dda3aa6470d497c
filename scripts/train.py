"""`motley train`: one run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from tyro.conf import UseAppendAction

if TYPE_CHECKING:
    from motley.studies.config import RunConfig

Import = Annotated[UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="import")]


@dataclass(frozen=True)
class Train:
    """Train an agent and leave a run folder: curves, the model, checkpoints to go on from.

    Ctrl-C saves; the same command with --resume goes on, to the same numbers.
    """

    out: Path | None = None
    """The run folder to write; left out, runs/TASK/STRUCTURE-COSTS-SEED."""
    task: str = "DarkHome"
    """A task of `motley list`, or any Gymnasium id."""
    level: int | None = None
    """Rung of the task's ladder, 0 is the easiest; left out, the task's default."""
    ood: bool = False
    """Train in the out-of-distribution variant."""
    structure: str = "matched"
    """Which areas, wired how: a structure of `motley list`."""
    costs: str = "heterogeneous"
    """What the areas are trained for: a cost set of `motley list`, several joined by +."""
    routing: str = "matched"
    """Which cost trains which area: matched, shuffled or global."""
    time: str = "staged"
    """With --set development=...: staged as it says, reversed, permuted or simultaneous."""
    credit: str = "backprop"
    """How an error changes weights: a credit rule of `motley list`."""
    steps: int = 500_000
    """Environment steps, all worlds together."""
    seed: int = 0
    """Of weights, exploration and worlds."""
    n_envs: int = 64
    """Worlds in lock step."""
    device: str = "cpu"
    """Where the networks live: cpu, cuda, mps."""
    eval_every: int = 20_000
    """Steps between evaluations."""
    eval_episodes: int = 200
    """Episodes of an evaluation, in worlds that never train."""
    until_solved: bool = False
    """End early, once two evaluations in a row have a score01 of 0.8."""
    resume: bool = False
    """Go on from the folder's last checkpoint; other flags may be left out."""
    imports: Import = ()
    """A plug-in module to import first; may be given again for more."""
    settings: Annotated[UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="set")] = ()
    """A setting of the agent, as in --set learning_rate=1e-3; may be given again."""
    track: bool = False
    """Log to Weights & Biases as well, offline where there is no account."""
    capture_video: bool = False
    """Film the trained agent into video.mp4."""


def settle(args: Train, read: Callable[[Any], Train]) -> Train:
    """With --resume, what the folder was begun with is the default of every flag."""
    from motley.studies.config import ConfigError
    from motley.studies.folder import read_json

    out = place(args)
    if not args.resume:
        return replace(args, out=out)
    if not (out / "config.json").exists():
        raise ConfigError(
            f"{out} holds no run to go on with: leave --resume out to begin one there, or name the "
            f"folder of a run with --out"
        )
    stored = read_json(out / "config.json")
    stored["imports"] = tuple(stored["imports"])
    stored["settings"] = tuple(f"{k}={json.dumps(v)}" for k, v in stored.pop("agent").items())
    known = {f.name for f in fields(Train)}
    default = Train(out=out, **{k: v for k, v in stored.items() if k in known})
    again = read(default)
    # Flags that append would otherwise stand twice.
    return replace(
        again,
        out=out,
        imports=tuple(dict.fromkeys(again.imports)),
        settings=tuple(dict.fromkeys(again.settings)),
    )


def place(args: Train) -> Path:
    """The run folder."""
    from motley.studies.config import plain

    level = "" if args.level is None else f"-level{args.level}"
    name = f"{args.structure}-{args.costs}-{args.seed}"
    return args.out or Path("runs") / f"{plain(args.task)}{level}" / name


def main(args: Train) -> int:
    """Train; returns the exit code."""
    from motley.scripts.progress import Display, outcome
    from motley.studies.config import import_plugins
    from motley.studies.listener import Listener
    from motley.studies.run import InterruptedRunError, run
    from motley.studies.video import film

    import_plugins(args.imports)
    out = place(args)
    config = configuration(args)
    listeners: list[Listener] = [Display()]
    tracker = None
    if args.track:
        from motley.studies.track import Tracker

        tracker = Tracker()
        listeners.append(tracker)
    try:
        row = run(config, out, resume=args.resume, listeners=listeners)
        video = film(out) if args.capture_video or args.track else None
        if tracker is not None and video is not None:
            tracker.film(video)
    except InterruptedRunError as stop:
        print(stop)
        return 130
    finally:
        if tracker is not None:
            tracker.finish()
    print(
        f"{row['steps']:,.0f} steps: {outcome(row)}"
        f"\nsee it act: motley watch {out}\na page:     motley report {out}"
        + (f"\nvideo:      {video}" if video else "")
    )
    return 0


def configuration(args: Train) -> RunConfig:
    """The run that the flags ask for.

    Raises:
        ConfigError: a setting without a value.
    """
    from motley.studies.config import ConfigError, RunConfig

    agent = {}
    for setting in args.settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}: write it as NAME=VALUE")
        try:
            agent[name] = json.loads(value)
        except json.JSONDecodeError as error:
            raise ConfigError(
                f"--set {setting}: {value!r} is no JSON value (a number, true, false, null)"
            ) from error
    shared = {f.name for f in fields(RunConfig)} & {f.name for f in fields(Train)}
    return RunConfig(**{name: getattr(args, name) for name in shared}, agent=agent)
