"""The journal's file: its tables, its pragmas, whose account it tells of, and how it is opened."""

import contextlib
import os
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import apsw
import orjson

from skalp_bot.ports import JournalError

VERSION = 1
FILE = "journal.sqlite"
LOG_SIZE_MAX = 1 << 25  # Bytes that a log begun anew keeps of what it was.

TABLES = """
create table meta(key text primary key, value text not null) strict;
create table rows(
  id integer primary key,
  kind text not null,
  seq integer not null,
  ts integer not null,
  body text,
  commands text not null,
  facts text not null,
  hash blob not null
) strict;
create index checkpoints on rows(id) where kind = 'Checkpoint';
create index epochs on rows(id) where kind in ('EpochTaken', 'Started');
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Which account at which exchange; a journal told about another one would be believed wrongly."""

    venue: str
    key_hash: str
    instance: str  # Of a paper exchange: each one made anew has its own accounts.

    @property
    def text(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @property
    def genesis(self) -> bytes:
        """The hash before the first row."""
        return sha256(self.text.encode()).digest()


def key_hash(api_key: str) -> str:
    """Enough of a digest to tell keys apart, too little to be one."""
    return sha256(api_key.encode()).hexdigest()[:16]


def open_writer(path: Path, fingerprint: Fingerprint, *, vfs: str | None = None) -> apsw.Connection:
    """The file, made if it is not there; refused when it is not this account's or newer than this program."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        connection = apsw.Connection(str(path), vfs=vfs)
        for pragma in ("trusted_schema=off", "busy_timeout=5000", "mmap_size=0"):
            connection.execute(f"pragma {pragma}")
        if vfs is not None:
            connection.execute("pragma locking_mode=exclusive")  # Without shared memory.
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=full")
        connection.execute(f"pragma wal_autocheckpoint={1000 if vfs else 0}")
        connection.execute(f"pragma journal_size_limit={LOG_SIZE_MAX}")
        if version_of(connection) == 0:
            create(connection, fingerprint)
        check(connection, path, fingerprint)
    except apsw.Error as error:
        raise unusable(path, error) from error
    return connection


def open_beside(path: Path) -> apsw.Connection:
    """A second connection for the writer's process, to copy the log with."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        for pragma in ("trusted_schema=off", "mmap_size=0", "synchronous=full", "wal_autocheckpoint=0"):
            connection.execute(f"pragma {pragma}")
        version_of(connection)  # Only a connection that has read knows that there is a log.
    except apsw.Error as error:
        raise unusable(path, error) from error
    return connection


def leave_log(connection: apsw.Connection) -> None:
    """Have the log stay as it is when the last connection is closed: the file is not to be trusted alone."""
    with contextlib.suppress(apsw.Error):
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


def open_reader(path: Path) -> apsw.Connection:
    """Read-only, beside a writer or without one."""
    if not path.is_file():
        raise JournalError(f"no journal at {path}: name its directory with --state-dir, or start a run")
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.execute("pragma trusted_schema=off")
        connection.execute("pragma busy_timeout=1000")
        if version_of(connection) != VERSION:
            raise newer(path, version_of(connection))
    except apsw.Error as error:
        raise unusable(path, error) from error
    return connection


def create(connection: apsw.Connection, fingerprint: Fingerprint) -> None:
    with connection:
        connection.execute(TABLES)
        connection.execute("insert into meta values('account', ?)", (fingerprint.text,))
        connection.execute(f"pragma user_version={VERSION}")


def check(connection: apsw.Connection, path: Path, fingerprint: Fingerprint) -> None:
    version = version_of(connection)
    if version != VERSION:
        connection.close()
        raise newer(path, version)
    held = account_of(connection)
    if held != fingerprint:
        connection.close()
        raise JournalError(
            f"journal {path} tells of another account ({describe(held)}) than this run's "
            f"({describe(fingerprint)}): use the keys and exchange it was begun with, or another --state-dir"
        )


def describe(fingerprint: Fingerprint) -> str:
    where = f"venue {fingerprint.venue}, key {fingerprint.key_hash[:6]}"
    return f"{where}, exchange instance {fingerprint.instance}" if fingerprint.instance else where


def account_of(connection: apsw.Connection) -> Fingerprint:
    text = connection.execute("select value from meta where key = 'account'").fetchall()[0][0]
    return Fingerprint(**orjson.loads(str(text)))


def version_of(connection: apsw.Connection) -> int:
    (version,) = connection.execute("pragma user_version").fetchall()[0]
    return int(str(version))


def newer(path: Path, version: int) -> JournalError:
    return JournalError(
        f"journal {path} has schema {version}, this program knows {VERSION}: "
        "run the newer program that wrote it, or choose another --state-dir"
    )


def unusable(path: Path, error: apsw.Error) -> JournalError:
    return JournalError(
        f"journal {path} cannot be opened ({error}): check the disk and the file's rights; "
        "to go on without it move the file aside, positions are then adopted from the exchange"
    )
