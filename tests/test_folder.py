"""A run folder's files: configurations come back, CSV files are cut and widened."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from motley.studies.config import RunConfig, read_config
from motley.studies.folder import (
    FORMAT_VERSION,
    CsvLog,
    FolderError,
    last_row,
    locked,
    read_csv,
    read_json,
    write_json,
)


def test_a_configuration_survives_its_file() -> None:
    config = RunConfig("motley/DarkHome-v0", agent={"gamma": 0.9}, imports=("json",))
    data = json.loads(json.dumps(config.to_json()))
    again = RunConfig.from_json(data)
    assert again.to_json() == config.to_json()
    assert data["level"] == 2
    assert data["task"] == "DarkHome"


def test_csv_rows_are_cut_and_columns_grow(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    log = CsvLog(file, ("steps", "a"), -1)
    log.append({"steps": 1, "a": 0.1})
    log.append({"steps": 2, "b": 5.0})
    log.append({"steps": 3, "a": 0.3, "b": 6.0})
    with open(file, "a") as stream:
        stream.write("4,0.")  # killed in the middle of a row
    assert read_csv(file)["steps"].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(read_csv(file)["b"], [np.nan, 5, 6])
    assert last_row(file) == {"steps": 3, "a": 0.3, "b": 6.0}
    assert last_row(tmp_path / "none.csv") == {}
    again = CsvLog(file, ("steps", "a"), 2)
    assert again.last == 2
    assert read_csv(file)["steps"].tolist() == [1, 2]
    assert file.read_text().endswith("\n")
    assert CsvLog(file, ("steps", "a"), -1).last == -1
    assert read_csv(file)["steps"].size == 0
    assert last_row(file) == {}


def test_a_garbled_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "eval.csv"
    path.write_text("steps,score01\n0,0.1\n512\n")
    with pytest.raises(FolderError, match=r"line 3 of .*eval.csv has 1 values, not 2"):
        read_csv(path)
    path.write_text("steps,score01\n0,0.1\n512,much\n")
    with pytest.raises(FolderError, match=r"eval.csv: could not convert string to float: 'much'"):
        read_csv(path)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    write_json(file, {"steps": 3})
    assert read_json(file) == {"steps": 3}
    file.write_text(
        file.read_text().replace(f'"format_version": {FORMAT_VERSION}', '"format_version": 99')
    )
    with pytest.raises(FolderError, match=r"has format 99, .* or train anew"):
        read_json(file)
    file.write_text("{")
    with pytest.raises(FolderError, match=r"is not JSON \(.*\): put back what it was"):
        read_json(file)


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(FolderError, match="another process"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass  # free again


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("steps", "64", "steps is '64', which is no int"),
        ("n_envs", True, "n_envs is True, which is no int"),
        ("level", 1.5, "level is 1.5, which is no int"),
        ("agent", [], "agent is [], which is no dict"),
        ("stepz", 64, "unknown setting 'stepz'; did you mean steps"),
        ("task", None, "task is None, which is no str"),
    ],
)
def test_a_setting_that_is_none_is_named_with_its_file(
    name: str, value: object, told: str, tmp_path: Path
) -> None:
    write_json(tmp_path / "config.json", RunConfig(level=None).to_json() | {"level": None})
    assert read_config(tmp_path)["level"] is None
    write_json(tmp_path / "config.json", RunConfig().to_json() | {name: value})
    with pytest.raises(FolderError) as error:
        read_config(tmp_path)
    assert told in str(error.value)
    assert "config.json" in str(error.value)


def test_a_setting_that_is_missing_is_named(tmp_path: Path) -> None:
    data = RunConfig().to_json()
    del data["task"], data["imports"]
    write_json(tmp_path / "config.json", data)
    with pytest.raises(FolderError, match=r"config\.json lacks task, imports"):
        read_config(tmp_path)
