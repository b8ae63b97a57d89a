"""The settings: what differs between machines, each an environment variable; a wrong one stops the start."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field as Limit
from pydantic import SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.config import ConfigError, plain_reason


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


SECRET_SHORTEST = 32
TEMPLATE_KINDS = ("received", "resolved", "reminder", "alert")
OTHERS_ADDRESSES = ("zalo_oa_api_url", "zalo_oauth_url", "zalo_bot_api_url")
# What an Official Account cannot run without, each with the reason.
ZALO_NEEDS = {
    "zalo_oa_app_secret": "without it no token can be renewed",
    "zalo_oa_secret_key": "without it anybody could post",
    "secret_key": "tokens are kept encrypted",
    "public_url": "Zalo asks for no location, so a link of ours leads to the map",
}


class Settings(BaseSettings):
    """What differs between machines, each an environment variable of the same name in upper case."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
        frozen=True,
    )

    data_dir: Path = Path("data")
    database_url: SecretStr | None = None
    commune: Path = Path("commune.toml")
    photo_store: str = ""
    http_host: str = "127.0.0.1"
    http_port: int = Limit(default=8080, ge=0, le=65_535)
    webchat: Literal["auto", "on", "off"] = "auto"
    webchat_any_host: bool = False
    public_url: str | None = None
    secret_key: SecretStr | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    telegram_bot_token: SecretStr | None = None
    telegram_api_url: str = "https://api.telegram.org"
    telegram_webhook_url: str | None = None
    telegram_webhook_secret: SecretStr | None = None
    telegram_proxy: SecretStr | None = None
    telegram_rate: float = Limit(default=30, gt=0, allow_inf_nan=False)
    telegram_chat_rate: float = Limit(default=1, gt=0, allow_inf_nan=False)
    telegram_chat_burst: int = Limit(default=3, gt=0)
    telegram_group_rate: float = Limit(default=20, gt=0, allow_inf_nan=False)

    zalo_oa_app_id: str | None = None
    zalo_oa_app_secret: SecretStr | None = None
    zalo_oa_secret_key: SecretStr | None = None
    zalo_oa_refresh_token: SecretStr | None = None
    zalo_oa_api_url: str = "https://openapi.zalo.me"
    zalo_oauth_url: str = "https://oauth.zaloapp.com"
    zalo_media_hosts: Annotated[tuple[str, ...], NoDecode] = ("zdn.vn", "zadn.vn", "zaloapp.com")
    zalo_daily_budget: int = Limit(default=100, ge=0)
    zalo_templates: Annotated[dict[str, str], NoDecode] = {}
    zalo_bot_token: SecretStr | None = None
    zalo_bot_api_url: str = "https://bot-api.zaloplatforms.com"
    zalo_bot_webhook_secret: SecretStr | None = None

    @field_validator("webchat", "log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("telegram_bot_token")
    @classmethod
    def _token_shape(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]+", value.get_secret_value()):
            raise ValueError("must be the token as BotFather gave it, digits, a colon and letters")
        return value

    @field_validator("telegram_webhook_secret")
    @classmethod
    def _secret_letters(cls, value: SecretStr | None) -> SecretStr | None:
        # https://core.telegram.org/bots/api#setwebhook, secret_token
        if value and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value.get_secret_value()):
            raise ValueError("must be 1 to 256 of the characters A-Z, a-z, 0-9, _ and -")
        return value

    @field_validator("zalo_oa_app_id")
    @classmethod
    def _app_id_shape(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"[0-9]{5,30}", value):
            raise ValueError("must be the number that developers.zalo.me shows for the app")
        return value

    @field_validator("zalo_bot_webhook_secret")
    @classmethod
    def _bot_secret_letters(cls, value: SecretStr | None) -> SecretStr | None:
        # zalo.md 9.2, setWebhook
        if value and not re.fullmatch(r"[\x21-\x7e]{8,256}", value.get_secret_value()):
            raise ValueError("must be 8 to 256 letters, digits or signs, without spaces")
        return value

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value and len(value.get_secret_value()) < SECRET_SHORTEST:
            raise ValueError(f"must be at least {SECRET_SHORTEST} characters, drawn at random")
        return value

    @field_validator("zalo_media_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        """Names apart by commas; each also means the hosts below it."""
        return tuple(value.replace(" ", "").split(",")) if isinstance(value, str) else value

    @field_validator("zalo_templates", mode="before")
    @classmethod
    def _templates(cls, value: object) -> object:
        """received:123456,resolved:123457: the approved text for each kind of message."""
        if not isinstance(value, str):
            return value
        pairs = [part.partition(":") for part in value.replace(" ", "").split(",") if part]
        found = {kind: number for kind, _, number in pairs}
        if any(kind not in TEMPLATE_KINDS or not number.isdecimal() for kind, number in found.items()):
            raise ValueError(f"must be such as received:123456; kinds are {', '.join(TEMPLATE_KINDS)}")
        return found

    @field_validator("telegram_api_url", "telegram_webhook_url", *OTHERS_ADDRESSES, "public_url")
    @classmethod
    def _address(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError("must be a web address") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("must be a web address that begins with https://")
        # A Bot API server of one's own may stand in the same house; the public one never speaks plain http.
        if parts.scheme == "http" and info.field_name != "telegram_api_url" and not _is_loopback(host):
            raise ValueError("must begin with https:// unless it points at this machine")
        return value if info.field_name == "telegram_webhook_url" else value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not re.match(r"(postgresql\+asyncpg|sqlite\+aiosqlite)://", value.get_secret_value()):
            raise ValueError("must begin with postgresql+asyncpg://")
        return value

    @field_validator("photo_store")
    @classmethod
    def _store(cls, value: str) -> str:
        scheme, colon, _ = value.partition("://")
        if colon and scheme not in ("file", "s3"):
            raise ValueError("must be a folder, file:// or s3://")
        return value

    @field_validator("telegram_proxy")
    @classmethod
    def _proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.telegram_webhook_url and self.telegram_webhook_secret is None:
            raise ValueError(
                "TELEGRAM_WEBHOOK_URL needs TELEGRAM_WEBHOOK_SECRET: without it anybody could post"
            )
        if self.zalo_oa_app_id:
            self._zalo_is_whole()
        if self.zalo_bot_token and self.public_url and self.zalo_bot_webhook_secret is None:
            raise ValueError("ZALO_BOT_TOKEN needs ZALO_BOT_WEBHOOK_SECRET: without it anybody could post")
        return self

    def _zalo_is_whole(self) -> None:
        for name, why in ZALO_NEEDS.items():
            if getattr(self, name) is None:
                raise ValueError(f"ZALO_OA_APP_ID needs {name.upper()}: {why}")

    @property
    def photos(self) -> str:
        """Where photos are kept: a folder or an address that obstore knows."""
        return self.photo_store or str(self.data_dir / "photos")


def _setting_problem(problem: Any) -> str:
    reason = plain_reason(problem["type"], problem["msg"])
    name = ".".join(str(part) for part in problem["loc"]).upper()
    return f"{name}: {reason}." if name else f"{reason}."


def load_settings() -> Settings:
    """The settings, or a `ConfigError` that names each wrong one and shows no value."""
    try:
        return Settings()
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        raise ConfigError("\n".join(map(_setting_problem, problems))) from None
    except UnicodeDecodeError:
        raise ConfigError(".env: is not UTF-8.") from None
