"""Daily files of the exchanges: every layout read as published, every refusal said, units at the border, rows once.

Expected values are computed here with the csv module from the same raw text, or written down by hand.
"""

import csv
import gzip
import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from optionscanner.adapters.nse.content import DailyPart, unpacked
from optionscanner.adapters.nse.folder import DailyFiles, read_daily_files, read_part
from optionscanner.adapters.nse.lot_sizes import implied_lots
from optionscanner.errors import RecordingError
from optionscanner.model.daily import LEGS

KINDS = ("bhavcopy_fo", "bhavcopy_cm", "index_close", "vix", "participant", "lots_ban_limits")

UDIFF = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,FininstrmActlXpryDt,StrkPric,OptnTp,"
    "FinInstrmNm,OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,UndrlygPric,SttlmPric,OpnIntrst,ChngInOpnIntrst,"
    "TtlTradgVol,TtlTrfVal,TtlNbOfTxsExctd,SsnId,NewBrdLotQty,Rmks,Rsvd1,Rsvd2,Rsvd3,Rsvd4"
)
LEGACY = (
    "INSTRUMENT,SYMBOL,EXPIRY_DT,STRIKE_PR,OPTION_TYP,OPEN,HIGH,LOW,CLOSE,SETTLE_PR,CONTRACTS,VAL_INLAKH,OPEN_INT,"
    "CHG_IN_OI,TIMESTAMP"
)
PARTICIPANTS = (
    '""Participant wise Open Interest (no. of contracts) in Equity Derivatives as on Jan 29, 2026"",,,,,,,,,,,,,,\n'
    "Client Type,Future Index Long,Future Index Short,Future Stock Long,Future Stock Short\t,Option Index Call Long,"
    "Option Index Put Long,Option Index Call Short,Option Index Put Short,Option Stock Call Long,Option Stock Put Long,"
    "Option Stock Call Short,Option Stock Put Short,Total Long Contracts      ,Total Short Contracts\n"
    "Client,10,20,30,40,50,60,70,80,90,100,110,120,340,440\n"
    "DII,1,2,3,4,5,6,7,8,9,10,11,12,34,44\n"
    "FII,50,40,30,20,10,20,5,10,1,2,3,4,113,82\n"
    "Pro,21,20,37,36,67,96,50,84,54,78,30,54,353,274\n"
    "TOTAL,82,82,100,100,132,182,132,182,154,190,154,190,840,840\n"
)
BAN = "Securities in Ban For Trade Date 30-JAN-2026:\n1,SAIL\n2,M&M\n"
LOTS = (
    "UNDERLYING                          ,SYMBOL    ,JAN-26     ,FEB-26     ,MAR-26     \n"
    "NIFTY 50                            ,NIFTY     ,65         ,65         ,75         \n"
    "Derivatives on Individual Securities,Symbol    ,JAN-26     ,FEB-26     ,           \n"
    "RELIANCE INDUSTRIES LTD             ,RELIANCE  ,500        ,500        ,           \n"
)
INDEX = (
    "Index Name,Index Date,Open Index Value,High Index Value,Low Index Value,Closing Index Value,Points Change,"
    "Change(%),Volume,Turnover (Rs. Cr.),P/E,P/B,Div Yield\n"
    "Nifty 50,29-01-2026,25100.5,25250,25000.25,25200.75,-5.75,-.02,264271962,24244.17,20.73,3.1,1.24\n"
    "India VIX,29-01-2026,13.27,13.5,12.775,12.88,-0.39,-2.92,-,-,-,-,-\n"
)
VIX = (
    "Date ,Open ,High ,Low ,Close ,Prev. Close ,Change ,% Change \n"
    "29-JAN-2026,13.27,13.5,12.775,12.88,13.27,-.39,-2.9\n"
)
CASH = (
    "SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE, AVG_PRICE, "
    "TTL_TRD_QNTY, TURNOVER_LACS, NO_OF_TRADES, DELIV_QTY, DELIV_PER\n"
    "RELIANCE, EQ, 29-Jan-2026, 1400.00, 1401.00, 1420.00, 1390.00, 1405.00, 1404.50, 1404.00, 1000, 14.04, 10, "
    "600, 60\n"
    "1018GS2026, GS, 29-Jan-2026, 105.20, 104.11, 104.11, 104.11, 104.11, 104.11, 104.11, 1, 0.00, 1, -, -\n"
)
EVENTS = "date,symbol,event,description\n2026-02-03,reliance,Results,third quarter\n06-Feb-2026,,RBI,policy\n"


def part(text: str, name: str = "any.csv") -> DailyPart:
    return DailyPart(name, text.encode())


def udiff_row(**given: object) -> str:
    names = UDIFF.split(",")
    row = dict.fromkeys(names, "") | {
        "TradDt": "2026-01-29", "BizDt": "2026-01-29", "Sgmt": "FO", "Src": "NSE", "FinInstrmTp": "IDO",
        "TckrSymb": "NIFTY", "XpryDt": "2026-02-24", "FininstrmActlXpryDt": "2026-02-24", "StrkPric": "25000.00",
        "OptnTp": "CE", "OpnPric": "300.00", "HghPric": "320.00", "LwPric": "280.00", "ClsPric": "310.00",
        "LastPric": "311.00", "PrvsClsgPric": "299.00", "UndrlygPric": "25200.75", "SttlmPric": "310.00",
        "OpnIntrst": "6500", "ChngInOpnIntrst": "-650", "TtlTradgVol": "12", "TtlTrfVal": str(12 * 65 * 25300),
        "TtlNbOfTxsExctd": "7", "NewBrdLotQty": "65",
    }  # fmt: skip
    row |= {name: str(value) for name, value in given.items()}
    return ",".join(row[name] for name in names)


def udiff(*rows: str) -> DailyPart:
    return part("\ufeff" + "\r\n".join([UDIFF, *rows]) + "\r\n")


def legacy_row(strike: float, side: str, contracts: int, *, lot: int, low: float, high: float, held: int) -> str:
    value = contracts * lot * (strike + (low + high) / 2) / 1e5
    return (
        f"OPTIDX,NIFTY,24-Feb-2026,{strike:g},{side},{low:g},{high:g},{low:g},{high:g},{high:g},{contracts},{value:.2f},"
        f"{held},0,29-JAN-2026,"
    )


# One file of each kind


def test_an_option_of_the_udiff_bhavcopy_is_in_units_of_the_underlying():
    row = read_part(udiff(udiff_row())).frame.iloc[0]
    assert (row.trading_date, row.exchange, row.underlying, row.expiry) == ("2026-01-29", "NFO", "NIFTY", "2026-02-24")
    assert (row.strike, row.option_type, row.close, row.settlement) == (25000.0, "CE", 310.0, 310.0)
    assert (row.open_interest, row.change_in_open_interest) == (6500.0, -650.0)
    assert (row.contracts, row.volume, row.lot_size) == (12.0, 12 * 65.0, 65.0)
    assert row.underlying_close == 25200.75


def test_bse_counts_what_is_traded_in_units():
    rows = [
        udiff_row(
            Src="BSE", TckrSymb="SENSEX", NewBrdLotQty=20, TtlTradgVol=240, TtlTrfVal=240 * 25300, OpnIntrst=2000
        ),
        udiff_row(TtlTradgVol=240, TtlTrfVal=240 * 65 * 25300),
    ]
    bse, nse = (row for _, row in read_part(udiff(*rows)).frame.iterrows())
    assert (bse.exchange, bse.volume, bse.contracts) == ("BFO", 240.0, 12.0)
    assert (nse.exchange, nse.volume, nse.contracts) == ("NFO", 240 * 65.0, 240.0)


def test_prices_of_an_untraded_contract_are_absent_and_a_future_has_no_strike():
    quiet = udiff_row(OpnPric="0.00", HghPric="0.00", LwPric="0.00", LastPric="0.00", TtlTradgVol=0, TtlTrfVal=0)
    future = udiff_row(FinInstrmTp="IDF", StrkPric="", OptnTp="")
    option, contract = (row for _, row in read_part(udiff(quiet, future)).frame.iterrows())
    assert np.isnan([option.open, option.high, option.low, option["last"]]).all()
    assert (option.volume, option.close) == (0.0, 310.0)
    assert np.isnan(contract.strike) and contract.option_type == "FUT"


def test_an_expiring_option_has_no_settlement_price_and_at_bse_its_last_trade_is_its_close():
    on = {"XpryDt": "2026-01-29", "FininstrmActlXpryDt": "2026-01-29", "SttlmPric": "25200.75"}
    rows = [udiff_row(**on), udiff_row(**on, Src="BSE", TckrSymb="SENSEX", ClsPric="82000.10", TtlTrfVal=12 * 25300)]
    nse, bse = (row for _, row in read_part(udiff(*rows)).frame.iterrows())
    assert np.isnan([nse.settlement, bse.settlement]).all()
    assert (nse.close, bse.close) == (310.0, 311.0)


@pytest.mark.parametrize("lot", [65, 75, 1_275, 71_475])
def test_the_lot_of_the_legacy_bhavcopy_follows_from_turnover_and_open_interest(lot):
    rows = [
        legacy_row(25_000, "CE", 40, lot=lot, low=200, high=300, held=101 * lot),
        legacy_row(25_100, "PE", 3, lot=lot, low=150, high=180, held=37 * lot),
        legacy_row(26_000, "CE", 0, lot=lot, low=0, high=0, held=12 * lot),
    ]
    frame = read_part(part(LEGACY + ",\n" + "\n".join(rows))).frame
    assert frame["lot_size"].tolist() == [lot] * 3
    assert frame["volume"].tolist() == [40.0 * lot, 3.0 * lot, 0.0]


def test_a_lot_that_does_not_follow_is_absent_and_so_is_the_volume():
    frame = read_part(part(LEGACY + "\n" + legacy_row(25_000, "CE", 40, lot=65, low=1, high=9_000, held=0)[:-1])).frame
    assert np.isnan(frame["lot_size"][0]) and np.isnan(frame["volume"][0])
    assert frame["contracts"][0] == 40.0


def test_positions_of_the_participants_keep_their_legs():
    reading = read_part(part(PARTICIPANTS))
    assert set(reading.frame["trading_date"]) == {"2026-01-29"}
    fii = reading.frame.set_index("participant").loc["FII"]
    assert fii[["option_index_call_long", "option_index_put_long"]].tolist() == [10.0, 20.0]
    assert fii[["option_index_call_short", "option_index_put_short"]].tolist() == [5.0, 10.0]


@pytest.mark.parametrize(
    "given, read",
    [
        (BAN, ["SAIL", "M&M"]),
        ("Securities in Ban For Trade Date 30-JAN-2026: NIL\n", ["NIL"]),
        ("Securities in Ban For Trade Date 30-JAN-2026:\nNIL\n", ["NIL"]),
    ],
)
def test_a_ban_list_and_one_without_names(given, read):
    frame = read_part(part(given)).frame
    assert frame["underlying"].tolist() == read and set(frame["trading_date"]) == {"2026-01-30"}


def test_lots_of_each_expiry_month():
    frame = read_part(part(LOTS)).frame
    assert [tuple(row) for row in frame.itertuples(index=False)] == [
        ("2026-01", "NIFTY", "2026-01", 65.0),
        ("2026-01", "NIFTY", "2026-02", 65.0),
        ("2026-01", "NIFTY", "2026-03", 75.0),
        ("2026-01", "RELIANCE", "2026-01", 500.0),
        ("2026-01", "RELIANCE", "2026-02", 500.0),
    ]


def test_index_closes_vix_cash_and_events():
    index = read_part(part(INDEX)).frame
    assert index["close"].tolist() == [25200.75, 12.88] and np.isnan(index["volume"][1])
    vix = read_part(part(VIX)).frame
    assert vix.iloc[0].tolist() == ["2026-01-29", 13.27, 13.5, 12.775, 12.88, 13.27]
    cash = read_part(part(CASH))
    assert cash.frame[["symbol", "close", "delivered"]].values.tolist() == [["RELIANCE", 1404.5, 600.0]]
    assert list(cash.left_out.values()) == [1]
    events = read_part(part(EVENTS)).frame
    assert events.values.tolist() == [
        ["2026-02-03", "RELIANCE", "RESULTS", "third quarter"],
        ["2026-02-06", "MARKET", "RBI", "policy"],
    ]


# Refusals


@pytest.mark.parametrize(
    "changed, reason",
    [
        ({"StrkPric": "0"}, "the strike is not above 0"),
        ({"StrkPric": "25x000"}, "the strike is no number"),
        ({"OptnTp": "XX"}, "the option type is neither CE nor PE"),
        ({"XpryDt": "2026-01-28"}, "it expired before the trade date"),
        ({"XpryDt": "soon"}, "the expiry is no date"),
        ({"HghPric": "270.00"}, "the high is below the low"),
        ({"OpnIntrst": "-65"}, "open interest is below 0"),
        ({"OpnIntrst": ""}, "there is no open interest"),
        ({"OpnIntrst": "65.5"}, "open interest is no whole number"),
        ({"ChngInOpnIntrst": "6565"}, "open interest less its change is below 0"),
        ({"ClsPric": "inf"}, "the close is no number"),
        ({"Src": "MSE"}, "the exchange is neither NSE nor BSE"),
        ({"TckrSymb": ""}, "the symbol is no name"),
    ],
    ids=str,
)
def test_a_row_that_cannot_be_is_refused_alone_with_its_reason_and_line(changed, reason):
    reading = read_part(udiff(udiff_row(), udiff_row(**changed)))
    assert len(reading.frame) == 1 and dict(reading.refused) == {reason: 1} and reading.first_line[reason] == 3


def test_a_cut_off_row_is_refused():
    reading = read_part(udiff(udiff_row(), udiff_row()[:90]))
    assert (len(reading.frame), sum(reading.refused.values())) == (1, 1)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "it is empty"),
        (b"<!DOCTYPE html><html><body>Access denied</body></html>", "it is a web page instead of data"),
        (b"a,b\n1,2\n", "expected one of the daily files"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "it is a damaged workbook"),
        (b"SYMBOL\0", "it is no text"),
        (BAN.split("\n", maxsplit=1)[0].encode(), "it names no security and does not say NIL"),
        (PARTICIPANTS.replace("Jan 29, 2026", "the day").encode(), "its title has no date"),
        (PARTICIPANTS.replace("TOTAL,82", "TOTAL,92").encode(), "do not add up to TOTAL"),
        (PARTICIPANTS.replace("DII,", "BANK,").encode(), "not exactly Client, DII, FII, Pro and TOTAL"),
        (UDIFF.encode(), "without a usable row"),
    ],
)
def test_a_file_that_is_refused_says_why_in_one_line(content, words):
    with pytest.raises(RecordingError) as refused:
        read_part(DailyPart("x.csv", content))
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_the_date_of_a_market_activity_file_stands_in_its_name():
    text = (
        "INSTRUMENT,SYMBOL    ,EXP_DATE  ,OPEN_PRICE ,HI_PRICE   ,LO_PRICE   ,CLOSE_PRICE,OPEN_INT*      ,TRD_VAL    ,"
        "TRD_QTY  ,NO_OF_CONT ,NO_OF_TRADE \n"
        "FUTIDX    ,NIFTY     ,24/02/2026,00025000.00,00025100.00,00024900.00,00025050.00,000000000065000,  81412500.0,"
        "    3250,         50,         18\n* - OPEN_INT as available in the trading system\n"
    )
    row = read_part(part(text, "fo29012026.csv")).frame.iloc[0]
    assert (row.trading_date, row.open_interest, row.volume, row.contracts, row.lot_size) == (
        "2026-01-29", 65_000.0, 3_250.0, 50.0, 65.0,
    )  # fmt: skip
    with pytest.raises(RecordingError, match="its date only in its name"):
        read_part(part(text, "fo.csv"))


def test_archives_are_opened_and_broken_ones_are_said(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("inner/ban.csv", BAN)
        archive.writestr("deeper.csv.gz", gzip.compress(VIX.encode()))
    (tmp_path / "b.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:90])
    (tmp_path / "c.gz").write_bytes(gzip.compress(BAN.encode())[:-9])
    (tmp_path / ".hidden").write_text("x")
    found = read_daily_files(tmp_path)
    assert [file.name for file in found.files] == ["a.zip/inner/ban.csv", "a.zip/deeper.csv.gz", "b.zip", "c.gz"]
    assert [file.name for file in found.refused] == ["b.zip", "c.gz"]
    assert all("damaged or locked archive" in file.sentence for file in found.refused)
    with pytest.raises(RecordingError, match="there is no such folder"):
        read_daily_files(tmp_path / "none")


SAMPLES = (
    UDIFF + "\n" + udiff_row() + "\n" + udiff_row(FinInstrmTp="IDF", StrkPric="", OptnTp=""),
    LEGACY + "\n" + legacy_row(25_000, "CE", 40, lot=65, low=200, high=300, held=650)[:-1],
    PARTICIPANTS, BAN, LOTS, INDEX, VIX, CASH, EVENTS,
)  # fmt: skip


@given(data=st.data(), which=st.integers(0, len(SAMPLES) - 1))
@settings(max_examples=400)
def test_small_mutations_raise_nothing_but_our_own_errors(data, which):
    content = bytearray(SAMPLES[which].encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        what = data.draw(st.sampled_from(["cut", "put", "drop", "sign", "twice"]))
        if what == "cut":
            del content[at:]
        elif what == "put":
            content[at:at] = data.draw(st.binary(min_size=1, max_size=4))
        elif what == "drop":
            del content[at : at + data.draw(st.integers(1, 40))]
        elif what == "sign":
            content[at : at + 1] = data.draw(
                st.sampled_from([b",", b'"', b"\n", b"-", b".", b"9", b"\xff", b"e", b"\0"])
            )
        else:
            content[at:at] = content[at : at + 60]
    for piece in unpacked("file", bytes(content)):
        if isinstance(piece, DailyPart):
            try:
                reading = read_part(piece)
            except RecordingError:
                continue
            assert tuple(reading.frame.columns) == reading.table.names


@pytest.mark.data
@given(changes=st.lists(st.tuples(st.integers(0, 9_215), st.integers(0, 255)), min_size=1, max_size=8))
@example(changes=[(0x30, 255), (0x44, 255)])
@settings(max_examples=150)
def test_a_mutated_workbook_raises_nothing_but_our_own_errors(data_folder, changes):
    content = bytearray((data_folder / "participant/fii_stats_14-Nov-2025.xls").read_bytes())
    for at, value in changes:
        content[at] = value
    try:
        reading = read_part(DailyPart("fii.xls", bytes(content)))
    except RecordingError:
        return
    assert tuple(reading.frame.columns) == reading.table.names


# The published files


def raw_texts(path: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each file at a path, unpacked here."""
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        yield path.name, gzip.decompress(content).decode("latin-1")
    elif content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield f"{path.name}/{name}", archive.read(name).decode("latin-1")
    elif content[:2] != b"\xd0\xcf":
        yield path.name, content.decode("latin-1")


def rows_in(text: str) -> int:
    """Rows of a file by the csv module alone: what its kind publishes below the header."""
    lines = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
    first = [cell.strip() for cell in lines[0]]
    if "Participant wise" in text[:40]:
        return len(lines) - 2
    if first[0] == "UNDERLYING":
        months = [i for i, name in enumerate(first) if i > 1]
        body = [row for row in lines[1:] if row[1].strip() != "Symbol"]
        return sum(1 for row in body for i in months if i < len(row) and row[i].strip())
    return sum(1 for row in lines[1:] if not row[0].startswith("*"))


@pytest.fixture(scope="module")
def published(data_folder: Path) -> dict[str, DailyFiles]:
    """folder -> everything that it holds."""
    return {kind: read_daily_files(data_folder / kind) for kind in KINDS}


NOT_DAILY = (
    "fohelp.txt", "/fo_1", "futidx", "futivx", "futstk", "optidx", "optstk", "ttfut", "ttopt", ".ndjson",
    "oi_cli_limit",
)  # fmt: skip


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_published_file_is_read_or_refused_and_every_row_counted(published, data_folder, kind):
    found = {file.name: file for file in published[kind].files}
    for path in sorted(p for p in (data_folder / kind).iterdir() if p.is_file()):
        for name, text in raw_texts(path):
            file = found.pop(name)
            if any(mark in name for mark in NOT_DAILY):
                assert file.reading is None and "expected one of the daily files" in file.sentence
                continue
            assert file.reading is not None, file.sentence
            assert file.reading.rows_read == rows_in(text), name
    # What is left is no text: the statistics in the old format of Excel.
    assert all(name.endswith(".xls") and file.reading is not None for name, file in found.items())


@pytest.mark.data
@pytest.mark.slow
def test_refused_rows_of_the_published_files_are_the_two_days_that_do_not_add_up(published):
    refused = {f.name: f.reading.refused for k in KINDS for f in published[k].files if f.reading and f.reading.refused}
    assert list(refused) == ["participant_oi_history_2012-07-05_to_2026-07-31.csv.gz"]
    assert list(refused.popitem()[1].values()) == [10]
    # One has a digit too many, the other its columns moved by one.
    collection = published["participant"].tables["participant"]
    assert not set(collection["trading_date"]) & {"2019-12-12", "2013-08-22"}


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("file", ["fo_bhav_2026-06-11.csv.gz", "fo_bhav_2026-06-12.csv.gz", "fo18MAR2021bhav.csv.gz"])
def test_the_sums_of_a_bhavcopy_are_those_of_its_text(published, data_folder, file):
    text = gzip.decompress((data_folder / "bhavcopy_fo" / file).read_bytes()).decode()
    rows = list(csv.DictReader(text.splitlines()))
    frame = next(f.reading.frame for f in published["bhavcopy_fo"].files if f.name == file)
    for ours, theirs in (("open_interest", "OPEN_INT"), ("change_in_open_interest", "CHG_IN_OI"),
                         ("contracts", "CONTRACTS")):  # fmt: skip
        assert frame[ours].sum() == sum(int(row[theirs]) for row in rows)
    assert frame["value"].sum() == pytest.approx(1e5 * sum(float(row["VAL_INLAKH"]) for row in rows), rel=1e-12)
    assert frame["close"].sum() == pytest.approx(sum(float(row["CLOSE"]) for row in rows), rel=1e-12)
    assert frame["open"].notna().sum() == sum(int(row["CONTRACTS"]) > 0 for row in rows)
    counted = Counter((row["SYMBOL"], row["OPTION_TYP"].strip() in ("CE", "PE")) for row in rows)
    assert counted == Counter(zip(frame["underlying"], frame["option_type"] != "FUT", strict=True))


@pytest.mark.data
@pytest.mark.slow
def test_open_interest_of_two_days_and_its_change_agree(published):
    frame = published["bhavcopy_fo"].tables["eod_contract"]
    key = ["underlying", "expiry", "strike", "option_type"]
    first, second = (frame[frame["trading_date"] == f"2026-06-{day}"].set_index(key) for day in (11, 12))
    both = second.merge(first, left_index=True, right_index=True, suffixes=("", "_before"))
    assert len(both) == 41_827
    assert (both["open_interest"] == both["open_interest_before"] + both["change_in_open_interest"]).all()


@pytest.mark.data
@pytest.mark.slow
def test_lots_that_are_worked_out_are_those_that_are_published(published, data_folder):
    frame = published["bhavcopy_fo"].tables["eod_contract"]
    june = frame[frame["trading_date"] == "2026-06-11"]
    lots = june.dropna(subset="lot_size").groupby(["underlying", "expiry"])["lot_size"].agg(["min", "max"])
    assert (lots["min"] == lots["max"]).all()
    expected = {("NIFTY", "2026-06-30"): 65, ("BANKNIFTY", "2026-06-30"): 30, ("FINNIFTY", "2026-06-30"): 60,
                ("MIDCPNIFTY", "2026-06-30"): 120, ("HDFCBANK", "2026-06-30"): 550,
                ("HDFCBANK", "2026-07-28"): 650}  # fmt: skip
    assert {key: lots.loc[key, "min"] for key in expected} == expected
    assert june[june["contracts"] > 0]["lot_size"].notna().all()
    # The market-activity files give contracts and units; here their lot is worked out from turnover alone.
    text = zipfile.ZipFile(data_folder / "bhavcopy_fo" / "fo17112025.zip").read("op17112025.csv").decode()
    rows = [{k.strip(): (v or "").strip() for k, v in row.items() if k} for row in csv.DictReader(text.splitlines())]
    rows = [row for row in rows if row["EXP_DATE"]]
    number = {name: np.array([float(row[name]) for row in rows]) for name in (
        "STR_PRICE", "HI_PRICE", "LO_PRICE", "NO_OF_CONT", "TRD_QTY", "NOTION_VAL", "OPEN_INT*")}  # fmt: skip
    implied = implied_lots(
        [(row["SYMBOL"], row["EXP_DATE"]) for row in rows], alive=np.ones(len(rows), dtype=bool),
        contracts=number["NO_OF_CONT"], value=number["NOTION_VAL"],
        low=number["STR_PRICE"] + number["LO_PRICE"], high=number["STR_PRICE"] + number["HI_PRICE"],
        quantities=(number["OPEN_INT*"],),
    )  # fmt: skip
    known = np.isfinite(implied)
    assert known.mean() > 0.999
    assert (implied[known] * number["NO_OF_CONT"][known] == number["TRD_QTY"][known]).all()


@pytest.mark.data
@pytest.mark.slow
def test_published_participants_add_up_and_are_as_long_as_short(published, data_folder):
    files = [f for f in published["participant"].files if f.name.rpartition("/")[2].startswith("fao_")]
    assert len(files) == 79
    off = 0
    for file in files:
        legs = file.reading.frame.set_index("participant")[list(LEGS)]
        apart = (legs.drop("TOTAL").sum() - legs.loc["TOTAL"]).abs().max()
        assert apart <= 1
        off += apart > 0
        total = legs.loc["TOTAL"]
        assert all(total[leg] == total[leg.replace("_long", "_short")] for leg in LEGS if leg.endswith("_long"))
    assert off
    golden = json.loads((data_folder / "golden_facts.json").read_text())["participant"]
    tables = {file.name.rpartition("/")[2]: file.reading.frame.set_index("participant") for file in files}
    for fact in golden:
        fii = tables[fact["file"]].loc["FII"]
        nets = {name: fii[f"{name}_long"] - fii[f"{name}_short"] for name in (
            "future_index", "option_index_call", "option_index_put")}  # fmt: skip
        assert list(nets.values()) == [fact["net"], fact["fii_index_call_net"], fact["fii_index_put_net"]]


@pytest.mark.data
@pytest.mark.slow
def test_fii_statistics_and_the_volatility_index_agree_with_a_second_source(published, data_folder):
    frame = published["participant"].tables["fii_statistics"].set_index(["trading_date", "instrument"])
    assert frame["main"].groupby(level=0).sum().tolist() == [4, 4]
    for day in ("14", "17"):
        lines = (data_folder / f"participant/fii_stats_{day}-Nov-2025.ndjson").read_text().splitlines()
        rows = [list(json.loads(line).values()) for line in lines[2:]]
        told = {row[0]: [float(cell) for cell in row[1:7]] for row in rows if row[0] and row[1]}
        ours = frame.loc[f"2025-11-{day}"].drop(columns="main")
        assert {name: row.tolist() for name, row in ours.iterrows()} == told
    vix = published["vix"].tables["vix"].set_index("trading_date")["close"]
    index = published["index_close"].tables["index_close"]
    other = index[index["index_name"] == "INDIA VIX"].drop_duplicates("trading_date").set_index("trading_date")["close"]
    common = vix.index.intersection(other.index)
    assert len(common) > 45 and (vix[common] == other[common]).all()


@pytest.mark.data
@pytest.mark.slow
def test_both_layouts_of_the_bhavcopy_give_the_same_rows(published, data_folder):
    """A whole real day, written here in the newer layout, reads as in the older one; units and prices alike."""
    text = gzip.decompress((data_folder / "bhavcopy_fo" / "fo_bhav_2026-06-12.csv.gz").read_bytes()).decode()
    old = next(f.reading.frame for f in published["bhavcopy_fo"].files if f.name == "fo_bhav_2026-06-12.csv.gz")
    kinds = {"FUTIDX": "IDF", "FUTSTK": "STF", "OPTIDX": "IDO", "OPTSTK": "STO"}
    names = {"TckrSymb": "SYMBOL", "StrkPric": "STRIKE_PR", "OptnTp": "OPTION_TYP", "OpnPric": "OPEN",
             "HghPric": "HIGH", "LwPric": "LOW", "ClsPric": "CLOSE", "SttlmPric": "SETTLE_PR", "OpnIntrst": "OPEN_INT",
             "ChngInOpnIntrst": "CHG_IN_OI", "TtlTradgVol": "CONTRACTS"}  # fmt: skip
    lots = [65 if np.isnan(lot) else int(lot) for lot in old["lot_size"]]
    rows = [
        udiff_row(
            **{theirs: row[ours] for theirs, ours in names.items()}, FinInstrmTp=kinds[row["INSTRUMENT"]], LastPric="",
            TradDt="2026-06-12", XpryDt=row["EXPIRY_DT"], TtlTrfVal=repr(float(row["VAL_INLAKH"]) * 1e5),
            NewBrdLotQty=lot, PrvsClsgPric="", UndrlygPric="", TtlNbOfTxsExctd="",
        )
        for row, lot in zip(csv.DictReader(text.splitlines()), lots, strict=True)
    ]  # fmt: skip
    new = read_part(udiff(*rows)).frame
    # Where a contract did not trade the older layout gives no lot; nothing was traded there either.
    new["lot_size"] = new["lot_size"].where(old["lot_size"].notna())
    new["volume"] = new["volume"].where(old["volume"].notna())
    pd.testing.assert_frame_equal(new, old)
