import itertools
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder  # matplotlib depends on it
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import FontEntry, fontManager

from seq2seq_zoo import figures
from seq2seq_zoo.figures import FURTHER, OURS, attention_map, families, image, printable, styles, undrawable

BUNDLED = Path(matplotlib.get_data_path())


def make_font(path, name, characters, blank=""):
    """A font file that has these characters, each a box, and blank ones."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for point in ((100, 700), (800, 700), (800, 0)):
        pen.lineTo(point)
    pen.closePath()
    box, nothing = pen.glyph(), TTGlyphPen(None).glyph()
    names = {ord(character): f"u{ord(character):X}" for character in characters + blank}
    font = FontBuilder(1000)
    font.setupGlyphOrder([".notdef", *names.values()])
    font.setupCharacterMap(names)
    font.setupGlyf({".notdef": box, **{each: nothing if chr(code) in blank else box for code, each in names.items()}})
    font.setupHorizontalMetrics(dict.fromkeys([".notdef", *names.values()], (1000, 100)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": name, "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)
    return str(path)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A machine with matplotlib's own fonts alone; call to install one more (family names are used once: they are
    remembered)."""
    monkeypatch.setattr(figures, "_families", {})
    monkeypatch.setattr(figures, "findSystemFonts", lambda: [])
    ours = [entry for entry in fontManager.ttflist if Path(entry.fname).is_relative_to(BUNDLED)]
    monkeypatch.setattr(fontManager, "ttflist", ours)

    def installed(name, characters, blank=""):
        path = make_font(tmp_path / f"{name}.ttf", name, characters, blank)
        fontManager.addfont(path)
        return path

    return installed


def drawn(tokens):
    """The labels of a map from tokens to themselves, drawn in every format: a glyph that is missing is a warning."""
    figure = attention_map(tokens, tokens, np.eye(len(tokens)))
    assert all(image(figure, format) for format in figures.FORMATS)
    return [label.get_text() for label in figure.axes[0].get_xticklabels()]


# === Tokens and fonts ===


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("é", "é"),
        ("e\u0301", "e\u0301"),
        ("\u0301", "\u0301"),
        ("שלום", "שלום"),
        ("$x_1$", "$x_1$"),
        (" ", "␣"),
        ("a b", "a␣b"),
        ("", "∅"),
        ("\n", "U+000A"),
        ("a\t", "aU+0009"),
        ("\x00", "U+0000"),
        ("\ud800", "U+D800"),
        ("\xa0", "U+00A0"),
        ("\u200c", "U+200C"),
        ("\u3000", "U+3000"),
        ("می\u200cرود", "می\u200cرود"),
        ("a語", "aU+8A9E"),
        ("\U0001fae8", "U+1FAE8"),
    ],
)
def test_undrawable_and_invisible_characters_are_shown_as_code_points(install, token, shown):
    assert printable(token) == shown
    assert families([token]) == ["DejaVu Sans"]


def test_tokens_of_any_kind_are_drawn_with_any_fonts_installed():
    tokens = [
        "語",
        "中文",
        "한국",
        "ไทย",
        "नमस्ते",
        "שלום",
        "مرحبا",
        "😀",
        "🥰",
        "👨\u200d👩",
        "❤\ufe0f",
        "\t",
        " ",
        "",
        "\ud800",
    ]
    tokens += [
        "\u200c",
        "\u202eabc",
        "\u0301",
        "e\u0301",
        "語\u0301",
        "a\u20dd",
        "$",
        "\\frac",
        "\U000e0041",
        "\ue000",
        "x" * 99,
    ]
    for token, label in zip(tokens, drawn(tokens), strict=True):
        assert printable(token) == label or (label[-1] == "…" and printable(token).startswith(label[:-1]))
    assert (printable("語") == "語") == ("語" not in undrawable(tokens)) == ("U+8A9E" not in drawn(["語"]))


def test_a_missing_character_is_drawn_in_an_installed_font_that_has_it(install):
    assert undrawable(["語a", "\t語", "文"]) == "語文"
    figures._families.clear()
    install("Zoo Han", "語")
    assert undrawable(["語a", "\t語", "文"]) == "文"
    assert drawn(["語a", "\t語", "文"]) == ["語a", "U+0009語", "U+6587"]
    assert families(["a"]) == ["DejaVu Sans"]
    assert families(["a語"]) == ["DejaVu Sans", "Zoo Han"]


def test_characters_of_the_default_font_stay_in_it(install):
    install("Zoo Latin Sans", "aé語")
    assert families(["aé"]) == ["DejaVu Sans"]
    before = image(attention_map(["a"], ["é"], [[1]]))
    attention_map(["語"], ["語"], [[1]])
    assert image(attention_map(["a"], ["é"], [[1]])) == before


def test_fonts_are_read_only_until_all_characters_are_found_and_only_once(install, monkeypatch):
    for name, characters in (("Zoo 1 Sans", "一"), ("Zoo 2 Sans", "一二"), ("Zoo 3 Sans", "一二三"), ("Zoo 4", "一四")):
        install(name, characters)
    opened = []
    get_font = figures.get_font
    monkeypatch.setattr(figures, "get_font", lambda path: opened.append(Path(path).stem) or get_font(path))
    figures._charmap()
    opened.clear()
    printable("aé")
    assert opened == []
    assert families(["三二一"]) == ["DejaVu Sans", "Zoo 3 Sans", "Zoo 2 Sans", "Zoo 1 Sans"]
    assert "Zoo 3 Sans" in opened
    assert "Zoo 4" not in opened
    opened.clear()
    assert drawn(["一二三"]) == ["一二三"]
    assert opened == []
    assert printable("五") == printable("五") == "U+4E94"
    assert opened.count("Zoo 4") == 1


def test_plain_fonts_are_preferred(install, monkeypatch, tmp_path):
    for name in ("Aa Zoo", "Bb Zoo Sans", "Cc Zoo Sans"):
        install(name, "語")
    bold = make_font(tmp_path / "bold.ttf", "Aa Zoo Bold Sans", "語")
    fontManager.ttflist.insert(0, FontEntry(fname=bold, name="Aa Zoo Bold Sans", weight=700))
    narrow = make_font(tmp_path / "narrow.ttf", "Aa Zoo Narrow Sans", "語")
    fontManager.ttflist.insert(0, FontEntry(fname=narrow, name="Aa Zoo Narrow Sans", stretch="condensed"))
    assert families(["語"]) == ["DejaVu Sans", "Bb Zoo Sans"]
    figures._families.clear()
    install("Zz Zoo Sans SC", "語")
    assert families(["語"]) == ["DejaVu Sans", "Zz Zoo Sans SC"]


def test_chinese_is_drawn_in_an_installed_font():
    tokens = ["TAG_CITY", "电", "南星光", "公布", "百分之", "二十二", "。", "<end>"]
    if undrawable(tokens):
        pytest.skip("no font with Chinese characters is installed")
    assert drawn(tokens) == tokens  # not code points; a glyph that is missing would be a warning


def test_a_font_without_outlines_draws_nothing(install):
    install("Zoo Pictures", "", blank="語")
    assert printable("語") == "U+8A9E"
    assert undrawable("語") == "語"


def test_missing_and_broken_font_files_are_skipped(install, tmp_path):
    (tmp_path / "broken.ttf").write_text("no font")
    for name in ("gone", "broken"):
        fontManager.ttflist.append(FontEntry(fname=str(tmp_path / f"{name}.ttf"), name=f"A {name} Sans"))
    install("Zoo Whole", "語")
    assert families(["語"]) == ["DejaVu Sans", "Zoo Whole"]


def test_only_the_font_file_that_matplotlib_would_choose_counts(install, tmp_path):
    heavy, narrow = (make_font(tmp_path / f"{text}.ttf", "Zoo Two", text) for text in "語文")
    fontManager.ttflist.append(FontEntry(fname=heavy, name="Zoo Two", weight=900))
    fontManager.ttflist.append(FontEntry(fname=narrow, name="Zoo Two", weight=400, stretch="condensed"))
    assert drawn(["語"]) == ["U+8A9E"]


def test_fonts_installed_since_matplotlib_made_its_list_are_found(install, monkeypatch, tmp_path):
    (tmp_path / "a.ttf").write_text("no font")
    new = make_font(tmp_path / "new.ttf", "Zoo New", "語")
    monkeypatch.setattr(figures, "findSystemFonts", lambda: [str(tmp_path / "a.ttf"), new])
    assert drawn(["語", "文"]) == ["語", "U+6587"]
    assert families(["語"]) == ["DejaVu Sans", "Zoo New"]


# === Files ===


@pytest.mark.parametrize("format", figures.FORMATS)
def test_the_same_figure_gives_the_same_file_with_any_user_settings(format):
    def draw():
        return image(attention_map(["a", "b"], ["$c$"], [[0.2, 0.8]]), format)

    with matplotlib.rc_context({"font.size": 20, "savefig.facecolor": "black", "text.color": "red", "axes.grid": True}):
        other = draw()
    assert other == draw()


def test_an_unknown_format_is_named():
    with pytest.raises(ValueError, match=r"Expected one of the formats png, svg, pdf, got 'doc'\."):
        image(attention_map(["a"], ["b"], [[1]]), "doc")


# === Attention ===


def test_rows_are_outputs_and_columns_are_source():
    weights = [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]]
    axes = attention_map(["a", " ", "c"], ["x", "</s>"], weights).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "␣", "c"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "</s>"]
    np.testing.assert_array_equal(axes.images[0].get_array(), weights)
    top, bottom = (axes.transData.transform((0, row))[1] for row in (0, 1))
    assert top > bottom


@pytest.mark.parametrize("shape", [(2, 3), (3,), (0,), (4, 3)])
def test_weights_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"Expected weights of shape \(3, 2\), a row for each output token, got"):
        attention_map(["a", "b"], ["x", "y", "z"], np.ones(shape))


@pytest.mark.parametrize(
    ("source", "output"),
    [
        (["a", "b"], ["c"]),
        (["the", "black", "cat"], ["yes"]),
        (["a"], list("abcde")),
        (list("我今天学习中文了"), list("今天我学了中文。")),
        (["我们", "今天", "学习"], ["we", "study", "today"]),
        (["😀😀"] * 15, ["happier"] * 3),
        (["somewhat", "longer", "words"] * 3, ["incomprehensibilities", "end"] * 4),
        (["x" * 99] * 3, ["y" * 99]),
        (list("abcdefgh" * 5), list("ABCDEFGH" * 5)),
        (list("abcdefgh" * 12), list("ABCDEFGH" * 2)),
    ],
    ids=lambda tokens: f"{len(tokens)}-{tokens[0][:9]}",
)
def test_cells_are_square_and_labels_stay_apart_and_inside(source, output):
    figure = attention_map(source, output, np.full((len(output), len(source)), 1 / len(source)))
    figure.draw_without_rendering()
    axes, bar = figure.axes
    cells = axes.get_window_extent()
    assert cells.width / len(source) == pytest.approx(cells.height / len(output))
    sides = [axes.get_xticklabels(), axes.get_yticklabels()]
    for labels in sides:
        boxes = [label.get_window_extent() for label in labels]
        # A box has room for accents and descenders, which is empty in most.
        assert not any(one.shrunk(0.8, 0.8).overlaps(two.shrunk(0.8, 0.8)) for one, two in itertools.pairwise(boxes))
    for text in (*sides[0], *sides[1], axes.xaxis.label, axes.yaxis.label, bar.yaxis.label, *bar.get_yticklabels()):
        box = text.get_window_extent()
        assert min(box.x0, box.y0, figure.bbox.x1 - box.x1, figure.bbox.y1 - box.y1) > -1, text


@pytest.mark.parametrize(("source", "output"), [([], ["end"]), (["a", "b"], []), ([], [])])
def test_an_attention_map_without_tokens_is_empty(source, output):
    axes = attention_map(source, output, np.zeros((len(output), len(source)))).axes[0]
    assert (len(axes.get_xticks()), len(axes.get_yticks())) == (len(source), len(output))
    assert not np.any(axes.images[0].get_array())
    attention_map(source, output, [])


def test_an_attention_map_of_hundreds_of_tokens_has_a_bounded_size():
    figure = attention_map(["a"] * 700, ["b"] * 2, np.zeros((2, 700)))
    assert max(figure.get_size_inches()) <= 51


# === Modes ===


def test_a_mode_has_the_same_style_in_every_suite():
    alone, together = styles(["attention"]), styles([*OURS, "mine"])
    assert alone["attention"] == together["attention"]
    assert styles(["mine"])["mine"] == styles(["basic", "mine"])["mine"] == together["mine"]


def test_further_modes_have_different_colours_while_there_are_some_left():
    found = styles([*OURS, "coverage", "mine_own_mode", "third"])
    assert len({style.color for style in found.values()}) == 7


def test_many_modes_have_different_styles():
    modes = [*OURS, *(f"mode_{i}" for i in range(len(FURTHER)))]
    assert len(set(styles(modes).values())) == len(modes)
    assert len(styles([*modes, "one_more"])) == len(modes) + 1
