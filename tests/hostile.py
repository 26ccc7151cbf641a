"""Signed bodies that nobody expects: more than a thousand, the same for the same seed, in families by what is odd.

Raw bytes throughout, since many of these bodies are not what a JSON library would write.
"""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from projections.participants.fields import DECLARED

REGISTERED = b"event.participant.created"
# Values as JSON has them; none of them is what its column expects.
VALUES = (
    "null", "true", "false", "0", "-1", "1.5", "-0", "-0.0", "1e5", "1E+2", "1e-7", "1e400", "-1e400", "1e-400",
    "2147483648", "9223372036854775808", "18446744073709551616", "9" * 300, "9" * 4400, "0." + "1" * 400, '""', '" "',
    '"\\u0000"', '"a\\u0000b"', '"\\ufffd"', '"\\\\"', '"\\"\\n\\r\\t\\b\\f\\/"', '"\\u001f\\u007f\\u0080\\u2028"',
    "1e-99999", "[]", "{}", "[[]]", "[null]", "[1,[2,[3]]]", '{"id":1}', '{"name":null}', '{"id":{"id":{}}}', '{"":""}',
    '"' + "x" * 300 + '"', '"' + "w " * 1_500 + '"',
)  # fmt: skip
BROKEN_VALUES = ("NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x1", "'x'", "tru", "undefined", '"\t"', "")
TEXTS = (
    "שלום", "مرحبا\u200f", "\u202eevil", "a\u0300\u0301\u0302" * 20, "Z\u0335" * 200, "\ufdfa" * 100, "ß" * 150, "İ",
    "🏃🏽‍♀️", "𝒜𝓃𝓃", "\U0010ffff", "\ufeffBOM", "\u0085", "\u2028", "\x7f", "\x1b[31mred\x1b[0m", "=1+1", "@SUM(A1)",
    "'; drop table participants; --", "<script>alert(1)</script>", "%00", "%s %(x)s {0}", "\\N", "\\.", "a\tb\nc\rd",
    "NULL", "{}", "../../etc", " lead", "trail ", "-", "'", '"', ":*", "&", "|", "!", "a:b & c|d", "ﬀ", "Ǆ", "ｆｕｌｌ",
    "١٢٣", "x" * 255, "é" * 255, "𝒜" * 255, "x" * 256, "𝒜 " * 300, "w " * 900, "\ufffe\uffff", "\u0001\u0002",
)  # fmt: skip
IDS = (
    "-0.0", "1E1", "9" * 5_000,
    "0", "-1", "-0", "1.0", "1e3", "9" * 18, "9" * 30, "9" * 255, "9" * 256, "true", '"0"', '"00"', '" "', '"\\n"',
    '"a/b"', '"a/history"', '"history"', '".."', '"."', '"%2F"', '"?q=1"', '"#"', '"\\\\"', '"\\t"', '"\\u0000"',
    '"\\ud83d\\ude00"', '"\\ud83d"', '"ID,1"', '"\\u202e"', '"' + "i" * 255 + '"', '"' + "é" * 255 + '"', "[1]", "{}",
)  # fmt: skip
MOMENTS = (
    "2026-02-30", "2026-13-01", "0000-01-01", "0001-01-01", "9999-12-31", "2026-05-01T24:00:00Z",
    "2026-05-01T23:59:60Z", "2026-05-01T10:00:00+14:00", "2026-05-01T10:00:00-23:59", "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-12:00", "2026-05-01T10:00:00.123456789Z", "2026-05-01 10:00", "2026-W18-5", "20260501",
    "2026-121", "01/02/1990", "1777629600", "infinity", "-infinity", "epoch", "now", "today",
    "2026-05-01T10:00:00[UTC]", "2026-05-01T10:00:00 Europe/Berlin", "٢٠٢٦-٠٥-٠١", "2026-05-01T10:00:00+00:00:30",
    "2026-05-01T10Z", "2026-05-01T", "2026-05-01500:00", "2026−05−01", "1582-10-10", "4713-01-01 BC",
)  # fmt: skip
ANSWERS = (
    "null", "0", '"M"', "[]", "{}", "[[]]", "[{}]", '[{"question":null,"answer":"M"}]',
    '[{"question":"","answer":"M"}]', '[{"question":"Q"}]',
    '[{"question":{"id":1,"title":"Q"},"answer":["a",{"b":1e400}]}]', '[{"question":[],"answer":1}]',
    '[{"question_id":1.5,"answer":"M"}]', '[{"id":"","answer":"M"}]', '[{"question":"Q","answer":"M"},7]', '{"":"M"}',
    '{"Q":{"value":{"value":{}}}}', '{"Q\\u0000":"M\\u0000"}', '{"Q":1e400}', '{"Q\\t\\n":"\\t\\\\N"}',
    '{"12":{"title":"Q","selected":"M"}}', '[{"question":" ","answer":" "}]',
    '[{"question":12,"title":" Q"},{"type":"text"}]',
    '[{"question":"Q","answer":[{"label":"M","selected":false},{"label":[],"value":true},{"value":{}}]}]',
    '{"=Q":"=1+1"}', '[{"question":{"question":{"question":"Q"}},"answer":{}}]',
    '{"a":true,"b":null,"c":[],"d":{},"e":-0.0,"f":"' + "9" * 99 + '"}', '{"' + "q" * 256 + '":"M"}',
    '[{"question":"' + "é" * 2_000 + '","answer":"' + "𝒜" * 2_000 + '"}]',
    '{"' + "q" * 10_100 + '":"' + "a" * 20_100 + '"}',
)  # fmt: skip
TYPES = (
    '"event.participant.updated"', '"event.participant."', '"event.participant.created "',
    '"Event.Participant.Created"', '""', '"rosterlog.participant.observed"', '"rosterlog.observation"', '"x"',
    '"' + "t" * 255 + '"', '"' + "t" * 256 + '"', '"a\\u0000"', '"\\ud800"', '"\\u202e\\u0007"', "null", "1", "true",
    "[]", "{}", '["event.participant.created"]', '"é/%00?"',
)  # fmt: skip


class Hostile(NamedTuple):
    """One body and its family. The bodies of all families differ."""

    family: str
    body: bytes


def participant(inner: str | bytes, id_: int) -> bytes:
    """A body whose participant has this id and this JSON besides."""
    content = inner.encode("utf-8", "surrogatepass") if isinstance(inner, str) else inner
    return b'{"type":"%b","data":{"object":{"id":%d,%b}}}' % (REGISTERED, id_, content)


def hostile_bodies(seed: int = 1) -> list[Hostile]:
    """The bodies of all families, shuffled."""
    random = Random(seed)
    numbers = iter(range(1_000, 1_000_000))
    found: dict[bytes, str] = {}
    for name, family in FAMILIES.items():
        for body in family(random, lambda: next(numbers)):
            found.setdefault(body, name)
    bodies = [Hostile(family, body) for body, family in found.items()]
    random.shuffle(bodies)
    return bodies


Next = Callable[[], int]


def _types(_random: Random, next_id: Next) -> Iterator[bytes]:
    """Every value under every column's key."""
    for number, field in enumerate(DECLARED.columns):
        for place, value in enumerate(VALUES):
            key, *inner = field.keys[(number + place) % len(field.keys)].split(".")
            for name in reversed(inner):
                value = f'{{"{name}":{value}}}'
            yield participant(f'"first_name":"Eva","{key}":{value}', next_id())


def _depths(_random: Random, next_id: Next) -> Iterator[bytes]:
    for levels in (1, 96, 97, 98, 196, 197, 198, 400, 497, 498, 1_000, 50_000):
        yield participant('"x":' + "[" * levels + "]" * levels, next_id())
        yield participant('"x":' + '{"a":' * levels + "1" + "}" * levels, next_id())
        yield participant('"answers":' + '{"a":' * levels + "1" + "}" * levels, next_id())


def _sizes(_random: Random, next_id: Next) -> Iterator[bytes]:
    for inner in (
        '"x":[' + "[]," * 90_000 + "1]", '"x":[' + '{"a":1},' * 30_000 + "1]", '"x":"' + "y" * 300_000 + '"',
        '"x":"' + "\\u0000" * 50_000 + '"', '"answers":[' + '{"question":"q","answer":"a"},' * 2_499 + "{}]",
        '"answers":{' + ",".join(f'"q{number}":"a"' for number in range(2_500)) + "}",
        ",".join(f'"k{number}":{number}' for number in range(9_000)), '"first_name":"' + "w " * 100_000 + '"',
        ",".join(f'"k{number}":[]' for number in range(20_000)), '"x":[' + "1e300," * 9_000 + "1]",
        ",".join(f'"{field.keys[0]}":"{"z" * 9_999}"' for field in DECLARED.columns), '"' + "k" * 270_000 + '":1',
        '"x":"\\ud83d","y":"' + "y" * 300_000 + '"', '"team":[' + "1," * 11_000 + '1],"last_name":"Kept"',
    ):  # fmt: skip
        yield participant('"first_name":"Eva",' + inner if '"first_name"' not in inner else inner, next_id())
    yield participant(b'"first_name":"Eva","x":"' + b"\xff" * 300_000 + b'"', next_id())
    yield participant('"first_name":"Eva"', next_id())[:-1] + b',"x":[' + b"[]," * 20_000 + b"1]}"


def _scripts(_random: Random, next_id: Next) -> Iterator[bytes]:
    for number, text in enumerate(TEXTS):
        for column in ("first_name", "last_name", "team", "status", "event_name", "bib"):
            yield participant(
                f'"{column}":{json.dumps(text, ensure_ascii=number % 2 == 0)},"event_id":"{number % 9}"', next_id()
            )
        yield participant(json.dumps({text: text, "event_id": text, "answers": {text: text}})[1:-1], next_id())


def _numbers(_random: Random, next_id: Next) -> Iterator[bytes]:
    for value in (*VALUES[3:20], *BROKEN_VALUES):
        yield participant(f'"x":{value},"y":[{value}],"z":{{"n":{value}}}', next_id())


def _duplicates(_random: Random, next_id: Next) -> Iterator[bytes]:
    id_ = next_id()
    type_, good = b'"type":"%b"' % REGISTERED, b'"object":{"id":%d,"first_name":"Eva"}' % id_
    for inner in (
        b'"type":"x",%b,"data":{%b}' % (type_, good), b'%b,"type":"x","data":{%b}' % (type_, good),
        b'%b,"data":[],"data":{%b}' % (type_, good), b'%b,"data":{%b},"data":[]' % (type_, good),
        b'%b,"data":{"object":1,%b}' % (type_, good), b'%b,"data":{%b,"object":1}' % (type_, good),
    ):  # fmt: skip
        yield b"{%b}" % inner
    yield participant(f'"id":{id_ + 500_000},"id":{id_}', 1)
    for text in (
        '"first_name":"A","first_name":"B","first_name":null',
        '"sub_event":{"id":1,"id":2},"sub_event":{"id":3,"id":4}',
        '"answers":{"Q":"A","Q":"B"},"a\\u0062":1,"ab":2',
        '"answers":[],"answers":{"Q":"A"},"first\\u005fname":"Escaped"',
    ):
        yield participant(text, next_id())


def _ids(_random: Random, next_id: Next) -> Iterator[bytes]:
    texts = [json.dumps(text) for text in TEXTS if len(text) < 260]
    for id_ in (*IDS, *VALUES[:20], *texts):
        yield b'{"type":"%b","data":{"object":{"id":%b,"first_name":"Odd","event_id":%b}}}' % (
            REGISTERED, id_.encode(), id_.encode(),
        )  # fmt: skip
    yield b'{"type":"%b","data":{"object":{"ID":%d}}}' % (REGISTERED, next_id())


def _moments(_random: Random, next_id: Next) -> Iterator[bytes]:
    for moment in MOMENTS:
        text = json.dumps(moment)
        yield participant(f'"dob":{text},"registered_at":{text},"checked_in_at":{text}', next_id())
        id_ = next_id()  # two states, of which the odd moment decides which is newer
        yield participant(f'"first_name":"Old","updated_at":{text}', id_)
        yield participant('"first_name":"New","updated_at":"2026-05-01T10:00:00Z"', id_)
        yield participant(f'"first_name":"Third","updated_at":{text}', id_)


def _answers(_random: Random, next_id: Next) -> Iterator[bytes]:
    for number, value in enumerate((*ANSWERS, *VALUES[:20])):
        yield participant(f'"{DECLARED.answers[number % len(DECLARED.answers)]}":{value}', next_id())
        yield participant(f'"answers":{{"Q":{value},"R":{{"label":"L","value":{value}}}}}', next_id())


def _envelopes(_random: Random, next_id: Next) -> Iterator[bytes]:
    for type_ in TYPES:
        yield b'{"type":%b,"data":{"object":{"id":%d}}}' % (type_.encode(), next_id())
    for value in VALUES:
        yield b'{"type":"%b","data":%b}' % (REGISTERED, value.encode())
        yield b'{"type":"%b","data":{"object":%b}}' % (REGISTERED, value.encode())
        yield b'{"data":{"object":{"id":%d,"x":%b}}}' % (next_id(), value.encode())
        yield value.encode()


def _no_json(random: Random, next_id: Next) -> Iterator[bytes]:
    good = participant('"first_name":"Zoë","answers":{"Q":"A"}', next_id())
    text = good.decode()
    yield from (
        b"",
        b" ",
        b"\n\n",
        b"\x00",
        b"\xff\xfe",
        b"{",
        b"[",
        b'"',
        b"}",
        b"hello",
        b"{}{}",
        b"null",
        good + b"x",
        b" " + good + b"\n",
    )
    yield from (
        text.encode("utf-16"),
        text.encode("utf-32"),
        b"\xef\xbb\xbf" + good,
        text.encode("latin-1"),
        good + b"\x00",
    )
    yield from (random.randbytes(length) for length in (1, 10, 100, 1_000, 20_000) for _ in range(4))
    for _ in range(60):  # cut, and with one byte changed
        yield good[: random.randrange(len(good))]
        place = random.randrange(len(good))
        yield good[:place] + random.randbytes(1) + good[place + 1 :]


FAMILIES: dict[str, Callable[[Random, Next], Iterator[bytes]]] = {
    "types": _types,
    "depths": _depths,
    "sizes": _sizes,
    "scripts": _scripts,
    "numbers": _numbers,
    "duplicates": _duplicates,
    "ids": _ids,
    "moments": _moments,
    "answers": _answers,
    "envelopes": _envelopes,
    "no JSON": _no_json,
}
