"""`motley record`: an agent at work, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import UseAppendAction

from motley.scripts.train import Import
from motley.studies.seeds import SEED

Lesions = Annotated[UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="lesion")]


@dataclass(frozen=True)
class Record:
    """Record episodes into an npz: place, senses, actions, rewards, what no sense shows, activity.

    Everything is on one clock; the file's README tells what is in it, NumPy alone reads it.
    """

    source: Annotated[Path, tyro.conf.Positional]
    """A run folder, or a task of `motley list`, played as --policy says."""
    out: Path = Path("trace.npz")
    """The file to write."""
    episodes: int = 100
    """How many, of seeds that follow each other."""
    policy: str = "oracle"
    """Who plays a task: oracle, observer, random or one of its shortcuts."""
    level: int | None = None
    """Another rung of the task's ladder than the run's, or than the task's default."""
    ood: bool = False
    """The out-of-distribution variant."""
    seed: int = SEED
    """Of the first episode."""
    sample: bool = False
    """Draw actions as in training, instead of the mean action."""
    lesion: Lesions = ()
    """An area of the agent whose output is held at zero; may be given again for more."""
    imports: Import = ()
    """A plug-in module to import first; may be given again for more."""


def main(args: Record) -> None:
    """Record, and say how the episodes went.

    Raises:
        ConfigError: no such run, task, policy, level or area; no episodes.
    """
    from motley.envs import TASKS, trace
    from motley.envs.summaries import summary
    from motley.studies import record
    from motley.studies.config import ConfigError, check_task, import_plugins, nearest, plain
    from motley.studies.record import open_lesioned, rules

    import_plugins(args.imports)
    if args.episodes < 1:
        raise ConfigError(f"--episodes must be at least 1, not {args.episodes}")
    name = plain(str(args.source))
    if not args.source.is_dir() and name in TASKS:
        if args.lesion:
            raise ConfigError("--lesion is for the areas of a run's agent; a task has none")
        check_task(name, args.level, args.ood)
        task = TASKS[name](level=args.level, ood=args.ood)
        act = trace.policy(task, args.policy, args.seed)
        made = trace.record(task, act, args.episodes, args.seed, {"policy": args.policy})
    elif args.source.exists() or "/" in name:
        config, agent = open_lesioned(args.source, args.lesion)
        task = rules(config, args.level, args.ood)
        made = record.record(agent, task, args.episodes, args.seed, not args.sample)
    else:
        raise ConfigError(nearest("task", name, TASKS) + "; a run folder will do too")
    path = made.save(args.out)
    print(
        f"{args.episodes} episodes, {len(made['step']):,} moments: score01 "
        f"{made['end/score01'].mean():.3f}, success {made['end/success'].mean():.3f}"
        + "".join(f"\n{name}: {value:.3g}" for name, value in summary(made).items())
        + f"\nwrote {path} ({path.stat().st_size / 1e6:.1f} MB): {', '.join(made)}"
    )
