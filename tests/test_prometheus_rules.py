"""What Prometheus is told: its own tool accepts config and rules, and every name in them is one we export."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from skalp_bot.obs.catalogue import CATALOGUE

FOLDER = Path(__file__).parent.parent / "configs" / "prometheus"
TOOL = shutil.which("promtool")
NEEDED = ("SkalpAbsent", "SkalpUnprotected", "SkalpDriftOpen", "SkalpResidual", "SkalpUnknownOrders")


def rules() -> list[dict[str, object]]:
    read = yaml.safe_load((FOLDER / "rules.yaml").read_text())
    return [rule for group in read["groups"] for rule in group["rules"]]


@pytest.mark.skipif(
    TOOL is None, reason="promtool is not here: it comes with Prometheus (apt install prometheus)"
)
@pytest.mark.parametrize("words", ["check config prometheus.yaml", "test rules rules_test.yaml"])
def test_promtool_accepts_the_config_and_proves_the_rules(words: str) -> None:
    done = subprocess.run(
        [str(TOOL), *words.split()], cwd=FOLDER, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_and_label_value_in_the_rules_is_exported() -> None:
    names = {re.sub(r"_(bucket|count|sum)$", "", name): name for name in found(r"\bskalp_[a-z_]+")}
    assert set(names) <= set(CATALOGUE)
    for name, label, value in re.findall(r'(skalp_[a-z_]+)\{([a-z]+)=~?"([^"]+)"\}', expressions()):
        allowed = {known.name: known.values for known in CATALOGUE[name].labels}[label]
        assert set(value.split("|")) <= set(allowed)


def test_every_alert_says_what_to_do_and_is_tried_by_a_test() -> None:
    tried = (FOLDER / "rules_test.yaml").read_text()
    alerts = [str(rule["alert"]) for rule in rules()]
    assert set(NEEDED) | {"SkalpStreamStale", "SkalpHalted"} <= set(alerts)
    for rule in rules():
        notes = rule["annotations"]
        assert isinstance(notes, dict)
        assert notes["summary"]
        assert notes["action"]
        assert str(rule["alert"]) in tried


def expressions() -> str:
    return "\n".join(str(rule["expr"]) for rule in rules())


def found(pattern: str) -> list[str]:
    return re.findall(pattern, expressions())
