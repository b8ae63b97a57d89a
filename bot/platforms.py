"""The platforms that the settings ask for: each with its door, or with a way to ask for news."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from bot import linkpage
from bot.channels.base import Links, Received
from bot.channels.media import Media
from bot.channels.telegram import Telegram
from bot.channels.vault import Vault
from bot.channels.zalo_bot import ZaloBot
from bot.channels.zalo_http import OpenApi
from bot.channels.zalo_oa import Labels, ZaloOa
from bot.channels.zalo_tokens import Tokens
from bot.clock import Clock
from bot.config import ConfigError
from bot.core.events import Address
from bot.messages import Messages
from bot.settings import Settings
from bot.signed import Signer
from storage.database import Database

LOOPBACK = ("127.0.0.1", "localhost", "::1")
Store = Callable[[list[Received], list[bytes]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Platform:
    """`path` is where it posts to us; `poll` asks for news where it cannot, or for what was missed.

    `trouble` says what somebody must look after though messages still go: a token, money.
    """

    channel: Telegram | ZaloOa | ZaloBot
    path: str | None = None
    poll: Callable[[Store], Coroutine[Any, Any, None]] | None = None
    trouble: Callable[[], Awaitable[str]] | None = None


def platforms_of(settings: Settings, db: Database, clock: Clock) -> list[Platform]:
    """Those that are set. Raises ConfigError."""
    found: list[Platform] = []
    telegram = telegram_of(settings)
    if telegram is not None:
        hooked = settings.telegram_webhook_url is not None
        found.append(Platform(telegram, "/telegram") if hooked else Platform(telegram, poll=telegram.poll))
    zalo = zalo_oa_of(settings, db, clock)
    if zalo is not None:
        found.append(Platform(zalo, "/zalo/oa", poll=zalo.catch_up, trouble=zalo.trouble))
    bot = zalo_bot_of(settings, clock)
    if bot is not None:
        hooked = settings.public_url is not None
        found.append(Platform(bot, "/zalo/bot") if hooked else Platform(bot, poll=bot.poll))
    return found


def telegram_of(settings: Settings) -> Telegram | None:
    if settings.telegram_bot_token is None:
        return None
    secret, proxy = settings.telegram_webhook_secret, settings.telegram_proxy
    return Telegram(
        token=settings.telegram_bot_token.get_secret_value(),
        api_url=settings.telegram_api_url,
        proxy=proxy.get_secret_value() if proxy is not None else None,
        webhook_url=settings.telegram_webhook_url,
        webhook_secret=secret.get_secret_value() if secret is not None else "",
        overall=settings.telegram_rate,
        chat=settings.telegram_chat_rate,
        burst=settings.telegram_chat_burst,
        group_minute=settings.telegram_group_rate,
        place_label=Messages().render("channel/place_button", {}).text,
    )


def signer_of(settings: Settings, clock: Clock) -> Signer | None:
    """Signs links to our own pages; none without an address that others see and a key."""
    if settings.public_url is None or settings.secret_key is None:
        return None
    return Signer(settings.secret_key.get_secret_value(), clock.ms)


def links_of(settings: Settings, clock: Clock) -> Links:
    """For a channel that needs our pages."""
    signer = signer_of(settings, clock)
    if signer is None or settings.public_url is None:
        raise ConfigError("PUBLIC_URL, SECRET_KEY: links to our own pages need both.")
    return linkpage.links(signer, settings.public_url)


def any_set(settings: Settings) -> bool:
    return any((settings.telegram_bot_token, settings.zalo_oa_app_id, settings.zalo_bot_token))


def wants_webchat(settings: Settings) -> bool:
    """On by itself only while no platform is set; never on a host that others can reach, unless told."""
    on = settings.webchat == "on" or (settings.webchat == "auto" and not any_set(settings))
    if on and settings.http_host not in LOOPBACK and not settings.webchat_any_host:
        raise ConfigError("HTTP_HOST: the local chat knows no log-in: 127.0.0.1, or WEBCHAT_ANY_HOST=true.")
    return on


def zalo_tokens_of(settings: Settings, db: Database, clock: Clock) -> Tokens | None:
    app_id, secret, key = settings.zalo_oa_app_id, settings.zalo_oa_app_secret, settings.secret_key
    if not app_id or secret is None or key is None:
        return None
    first = settings.zalo_oa_refresh_token
    return Tokens(
        db,
        Vault(key.get_secret_value()),
        app_id=app_id,
        app_secret=secret.get_secret_value(),
        oauth_url=settings.zalo_oauth_url,
        clock=clock,
        first=first.get_secret_value() if first is not None else None,
    )


def zalo_oa_of(settings: Settings, db: Database, clock: Clock) -> ZaloOa | None:
    tokens, secret = zalo_tokens_of(settings, db, clock), settings.zalo_oa_secret_key
    if tokens is None or secret is None:
        return None
    return ZaloOa(
        api=OpenApi(settings.zalo_oa_api_url, tokens),
        db=db,
        media=Media(settings.zalo_media_hosts),
        app_id=str(settings.zalo_oa_app_id),
        secret_key=secret.get_secret_value(),
        labels=_labels(),
        links=links_of(settings, clock),
        clock=clock.ms,
        daily=settings.zalo_daily_budget,
        templates=settings.zalo_templates,
    )


def zalo_bot_of(settings: Settings, clock: Clock) -> ZaloBot | None:
    """With an address of our own it posts to us, and can show pictures."""
    token, secret = settings.zalo_bot_token, settings.zalo_bot_webhook_secret
    if token is None:
        return None
    signer, url = signer_of(settings, clock), settings.public_url
    ours = None if signer is None or url is None else linkpage.links(signer, url)
    return ZaloBot(
        token=token.get_secret_value(),
        api_url=settings.zalo_bot_api_url,
        media=Media(settings.zalo_media_hosts),
        choices=partial(_said, Messages(), "channel/choices"),
        secret=secret.get_secret_value() if secret is not None else "",
        webhook_url=None if url is None else f"{url}/zalo/bot",
        photo_link=None if ours is None else ours.photo,
        map_link=None if ours is None else partial(_map_link, ours),
    )


def _map_link(links: Links, to: Address) -> str:
    return _said(Messages(), "channel/map_link", link=links.place(to))


def _labels() -> Labels:
    messages = Messages()
    said = partial(partial, _said, messages)
    map_button = messages.render("channel/map_button", {}).text
    return Labels(said("channel/choices"), map_button, said("channel/map_link"), said("channel/listen"))


def _said(messages: Messages, name: str, **told: object) -> str:
    return messages.render(name, told).text
