"""What the documents of the app say that the code says, too."""

import re
import tomllib

import yaml

from shelly_app.broker import document_table
from shelly_app.handouts import AUTHORITY, GRAFANA_PASSWORD, LOGINS
from tests.stack import REPOSITORY

APP = REPOSITORY / "addon"
DOCS = (APP / "DOCS.md").read_text()


def test_the_table_of_rights_is_that_of_the_broker() -> None:
    between = re.search(r"<!-- access[^>]*-->\n(.*?)<!-- /access -->", DOCS, re.DOTALL)
    assert between is not None
    assert between[1].strip() == document_table().strip()


def test_files_that_people_are_sent_to_are_made() -> None:
    for name in (LOGINS, AUTHORITY, GRAFANA_PASSWORD):
        assert name in DOCS


def test_one_version_everywhere() -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    compose = yaml.safe_load((APP / "compose.yaml").read_text())
    configuration = yaml.safe_load((APP / "config.yaml").read_text())
    assert compose["services"]["shelly-pro"]["image"] == f"{configuration['image']}:{version}"
    assert f"ARG BUILD_VERSION={version}\n" in (APP / "Dockerfile").read_text()


def test_every_option_that_the_documents_name_exists() -> None:
    texts = yaml.safe_load((APP / "translations" / "en.yaml").read_text())["configuration"]
    for section, option in re.findall(r"\*(MQTT|Database|Boards|Alerts) → ([^*→]+)\*", DOCS):
        fields = next(text["fields"] for text in texts.values() if text["name"] == section)
        assert option in {field["name"] for field in fields.values()}, f"{section} → {option}"
