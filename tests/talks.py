"""A talk drawn step by step: each event with the facts that it asks for, and what was decided."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import strategies as st

from bot.core.effects import (
    VOICE,
    FileReport,
    Lane,
    Say,
)
from bot.core.events import (
    Address,
    Event,
    Incoming,
    Pressed,
)
from bot.core.facts import Desk, Facts, Invite, Me, Member, Needs, PhotoFact, Refusal, Role
from bot.core.figures import Figures, Scope, scope_of
from bot.core.message import Button, Message
from bot.core.notice import Decider, Notice, Notices, Reach, Reached, audience
from bot.core.report import Report
from bot.core.session import EMPTY, Session
from bot.handlers import Decision, decide, needs, read_press
from tests import samples

# A talk, step by step -----------------------------------------------------------------------------
from tests.drawing import (
    ACCOUNTS,
    CODE,
    COMMUNE,
    DESKS,
    MESSAGES,
    ROLES,
    START,
    WORLD,
    Town,
    events,
    now_ms,
    open_drafts,
    reports,
    sessions,
    towns,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One decision with all that led to it, and its messages as they would be sent."""

    incoming: Incoming
    before: Session
    facts: Facts
    town: Town
    decision: Decision
    said: tuple[tuple[Say, Message], ...]

    @property
    def event(self) -> Event:
        return self.incoming.event

    @property
    def after(self) -> Session:
        return self.decision.session

    @property
    def here(self) -> Address:
        return self.incoming.address

    @property
    def verb(self) -> str:
        """What was pressed, with the slot for "ed"."""
        if not isinstance(self.event, Pressed):
            return ""
        verb, _, rest = self.event.action.partition(":")
        return f"ed:{rest.partition(':')[2]}" if verb == "ed" else verb

    @property
    def filed(self) -> FileReport | None:
        found = [e for e in self.decision.effects if isinstance(e, FileReport)]
        assert len(found) <= 1
        return found[0] if found else None

    def known(self, report: int | None) -> Report | None:
        every = (self.facts.report, *self.facts.open_here, *self.facts.unheard, *self.facts.mine)
        return next((r for r in every if r is not None and r.id == report), None)


@st.composite
def facts_for(
    draw: st.DrawFn, incoming: Incoming, session: Session, town: Town, consent: str | None, now: datetime
) -> Facts:
    """What `bot.facts` would find: only what was asked for, whatever it may be."""
    need = needs(incoming, session, WORLD)
    me = Me(f"paper:{incoming.account}" if incoming.account else "", consent)
    room = next((u for u, desk in town.desks.items() if incoming.address in desk.rooms), None)
    report, photo, refusal = None, None, None
    if need.answered is not None:
        report = draw(st.none() | reports())
    if report is None and need.code is not None and CODE.fullmatch(need.code):
        report = draw(st.one_of(st.none(), reports(need.code), reports(need.code, me.person or None)))
    if need.photo is not None or need.outbox is not None:
        report = draw(st.none() | reports())
    if need.photo is not None and draw(st.booleans()):
        spoken = any(need.photo in draft.voices for draft in open_drafts(session))
        purpose = draw(st.sampled_from(["before", "after", VOICE])) if report else "before"
        at = int(now.timestamp() * 1000) - draw(st.sampled_from([0, 10**6]))
        photo = PhotoFact(need.photo, VOICE if spoken else purpose, report.id if report else None, at=at)
    if need.outbox is not None and draw(st.booleans()):
        lane = draw(st.sampled_from([int(Lane.ALERT), int(Lane.ANSWER)]))
        refusal = Refusal("duty/alert", incoming.address, lane, report.id if report else None)
    if incoming.account:
        me = replace(me, roles=draw(st.sampled_from(ROLES) | st.just(_desk_role(report))))
    some = st.lists(reports(), max_size=3, unique_by=(_id_of, _code_of)).map(tuple)
    concerned = [report, *(open_here := draw(some) if need.open_here and me.roles else ())]
    units = set(need.units)
    if need.desk_of_report and any(concerned):
        units |= {r.desk for r in concerned if r is not None} | {COMMUNE.office}
    usable = st.builds(
        Invite, st.just(need.invite or ""), st.sampled_from(DESKS), st.sampled_from(roles), st.booleans()
    )
    return Facts(
        now=now,
        me=me,
        room=room,
        report=report,
        answered=draw(st.sampled_from(["", "duty/alert", "duty/voice", "office/voice"])) if report else "",
        photo=photo,
        desks={unit: town.desks.get(unit, Desk(unit)) for unit in units},
        mine=tuple(replace(r, person=me.person) for r in draw(some)) if need.mine else (),
        open_here=tuple(replace(r, status="sent") for r in open_here),
        invite=draw(st.none() | usable) if need.invite is not None else None,
        unheard=draw(some) if need.unheard else (),
        refusal=refusal,
        members=draw(members(need, me)),
        notices=draw(notices(need, me)),
        figures=figures_for(need, me, room if incoming.address.group else None, incoming.address.group),
    )


def figures_for(need: Needs, me: Me, room: str | None, grouped: bool) -> Figures | None:
    """The figures of the view that is asked for, as far as the sender may see them."""
    if need.figures is None:
        return None
    roles = [(role.unit, role.role) for role in me.roles if not grouped or role.unit == room]
    known = dict(samples.figures()).get(need.figures.view) or Figures(need.figures.view, Scope())
    return replace(known, scope=scope_of(roles, need.figures))


@st.composite
def members(draw: st.DrawFn, need: Needs, me: Me) -> tuple[Member, ...]:
    """Who belongs to the units that were asked for; the sender's own roles are among them."""
    units = set(need.members_of) & set(COMMUNE.units)
    if need.my_members:
        units |= {role.unit for role in me.roles if role.role == "head"}
    if need.member is not None:
        units |= {draw(st.sampled_from(["thon-03", "thon-05", "cong-an", "ubnd"]))}
    found = [(me.person, role.unit, role.role, role.name) for role in me.roles if role.unit in units]
    for unit in sorted(units):
        for number in range(draw(st.sampled_from([0, 1, 3, 5, 20]))):
            name = draw(st.sampled_from(["Bác Tư", "Cô Lan | Gỡ", "n" * 60, "Anh\nGỡ 1. X | rm:9"]))
            found.append((f"paper:m{number}", unit, draw(st.sampled_from(roles)), name))
    return tuple(
        Member(at, person, unit, role, name, now_ms() - at, chats=(("paper", person.removeprefix("paper:")),))
        for at, (person, unit, role, name) in enumerate(found, 1)
    )


@st.composite
def notices(draw: st.DrawFn, need: Needs, me: Me) -> Notices | None:
    """What is asked for of the office's notices: nothing for whoever is neither of the office nor leads."""
    if need.notice is None or not any(role.role in ("office", "lead") for role in me.roles):
        return None
    mine = Decider(me.person, "Chị Hà", me.roles[0].role, Address("paper", me.person.removeprefix("paper:")))
    others = (
        Decider("paper:minh", "Anh Minh", "office", Address("paper", "minh")),
        Decider("paper:binh", "Ông Bình", "lead", None),
    )
    some = draw(st.lists(_notices(me), max_size=3).map(tuple)) if need.notice.recent else ()
    reached = (Reached("paper", free=3), Reached("zalo_oa", 2, 5, 1, 1, left=4))
    return Notices(
        draw(st.none() | _notices(me)) if need.notice.id is not None else None,
        Reach(20, draw(st.sampled_from([(), reached[:1], reached]))) if need.notice.reach else None,
        some,
        draw(st.sampled_from([(mine, *others), (mine, others[1]), (mine,), others])),
    )


@st.composite
def _notices(draw: st.DrawFn, me: Me) -> Notice:
    state = draw(st.sampled_from(NOTICE_STATES))
    counts = {"sent": 5, "waiting": 3, "unknown": 1, "refused": 1}
    return Notice(
        7,
        draw(st.sampled_from(["Mai mất nước zq5521", "d" * 1500])),
        audience(draw(st.sampled_from(["all", "villages:thon-03", "roles:head,lead"]))),
        state,
        now_ms() - 1000,
        draw(st.sampled_from([me.person, "paper:minh", None])),
        "Chị Hà",
        draw(st.none() | st.just(Address("paper", "hà"))),
        decider="paper:binh" if state in ("running", "over") else None,
        decider_name="Ông Bình" if state in ("running", "over", "refused") else "",
        stopped_name=draw(st.sampled_from(["", "Chị Hà"])),
        starts_at=draw(st.sampled_from([None, now_ms() + 3600_000])),
        counts=draw(st.sampled_from([{}, counts])),
        flying=draw(st.sampled_from([0, 1])) if counts else 0,
        going=draw(st.booleans()),
    )


def _desk_role(report: Report | None) -> tuple[Role, ...]:
    """The role of somebody who deals with such reports."""
    if report is None:
        return ()
    kinds = {"cong-an": "police", COMMUNE.office: "office", "phong-kinh-te": "staff"}
    return (Role(report.desk, kinds.get(report.desk, "monitor"), "Bác Tư"),)


def _id_of(report: Report) -> int:
    return report.id


def _code_of(report: Report) -> str:
    return report.code


NOTICE_STATES = ("waiting", "running", "refused", "withdrawn", "over", "expired")
roles = ("monitor", "head", "police", "staff", "office", "lead")
_names = st.sampled_from(["", "Nguyễn Văn zq6001", "\u202eev\x00il\nname", "n" * 200])


def talks(data: st.DataObject, steps: int) -> Iterator[Step]:
    """One chat for a while: what comes, what is known, what is decided."""
    town = data.draw(towns)
    group = data.draw(st.sampled_from([False, False, False, True]))
    accounts: tuple[str, ...] = ACCOUNTS[:1]
    address = Address("paper", ACCOUNTS[0])
    if group:
        rooms = sorted(room.chat for desk in town.desks.values() for room in desk.rooms)
        address = Address("paper", data.draw(st.sampled_from([*rooms, "nhom-la"])), group=True)
        accounts = (*ACCOUNTS, "")
    now = START
    started = st.just(EMPTY) | sessions(int(now.timestamp() * 1000), ACCOUNTS[:1], group=group)
    session, consent = data.draw(started), data.draw(st.sampled_from([None, "0", COMMUNE.policy_version]))
    offered: tuple[Button, ...] = ()
    for number in range(1, steps + 1):
        now += timedelta(minutes=data.draw(st.sampled_from([0, 0, 1, 40, 25 * 60])))
        event = data.draw(events(session, offered))
        incoming = Incoming(
            number,
            now,
            address,
            data.draw(st.sampled_from(accounts)),
            event,
            data.draw(_names),
            data.draw(st.sampled_from([None, None, None, "m7"])),
        )
        incoming = read_press(incoming, session, offered)
        facts = data.draw(facts_for(incoming, session, town, consent, now))
        decision = decide(incoming, session, facts, WORLD)
        step = Step(incoming, session, facts, town, decision, rendered(decision))
        yield step
        lists = [
            m.buttons for say, m in step.said if say.to == address and m.buttons and say.lane != Lane.ALERT
        ]
        offered = lists[-1] if lists else offered
        session = decision.session
        if step.filed is not None:
            session, consent = replace(session, last="AP-26-00001"), COMMUNE.policy_version


def rendered(decision: Decision) -> tuple[tuple[Say, Message], ...]:
    said = []
    for effect in decision.effects:
        if isinstance(effect, Say):
            data = {**effect.data, "code": "AP-26-00001"} if effect.fresh else effect.data
            said.append((effect, MESSAGES.render(effect.message, data)))
    return tuple(said)
