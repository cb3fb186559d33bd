"""The section `daily` of `config.yaml`: where daily files lie, whether they are fetched, and from which addresses.

Addresses are settings because exchanges move their files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from optionscanner.config_sections import Folder, Section

NOT_FETCHED = "none"
_HOST = re.compile(r"https?://[A-Za-z0-9.\-]+(:\d+)?")
_PATH = re.compile(r"/[A-Za-z0-9_./\-]+")


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("not an address")
    return text


def _file(text: str) -> str:
    if text != NOT_FETCHED and not _PATH.fullmatch(text):
        raise ValueError("not a path")
    return text


_Host = Annotated[str, AfterValidator(_host)]
_File = Annotated[str, AfterValidator(_file)]


def _place(default: str) -> str:
    """A field whose value is the path of a file on the exchange's server."""
    described = f"a path with the date as YYYYMMDD, DDMMYYYY or DD-Mon-YYYY, or {NOT_FETCHED}"
    return Field(default=default, description=described)


class Daily(Section):
    """The daily files of the exchanges."""

    folder: Folder = Field(default=Path("var/daily"), description="the path of a folder")
    fetch: bool = Field(default=False, description="true or false")
    nse: _Host = Field(default="https://nsearchives.nseindia.com", description="an address such as https://host")
    bse: _Host = Field(default="https://www.bseindia.com", description="an address such as https://host")
    participants: _File = _place("/content/nsccl/fao_participant_oi_DDMMYYYY.csv")
    bans: _File = _place("/archives/fo/sec_ban/fo_secban_DDMMYYYY.csv")
    indices: _File = _place("/content/indices/ind_close_all_DDMMYYYY.csv")
    bhavcopy: _File = _place("/content/fo/BhavCopy_NSE_FO_0_0_0_YYYYMMDD_F_0000.csv.zip")
    shares: _File = _place("/products/content/sec_bhavdata_full_DDMMYYYY.csv")
    fii: _File = _place("/content/fo/fii_stats_DD-Mon-YYYY.xls")
    bhavcopy_bse: _File = _place("/download/BhavCopy/Derivative/BhavCopy_BSE_FO_0_0_0_YYYYMMDD_F_0000.CSV")
    lots: _File = _place("/content/fo/fo_mktlots.csv")

    @property
    def bases(self) -> Mapping[str, str]:
        """nse and bse -> address of the host."""
        return {"nse": self.nse, "bse": self.bse}

    @property
    def patterns(self) -> Mapping[str, str]:
        """Kind of file -> its path on the host, empty where it is not fetched."""
        kinds = ("participants", "bans", "indices", "bhavcopy", "shares", "fii", "bhavcopy_bse", "lots")
        given = {kind: str(getattr(self, kind)) for kind in kinds}
        return {kind: "" if path == NOT_FETCHED else path for kind, path in given.items()}
