"""The pages behind signed links: pointing a place out on a map, and hearing a recording."""

from bot.linkpage.links import links
from bot.linkpage.routes import Placed, add_routes

__all__ = ["Placed", "add_routes", "links"]
