"""The C library uplink as ctypes sees it: structures and prototypes of its uplink_definitions.h. Calls nothing."""

from __future__ import annotations

import ctypes
import platform
import sys
from ctypes import POINTER, c_bool, c_char_p, c_int32, c_int64, c_size_t, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from streamsink.errors import TerminalError

_GATEWAY_HINT = (
    "use Storj's S3 gateway instead: archive.url=s3://BUCKET with archive.option.endpoint and the S3 keys that "
    "`uplink share --register` or Storj's console gives; it honours If-None-Match too"
)


class Handle(ctypes.Structure):
    """A handle to an object that uplink keeps for us: a project, an access, an upload or a download."""

    _fields_ = (("handle", c_size_t),)


class Config(ctypes.Structure):
    """UplinkConfig."""

    _fields_ = (("user_agent", c_char_p), ("dial_timeout_milliseconds", c_int32), ("temp_directory", c_char_p))


class Permission(ctypes.Structure):
    """UplinkPermission."""

    _fields_ = (
        ("allow_download", c_bool),
        ("allow_upload", c_bool),
        ("allow_list", c_bool),
        ("allow_delete", c_bool),
        ("not_before", c_int64),
        ("not_after", c_int64),
    )


class SharePrefix(ctypes.Structure):
    """UplinkSharePrefix."""

    _fields_ = (("bucket", c_char_p), ("prefix", c_char_p))


class Bucket(ctypes.Structure):
    """UplinkBucket."""

    _fields_ = (("name", c_char_p), ("created", c_int64))


class SystemMetadata(ctypes.Structure):
    """UplinkSystemMetadata; times are Unix seconds."""

    _fields_ = (("created", c_int64), ("expires", c_int64), ("content_length", c_int64))


class MetadataEntry(ctypes.Structure):
    """UplinkCustomMetadataEntry; texts have lengths and no end mark."""

    _fields_ = (("key", c_void_p), ("key_length", c_size_t), ("value", c_void_p), ("value_length", c_size_t))


class CustomMetadata(ctypes.Structure):
    """UplinkCustomMetadata."""

    _fields_ = (("entries", POINTER(MetadataEntry)), ("count", c_size_t))


class Object(ctypes.Structure):
    """UplinkObject."""

    _fields_ = (("key", c_char_p), ("is_prefix", c_bool), ("system", SystemMetadata), ("custom", CustomMetadata))


class ListOptions(ctypes.Structure):
    """UplinkListObjectsOptions."""

    _fields_ = (
        ("prefix", c_char_p),
        ("cursor", c_char_p),
        ("recursive", c_bool),
        ("system", c_bool),
        ("custom", c_bool),
    )


class UploadOptions(ctypes.Structure):
    """UplinkUploadOptions; Unix seconds, 0 for ever."""

    _fields_ = (("expires", c_int64),)


class DownloadOptions(ctypes.Structure):
    """UplinkDownloadOptions; a length below 0 is to the end."""

    _fields_ = (("offset", c_int64), ("length", c_int64))


class Error(ctypes.Structure):
    """UplinkError."""

    _fields_ = (("code", c_int32), ("message", c_char_p))


ErrorPointer = POINTER(Error)


def _result(name: str, field: str, kind: Any) -> type[ctypes.Structure]:
    return type(name, (ctypes.Structure,), {"_fields_": ((field, kind), ("error", ErrorPointer))})


HandlePointer = POINTER(Handle)
HandleResult = _result("HandleResult", "value", HandlePointer)
BucketResult = _result("BucketResult", "value", POINTER(Bucket))
ObjectResult = _result("ObjectResult", "value", POINTER(Object))
StringResult = _result("StringResult", "value", c_char_p)
CountResult = _result("CountResult", "value", c_size_t)

PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "uplink_parse_access": (HandleResult, (c_char_p,)),
    "uplink_config_request_access_with_passphrase": (HandleResult, (Config, c_char_p, c_char_p, c_char_p)),
    "uplink_access_share": (HandleResult, (HandlePointer, Permission, POINTER(SharePrefix), c_int64)),
    "uplink_access_serialize": (StringResult, (HandlePointer,)),
    "uplink_config_open_project": (HandleResult, (Config, HandlePointer)),
    "uplink_close_project": (ErrorPointer, (HandlePointer,)),
    "uplink_revoke_access": (ErrorPointer, (HandlePointer, HandlePointer)),
    "uplink_ensure_bucket": (BucketResult, (HandlePointer, c_char_p)),
    "uplink_stat_object": (ObjectResult, (HandlePointer, c_char_p, c_char_p)),
    "uplink_delete_object": (ObjectResult, (HandlePointer, c_char_p, c_char_p)),
    "uplink_list_objects": (HandlePointer, (HandlePointer, c_char_p, POINTER(ListOptions))),
    "uplink_object_iterator_next": (c_bool, (HandlePointer,)),
    "uplink_object_iterator_err": (ErrorPointer, (HandlePointer,)),
    "uplink_object_iterator_item": (POINTER(Object), (HandlePointer,)),
    "uplink_upload_object": (HandleResult, (HandlePointer, c_char_p, c_char_p, POINTER(UploadOptions))),
    "uplink_upload_write": (CountResult, (HandlePointer, c_void_p, c_size_t)),
    "uplink_upload_set_custom_metadata": (ErrorPointer, (HandlePointer, CustomMetadata)),
    "uplink_upload_commit": (ErrorPointer, (HandlePointer,)),
    "uplink_upload_abort": (ErrorPointer, (HandlePointer,)),
    "uplink_download_object": (HandleResult, (HandlePointer, c_char_p, c_char_p, POINTER(DownloadOptions))),
    "uplink_download_read": (CountResult, (HandlePointer, c_void_p, c_size_t)),
    "uplink_close_download": (ErrorPointer, (HandlePointer,)),
    "uplink_free_access_result": (None, (HandleResult,)),
    "uplink_free_string_result": (None, (StringResult,)),
    "uplink_free_project_result": (None, (HandleResult,)),
    "uplink_free_bucket_result": (None, (BucketResult,)),
    "uplink_free_object_result": (None, (ObjectResult,)),
    "uplink_free_object": (None, (POINTER(Object),)),
    "uplink_free_object_iterator": (None, (HandlePointer,)),
    "uplink_free_upload_result": (None, (HandleResult,)),
    "uplink_free_write_result": (None, (CountResult,)),
    "uplink_free_download_result": (None, (HandleResult,)),
    "uplink_free_read_result": (None, (CountResult,)),
    "uplink_free_error": (None, (ErrorPointer,)),
}


@cache
def load() -> ctypes.CDLL:
    """The library, in this process. It runs Go's threads from now on: a process that has it must not fork.

    Raises:
        TerminalError: It isn't there, or not for this machine.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise TerminalError(
            f"sj:// needs Linux on x86-64, this is {sys.platform} on {platform.machine()}", hint=_GATEWAY_HINT
        )
    package = find_spec("storj_uplink")
    if package is None or package.origin is None:
        raise TerminalError(
            "sj:// needs the package storj-uplink", hint=f"install streamsink[storj]; or {_GATEWAY_HINT}"
        )
    try:
        library = ctypes.CDLL(str(Path(package.origin).with_name("libuplink.so")))
    except OSError as error:
        raise TerminalError(f"libuplink.so can't be loaded: {error}", hint=_GATEWAY_HINT) from None
    for name, (result, arguments) in PROTOTYPES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
