"""What our web pages share: their look, a map without foreign tiles, recordings, careful headers."""

from bot.pages.serving import FILES, careful, file_response, played, villages_of

__all__ = ["FILES", "careful", "file_response", "played", "villages_of"]
