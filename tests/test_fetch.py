"""Fetching daily files, against a real HTTP server on loopback: what is kept, what is not, and how often is asked."""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from optionscanner.adapters.nse import fetch
from optionscanner.adapters.nse.fetch import ATTEMPTS, Fetched, Fetcher, Wanted, address_of, wanted_files
from tests.test_daily_files import BAN, PARTICIPANTS, UDIFF, udiff_row

THURSDAY, FRIDAY = date(2026, 1, 29), date(2026, 1, 30)
AGENT = "OptionScanner/0.1.0 (daily files)"
Answer = Callable[[BaseHTTPRequestHandler], None]


class Exchange(ThreadingHTTPServer):
    """Answers what a test gives it, by path, and writes down who asked for what."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str]] = []
        self.over = threading.Event()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Exchange

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["User-Agent"]))
        self.server.answers.get(self.path, status(404))(self)

    def log_message(self, *_given: object) -> None:
        """Silent."""


def whole(content: bytes | str, code: int = 200, **headers: str) -> Answer:
    body = content.encode() if isinstance(content, str) else content

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def status(code: int, **headers: str) -> Answer:
    return whole("<html><body>refused</body></html>", code, **headers)


def broken_off(content: str, told: int | None) -> Answer:
    """Half of a body that was told to be longer, or of one whose length was never told."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if told is not None:
            handler.send_header("Content-Length", str(told))
        handler.end_headers()
        handler.wfile.write(content.encode())

    return answer


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    server = Exchange()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def moment() -> list[float]:
    """The machine's clock: a test sets it."""
    return [1_769_740_000.0]


@pytest.fixture
def fetcher(tmp_path: Path, moment: list[float], monkeypatch: pytest.MonkeyPatch) -> Fetcher:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return Fetcher(tmp_path / "daily", agent=AGENT, now=lambda: moment[0], wait=lambda _seconds: False)


def participants(exchange: Exchange, day: date = THURSDAY) -> Wanted:
    return Wanted("participant-wise positions", "participant", day, f"{exchange.base}/nsccl/oi_{day:%d%m%Y}.csv")


def serve(exchange: Exchange, one: Wanted, answer: Answer) -> Wanted:
    exchange.answers[one.address.removeprefix(exchange.base)] = answer
    return one


def states(done: tuple[Fetched, ...]) -> list[str]:
    return [one.state for one in done]


def test_a_good_file_is_kept_as_published_and_not_asked_for_again(exchange, fetcher):
    one = serve(exchange, participants(exchange), whole(PARTICIPANTS))
    assert states(fetcher.fetch([one])) == ["fetched"]
    assert (fetcher.folder / "oi_29012026.csv").read_text() == PARTICIPANTS
    assert states(fetcher.fetch([one])) == ["there"]
    assert exchange.asked == [("/nsccl/oi_29012026.csv", AGENT)]
    assert sorted(path.name for path in fetcher.folder.iterdir()) == [ATTEMPTS, "oi_29012026.csv"]


def test_a_zip_is_kept_packed(exchange, fetcher):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("BhavCopy.csv", f"{UDIFF}\n{udiff_row()}\n")
    one = Wanted("F&O bhavcopy of NSE", "eod_contract", THURSDAY, f"{exchange.base}/fo/BhavCopy.csv.zip")
    assert states(fetcher.fetch([serve(exchange, one, whole(packed.getvalue()))])) == ["fetched"]
    assert (fetcher.folder / "BhavCopy.csv.zip").read_bytes() == packed.getvalue()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (whole("<!DOCTYPE html><html><body>Access denied</body></html>"), "it is a web page instead of data"),
        (whole(""), "it is empty"),
        (whole(BAN), "it is no participant-wise positions"),
        (whole("a,b\n1,2\n"), "expected one of the daily files"),
        (whole(PARTICIPANTS.replace("Jan 29", "Jan 28")), "it is of 2026-01-28, not of 2026-01-29"),
        (broken_off(PARTICIPANTS[:300], len(PARTICIPANTS)), "the answer broke off: 300 of "),
        (broken_off(PARTICIPANTS[: PARTICIPANTS.index("TOTAL")], None), "not exactly Client, DII, FII, Pro and TOTAL"),
        (broken_off(PARTICIPANTS[:-20], None), "cells than the header"),
        (whole(b"PK\x03\x04" + bytes(50)), "damaged or locked archive"),
        (broken_off("", fetch.LARGEST_BYTES + 1), "so it is no daily file"),
        (status(500), "answered 500"),
        (status(302, Location="http://localhost:1/else"), "points to another host (localhost:1)"),
    ],
)  # fmt: skip
def test_what_is_no_whole_file_of_its_date_is_not_kept(exchange, fetcher, moment, answer, words):
    one = serve(exchange, participants(exchange), answer)
    (done,) = fetcher.fetch([one])
    assert done.state == "failed" and words in done.sentence and "\n" not in done.sentence
    assert [path.name for path in fetcher.folder.iterdir()] == [ATTEMPTS]
    # A while later it is tried again; the second time in a row the while is twice as long.
    for wait in (900.0, 1_800.0):
        moment[0] += wait - 1.0
        assert states(fetcher.fetch([one])) == ["later"]
        moment[0] += 1.0
        assert states(fetcher.fetch([one])) == ["failed"]
    exchange.answers[one.address.removeprefix(exchange.base)] = whole(PARTICIPANTS)
    moment[0] += 86_400.0
    assert states(fetcher.fetch([one])) == ["fetched"]
    assert len(exchange.asked) == 4


def test_a_file_that_is_not_published_yet_is_asked_for_half_an_hour_later(exchange, fetcher, moment):
    missing, other = participants(exchange), participants(exchange, FRIDAY)
    serve(exchange, other, whole(PARTICIPANTS.replace("Jan 29", "Jan 30")))
    assert states(fetcher.fetch([missing, other])) == ["not published", "fetched"]
    moment[0] += 1_799.0
    assert states(fetcher.fetch([missing])) == ["later"]
    moment[0] += 1.0
    assert states(fetcher.fetch([missing])) == ["not published"]


@pytest.mark.parametrize(
    ("code", "headers", "seconds"),
    [(403, {}, 6 * 3_600.0), (429, {"Retry_After": "40000"}, 40_000.0), (503, {}, 1_800.0)],
)
def test_a_host_that_refuses_is_left_in_peace(exchange, fetcher, moment, code, headers, seconds):
    """Not only the file: nothing more is asked of this host, now and by a program that is started again."""
    first, second = participants(exchange), participants(exchange, FRIDAY)
    serve(exchange, first, status(code, **headers))
    done = fetcher.fetch([first, second])
    assert states(done) == ["refused", "later"]
    assert done[0].sentence == (
        f"oi_29012026.csv: 127.0.0.1:{exchange.server_address[1]} refuses it ({code}); download it by hand into "
        f"{fetcher.folder}"
    )
    moment[0] += seconds - 1.0
    again = Fetcher(fetcher.folder, agent=AGENT, now=lambda: moment[0], wait=lambda _seconds: False)
    assert states(again.fetch([first, second])) == ["later", "later"]
    assert len(exchange.asked) == 1


@pytest.mark.timeout(60)
def test_a_host_that_falls_silent_or_drips_costs_its_time_and_no_more(exchange, fetcher, monkeypatch):
    monkeypatch.setattr(fetch, "QUIET_S", 0.2)
    monkeypatch.setattr(fetch, "WHOLE_S", 0.3)

    def silent(handler: BaseHTTPRequestHandler) -> None:
        exchange.over.wait(20)

    def drips(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not exchange.over.wait(0.05):
            handler.wfile.write(b"a")

    slow = serve(exchange, participants(exchange, FRIDAY), drips)
    (done,) = fetcher.fetch([slow])
    assert done.state == "failed" and "it was not whole after 0 s" in done.sentence
    one = serve(exchange, participants(exchange), silent)
    (done,) = fetcher.fetch([one])
    assert done.state == "failed" and "cannot be reached (timed out)" in done.sentence
    assert states(fetcher.fetch([one])) == ["later"]


def test_without_a_network_one_request_is_tried_and_the_sentence_says_so(fetcher):
    """Nobody listens on the port; the host's other files are not tried."""
    base = "http://127.0.0.1:9"
    wanted = [Wanted("ban list", "ban_list", FRIDAY, f"{base}/{name}") for name in ("a.csv", "b.csv")]
    done = fetcher.fetch(wanted)
    assert states(done) == ["failed", "later"]
    assert done[0].sentence.startswith("a.csv: 127.0.0.1:9 cannot be reached (")


def test_a_morning_asks_for_a_few_files_one_at_a_time(exchange, tmp_path, moment):
    waits: list[float] = []
    fetcher = Fetcher(tmp_path, agent=AGENT, now=lambda: moment[0], wait=lambda s: bool(waits.append(s)))
    wanted = [participants(exchange, date(2026, 1, day)) for day in range(1, 31)]
    done = fetcher.fetch(wanted)
    assert len(exchange.asked) == fetch.MOST_REQUESTS == 8
    assert waits == [1.0] * 7
    assert states(done) == ["not published"] * 8 + ["later"] * 22


def test_a_stop_between_two_requests_ends_it(exchange, tmp_path, moment):
    fetcher = Fetcher(tmp_path, agent=AGENT, now=lambda: moment[0], wait=lambda _seconds: True)
    assert len(fetcher.fetch([participants(exchange), participants(exchange, FRIDAY)])) == 1


@pytest.mark.parametrize("note", ["", "{", "[1]", '{"a": 1}', '{"a": {"next": "x"}}'])
def test_a_damaged_note_of_attempts_is_none(exchange, fetcher, note):
    fetcher.folder.mkdir()
    (fetcher.folder / ATTEMPTS).write_text(note)
    one = serve(exchange, participants(exchange), whole(PARTICIPANTS))
    assert states(fetcher.fetch([one])) == ["fetched"]
    assert json.loads((fetcher.folder / ATTEMPTS).read_text()) == {}


def test_addresses_are_those_that_the_exchanges_publish():
    bases = {"nse": "https://nse.example/", "bse": "https://bse.example"}
    patterns = dict.fromkeys(
        ("participants", "bans", "indices", "bhavcopy", "shares", "fii", "bhavcopy_bse", "lots"), "")  # fmt: skip
    patterns |= {"participants": "/p_DDMMYYYY.csv", "fii": "/f_DD-Mon-YYYY.xls", "bhavcopy_bse": "/b_YYYYMMDD.CSV",
                 "lots": "/lots.csv", "bans": "/b_DDMMYYYY.csv"}  # fmt: skip
    wanted = wanted_files(bases, patterns, today=FRIDAY, previous=THURSDAY, before=date(2026, 1, 28))
    assert [one.address for one in wanted] == [
        "https://nse.example/p_29012026.csv", "https://nse.example/b_30012026.csv",
        "https://nse.example/f_29-Jan-2026.xls", "https://bse.example/b_20260129.CSV", "https://nse.example/lots.csv",
        "https://nse.example/p_28012026.csv", "https://nse.example/b_29012026.csv",
    ]  # fmt: skip
    assert address_of("https://x", "/none.csv", FRIDAY) == "https://x/none.csv"
    assert [one.day for one in wanted][1] == FRIDAY  # the list for today was published last night
