"""Shared fixtures: corpus and data beside this project, and real servers, each if it is here at all."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.fortress import Fortress

    from redan.evidence.store.database import Database

_numbers = count()
# what is asked of time is asked in benchmarks; a busy machine upsets a deadline
settings.register_profile("calm", deadline=None)
settings.load_profile("calm")
REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with corpus and models beside the repository, or named by REDAN_SHARED."""
    folder = Path(os.environ.get("REDAN_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared folder at {folder}; set REDAN_SHARED")
    return folder


@pytest.fixture(scope="session")
def fashion_mnist() -> Path:
    """The folder with the four IDX files of Fashion-MNIST."""
    from redan.subjects.data.builtin import FASHION_FOLDERS

    for folder in FASHION_FOLDERS:
        if (folder / "t10k-images-idx3-ubyte.gz").is_file():
            return folder
    pytest.skip("Fashion-MNIST is not installed: apt-get install dataset-fashion-mnist")


def program(name: str) -> str | None:
    """Return the path of one of PostgreSQL's programs; Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(found[-1]) if found else None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own on a Unix socket."""
    initdb, pg_ctl = program("initdb"), program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    user: dict[str, object] = {}
    if os.getuid() == 0:
        # the server refuses to run as root
        nobody = pwd.getpwnam("nobody")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    with tempfile.TemporaryDirectory(prefix="redan-pg-") as name:
        folder = Path(name)
        if user:
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)

        def run(*words: str) -> None:
            done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=120, **user)  # type: ignore[call-overload]
            assert done.returncode == 0, done.stdout + done.stderr

        run(initdb, "-D", f"{folder}/data", "-U", "redan", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=60"
        run(pg_ctl, "-D", f"{folder}/data", "-o", options, "-l", f"{folder}/log", "-w", "start")
        try:
            yield f"postgresql://redan@/postgres?host={folder}"
        finally:
            run(pg_ctl, "-D", f"{folder}/data", "-m", "immediate", "-w", "stop")


@pytest.fixture(scope="session")
def new_schema(postgres: str) -> Callable[[], str]:
    """Make the URL of a fresh schema of PostgreSQL: as good as a database here, and no copy of the template's files."""
    import psycopg

    def make() -> str:
        name = f"redan{os.getpid()}x{next(_numbers)}"
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{postgres}&options=-csearch_path%3D{name}"

    return make


@pytest.fixture(scope="session")
def new_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Make the URL of a fresh database of a Redis server of our own."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("no Redis here: apt-get install redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--databases", "4096"]
    folder = tmp_path_factory.mktemp("redis")
    process = subprocess.Popen([server, *words, "--dir", str(folder)], stdout=subprocess.DEVNULL)
    numbers = count()
    yield lambda: f"redis://127.0.0.1:{port}/{next(numbers)}"
    process.kill()
    process.wait()


@pytest.fixture
def redis_url(new_redis: Callable[[], str]) -> str:
    """The URL of a fresh database of Redis."""
    return new_redis()


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Make the URL of a fresh database of a kind."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return str(tmp_path / f"redan{next(_numbers)}.db")
        made: str = request.getfixturevalue("new_schema")()
        return made

    return make


@pytest.fixture
def new_database(new_url: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """Make a fresh database of a kind, closed when the test ends."""
    from redan.evidence.store.database import connect

    made: list[Database] = []

    def make(kind: str) -> Database:
        made.append(connect(new_url(kind), root=tmp_path, create=True))
        return made[-1]

    yield make
    for database in made:
        database.close()


@pytest.fixture(scope="session", params=["http", pytest.param("https", marks=pytest.mark.slow)])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fortress]:
    """A gateway of our own with somebody in every role, for every test that only asks it; in slow runs by HTTPS too."""
    from tests.fortress import fortress

    with fortress(tmp_path_factory.mktemp("fortress"), https=request.param == "https") as running:
        yield running
