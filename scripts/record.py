"""`motley record`: an agent at work, as arrays."""

from __future__ import annotations

from motley.envs import TASKS, trace
from motley.scripts.flags import Record
from motley.scripts.readouts import remark_on_task, tell
from motley.studies import record
from motley.studies.config import ConfigError, import_plugins, nearest, plain, task_as_set
from motley.studies.record import open_lesioned, rules


def main(args: Record) -> None:
    """Record, and say how the episodes went.

    Raises:
        ConfigError: no such run, task, policy, level, variant or area; no episodes.
        ValueError, OSError: the file cannot be written, see `trace.npz`.
    """
    import_plugins(args.imports)
    if args.episodes < 1:
        raise ConfigError(f"--episodes must be at least 1, not {args.episodes}")
    trace.npz(args.out)
    name = plain(str(args.source))
    if not args.source.is_dir() and name in TASKS:
        if args.lesion:
            raise ConfigError("--lesion is for the areas of a run's agent; a task has none")
        task = task_as_set(name, args.level, args.ood, args.variant)
        policy = args.policy or "oracle"
        act = trace.policy(task, policy, args.seed)
        made = trace.record(task, act, args.episodes, args.seed, {"policy": policy})
    elif args.source.exists() or "/" in name:
        if args.policy is not None:
            raise ConfigError("--policy is for a task; a run is played by its own agent")
        config, agent = open_lesioned(args.source, args.lesion)
        task = rules(config, args.level, args.ood, args.variant)
        remark_on_task(config.at(args.level, args.ood, args.variant), args.source)
        made = record.record(agent, task, args.episodes, args.seed, not args.sample)
    else:
        raise ConfigError(nearest("task", name, TASKS) + "; a run folder will do too")
    path = made.save(args.out)
    tell(made, args.lesion)
    size = f"{len(made['step']):,} moments, {path.stat().st_size / 1e6:.1f} MB"
    print(f"wrote {path} ({size}): {', '.join(made)}")
