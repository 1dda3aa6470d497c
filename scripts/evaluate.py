"""`motley evaluate`: how well a trained agent does, whole or lesioned, before and after more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from motley.agents import Agent
from motley.envs import Task
from motley.envs.summaries import is_read
from motley.envs.trace import Trace
from motley.scripts.flags import Evaluate
from motley.scripts.progress import bar
from motley.scripts.readouts import in_short, outcomes, remark_on_task, tell
from motley.studies.config import ConfigError, RunConfig, as_word, build_worlds
from motley.studies.evaluate import OTHERS_WORLDS, play
from motley.studies.plastic import adapt
from motley.studies.record import open_lesioned, record


def main(args: Evaluate) -> None:
    """Play and print.

    Raises:
        ConfigError: no episodes, no such level, variant or area, or a number of steps below 0.
    """
    if args.episodes < 1:
        raise ConfigError(f"--episodes must be at least 1, not {args.episodes}")
    if args.plastic < 0:
        raise ConfigError(f"--plastic is a number of steps, not {args.plastic}: give 0 or more")
    config, agent = open_lesioned(args.run, args.lesion)
    there, deterministic = config.at(args.level, args.ood, args.variant), not args.sample
    remark_on_task(there, args.run)
    if config.ours is None and args.plastic:
        raise ConfigError(
            f"--plastic is for Motley's tasks, and {config.task} is none of them: leave it out"
        )
    print(f"{args.run}, trained for {agent.num_timesteps:,} steps: {in_words(there)}")
    if config.ours is None:
        worlds = build_worlds(there, min(args.episodes, OTHERS_WORLDS), args.seed, there.ood)
        try:
            tell(play(agent, worlds, args.episodes, deterministic), args.lesion)
        finally:
            worlds.close()
        return

    def trace(task: Task) -> Trace:
        keep = partial(is_read, task.name)
        return record(agent, task, args.episodes, args.seed, deterministic, keep)

    if args.plastic:
        learn_between(args, config, there, agent, trace)
    else:
        tell(trace(there.rules()), args.lesion)


def learn_between(
    args: Evaluate,
    config: RunConfig,
    there: RunConfig,
    agent: Agent,
    trace: Callable[[Task], Trace],
) -> None:
    """Evaluate, let the agent learn there, and evaluate again, also where it was trained."""
    moves = there.to_json() != config.to_json()
    first = score(trace(config.rules())) if moves else ""
    print("as it is")
    tell(trace(there.rules()), args.lesion)
    begun = agent.num_timesteps
    with bar("learning there", args.plastic) as on_steps:
        adapt(agent, there, args.plastic, args.seed, on_steps)
    print(f"after {agent.num_timesteps - begun:,} more steps of learning there")
    tell(trace(there.rules()), args.lesion)
    if moves:
        print(f"where it was trained\n  before  {first}\n  after   {score(trace(config.rules()))}")


def in_words(there: RunConfig) -> str:
    """Where an agent plays: the task, its level and variant, and whether out of distribution."""
    if there.ours is None:
        return there.task
    place = there.to_json()
    words = [place["task"], f"level {place['level']}"]
    words += [as_word(*setting) for setting in place.get("variant", {}).items()]
    return ", ".join([*words, "out of distribution"] if there.ood else words)


def score(trace: Trace) -> str:
    """The mean score01 in words, or of a task that is not calibrated the next best there is."""
    name, values = next(iter(outcomes(trace).items()))
    return f"{name} {in_short(values)}"
