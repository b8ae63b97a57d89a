"""Every table; moments are milliseconds since 1970 UTC."""

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite numbers rows by itself only when the key is its own INTEGER.
Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Moment = sa.BigInteger
Text = sa.Text


class InboxState:
    NEW, DONE, QUARANTINED = 0, 1, 2


class OutboxState:
    """`DUE` waits; `SENDING` is leased; `UNKNOWN` was perhaps sent (lanes that must not double).

    `HELD` waits for the digest that will say it with others, when a chat was flooded. `UNREACHABLE` could not
    be sent, as the platform's window was closed and there was no other way to the person. `UNDRAWN` waits
    for its picture, and nothing of its chat waits behind it.
    """

    DUE, SENDING, SENT, REFUSED, UNKNOWN, SUPERSEDED, HELD, UNREACHABLE, UNDRAWN = 0, 1, 2, 3, 4, 5, 6, 7, 8


class BroadcastState:
    """`GOING` is being promised; of `PROMISED` some may wait; what waits of `STOPPED` is taken back.

    `OVER`: its time is past, and nothing of it waits.
    """

    GOING, PROMISED, STOPPED, OVER = 0, 1, 2, 3


class PhotoState:
    """`ERASED`: its file is to go from the store, and then its row."""

    WAITING, READY, BAD, ERASED = 0, 1, 2, 3


class PictureState:
    """`WAITING` is to be drawn, `READY` is in the store; what cannot be drawn is let go with its row."""

    WAITING, READY = 0, 1


inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("channel", Text, nullable=False),
    sa.Column("event", Text, nullable=False),
    sa.Column("chat", Text, nullable=False, comment="channel:chat, the order of talk"),
    sa.Column("raw", Text, nullable=False),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False, default=InboxState.NEW),
    sa.Column("tries", sa.SmallInteger, nullable=False, default=0),
    sa.Column("problem", Text),
    sa.UniqueConstraint("channel", "event"),
)
sa.Index(
    "ix_inbox_waiting",
    inbox.c.id,
    sqlite_where=inbox.c.state == InboxState.NEW,
    postgresql_where=inbox.c.state == InboxState.NEW,
)
sa.Index(
    "ix_inbox_quarantined",
    inbox.c.id,
    sqlite_where=inbox.c.state == InboxState.QUARANTINED,
    postgresql_where=inbox.c.state == InboxState.QUARANTINED,
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("chat", Text, primary_key=True),
    sa.Column("channel", Text, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("wake_at", Moment, comment="when a draft wants a nudge or ends"),
)
sa.Index(
    "ix_sessions_wake_at",
    sessions.c.wake_at,
    sqlite_where=sessions.c.wake_at.is_not(None),
    postgresql_where=sessions.c.wake_at.is_not(None),
)

offers = sa.Table(
    "offers",
    metadata,
    sa.Column("chat", Text, primary_key=True),
    sa.Column("buttons", Text, nullable=False, comment="the last list of choices shown there"),
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("first_seen_at", Moment, nullable=False),
    sa.Column("consent_version", Text),
    sa.Column("consent_at", Moment),
    sa.Column("paired", sa.Boolean, nullable=False, server_default=sa.false(), comment="on two platforms"),
    sa.Column("reminded", Text, comment="the village whose clean-up days they hear of; empty: any"),
    sa.Column("reminded_at", Moment),
    sa.Column("stopped_at", Moment, comment="when they said that they want no notices"),
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("channel", Text, primary_key=True),
    sa.Column("account", Text, primary_key=True),
    sa.Column("person", Text, sa.ForeignKey("people.id"), nullable=False, index=True),
    sa.Column("chat", Text, comment="the private chat, once the person wrote in it"),
    sa.Column("reachable", sa.Boolean, nullable=False, default=True),
    sa.Column("wrote_at", Moment, comment="when the person last did something in the private chat"),
)

sa.Index("ix_accounts_chat", accounts.c.channel, accounts.c.chat)

members = sa.Table(
    "members",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("person", Text, sa.ForeignKey("people.id"), nullable=False, index=True),
    sa.Column("unit", Text, nullable=False, index=True),
    sa.Column("role", Text, nullable=False, index=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("joined_at", Moment, nullable=False),
    sa.Column("removed_at", Moment),
    sa.Column("shift_until", Moment, comment="on duty until then"),
)

rooms = sa.Table(
    "rooms",
    metadata,
    sa.Column("chat", Text, primary_key=True),
    sa.Column("channel", Text, nullable=False),
    sa.Column("address", Text, nullable=False),
    sa.Column("unit", Text, nullable=False, index=True),
    sa.Column("bound_by", Text, nullable=False),
    sa.Column("bound_at", Moment, nullable=False),
)

sa.Index(
    "ix_people_reminded",
    people.c.reminded,
    people.c.id,
    sqlite_where=people.c.reminded.is_not(None),
    postgresql_where=people.c.reminded.is_not(None),
)

invites = sa.Table(
    "invites",
    metadata,
    sa.Column("hash", Text, primary_key=True, comment="the code itself is not kept"),
    sa.Column("unit", Text, nullable=False),
    sa.Column("role", Text, nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("used_at", Moment),
    sa.Column("used_by", Text),
)

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("code", Text, nullable=False, unique=True),
    sa.Column("category", Text, nullable=False),
    sa.Column("field", Text, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("desk", Text, nullable=False, comment="the unit that deals with it"),
    sa.Column("unit", Text, comment="the village of the place"),
    sa.Column("landmark", Text, nullable=False, default=""),
    sa.Column("lat", sa.Double),
    sa.Column("lon", sa.Double),
    sa.Column("words", Text, nullable=False, default=""),
    sa.Column("hours", Text, nullable=False, default="", comment="when it usually happens"),
    sa.Column("private", sa.Boolean, nullable=False, default=False, comment="not told to the village"),
    sa.Column("person", Text, sa.ForeignKey("people.id"), comment="who reported; empty once erased"),
    sa.Column("channel", Text, comment="where the reporter hears of it"),
    sa.Column("chat", Text),
    sa.Column("filed_at", Moment, nullable=False),
    sa.Column("ack_by", Moment, nullable=False),
    sa.Column("fix_by", Moment, nullable=False),
    sa.Column("taken_by", Text, comment="the member who took it"),
    sa.Column("taken_name", Text, nullable=False, default=""),
    sa.Column("closed_at", Moment),
    sa.Column("outcome", Text, nullable=False, default=""),
    sa.Column("reopened", sa.SmallInteger, nullable=False, default=0),
    sa.Column("alerted_at", Moment, comment="when somebody could be told of it"),
    sa.Column("mark", Text, nullable=False, server_default="", comment="the landmark as places are compared"),
    sa.Column("emergency", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("behalf", sa.Boolean, nullable=False, server_default=sa.false(), comment="told for another"),
    sa.Column("callback", Text, nullable=False, server_default="", comment="a number to call back"),
    sa.Column("recurs", Id, comment="the closed report that this place had before"),
    sa.Column("pauses", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("waits_for", Text, nullable=False, server_default="", comment="why the deadline is paused"),
    sa.Column("review", Text, nullable=False, server_default="", comment="why it should be looked at again"),
    sa.Column("due_at", Moment, comment="when it wants attention next"),
    sa.Column("due_step", Text, nullable=False, server_default=""),
    sa.Column("cell", sa.BigInteger, comment="where the point lies on the grid"),
    sa.Column("taken_at", Moment, comment="when somebody first took it on"),
    sa.Column("version", sa.Integer, nullable=False, default=0),
)
OPEN = ("sent", "acknowledged", "in_progress", "forwarded", "reopened")
sa.Index("ix_reports_person", reports.c.person, reports.c.id)
# Figures of a time are counted from the index alone.
sa.Index(
    "ix_reports_filed",
    reports.c.filed_at,
    reports.c.unit,
    reports.c.desk,
    reports.c.field,
    reports.c.private,
    reports.c.status,
    reports.c.taken_at,
    reports.c.closed_at,
)
# What is looked at in vain around a place is told by the index alone.
sa.Index(
    "ix_reports_place",
    reports.c.cell,
    reports.c.field,
    reports.c.filed_at,
    reports.c.lat,
    reports.c.lon,
    reports.c.id,
)
sa.Index(
    "ix_reports_open",
    reports.c.desk,
    reports.c.id,
    sqlite_where=reports.c.closed_at.is_(None),
    postgresql_where=reports.c.closed_at.is_(None),
)
# What is open in a village, whoever has it.
sa.Index(
    "ix_reports_open_unit",
    reports.c.unit,
    reports.c.field,
    reports.c.id,
    sqlite_where=reports.c.closed_at.is_(None),
    postgresql_where=reports.c.closed_at.is_(None),
)
sa.Index(
    "ix_reports_closed",
    reports.c.closed_at,
    reports.c.desk,
    sqlite_where=reports.c.closed_at.is_not(None),
    postgresql_where=reports.c.closed_at.is_not(None),
)
sa.Index(
    "ix_reports_mark",
    reports.c.unit,
    reports.c.mark,
    reports.c.field,
    reports.c.filed_at,
    sqlite_where=reports.c.mark != "",
    postgresql_where=reports.c.mark != "",
)
sa.Index(
    "ix_reports_due",
    reports.c.due_at,
    sqlite_where=reports.c.due_at.is_not(None),
    postgresql_where=reports.c.due_at.is_not(None),
)
sa.Index(
    "ix_reports_unheard",
    reports.c.id,
    sqlite_where=reports.c.alerted_at.is_(None),
    postgresql_where=reports.c.alerted_at.is_(None),
)

followers = sa.Table(
    "followers",
    metadata,
    sa.Column("report", Id, sa.ForeignKey("reports.id"), primary_key=True, autoincrement=False),
    sa.Column("person", Text, sa.ForeignKey("people.id"), primary_key=True),
    sa.Column("channel", Text, nullable=False, comment="where they hear of it"),
    sa.Column("chat", Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
)
sa.Index("ix_followers_person", followers.c.person)

history = sa.Table(
    "history",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("report", Id, sa.ForeignKey("reports.id"), nullable=False, index=True),
    sa.Column("at", Moment, nullable=False),
    sa.Column("person", Text),
    sa.Column("action", Text, nullable=False),
    sa.Column("before", Text, nullable=False, default=""),
    sa.Column("after", Text, nullable=False, default=""),
    sa.Column("note", Text, nullable=False, default=""),
)

photos = sa.Table(
    "photos",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False, comment="the inbox row that brought it"),
    sa.Column("channel", Text, nullable=False),
    sa.Column("chat", Text, nullable=False),
    sa.Column("account", Text, nullable=False),
    sa.Column("grouped", sa.Boolean, nullable=False, default=False),
    sa.Column("file", Text, nullable=False),
    sa.Column("as_file", sa.Boolean, nullable=False, default=False),
    sa.Column("size", sa.BigInteger),
    sa.Column("kind", Text, nullable=False, server_default="photo", comment="photo or voice"),
    sa.Column("purpose", Text, nullable=False, default="before", comment="before or after"),
    sa.Column("report", Id, sa.ForeignKey("reports.id"), index=True),
    sa.Column("state", sa.SmallInteger, nullable=False, default=PhotoState.WAITING),
    sa.Column("problem", Text),
    sa.Column("stored", Text, comment="key in the photo store"),
    sa.Column("fingerprint", Text),
    sa.Column("lat", sa.Double),
    sa.Column("lon", sa.Double),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("tries", sa.SmallInteger, nullable=False, default=0),
    sa.Column("due_at", Moment, nullable=False),
)
sa.Index(
    "ix_photos_waiting",
    photos.c.due_at,
    sqlite_where=photos.c.state == PhotoState.WAITING,
    postgresql_where=photos.c.state == PhotoState.WAITING,
)

sa.Index(
    "ix_photos_erased",
    photos.c.id,
    sqlite_where=photos.c.state == PhotoState.ERASED,
    postgresql_where=photos.c.state == PhotoState.ERASED,
)

sa.Index(
    "ix_photos_purpose",
    photos.c.purpose,
    sqlite_where=photos.c.report.is_(None),
    postgresql_where=photos.c.report.is_(None),
)

proofs = sa.Table(
    "proofs",
    metadata,
    sa.Column("report", Id, sa.ForeignKey("reports.id"), primary_key=True),
    sa.Column("photo", Id, sa.ForeignKey("photos.id"), primary_key=True, index=True),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False, comment="the inbox row that brought it"),
    sa.Column("channel", Text, nullable=False),
    sa.Column("chat", Text, nullable=False),
    sa.Column("account", Text, nullable=False),
    sa.Column("url", Text, nullable=False),
    sa.Column("due_at", Moment, nullable=False),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("lane", sa.SmallInteger, nullable=False),
    sa.Column("channel", Text, nullable=False),
    sa.Column("chat", Text, nullable=False),
    sa.Column("grouped", sa.Boolean, nullable=False, default=False),
    sa.Column("message", Text, nullable=False, comment="the template's name"),
    sa.Column("text", Text, nullable=False),
    sa.Column("buttons", Text, nullable=False, default="[]"),
    sa.Column("photo", Text, comment="key in the photo store"),
    sa.Column("wants_place", sa.Boolean, nullable=False, default=False),
    sa.Column("silent", sa.Boolean, nullable=False, server_default=sa.false(), comment="without a sound"),
    sa.Column(
        "numbered", sa.Boolean, nullable=False, server_default=sa.true(), comment="a number chooses a button"
    ),
    sa.Column("report", Id),
    sa.Column("key", Text, unique=True, comment="what can be promised only once"),
    sa.Column("question", sa.Boolean, nullable=False, default=False, comment="a newer question replaces it"),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("due_at", Moment, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False, default=OutboxState.DUE),
    sa.Column("lease_until", Moment),
    sa.Column("tries", sa.SmallInteger, nullable=False, default=0),
    sa.Column("sent_at", Moment),
    sa.Column("platform_id", Text),
    sa.Column("problem", Text),
    sa.Column("broadcast", Id, comment="the broadcast that it is part of"),
    sa.Column("edits", Id, comment="the message that it changes"),
)
sa.Index(
    "ix_outbox_edits",
    outbox.c.edits,
    sqlite_where=outbox.c.edits.is_not(None),
    postgresql_where=outbox.c.edits.is_not(None),
)
sa.Index(
    "ix_outbox_broadcast",
    outbox.c.broadcast,
    outbox.c.state,
    sqlite_where=outbox.c.broadcast.is_not(None),
    postgresql_where=outbox.c.broadcast.is_not(None),
)
sa.Index(
    "ix_outbox_due",
    outbox.c.channel,
    outbox.c.lane,
    outbox.c.id,
    sqlite_where=outbox.c.state == OutboxState.DUE,
    postgresql_where=outbox.c.state == OutboxState.DUE,
)
sa.Index(
    "ix_outbox_chat_open",
    outbox.c.channel,
    outbox.c.chat,
    sqlite_where=outbox.c.state <= OutboxState.SENDING,
    postgresql_where=outbox.c.state <= OutboxState.SENDING,
)
sa.Index(
    "ix_outbox_sending",
    outbox.c.lease_until,
    sqlite_where=outbox.c.state == OutboxState.SENDING,
    postgresql_where=outbox.c.state == OutboxState.SENDING,
)
sa.Index(
    "ix_outbox_unknown",
    outbox.c.id,
    sqlite_where=outbox.c.state == OutboxState.UNKNOWN,
    postgresql_where=outbox.c.state == OutboxState.UNKNOWN,
)
sa.Index(
    "ix_outbox_held",
    outbox.c.channel,
    outbox.c.chat,
    sqlite_where=outbox.c.state == OutboxState.HELD,
    postgresql_where=outbox.c.state == OutboxState.HELD,
)
sa.Index(
    "ix_outbox_undrawn",
    outbox.c.photo,
    sqlite_where=outbox.c.state == OutboxState.UNDRAWN,
    postgresql_where=outbox.c.state == OutboxState.UNDRAWN,
)
# What floods a chat: alerts and the photos that follow them.
sa.Index(
    "ix_outbox_flood",
    outbox.c.channel,
    outbox.c.chat,
    outbox.c.due_at,
    sqlite_where=outbox.c.lane.in_((sa.literal_column("0"), sa.literal_column("3"))),
    postgresql_where=outbox.c.lane.in_((sa.literal_column("0"), sa.literal_column("3"))),
)
sa.Index(
    "ix_outbox_answered",
    outbox.c.channel,
    outbox.c.chat,
    outbox.c.platform_id,
    sqlite_where=outbox.c.report.is_not(None),
    postgresql_where=outbox.c.report.is_not(None),
)

sa.Index(
    "ix_outbox_unreachable",
    outbox.c.made_at,
    sqlite_where=outbox.c.state == OutboxState.UNREACHABLE,
    postgresql_where=outbox.c.state == OutboxState.UNREACHABLE,
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("name", Text, primary_key=True, comment="the platform, and whose account it is there"),
    sa.Column("sealed", Text, nullable=False, comment="the pair, encrypted"),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("renews_at", Moment, nullable=False),
    sa.Column("ends_at", Moment, nullable=False),
    sa.Column("claimed_until", Moment, nullable=False, comment="somebody renews it until then"),
    sa.Column("problem", Text, nullable=False, default=""),
)

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("channel", Text, primary_key=True),
    sa.Column("stored", Text, primary_key=True, comment="key in the photo store"),
    sa.Column("handle", Text, nullable=False, comment="what the platform calls its copy"),
    sa.Column("until", Moment, nullable=False),
)

groups = sa.Table(
    "groups",
    metadata,
    sa.Column("channel", Text, primary_key=True),
    sa.Column("chat", Text, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
)

pairings = sa.Table(
    "pairings",
    metadata,
    sa.Column("hash", Text, primary_key=True, comment="the code itself is not kept"),
    sa.Column("person", Text, sa.ForeignKey("people.id"), nullable=False),
    sa.Column("ends_at", Moment, nullable=False),
)

campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("id", Text, primary_key=True, comment="feast and year, e.g. tet-2027"),
    sa.Column("feast", Text, nullable=False),
    sa.Column("year", sa.Integer, nullable=False),
    sa.Column("fixed", Text, nullable=False, comment="the date that names it, ISO"),
    sa.Column("day", Text, nullable=False, comment="when people work, ISO"),
    sa.Column("hour", Text, nullable=False, comment="HH:MM"),
    sa.Column("done", Text, nullable=False, server_default="", comment="steps told or let go"),
    sa.Column("due_at", Moment, comment="when the next step is due"),
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),
)
sa.Index(
    "ix_campaigns_due",
    campaigns.c.due_at,
    sqlite_where=campaigns.c.due_at.is_not(None),
    postgresql_where=campaigns.c.due_at.is_not(None),
)

meeting_places = sa.Table(
    "meeting_places",
    metadata,
    sa.Column("campaign", Text, sa.ForeignKey("campaigns.id"), primary_key=True),
    sa.Column("unit", Text, primary_key=True),
    sa.Column("place", Text, nullable=False),
)


def _result() -> tuple[sa.Column[Any], ...]:
    """What a unit says that it did."""
    return (
        sa.Column("unit", Text, primary_key=True),
        sa.Column("accepted_at", Moment),
        sa.Column("accepted_by", Text, nullable=False, server_default="", comment="the member's name"),
        sa.Column("reported_at", Moment),
        sa.Column("reported_by", Text, nullable=False, server_default=""),
        sa.Column("households", sa.Integer),
        sa.Column("of_households", sa.Integer),
        sa.Column("people", sa.Integer),
        sa.Column("kg", sa.Integer),
        sa.Column("trees", sa.Integer),
        sa.Column("note", Text, nullable=False, server_default=""),
        sa.Column("version", sa.Integer, nullable=False, server_default="0"),
    )


def _told_before() -> tuple[sa.Column[Any], ...]:
    """A line of what a unit said, whatever it says now."""
    return (
        sa.Column("unit", Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("person", Text),
        sa.Column("action", Text, nullable=False),
        sa.Column(
            "told", Text, nullable=False, server_default="{}", comment="the numbers as they were given"
        ),
    )


participations = sa.Table(
    "participations",
    metadata,
    sa.Column("campaign", Text, sa.ForeignKey("campaigns.id"), primary_key=True),
    *_result(),
)

participation_history = sa.Table(
    "participation_history",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("campaign", Text, nullable=False),
    *_told_before(),
)
sa.Index("ix_participation_history", participation_history.c.campaign, participation_history.c.unit)

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False, comment="as people say it"),
    sa.Column("text", Text, nullable=False),
    sa.Column("day", Text, nullable=False, comment="when it is due, ISO"),
    sa.Column("units", Text, nullable=False, comment="who is to do it"),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("person", Text, comment="who gave it"),
    sa.Column("made_by", Text, nullable=False, comment="their name"),
    sa.Column("state", Text, nullable=False, comment="open, closed or cancelled"),
    sa.Column("done", Text, nullable=False, server_default="", comment="steps told or let go"),
    sa.Column("due_at", Moment, comment="when the next step is due"),
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),
)
sa.Index(
    "ix_tasks_due",
    tasks.c.due_at,
    sqlite_where=tasks.c.due_at.is_not(None),
    postgresql_where=tasks.c.due_at.is_not(None),
)
sa.Index(
    "ix_tasks_open",
    tasks.c.number,
    sqlite_where=tasks.c.state == sa.literal_column("'open'"),
    postgresql_where=tasks.c.state == sa.literal_column("'open'"),
)

task_results = sa.Table(
    "task_results",
    metadata,
    sa.Column("task", sa.Integer, sa.ForeignKey("tasks.number"), primary_key=True),
    *_result(),
)

task_history = sa.Table(
    "task_history",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("task", sa.Integer, nullable=False),
    *_told_before(),
)
sa.Index("ix_task_history", task_history.c.task, task_history.c.unit)

answers = sa.Table(
    "answers",
    metadata,
    sa.Column("campaign", Text, sa.ForeignKey("campaigns.id"), primary_key=True),
    sa.Column("person", Text, sa.ForeignKey("people.id"), primary_key=True),
    sa.Column("coming", sa.Boolean, nullable=False),
    sa.Column("village", Text, nullable=False),
)

broadcasts = sa.Table(
    "broadcasts",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("key", Text, nullable=False, unique=True, comment="what can be broadcast only once"),
    sa.Column("message", Text, nullable=False, comment="the template's name"),
    sa.Column("texts", Text, nullable=False, comment="JSON: village, or empty for all, to text and buttons"),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("until", Moment, comment="of no use after that"),
    sa.Column("cursor", Text, nullable=False, server_default="", comment="how far it was promised"),
    sa.Column("promised", sa.Integer, nullable=False, server_default="0"),
    sa.Column(
        "state", sa.SmallInteger, nullable=False, server_default="0", comment="going on, promised, stopped"
    ),
    sa.Column("audience", Text, nullable=False, server_default="reminded", comment="whom it is for"),
    sa.Column("starts_at", Moment, comment="nothing goes out before"),
)
sa.Index(
    "ix_broadcasts_open",
    broadcasts.c.id,
    sqlite_where=broadcasts.c.state == 0,
    postgresql_where=broadcasts.c.state == 0,
)

activities = sa.Table(
    "activities",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False, comment="the number that people say"),
    sa.Column("kind", Text, nullable=False),
    sa.Column("unit", Text, nullable=False),
    sa.Column("year", sa.Integer, nullable=False, comment="the reporting year"),
    sa.Column("number", sa.Double),
    sa.Column("of", sa.Double, comment="of so many in all"),
    sa.Column("measure", Text, nullable=False, server_default=""),
    sa.Column("name", Text, nullable=False, server_default=""),
    sa.Column("words", Text, nullable=False, server_default="", comment="what was said besides"),
    sa.Column("state", Text, nullable=False, comment="told, confirmed, doubted, struck"),
    sa.Column("told_by", Text, sa.ForeignKey("people.id"), comment="none once they are erased"),
    sa.Column("told_name", Text, nullable=False, server_default=""),
    sa.Column("at", Moment, nullable=False),
    sa.Column("checked_by", Text, sa.ForeignKey("people.id"), comment="who confirmed or doubted it"),
    sa.Column("checked_name", Text, nullable=False, server_default=""),
    sa.Column("evidence", Text, nullable=False, unique=True, comment="the purpose of its photos"),
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),
)
sa.Index("ix_activities_unit", activities.c.unit, activities.c.year)

activity_partners = sa.Table(
    "activity_partners",
    metadata,
    sa.Column("activity", Id, sa.ForeignKey("activities.id"), primary_key=True),
    sa.Column("unit", Text, primary_key=True),
)
sa.Index("ix_activity_partners_unit", activity_partners.c.unit)

activity_history = sa.Table(
    "activity_history",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("activity", Id, sa.ForeignKey("activities.id"), nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("person", Text),
    sa.Column("action", Text, nullable=False),
    sa.Column("told", Text, nullable=False, server_default="{}", comment="the columns as they became"),
    sa.Column("note", Text, nullable=False, server_default="", comment="the reason"),
)
sa.Index("ix_activity_history", activity_history.c.activity)

households = sa.Table(
    "households",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("unit", Text, nullable=False),
    sa.Column("year", sa.Integer, nullable=False, comment="the reporting year; its newest row counts"),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("person", Text),
)
sa.Index("ix_households", households.c.year, households.c.unit)

announcements = sa.Table(
    "announcements",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False, comment="the inbox row that asked for it"),
    sa.Column("text", Text, nullable=False),
    sa.Column("audience", Text, nullable=False),
    sa.Column("state", Text, nullable=False, comment="waiting, running, refused, withdrawn, over"),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("author", Text, comment="the person who wrote it; empty once erased"),
    sa.Column("author_name", Text, nullable=False),
    sa.Column("author_ear", Text, comment="JSON: where the author hears of it"),
    sa.Column("decided_at", Moment),
    sa.Column("decider", Text, comment="the person who let it go, or did not"),
    sa.Column("decider_name", Text, nullable=False, server_default=""),
    sa.Column("decider_ear", Text),
    sa.Column("stopped_name", Text, nullable=False, server_default="", comment="who broke it off"),
    sa.Column("ended_at", Moment),
    sa.Column("result", Text, nullable=False, server_default="", comment="JSON: how many are where"),
)
sa.Index(
    "ix_announcements_open",
    announcements.c.id,
    sqlite_where=announcements.c.state.in_((sa.literal_column("'waiting'"), sa.literal_column("'running'"))),
    postgresql_where=announcements.c.state.in_(
        (sa.literal_column("'waiting'"), sa.literal_column("'running'"))
    ),
)

pictures = sa.Table(
    "pictures",
    metadata,
    sa.Column("key", Text, primary_key=True, comment="where it is or will be in the photo store"),
    sa.Column("spec", Text, nullable=False, comment="JSON: its kind, its words, what it shows"),
    sa.Column("state", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("tries", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("due_at", Moment, nullable=False, comment="when it is to be drawn; while it is, a lease"),
    sa.Column("asked_at", Moment, nullable=False, comment="when it was last promised to somebody"),
)
sa.Index(
    "ix_pictures_waiting",
    pictures.c.due_at,
    sqlite_where=pictures.c.state == PictureState.WAITING,
    postgresql_where=pictures.c.state == PictureState.WAITING,
)
sa.Index("ix_pictures_asked", pictures.c.asked_at)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

bubbles = sa.Table(
    "bubbles",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("seat", Text, nullable=False, comment="the chat on the local page"),
    sa.Column("mine", sa.Boolean, nullable=False, comment="said by the person, not by the bot"),
    sa.Column("author", Text, nullable=False, default=""),
    sa.Column("text", Text, nullable=False),
    sa.Column("buttons", Text, nullable=False, default="[]"),
    sa.Column("photo", Text),
    sa.Column("lat", sa.Double),
    sa.Column("lon", sa.Double),
    sa.Column("key", Text, nullable=False, unique=True),
    sa.Column("at", Moment, nullable=False),
)
