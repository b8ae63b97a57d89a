"""The OA's sends: consultation messages and their window, templates by UID, group messages, reactions."""

from bench.standin_zalo import content
from bench.standin_zalo.calls import Call
from bench.standin_zalo.content import Content
from bench.standin_zalo.errors import Refused, invalid
from bench.standin_zalo.ledger import Sent
from bench.standin_zalo.shapes import Json, identity, mapping, only, string
from bench.standin_zalo.world import FREE_WINDOW, WINDOW, Line, Template, User, Zalo

ICONS = (":>--b", "-:((", "/-strong", "/-heart", "-h:o", "/-remove")
REACTIONS_MOST = 50
QUOTA: Json = {"quota_type": "reply", "remain": 8}


def consult(zalo: Zalo, call: Call) -> Json:
    given = call.given
    only(given, ("recipient", "message"))
    user = recipient(zalo, given)
    found = content.read(zalo, given.get("message"))
    _afford(zalo, found)
    billed = _window(zalo, user) > FREE_WINDOW
    if found.quotes:
        said(user, found.quotes, "quote_message_id")
    answer = _sent(zalo, call, user, found, billed)
    return answer if billed else {**answer, "quota": QUOTA}


def recipient(zalo: Zalo, given: Json) -> User:
    who = mapping(given.get("recipient"), "recipient")
    only(who, ("user_id",))
    return reached(zalo, identity(who.get("user_id"), "user_id"), unknown=-213)


def reached(zalo: Zalo, who: str, unknown: int) -> User:
    user = zalo.users.get(who)
    if user is None:
        raise Refused(unknown)
    if user.refuses:
        raise Refused(user.refuses)
    return user


def said(user: User, message: str, field: str) -> Line:
    for line in user.talk:
        if line.id == message:
            return line
    raise invalid(field)


def _window(zalo: Zalo, user: User) -> float:
    """How long ago they were last heard of."""
    if user.last_interaction is None:
        raise Refused(-232 if user.follower else -213)
    age = zalo.now() - user.last_interaction
    if age > WINDOW:
        raise Refused(-230)
    return age


def _afford(zalo: Zalo, found: Content | None = None) -> None:
    plain = found is not None and found.kind == "text"
    if zalo.oa.tier == "free" or (zalo.oa.tier == "text" and not plain):
        raise Refused(-224)


def _sent(zalo: Zalo, call: Call, user: User, found: Content, billed: bool) -> Json:
    message, now = zalo.next(), zalo.ms
    sent = Sent("cs", found.kind, user.id, message, found.text, found.buttons, found.image, billed)
    call.sent = zalo.ledger.accept(sent)
    zalo.say(user, Line(message, now, False, "photo" if found.kind == "image" else "text", found.text))
    return {"message_id": message, "user_id": user.id, "sent_time": str(now)}


# By template, without any window --------------------------------------------------------------------


def template(zalo: Zalo, call: Call) -> Json:
    given = call.given
    only(given, ("user_id", "template_id", "template_data"))
    _afford(zalo)
    if not zalo.oa.zca or not zalo.oa.money:
        raise Refused(-321 if zalo.oa.zca else -320)
    user = reached(zalo, identity(given.get("user_id"), "user_id"), unknown=-118)
    known = _known(zalo, string(given.get("template_id"), "template_id"))
    data = filled(known, given.get("template_data"))
    message = zalo.next()
    sent = Sent("template", "template", user.id, message, billed=True, about=known.id, data=data)
    call.sent = zalo.ledger.accept(sent)
    quota = {"quota_type": "purchase_quota", "remain": 499}
    return {"message_id": message, "user_id": user.id, "sent_time": str(zalo.ms), "quota": quota}


def _known(zalo: Zalo, name: str) -> Template:
    known = zalo.templates.get(name)
    if known is None:
        raise Refused(-109)
    if known.refuses:
        raise Refused(known.refuses)
    return known


def filled(known: Template, given: object) -> Json:
    """Every parameter, each short enough, and none that the template does not have."""
    data = mapping(given, "template_data")
    if not data and known.params:
        raise Refused(-111)
    for name in sorted(data.keys() ^ known.params.keys()):
        raise Refused(-1121 if name in known.params else -112, f"Template parameter {name}")
    for name, longest in known.params.items():
        if not isinstance(data[name], str) or not data[name]:
            raise Refused(-1122, f"Template parameter {name} is no text")
        if len(data[name]) > longest:
            raise Refused(-1124, f"Template parameter {name} is too long")
    return data


# In a room of the OA's own --------------------------------------------------------------------------


def group(zalo: Zalo, call: Call) -> Json:
    given = call.given
    only(given, ("recipient", "message"))
    room = mapping(given.get("recipient"), "recipient")
    only(room, ("group_id",))
    where = identity(room.get("group_id"), "group_id")
    _enter(zalo, where)
    message = mapping(given.get("message"), "message")
    if "attachment" in message:
        raise Refused(-233)
    only(message, ("text",))
    _afford(zalo)
    sent = Sent("group", "text", where, zalo.next(), content.text_of(message.get("text")))
    call.sent = zalo.ledger.accept(sent)
    return {"message_id": sent.message_id, "group_id": where}


def _enter(zalo: Zalo, where: str) -> None:
    known = zalo.groups.get(where)
    if known is None or not known.joined:
        raise Refused(-403)
    if known.disabled:
        raise Refused(-237)


# A receipt that costs nothing -----------------------------------------------------------------------


def v2_message(zalo: Zalo, call: Call) -> Json:
    """Of the v2 messages only the reaction is left here; the others are shut down or not built."""
    given = call.given
    if "sender_action" not in given:
        raise Refused(-240)
    only(given, ("recipient", "sender_action"))
    user = recipient(zalo, given)
    _afford(zalo)
    action = mapping(given["sender_action"], "sender_action")
    only(action, ("react_icon", "react_message_id"))
    if action.get("react_icon") not in ICONS:
        raise invalid("react_icon")
    on = string(action.get("react_message_id"), "react_message_id")
    return _react(zalo, call, user, action["react_icon"], on)


def _react(zalo: Zalo, call: Call, user: User, icon: str, on: str) -> Json:
    said(user, on, "react_message_id")
    if zalo.reactions[on] >= REACTIONS_MOST:
        raise Refused(-210)
    zalo.reactions[on] += 1
    sent = Sent("reaction", "reaction", user.id, zalo.next(), icon, about=on)
    call.sent = zalo.ledger.accept(sent)
    return {"message_id": sent.message_id, "user_id": user.id}
