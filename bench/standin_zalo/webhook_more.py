"""The rest of an OA's webhook: echoes, tags, strangers, rooms, templates, and what is known by name only."""

from bench.standin_zalo.shapes import Json
from bench.standin_zalo.webhook import Origin, about, between, signed

# Zalo lists these without saying what is in them: only who and when is told here.
NAMED_ONLY = (
    "widget_interaction_accepted",
    "widget_failed_to_sync_user_external_id",
    "extension_purchased",
    "oa_send_consent",
    "user_reply_consent",
    "user_call_oa",
    "oa_call_user",
)
# Two sources disagree on some names: both are here.
GROUP_EVENTS = (
    "create_group",
    "user_join_group",
    "user_request_join_group",
    "accept_request_join_group",
    "reject_request_join_group",
    "react_request_join_group_accept",
    "react_request_join_group_reject",
    "add_group_admin",
    "remove_group_admin",
    "update_group_info",
    "user_out_group",
    "user_leave_group",
    "delete_group",
)
ECHO_KINDS = ("text", "image", "gif", "list", "file", "sticker")
STRANGER_KINDS = ("text", "image", "file", "sticker")
GROUP_KINDS = ("text", "image", "link", "audio", "video", "business_card", "sticker", "gif", "file")


def named_only(origin: Origin, event: str) -> Json:
    return about(origin, event)


# What the OA did: also what the bot itself sent -----------------------------------------------------


def oa_sent(origin: Origin, kind: str, text: str = "", admin: str = "", *attachments: Json) -> Json:
    """With `admin` a human answered in Zalo's own web page; without, it is an echo."""
    event = between(origin, f"oa_send_{kind}", message=_message(origin, text, *attachments))
    return event | _from_oa(origin, admin)


def oa_reacted(origin: Origin, message: str, icon: str = "/-strong") -> Json:
    event = between(origin, "oa_reacted_message", message={"msg_id": message, "react_icon": icon})
    return event | _from_oa(origin)


def _from_oa(origin: Origin, admin: str = "") -> Json:
    sender = {"id": origin.oa, **({"admin_id": admin} if admin else {})}
    return {"sender": sender, "recipient": {"id": origin.user}}


def _message(origin: Origin, text: str, *attachments: Json) -> Json:
    told = {**({"text": text} if text else {}), **({"attachments": [*attachments]} if attachments else {})}
    return {**told, "msg_id": origin.message_id}


def tag_added(origin: Origin, name: str) -> Json:
    return _tag(origin, "add_user_to_tag", name, origin.user)


def tag_taken(origin: Origin, name: str) -> Json:
    return _tag(origin, "remove_user_from_tag", name, origin.user)


def tag_removed(origin: Origin, name: str) -> Json:
    return _tag(origin, "remove_tag", name)


def _tag(origin: Origin, event: str, name: str, *users: str) -> Json:
    named = {"app_id": origin.app, "oa_id": origin.oa, "tag": {"user_ids": [*users], "name": name}}
    return {**named, "event_name": event, "timestamp": str(origin.at)}


def update_user_info(origin: Origin, method: str = "update") -> Json:
    return about(origin, "update_user_info", data={"method": method})


# Visitors without an account ------------------------------------------------------------------------


def anonymous(origin: Origin, conversation: str, kind: str, text: str = "", *attachments: Json) -> Json:
    message = {**_message(origin, text, *attachments), "conversation_id": conversation}
    return between(origin, f"anonymous_send_{kind}", message=message)


def oa_anonymous(origin: Origin, conversation: str, kind: str, text: str = "") -> Json:
    message = {**_message(origin, text), "conversation_id": conversation}
    return between(origin, f"oa_send_anonymous_{kind}", message=message) | _from_oa(origin)


# Rooms ----------------------------------------------------------------------------------------------


def group_event(origin: Origin, event: str, group: str, *users: str) -> Json:
    named = {"oa_id": origin.oa, "group_id": group, "users": [{"id": each} for each in users]}
    return {**named, "event_name": event, "app_id": origin.app, "timestamp": str(origin.at)}


def group_said(origin: Origin, group: str, kind: str, text: str = "", *attachments: Json) -> Json:
    event = between(origin, f"user_send_group_{kind}", message=_message(origin, text, *attachments))
    return event | {"recipient": {"id": group}, "oa_id": origin.oa}


def oa_group_said(origin: Origin, group: str, kind: str, text: str = "", *attachments: Json) -> Json:
    event = between(origin, f"oa_send_group_{kind}", message=_message(origin, text, *attachments))
    return event | {"sender": {"id": origin.oa}, "recipient": {"id": group}, "oa_id": origin.oa}


# Templates ------------------------------------------------------------------------------------------


def template_received(origin: Origin, phone: str, message: str, tracking: str = "") -> Json:
    told = {"delivery_time": str(origin.at), "msg_id": message, "tracking_id": tracking}
    sides = {"sender": {"id": origin.oa}, "recipient": {"id": phone}}
    return between(origin, "user_received_message", message=told) | sides


def template_status(origin: Origin, template: str, before: str, after: str) -> Json:
    change = {"template_id": template, "status": {"prev_status": before, "new_status": after}}
    return {**_of_oa(origin, "change_template_status"), **change}


def daily_quota(origin: Origin, before: int, after: int) -> Json:
    change = {"prev_quota": str(before), "new_quota": str(after)}
    return {**_of_oa(origin, "change_oa_daily_quota"), "quota": change}


def _of_oa(origin: Origin, event: str) -> Json:
    named = {"app_id": origin.app, "oa_id": origin.oa}
    return {**named, "event_name": event, "timestamp": str(origin.at)}


def signed_template(event: Json, secret: str) -> tuple[bytes, dict[str, str]]:
    body, headers = signed(event, secret)
    return body, headers | {"X-ZEvent-Server": "ZNS"}
