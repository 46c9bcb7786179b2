import pytest

from connector.config.problems import Problems
from connector.config.yamlfile import MAX_BYTES, MAX_DEPTH, YamlFile, read_yaml
from connector.errors import ConfigError


def read(text: str | bytes) -> YamlFile:
    problems = Problems("c.yaml")
    file = read_yaml(text if isinstance(text, bytes) else text.encode(), problems)
    problems.refuse()
    return file


def refused(text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("7", 7),
        ("-7", -7),
        ("0", 0),
        ("0.25", 0.25),
        (".5", 0.5),
        ("word", "word"),
        ('"7"', "7"),
        ("'true'", "true"),
        ('""', ""),
    ],
)
def test_plain_values_are_what_they_look_like(typed, value):
    file = read(f"a: {typed}")
    assert file.value == {"a": value}
    assert type(file.value["a"]) is type(value)


BENT = """no NO on off yes y n True FALSE 12:30 1:30:15 1_000 017 0x1F 0o17 0b1 1e3 .inf .nan 1.
2027-06-30 2027-06-30T00:00:00Z 1234567890123456789012 ="""


@pytest.mark.parametrize("typed", BENT.split())
def test_words_that_yaml_would_bend_stay_text(typed):
    assert read(f"a: {typed}").value == {"a": typed}


def test_keys_are_text_as_typed():
    assert read("{1: a, on: b, 2027-06-30: c, 012: d}").value == {
        "1": "a",
        "on": "b",
        "2027-06-30": "c",
        "012": "d",
    }


def test_every_path_has_the_line_of_its_key():
    file = read("a:\n  b:\n    - x\n    - c: 1\n      d: >\n        text\n\ne: {f: 1,\n g: 2}\n")
    lines = {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "b", 0): 3,
        ("a", "b", 1, "c"): 4,
        ("a", "b", 1, "d"): 5,
        ("e", "f"): 8,
        ("e", "g"): 9,
    }
    assert {path: file.position(path).line for path in lines} == lines


def test_a_path_that_is_not_there_has_the_line_of_what_is_above_it():
    file = read("a:\n  b: 1\n")
    assert file.position(("a", "c", "d")).line == 1
    assert file.known(("a", "c", "d")) == ("a",)
    assert file.position(("a", "b", "d")).line == 2
    assert file.at(("a", "b")) == 1


def test_an_alias_means_its_anchor():
    file = read("a: &x {b: [1]}\nc: *x\n")
    assert file.value == {"a": {"b": [1]}, "c": {"b": [1]}}
    assert file.position(("c",)).line == 2
    assert file.position(("c", "b")).line == 1


def test_aliased_values_are_not_shared():
    value = read("a: &x [1]\nc: *x\n").value
    value["a"].append(2)
    assert value["c"] == [1]


def test_merged_keys_give_way_to_written_ones():
    file = read("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  z: 3\n  <<: [*a, *b]\n")
    assert file.value["c"] == {"x": 1, "y": 1, "z": 3}
    assert file.position(("c", "y")).line == 1
    assert file.position(("c", "z")).line == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: 1\nb: 2\na: 3",
            "c.yaml:3: a: is given twice, first on line 1",
        ),
        (
            "a:\n  b: 1\n  b: 1",
            "c.yaml:3: a.b: is given twice, first on line 2",
        ),
        (
            "a: b: c",
            "c.yaml:1: the file: is not valid YAML at column 5: mapping values are not "
            "allowed here",
        ),
        (
            "a:\n\t- 1",
            "c.yaml:2: the file: is not valid YAML at column 1: found character '\\t' "
            "that cannot start any token",
        ),
        (
            "a: 1\n---\nb: 1",
            "c.yaml:2: the file: should be one YAML document, but a second one starts here",
        ),
        ("a:\n- b:", "c.yaml:2: a[0].b: is empty: give a value or remove the key"),
        ("a: !!int 3", "c.yaml:1: a: has the tag tag:yaml.org,2002:int: remove it"),
        (
            "a: !!python/object:os.system x",
            "c.yaml:1: a: has the tag tag:yaml.org,2002:python/object:os.system: remove it",
        ),
        ("? [a]\n: 1", "c.yaml:1: the file: a key should be plain text"),
        ('"a\\nb": 1', "c.yaml:1: the file: 'a\\nb' cannot be used as a key"),
        ("'': 1", "c.yaml:1: the file: '' cannot be used as a key"),
        ("a: *x", "c.yaml:1: a: *x has no &x above it"),
        ("a: &x [*x]", "c.yaml:1: a[0]: *x is inside its own &x"),
        ("a: {<<: 1}", "c.yaml:1: a.<<: should be an alias of a mapping, such as *defaults"),
        ('a: "\\0"', "c.yaml:1: a: contains the control character U+0000"),
        (
            'a: "\\UFFFFFFFF"',
            "c.yaml:1: the file: is not valid YAML at column 1: Python int too large to convert "
            "to C int",
        ),
        ('a: "\\ud800"', "c.yaml:1: a: contains the control character U+D800"),
        (b"a: 1\nb: \xff", "c.yaml:2: the file: is not UTF-8 text"),
        (
            "a: 1\nb: \x07",
            "c.yaml:2: the file: is not valid YAML at column 4: the character U+0007 "
            "is not allowed",
        ),
        ("#" * (MAX_BYTES + 1), "c.yaml:1: the file: is larger than 1024 KiB"),
    ],
)
def test_odd_yaml_is_refused_with_its_line(text, message):
    assert refused(text) == message


def test_deep_nesting_is_refused_before_it_is_built():
    assert f"is nested more than {MAX_DEPTH} deep" in refused("[" * 100_000)


def test_aliases_cannot_nest_deeper_than_brackets():
    lines = ["a0: &a0 [1]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, MAX_DEPTH + 1)]
    assert f"is nested more than {MAX_DEPTH} deep" in refused("\n".join(lines))


def test_aliases_that_grow_without_bound_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "contains more than 100000 values, counting each alias in full" in refused(
        "\n".join(lines)
    )


def test_an_empty_file_is_null():
    assert read("# nothing\n").value is None


def test_all_odd_places_are_reported_at_once():
    assert refused("a:\nb: !x 1\nb: 2\nc: ").splitlines() == [
        "c.yaml:1: a: is empty: give a value or remove the key",
        "c.yaml:2: b: has the tag !x: remove it",
        "c.yaml:3: b: is given twice, first on line 2",
        "c.yaml:4: c: is empty: give a value or remove the key",
    ]
