"""Our broker: who may log in, what each may read and write, and the files Mosquitto reads."""

from .access import document_table
from .certificates import authority_path, client_paths
from .configuration import command, files

__all__ = ["authority_path", "client_paths", "command", "document_table", "files"]
