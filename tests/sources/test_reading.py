"""Reading each text format, and handling everything that can be wrong with a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from swirl.errors import SwirlError
from swirl.sources import Reading, read_sequences
from swirl.sources.validation import MAX_SEQUENCE_BYTES

GOOD = '{"id": "a", "states": ["one", "two"]}\n'


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def texts(reading: Reading) -> dict[str, list[str]]:
    return {sequence.id: [state.text for state in sequence.states] for sequence in reading.sequences}


def places(reading: Reading) -> dict[str, str]:
    found = {skipped.where: skipped.why for skipped in reading.skipped}
    assert len(found) == len(reading.skipped)
    return found


def refusal(path: Path) -> str:
    with pytest.raises(SwirlError) as caught:
        read_sequences(path)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


# JSONL


def test_broken_json_on_line_3_of_5_leaves_four(tmp_path: Path) -> None:
    lines = [json.dumps({"id": f"s{i}", "states": ["x", f"y{i}"]}) for i in range(1, 6)]
    lines[2] = lines[2][:-4]
    reading = read_sequences(write(tmp_path / "five.jsonl", "\n".join(lines)))
    assert list(texts(reading)) == ["s1", "s2", "s4", "s5"]
    ((where, why),) = places(reading).items()
    assert where == "five.jsonl:3"
    assert why.startswith("is not valid JSON") and "column" in why and "correct the line" in why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"id": "b", "states": ["one"]}', "has 1 state; a sequence needs two or more"),
        ('{"id": "b", "states": []}', "has no states"),
        ('{"id": "b", "states": ["x", 3]}', "has a number as state 2"),
        ('{"id": "b", "states": [7, "y"]}', "has a number as state 1"),
        ('{"id": "b", "states": ["x", null]}', "has null as state 2"),
        ('{"id": "b", "states": ["x", " \\n\\t "]}', "has an empty text as state 2"),
        ('{"id": "b", "states": "x y"}', 'has text as "states", which must be a list'),
        ('{"id": "b"}', 'has no "states"'),
        ('{"states": ["x", "y"]}', 'has no "id"'),
        ('{"id": "", "states": ["x", "y"]}', "has an empty text as the id"),
        ('{"id": true, "states": ["x", "y"]}', "has true or false as the id"),
        ('{"id": "b", "states": ["x", "\\ud800"]}', "has half a character"),
        ('["x", "y"]', "is a list, not an object"),
        ("42", "is a number, not an object"),
        ("[" * 100_000, "is not usable JSON"),
        ('{"id": ' + "9" * 5000 + "}", "is not usable JSON"),
        ('{"id": "a", "states": ["x", "y"]}', "repeats the id 'a' of bad.jsonl:1"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_the_reason(tmp_path: Path, line: str, why: str) -> None:
    reading = read_sequences(write(tmp_path / "bad.jsonl", f"{GOOD}{line}\n{GOOD.replace('a', 'z', 1)}"))
    assert texts(reading)["a"] == ["one", "two"]
    assert len(reading.sequences) == 2
    assert why in places(reading)["bad.jsonl:2"]


def test_invalid_utf8_skips_one_line(tmp_path: Path) -> None:
    bad = b'{"id": "b", "states": ["caf\xe9", "y"]}\n'
    reading = read_sequences(write(tmp_path / "latin.jsonl", GOOD.encode() + bad))
    assert places(reading) == {"latin.jsonl:2": "is not valid UTF-8 (byte 0xe9 at position 28); save the file as UTF-8"}


def test_bom_crlf_blank_lines_and_numeric_ids(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"id": 7, "states": ["\xc3\xa9", "two\\nlines"]}\r\n\r\n{"id": "b", "states": ["x", "y"]}'
    reading = read_sequences(write(tmp_path / "windows.jsonl", content))
    assert texts(reading) == {"7": ["é", "two\nlines"], "b": ["x", "y"]}
    assert reading.skipped == ()


def test_a_200_mb_line_is_skipped_with_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(GOOD.encode() + b'{"id": "b", "states": ["')
        for _ in range(200):
            file.write(b"x" * 2**20)
        file.write(b'", "y"]}\n{"id": "c", "states": ["x", "y"]}\n')
    code = """
import resource, sys
from pathlib import Path
from swirl.sources import read_sequences
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
reading = read_sequences(Path(sys.argv[1]))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print([s.id for s in reading.sequences], [(s.where, s.why) for s in reading.skipped], grown, sep="|")
"""
    unit = 1024 if sys.platform != "darwin" else 1
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    ids, skipped, grown = done.stdout.strip().split("|")
    assert ids == "['a', 'c']"
    assert "long.jsonl:2" in skipped and "is longer than 16 MB" in skipped
    assert int(grown) * unit < 60 * 2**20


def test_a_line_at_the_limit_is_still_read(tmp_path: Path) -> None:
    start, end = b'{"id":"b","states":["x","', b'"]}'
    line = start + b"y" * (MAX_SEQUENCE_BYTES - len(start + end)) + end
    reading = read_sequences(write(tmp_path / "a.jsonl", line + b"\n" + GOOD.encode()))
    assert [len(s.states[1].text) for s in reading.sequences] == [MAX_SEQUENCE_BYTES - len(start + end), 3]
    reading = read_sequences(write(tmp_path / "b.jsonl", b" " + line + b"\n" + GOOD.encode()))
    assert (list(texts(reading)), list(places(reading))) == (["a"], ["b.jsonl:1"])


def test_a_json_file_may_be_a_list_an_object_or_lines(tmp_path: Path) -> None:
    records = [{"id": "a", "states": ["x", "y"]}, {"id": "b", "states": ["x"]}, {"id": "c", "states": ["x", "z"]}]
    reading = read_sequences(write(tmp_path / "list.json", "\ufeff" + json.dumps(records, indent=2)))
    assert list(texts(reading)) == ["a", "c"]
    assert list(places(reading)) == ["list.json[1]"]
    assert list(texts(read_sequences(write(tmp_path / "one.json", json.dumps(records[0], indent=2))))) == ["a"]
    lines = read_sequences(write(tmp_path / "lines.json", GOOD + "{broken\n"))
    assert (list(texts(lines)), list(places(lines))) == (["a"], ["lines.json:2"])


def test_a_million_bad_lines_are_summed_up(tmp_path: Path) -> None:
    reading = read_sequences(write(tmp_path / "bad.jsonl", GOOD + "x\n" * 20_000))
    assert len(reading.skipped) == 1001
    assert reading.skipped[-1].why == "has 19000 more places like these"


# tables


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_a_table_in_any_order_among_other_columns(tmp_path: Path, delimiter: str) -> None:
    rows = [
        ["State", "note", "step", " SEQUENCE_ID "],
        ["b1", "", "2", "b"],
        ["a0", "", "0", "a"],
        ["b0", "", "1", "b"],
    ]
    rows.append(["a1", "", "1", "a"])
    content = "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows) + "\r\n"
    reading = read_sequences(write(tmp_path / "t.csv", content))
    assert texts(reading) == {"b": ["b0", "b1"], "a": ["a0", "a1"]}
    assert reading.skipped == ()


def test_quoted_states_keep_commas_quotes_and_lines(tmp_path: Path) -> None:
    content = 'sep=,\nsequence_id,step,state\na,0,"one, ""two""\r\n\r\nthree"\na,1,four\n'
    assert texts(read_sequences(write(tmp_path / "q.csv", content))) == {"a": ['one, "two"\r\n\r\nthree', "four"]}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (b"a,two,x", "has 'two' as its step, which must be a whole number"),
        (b"a,2.5,x", "has '2.5' as its step"),
        (b"a,,x", "has '' as its step"),
        (b"a,2", "has 2 of the header's columns"),
        (b"a,2,  ", "has an empty text as the state"),
        (b" ,2,x", "has an empty text as the sequence_id"),
        (b"a,2,caf\xe9", "is not valid UTF-8 (byte 0xe9)"),
        (b'a,2,"x"y', "misplaced or unclosed quote"),
        (b"a,1,again", "repeats step 1 of sequence 'a', which is at t.csv:3; remove one"),
    ],
)
def test_an_unusable_row_splits_its_sequence(tmp_path: Path, row: bytes, why: str) -> None:
    content = b"sequence_id,step,state\na,0,p\na,1,q\n" + row + b"\na,3,r\na,4,s\n"
    reading = read_sequences(write(tmp_path / "t.csv", content))
    assert texts(reading) == {"a": ["p", "q"], "a#3": ["r", "s"]}
    found = places(reading)
    assert why in found["t.csv:4"]
    assert "follows a gap in sequence 'a', from step 1 to 3" in found["t.csv:5"]
    assert len(found) == 2


def test_a_part_of_one_state_is_left_out(tmp_path: Path) -> None:
    content = "sequence_id,step,state\na,0,p\na,2,q\na,3,r\nb,0,x\n"
    reading = read_sequences(write(tmp_path / "t.csv", content))
    assert texts(reading) == {"a#2": ["q", "r"]}
    assert "(sequence 'a') has 1 state" in places(Reading((), reading.skipped[:1]))["t.csv:2"]
    assert "(sequence 'b') has 1 state" in reading.skipped[-1].why


def test_an_unclosed_quote_is_reported_where_it_opens(tmp_path: Path) -> None:
    content = 'sequence_id,step,state\na,0,p\na,1,q\nb,0,"open\nb,1,y\n'
    reading = read_sequences(write(tmp_path / "t.csv", content))
    assert texts(reading) == {"a": ["p", "q"]}
    assert "unclosed quote" in places(reading)["t.csv:4"]


@pytest.mark.parametrize("end", ["b,3,z\n", 'b,3,"z"\n'])
def test_rows_after_an_unclosed_quote_are_read(tmp_path: Path, end: str) -> None:
    content = f'sequence_id,step,state\na,0,p\na,1,"open\na,2,q\na,3,r\nb,0,x\nb,1,"y, ""y"""\nb,2,"z\nz"\n{end}'
    reading = read_sequences(write(tmp_path / "t.csv", content))
    assert texts(reading) == {"a#2": ["q", "r"], "b": ["x", 'y, "y"', "z\nz", "z"]}
    found = places(reading)
    assert "begins a row with a misplaced or unclosed quote" in found["t.csv:3"] and found["t.csv:3"].endswith(
        "correct it"
    )
    assert "follows a gap in sequence 'a', from step 0 to 2" in found["t.csv:4"]


def test_a_line_that_is_too_long_behind_an_unclosed_quote_is_named_once(tmp_path: Path) -> None:
    long = "x" * (MAX_SEQUENCE_BYTES + 10)
    content = f'sequence_id,step,state\na,0,p\na,1,q\nb,0,"open\n{long}\nc,0,r\nc,1,s\n'
    reading = read_sequences(write(tmp_path / "t.csv", content))
    assert texts(reading) == {"a": ["p", "q"], "c": ["r", "s"]}
    assert [skipped.where for skipped in reading.skipped] == ["t.csv:4", "t.csv:5"]


def test_steps_of_a_table_may_be_counted_in_tens(tmp_path: Path) -> None:
    rows = [f"a,{step},a{step}" for step in (0, 10, 20, 40, 50)] + [
        "b,30,b30",
        "b,40,b40",
        "c,0,c0",
        "c,5,c5",
        "c,10,c",
    ]
    reading = read_sequences(write(tmp_path / "t.csv", "\n".join(["sequence_id,step,state", *rows])))
    assert texts(reading) == {
        "a": ["a0", "a10", "a20"],
        "a#40": ["a40", "a50"],
        "b": ["b30", "b40"],
        "c": ["c0", "c5", "c"],
    }


def test_a_row_above_16_mb_is_left_out_of_a_table(tmp_path: Path) -> None:
    long = "x" * (MAX_SEQUENCE_BYTES + 10)
    content = f"sequence_id,step,state\na,0,p\na,1,q\nb,0,{long}\nc,0,r\nc,1,s\n"
    reading = read_sequences(write(tmp_path / "t.csv", content))
    assert texts(reading) == {"a": ["p", "q"], "c": ["r", "s"]}
    assert list(places(reading)) == ["t.csv:4"]
    ended = read_sequences(write(tmp_path / "e.csv", f"sequence_id,step,state\na,0,p\na,1,q\n{long}"))
    assert list(places(ended)) == ["e.csv:4"]


def test_a_table_without_the_header_says_what_it_needs(tmp_path: Path) -> None:
    sentence = refusal(write(tmp_path / "t.csv", "id,time,text\na,0,x\n"))
    assert "lacks sequence_id, step, state in its first line, which has: id, time, text" in sentence
    assert "name the columns sequence_id, step, state, or say what they are called with --episode-column" in sentence


def test_a_table_with_nothing_but_its_header(tmp_path: Path) -> None:
    assert "contains no sequence" in refusal(write(tmp_path / "t.tsv", "sequence_id\tstep\tstate\n"))


# plain text


def test_plain_text_is_split_at_blank_lines(tmp_path: Path) -> None:
    content = "\ufeff\r\n\r\nYou are in the hall.\r\nThe lamp is off.  \r\n \t\r\n\r\nThe lamp is on.\r\n"
    reading = read_sequences(write(tmp_path / "a walk.txt", content))
    assert texts(reading) == {"a walk": ["You are in the hall.\nThe lamp is off.  ", "The lamp is on."]}


EXACT_STATES = ["  a\tb \n\n", "\r\n x", "#@ #", "# @#", "<|im_end|> \u00a0"]
"""States in which white space is everywhere."""


def test_json_lines_keep_every_byte_of_a_state(tmp_path: Path) -> None:
    line = json.dumps({"id": "a", "states": EXACT_STATES}).encode() + b"\r\n"
    assert texts(read_sequences(write(tmp_path / "a.jsonl", line))) == {"a": EXACT_STATES}


def test_a_table_keeps_every_byte_of_a_quoted_state(tmp_path: Path) -> None:
    rows = "".join(f'a,{step},"{state}"\r\n' for step, state in enumerate(EXACT_STATES))
    content = f"sequence_id,step,state\r\n{rows}".encode()
    assert texts(read_sequences(write(tmp_path / "a.csv", content))) == {"a": EXACT_STATES}


def test_plain_text_keeps_the_white_space_of_lines(tmp_path: Path) -> None:
    content = b"  if x: \n\ty\t\n\n  if x:\n\t\ty"
    assert texts(read_sequences(write(tmp_path / "a.txt", content))) == {"a": ["  if x: \n\ty\t", "  if x:\n\t\ty"]}


def test_plain_text_with_one_state(tmp_path: Path) -> None:
    assert "notes.txt has 1 state; a sequence needs two or more" in refusal(write(tmp_path / "notes.txt", "a\nb\n"))


def test_an_unusable_line_invalidates_a_plain_text(tmp_path: Path) -> None:
    write(tmp_path / "bad.txt", b"one\n\ntw\xf6\n\nthree\n\nfour\n")
    write(tmp_path / "good.md", "one\n\ntwo")
    write(tmp_path / "long.txt", b"one\n\ntwo\n\n" + b"x" * (MAX_SEQUENCE_BYTES + 1))
    write(tmp_path / "large.txt", (b"x" * 1023 + b"\n\n") * 17_000)
    reading = read_sequences(tmp_path)
    assert texts(reading) == {"good": ["one", "two"]}
    found = places(reading)
    assert set(found) == {"bad.txt:3", "long.txt:5", f"large.txt:{2 * (MAX_SEQUENCE_BYTES // 1023) + 1}"}
    assert "is not valid UTF-8 (byte 0xf6 at position 3)" in found["bad.txt:3"]
    assert "is longer than 16 MB" in found["long.txt:5"]


# files and folders


def test_a_folder_is_read_in_natural_order_with_everything_in_it(tmp_path: Path) -> None:
    for day in (10, 2):
        write(tmp_path / f"day {day}" / "log.txt", "one\n\ntwo")
    write(tmp_path / "z.jsonl", GOOD)
    write(tmp_path / "a.csv", "sequence_id,step,state\nt,0,x\nt,1,y\n")
    write(tmp_path / "walk", "one\n\ntwo")
    for beside in ("actions.jsonl", "collection.json", ".hidden.txt", ".git/config", "picture.png"):
        write(tmp_path / beside, "{}")
    reading = read_sequences(tmp_path)
    assert list(texts(reading)) == ["t", "day 2/log", "day 10/log", "walk", "a"]
    assert reading.skipped == ()


def test_unreadable_files_in_a_folder_are_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", GOOD)
    write(tmp_path / "again.jsonl", GOOD)
    write(tmp_path / "empty.jsonl", "")
    write(tmp_path / "program.txt", b"\x7fELF\0\0\1")
    write(tmp_path / "README.md", "What this is.\n\nHow to use it.")
    write(tmp_path / "table.csv", "x,y\n1,2\n")
    write(tmp_path / "wide.txt", "one\n\ntwo".encode("utf-16"))
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.txt")
    reading = read_sequences(tmp_path)
    assert list(texts(reading)) == ["a"]
    found = places(reading)
    assert "repeats the id 'a' of a.jsonl:1" in found.pop("again.jsonl:1")
    assert {name: why.split(";")[0] for name, why in found.items()} == {
        "empty.jsonl": "is empty",
        "program.txt": "is a binary file, not text",
        "README.md": "looks like a document about the data",
        "table.csv": "lacks sequence_id, step, state in its first line, which has: x, y",
        "wide.txt": "is in UTF-16",
    }


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("empty.jsonl", b"", "is empty"),
        ("blank.txt", b"\xef\xbb\xbf \r\n\r\n", "is empty"),
        ("program.txt", b"MZ\x90\0\3", "is a binary file, not text"),
        ("wide.csv", "sequence_id".encode("utf-16"), "is in UTF-16; save it as UTF-8"),
        ("clip.mp4", b"video", "has an unknown format"),
        ("one.jsonl", b'{"id": "a", "states": ["x"]}', "one.jsonl:1 has 1 state"),
        ("bad.jsonl", b"x\ny\nz", "bad.jsonl:1 is not valid JSON (Expecting value at column 1)"),
        ("bad.jsonl", b"x\ny\nz", "(2 more were skipped)"),
    ],
)
def test_a_file_without_usable_sequences_gives_one_sentence(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    sentence = refusal(write(tmp_path / name, content))
    assert str(tmp_path / name) in sentence and why in sentence


def test_missing_paths_and_folders_without_files(tmp_path: Path) -> None:
    assert "There is no file or folder" in refusal(tmp_path / "nowhere.jsonl")
    (tmp_path / "hollow" / "inner").mkdir(parents=True)
    write(tmp_path / "hollow" / "picture.png", b"\x89PNG")
    assert "contains no readable file" in refusal(tmp_path / "hollow")
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert "has an unknown format" in refusal(tmp_path / "pipe.jsonl")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_and_folders_without_permission(tmp_path: Path) -> None:
    closed = write(tmp_path / "closed.jsonl", GOOD)
    closed.chmod(0)
    write(tmp_path / "inner" / "a.jsonl", GOOD)
    write(tmp_path / "b.jsonl", GOOD)
    (tmp_path / "inner").chmod(0)
    assert "cannot be read (Permission denied)" in refusal(closed)
    reading = read_sequences(tmp_path)
    assert set(places(reading)) == {"closed.jsonl", "inner"}
    assert "cannot be opened (Permission denied)" in refusal(tmp_path / "inner")
    (tmp_path / "inner").chmod(0o700)


def test_a_disk_error_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.jsonl", GOOD)

    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    assert refusal(path) == f"{path} cannot be read (Permission denied); check the file and its permissions."


def test_progress_runs_from_zero_to_one(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", "".join(GOOD.replace('"a"', f'"{i}"') for i in range(5000)))
    write(tmp_path / "b.txt", "one\n\ntwo")
    calls: list[tuple[float, str]] = []
    read_sequences(tmp_path, lambda fraction, text: calls.append((fraction, text)))
    fractions = [fraction for fraction, _ in calls]
    assert fractions == sorted(fractions)
    assert 50 <= len(calls) <= 102
    assert fractions[0] < 0.05 and 0.97 < fractions[-1] <= 1.0
    assert calls[0][1] == "Reading a.jsonl"


def test_objects_are_states_whose_order_of_keys_is_no_difference(tmp_path: Path) -> None:
    line = '{"id": "o", "states": [{"room": "hall", "lamp": false}, {"lamp": true, "room": ["é", 1]}]}'
    same = '{"id": "p", "states": [{"lamp": false, "room": "hall"}, {"room": ["é", 1], "lamp": true}]}'
    reading = texts(read_sequences(write(tmp_path / "objects.jsonl", f"{line}\n{same}\n")))
    assert reading["o"] == reading["p"] == ['{"lamp": false, "room": "hall"}', '{"lamp": true, "room": ["é", 1]}']


def test_steps_may_be_written_as_pandas_writes_them(tmp_path: Path) -> None:
    table = 'sequence_id,step,state\r\na,0.0,"one\r\ntwo"\r\na,1.,three\r\na,2.5,four\r\n'
    reading = read_sequences(write(tmp_path / "table.csv", table))
    assert texts(reading)["a"] == ["one\r\ntwo", "three"]
    assert "'2.5' as its step" in str(reading.skipped[0])
