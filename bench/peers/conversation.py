"""The usual bot: python-telegram-bot's ConversationHandler, its own HTTP backend, PicklePersistence."""

import asyncio
import warnings
from typing import Any

from aiohttp import web
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import (
    Application,
    ApplicationBuilder,
    CallbackContext,
    CallbackQueryHandler,
    ContextTypes,
    ConversationHandler,
    MessageHandler,
    PicklePersistence,
    filters,
)
from telegram.warnings import PTBUserWarning

from bench.peers.talk import CHOICES, STEPS, Alerts, listening, options
from bench.scene import PATH, TOKEN

FIELD, LEAF, PHOTO, CONFIRM = range(4)


def _keyboard(step: int) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton(text, callback_data=d)] for text, d in CHOICES[step]])


KEYBOARDS = [_keyboard(step) for step in range(len(STEPS))]


class Talk:
    """The callbacks of the conversation; what was said is kept in `user_data`."""

    def __init__(self) -> None:
        self._alerts = Alerts()

    async def _say(self, update: Update, context: ContextTypes.DEFAULT_TYPE, step: int) -> None:
        assert update.effective_chat is not None
        await context.bot.send_message(update.effective_chat.id, STEPS[step], reply_markup=KEYBOARDS[step])

    def _keep(self, context: ContextTypes.DEFAULT_TYPE, name: str, value: object) -> None:
        assert context.user_data is not None
        context.user_data[name] = value

    async def place(self, update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
        assert update.message is not None
        assert update.message.location is not None
        location = update.message.location
        self._keep(context, "place", (location.latitude, location.longitude))
        await self._say(update, context, 0)
        return FIELD

    async def field(self, update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
        assert update.callback_query is not None
        self._keep(context, "field", update.callback_query.data)
        await self._say(update, context, 1)
        return LEAF

    async def leaf(self, update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
        assert update.callback_query is not None
        self._keep(context, "category", update.callback_query.data)
        await self._say(update, context, 2)
        return PHOTO

    async def no_photo(self, update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
        self._keep(context, "photo", None)
        await self._say(update, context, 3)
        return CONFIRM

    async def send(self, update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
        assert context.user_data is not None
        filed = dict(context.user_data)
        context.user_data.clear()
        context.user_data["filed"] = filed
        await self._say(update, context, 4)
        await context.bot.send_message(self._alerts.next_chat(), self._alerts.text())
        return ConversationHandler.END


def _handler(talk: Talk) -> ConversationHandler[CallbackContext[Any, Any, Any, Any]]:
    return ConversationHandler(
        entry_points=[MessageHandler(filters.LOCATION, talk.place)],
        states={
            FIELD: [CallbackQueryHandler(talk.field, pattern="^f:")],
            LEAF: [CallbackQueryHandler(talk.leaf, pattern="^c:")],
            PHOTO: [CallbackQueryHandler(talk.no_photo, pattern="^no:")],
            CONFIRM: [CallbackQueryHandler(talk.send, pattern="^send:")],
        },
        fallbacks=[],
        name="report",
        persistent=True,
        per_message=False,
    )


# Written when it stops, which is all in its favour: by default it pickles everything once a minute, and
# once more for each person who spoke since, and answers nobody for half a minute meanwhile.
def _application(api: str, pickle: str) -> Application[Any, Any, Any, Any, Any, Any]:
    builder = ApplicationBuilder().token(TOKEN).base_url(f"{api}/bot").base_file_url(f"{api}/file/bot")
    builder = builder.updater(None)
    return builder.persistence(PicklePersistence(pickle, on_flush=True)).build()


async def main() -> None:
    chosen = options()
    # It warns of buttons under several messages; here each person has one message at a time.
    warnings.simplefilter("ignore", PTBUserWarning)
    application = _application(chosen.api, chosen.pickle)
    application.add_handler(_handler(Talk()))

    async def post(request: web.Request) -> web.Response:
        """As the library's own webhook does: queued in memory, then 200."""
        update = Update.de_json(await request.json(), application.bot)
        await application.update_queue.put(update)
        return web.Response()

    app = web.Application()
    app.router.add_post(PATH, post)
    async with application:
        await application.start()
        await listening(app)
        await application.stop()


if __name__ == "__main__":
    asyncio.run(main())
