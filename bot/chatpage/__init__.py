"""The local chat page: people side by side in a browser, talking to the same engine as everybody else."""

from bot.chatpage.routes import add_routes

__all__ = ["add_routes"]
