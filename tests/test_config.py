"""Configuration: the last word wins, each value knows who said it, a refusal names key, value and range."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from aurora.config import AuroraConfig
from aurora.errors import ConfigError
from skalp_bot.config import Config, Venue, fresh_state_dir, load_config
from skalp_bot.config.describe import base_yaml, explained
from skalp_bot.config.knobs import knobs
from skalp_bot.config.page import configuration_tables

ROOT = Path(__file__).parent.parent
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(text: str, name: str = "profile.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return put


def refusal(path: Path | None, **environ: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load_config(path, environ=environ)
    return str(refused.value)


def test_nothing_said_is_the_code() -> None:
    loaded = load_config(None, environ={"AURORA_SHARED": "../shared", "HOME": "/"})
    assert loaded.config.aurora.exits == AuroraConfig().exits
    assert loaded.origin("exits.tp_pct") == "code"


def test_base_yaml_lists_every_knob_at_the_value_of_the_code() -> None:
    """When this fails, scripts/base_config writes the file anew."""
    path = ROOT / "configs/aurora/base.yaml"
    assert path.read_text() == base_yaml()
    loaded = load_config(path, environ={})
    assert loaded.config == Config()
    assert set(loaded.entries) == set(knobs()) - {"exits_by_symbol"}  # Its keys have symbols for names.


def test_the_configuration_page_shows_every_knob_with_its_meaning() -> None:
    """When this fails, scripts/base_config writes the tables anew."""
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    _, _, tables = text.partition("<!-- tables -->\n\n")
    assert tables == configuration_tables()
    rows = {line.split("`")[1]: line for line in tables.splitlines() if line.startswith("| `")}
    assert list(rows) == list(knobs())
    assert [name for name, row in rows.items() if row.endswith("|  |")] == []


def test_what_files_on_the_road_say() -> None:
    testnet = load_config(ROOT / "configs/aurora/testnet.yaml", environ={}).config
    assert (testnet.venue, testnet.use_futures, testnet.aurora.leverage) == (Venue.TESTNET, True, 25)
    paper = load_config(ROOT / "profiles/paper.yaml", environ={}).config
    assert (paper.venue, paper.aurora.strategy.name) == (Venue.PAPER, "exercise")
    assert paper.aurora.reconcile.interval_s == 10
    assert len(paper.aurora.symbols) in (2, 3)
    bitcoin = load_config(ROOT / "profiles/btc_production_testnet.yaml", environ={}).config
    assert (bitcoin.venue, bitcoin.aurora.symbols, bitcoin.aurora.leverage) == (
        Venue.TESTNET,
        ("BTCUSDT",),
        25,
    )
    assert load_config(ROOT / "configs/aurora/production.yaml", environ={}).config.venue is Venue.LIVE


def test_each_layer_overrules_the_one_before(write: Write) -> None:
    write("exits: {tp_pct: 0.001}\nleverage: 2\n", "base.yaml")
    profile = write("extends: base.yaml\nexits:\n  tp_pct: 0.002\n")
    environ: dict[str, str] = {}
    seen = []
    for name, value in [("", ""), ("AURORA_TP_PCT", "0.003"), ("AURORA__EXITS__TP_PCT", "0.003")]:
        environ |= {name: value} if name else {}
        loaded = load_config(profile, environ=environ)
        seen.append((loaded.config.aurora.exits.tp_pct, loaded.origin("exits.tp_pct").rpartition("/")[2]))
    last = load_config(profile, environ=environ, options={"exits.tp_pct": ("--tp", 0.005)})
    seen.append((last.config.aurora.exits.tp_pct, last.origin("exits.tp_pct")))
    assert seen == [
        (0.002, "profile.yaml:3"),
        (0.003, "AURORA_TP_PCT"),
        (0.003, "AURORA__EXITS__TP_PCT"),
        (0.005, "--tp"),
    ]
    assert last.config.aurora.leverage == 2
    row = next(row for row in explained(last) if row["key"] == "exits.tp_pct")
    assert (row["value"], row["set_by"]) == ("0.005", "--tp")
    beaten = [part.rpartition("/")[2] for part in row["overrules"].split(", ")]
    assert beaten == [
        "0.003 (AURORA__EXITS__TP_PCT)",
        "0.003 (AURORA_TP_PCT)",
        "profile.yaml:3)",
        "base.yaml:1)",
        "0.00001 (code)",
    ]


def test_environment_names_reach_every_kind_of_knob() -> None:
    environ = {
        "AURORA_MAX_CONCURRENT": "4",
        "AURORA__SYMBOLS": "BTCUSDT, ETHUSDT",
        "AURORA__VENUE": "testnet",
        "AURORA__EXITS__BACKSTOP": "false",
        "AURORA__EXITS__TP_PCT": "1e-3",
        "AURORA__MARKET__SOURCE": "tape:a.csv",
    }
    config = load_config(None, environ=environ).config
    assert config.aurora.governance.max_concurrent_positions == 4
    assert config.aurora.symbols == ("BTCUSDT", "ETHUSDT")
    assert (config.venue, config.aurora.exits.backstop) == (Venue.TESTNET, False)
    assert (config.aurora.exits.tp_pct, config.market.source) == (0.001, "tape:a.csv")


def test_two_names_for_one_key_must_agree() -> None:
    agreed = {"AURORA_TP_PCT": "0.0010", "AURORA__EXITS__TP_PCT": "1e-3"}
    assert load_config(None, environ=agreed).config.aurora.exits.tp_pct == 0.001
    said = refusal(None, AURORA_TP_PCT="0.001", AURORA__EXITS__TP_PCT="0.002")
    for part in ("AURORA_TP_PCT=0.001", "AURORA__EXITS__TP_PCT=0.002", "exits.tp_pct", "unset one"):
        assert part in said


def test_reconciliation_is_brisk_on_paper_and_calm_elsewhere(write: Write) -> None:
    assert load_config(None, environ={}).config.aurora.reconcile.interval_s == 10
    assert load_config(write("venue: testnet"), environ={}).config.aurora.reconcile.interval_s == 60
    said = load_config(write("reconcile: {interval_s: 25}"), environ={})
    assert said.config.aurora.reconcile.interval_s == 25


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "exits:\n  tp_pct: 2",
            ("profile.yaml:2: exits.tp_pct = 2: must be number > 0 and < 1 (default 0.00001)",),
        ),
        ("exits:\n  tp_pct: '0.1'", ("profile.yaml:2: exits.tp_pct = '0.1': must be number",)),
        ("leverage: 25.5", ("leverage = 25.5: must be whole number >= 1 and <= 125",)),
        ("leverage: true", ("leverage = true: must be whole number",)),
        ("exits: {backstop: 1}", ("exits.backstop = 1: must be true or false",)),
        ("symbols: BTCUSDT", ("symbols = 'BTCUSDT': must be list of text",)),
        ("symbols: []", ("symbols = []: must be list of text not empty",)),
        ("symbols: [BTCUSDT, 5]", ("symbols = [BTCUSDT, 5]: must be list of text",)),
        ("symbols: [BTCUSDT, BTCUSDT]", ("profile.yaml:1: symbols", "names BTCUSDT twice")),
        ("symbols: [BTCEUR]", ("profile.yaml:1: symbols", "BTCEUR are not quoted in quote_asset USDT")),
        ("venue: mainnet", ("venue = 'mainnet': must be paper or testnet or live",)),
        ("strategy: {name: scalp}", ("strategy.name = 'scalp': must be skalp or exercise",)),
        ("market: {source: csv:x}", ("market.source = 'csv:x': must be text matching",)),
        ("exits: {ladder: ['0.1:0.2']}", ("exits.ladder = [0.1:0.2]: the shares", "add up to 0.2, not 1")),
        ("exits: {tp_pc: 0.1}", ("profile.yaml:1: exits.tp_pc is not a key; did you mean exits.tp_pct?",)),
        ("tp_pct: 0.1", ("tp_pct is not a key; did you mean exits.tp_pct?",)),
        ("exit: {tp_pct: 0.1}", ("profile.yaml:1: exit is not a key; did you mean exits?",)),
        ("zebra: 1", ("zebra is not a key; configs/aurora/base.yaml lists every key",)),
        ("exits: 5", ("exits = 5: a section",)),
        ("exits: {tp_pct: {a: 1}}", ("exits.tp_pct is not a key",)),
        (
            "exits:\n  tp_pct: 0.1\n  tp_pct: 0.2",
            ("profile.yaml:3: exits.tp_pct is set twice", "profile.yaml:2"),
        ),
        ("- a", ("profile.yaml:1: expected keys and values",)),
        ("a: [", ("profile.yaml is not YAML",)),
        ("use_futures: false", ("profile.yaml:1: use_futures = false", "set use_futures: true")),
        ("exits: {backstop_pct: 0.003}", ("exits.backstop_pct = 0.003", "must lie beyond sl_pct 0.005")),
        ("exits: {sl_price: -1}", ("exits.sl_price = -1: must be number >= 0",)),
        (
            "symbols: [BTCUSDT, ETHUSDT]\nexits: {sl_price: 50000}",
            ("profile.yaml:2: exits.sl_price = 50000: ", "price of one symbol", "exits_by_symbol"),
        ),
        (
            "exits: {tp_price: 50000, ladder: ['0.1:1']}",
            ("exits.tp_price = 50000", "exits.ladder = [0.1:1]", "keep one"),
        ),
        ("venue: live\nstrategy: {name: exercise}", ("strategy.name = exercise", "refused on venue live")),
        ("runner: {sends_max: 3, exit_sends_reserved: 3}", ("runner.sends_max = 3", "must be below")),
        ("api_key: abc", ("profile.yaml:1: api_key: secrets do not belong", "BINANCE_API_KEY_FILE")),
        ("exits: {apiSecret: abc}", ("secrets do not belong",)),
        ("extends: nowhere.yaml", ("extends", "nowhere.yaml", "cannot be read", "profile.yaml")),
        ("extends: profile.yaml", ("extends goes round",)),
        ("extends: [a, b]", ("must be the name of one file",)),
    ],
)
def test_a_refusal_names_file_key_value_and_range(write: Write, text: str, parts: tuple[str, ...]) -> None:
    said = refusal(write(text))
    for part in parts:
        assert part in said
    assert "abc" not in said  # Not even of a secret in the wrong place.


OWN = "symbols: [BTCUSDT, ETHUSDT]\nexits: {sl_pct: 0.003, backstop_pct: 0.009}\nexits_by_symbol:\n"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "  BTCUSDT: {tp_pct: 7}",
            ("profile.yaml:4: exits_by_symbol.BTCUSDT.tp_pct = 7: must be number > 0 and < 1",),
        ),
        (
            "  BTCUSDT: {sl_pct: 0.01}",
            (
                "profile.yaml:4: exits_by_symbol.BTCUSDT.sl_pct = 0.01",
                "profile.yaml:2: exits.backstop_pct = 0.009",
                "must lie beyond sl_pct 0.01",
            ),
        ),
        (
            "  BTCUSDT: {ladder: ['0.1:0.2']}",
            ("profile.yaml:4: exits_by_symbol.BTCUSDT.ladder = [0.1:0.2]", "add up to 0.2, not 1"),
        ),
        (
            "  BTCUSDT: {mode: no}",
            ("exits_by_symbol.BTCUSDT.mode = 'no': must be both or exchange or local",),
        ),
        (
            "  BTCUSDT: {tp_pc: 0.1}",
            ("exits_by_symbol.BTCUSDT.tp_pc is not a key; did you mean exits_by_symbol.BTCUSDT.tp_pct?",),
        ),
        ("  BTCUSDT: 7", ("profile.yaml:4: exits_by_symbol.BTCUSDT = 7: a section; its keys go below it",)),
        (
            "  XRPUSDT: {tp_pct: 0.1}",
            ("profile.yaml:4: exits_by_symbol.XRPUSDT.tp_pct = 0.1", "not among symbols BTCUSDT, ETHUSDT"),
        ),
        ("  btcusdt: {tp_pct: 0.1}", ("exits_by_symbol.btcusdt: not among symbols BTCUSDT, ETHUSDT",)),
    ],
)
def test_a_symbols_own_exits_are_refused_as_clearly(write: Write, text: str, parts: tuple[str, ...]) -> None:
    said = refusal(write(OWN + text))
    for part in parts:
        assert part in said


def test_a_mistake_in_the_common_exits_is_told_once(write: Write) -> None:
    said = refusal(write("exits: {tp_pct: 7}\nexits_by_symbol: {BTCUSDT: {sl_pct: 0.001}}"))
    assert said.count("\n") == 0
    assert "profile.yaml:1: exits.tp_pct = 7" in said


def test_a_symbol_has_its_own_exits_and_takes_the_rest_from_the_common_ones(write: Write) -> None:
    text = OWN + "  BTCUSDT:\n    tp_pct: 0.004\n    ladder: ['0.002:0.5', '0.004:0.5']\n  ETHUSDT:\n"
    environ = {"AURORA__EXITS_BY_SYMBOL__BTCUSDT__TP_PCT": "0.006", "AURORA__EXITS__SL_PCT": "0.002"}
    loaded = load_config(write(text), environ=environ)
    core = loaded.config.aurora
    bitcoin = core.exits_of("BTCUSDT")
    assert (bitcoin.tp_pct, bitcoin.sl_pct, bitcoin.backstop_pct) == (0.006, 0.002, 0.009)
    assert bitcoin.ladder == ("0.002:0.5", "0.004:0.5")
    assert core.exits_of("ETHUSDT") is core.exits
    assert Config.model_validate_json(loaded.config.model_dump_json(), strict=True) == loaded.config
    rows = {row["key"]: row for row in explained(loaded)}
    assert "exits_by_symbol" not in rows
    own = rows["exits_by_symbol.BTCUSDT.tp_pct"]
    assert (own["value"], own["set_by"]) == ("0.006", "AURORA__EXITS_BY_SYMBOL__BTCUSDT__TP_PCT")
    beaten = [part.rpartition("/")[2] for part in own["overrules"].split(", ")]
    assert beaten == ["profile.yaml:5)", "0.00001 (exits.tp_pct)"]


def test_a_symbol_is_named_in_the_environment_as_in_a_file() -> None:
    said = refusal(None, AURORA__EXITS_BY_SYMBOL__BTCUSDT__TP_PCT="x")
    assert "AURORA__EXITS_BY_SYMBOL__BTCUSDT__TP_PCT: exits_by_symbol.BTCUSDT.tp_pct = 'x'" in said
    said = refusal(None, AURORA__EXITS_BY_SYMBOL="{}")
    assert "a section; its keys go AURORA__EXITS_BY_SYMBOL__KEY" in said


def test_one_symbol_that_looks_at_trades_makes_us_listen_to_them() -> None:
    own = {"ETHUSDT": {"trigger_price": "last"}}
    symbols = ("BTCUSDT", "ETHUSDT")
    assert not AuroraConfig(symbols=symbols).hears_prints
    assert AuroraConfig.model_validate({"symbols": symbols, "exits_by_symbol": own}).hears_prints


def test_all_mistakes_are_told_at_once(write: Write) -> None:
    said = refusal(write("leverage: 0\nexits: {tp_pct: 7}\n"))
    assert "leverage = 0" in said
    assert "exits.tp_pct = 7" in said


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    assert "AURORA__EXITS__TPPCT: exits.tppct is not a key; did you mean exits.tp_pct?" in refusal(
        None, AURORA__EXITS__TPPCT="1"
    )
    assert "AURORA_MAX_CONCURRENT: governance.max_concurrent_positions = 'many'" in refusal(
        None, AURORA_MAX_CONCURRENT="many"
    )


def test_numbers_are_read_as_people_write_them(write: Write) -> None:
    text = (
        "exits: {tp_pct: 1e-3, sl_pct: .002}\njournal: {root: on}\ngovernance: {order_notional_max: 1_000}\n"
    )
    config = load_config(write(text), environ={}).config
    assert (config.aurora.exits.tp_pct, config.aurora.exits.sl_pct) == (0.001, 0.002)
    assert config.journal.root == "on"
    assert config.aurora.governance.order_notional_max == 1000


def test_a_section_with_every_key_commented_out_is_fine(write: Write) -> None:
    assert load_config(write("exits:\n  # tp_pct: 1\nleverage: 3\n"), environ={}).config.aurora.leverage == 3


def test_configuration_does_not_change() -> None:
    exits: Any = Config().aurora.exits
    with pytest.raises(ValidationError):
        exits.tp_pct = 0.5


def test_a_fresh_state_directory_is_named_by_its_start(tmp_path: Path) -> None:
    now = 1_763_000_000 * 1_000_000_000
    first = fresh_state_dir(tmp_path, now)
    assert first == tmp_path / "paper" / "20251113T021320Z"
    first.mkdir(parents=True)
    assert fresh_state_dir(tmp_path, now) == tmp_path / "paper" / "20251113T021320Z-2"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("symbols: &a [*a]\n", "symbols"),
        ("leverage: 99999999999999999999999\n", "leverage"),
        ("leverage: 1_\n", "leverage"),
        ("exits:\n  tp_pct: 1_.5\n", "exits.tp_pct"),
        ("leverage: !!python/object/apply:os.getpid []\n", "leverage"),
        ("leverage: !what 3\n", "leverage"),
        ("? [a, b]\n: 1\n", "one plain word"),
        ("- a\n- b\n", "a list"),
    ],
)
def test_the_oddest_file_is_refused_in_one_line(write: Write, text: str, key: str) -> None:
    said = refusal(write(text))
    assert key in said
    assert "profile.yaml:" in said
    assert "Node(" not in said
    assert "\n" not in said


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8" in refusal(path)


@pytest.mark.parametrize("text", ["a: b: c", "[1", "&a", "1_", "999999999999999999999999", "!what 3"])
def test_the_oddest_variable_is_refused_with_its_range(text: str) -> None:
    said = refusal(None, AURORA__LEVERAGE=text)
    assert said.startswith("AURORA__LEVERAGE: leverage = ")
    assert "whole number >= 1 and <= 125" in said


def test_a_misspelt_short_name_is_not_passed_over() -> None:
    said = refusal(None, AURORA_SL_PCT="0.1")
    assert said.startswith("AURORA_SL_PCT is not a name we read")
    assert "AURORA_TP_PCT" in said
    assert "AURORA__EXITS__KEY" in refusal(None, AURORA__EXITS="1")


def test_a_clip_upside_down_is_refused_before_anything_is_sized(write: Write) -> None:
    said = refusal(write("sizing:\n  clip_min: 0.3\n  clip_max: 0.1\n"))
    assert "profile.yaml:2: sizing.clip_min = 0.3" in said
    assert "must not be above clip_max 0.1" in said


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTC USDT", "BTC-USDT", "BTC/USDT:USDT"])
def test_a_symbol_in_another_spelling_is_refused_with_the_right_one(write: Write, symbol: str) -> None:
    assert "such as BTCUSDT" in refusal(write(f"symbols: ['{symbol}']\n"))


def test_a_quote_asset_must_be_named(write: Write) -> None:
    assert "quote_asset = ''" in refusal(write('quote_asset: ""\n'))
