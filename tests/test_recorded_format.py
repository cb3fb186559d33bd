"""A recorded day: written whole or not at all, read back as written, refused with a sentence when damaged."""

import errno
import hashlib
import json
import os
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.adapters.recorded.format import RecordedDay, read_day, write_day
from optionscanner.adapters.recorded.manifest import Manifest, Refusal
from optionscanner.adapters.recorded.tables import SCHEMAS, table_of
from optionscanner.errors import RecordingError
from tests.recorded_samples import DAY, EXPIRY, instants, instruments, manifest, options, spots

CONTRACTS = [("ACME", "STOCK", EXPIRY, strike, kind) for strike in (980.0, 1000.0) for kind in ("CE", "PE")]
ROWS = [
    {"at": "09:20", "strike": 980, "call_last": 31.5, "call_volume": 300, "put_last": 9.5, "call_price_at": "09:20"},
    {"at": "09:20", "strike": 1000, "call_last": 18, "call_volume": 0, "put_open_interest": 1900},
    {"at": "09:25", "strike": 980, "call_last": 32, "call_volume": 400, "put_last": 9.5, "call_price_at": "09:25"},
    {"at": "09:25", "strike": 1000, "call_last": 18, "call_volume": 100, "put_open_interest": 2000},
]


def tables() -> dict[str, pa.Table]:
    return {
        "options": options(ROWS),
        "underlyings": spots([("09:20", "ACME", 1000.0), ("09:25", "ACME", np.nan)]),
        "instruments": instruments(CONTRACTS),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound recorded day."""
    write_day(tmp_path / "day", tables(), manifest())
    return tmp_path / "day"


def pylists(day: RecordedDay) -> dict[str, list[dict[str, object]]]:
    return {name: getattr(day, name).to_pylist() for name in SCHEMAS}


def test_a_day_reads_back_as_written(folder: Path) -> None:
    """Same rows, nulls where nothing was quoted, absent columns where the source had none."""
    day = read_day(folder)
    assert day.options.to_pylist() == tables()["options"].to_pylist()
    assert day.options["call_volume"].to_pylist() == [300.0, 0.0, 400.0, 100.0]
    assert day.options["put_last"].to_pylist() == [9.5, None, 9.5, None]
    assert "call_bid" not in day.options.column_names
    assert day.underlyings["spot"].to_pylist() == [1000.0, None]
    assert day.futures.num_rows == 0
    assert day.instruments.num_rows == 4


def test_the_manifest_reads_back_as_written(tmp_path: Path) -> None:
    """Every field survives, with rows and digests of the tables added."""
    given_ = manifest(
        mode_recorded="IMPORT",
        exchange_stamps=True,
        observation_step_seconds=None,
        refused=(Refusal("a.csv", "it is empty", 3, 1),),
        counts={"rows": 4},
        notes=("prices in ₹",),
    )
    written = write_day(tmp_path / "day", tables(), given_)
    read = read_day(tmp_path / "day").manifest
    assert read == written
    assert {f: getattr(read, f) for f in Manifest.__slots__ if f != "tables"} == {
        f: getattr(given_, f) for f in Manifest.__slots__ if f != "tables"
    }
    assert {name: facts.rows for name, facts in read.tables.items()} == {
        "options": 4,
        "futures": 0,
        "underlyings": 2,
        "instruments": 4,
    }


@given(order=st.permutations(range(len(ROWS))))
def test_the_order_of_the_rows_does_not_matter(order: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Shuffled rows make the same files, byte for byte."""
    place = tmp_path_factory.mktemp("shuffled")
    one = write_day(place / "one", tables(), manifest())
    shuffled = tables() | {"options": options([ROWS[i] for i in order])}
    other = write_day(place / "other", shuffled, manifest())
    assert other.tables == one.tables
    shutil.rmtree(place)


def test_the_digest_is_of_the_content(folder: Path, tmp_path: Path) -> None:
    """The same tables again have the same digest; one other quote has another, and makes another session."""
    first = read_day(folder).manifest.digest
    write_day(tmp_path / "again", tables(), manifest(source="told otherwise"))
    assert read_day(tmp_path / "again").manifest.digest == first
    dearer = {**tables(), "underlyings": spots([("09:20:00", "ACME", 1001.25)])}
    write_day(tmp_path / "other", dearer, manifest())
    assert read_day(tmp_path / "other").manifest.digest != first
    assert len(first) == 8


def test_a_day_is_replaced_by_a_new_one(folder: Path) -> None:
    """Writing to an existing recorded day replaces all of it."""
    write_day(folder, tables() | {"options": options(ROWS[:2])}, manifest(source="second"))
    assert read_day(folder).options.num_rows == 2
    assert [path.name for path in folder.parent.iterdir()] == ["day"]


def test_a_damaged_day_may_be_replaced(folder: Path) -> None:
    """A recording that cannot be read any more does not block a new import."""
    (folder / "options.parquet").unlink()
    write_day(folder, tables(), manifest())
    assert read_day(folder).options.num_rows == 4


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    write_day(tmp_path, tables(), manifest())
    assert read_day(tmp_path).options.num_rows == 4


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(RecordingError, match="are not a recorded day and is left alone"):
        write_day(tmp_path, tables(), manifest())
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_file_in_the_place_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "day"
    place.write_text("dear", encoding="utf-8")
    with pytest.raises(RecordingError, match="a folder is expected, but this is a file"):
        write_day(place, tables(), manifest())
    assert place.read_text(encoding="utf-8") == "dear"


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("call", [1, 3, 5])
def test_a_full_disk_leaves_the_place_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, existing: bool
) -> None:
    """The disk fills up at the n-th file: one sentence, no half day, no litter, an older day untouched."""
    if existing:
        write_day(tmp_path / "day", tables(), manifest(source="first"))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    calls = []
    real = os.fsync

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordingError, match=r"could not be written \(No space left on device\); free the disk"):
        write_day(tmp_path / "day", tables(), manifest(source="second"))
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    if existing:
        assert read_day(tmp_path / "day").manifest.source == "first"


def test_what_a_killed_run_left_behind_is_cleared(tmp_path: Path) -> None:
    """Half-written files lie beside the place, never in it, and go with the next write."""
    half = tmp_path / ".day.writing"
    half.mkdir()
    (half / "options.parquet").write_bytes(b"PAR1 half")
    with pytest.raises(RecordingError, match="there is no such folder"):
        read_day(tmp_path / "day")
    write_day(tmp_path / "day", tables(), manifest())
    assert [path.name for path in tmp_path.iterdir()] == ["day"]


def test_a_table_without_a_required_column_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="table options lacks strike; its columns are observed_at"):
        write_day(tmp_path / "day", {"options": tables()["options"].drop_columns(["strike"])}, manifest())
    assert not list(tmp_path.iterdir())


def test_a_table_with_an_unknown_column_is_not_written(tmp_path: Path) -> None:
    extra = tables()["options"].append_column("colour", pa.array(["red"] * 4))
    with pytest.raises(RecordingError, match="table options has unknown columns colour"):
        write_day(tmp_path / "day", {"options": extra}, manifest())


def test_an_unknown_table_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="has no table trades; it has options, futures"):
        write_day(tmp_path / "day", {"trades": tables()["options"]}, manifest())


def test_a_key_without_a_value_is_not_written(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "strike": np.nan}]
    with pytest.raises(RecordingError, match="table options has 1 rows without strike"):
        write_day(tmp_path / "day", {"options": options(rows)}, manifest())


def test_an_unknown_word_is_not_written(tmp_path: Path) -> None:
    """A typing slip in a kind or an exchange never becomes a contract."""
    odd = instruments([("ACME", "SHARE", EXPIRY, 980.0, "CE")])
    with pytest.raises(RecordingError, match="table instruments has kind 'SHARE', expected INDEX or STOCK"):
        write_day(tmp_path / "day", {"instruments": odd}, manifest())


def test_a_table_takes_only_its_columns() -> None:
    with pytest.raises(ValueError, match="table futures has no column strike"):
        table_of("futures", {"strike": np.array([1.0])})


# --- damage: each defect, and the sentence it gives


def edit_manifest(folder: Path, **changes: object) -> None:
    place = folder / "manifest.json"
    described = json.loads(place.read_text(encoding="utf-8"))
    for name, value in changes.items():
        if value is None:
            del described[name]
        else:
            described[name] = value
    place.write_text(json.dumps(described), encoding="utf-8")


def rewrite(folder: Path, name: str, table: pa.Table) -> None:
    """Replace a table by another one, digest and all, so that only what is in it is wrong."""
    place = folder / f"{name}.parquet"
    pq.write_table(table, place)
    described = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    described["tables"][name]["sha256"] = hashlib.sha256(place.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(described), encoding="utf-8")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="there is no such folder; give the folder of a recorded day"):
        read_day(tmp_path / "nowhere")


def test_a_file_for_a_folder(folder: Path) -> None:
    with pytest.raises(RecordingError, match="a recorded day is a folder, this is a file"):
        read_day(folder / "options.parquet")


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no manifest\.json in it, so this is not a recorded day"):
        read_day(tmp_path)


def test_manifest_cut_off(folder: Path) -> None:
    place = folder / "manifest.json"
    place.write_text(place.read_text(encoding="utf-8")[:200], encoding="utf-8")
    with pytest.raises(RecordingError, match="not readable as JSON"):
        read_day(folder)


def test_manifest_of_something_else(folder: Path) -> None:
    (folder / "manifest.json").write_text('["a list"]', encoding="utf-8")
    with pytest.raises(RecordingError, match='must describe an "optionscanner recorded day"'):
        read_day(folder)


@pytest.mark.parametrize(
    ("version", "way_out"), [(2, "update the program"), (0, "import the day again"), ("x", "import the day again")]
)
def test_another_version(folder: Path, version: object, way_out: str) -> None:
    edit_manifest(folder, version=version)
    with pytest.raises(RecordingError, match=f"format version {version!r}, this program reads version 1; {way_out}"):
        read_day(folder)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"date": None}, "lacks the field 'date'"),
        ({"date": "30 January"}, "has a field of the wrong kind"),
        ({"mode_recorded": "PAPER"}, "mode_recorded must be one of LIVE, REPLAY, SIMULATED, IMPORT, is 'PAPER'"),
        ({"tables": {}}, "tables must be options, futures, underlyings, instruments, are none"),
        ({"refused": [7]}, "has a field of the wrong kind"),
    ],
)
def test_manifest_with_a_wrong_field(folder: Path, changes: dict[str, object], sentence: str) -> None:
    edit_manifest(folder, **changes)
    with pytest.raises(RecordingError, match=sentence):
        read_day(folder)


def test_missing_table(folder: Path) -> None:
    (folder / "underlyings.parquet").unlink()
    with pytest.raises(RecordingError, match=r"underlyings\.parquet: the recording lacks this file"):
        read_day(folder)


@pytest.mark.parametrize("size", [0, 3, 400])
def test_cut_off_table(folder: Path, size: int) -> None:
    place = folder / "options.parquet"
    place.write_bytes(place.read_bytes()[:size])
    with pytest.raises(RecordingError, match=r"options\.parquet: cannot be read as Parquet"):
        read_day(folder)


def test_changed_table(folder: Path) -> None:
    """Readable, but not what was recorded."""
    pq.write_table(options(ROWS[:3]), folder / "options.parquet")
    with pytest.raises(RecordingError, match=r"sha256 must be \w{12}… as the manifest says, is \w{12}…"):
        read_day(folder)


def test_rows_that_the_manifest_does_not_know(folder: Path) -> None:
    rewrite(folder, "options", read_day(folder).options.slice(0, 3).cast(tables()["options"].schema))
    with pytest.raises(RecordingError, match="must have 4 rows as the manifest says, has 3"):
        read_day(folder)


def test_unknown_column(folder: Path) -> None:
    rewrite(folder, "options", tables()["options"].append_column("colour", pa.array(["red"] * 4)))
    with pytest.raises(RecordingError, match="has the unknown column colour; format version 1 knows observed_at"):
        read_day(folder)


def test_missing_column(folder: Path) -> None:
    rewrite(folder, "options", tables()["options"].drop_columns(["expiry"]))
    with pytest.raises(RecordingError, match="lacks the column expiry"):
        read_day(folder)


def test_columns_that_the_manifest_does_not_know(folder: Path) -> None:
    rewrite(folder, "options", tables()["options"].drop_columns(["put_last"]))
    with pytest.raises(RecordingError, match=r"must have the columns .* as the manifest says"):
        read_day(folder)


def test_column_of_another_type(folder: Path) -> None:
    table = tables()["options"]
    whole = table["strike"].cast(pa.int64())
    rewrite(folder, "options", table.set_column(table.column_names.index("strike"), "strike", whole))
    with pytest.raises(RecordingError, match="column strike must be double, is int64"):
        read_day(folder)


def test_rows_of_another_day(folder: Path) -> None:
    """The day in India counts: 18:45 UTC is past midnight there."""
    rewrite(folder, "options", options(ROWS, date(2026, 1, 31)))
    with pytest.raises(RecordingError, match=r"every instant must lie on 30-Jan-2026 .* found 31-Jan-2026 09:20"):
        read_day(folder)


def test_the_whole_indian_day_belongs_to_the_recording(tmp_path: Path) -> None:
    """00:00 and 23:59 in India lie on two days in UTC and on one in the recording."""
    rows = [{**ROWS[0], "at": at} for at in ("00:00", "23:59")]
    write_day(tmp_path / "day", {"options": options(rows)}, manifest())
    assert read_day(tmp_path / "day").options["observed_at"].to_numpy().astype("datetime64[ms]").tolist() == (
        instants(["00:00", "23:59"]).tolist()
    )


def test_the_recorded_day_is_the_manifests(folder: Path) -> None:
    assert read_day(folder).manifest.date == DAY
