"""A strict stand-in for Zalo's servers: start it with `serve(Zalo(), 0)`, ask `Zalo` what was sent."""

from bench.standin_zalo.faults import Fault
from bench.standin_zalo.files import Served
from bench.standin_zalo.ledger import Sent
from bench.standin_zalo.server import Serving, serve
from bench.standin_zalo.world import App, Bot, Group, OfficialAccount, Template, User, Zalo

__all__ = [
    "App",
    "Bot",
    "Fault",
    "Group",
    "OfficialAccount",
    "Sent",
    "Served",
    "Serving",
    "Template",
    "User",
    "Zalo",
    "serve",
]
