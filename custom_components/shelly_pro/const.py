"""Names used all over the integration."""

import logging
from typing import Final

DOMAIN: Final = "shelly_pro"
LOGGER: Final = logging.getLogger(__package__)

CONF_TOPIC_PREFIX: Final = "topic_prefix"
"""Config entry data: the device's MQTT topic prefix, `None` while its MQTT is switched off."""

CONF_TLS: Final = "tls"
"""How a device protects its connection to the broker, in forms and actions."""

DEFAULT_PORT: Final = 80
MANUFACTURER: Final = "Shelly"

CONF_RATED_POWER: Final = "rated_power_w"
"""Config entry options: what the load of a relay draws, in watts by component key (`switch:0`), if a person said so."""

CONF_PROTECTED: Final = "protected"
"""Config entry data: whether we have given the device its password, and take it away again when it is removed."""
