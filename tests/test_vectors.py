"""Every reference number is reproduced."""

import json
from pathlib import Path

import pytest

from tests.vectors import ANSWERS, FOLDER, JUDGES, report, run_vectors

needs_vectors = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"reference vectors are absent: {FOLDER}")


@needs_vectors
def test_every_case_of_every_file_is_reproduced() -> None:
    results = run_vectors(FOLDER)
    assert results
    assert all(passed == total > 0 for passed, total in results.values()), report(results)


@needs_vectors
@pytest.mark.parametrize("function", sorted(ANSWERS | JUDGES))
def test_a_wrong_reference_number_is_noticed(function: str, tmp_path: Path) -> None:
    document = json.loads((FOLDER / f"{function}.json").read_text(encoding="utf-8"))
    document["cases"] = document["cases"][:1]
    case = document["cases"][0]
    answers = ("f", "f_risk", "qty", "gz_raw", "f_rck", "growth", "w", "var_fhs", "lw_cov", "prob_edge")
    name = next(n for n in answers if n in case)
    case[name] = spoiled(case[name])
    (tmp_path / "spoiled.json").write_text(json.dumps(document), encoding="utf-8")
    assert run_vectors(tmp_path) == {"spoiled.json": (0, 1)}


def spoiled(value: object) -> object:
    match value:
        case str():
            return f"{value}1"
        case list():
            return [spoiled(item) for item in value]
        case float() | int():
            return value * 1.01 + 0.01
        case _:
            raise AssertionError(value)
