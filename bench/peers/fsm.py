"""aiogram's finite state machine with its state in memory, behind its own aiohttp webhook."""

import asyncio

from aiogram import Bot, Dispatcher, F, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web

from bench.peers.talk import CHOICES, STEPS, Alerts, listening, options
from bench.scene import PATH, TOKEN


class Report(StatesGroup):
    field = State()
    leaf = State()
    photo = State()
    confirm = State()


def _keyboard(step: int) -> InlineKeyboardMarkup:
    rows = [[InlineKeyboardButton(text=text, callback_data=data)] for text, data in CHOICES[step]]
    return InlineKeyboardMarkup(inline_keyboard=rows)


KEYBOARDS = [_keyboard(step) for step in range(len(STEPS))]
router = Router()
alerts = Alerts()


async def _say(bot: Bot, chat: int, step: int) -> None:
    await bot.send_message(chat, STEPS[step], reply_markup=KEYBOARDS[step])


@router.message(F.location)
async def place(message: Message, state: FSMContext, bot: Bot) -> None:
    assert message.location is not None
    await state.update_data(place=(message.location.latitude, message.location.longitude))
    await state.set_state(Report.field)
    await _say(bot, message.chat.id, 0)


@router.callback_query(Report.field, F.data.startswith("f:"))
async def field(query: CallbackQuery, state: FSMContext, bot: Bot) -> None:
    await state.update_data(field=query.data)
    await state.set_state(Report.leaf)
    await _say(bot, query.from_user.id, 1)


@router.callback_query(Report.leaf, F.data.startswith("c:"))
async def leaf(query: CallbackQuery, state: FSMContext, bot: Bot) -> None:
    await state.update_data(category=query.data)
    await state.set_state(Report.photo)
    await _say(bot, query.from_user.id, 2)


@router.callback_query(Report.photo, F.data.startswith("no:"))
async def no_photo(query: CallbackQuery, state: FSMContext, bot: Bot) -> None:
    await state.update_data(photo=None)
    await state.set_state(Report.confirm)
    await _say(bot, query.from_user.id, 3)


@router.callback_query(Report.confirm, F.data.startswith("send:"))
async def send(query: CallbackQuery, state: FSMContext, bot: Bot) -> None:
    filed = await state.get_data()
    await state.clear()
    await state.update_data(filed=filed)
    await _say(bot, query.from_user.id, 4)
    await bot.send_message(alerts.next_chat(), alerts.text())


async def main() -> None:
    session = AiohttpSession(api=TelegramAPIServer.from_base(options().api))
    bot = Bot(TOKEN, session=session)
    dispatcher = Dispatcher()
    dispatcher.include_router(router)
    app = web.Application()
    SimpleRequestHandler(dispatcher, bot).register(app, path=PATH)
    await listening(app)
    await session.close()


if __name__ == "__main__":
    asyncio.run(main())
