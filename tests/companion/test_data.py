"""The data that chapters import: what it holds, how it is split, and how the technical pairs are built."""

import hashlib
import io
import json
import shutil
import stat
import tarfile
import warnings
import zipfile
from itertools import combinations
from pathlib import Path

import pytest
import torch

from companion import data
from companion.data import files, packages, technical
from companion.data.hsk import first_meaning
from companion.data.pairs import SPLITS, Pair, clean, sentence_key, split_of, split_pairs

HSK = {split: data.translation_pairs("hsk", split) for split in SPLITS}


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    """A cache of the test's own, and nothing remembered from the last one."""
    monkeypatch.setenv("DECODER_DATA", str(tmp_path / "caches"))
    data._splits.cache_clear()
    yield tmp_path / "caches"
    data._splits.cache_clear()


def digest(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def sentences(pairs):
    return {sentence_key(sentence) for pair in pairs for sentence in (pair.chinese, pair.english)}


# ---- sentence pairs


def test_cleaning_step_by_step():
    pairs, counts = data.hsk_records(), []
    for step in data.CLEANING:
        pairs = step(pairs)
        counts.append((step.__name__, len(pairs)))
    assert len(data.hsk_records()) == 4354
    assert counts == [
        ("normalised", 4354),
        ("without_placeholders", 4272),
        ("translated", 4270),
        ("without_duplicates", 4268),
    ]
    assert clean(data.hsk_records()) == pairs


def test_words_have_their_first_meaning_and_no_held_out_sentence_among_them():
    both = data.translation_pairs("hsk", "train", words=True)
    assert both[: len(HSK["train"])] == HSK["train"]
    words = both[len(HSK["train"]) :]
    learnt = {pair.chinese: pair.english for pair in words}
    assert learnt["研究所"] == "research institute" and learnt["持续"] == "to continue"
    assert 4_000 < len(learnt) == len(words) < 5_215
    assert not sentences(words) & sentences(HSK["validation"] + HSK["test"])


@pytest.mark.parametrize(
    ("meanings", "first"),
    [
        ("to ask (sb); to invite", "to ask"),
        ("surname Zuo", ""),
        ("Canada (abbr. for 加拿大[Jia1 na2 da4]); surname Jia", "Canada"),
        ("(name of states and dynasties); surname Qi; even", "even"),
        ("classifier for sticks; variant of 支[zhi1]", ""),
        ("to see sb off (CL:次[ci4])", "to see sb off"),
        ("used to", "used to"),
    ],
)
def test_of_many_meanings_the_first(meanings, first):
    assert first_meaning(meanings) == first


def test_what_cleaning_drops_and_keeps():
    kept = clean(
        Pair(chinese, english, "x")
        for chinese, english in [
            ("  我  迟到了。 ", "I am\u00a0late."),
            ("我迟到了!", "i am late"),  # the same again
            ("我迟到了。", "Sorry, I'm late."),  # another translation
            ("他来了。", "placeholder-p7"),
            ("他走了。", "PH"),
            ("考试接近了。", "The exam is 近."),
            ("OK", "OK"),
            ("使用 Internet Explorer", "Use Internet Explorer"),
            ("咖啡很香。", "The cafe\u0301 smells good."),
        ]
    )
    assert [(pair.chinese, pair.english) for pair in kept] == [
        ("我 迟到了。", "I am late."),
        ("我迟到了。", "Sorry, I'm late."),
        ("咖啡很香。", "The café smells good."),
    ]


def test_the_splits_are_the_same_for_ever():
    """If this fails, the figures in the chapters and everybody's results are no longer comparable."""
    assert {split: len(pairs) for split, pairs in HSK.items()} == {
        "train": 3844,
        "validation": 204,
        "test": 220,
    }
    assert {
        split: digest("\n".join(pair.chinese for pair in pairs))[:16] for split, pairs in HSK.items()
    } == {
        "train": "b0c6eaf85f57c3f0",
        "validation": "a2037dc3d7ba847f",
        "test": "f89a07c144d3b8cc",
    }
    assert split_of("爷爷和奶奶身体都很好。") == split_of(" 爷爷和奶奶身体都很好！") == "validation"
    assert split_of("我们准备一下就走。") == "test"
    assert split_of("我是一名工程师。") == "train"


def test_no_sentence_is_in_two_splits():
    for one, other in combinations(SPLITS, 2):
        assert not sentences(HSK[one]) & sentences(HSK[other]), (one, other)


def test_pairs_that_share_a_sentence_stay_together():
    chinese = {split_of(f"第{number}句"): f"第{number}句" for number in range(100)}
    assert chinese.keys() == set(SPLITS)
    first = Pair(chinese["train"], "the same", "a")
    follows = Pair(chinese["test"], "The same!", "a")
    other = Pair(chinese["validation"], "another", "a")
    joins = Pair(chinese["validation"], "the same", "b")
    splits = split_pairs([first, follows, other, joins])
    assert splits == {"train": [first, follows], "validation": [other], "test": []}


def test_more_data_moves_nothing():
    records = clean(data.hsk_records())
    before, after = split_pairs(records[:2000]), split_pairs(records)
    for split in SPLITS:
        assert after[split][: len(before[split])] == before[split]


def test_a_pair_has_all_its_fields():
    assert HSK["train"][0] == Pair(
        "老师，您好！", "Hello, teacher!", "hsk", 1, "greetings", "lǎo shī nín hǎo"
    )
    assert {pair.level for pairs in HSK.values() for pair in pairs} == {1, 2, 3, 4, 5, 6}


def test_the_corpus_is_the_training_split():
    assert data.corpus("zh").split("\n") == [pair.chinese for pair in HSK["train"]]
    assert data.corpus("en").split("\n") == [pair.english for pair in HSK["train"]]
    assert data.corpus("both").startswith("老师，您好！\nHello, teacher!\n你好，很高兴认识你。\n")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.translation_pairs("tatoeba"), "source is 'tatoeba': use one of hsk, technical, all"),
        (lambda: data.translation_pairs("hsk", "dev"), "split is 'dev': use one of train, validation, test"),
        (lambda: data.corpus("fr"), "language is 'fr': use one of en, zh, both"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- GPT-2


def test_gpt2_is_openais():
    """The SHA-256 are those of OpenAI's own vocab.bpe and encoder.json."""
    merges = data.gpt2_merges()
    assert len(merges) == 50_000
    assert merges[:2] == [("Ġ", "t"), ("Ġ", "a")]
    text = "".join(f"{left} {right}\n" for left, right in merges)
    assert (
        digest(f"#version: 0.2\n{text}") == "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"
    )
    encoder = json.dumps(data.gpt2_vocabulary())
    assert digest(encoder) == "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783"


def test_every_byte_has_a_visible_symbol():
    symbols = data.gpt2_byte_symbols()
    assert sorted(symbols) == list(range(256))
    assert len(set(symbols.values())) == 256
    assert all(symbol.isprintable() and not symbol.isspace() for symbol in symbols.values())
    assert (symbols[ord("A")], symbols[ord(" ")], symbols[ord("\n")]) == ("A", "Ġ", "Ċ")


# ---- files


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("hsk/sentences.tsv", data.hsk_records),
        ("gpt2/vocab.bpe.gz", data.gpt2_merges),
        ("translation/model.safetensors", data.translation_model),
        ("translation/merges.txt", data.translation_model),
        ("translation/log.json", data.translation_model),
    ],
)
def test_a_tampered_or_missing_file_is_refused(name, read, tmp_path, monkeypatch):
    copy = tmp_path / name
    shutil.copytree((files.HERE / name).parent, copy.parent)
    monkeypatch.setattr(files, "HERE", tmp_path)
    assert read()
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    with pytest.raises(data.DataError, match=f"{name} is not the file that was published: install"):
        read()
    copy.unlink()
    with pytest.raises(data.DataError, match=f"{name} is missing: install"):
        read()


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {}, "~/.cache/decoder-from-scratch"),
        ("linux", {"XDG_CACHE_HOME": "/caches"}, "/caches/decoder-from-scratch"),
        ("darwin", {}, "~/Library/Caches/decoder-from-scratch"),
        ("win32", {"LOCALAPPDATA": "/Local"}, "/Local/decoder-from-scratch"),
        ("win32", {"DECODER_DATA": "~/mine"}, "~/mine"),
    ],
)
def test_caches_lie_where_the_platform_keeps_them(platform, variables, folder, monkeypatch):
    for name in ("DECODER_DATA", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(files.sys, "platform", platform)
    assert files.cache() == Path(folder).expanduser()


def test_every_shipped_file_has_its_licence_beside_it():
    folders = {path.parent for path in files.HERE.glob("*/*") if path.suffix in {".tsv", ".gz", ".json"}}
    assert {folder.name for folder in folders} == {"hsk", "gpt2", "translation"}
    licences = {folder.name: (folder / "LICENSE").read_text(encoding="utf-8") for folder in folders}
    assert "Attribution-ShareAlike 4.0 International" in licences["hsk"]
    assert "hsk-sentences-audio 1.0.0" in licences["hsk"]
    assert "Copyright (c) 2019 OpenAI" in licences["gpt2"]
    assert "CC-BY-SA-4.0" in licences["translation"] and "../hsk/LICENSE" in licences["translation"]


def test_the_trained_model_is_whole_and_small():
    trained = data.translation_model()
    assert (files.HERE / "translation/model.safetensors").stat().st_size <= 12_000_000
    n_symbols = 3 + 256
    assert trained.weights["embed.embedding.weight"].shape == (
        n_symbols + len(trained.merges),
        trained.settings["d_model"],
    )
    assert len(trained.merges) == trained.settings["n_merges"]
    assert {weight.dtype for weight in trained.weights.values()} == {torch.float32}
    assert all(weight.isfinite().all() for weight in trained.weights.values())
    assert trained.log["parameters"] == sum(weight.numel() for weight in trained.weights.values())
    epochs = [told["epoch"] for told in trained.log["log"]]
    assert epochs == [*range(1, len(epochs) + 1)]
    assert trained.log["versions"]["torch"] and trained.log["machine"]["device"]


# ---- packages, made here in the formats of the real ones


def make_wheel(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def make_tar(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def make_debian(path, members):
    inner = path.with_suffix(".tar.xz")
    make_tar(inner, {f"./{name}": content for name, content in members.items()}, "w:xz")
    with path.open("wb") as package:
        package.write(b"!<arch>\n")
        for name, content in (
            ("debian-binary", b"2.0\n"),
            ("control.tar.xz", b"odd"),
            ("data.tar.xz", inner.read_bytes()),
        ):
            package.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode())
            package.write(content + b"\n" * (len(content) % 2))


MAKERS = {".whl": make_wheel, ".tgz": make_tar, ".deb": make_debian}


@pytest.mark.parametrize("suffix", MAKERS)
def test_wanted_files_are_read_and_nothing_is_written(suffix, tmp_path):
    path = tmp_path / f"package{suffix}"
    MAKERS[suffix](path, {"b/en.json": b"{}", "a/en.json": b"[]", "a/code.py": b"raise SystemExit"})
    before = set(tmp_path.rglob("*"))
    assert packages.read_files(path, r"\w/en\.json") == {"a/en.json": b"[]", "b/en.json": b"{}"}
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("suffix", MAKERS)
def test_paths_that_lead_outside_are_never_followed(suffix, tmp_path):
    path = tmp_path / "inside" / f"package{suffix}"
    path.parent.mkdir()
    inner = [name for members, _ in EXAMPLES.values() for name in members]
    names = [f"{outside}{name}" for outside in ("../", "/", "x/../../", "C:\\") for name in inner]
    MAKERS[suffix](path, dict.fromkeys(names, b"{}"))
    for source in technical.SOURCES:
        assert packages.read_files(path, source.wanted) == {}
    assert [found for found in tmp_path.rglob("*") if found.suffix in {".json", ".html"}] == []


@pytest.mark.parametrize("suffix", MAKERS)
def test_bombs_are_not_unpacked(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"package{suffix}"
    MAKERS[suffix](path, {"en.json": bytes(packages.LARGEST_FILE + 1)})
    assert path.stat().st_size < packages.LARGEST_FILE / 100
    with pytest.raises(data.DataError, match=r"holds too much at 'en\.json'"):
        packages.read_files(path, ".*")
    monkeypatch.setattr(packages, "LARGEST_TOTAL", 100)
    MAKERS[suffix](path, {f"{number}.json": bytes(30) for number in range(4)})
    with pytest.raises(data.DataError, match=r"holds too much at '3\.json'"):
        packages.read_files(path, ".*")


def test_links_are_not_followed(tmp_path):
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("en.json")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    wheel = tmp_path / "package.whl"
    with zipfile.ZipFile(wheel, "w") as package:
        entry = zipfile.ZipInfo("en.json")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        package.writestr(entry, "/etc/passwd")
    for path in (archive, wheel):
        with pytest.raises(data.DataError, match="is not a regular file"):
            packages.read_files(path, ".*")


@pytest.mark.parametrize("suffix", MAKERS)
@pytest.mark.parametrize("damage", ["empty", "text", "half", "negative size"])
def test_damaged_packages_are_named(suffix, damage, tmp_path):
    path = tmp_path / f"package{suffix}"
    MAKERS[suffix](path, {"en.json": bytes(range(256)) * 100})
    whole = path.read_bytes()
    damaged = {
        "empty": b"",
        "text": b"<html>404</html>",
        "half": whole[: len(whole) // 2],
        "negative size": b"!<arch>\n" + b"x".ljust(48) + b"-60".ljust(10) + b"`\n",
    }
    path.write_bytes(damaged[damage])
    with pytest.raises(data.DataError, match=f"package{suffix} is damaged"):
        packages.read_files(path, ".*")


# ---- fetching, without a network


def package_at(path, content, **others):
    described = {"title": "some 1.0", "file": "some.tgz", "client": ("no-such-client",), **others}
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return packages.Package(size=len(content), sha256=sha256, addresses=(path.as_uri(),), **described)


def test_a_package_is_fetched_once(tmp_path, caches):
    origin = tmp_path / "origin.tgz"
    package = package_at(origin, b"content")
    assert packages.fetch(package, caches).read_bytes() == b"content"
    origin.unlink()
    assert packages.fetch(package, caches) == caches / "some.tgz"
    assert [path.name for path in caches.iterdir()] == ["some.tgz"]


def test_the_registrys_client_comes_first(tmp_path, caches):
    write = "import pathlib; pathlib.Path('any-name.tgz').write_bytes(b'content')"
    package = package_at(tmp_path / "origin.tgz", b"content", client=(packages.sys.executable, "-c", write))
    (tmp_path / "origin.tgz").unlink()
    assert packages.fetch(package, caches).read_bytes() == b"content"


def test_another_file_under_the_same_name_is_refused(tmp_path, caches):
    origin = tmp_path / "origin.tgz"
    package = package_at(origin, b"content")
    origin.write_bytes(b"contents that are longer, and another's")
    with pytest.raises(data.DataError) as refusal:
        packages.fetch(package, caches)
    for part in ("some 1.0", "no-such-client is not installed", "another file", package.sha256, "some.tgz"):
        assert part in str(refusal.value)
    assert not list(caches.iterdir())


def test_every_package_is_pinned():
    for package in (package for source in technical.SOURCES for package in source.packages):
        assert len(bytes.fromhex(package.sha256)) == 32 and package.size > 0
        assert any(package.title.split()[1] in word for word in package.client)
        assert all(address.startswith("https://") for address in package.addresses)


# ---- the formats of the technical sources: excerpts as they stand in the real packages

ENGLISH_PAGE = b"""<h2 id="hd_id3155543" dir="auto">To Edit a Footnote or Endnote</h2>
<li itemprop="itemListElement"><p id="par_id3145081" class="listitem" dir="auto">To edit the numbering
properties, choose <a target="_top" href="en-US/text/swriter/01/02150000.html"><span class="emph">Edit -
Footnote/Endnote</span></a>.</p></li>
<p id="par_id3145029" class="listitem" dir="auto">Press <span id="swln_2" class="switchinline"><span
hidden="true" id="MAC_2" class="MAC">Command+T</span><span hidden="true" id="default_2">F11</span></span>.</p>
<p id="par_id3150729" class="listitem" dir="auto">Type the note &amp; go on.</p>
<p dir="auto">Title is: nothing</p>"""
CHINESE_PAGE = """<h2 id="hd_id3155543" dir="auto">编辑脚注或尾注</h2>
<p id="par_id3145081" class="listitem" dir="auto">要编辑编号属性，请选择<a target="_top"
href="zh-CN/text/swriter/01/02150000.html"><span class="emph">编辑 - 脚注/尾注</span></a>。</p>
<p id="par_id3145029" class="listitem" dir="auto">按<span hidden="true" class="MAC">命令+T</span>。</p>
<p id="par_id3150729" class="listitem" dir="auto">Type the note &amp; go on.</p>""".encode()
HOME_ENGLISH = {
    "config": {
        "error": {"cannot_connect": "Failed to connect", "invalid_auth": "Invalid authentication"},
        "step": {"user": {"data": {"password": "Password"}, "title": "Connect to {host}"}},
    }
}
HOME_CHINESE = {
    "config": {
        "error": {"cannot_connect": "连接失败"},
        "step": {"user": {"data": {"password": "密码"}, "title": "连接到 {host}"}},
    },
    "title": "没有英文",
}
CATALOGUE = {
    "": {"domain": "nbdime", "language": "zh-CN", "plural_forms": "nplurals=1; plural=0;"},
    "Cell added locally": ["本地添加了单元格"],
    "menu\x04Clear all cell outputs": ["清除所有单元格的输出"],
    "Added on both sides": [""],
}
EXAMPLES = {
    "libreoffice": (
        {
            "usr/share/libreoffice/help/en-US/text/swriter/guide/footnote_usage.html": ENGLISH_PAGE,
            "usr/share/libreoffice/help/zh-CN/text/swriter/guide/footnote_usage.html": CHINESE_PAGE,
            "usr/share/libreoffice/help/zh-CN/text/swriter/guide/alone.html": CHINESE_PAGE,
        },
        [
            ("编辑脚注或尾注", "To Edit a Footnote or Endnote"),
            (
                "要编辑编号属性，请选择编辑 - 脚注/尾注。",
                "To edit the numbering properties, choose Edit - Footnote/Endnote.",
            ),
        ],
    ),
    "homeassistant": (
        {
            "homeassistant/components/abode/translations/en.json": HOME_ENGLISH,
            "homeassistant/components/abode/translations/zh-Hans.json": HOME_CHINESE,
            "homeassistant/components/abode/translations/de.json": {},
        },
        [("连接失败", "Failed to connect")],
    ),
    "matrix": (
        {
            "package/src/i18n/strings/en_EN.json": {
                "settings": {"general": {"msisdn_in_use": "This phone number is already in use"}},
                "AM": "AM",
            },
            "package/src/i18n/strings/zh_Hans.json": {
                "settings": {"general": {"msisdn_in_use": "此电话号码已被使用"}},
                "Join Room": "加入房间",
                "AM": "上午",
            },
        },
        [("此电话号码已被使用", "This phone number is already in use")],
    ),
    "scratch": (
        {
            "package/editor/interface/en.json": {"gui.alerts.tryAgain": "Try Again"},
            "package/editor/interface/zh-cn.json": {"gui.alerts.tryAgain": "重试"},
            "package/www/scratch-website.faq-l10njson/en.json": {"faq.title": "Frequently Asked Questions"},
            "package/www/scratch-website.faq-l10njson/zh-cn.json": {"faq.title": "常见问题"},
            "package/locales/editor/zh-cn.json": {"gui.alerts.tryAgain": "不同的"},
        },
        [("重试", "Try Again"), ("常见问题", "Frequently Asked Questions")],
    ),
    "jupyterlab": (
        {"jupyterlab_language_pack_zh_CN/locale/zh_CN/LC_MESSAGES/nbdime.json": CATALOGUE},
        [
            ("本地添加了单元格", "Cell added locally"),
            ("清除所有单元格的输出", "Clear all cell outputs"),
        ],
    ),
}


def example_packages(source, folder):
    """The packages of a source, made of its example; of two, each with one of the languages."""
    members = {
        name: content if isinstance(content, bytes) else json.dumps(content).encode()
        for name, content in EXAMPLES[source.name][0].items()
    }
    folder.mkdir(exist_ok=True)
    for package in source.packages:
        mine = members
        if len(source.packages) == 2:
            language = "/en-US/" if "en-us" in package.file else "/zh-CN/"
            mine = {name: content for name, content in members.items() if language in name}
        path = folder / package.file
        MAKERS[path.suffix](path, mine)
        yield path


@pytest.mark.parametrize("source", technical.SOURCES, ids=lambda source: source.name)
def test_each_format_is_read_and_aligned(source, tmp_path):
    pairs = technical.pairs_of(source, list(example_packages(source, tmp_path)))
    assert [(pair.chinese, pair.english) for pair in pairs] == EXAMPLES[source.name][1]
    assert {pair.source for pair in pairs} == {source.name}


def test_what_is_no_sentence_is_left_out():
    kept = technical.of_moderate_length(
        technical.without_code(
            Pair(chinese, english, "x")
            for chinese, english in [
                ("打开文件。", "Open the file."),
                ("密码", "Password"),
                ("连接到 {host}", "Connect to {host}"),
                ("见 https://example.org", "See https://example.org"),
                ("正在加载……", "Loading it"),
                ("正在加载", "Loading it..."),
                ("字" * 41, "far too long"),
                ("太长", "word " * 21),
            ]
        )
    )
    assert [pair.english for pair in kept] == ["Open the file."]


# ---- the command


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """All packages are there, made of the examples, as if just fetched; those in `absent` are not."""
    absent = set()
    paths = {
        path.name: path
        for source in technical.SOURCES
        for path in example_packages(source, tmp_path / "registry")
    }

    def fetch(package, folder):
        if package.file in absent:
            raise data.DataError(f"{package.title} could not be fetched: connect")
        return paths[package.file]

    monkeypatch.setattr(technical, "fetch", fetch)
    return absent


def test_technical_pairs_are_built_and_loaded(fetched, caches, monkeypatch, capsys):
    with pytest.raises(data.DataError, match=r"have not been built .*: run python -m companion\.data\.tech"):
        data.translation_pairs("technical")
    assert technical.main([]) == 0
    assert "8 pairs are ready" in capsys.readouterr().out
    assert [path.name for path in caches.iterdir()] == ["technical.tsv"]
    with pytest.warns(UserWarning, match="is not what this course was tested with"):
        data.translation_pairs("technical")
    monkeypatch.setattr(technical, "TECHNICAL_SHA256", files.sha256(technical.technical_path().read_bytes()))
    data._splits.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pairs = [pair for split in SPLITS for pair in data.translation_pairs("technical", split)]
    assert {pair.source for pair in pairs} == set(EXAMPLES)
    for split in SPLITS:
        both = data.translation_pairs("all", split)
        assert both[: len(HSK[split])] == HSK[split]
        assert both[len(HSK[split]) :] == data.translation_pairs("technical", split)


def test_what_is_missing_is_named_and_left_out_only_when_told(fetched, caches, capsys):
    package = technical.SOURCES[0].packages[1]
    fetched.add(package.file)
    assert technical.main([]) == 1
    said = capsys.readouterr().err
    assert f"{package.title} could not be fetched" in said and "--skip-missing" in said
    assert not technical.technical_path().exists()
    assert technical.main(["--skip-missing"]) == 0
    assert f"{package.title} could not be fetched" in capsys.readouterr().err
    assert "libreoffice" not in technical.technical_path().read_text(encoding="utf-8")


def test_a_build_that_is_stopped_leaves_the_old_one(caches, monkeypatch):
    technical.write([Pair("旧的", "the old one", "x")], technical.technical_path())

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(technical.os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        technical.write([Pair("新的", "the new one", "x")], technical.technical_path())
    assert technical.technical_path().read_text(encoding="utf-8") == "旧的\tthe old one\tx\n"
