"""A voice message counts as words: kept with the report, and put into a line by somebody who may listen."""

from dataclasses import replace
from typing import Any

from bot import voices
from bot.core import form
from bot.core.effects import VOICE, Change, Effect, KeepPhoto, Lane, Say
from bot.core.events import PhotoReady, VoiceSent
from bot.core.report import Report
from bot.core.session import VOICES_MAX, WORDS_MAX, Draft
from bot.core.text import clip
from bot.handlers import adding, hearing, judge, report
from bot.handlers.alerts import alert_words, ears_of, night_of
from bot.handlers.listen import understand
from bot.handlers.talk import Decision, Talk, about, unit_words


def refused(talk: Talk, sent: VoiceSent) -> Decision | None:
    """One that is too long or too big is not even fetched; the rest of what is told stays."""
    problem = voices.refused(sent.file.size, sent.seconds)
    return None if problem is None else talk.stay(_bad(talk, problem))


def tell(talk: Talk, draft: Draft, sent: VoiceSent) -> Decision:
    """It belongs to the draft and answers nothing: what stands open is asked again."""
    full, new = len(draft.voices) >= VOICES_MAX, talk.session.draft is None
    kept: Effect = _enough(talk) if full else KeepPhoto(sent.file, VOICE)
    draft = form.put_voice(draft, talk.incoming.id)
    got: dict[str, Any] = {}
    if sent.caption:
        # A caption answers no open question: it tells the whole matter.
        draft, got = understand(talk, replace(draft, asked=None), clip(sent.caption, WORDS_MAX))
    got |= {"voice": not full, "unheard": form.next_slot(draft, talk.commune) != "summary"}
    if new:
        # Nobody listens at once: who calls for help must not wait for us.
        got["rescue"] = talk.commune.phones.get("rescue", "")
    return report.advance(talk, draft, kept, **got)


def add(talk: Talk, found: Report, sent: VoiceSent) -> Decision:
    """One more for a filed report; whoever listens gets it once it is fetched."""
    if found.voices >= VOICES_MAX:
        return talk.stay(_enough(talk))
    effects: list[Effect] = [KeepPhoto(sent.file, VOICE, found.id)]
    if sent.caption:
        effects += adding.more_words(talk, found, sent.caption)
    listens = hearing.listens(talk.commune, found.desk)
    listener = unit_words(talk.commune, found.desk if listens else talk.commune.office)
    return talk.stay(*effects, talk.answer("resident/voice_added", code=found.code, desk=listener))


def complain(talk: Talk, found: Report, sent: VoiceSent) -> Decision:
    """ "Chưa được", said aloud."""
    decision = judge.complain(talk, replace(found, voices=found.voices + 1), sent.caption, None)
    if not any(isinstance(effect, Change) for effect in decision.effects):
        return decision
    return replace(decision, effects=(KeepPhoto(sent.file, VOICE, found.id), *decision.effects))


def _enough(talk: Talk) -> Say:
    return talk.answer("resident/enough_voices", limit=VOICES_MAX)


def _bad(talk: Talk, problem: str, code: str = "") -> Say:
    open_ = talk.session.draft is not None
    return talk.answer("resident/bad_voice", problem=problem, code=code, open=open_)


# Once it was fetched -----------------------------------------------------------------------------


def fetched(talk: Talk, ready: PhotoReady) -> bool:
    """Whether what was fetched is a voice message."""
    return talk.facts.photo is not None and talk.facts.photo.purpose == VOICE


def ready(talk: Talk, ready: PhotoReady) -> Decision:
    found = talk.facts.report
    if found is None:
        return _of_draft(talk, ready)
    if ready.problem is not None:
        return talk.stay(_bad(talk, ready.problem, found.code))
    night = night_of(talk, found.field, found.desk)
    # What an alert told of already, when it was filed or reopened, is only played.
    alerted = max(found.filed_at, talk.session.last_at if talk.session.last == found.code else 0)
    if talk.facts.photo is not None and talk.facts.photo.at > alerted:
        return talk.stay(*hearing.added(talk, found, ready.photo, night))
    return talk.stay(*hearing.play(talk, found, hearing.ears(talk, found.desk), night, ready.photo))


def _of_draft(talk: Talk, ready: PhotoReady) -> Decision:
    """One that cannot be kept leaves its draft, and its sender hears so."""
    draft, later = talk.session.draft, talk.session.later
    known = [one for one in (draft, *later) if one is not None and ready.photo in one.voices]
    if ready.problem is None or not known:
        return talk.stay()
    return talk.go(
        _bad(talk, ready.problem),
        draft=None if draft is None else form.drop_voice(draft, ready.photo),
        later=tuple(form.drop_voice(one, ready.photo) for one in later),
    )


# What was heard, in a line -----------------------------------------------------------------------


def line(talk: Talk, text: str) -> Decision | None:
    """Words of a listener in answer to the voice, or "lời AP-…: …"; None: they are about something else."""
    found, lexicon = talk.facts.report, talk.world.lexicon
    typed = lexicon.after_code(text, "typed")
    if typed is None and talk.facts.answered in hearing.PLAYED:
        typed = None if lexicon.duty_verb(text) or lexicon.command(text) else text
    if typed is not None and found is None and hearing.member(talk):
        return talk.stay(talk.answer("duty/unknown_code"))
    if typed is None or found is None or not hearing.may(talk, found):
        return None
    if not found.voices or not typed:
        data = about(found, talk.commune) | {"voices": found.voices}
        return talk.stay(talk.answer("duty/ask_voice_words", **data))
    return _written(talk, found, clip(typed, WORDS_MAX))


def _written(talk: Talk, found: Report, text: str) -> Decision:
    """The line is part of the report's words from now on, and the desk reads it."""
    values = {"words": form.joined(found.words, text)}
    change = Change(found.id, found.version, "typed", found.status, found.status, values, text)
    told = about(found, talk.commune) | {"words": alert_words(text)}
    answer = replace(talk.answer("duty/voice_typed", **told), report=found.id)
    if hearing.kept_from_village(talk.commune, found):
        return talk.stay(change, answer)
    night = night_of(talk, found.field, found.desk)
    others = [ear for ear in ears_of(talk, found.desk)[0] if ear != talk.here]
    return talk.stay(
        change,
        answer,
        *(Say(ear, "duty/voice_words", told, Lane.UPDATE, report=found.id, night=night) for ear in others),
    )
