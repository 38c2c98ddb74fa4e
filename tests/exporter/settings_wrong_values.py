"""Wrong values of settings, and what is said about each."""

PORT = "give a number from 1 to 65535"
HOST = "give a name or an address alone, without scheme, port and path"
NAME = "use letters, digits, - and _"
DEVICE_ID = "give it in the form shellypro3em-3ce90e6ff1a0"
WRONG = [
    ("mqtt.port", "99999", f"99999 is no port: {PORT}"),
    ("mqtt.port", "0", f"0 is no port: {PORT}"),
    ("mqtt.port", "mqtt", f"'mqtt' is no port: {PORT}"),
    ("mqtt.port", "18.5", f"18.5 is no port: {PORT}"),
    ("mqtt.port", "9" * 5000, f"'{'9' * 80}' is no port: {PORT}"),
    ("mqtt.host", "mqtt://broker", f"'mqtt://broker' is no host: {HOST}"),
    ("mqtt.host", "broker:1883", f"'broker:1883' is no host: {HOST}"),
    ("mqtt.host", "me:secret@broker", f"this (not shown, it may contain a password) is no host: {HOST}"),
    ("mqtt.client_id", "a/b", f"'a/b' is no name: {NAME}"),
    ("mqtt.client_id", "a\nb", f"'a\\nb' is no name: {NAME}"),
    ("mqtt.protocol", "4", "4 is no version of MQTT: give one of auto, 5, 3.1.1"),
    ("mqtt.tls", "maybe", "'maybe' is no yes or no: give true or false"),
    ("mqtt.tls_ca", "/nowhere/ca.pem", "there is no file /nowhere/ca.pem: create it or correct the path"),
    (
        "mqtt.tls_ca",
        "~nobody-at-all/ca.pem",
        "there is no user with a home folder of that name: give the whole path",
    ),
    ("mqtt.receive_maximum", "65535", "65535 is no number of messages: give a number from 1 to 65534"),
    ("mqtt.session_expiry_s", "-1", "-1 is no number of seconds: give a number from 60 to 4294967295"),
    ("mqtt.keepalive_s", "1e3", "'1e3' is no number of seconds: give a number from 5 to 3600"),
    (
        "mqtt.prefixes",
        "+,",
        "'' is no topic prefix: give what stands before /events/rpc, such as house/+",
    ),
    (
        "mqtt.prefixes",
        "house/",
        "'house/' is no topic prefix: give what stands before /events/rpc, such as house/+",
    ),
    ("mqtt.prefixes", "house/#", "'house/#' is no topic prefix: + stands for one whole level, and # cannot be used"),
    ("mqtt.prefixes", "shelly+", "'shelly+' is no topic prefix: + stands for one whole level, and # cannot be used"),
    (
        "mqtt.prefixes",
        "$share/exporters/+",
        (
            "'$share/exporters/+' is no topic prefix of a device: "
            "take off what begins with $; cluster.group shares the load"
        ),
    ),
    ("devices.include", "shelly pro", f"'shelly pro' is no device id: {DEVICE_ID}; * and ? stand for what differs"),
    ("devices.exclude", ",", f"'' is no device id: {DEVICE_ID}; * and ? stand for what differs"),
    ("devices.http", "2", "2 is no yes or no: give true or false"),
    (
        "devices.passwords",
        "hunter2",
        "entry 1 is no password of a device: give it in the form device-id=password",
    ),
    ("devices.passwords", "a*=hunter2", f"'a*' is no device id: {DEVICE_ID}"),
    (
        "devices.addresses",
        "a=10.0.0.1,b",
        "entry 2 is no address of a device: give it in the form device-id=address",
    ),
    *(
        ("devices.addresses", f"a={given}", f"'{given}' is no address of a device: give host or host:port")
        for given in ("http://10.0.0.1", "10.0.0.1:x", "10.0.0.1:0", "10.0.0.1:99999", "", "[::1", "10.0.0.1/rpc")
    ),
    (
        "devices.addresses",
        "a=admin:hunter2@10.0.0.1",
        "this (not shown, it may contain a password) is no address of a device: give host or host:port",
    ),
    (
        "influxdb.kind",
        "influxdb",
        "'influxdb' is no kind of target: give one of influxdb1, influxdb2, influxdb3, victoriametrics",
    ),
    *(
        ("influxdb.url", given, f"'{given}' is no URL: give it in the form http://host:port")
        for given in ("127.0.0.1:8086", "influxdb", "http://", "udp://influxdb", "http://a:x", "http://[", "http://a b")
    ),
    (
        "influxdb.url",
        "http://me:hunter2@influxdb",
        "this URL contains a user or password: give them as username and password, or token",
    ),
    (
        "influxdb.url",
        "http://influxdb/?db=x",
        "'http://influxdb/?db=x' is no URL of a server: leave out everything from ? or # on",
    ),
    ("influxdb.bucket", 'a"b', f"'a\"b' is no name: {NAME}"),
    ("influxdb.retention_days", "60d", "'60d' is no number of days: give a number from 0 to 36500"),
    ("influxdb.batch_lines", "50001", "50001 is no number of lines: give a number from 1 to 50000"),
    ("influxdb.batch_s", "0", "0 is no duration: give seconds from 0.05 to 60"),
    ("influxdb.batch_s", "nan", "'nan' is no duration: give seconds from 0.05 to 60"),
    ("influxdb.batch_s", "1s", "'1s' is no duration: give seconds from 0.05 to 60"),
    ("spool.max_mib", "1", "1 is no number of MiB: give a number from 64 to 1048576"),
    ("spool.commit_ms", "5001", "5001 is no number of milliseconds: give a number from 1 to 5000"),
    ("log.format", "xml", "'xml' is no log format: give one of console, json"),
    ("log.level", "trace", "'trace' is no log level: give one of debug, info, warning, error"),
    (
        "cluster.redis_url",
        "me:hunter2@redis",
        "this is no URL of a Redis: give it in the form redis://:password@host:6379/0",
    ),
    ("time_zone", "Europe/Berln", "'Europe/Berln' is no time zone: did you mean Europe/Berlin?"),
    ("time_zone", "europe/paris", "'europe/paris' is no time zone: did you mean Europe/Paris?"),
    ("time_zone", "Europe", "'Europe' is no time zone: "),
    ("time_zone", "zzzz", "'zzzz' is no time zone: give a name such as Europe/Berlin"),
    ("time_zone", "../etc/passwd", "'../etc/passwd' is no time zone: "),
    ("instance", "a b/c", f"'a b/c' is no name: {NAME}"),
]
