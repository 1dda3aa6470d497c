"""Weights & Biases: a real offline run, read back from its file."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from motley.studies.folder import read_csv

BLOCK, HEADER = 32_768, 7


def records(data: bytes) -> Iterator[bytes]:
    """The records of a .wandb file: a LevelDB log after a header of seven bytes."""
    assert data[:4] == b":W&B"
    at, parts = HEADER, b""
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + HEADER])
        parts += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def test_an_offline_run_holds_configuration_curves_and_video(tmp_path: Path) -> None:
    out = tmp_path / "tracked"
    words = "train --level 0 --steps 1024 --n-envs 8 --eval-every 512 --eval-episodes 5 --track"
    words += f" --set n_steps=32 --set budget=20000 --out {out}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    # No account to be found: no key in the environment, none in the home folder.
    environment |= {"HOME": str(tmp_path), "NETRC": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-m", "motley.scripts.main", *words.split()],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    from wandb.proto import wandb_internal_pb2

    (file,) = (out / "wandb").glob("offline-run-*/*.wandb")
    config: dict[str, object] = {}
    history: list[dict[str, float]] = []
    for blob in records(file.read_bytes()):
        record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
        record.ParseFromString(blob)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            config |= {i.key: json.loads(i.value_json) for i in record.run.config.update}
        elif kind == "history":
            items = record.history.item
            history.append(
                {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items}
            )
    assert config["task"] == "DarkHome"
    assert config["structure"] == "matched"
    assert config["n_parameters"]
    evaluations = read_csv(out / "eval.csv")
    logged = [row for row in history if "eval/score01" in row]
    assert [row["steps"] for row in logged] == evaluations["steps"].tolist()
    assert [row["eval/score01"] for row in logged] == evaluations["score01"].tolist()
    trained = [row for row in history if "train/return" in row]
    assert [row["steps"] for row in trained] == read_csv(out / "progress.csv")["steps"].tolist()
    assert any(key.startswith("cost/") for key in trained[-1])
    assert any(key.startswith("video") for row in history for key in row)
    assert list(file.parent.glob("files/media/videos/*.mp4"))
