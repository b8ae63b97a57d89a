"""The OA's questions: about itself, a person, a talk, a room and what may still be sent."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from bench.standin_zalo.calls import Call
from bench.standin_zalo.errors import Refused, invalid
from bench.standin_zalo.messages import QUOTA
from bench.standin_zalo.shapes import Json, identity, number, only
from bench.standin_zalo.world import Group, Line, User, Zalo

TALK_MOST = 10
PAGE_MOST = 50
OFFSET_MOST = 9951
# Zalo names no time zone; its real answers are in Vietnam's.
VIETNAM = timedelta(hours=7)


def about_oa(zalo: Zalo, call: Call) -> Json:
    oa = zalo.oa
    package = {"package_name": oa.tier, "package_valid_through_date": "31/12/2027"}
    numbers = {"oa_type": oa.kind, "num_follower": sum(user.follower for user in zalo.users.values())}
    named: Json = {
        "oaid": oa.id,
        "name": oa.name,
        "description": "",
        "oa_alias": "",
        "is_verified": oa.verified,
    }
    looks = {"cate_name": "", "avatar": "", "cover": "", "package_auto_renew_date": ""}
    return {**named, **numbers, **looks, **package, "linked_ZCA": oa.zca}


def person(zalo: Zalo, call: Call) -> Json:
    only(call.given, ("user_id",))
    if zalo.oa.tier == "free":
        raise Refused(-224)
    user = _asked(zalo, call)
    who = {"user_id": user.id, "user_id_by_app": f"9{user.id}", "user_external_id": ""}
    names: Json = {"display_name": user.name, "user_alias": user.name, "is_sensitive": user.sensitive}
    seen = {"user_last_interaction_date": _day(user), "user_is_follower": user.follower}
    looks = {"avatar": _avatar(user), "avatars": {"120": _avatar(user), "240": _avatar(user)}}
    return {**who, **names, **seen, **looks, **_nothing_shared()}


def _nothing_shared() -> Json:
    """The phone that nobody gave is the number 0."""
    shared: Json = {"address": "", "city": "", "district": "", "phone": 0, "name": "", "user_dob": ""}
    notes: Json = {"notes": [], "tag_names": []}
    return {"dynamic_param": "", "tags_and_notes_info": notes, "shared_info": shared}


def _asked(zalo: Zalo, call: Call) -> User:
    """Who refuses messages can still be asked about."""
    user = zalo.users.get(identity(call.given.get("user_id"), "user_id"))
    if user is None:
        raise Refused(-213)
    return user


def _day(user: User) -> str:
    return _vietnam(int((user.last_interaction or 0) * 1000)).strftime("%d/%m/%Y")


def _vietnam(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC) + VIETNAM


def _avatar(user: User) -> str:
    return f"https://s120-ava-talk.zadn.vn/{user.id}.jpg"


def quota(zalo: Zalo, call: Call) -> Json | list[Json]:
    if "quota_owner" in call.given:
        only(call.given, ("quota_owner", "product_type", "quota_type"))
        return zalo.oa.assets
    only(call.given, ("user_id",))
    last = _asked(zalo, call).last_interaction or 0
    reply = {"remain": QUOTA["remain"], "total": QUOTA["remain"]}
    return {
        "last_interaction": str(int(last * 1000)),
        "cs_reply": reply,
        "promotion": {"remain": 0, "total": 0},
    }


# What was said, newest first ------------------------------------------------------------------------


def conversation(zalo: Zalo, call: Call) -> list[Json]:
    only(call.given, ("user_id", "offset", "count"))
    user = _asked(zalo, call)
    lines = islice(reversed(user.talk), *_slice(call.given, TALK_MOST))
    return [_line(zalo, user, line) for line in lines]


def recent(zalo: Zalo, call: Call) -> list[Json]:
    """The last line of each talk."""
    only(call.given, ("offset", "count"))
    users = (zalo.users[name] for name in islice(reversed(zalo.recent), *_slice(call.given, TALK_MOST)))
    return [_line(zalo, user, user.talk[-1]) for user in users]


def _slice(given: Json, most: int) -> tuple[int, int]:
    offset = number(given.get("offset"), "offset", OFFSET_MOST)
    count = number(given.get("count"), "count", most)
    if count == 0:
        raise invalid("count")
    return offset, offset + count


def _line(zalo: Zalo, user: User, line: Line) -> Json:
    person, oa = (user.id, user.name, _avatar(user)), (zalo.oa.id, zalo.oa.name, "")
    sender, receiver = (person, oa) if line.from_user else (oa, person)
    when = {"time": line.at, "sent_time": _vietnam(line.at).strftime("%H:%M:%S %d/%m/%Y")}
    sides = dict([*_side("from", sender), *_side("to", receiver)])
    told = {"message_id": line.id, "type": line.kind, "message": line.text}
    return {"src": int(line.from_user), **when, **sides, **told, **dict(_more(line))}


def _side(side: str, who: tuple[str, str, str]) -> Iterator[tuple[str, str]]:
    return zip((f"{side}_id", f"{side}_display_name", f"{side}_avatar"), who, strict=True)


def _more(line: Line) -> Iterator[tuple[str, object]]:
    """The sheet shows only a text; a picture and a place are told as the webhook tells them."""
    if line.url:
        yield "url", line.url
    if line.place:
        yield "location", line.place


# Rooms ----------------------------------------------------------------------------------------------


def groups(zalo: Zalo, call: Call) -> Json:
    only(call.given, ("offset", "count"))
    start, end = _slice(call.given, PAGE_MOST)
    joined = [group for group in zalo.groups.values() if group.joined]
    return {"groups": [_group(each) for each in joined[start:end]], "total": len(joined), "offset": start}


def _group(group: Group) -> Json:
    status = "disabled" if group.disabled else "enabled"
    return {"group_id": group.id, "name": group.name, "total_member": len(group.members), "status": status}


def members(zalo: Zalo, call: Call) -> Json:
    only(call.given, ("group_id", "offset", "count"))
    group = zalo.groups.get(identity(call.given.get("group_id"), "group_id"))
    if group is None or not group.joined:
        raise Refused(-403)
    start, end = _slice(call.given, PAGE_MOST)
    found = [{"user_id": each, "name": _name(zalo, each)} for each in group.members[start:end]]
    return {"members": found, "total": len(group.members), "offset": start}


def _name(zalo: Zalo, who: str) -> str:
    user = zalo.users.get(who)
    return user.name if user else ""
