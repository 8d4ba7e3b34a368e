"""A log line: its forms, what is filled in, what is rejected and what is skipped."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_lib import record
from analytics_lib.delivery import forms
from analytics_lib.delivery.lines import LakeObject, lake_object
from tests.support.arrivals import NOON_MS, enveloped
from tests.support.wild import LINE_CHANGES, call, encode, key, record_lines, session

BARE = json.dumps(session())
TINY = {"_event_type": "analytics", "_timestamp": 1769940120, "_session_id": "a"}
PREFIX = "2026-02-01T10:00:00.000000000Z stdout F "  # a container runtime's
NO_NAMES = session(agent_name=..., room_id=...)


def stored(line: str) -> Any:
    """The record that the line leaves at its key, with numbers as they were written."""
    found = lake_object(line, NOON_MS)
    assert found and not found.rejected, found
    assert found.body.count(b"\n") == 1 and found.body.endswith(b"\n") and b"\r" not in found.body
    return json.loads(found.body, parse_int=str, parse_float=str)


def reason(line: str) -> str:
    """Why the line is rejected."""
    found = lake_object(line, NOON_MS)
    assert found and found.rejected, found
    kept = json.loads(found.body)
    assert kept["line"] == line
    return str(kept["reason"])


def texts(document: Any) -> Any:
    """The document with its numbers as texts, as `stored` has them."""
    return json.loads(json.dumps(document), parse_int=str, parse_float=str)


# Shapes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [
    BARE, f"\ufeff{BARE}\r\n", f" {BARE}\t",
    enveloped(session()), enveloped(session(), "analytics_data"),
    enveloped(session(_event_type=...)), enveloped(session(_event_type=None)),
    enveloped(session(_session_id=..., session_id="room-1")),
    enveloped(session(_session_id=None, session_id="room-1")),
    json.dumps({"message": BARE}), json.dumps({"message": BARE + "\n", "analytics": "on", "room_id": "RM_2"}),
    json.dumps({"message": enveloped(session())}), json.dumps({"message": json.dumps({"message": BARE})}),
    json.dumps({"msg": BARE, "level": 30}), json.dumps({"event": BARE}), json.dumps({"event": session()}),
    json.dumps({"log": f"{BARE}\n", "stream": "stdout"}), json.dumps({"log": f"{PREFIX}{enveloped(session())}\n"}),
    json.dumps({"log": {"message": {"analytics": session()}}}), f"{PREFIX}{BARE}\n",
    f" {PREFIX} {enveloped(session())}",
    json.dumps({"message": "done", "msg": {}, "log": "{", "event": f"\ufeff {BARE}"}),
    json.dumps({"message": BARE[:-1], "log": BARE}), '{"msg": ' * 300 + BARE + "}" * 300,
])  # fmt: skip
def test_a_record_lies_at_its_key_in_whichever_shape_it_came(line: str) -> None:
    found = lake_object(line, NOON_MS)
    assert found and found.path == key(session()) == "sessions/dt=2026-02-01/room-1-1769940120.json"
    assert session().items() <= json.loads(found.body).items()


def test_a_bare_record_is_stored_as_its_own_text() -> None:
    text = (
        '{"_session_id":"a\\/b" , "_timestamp":1.7699401200e9, "_event_type": " analytics ", "x":[1E400,-0,"\\u00e9"]}'
    )
    assert lake_object(f"{text}\n", NOON_MS) == LakeObject(
        "sessions/dt=2026-02-01/a%2Fb-1769940120.json", f"{text}\n".encode()
    )
    assert lake_object(json.dumps({"message": text}), NOON_MS) == lake_object(text, NOON_MS)


def test_a_record_on_several_lines_is_stored_on_one() -> None:
    assert stored(json.dumps(session(), indent=2).replace("\n", "\r\n")) == texts(session())


def test_of_two_shapes_in_one_line_the_bare_record_counts_then_the_nested_one() -> None:
    other = session(_session_id="other")
    assert stored(json.dumps(session(analytics=other)))["_session_id"] == "room-1"
    assert stored(json.dumps({"message": json.dumps(other), "analytics": session()}))["_session_id"] == "room-1"
    assert stored(json.dumps({"analytics_data": other, "analytics": session()}))["_session_id"] == "room-1"
    assert stored(json.dumps({"msg": other, "message": {"log": BARE}}))["_session_id"] == "room-1"
    assert stored(json.dumps({"event": other, "log": enveloped(session())}))["_session_id"] == "room-1"
    assert stored(json.dumps({"message": "{}", "log": other, "msg": {"event": session()}}))["_session_id"] == "room-1"


# Filling in ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "names"), [
    (enveloped(NO_NAMES, agent_name="sales", room_id="RM_9"), ("sales", "RM_9")),
    (enveloped(session(room_id=None), agent_name="other", room_id="RM_9"), ("sales", "RM_9")),
    (json.dumps({"message": json.dumps(NO_NAMES), "room_id": "RM_9"}), (None, "RM_9")),
    (json.dumps({"message": enveloped(NO_NAMES, room_id="inner"), "room_id": "outer", "agent_name": "outer"}),
     ("outer", "inner")),
    (enveloped(NO_NAMES, room_id=None), (None, None)),
    (enveloped(session(agent_name=" ", room_id=""), agent_name="sales", room_id="RM_9"), ("sales", "RM_9")),
    (enveloped(NO_NAMES, agent_name="", room_id="\t "), (None, None)),
    (json.dumps({"message": enveloped(NO_NAMES, room_id=" "), "room_id": "outer"}), (None, "outer")),
    (enveloped(NO_NAMES, room="RM_9", agent_name=5), (None, None)),
])  # fmt: skip
def test_agent_and_room_come_from_the_envelope_where_the_record_has_none(line: str, names: tuple[str, str]) -> None:
    found = stored(line)
    assert (found.get("agent_name"), found.get("room_id")) == names
    assert texts(NO_NAMES).items() <= found.items()


@pytest.mark.parametrize("missing", [..., None])
@pytest.mark.parametrize("shape", [json.dumps, enveloped, lambda made: json.dumps({"message": json.dumps(made)})])
def test_a_record_without_a_time_has_that_of_its_log_event(shape: Any, missing: Any) -> None:
    found = lake_object(shape(session(_timestamp=missing)), NOON_MS + 250)
    assert found and found.path == "sessions/dt=2026-02-01/room-1-1769947200.25.json"
    assert json.loads(found.body) == session(_timestamp=1769947200.25)


def test_the_stand_ins_of_an_envelope_do_not_hold_for_a_bare_record() -> None:
    assert reason(json.dumps(session(_session_id=..., session_id="room-1"))) == "`_session_id` is missing"
    assert reason(json.dumps(session(_event_type=None))) == "`_event_type` is missing"


NUMBERS = ["1769940120.50", "1.0", "1e2", "-0", "0.1000000000000000055511151231257827", "1E400", "9" * 5000, "5e-324"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_record_that_is_written_anew_keeps_every_field_and_number(number: str) -> None:
    text = '{"analytics": {"_session_id": "a", "_timestamp": 1769940120.50, "x": [NUMBER, {"NUMBER": NUMBER}]}}'
    written = stored(text.replace("NUMBER", number))
    assert written == {
        "_event_type": "analytics", "_session_id": "a", "_timestamp": "1769940120.50", "x": [number, {number: number}]
    }  # fmt: skip


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
                    | st.text(st.characters(exclude_categories=["Cs"])),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])),
                                                                    inner), max_leaves=20))  # fmt: skip
def test_whatever_a_record_holds_beside_its_fields_arrives(anything: Any) -> None:
    assert stored(enveloped(session(x=anything))) == texts(session(x=anything))
    assert stored(json.dumps(session(x=anything), ensure_ascii=False)) == texts(session(x=anything))


# Rejected and skipped ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "expected"), [
    (BARE[:60], "not JSON: "), (BARE + BARE, "not JSON: Extra data"), (enveloped(session())[:90], "not JSON: "),
    (json.dumps({"message": BARE, "more": "x" * 50})[:80], "not JSON: "), ("INFO _event_type", "not JSON: "),
    ('{"analytics": NaN}', "not JSON: NaN"), (json.dumps({"message": enveloped(session())})[:120], "not JSON: "),
    (json.dumps(session(x="\ud800")), "not JSON: an unpaired surrogate escape"),
    (BARE.replace("RM_1", "\udcff"), "not valid UTF-8"), (BARE.replace("RM_1", "\ud800"), "not valid UTF-8"),
    (json.dumps(session(_timestamp=1769940120000)), "`_timestamp` is 1769940120000, not in seconds"),
    (json.dumps(session(_timestamp="yesterday")), "`_timestamp` is not a number"),
    (json.dumps(session(_session_id=5)), "`_session_id` is not a string"),
    (json.dumps(session(_session_id=" ")), "`_session_id` is blank"),
    (json.dumps(session(_event_type=7)), "`_event_type` is not a string"),
    (json.dumps(session(_event_type=" \t")), "`_event_type` is blank"),
    (enveloped({}), "`_session_id` is missing"), (enveloped(session(_event_type=[])), "`_event_type` is not a string"),
    (enveloped(session(_session_id=..., session_id=5)), "`_session_id` is not a string"),
    (json.dumps({"message": json.dumps(session(_session_id=...))}), "`_session_id` is missing"),
    ("[" * 100_000 + '"_event_type"', "not readable: nested too deeply"),
    (json.dumps({"message": BARE[:-1]}), "not JSON: Expecting ',' delimiter at character"),
    (json.dumps({"msg": BARE.replace("900", "NaN")}), "not JSON: NaN is no number in `msg`"),
    (json.dumps({"log": f" {PREFIX} {BARE[:40]}\n"}), "not JSON: "), (f"{PREFIX}{BARE[:-1]}", "not JSON: "),
    (json.dumps({"log": f"{PREFIX.replace(' F ', ' P ')}{BARE[:40]}"}), "not JSON: "),
    (json.dumps({"event": str(session())}), "not JSON: Expecting property name"),
    (json.dumps({"message": "hi", "log": {"event": enveloped({})[:-1]}}), "not JSON: "),
    (json.dumps({"message": '{"analytics_data": ' + "[" * 100_000}), "not readable: nested too deeply in `message`"),
    (json.dumps({"log": json.dumps({"msg": BARE[:50]})}), "not JSON: "),
    (json.dumps({"log": json.dumps(enveloped(TINY))[1:-9]}), "not JSON: "),
    (json.dumps({"event": session(_session_id=None)}), "`_session_id` is missing"),
    (json.dumps(session(_event_type="session_analytics", _session_id=5)), "`_session_id` is not a string"),
])  # fmt: skip
def test_a_line_that_claims_to_be_a_record_and_is_none_is_kept_with_the_reason(line: str, expected: str) -> None:
    found = lake_object(line, NOON_MS)
    assert found and found.rejected
    kept = json.loads(found.body)
    assert kept["reason"].startswith(expected)
    assert kept["line"] == line.encode("utf-8", "backslashreplace").decode()
    assert (sorted(kept), kept["received_at"]) == (["line", "reason", "received_at"], "2026-02-01T12:00:00.000Z")


@pytest.mark.parametrize("line", [
    "", " \r\n", "\ufeff", "Starting agent", "null", "5", '"analytics"', '["_event_type"]', "{}", "{",
    '[{"_event_type": "analytics"}]', json.dumps(session(_event_type="metrics")), enveloped(session(_event_type="x")),
    json.dumps({"message": json.dumps(session(_event_type="metrics"))}), '{"analytics": "on", "analytics_data": [1]}',
    '{"message": "the key _event_type"}', json.dumps({"message": f"x {BARE[:-1]}"}), '{"message": 5}',
    json.dumps(BARE), json.dumps({"message": [session()]}), json.dumps({"log": "2026-02-01 stdout F " + BARE[:-1]}),
    '{"message": "{}", "event": "{\'level\': 1}"}', f"[{json.dumps({'message': BARE})}]", '{"message": {}}',
    json.dumps({"extra": session()}), "analytics done", '{"message": "\\ud800"', "\udcff",
])  # fmt: skip
def test_every_other_line_is_skipped(line: str) -> None:
    assert lake_object(line, NOON_MS) is None


def test_a_rejected_line_lies_on_the_day_of_its_log_event_by_its_time_and_hash() -> None:
    found = lake_object("_event_type", NOON_MS)
    name = hashlib.sha256(b"_event_type").hexdigest()[:32]
    assert found and found.path == f"rejected/dt=2026-02-01/{NOON_MS}-{name}.json"
    assert found == lake_object("_event_type", NOON_MS) != lake_object("_event_type", NOON_MS + 1)
    assert lake_object("_event_type\n", NOON_MS) != found
    midnight = NOON_MS + 12 * 3_600_000
    paths = [found and found.path for found in (lake_object("_event_type", midnight + ms) for ms in (-1, 0))]
    assert [path and path.split("/")[1] for path in paths] == ["dt=2026-02-01", "dt=2026-02-02"]


SCALARS = st.sampled_from([None, True, 0, 5, 1769940120.5, "", " ", "a", "analytics", " analytics\n", "metrics", "7"])
BLANK = [None, "", " "]
NAMES = ["_event_type", "_session_id", "_timestamp", "session_id", "agent_name", "room_id", "analytics",
         "analytics_data", "message", "msg", "log", "event", "x"]  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8).map(json.dumps)
    ),
    max_leaves=25,
)


def read_aloud(document: Any, nested: bool = False) -> Any:
    """The contract's paragraph on delivery, in plain Python: the record with what is filled in; None where none is."""
    if not isinstance(document, dict):
        return None
    if nested or "_event_type" in document:
        return dict(document)
    for name in ("analytics", "analytics_data"):
        if isinstance(document.get(name), dict):
            found = read_aloud(document[name], nested=True)
            if found.get("_event_type") is None:
                found["_event_type"] = "analytics"
            if found.get("_session_id") is None and "session_id" in found:
                found["_session_id"] = found["session_id"]
            break
    else:
        held = (read_aloud(inside(document.get(name))) for name in ("message", "msg", "log", "event"))
        found = next((each for each in held if each is not None), None)
    for name in ("agent_name", "room_id"):
        lent = document.get(name)
        if found is not None and found.get(name) in BLANK and isinstance(lent, str) and lent not in BLANK:
            found[name] = lent
    return found


def inside(member: Any) -> Any:
    """The object that a member holds, as a text or as such."""
    try:
        found = json.loads(member) if isinstance(member, str) else member
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


@settings(max_examples=500)
@given(ANYTHING)
def test_every_document_is_read_as_the_contract_says(document: Any) -> None:
    expected = read_aloud(document)
    if expected is not None and expected.get("_timestamp") is None:
        expected["_timestamp"] = NOON_MS / 1000
    found = lake_object(json.dumps(document), NOON_MS)
    try:
        fields = None if expected is None else record.read(record.parse_json(json.dumps(expected).encode()))
    except record.Rejected as error:
        assert reason(json.dumps(document)) == str(error)
    else:
        assert (found and json.loads(found.body)) == (fields and expected)
        if found and fields:
            assert found.path == record.object_key(fields["_session_id"], fields["_timestamp"])


CHAIN = st.lists(
    st.tuples(
        st.sampled_from(["message", "msg", "log", "event"]),
        st.booleans(),
        st.sampled_from(["", PREFIX, f" {PREFIX} "]),
        st.sampled_from(["", "\n", "\r\n", " "]),
        st.dictionaries(
            st.sampled_from(["level", "name", "stream", "analytics"]), st.sampled_from(["info", 5, "{", None])
        ),
    ),
    max_size=6,
)


def wrapped(made: Any, chain: Any) -> str:
    """The record as a line, in these envelopes, the innermost first: as an object, or as a text between two others."""
    held = made
    for name, as_object, before, after, more in chain:
        text = held if isinstance(held, str) else json.dumps(held)
        held = {**more, name: held if as_object and isinstance(held, dict) else f"{before}{text}{after}"}
    return held if isinstance(held, str) else json.dumps(held)


@given(CHAIN, st.sampled_from([..., None, "analytics", "analytics_data"]), st.sampled_from(["", PREFIX]))
def test_a_record_in_any_chain_of_envelopes_is_stored_as_it_is_alone(chain: Any, nested: Any, before: str) -> None:
    made = session(x=[1.5, -0.0, 10**20], _event_type="session_analytics")
    found = lake_object(before + wrapped({nested: made} if isinstance(nested, str) else made, chain), NOON_MS)
    assert found == lake_object(json.dumps(made), NOON_MS)


@pytest.mark.parametrize("line", [
    json.dumps(TINY), json.dumps({"analytics": TINY}), json.dumps({"log": f"{PREFIX}{json.dumps(TINY)}\n"}),
    json.dumps({"msg": TINY}), json.dumps({"log": json.dumps({"message": json.dumps({"analytics": TINY})})}),
])  # fmt: skip
@pytest.mark.parametrize("inner", [False, True])
def test_a_line_cut_at_any_byte_is_stored_rejected_or_claims_nothing(line: str, inner: bool) -> None:
    for end in range(len(line)):
        cut = json.dumps({"event": line[:end]}) if inner else line[:end]
        found = lake_object(cut, NOON_MS)
        if found is None:
            begins = line[:end].startswith("{")
            assert not (begins and any(claim in line[:end] for claim in forms._CLAIMS)), cut
        else:
            assert found.rejected


@given(st.text() | st.text(alphabet='{}[]":,\\_event_typeanalytics \n\r\ud800'), st.integers(0, 2**44))
def test_no_line_whatsoever_fails(line: str, received_ms: int) -> None:
    found = lake_object(line, received_ms)
    assert found is None or found.path.startswith(("sessions/dt=", "rejected/dt="))


@given(record_lines("2026-02-01"), st.sampled_from(list(LINE_CHANGES)), st.booleans())
def test_a_wild_line_is_a_record_exactly_when_the_lake_s_reader_takes_it(
    line: bytes, change: str, wrapped: bool
) -> None:
    changed = LINE_CHANGES[change](line).decode("utf-8", "surrogateescape")
    try:
        document = record.parse_json(record.content(changed.encode("utf-8", "surrogatepass")))
        fields = record.read(document) if isinstance(document, dict) and "_timestamp" in document else None
    except record.Rejected:
        document = fields = None
    found = lake_object(encode({"message": changed}) if wrapped and document else changed, NOON_MS)
    if fields:
        assert found == LakeObject(
            record.object_key(fields["_session_id"], fields["_timestamp"]),
            record.content(changed.encode()).strip(record.BLANKS.encode()) + b"\n",
        )
    elif found and not found.rejected:  # its time was missing, or it was written anew
        assert record.read(record.parse_json(found.body))


def test_calls_keep_their_order_and_unknown_fields() -> None:
    calls = [call("b", cost=1.10), None, call("a", query="é\u2028")]
    assert stored(enveloped(session(tool_calls=calls)))["tool_calls"] == texts(calls)
