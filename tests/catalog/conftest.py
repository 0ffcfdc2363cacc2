import pytest


@pytest.fixture
def upload_folders(settings, tmp_path):
    """The folder that holds both storages, `media` and `private`, empty."""
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": backend, "OPTIONS": {"location": tmp_path / "media", "base_url": "/media/"}},
        "private": {"BACKEND": backend, "OPTIONS": {"location": tmp_path / "private", "base_url": None}},
    }
    return tmp_path


@pytest.fixture
def full_disk(settings, upload_folders):
    """Both storages of `upload_folders` on a disk that has room for `FullDisk.files_left` files and a half."""
    settings.STORAGES = {
        name: {**storage, "BACKEND": "tests.catalog.upload_files.FullDisk"} if name != "staticfiles" else storage
        for name, storage in settings.STORAGES.items()
    }
