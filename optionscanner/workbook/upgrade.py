"""Adds what a newer template has to a workbook that the user already works in, and puts back what was removed.

Main entries: `upgraded` and `restored`, both pure: bytes in, bytes out. New sheets come as a whole, new blocks onto the
sheets they belong to where their cells are empty, new names behind the list of names. What the user removed stays
removed until it is asked for. Parts that get nothing keep their bytes; `upgrade_file.py` is for files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from optionscanner.errors import WorkbookError
from optionscanner.workbook.book_xml import Area, BookXml, without_calculation_chain
from optionscanner.workbook.layout_versions import EARLIER, FIRST_VERSION, RENEWED
from optionscanner.workbook.package import read_package, write_package
from optionscanner.workbook.sentences import shortened
from optionscanner.workbook.splice import column_letters
from optionscanner.workbook.upgrade_blocks import BlockAdder, Piece, give_words, pieces_of, plus, usual_offset, within
from optionscanner.workbook.upgrade_book import Book, grouped, list_columns
from optionscanner.workbook.upgrade_emptied import emptied
from optionscanner.workbook.upgrade_headers import new_columns
from optionscanner.workbook.upgrade_sheets import SheetCopier
from optionscanner.workbook.upgrade_styles import StyleMerge

EVERYTHING = "all"
"""Asks `restored` for whatever is missing."""


@dataclass(frozen=True, slots=True)
class Upgraded:
    """A workbook file with what was missing."""

    data: bytes
    version: str
    """Template version that it is of now."""
    sheets: tuple[str, ...] = ()
    """Sheets added, by title."""
    names: tuple[str, ...] = ()
    """Blocks and names added to sheets that were there."""
    left: tuple[str, ...] = ()
    """What was not added, each with why and what to do."""

    @property
    def changed(self) -> bool:
        """Whether the file has to be written."""
        return bool(self.sheets or self.names)


@dataclass
class _Work:
    """One workbook and the template that it gets things from."""

    book: Book
    source: Book
    sheets: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.groups = grouped(self.source)
        self.places = self.book.places()
        self.homes = {title: self._home(title) for title in self.groups}
        # A sheet that was made anew cannot have the title of its earlier form, which may hold what is the user's.
        version = self.source.version()
        self.renewed = {
            title: f"{title}_{version}"
            for title, old in RENEWED.items()
            if not self.homes.get(title, title) and old.lower() in self.places
        }
        called = {title: home for title, home in self.homes.items() if home and home != title} | self.renewed
        self.styles = StyleMerge(self.source.styles_xml(), self.book.styles_xml())
        self.copier = SheetCopier(self.source, self.book, self.styles, called)

    def _home(self, title: str) -> str:
        """The user's sheet that holds most blocks of a sheet of the template, "" where none holds any."""
        found = Counter(self.places[n.lower()][0].sheet for n in self.groups[title] if n.lower() in self.places)
        if found:
            return found.most_common(1)[0][0]
        # A sheet without any block is known by its title alone.
        return title if not self.groups[title] and title in self.book.sheets else ""

    def missing(self, title: str) -> dict[str, list[Area]]:
        """Names of a sheet of the template that the workbook does not have, or has lost the cells of."""
        return {name: areas for name, areas in self.groups[title].items() if name.lower() not in self.places}

    def add(self, sheet_wanted: Callable[[str], bool], name_wanted: Callable[[str], bool]) -> None:
        """Add the wanted ones of what is missing."""
        for title in self.groups:
            if not self.homes[title] and sheet_wanted(title):
                self._add_sheet(title)
        for title, home in self.homes.items():
            if home and title not in self.sheets:
                wanted = {n: areas for n, areas in self.missing(title).items() if name_wanted(n)}
                self._add_blocks(title, wanted)
                self._lengthen(title)
        known = {name.lower() for name in self.book.texts()} | {n.lower() for g in self.groups.values() for n in g}
        for name, text in self.source.texts().items():
            if name.lower() not in known and name_wanted(name):
                self.book.define(name, text)
                self.names.append(name)

    def _add_sheet(self, title: str) -> None:
        called = self.renewed.get(title, title)
        if called in self.book.sheets:
            self.left.append(f"sheet {called} was not added, because a sheet of yours has that title: rename it")
            return
        titles = list(self.groups)
        before = [self.homes[t] for t in titles[: titles.index(title)] if self.homes[t]]
        self.copier.copy(title, after=before[-1] if before else "", called=called)
        for name, areas in self.groups[title].items():
            self.book.point(name, [area._replace(sheet=called) for area in areas])
        self.homes[title] = called
        self.sheets.append(title)
        if title in self.renewed:
            self._empty_earlier(title)

    def _empty_earlier(self, title: str) -> None:
        """What the program filled on the earlier form of a sheet must not stand there as if it were of now."""
        old = self.places[RENEWED[title].lower()][0].sheet
        ours = {n.lower() for group in self.groups.values() for n in group}
        known = {n.lower() for earlier in EARLIER.values() for n in earlier.names}
        gone = [area for name, areas in self.places.items() if name in known - ours for area in areas]
        emptied(self.book, old, [a for a in gone if a.sheet == old], f"not filled any more: see {self.renewed[title]}")
        self.left.append(
            f"{title} was made anew as sheet {self.renewed[title]}; your sheet {old} is not filled any more: delete it "
            "when nothing of yours is on it"
        )

    def _add_blocks(self, title: str, wanted: Mapping[str, list[Area]]) -> None:
        if not wanted:
            return
        home = self.homes[title]
        adder = BlockAdder(self.source, title, self.book, home, self.copier)
        lists = list_columns(self.groups[title])
        listed = {n: a for n, a in wanted.items() if len(a) == 1 and a[0].left in lists and a[0].top == a[0].bottom}
        lines = {n: {**_on_row(wanted, a[0].top), n: a} for n, a in listed.items()}
        pieces = pieces_of({n: a for n, a in wanted.items() if not any(n in line for line in lines.values())})
        others = {p for n, a in self.groups[title].items() if n not in wanted for area in a for p in _cells(area)}
        if pieces:
            beside = {p for line in lines.values() for areas in line.values() for a in areas for p in _cells(a)}
            give_words(pieces, others | beside, adder.template_cells)
        for piece in pieces:
            piece.offset = usual_offset(self.groups[title], self.places, home)
            self._add_piece(adder, piece, home)
        for name, line in lines.items():
            self._append(adder, title, line, line[name][0])

    def _add_piece(self, adder: BlockAdder, piece: Piece, home: str) -> None:
        taken = {p for areas in self.places.values() for a in areas if a.sheet == home for p in _cells(a)}
        used = adder.in_the_way(piece, taken)
        if used is not None:
            self.left.append(
                f"{shortened(sorted(piece.areas))} was not added to {home}, because its cell "
                f"{column_letters(max(used[1], 1))}{used[0]} is in use: make room there and ask for it with --restore"
            )
            return
        adder.add(piece)
        self.places |= {
            name.lower(): [adder.moved_area(a, piece.offset) for a in areas] for name, areas in piece.areas.items()
        }
        self.names += piece.areas

    def _append(self, adder: BlockAdder, title: str, line: Mapping[str, list[Area]], area: Area) -> None:
        """Put a named cell (`area`) with its row, and the blocks that stand on it alone, behind the last of its list.
        """
        home = self.homes[title]
        shift = usual_offset(self.groups[title], self.places, home)[1]
        others = {p for n, a in self.groups[title].items() if n not in line for one in a for p in _cells(one)}
        columns = [at[1] for at in adder.template_cells if at[0] == area.top and at not in others]
        own = [self.places[n.lower()][0] for n in self.groups[title] if n.lower() in self.places]
        row = 1 + max(a.top for a in own if a.sheet == home and a.left == area.left + shift)
        while adder.row_in_use(row, [column + shift for column in columns]):
            row += 1
        mine = {p for areas in line.values() for one in areas for p in _cells(one)}
        words = [(area.top, column) for column in columns if (area.top, column) not in mine]
        piece = Piece(dict(line), (row - area.top, shift), words)
        self._add_piece(adder, piece, home)

    def _lengthen(self, title: str) -> None:
        """Blocks of single cells that have more cells in the template than in the workbook."""
        home = self.homes[title]
        for name, areas in self.groups[title].items():
            there = self.places.get(name.lower(), [])
            if name in self.names or not there or len(areas) == 1 or len(there) >= len(areas):
                continue
            offset = (there[0].top - areas[0].top, there[0].left - areas[0].left)
            have = {(a.top, a.left) for a in there}
            more = [a for a in areas if plus((a.top, a.left), offset) not in have]
            if len(more) != len(areas) - len(there) or there[0].sheet != home:
                self.left.append(
                    f"{name} of {home} has other cells now than in your workbook: to get it, rename the sheet "
                    f"and ask for {title} with --restore"
                )
                continue
            adder = BlockAdder(self.source, title, self.book, home, self.copier)
            piece = Piece({name: more}, offset)
            others = {p for n, a in self.groups[title].items() for x in a if x not in more for p in _cells(x)}
            give_words([piece], others, adder.template_cells)
            before = len(self.names)
            self._add_piece(adder, piece, home)
            if len(self.names) > before:
                self.places[name.lower()] = [adder.moved_area(a, offset) for a in areas]
                self.book.point(name, self.places[name.lower()])

    def finished(self, version: str) -> Upgraded:
        """The file as it is now."""
        self.book.styles_xml(change=self.styles.appended > 0)
        self.book.calculate_on_load()
        self.book.set_version(version)
        members = read_package(self.book.bytes())
        data = write_package(without_calculation_chain(members, BookXml.read(members)))
        return Upgraded(data, version, tuple(self.sheets), tuple(self.names), tuple(self.left))


def upgraded(data: bytes, template: bytes) -> Upgraded | None:
    """The workbook file with what `template` has and the version that it is of had not; None where nothing is to do.

    A workbook of a newer version is left alone, and `left` says so. Raises WorkbookError, with the reason as a
    half-sentence, for a file that is not an intact workbook, or whose names of the user's are now ours.
    """
    book, source = Book(data), Book(template)
    version, current = book.version(), source.version()
    work = _Work(book, source)
    if version == current or not any(work.homes.values()):
        return None
    earlier = EARLIER.get(version or FIRST_VERSION)
    if earlier is None:
        return Upgraded(data, version, left=(
            f"it is of template {version}, which this program does not know (it makes {current}): it is used as it "
            "is; a newer program made it, so update this one",
        ))  # fmt: skip
    if version:
        _refuse_names_of_the_users(work, earlier.names)
    # Before anything is added: what is new as a whole has its columns.
    columns = new_columns(work.book, work.source, work.groups, work.places)
    work.add(lambda title: title not in earlier.sheets or title in work.renewed, lambda name: name not in earlier.names)
    for name, headers in columns.items():
        work.left.append(
            f"{name} has no column {shortened(headers)}: columns are never put into your tables; to get them, rename "
            "the sheet and ask for its old title with --restore"
        )
    return work.finished(current)


def restored(data: bytes, template: bytes, names: Collection[str]) -> Upgraded:
    """The workbook file with missing sheets or blocks put back: those in `names`, or everything for ``all``.

    A sheet that is asked for while no sheet has its title is added anew, and its names then point there. Raises
    WorkbookError, with the reason as a half-sentence, where a name is none of ours or the file is no intact workbook.
    """
    work = _Work(Book(data), Book(template))
    asked = {name.lower() for name in names}
    whole = EVERYTHING in asked
    titles = {title.lower() for title in work.groups}
    ours = titles | {name.lower() for group in work.groups.values() for name in group}
    unknown = sorted(asked - ours - {EVERYTHING})
    if unknown:
        sheets = ", ".join(work.groups)
        raise WorkbookError(f"{shortened(unknown)} is no sheet or block of ours; its sheets are {sheets}")
    for title in work.groups:
        if title.lower() in asked and title not in work.book.sheets:
            work.homes[title] = ""

    def wanted(name: str) -> bool:
        home = next((title for title, group in work.groups.items() if name in group), "")
        return whole or name.lower() in asked or home.lower() in asked

    work.add(lambda title: whole or title.lower() in asked, wanted)
    if not (work.sheets or work.names):
        return Upgraded(data, work.book.version(), left=tuple(work.left))
    return work.finished(work.book.version() or work.source.version())


def _on_row(names: Mapping[str, list[Area]], row: int) -> dict[str, list[Area]]:
    """Those of the names whose cells all stand in this row."""
    return {n: areas for n, areas in names.items() if all(a.top == a.bottom == row for a in areas)}


def _refuse_names_of_the_users(work: _Work, earlier: frozenset[str]) -> None:
    """A name that is new in the template but already in the workbook is the user's, and would be written over."""
    known = {name.lower() for name in work.book.texts()}
    old = {name.lower() for name in earlier}
    theirs = sorted(name for group in work.groups.values() for name in group if name.lower() in known - old)
    if theirs:
        raise WorkbookError(
            f"your defined name {shortened(theirs)} is one that this program now uses for itself; give yours another "
            "name (Formulas, Name Manager)"
        )


def _cells(area: Area) -> list[tuple[int, int]]:
    return list(within((area.top, area.left, area.bottom, area.right)))
