"""Which models a request may spend our money on."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlm_kernel.agent.service.local_file import LocalFile
from rlm_kernel.agent.service.local_model import LocalModelKeeper
from rlm_kernel.agent.service.models import Models, local_file
from rlm_kernel.errors import ConfigurationError, ModelMissing, ModelNotAllowed, NotReady
from rlm_kernel.settings import ServiceSettings


def settings(**given: object) -> ServiceSettings:
    return ServiceSettings.model_validate(given)


def models(**given: object) -> Models:
    return Models(settings(**given), None)


def names(*chosen: str | None, **given: object) -> tuple[str, str]:
    choice = models(**given).choose(*chosen)
    return choice.model.name, choice.recursive_model.name


def test_the_default_is_asked_where_none_is_named() -> None:
    assert names(model="a/x") == ("a/x", "a/x")
    assert names("rlm", "rlm", model="a/x", recursive_model="a/y") == ("a/x", "a/y")
    assert names(None, "a/x", model="a/x", recursive_model="a/y") == ("a/x", "a/x")


def test_others_are_asked_where_the_settings_name_them() -> None:
    given = {"model": "a/x", "models": "a/y, a/z"}
    assert names("a/y", **given) == ("a/y", "a/y")
    assert names(None, "a/z", **given) == ("a/x", "a/z")
    assert models(**given).names == ("a/x", "a/y", "a/z")
    for refused in ("a/w", "*", "", "local"):
        with pytest.raises(ModelNotAllowed, match="is none of a/x, a/y, a/z"):
            names(refused, **given)
    with pytest.raises(ModelNotAllowed):
        names(None, "a/w", **given)


def test_a_star_allows_any_but_a_local_one() -> None:
    assert names("b/other", model="a/x", models="*") == ("b/other", "b/other")
    assert models(model="a/x", models="*").names == ("a/x",)
    with pytest.raises(ModelNotAllowed):
        names("local/x", model="a/x", models="*")


def test_without_a_model_it_is_not_ready() -> None:
    with pytest.raises(NotReady, match="set RLM_KERNEL_MODEL"):
        models().choose()


def weights(path: Path) -> Path:
    path.write_bytes(b"GGUF" + bytes(60))
    return path


def found(**given: object) -> Path:
    file = local_file(settings(**given))
    assert file is not None
    return file.find()


def test_a_local_file_is_served_where_it_is_named(tmp_path: Path) -> None:
    one = weights(tmp_path / "one.gguf")
    assert found(model_path=tmp_path) == one
    assert found(model_path=one, model="local") == one
    assert local_file(settings(model_path=one, model="a/x")) is None
    assert found(model_path=one, model="a/x", recursive_model="local") == one
    two = weights(tmp_path / "two.gguf")
    assert found(model_path=tmp_path, model="local/two") == two
    with pytest.raises(ConfigurationError, match="name one GGUF file"):
        local_file(settings(model_path=tmp_path))
    with pytest.raises(ConfigurationError, match="one local model is served"):
        local_file(settings(model_path=tmp_path, model="local/one", models="local/two"))
    with pytest.raises(ConfigurationError, match="needs MODEL_PATH"):
        models(model="local")


def test_a_local_model_that_is_not_there_yet_cannot_be_asked(tmp_path: Path) -> None:
    keeper = LocalModelKeeper(LocalFile(weights(tmp_path / "one.gguf")))
    made = Models(settings(model_path=tmp_path), keeper)
    assert (made.default, made.labels) == ("local", set())
    assert made.problem == "the local model is being loaded"
    with pytest.raises(NotReady, match="is being loaded"):
        made.choose()
    assert Models(settings(model="a/x", recursive_model="local"), keeper).problem == made.problem
    assert Models(settings(model="a/x", models="local"), keeper).problem is None


@pytest.mark.parametrize("name", [None, "one"])
def test_a_local_file_need_not_be_there_yet(tmp_path: Path, name: str | None) -> None:
    folder = tmp_path / "volume"
    file = local_file(settings(model_path=folder, model=f"local/{name}" if name else None))
    assert file is not None
    with pytest.raises(ModelMissing, match="volume: No such file"):
        file.find()
    folder.mkdir()
    with pytest.raises(ModelMissing, match="volume"):
        file.find()
    (folder / "one.gguf").touch()
    with pytest.raises(ModelMissing, match="is empty"):
        file.find()
    one = weights(folder / "one.gguf")
    assert file.find() == one


def test_a_local_file_that_is_no_model_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "one.gguf").write_bytes(b"PK\x03\x04")
    with pytest.raises(ConfigurationError, match="is not a GGUF file"):
        local_file(settings(model_path=tmp_path))
