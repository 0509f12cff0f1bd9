"""The way through tensorflow-datasets, preparing and reading: no network, no TensorFlow."""

import io
import re
import socket
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from jaxgen.data import load
from jaxgen.data.images import tfds as images_tfds
from jaxgen.data.lazy import Lazy
from jaxgen.data.tfds import MAX_RETRIES
from jaxgen.errors import UserError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The library's folder of prepared sets; afterwards, TensorFlow has not been imported."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    yield tmp_path
    assert "tensorflow" not in sys.modules


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    file.seek(0)
    return file


def pixels(index, height=5, width=7):
    return np.random.default_rng(index).integers(0, 256, (height, width), np.uint8)


def make_set(class_name, features, **splits):
    """Register a set of our own, which needs no network, with these features and examples."""
    import tensorflow_datasets as tfds

    def info(self):
        features_dict = tfds.features.FeaturesDict(features(tfds.features))
        return tfds.core.DatasetInfo(builder=self, features=features_dict, disable_shuffling=True)

    def split_generators(self, dl_manager):
        return {split: enumerate(examples) for split, examples in splits.items()}

    members = {
        "VERSION": tfds.core.Version("1.0.0"),
        "_info": info,
        "_split_generators": split_generators,
        "_generate_examples": None,  # abstract in the base class; the splits are given as they are
    }
    type(class_name, (tfds.core.GeneratorBasedBuilder,), members)


def fails(name, kind, *patterns):
    with pytest.raises(UserError) as raised:
        load(f"tfds:{name}", kind=kind, seq_len=2)
    message = str(raised.value)
    assert "\n" not in message
    assert message.endswith(".")
    for pattern in patterns:
        assert pattern in message


def test_the_digits_prepared_and_read_back_equal_the_digits(folder, capsys):
    direct = load("digits", kind="images")
    for source in ("tfds:jaxgen_digits", "tfds:jaxgen_digits:1.0.0"):  # prepares; then reads
        data = load(source, kind="images")
        assert data.spec == direct.spec
        for ours, theirs in ((direct.train, data.train), (direct.test, data.test)):
            every = np.arange(ours.num_examples)
            expected, batch = ours.take(ours.arrays, every), theirs.take(theirs.arrays, every)
            assert batch.keys() == expected.keys()
            for name in batch:
                np.testing.assert_array_equal(batch[name], expected[name])
                assert batch[name].dtype == expected[name].dtype
    assert list(folder.glob("jaxgen_digits/1.0.0/*-train.array_record-*"))
    assert not capsys.readouterr().out


def test_images_of_eight_bits_are_decoded_by_pillow():
    # A builder that hands images over as files can be prepared without TensorFlow.
    make_set(
        "OwnPngs",
        lambda f: {"image": f.Image(shape=(5, 7, 1)), "label": f.ClassLabel(num_classes=3)},
        train=[{"image": png(pixels(i)), "label": i % 3} for i in range(4)],
        validation=[{"image": png(pixels(9)), "label": 1}],
    )
    data = load("tfds:own_pngs", kind="images")
    expected = np.stack([pixels(i) for i in range(4)])[..., None]
    np.testing.assert_array_equal(data.train.arrays["image"], expected)
    np.testing.assert_array_equal(data.test.arrays["image"][0, ..., 0], pixels(9))
    assert data.train.arrays["label"].tolist() == [0, 1, 2, 0]
    assert data.train.levels == 255


def test_a_large_set_is_decoded_from_its_files_as_it_is_needed(monkeypatch, tmp_path):
    """The batches are those of the set in memory; its last tenth is held out."""
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path / "cache"))
    make_set(
        "OwnLarge",
        lambda f: {"label": f.ClassLabel(num_classes=3), "image": f.Image(shape=(5, 7, 1))},
        train=[{"image": png(pixels(i)), "label": i % 3} for i in range(23)],
    )
    small = load("tfds:own_large", kind="images")
    monkeypatch.setattr(images_tfds, "IN_MEMORY_BYTES", 100)
    large = load("tfds:own_large", kind="images")
    assert large.spec == small.spec and isinstance(small.train.arrays["image"], np.ndarray)
    for part, other in ((large.train, small.train), (large.test, small.test)):
        assert isinstance(part.arrays["image"], Lazy)
        indices = np.random.default_rng(0).permutation(other.num_examples)
        ours, theirs = (each.take(each.arrays, indices) for each in (part, other))
        for name in theirs:
            np.testing.assert_array_equal(ours[name], theirs[name])


def test_a_set_without_a_held_out_split_and_without_labels():
    make_set(
        "OwnTensors",
        lambda f: {"image": f.Tensor(shape=(5, 7), dtype=np.uint8)},
        train=[{"image": pixels(i)} for i in range(10)],
    )
    data = load("tfds:own_tensors", kind="images")
    assert (data.train.num_examples, data.spec.num_classes) == (9, None)
    np.testing.assert_array_equal(data.test.arrays["image"][0, ..., 0], pixels(9))


def test_texts_are_joined():
    make_set(
        "OwnTexts",
        lambda f: {"text": f.Text()},
        train=[{"text": "春眠不觉晓"}, {"text": "two"}],
        test=[{"text": "odd"}],
    )
    data = load("tfds:own_texts", kind="text", seq_len=2)
    assert data.spec.tokenizer.decode(data.train.arrays["tokens"]) == "春眠不觉晓\ntwo"
    assert data.spec.tokenizer.decode(data.test.arrays["tokens"]) == "odd"
    assert data.test.num_characters == 3
    fails("own_texts", "images", "tfds:own_texts has no feature 'image' but text: choose")


def test_a_text_in_one_split_holds_out_its_last_tenth():
    make_set("OwnBook", lambda f: {"text": f.Text()}, train=[{"text": "0123456789" * 4}])
    data = load("tfds:own_book", kind="text", seq_len=2)
    assert data.spec.tokenizer.decode(data.test.arrays["tokens"]) == "6789"


def test_no_network_is_one_sentence_after_few_attempts(monkeypatch):
    """Ten of them, as tensorflow-datasets makes by itself, take minutes."""
    from tensorflow_datasets.core.download import downloader  # not measured

    attempts = []

    def unreachable(*args, **kwargs):
        attempts.append(args[0])
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    retries = downloader.MAX_RETRIES
    fails("mnist", "images", "tfds:mnist could not be downloaded", "TFDS_DATA_DIR")
    assert 4 <= len(attempts) <= 4 * (1 + MAX_RETRIES)  # MNIST has four files
    assert retries == downloader.MAX_RETRIES


@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="TensorFlow is installed here")
def test_images_handed_over_as_pixels_need_tensorflow():
    make_set(
        "OwnPixels",
        lambda f: {"image": f.Image(shape=(5, 7, 1))},
        train=[{"image": pixels(0)[..., None]}],
    )
    fails("own_pixels", "images", "only TensorFlow can prepare", "pip install 'jaxgen[tensorflow]'")


def test_another_package_that_is_missing_is_named():
    def examples():
        import nowhere_to_be_found

        yield {"text": nowhere_to_be_found.text}

    make_set("OwnNeeds", lambda f: {"text": f.Text()}, train=examples())
    fails("own_needs", "text", "needs the package nowhere_to_be_found to be prepared: install it")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("mnst", "no set 'mnst': did you mean 'mnist'? Otherwise choose one of its catalogue"),
        ("jaxgen_digit", "did you mean 'jaxgen_digits'?"),
        ("mnist:9.9.9", "no set 'mnist:9.9.9'"),
        ("mnist/nothing", "no set 'mnist/nothing'"),
        ("nothing_at_all", "no set 'nothing_at_all': choose one of its catalogue"),
    ],
)
def test_unknown_sets(name, pattern):
    fails(name, "images", pattern)


@pytest.mark.parametrize(
    "name",
    [
        "huggingface:mnist", "kaggle:user/set", "mnist/data_dir=elsewhere", "jaxgen_digits/../../x",
        "../x", "/tmp/x", "~/x", "gs://bucket/x", "jaxgen_digits/a/b", "a b", "mníst",
    ],
)  # fmt: skip
def test_what_would_lead_to_other_code_or_another_folder_is_no_name(name, monkeypatch):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(
        tfds, "builder", lambda *args, **kwargs: pytest.fail("the library was asked")
    )
    fails(name, "images", "cannot name a set: write tfds:SET, SET/CONFIG or SET:VERSION.")


@pytest.mark.parametrize(
    "name", ["own_set/v0.1-a+b", "own_set/en:1.2.*", "own_set:1.0.0", "own_set"]
)
def test_configurations_and_versions_are_passed_on(name, monkeypatch):
    import tensorflow_datasets as tfds

    class AskedError(Exception):
        pass

    def builder(asked, **options):
        raise AskedError(asked)

    monkeypatch.setattr(tfds, "builder", builder)
    with pytest.raises(AskedError, match=re.escape(name)):
        load(f"tfds:{name}", kind="images")


def test_a_feature_that_is_missing_is_reported_before_any_download():
    fails("mnist", "text", "tfds:mnist has no feature 'text' but image, label: choose")


def test_a_set_prepared_in_another_format(folder):
    load("tfds:jaxgen_digits", kind="images")
    info = folder / "jaxgen_digits" / "1.0.0" / "dataset_info.json"
    content = info.read_text(encoding="utf-8")
    assert '"array_record"' in content
    info.write_text(content.replace('"array_record"', '"tfrecord"'), encoding="utf-8")
    fails("jaxgen_digits", "images", "another file format than array_record", "TFDS_DATA_DIR")


def test_sets_that_cannot_be_one_array():
    make_set(
        "OwnSizes",
        lambda f: {"image": f.Image(shape=(None, None, 1))},
        train=[{"image": png(pixels(0))}, {"image": png(pixels(1, height=6))}],
    )
    fails("own_sizes", "images", "tfds:own_sizes has images of different sizes")
    make_set(
        "OwnTestOnly",
        lambda f: {"image": f.Tensor(shape=(5, 7), dtype=np.uint8)},
        test=[{"image": pixels(0)}],
    )
    fails("own_test_only", "images", "has no split 'train' but test: choose another set")


def test_sound_prepared_and_read_back():
    """Two clips in the one split, each without its last fifth; a set that tells no rate has ours."""
    rng = np.random.default_rng(0)
    clips = [rng.integers(-30_000, 30_000, n).astype(np.int16) for n in (500, 400)]
    make_set(
        "OwnTones",
        lambda f: {"audio": f.Tensor(shape=(None,), dtype=np.int16)},
        train=[{"audio": clip} for clip in clips],
    )
    data = load("tfds:own_tones", kind="audio", seq_len=20, sample_rate=8000)
    found = data.train.clips(data.train.arrays["wave"])
    np.testing.assert_array_equal(np.concatenate(found), [*clips[0][:400], *clips[1][:320]])
    with pytest.raises(UserError, match="--hop is for features that lie beside wav files"):
        load("tfds:own_tones", kind="audio", seq_len=20, hop=10)


@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="TensorFlow is installed here")
def test_sound_by_the_library_s_own_feature_needs_tensorflow():
    make_set("OwnAudio", lambda f: {"audio": f.Audio(sample_rate=8000)}, train=[])
    fails("own_audio", "audio", "only TensorFlow can prepare", "pip install 'jaxgen[tensorflow]'")
