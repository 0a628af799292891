"""What the command palette offers beside the keys: works on the ensemble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from textual.app import App, SystemCommand

from zktui.core.view import EnsembleView
from zktui.drills.desk import FINISH, Drills
from zktui.session import Session
from zktui.ui.painting import Painter
from zktui.ui.works import Work, Works


def work_commands(
    app: App[object], session: Session, painter: Painter, works: Works, ensemble: EnsembleView | None
) -> Iterator[SystemCommand]:
    """Each opens a screen that tells what would happen; nothing is done before a question there."""
    # Imported at first use: the first paint does not pay for them.
    from zktui.ui.screens.work import WorkScreen  # noqa: PLC0415

    def open_work(work: Work | None) -> None:
        app.push_screen(WorkScreen(session, painter, works, work, ensemble.key if ensemble is not None else None))

    if works.under_way is not None:
        yield SystemCommand(f"Under way: {works.under_way.work.title}", "how it goes", lambda: open_work(None))
    if session.objects is not None and not session.settings.all_namespaces:
        yield _deployment(app, session, open_work)
    if ensemble is not None and session.objects is not None:
        yield from _rollouts(app, session, ensemble, open_work)
    if session.drills is not None:
        yield from _cut_off(session.drills, open_work)
    if ensemble is not None and session.drills is not None:
        yield from _drills(session.drills, ensemble, open_work)


def _deployment(app: App[object], session: Session, open_work: Callable[[Work | None], None]) -> SystemCommand:
    from zktui.ui.deploywork import Deployment  # noqa: PLC0415  # as above
    from zktui.ui.screens.deployform import DeployForm  # noqa: PLC0415  # as above
    from zktui.workload.manifest import Wanted  # noqa: PLC0415  # as above

    def filled_in(wanted: Wanted | None) -> None:
        if wanted is not None:
            open_work(Deployment(session, wanted))

    return SystemCommand(
        "Deploy an ensemble",
        "zktui deploy: first what would be made",
        lambda: app.push_screen(DeployForm(session.place.namespace), filled_in),
    )


def _rollouts(
    app: App[object], session: Session, view: EnsembleView, open_work: Callable[[Work | None], None]
) -> Iterator[SystemCommand]:
    from zktui.ui.rolloutwork import COMMANDS, TITLES, Rollout, Verb  # noqa: PLC0415  # as above
    from zktui.ui.screens.wish import WishScreen  # noqa: PLC0415  # as above
    from zktui.workload.resources import Wish  # noqa: PLC0415  # as above

    ensemble = view.ensemble

    def wished(wish: Wish | None) -> None:
        if wish is not None:
            open_work(Rollout(session, ensemble, Verb.RESOURCES, wish))

    def opener(verb: Verb) -> Callable[[], object]:
        if verb is Verb.RESOURCES:
            return lambda: app.push_screen(WishScreen(), wished)
        return lambda: open_work(Rollout(session, ensemble, verb))

    for verb in Verb:
        told = COMMANDS[verb] if verb is Verb.SHOW else f"{COMMANDS[verb]}: first what would happen"
        yield SystemCommand(TITLES[verb], told, opener(verb))


def _cut_off(drills: Drills, open_work: Callable[[Work | None], None]) -> Iterator[SystemCommand]:
    """Also where no ensemble is left: its StatefulSet may be what such a drill has to bring back."""
    from zktui.ui.drillwork import FinishWork  # noqa: PLC0415  # as above

    for which in drills.unfinished():
        work = partial(FinishWork, drills, which)
        title = f"Drill: finish the one of {which.namespace}/{which.name} that was cut off"
        yield SystemCommand(title, f"{FINISH}: first what would happen", lambda made=work: open_work(made()))


def _drills(drills: Drills, view: EnsembleView, open_work: Callable[[Work | None], None]) -> Iterator[SystemCommand]:
    from zktui.ui.drillwork import ProcessWork, StorageWork  # noqa: PLC0415  # as above

    told = "first what would happen; it takes a typed name"
    for member in view.members:
        name = member.pod.name
        work = partial(ProcessWork, drills, view.ensemble, name)
        command = f"zktui drill process {name}: {told}"
        yield SystemCommand(f"Drill: end the server of {name}", command, lambda made=work: open_work(made()))
    for orphan, what in ((True, "keep its pods"), (False, "and its pods, an outage")):
        work = partial(StorageWork, drills, view.ensemble, orphan=orphan)
        title = f"Drill: delete the StatefulSet, {what}"
        yield SystemCommand(title, f"zktui drill storage: {told}", lambda made=work: open_work(made()))
