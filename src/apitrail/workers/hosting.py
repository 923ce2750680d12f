"""The worker that has a host: it starts one, gives it orders, and writes down what it reports.

A tick lasts as long as its host. When that ends, for whatever reason, all that it ran has ended with it; the next tick starts a
new one and orders everything anew. Where `gamelift.run_processes` is off there is no host, and nothing is executed.
"""

import asyncio
import hashlib
import ipaddress
import logging
import os
import pwd
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from apitrail.errors import JournalUnavailable, SettingsError, SinkError
from apitrail.host.messages import Began, Begin, Exited, Installing, Limits, Prepared, Report, Started, WasSetUp
from apitrail.host.starting import Host, start_host
from apitrail.objects.folder import FolderBucket
from apitrail.services.context import Context
from apitrail.services.gamelift.hosted import folders, host_root, hosted_places
from apitrail.services.gamelift.hosted_builds import installing, prepared
from apitrail.services.gamelift.hosted_folders import was_set_up
from apitrail.services.gamelift.hosted_processes import exited, still_there, take_leave
from apitrail.services.gamelift.hosted_renewal import begin_anew
from apitrail.services.host_orders import Fetch
from apitrail.services.runtime import Runtime
from apitrail.settings import Hosting as HostingSettings
from apitrail.settings import Settings

log = logging.getLogger("apitrail.hosting")
BEGIN_S = 120.0
FAIR_LIFE_S = 60.0
PAUSE_S, PAUSE_MAX_S = 0.5, 60.0
RETRY_S = 1.0
LOOK_S = 0.05
FETCH_PROBLEM = "FLEET_BINARY_DOWNLOAD_FAILED"

WRITTEN: Mapping[type, Callable[[Context, Any], None]] = {
    Installing: installing,
    Prepared: prepared,
    WasSetUp: was_set_up,
    Exited: exited,
}
"""What a report changes, in a transaction of its own."""


class Hosting:
    """Runs the host, one after another."""

    name = "hosting"

    def __init__(self, runtime: Runtime) -> None:
        check_settings(runtime.settings)
        self._runtime = runtime
        self._settings = runtime.settings.hosting
        self._root = host_root(runtime.data_dir, self._settings.folder).absolute()
        self._pause = PAUSE_S / 2
        self._fetching: set[asyncio.Task[None]] = set()

    async def tick(self) -> float | None:
        """Have a host until it ends; return when to start the next, in seconds."""
        if not self._runtime.settings.gamelift.run_processes:
            await self._begin_anew()
            return None
        began = self._runtime.clock.monotonic()
        await self._have_host()
        lived = self._runtime.clock.monotonic() - began
        self._pause = PAUSE_S if lived > FAIR_LIFE_S else min(PAUSE_MAX_S, self._pause * 2)
        log.warning("the host of game servers has ended; a new one is started in %g s", self._pause)
        return self._pause

    async def take_leave(self) -> None:
        """Tell what the host runs to end, because the server stops, and wait a few seconds; what is left the host ends then."""
        if not self._runtime.host_orders.is_open:
            return
        left: list[str] = []
        try:
            for account, region in await self._runtime.database.read(hosted_places):
                left += await self._runtime.write(account, region, take_leave)
        except JournalUnavailable as error:
            log.warning("game servers cannot be told to end: %s", error.reason)
        until = self._runtime.clock.monotonic() + self._settings.stop_grace_s
        while left and self._runtime.clock.monotonic() < until:
            await asyncio.sleep(LOOK_S)
            left = await self._runtime.database.read(partial(still_there, process_ids=left))
        if left:
            log.warning("%d game servers have not ended within %g s", len(left), self._settings.stop_grace_s)

    async def _have_host(self) -> None:
        async with self._host() as host:
            async with asyncio.timeout(BEGIN_S):
                began = await host.hear()
            if not isinstance(began, Began):
                return
            self._runtime.host_orders.begin()
            try:
                await self._begin_anew()
                telling = asyncio.create_task(self._tell(host))
                try:
                    await self._listen(host)
                finally:
                    telling.cancel()
                    await asyncio.gather(telling, return_exceptions=True)
            finally:
                self._runtime.host_orders.end()

    @asynccontextmanager
    async def _host(self) -> AsyncIterator[Host]:
        """Start a host, and end it at the end of the block."""
        host = await start_host(_mark(self._root))
        try:
            kept = await self._runtime.database.read(folders)
            await host.tell(Begin(str(self._root), _user(self._settings), limits_of(self._settings), kept))
            yield host
        finally:
            for task in self._fetching:
                task.cancel()
            await host.end()

    async def _begin_anew(self) -> None:
        for account, region in await self._runtime.database.read(hosted_places):
            await self._write(account, region, begin_anew)

    async def _tell(self, host: Host) -> None:
        """Give orders as they come; builds are fetched beside."""
        while True:
            order = await self._runtime.host_orders.next()
            if isinstance(order, Fetch):
                task = asyncio.create_task(self._fetch(host, order))
                self._fetching.add(task)
                task.add_done_callback(self._fetching.discard)
            else:
                await host.tell(order)

    async def _listen(self, host: Host) -> None:
        """Write down what the host reports, until it ends."""
        try:
            while (report := await host.hear()) is not None:
                await self._note(report)
        except msgspec.DecodeError as error:
            log.error("the host's reports cannot be read: %s", error)

    async def _note(self, report: Report) -> None:
        if isinstance(report, Started):
            log.info("game server %s runs as process %d", report.process, report.pid)
        elif not isinstance(report, Began):
            account, _, region = report.place.partition("/")
            await self._write(account, region, partial(_written, report=report))

    async def _write(self, account: str, region: str, work: Callable[[Context], None]) -> None:
        """Make a change, again and again while nothing can be written: what has happened cannot be taken back."""
        while True:
            try:
                await self._runtime.write(account, region, work)
            except JournalUnavailable as error:
                log.warning("what the host reports cannot be written: %s; again in %g s", error.reason, RETRY_S)
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _fetch(self, host: Host, fetch: Fetch) -> None:
        """Bring a build into the file that its order names, and give the order, or note why it cannot be had."""
        try:
            await self._copy(fetch)
        except (OSError, SinkError) as error:
            text = f"The build of fleet {fetch.order.fleet} cannot be fetched: {error}"
            await self._note(Prepared(fetch.order.place, fetch.order.fleet, FETCH_PROBLEM, text))
        else:
            with suppress(ConnectionError):  # the next host is told anew
                await host.tell(fetch.order)

    async def _copy(self, fetch: Fetch) -> None:
        """Raises: SinkError, OSError."""
        bucket, path = self._runtime.bucket(fetch.bucket), Path(fetch.order.archive)
        await asyncio.to_thread(path.parent.mkdir, mode=0o755, parents=True, exist_ok=True)
        assert isinstance(bucket, FolderBucket), "builds are in buckets of this server"
        body = await bucket.get(fetch.key, version=fetch.version)
        try:
            if body.info.size > self._settings.build_bytes_max:
                raise OSError(f"it has {body.info.size} bytes, {self._settings.build_bytes_max} are allowed")
            with path.open("wb") as file:
                async for chunk in body.chunks():
                    await asyncio.to_thread(file.write, chunk)
        finally:
            await body.close()


def check_settings(settings: Settings) -> None:
    """Raise SettingsError unless real processes can be run as the settings say: on a loopback address, by a known user."""
    if not settings.gamelift.run_processes:
        return
    if not _is_loopback(settings.server.host):
        raise SettingsError(
            f"real game servers are started only while the server listens on a loopback address, not on {settings.server.host}",
            where="gamelift.run_processes",
            hint="whoever can reach the server could run programs on this machine",
        )
    if user := _user(settings.hosting):
        try:
            pwd.getpwnam(user)
        except KeyError as error:
            raise SettingsError(f"there is no user {user}", where="hosting.user") from error


def limits_of(settings: HostingSettings) -> Limits:
    """Return what games may use."""
    return Limits(
        build_bytes=settings.build_bytes_max,
        build_files=settings.build_files_max,
        install_s=settings.install_timeout_s,
        log_bytes=settings.log_bytes_max,
        open_files=settings.open_files_max,
        file_bytes=settings.file_bytes_max,
        memory_bytes=settings.memory_bytes_max,
        tasks=settings.tasks_max,
    )


def _written(ctx: Context, report: Any) -> None:
    WRITTEN[type(report)](ctx, report)


def _user(settings: HostingSettings) -> str:
    """Return the user that games run as, empty for the server's own: only root can choose."""
    return settings.user if os.geteuid() == 0 else ""


def _mark(root: Path) -> str:
    """Return the mark of this server's games, by which a later host finds what was left behind."""
    return hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:32]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
