"""Shortcuts, awkward folders, sleep, regions that write a comma: what each system gets, looked at on any of them."""

import base64
import configparser
import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from lxml import etree

from optionscanner import cli
from optionscanner import config as configuration
from optionscanner.app_computer import looked_after
from optionscanner.app_errands import errand
from optionscanner.errors import ConfigError
from optionscanner.platforms_awake import KeepAwake, awake_command
from optionscanner.platforms_office import libre_office
from optionscanner.platforms_places import Places, advice, macros_blocked
from optionscanner.platforms_shortcut import File, Machine, Plan, Program, install, planned, remove
from tests import program as running

WINDOWS = Program(r"C:\Option Scanner\.venv\Scripts\python.exe", r"C:\Option Scanner\run_dashboard.py")
POSIX = Program(
    "/opt/a b/.venv/bin/python", "/opt/a b/run_dashboard.py", ("--workbook", "/data/it's 100% \"mine\" $5.xlsm")
)  # fmt: skip


def windows(program: Program = WINDOWS) -> Plan:
    roaming = r"C:\People\A & B\AppData\Roaming"
    return planned(Machine("win32", r"C:\People\A & B", {"APPDATA": roaming}), program)


def mac() -> Plan:
    return planned(Machine("darwin", "/home of/a", {}, user_id=501), POSIX)


def linux(
    home: Path | str = "/h", *, has_user_services: bool = True, program: Program = POSIX, **environment: str
) -> Plan:
    machine = Machine("linux", str(home), environment, has_user_services=has_user_services)
    return planned(machine, program)


def file(plan: Plan, ending: str) -> File:
    (found,) = [file for file in plan.files if str(file.path).endswith(ending)]
    return found


# Windows


def test_windows_starts_a_batch_file_that_finds_every_name():
    made = file(windows(Program(r"C:\Größe 5%\py.exe", r"C:\Größe 5%\run_dashboard.py", ("--front", "file"))), ".cmd")
    assert made.content.decode("utf-8").split("\r\n") == [
        "@echo off",
        "rem Letters beyond ASCII in the lines below are UTF-8.",
        "chcp 65001 >nul",
        r'cd /d "C:\Größe 5%%"',
        r'"C:\Größe 5%%\py.exe" "C:\Größe 5%%\run_dashboard.py" "--front" "file"',
        "if errorlevel 1 pause",
        "",
    ]


def test_windows_task_is_on_weekdays_at_nine_and_wakes_the_computer():
    plan = windows()
    made = file(plan, ".xml").content
    assert made[:2] == b"\xff\xfe"  # schtasks refuses a task that does not say its encoding
    task = etree.fromstring(made)
    space = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}

    def value(path: str) -> str:
        return task.xpath(f"string({path})", namespaces=space)

    assert [day.tag.rpartition("}")[2] for day in task.find(".//t:DaysOfWeek", space)] == [
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
    ]  # fmt: skip
    assert value("//t:StartBoundary").endswith("T09:00:00")
    assert [value(f"//t:{name}") for name in ("WakeToRun", "StartWhenAvailable", "DisallowStartIfOnBatteries")] == [
        "true", "true", "false",
    ]  # fmt: skip
    assert value("//t:RunLevel") == "LeastPrivilege"
    assert value("//t:Command") == r'"C:\Option Scanner\var\shortcut\OptionScanner.cmd"'
    assert value("//t:WorkingDirectory") == r"C:\Option Scanner"


def test_windows_commands_make_the_shortcut_and_the_task_and_take_the_task_away():
    plan = windows()
    shell, schedule = plan.commands
    script = base64.b64decode(shell[-1]).decode("utf-16-le")
    link = r"C:\People\A & B\AppData\Roaming\Microsoft\Windows\Start Menu\Programs\OptionScanner.lnk"
    assert f"CreateShortcut('{link}')" in script
    assert r"TargetPath = 'C:\Option Scanner\var\shortcut\OptionScanner.cmd'" in script
    assert shell[:4] == ("powershell.exe", "-NoProfile", "-NonInteractive", "-EncodedCommand")
    assert schedule == (
        "schtasks.exe", "/Create", "/TN", "OptionScanner", "/XML", str(file(plan, ".xml").path), "/F",
    )  # fmt: skip
    assert plan.undo == (("schtasks.exe", "/Delete", "/TN", "OptionScanner", "/F"),)
    assert plan.others == (PureWindowsPath(link),)


# macOS


def test_the_launch_agent_opens_a_terminal_on_weekdays_at_nine():
    plan = mac()
    agent = plistlib.loads(file(plan, ".plist").content)
    assert agent["StartCalendarInterval"] == [{"Weekday": n, "Hour": 9, "Minute": 0} for n in (1, 2, 3, 4, 5)]
    command = file(plan, ".command")
    assert agent["ProgramArguments"] == ["/usr/bin/open", "-a", "Terminal", str(command.path)]
    assert str(command.path) == "/home of/a/Applications/OptionScanner.command"
    assert command.executable
    label = agent["Label"]
    assert str(file(plan, ".plist").path) == f"/home of/a/Library/LaunchAgents/{label}.plist"
    assert plan.commands == (("launchctl", "bootstrap", "gui/501", str(file(plan, ".plist").path)),)
    assert plan.undo == (("launchctl", "bootout", f"gui/501/{label}"),)


def test_the_command_file_runs_in_a_shell(tmp_path):
    """With a name that has every sign a shell knows."""
    folder = tmp_path / "it's a $HOME `x` \"y\""
    folder.mkdir()
    script = folder / "run_dashboard.py"
    script.write_text("import os, sys\nprint([os.getcwd(), *sys.argv[1:]])\n")
    made = planned(Machine("darwin", "/h", {}), Program(sys.executable, str(script), ("--workbook", "a'b $c.xlsm")))
    command = tmp_path / "x.command"
    command.write_bytes(file(made, ".command").content)
    said = subprocess.run(["sh", str(command)], capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.strip() == str([str(folder), "--workbook", "a'b $c.xlsm"])


# Linux


def unescaped(line: str) -> list[str]:
    """Words of an Exec line by the rules of desktop entries: texts first, then quotes, then per cent signs."""
    text = line.replace("\\\\", "\\")
    words = re.findall(r'"((?:\\.|[^"\\])*)"', text)
    return [re.sub(r"\\(.)", r"\1", word).replace("%%", "%") for word in words]


def test_the_programs_entry_names_the_command():
    parser = configparser.ConfigParser(interpolation=None, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(file(linux(), ".desktop").content.decode())
    entry = dict(parser["Desktop Entry"])
    assert unescaped(entry["Exec"]) == list(POSIX.command)
    assert (entry["Type"], entry["Terminal"], entry["Path"]) == ("Application", "true", "/opt/a b")


def test_the_timer_is_one_that_systemd_takes():
    plan = linux()
    assert "OnCalendar=Mon..Fri 09:00" in file(plan, ".timer").content.decode().splitlines()
    assert plan.commands == (
        ("systemctl", "--user", "daemon-reload"),
        ("systemctl", "--user", "enable", "--now", "optionscanner.timer"),
    )
    if (analyse := shutil.which("systemd-analyze")) is not None:
        done = subprocess.run(
            [analyse, "calendar", "--iterations=7", "Mon..Fri 09:00"], capture_output=True, text=True, timeout=60,
            env={**os.environ, "LC_ALL": "C", "TZ": "Asia/Kolkata"}, check=True,
        )  # fmt: skip
        days = re.findall(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d 09:00:00 IST", done.stdout)
        assert set(days) == {"Mon", "Tue", "Wed", "Thu", "Fri"}


def test_the_service_is_one_that_systemd_takes(tmp_path):
    """`systemd-analyze verify` reads the units as systemd would; a command must be there for it."""
    script = tmp_path / "a b" / "run_dashboard.py"
    script.parent.mkdir()
    script.touch()
    plan = linux(tmp_path, program=Program(sys.executable, str(script), ("--workbook", "100% $x\\ \"y\".xlsm")))
    service = file(plan, ".service").content.decode()
    assert 'ExecStart="' in service and '"100%% $$x\\\\ \\"y\\".xlsm"' in service
    if (analyse := shutil.which("systemd-analyze")) is None:
        return
    units = [tmp_path / PurePosixPath(made.path).name for made in plan.files[1:]]
    for unit, made in zip(units, plan.files[1:], strict=True):
        unit.write_bytes(made.content)
    done = subprocess.run(
        [analyse, "--user", "--man=no", "verify", *map(str, units)], capture_output=True, text=True, timeout=60,
        env={**os.environ, "LC_ALL": "C", "XDG_RUNTIME_DIR": str(tmp_path)}, check=False,
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if "optionscanner" in line or "a b" in line]
    assert complaints == [], done.stderr


def test_without_services_of_users_it_starts_at_login():
    plan = linux(has_user_services=False, XDG_CONFIG_HOME="/c", XDG_DATA_HOME="/d")
    assert [str(made.path) for made in plan.files] == [
        "/d/applications/optionscanner.desktop",
        "/c/autostart/optionscanner.desktop",
    ]
    assert plan.commands == ()
    assert "when you log in" in plan.told[0]


# Making and removing


@pytest.mark.skipif(sys.platform != "linux", reason="the real way on Linux")
@pytest.mark.parametrize("served", [True, False])
def test_install_and_remove_leave_nothing_behind(tmp_path, served):
    ran: list[tuple[str, ...]] = []

    def run(command):
        ran.append(tuple(command))
        return ""

    plan = linux(tmp_path, has_user_services=served)
    said = install(plan, run)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(Path(f.path) for f in plan.files)
    assert all(Path(made.path).read_bytes() == made.content for made in plan.files)
    assert len(said) == len(plan.files) + 1
    # Removed in the other way than it was installed, as after systemd was switched off.
    other = linux(tmp_path, has_user_services=not served)
    assert [line.split()[0] for line in remove(other, run)] == ["removed"] * len(plan.files)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert ran == [*plan.commands, *plan.undo]
    assert remove(plan, run) == ["there is no shortcut of this program"]


def test_a_command_that_fails_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"--install-shortcut: systemctl did not do it \(no bus\)"):
        install(linux(tmp_path), lambda _command: "no bus")


def test_what_cannot_be_written_into_such_files_is_told():
    for bad in ("a\nb", "a\0b"):
        with pytest.raises(ConfigError, match="rename what has such a sign"):
            linux(program=Program("/p", "/s/run_dashboard.py", (bad,)))
    with pytest.raises(ConfigError, match="rename what has such a sign"):
        windows(Program("C:\\p.exe", "C:\\s.py", ('a"b',)))
    with pytest.raises(ConfigError, match="knows Windows, macOS and Linux, and this is sunos5"):
        planned(Machine("sunos5", "/h", {}), POSIX)


@pytest.mark.skipif(sys.platform != "linux", reason="the real way on Linux")
def test_the_option_makes_an_entry_that_starts_this_program(tmp_path, monkeypatch, capsys):
    """Without a bus of the user's systemd, as here; the entry's command is one that the program takes."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    options = cli.parse(["--install-shortcut", "--workbook", "My Book.xlsm", "--front", "file"])
    assert errand(options)() == 0
    entries = sorted(tmp_path.rglob("*.desktop"), key=lambda entry: entry.parent.name)
    assert [entry.parent.name for entry in entries] == ["applications", "autostart"]
    (line,) = [text for text in entries[0].read_text().splitlines() if text.startswith("Exec=")]
    words = unescaped(line)
    assert words[:2] == [sys.executable, str(running.ROOT / "run_dashboard.py")]
    started = cli.parse(words[2:])
    assert (started.workbook, started.front) == (tmp_path / "My Book.xlsm", "file")
    assert errand(cli.parse(["--remove-shortcut"]))() == 0
    assert not list(tmp_path.rglob("*.desktop"))
    assert "removed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "useless"),
    [("--install-shortcut --once", "--once"), ("--remove-shortcut --workbook a.xlsx", "--workbook")],
)
def test_options_that_a_shortcut_has_no_use_for_are_refused(line, useless, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.parse(shlex.split(line))
    assert ended.value.code == 2
    assert f"-shortcut runs no session and has no use for {useless}" in capsys.readouterr().err


# Places


def on_windows(**others) -> Places:
    def mounts():
        pytest.fail("Windows has drives")

    usual = {"platform": "win32", "environment": {}, "mounts": mounts, "is_remote_drive": lambda _drive: False}
    return Places(**{**usual, **others})


@pytest.mark.parametrize(
    ("path", "special"),
    [
        (r"C:\OptionScanner\workbooks\a.xlsx", ""),
        (r"C:\Boxes\My Drive In\Megaphone\onedrivers\a.xlsx", ""),
        (r"C:\data\OneDrive.xlsx", ""),
        (r"\\server\share\a.xlsx", "is on a network share"),
        (r"//server/share/a.xlsx", "is on a network share"),
        (r"\\?\UNC\server\share\a.xlsx", "is on a network share"),
        (r"\\?\C:\long\a.xlsx", ""),
        (r"Z:\team\a.xlsx", "is on a network drive"),
        (r"C:\people\me\OneDrive\a.xlsx", "is in a folder that OneDrive synchronises"),
        (r"C:\people\me\OneDrive - A Firm\Desktop\a.xlsx", "is in a folder that OneDrive synchronises"),
        (r"D:\CLOUD\desk\a.xlsx", "is in a folder that OneDrive synchronises"),
        (r"D:\Cloudy\a.xlsx", ""),
        (r"C:\people\me\Dropbox (Personal)\a.xlsx", "is in a folder that Dropbox synchronises"),
        (r"G:\My Drive\a.xlsx", "is in a folder that Google Drive synchronises"),
        (r"C:\people\me\iCloudDrive\a.xlsx", "is in a folder that iCloud synchronises"),
    ],
)  # fmt: skip
def test_awkward_folders_of_windows_are_known(path, special):
    places = on_windows(environment={"OneDriveCommercial": r"d:\Cloud"}, is_remote_drive=lambda drive: drive == "Z:")
    said = advice(path, "the workbook", places)
    assert said.startswith(f"{path} {special}, which may hold the file") if special else said == ""


@pytest.mark.parametrize(
    ("path", "special"),
    [
        ("/srv/me/a.db", ""),
        ("/mnt/team/x/a.db", "is on a network drive (nfs4)"),
        ("/mnt/teammate/a.db", ""),
        ("/mnt/team/local/a.db", ""),
        ("/run/user/1/gvfs/smb/a.db", "is on a network drive (fuse.gvfsd-fuse)"),
        ("/Volumes/share/a.db", "is on a network drive (smbfs)"),
        ("/people/me/Library/CloudStorage/OneDrive-Firm/a.db", "is in a folder that a cloud service synchronises"),
        ("/people/me/Library/Mobile Documents/x/a.db", "is in a folder that iCloud synchronises"),
        ("/people/me/Nextcloud/a.db", "is in a folder that Nextcloud synchronises"),
    ],
)
def test_awkward_folders_of_other_systems_are_known(path, special):
    mounts = [
        ("/", "ext4"), ("/mnt/team", "nfs4"), ("/mnt/team/local", "xfs"), ("/run/user/1/gvfs", "fuse.gvfsd-fuse"),
        ("/Volumes/share", "smbfs"),
    ]  # fmt: skip
    said = advice(path, "the history", Places("linux", {}, lambda: mounts))
    assert said.startswith(f"{path} {special}, where a database can be damaged") if special else said == ""


def test_this_folder_is_a_place_like_any(tmp_path):
    """The real questions to this computer, on the disk that tests write to."""
    assert advice(tmp_path / "a.xlsx", "the workbook", Places(environment={})) == ""


@pytest.mark.parametrize(
    ("note", "blocked"),
    [
        ("[ZoneTransfer]\r\nZoneId=3\r\nHostUrl=https://example.com/\r\n", True),
        ("[ZoneTransfer]\nZoneId=4\n", True),
        ("[ZoneTransfer]\r\nZoneId=1\r\n", False),
        ("[ZoneTransfer]\r\nZoneId=\r\n", False),
        ("", False),
    ],
)
def test_a_downloaded_workbook_with_macros_is_told(note, blocked):
    said = macros_blocked(Path("Options.xlsm"), on_windows(where_from=lambda _file: note))
    assert ("marked by Windows as downloaded" in said and "Unblock" in said) is blocked
    assert macros_blocked(Path("Options.xlsx"), on_windows(where_from=lambda _file: note)) == ""
    assert macros_blocked(Path("Options.xlsm"), Places("linux", {}, lambda: [])) == ""


# Sleep


def test_each_system_has_its_command_against_sleep():
    everything = lambda name: f"/bin/{name}"  # noqa: E731
    assert awake_command("darwin", 42, everything) == ["caffeinate", "-i", "-w", "42"]
    linux_command = awake_command("linux", 42, everything)
    assert linux_command[:2] == ["systemd-inhibit", "--what=idle:sleep"]
    assert linux_command[-3:] == ["sh", "-c", "while kill -0 42 2>/dev/null; do sleep 2; done"]
    gnome = {"gnome-session-inhibit": "/bin/gnome-session-inhibit"}
    assert awake_command("linux", 42, gnome.get)[0] == "gnome-session-inhibit"
    assert awake_command("linux", 42, lambda _name: None) == []
    assert awake_command("sunos5", 42, everything) == []


LINUX, OWN = "/usr/lib/libreoffice/program/soffice", "/srv/office/program/soffice"
WINDOWS = r"D:\Programs\LibreOffice\program\soffice.exe"


@pytest.mark.parametrize(
    ("environment", "in_path", "there", "found"),
    [
        ({}, {"soffice": "/usr/bin/soffice"}, {LINUX}, "/usr/bin/soffice"),
        ({}, {"libreoffice": "/snap/bin/libreoffice"}, set(), "/snap/bin/libreoffice"),
        ({}, {}, {LINUX}, LINUX),
        ({"ProgramFiles": r"D:\Programs"}, {}, {WINDOWS}, WINDOWS),
        ({"OPTIONSCANNER_LIBREOFFICE": OWN}, {"soffice": "/usr/bin/soffice"}, {OWN}, OWN),
        ({"OPTIONSCANNER_LIBREOFFICE": OWN}, {"soffice": "/usr/bin/soffice"}, set(), "/usr/bin/soffice"),
        ({"OPTIONSCANNER_LIBREOFFICE": "none"}, {"soffice": "/usr/bin/soffice"}, {LINUX}, None),
        ({}, {}, set(), None),
    ],
)
def test_libreoffice_is_found_where_it_is(environment, in_path, there, found):
    place = libre_office(environment, in_path.get, there.__contains__)
    assert place == (None if found is None else Path(found))


@pytest.mark.skipif(os.name == "nt", reason="commands of POSIX systems")
def test_what_keeps_awake_ends_with_the_session(caplog):
    caplog.set_level("INFO", "optionscanner")
    with KeepAwake(platform="linux", command=lambda *_: ["sh", "-c", "sleep 300"]) as awake:
        assert awake.how == "sh"
        process = awake._process
        assert process is not None and process.poll() is None
    assert process.poll() is not None
    assert caplog.messages == ["keeping the computer awake: sh"]


@pytest.mark.skipif(os.name == "nt", reason="commands of POSIX systems")
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["sh", "-c", "echo access denied >&2; exit 1"], "sh: access denied"),
        (["sh", "-c", "exit 3"], "sh: ended with 3"),
        (["no-such-command-here"], "no-such-command-here: no such file or directory"),
        ([], "no command for it is installed"),
    ],
)
def test_where_nothing_keeps_awake_the_log_says_so(command, reason, caplog):
    with KeepAwake(platform="linux", command=lambda *_: command) as awake:
        until = threading.Event()
        for _ in range(1000):
            if not awake.how:
                break
            until.wait(0.01)
        assert awake.how == ""
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        f"the computer cannot be kept awake ({reason}): switch its sleep off yourself"
    ]


@pytest.mark.parametrize(
    ("line", "setting", "kept"),
    [
        ("", True, True), ("--speed 1", True, True), ("--speed 60", True, False), ("--once", True, False),
        ("", False, False),
    ],
)  # fmt: skip
def test_the_computer_is_kept_awake_at_the_markets_own_pace_only(line, setting, kept, tmp_path, monkeypatch):
    entered = []

    class Watched(KeepAwake):
        def __enter__(self):
            entered.append(True)
            return self

    monkeypatch.setattr("optionscanner.app_computer.KeepAwake", Watched)
    (tmp_path / "c.yaml").write_text(f"computer:\n  keep_awake: {str(setting).lower()}\n")
    config = configuration.load(tmp_path / "c.yaml", root=tmp_path)
    with looked_after(config, cli.parse(line.split()), workbook=tmp_path / "b.xlsx", history=tmp_path / "h.db"):
        assert bool(entered) is kept


def test_a_session_in_an_awkward_folder_begins_with_a_sentence(tmp_path, capsys):
    book = tmp_path / "Dropbox" / "b.xlsx"
    config, options = configuration.defaults(tmp_path), cli.parse(["--once"])
    with looked_after(config, options, workbook=book, history=tmp_path / "h.db"):
        said = capsys.readouterr().err
    assert said.startswith(f"{book} is in a folder that Dropbox synchronises")
    assert said.count("\n") == 1


# Regions


def test_nothing_in_the_package_asks_for_the_computers_region():
    """A number must be written in one way everywhere: no locale is set, and no format takes one."""
    found = [
        path.name
        for path in (running.ROOT / "optionscanner").rglob("*.py")
        if re.search(r"import locale|setlocale|:n\}|%[xXcE]\b", path.read_text(encoding="utf-8"))
    ]
    assert found == []


WRITE = """
import locale, sys
from pathlib import Path
locale.setlocale(locale.LC_ALL, sys.argv[1])
from optionscanner.workbook.file_host import FileHost
from tests.workbook_tools import made_up_frame
host = FileHost(Path(sys.argv[2]))
assert host.write(made_up_frame(3)).status == "written"
host.close()
print(locale.localeconv()["decimal_point"])
"""


@pytest.mark.slow
def test_a_region_with_commas_gives_the_same_workbook(tmp_path):
    """Where the system can make such a region; it needs no rights."""
    region = tmp_path / "de_DE.UTF-8"
    make = shutil.which("localedef")
    made = make and subprocess.run([make, "-i", "de_DE", "-f", "UTF-8", str(region)], capture_output=True, timeout=60)
    if not made or made.returncode:
        pytest.skip("this system cannot make a region with commas")
    written = {}
    for name, point in (("C", "."), (region.name, ",")):
        book = tmp_path / f"{name}.xlsx"
        done = subprocess.run(
            [sys.executable, "-c", WRITE, name, str(book)], capture_output=True, text=True, timeout=120,
            env={**os.environ, "LOCPATH": str(tmp_path), "PYTHONPATH": str(running.ROOT)}, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout.strip()) == (0, point), done.stderr
        written[name] = book.read_bytes()
    assert len(set(written.values())) == 1
