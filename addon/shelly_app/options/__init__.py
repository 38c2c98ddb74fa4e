"""What a person can set, and reading it."""

from .certificates import check_files
from .errors import OptionsError
from .load import load
from .model import (
    Alerts,
    Boards,
    BrokerMode,
    Database,
    DatabaseKind,
    DatabaseMode,
    Login,
    LogLevel,
    Mqtt,
    Options,
    Role,
    Tls,
    TlsMode,
)
from .source import read

__all__ = [
    "Alerts",
    "Boards",
    "BrokerMode",
    "Database",
    "DatabaseKind",
    "DatabaseMode",
    "LogLevel",
    "Login",
    "Mqtt",
    "Options",
    "OptionsError",
    "Role",
    "Tls",
    "TlsMode",
    "check_files",
    "load",
    "read",
]
