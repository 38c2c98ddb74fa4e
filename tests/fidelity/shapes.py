"""How real devices form their answers, written down by hand from captures of real devices.

Values are the emptiest of their kind: `0.000` is a number with three decimals, `""` a text, `true` either boolean.
Where releases differ, a dictionary names the first release with that form.
"""

type Form = str | dict[str, str]

RELEASES = ("1.1", "1.4", "1.7", "2.0")
MODELS = ("pro3", "pro3em", "pro3em-mono", "pro3em400")

ADDRESS = '"ipv4mode":"","ip":null,"netmask":null,"gw":null,"nameserver":null'
STATION = '{"ssid":"","is_open":true,"enable":true,' + ADDRESS + "}"
PHASE = (
    '"{x}_current":0.000,"{x}_voltage":0.0,"{x}_act_power":0.0,"{x}_aprt_power":0.0,"{x}_pf":0.00,{blank}"{x}_freq":0.0'
)
PHASE_DELTA = (
    '"{x}_act_power":0.0,"{x}_aprt_power":0.0,"{x}_current":0.000,"{x}_freq":0.0,"{x}_pf":0.00,"{x}_voltage":0.0'
)
EM_TOTALS = '"total_current":0.000,"total_act_power":0.000,"total_aprt_power":0.000,"user_calibrated_phase":[]'
LIMITS = '{"voltage":[null,null],"current":[null,null],"power":[null,null]}'
COUNTS = '{"on_time":0,"on_time_rst_ts":0,"switch_on":0,"switch_on_rst_ts":0,"on_above_thr":0,"on_above_thr_rst_ts":0}'
SYS_START = '{"mac":"","restart_required":true,"time":"","unixtime":0,'
MEMORY = '"uptime":0,"ram_size":0,"ram_free":0,'
SYS_END = '"fs_size":0,"fs_free":0,"cfg_rev":0,"kvs_rev":0,"schedule_rev":0,"webhook_rev":0,'
UPDATES = '"available_updates":{"stable":{"version":""}},"reset_reason":0'


def phases(form: str, blank: str = "") -> str:
    """A form for each of three phases."""
    return ",".join(form.replace("{x}", phase).replace("{blank}", blank) for phase in "abc")


def em(blank: str) -> str:
    return '{"id":0,' + phases(PHASE, blank) + ',"n_current":null,' + EM_TOTALS + "}"


EM1_REST = '"act_power":0.0,"aprt_power":0.0,"pf":0.00'
ENERGY = '"{x}_total_act_energy":0.00,"{x}_total_act_ret_energy":0.00'

METERS = {
    "pro3": [],
    "pro3em": ["em:0", "emdata:0"],
    "pro3em-mono": ["em1:0", "em1:1", "em1:2", "em1data:0", "em1data:1", "em1data:2"],
    "pro3em400": ["em:0", "emdata:0"],
}

STATUS: dict[str, Form] = {
    "ble": "{}",
    "bthome": '{"errors":[""]}',
    "cloud": '{"connected":true}',
    "em": {"1.1": em(" "), "2.0": em("")},
    "em1": {
        "1.1": '{"id":0,"current":0.000,"voltage":0.0,' + EM1_REST + ', "freq":0.0,"calibration":""}',
        "1.7": '{"id":0,"voltage":0.0,"current":0.000,' + EM1_REST + ', "freq":0.0,"calibration":""}',
        "2.0": '{"id":0,"voltage":0.0,"current":0.000,' + EM1_REST + ',"freq":0.0,"calibration":""}',
    },
    "emdata": '{"id":0,' + phases(ENERGY) + ',"total_act":0.00,"total_act_ret":0.00}',
    "em1data": '{"id":0,"total_act_energy":0.00,"total_act_ret_energy":0.00}',
    "eth": {"1.1": '{"ip":null}', "1.7": '{"ip":null,"ip6":null}'},
    "input": '{"id":0,"state":true}',
    "knx": "{}",
    "modbus": "{}",
    "mqtt": '{"connected":true}',
    "switch": {
        "1.1": '{"id":0, "source":"", "output":true,"temperature":{"tC":0.0, "tF":0.0}}',
        "2.0": '{"id":0, "source":"", "output":true,"temperature":{"tC":0.0, "tF":0.0},"tag":null,"counts":'
        + COUNTS
        + "}",
    },
    "sys": {
        "1.1": SYS_START + MEMORY + SYS_END + UPDATES + "}",
        "1.7": SYS_START
        + '"last_sync_ts":0,'
        + MEMORY
        + '"ram_min_free":0,'
        + SYS_END
        + '"btrelay_rev":0,'
        + UPDATES
        + ',"utc_offset":0}',
    },
    "temperature": '{"id": 0,"tC":0.0, "tF":0.0}',
    "wifi": {
        "1.1": '{"sta_ip":"","status":"","ssid":"","rssi":0}',
        "1.7": '{"sta_ip":"","status":"","ssid":"","bssid":"","rssi":0,"sta_ip6":[""]}',
    },
    "ws": '{"connected":true}',
}

EM_CONFIG = '{"id":0,"name":null,"blink_mode_selector":"","phase_selector":"","monitor_phase_sequence":true,'
SWITCH_END = '"initial_state":"","auto_on":true,"auto_on_delay":0.00,"auto_off":true,"auto_off_delay":0.00}'
SYS_CONFIG = (
    ',"location":{"tz":"","lat":0.00000,"lon":0.00000},"debug":{"level":0,"file_level":null,"mqtt":{"enable":true},'
    '"websocket":{"enable":true},"udp":{"addr":null}},"ui_data":{},"rpc_udp":{"dst_addr":null,"listen_port":null},'
    '"sntp":{"server":""},"cfg_rev":0}'
)
SYS_DEVICE = '{"device":{"name":null,"mac":"","fw_id":"","discoverable":true,"eco_mode":true'

CONFIG: dict[str, Form] = {
    "ble": {
        "1.1": '{"enable":true,"rpc":{"enable":true},"observer":{"enable":true}}',
        "1.7": '{"enable":true,"rpc":{"enable":true}}',
        "2.0": '{"rpc":{"enable":true}}',
    },
    "bthome": "{}",
    "cloud": '{"enable":true,"server":""}',
    "em": {
        "1.1": EM_CONFIG + '"reverse":{}}',
        "1.4": EM_CONFIG + '"ct_type":"","reverse":{}}',
        "2.0": EM_CONFIG + '"ct_type":"","reverse":{},"alarms":{' + phases('"{x}":' + LIMITS) + "}}",
    },
    "em1": {
        "1.1": '{"id":0,"name":null,"reverse":true}',
        "1.4": '{"id":0,"name":null,"reverse":true,"ct_type":""}',
        "2.0": '{"id":0,"name":null,"reverse":true,"ct_type":"","alarms":' + LIMITS + "}",
    },
    "emdata": "{}",
    "em1data": "{}",
    "eth": {"1.1": '{"enable":true,' + ADDRESS + "}", "1.7": '{"enable":true,"server_mode":true,' + ADDRESS + "}"},
    "input": '{"id":0,"name":null,"type":"","enable":true,"invert":true}',
    "knx": '{"enable":true,"ia":"","routing":{"addr":""}}',
    "modbus": '{"enable":true}',
    "mqtt": (
        '{"enable":true,"server":null,"client_id":"","user":null,"ssl_ca":null,"topic_prefix":"","rpc_ntf":true,'
        '"status_ntf":true,"use_client_cert":true,"enable_rpc":true,"enable_control":true}'
    ),
    "switch": {
        "1.1": '{"id":0,"name":null,"in_mode":"",' + SWITCH_END,
        "1.7": '{"id":0,"name":null,"in_mode":"","in_locked":true,' + SWITCH_END,
    },
    "sys": {
        "1.1": SYS_DEVICE + "{profile}}" + SYS_CONFIG,
        "1.4": SYS_DEVICE + '{profile},"sys_btn_toggle":true}' + SYS_CONFIG,
    },
    "temperature": '{"id":0,"name":null,"report_thr_C":0.0,"offset_C":0.0}',
    "wifi": (
        '{"ap":{"ssid":"","is_open":true,"enable":true,"range_extender":{"enable":true}},"sta":' + STATION
        + ',"sta1":' + STATION.replace('"ssid":""', '"ssid":null') + ',"roam":{"rssi_thr":0,"interval":0}}'
    ),
    "ws": '{"enable":true,"server":null,"ssl_ca":""}',
}  # fmt: skip

INFO_START = (
    '{"name":null,"id":"","mac":"","slot":0,"model":"","gen":0,"fw_id":"","ver":"","app":"","auth_en":true,'
    '"auth_domain":null'
)

EM_NOTIFICATION = (
    '{"ts":0.00,"em:0":{"id":0,' + phases(PHASE_DELTA) + ',"n_current":null,'
    '"total_act_power":0.000,"total_aprt_power":0.000,"total_current":0.000}}'
)
EM1_NOTIFICATION = (
    '{"ts":0.00,"em1:{n}":{"id":0,"act_power":0.0,"aprt_power":0.0,"current":0.000,"freq":0.0,"pf":0.00,"voltage":0.0}}'
)
EMDATA_NOTIFICATION = '{"ts":0.00,"emdata:0":' + str(STATUS["emdata"]) + "}"
EM1DATA_NOTIFICATION = '{"ts":0.00,"em1data:{n}":' + str(STATUS["em1data"]) + "}"
QUANTITIES = ",0.0,0.0,0.0,0.0,0.000,0.000,0.000,0.000,0.000,0.000"
EM_ROW = ",".join(["0.0000,0.0000,0.0000,0.0000,0.0000,0.0000" + QUANTITIES] * 3) + ",0.000,0.000,0.000 "
EM1_ROW = "0.0000,0.0000,0.0000,0.0000" + QUANTITIES + " "
DATA = '{"ts": 0,"period": 0,"values":[[{row}]]}'
DATA_EVENT = '{"ts":0.00,"events":[{"component":"","id":0,"event":"","ts":0.00,"data":' + DATA + "}]}"
CONFIG_EVENT = '{"ts":0.00,"events":[{"component":"","id":0,"event":"","restart_required":true,"ts":0.00,"cfg_rev":0}]}'
SYS_EVENT = '{"ts":0.00,"events":[{"component":"","event":"","ts":0.00}]}'
INPUT_EVENT = '{"ts":0.00,"events":[{"component":"","id":0,"event":"","ts":0.00}]}'


def form(table: dict[str, Form], kind: str, release: str) -> str:
    """The form of a component in a release."""
    found = table[kind]
    return found if isinstance(found, str) else found[max(since for since in found if since <= release)]


def components(model: str, release: str) -> list[str]:
    """The components of a model in a release, in the order of GetStatus."""
    young = release >= "1.4"
    relays = model == "pro3"
    return [
        "ble",
        *(["bthome"] if young else []),
        "cloud",
        *METERS[model],
        "eth",
        *(["input:0", "input:1", "input:2"] if relays else []),
        *(["knx"] if relays and young else []),
        *([] if relays else ["modbus"]),
        "mqtt",
        *(["switch:0", "switch:1", "switch:2"] if relays else []),
        "sys",
        *([] if relays else ["temperature:0"]),
        "wifi",
        "ws",
    ]


def whole(table: dict[str, Form], model: str, release: str) -> str:
    """The form of GetStatus or GetConfig."""
    profile = "" if model == "pro3" else ',"profile":"","addon_type":null'
    parts = [f'"{key}":{form(table, key.partition(":")[0], release)}' for key in components(model, release)]
    return "{" + ",".join(parts).replace("{profile}", profile) + "}"


def info(model: str, release: str) -> str:
    """The form of GetDeviceInfo."""
    profile = "" if model == "pro3" else ',"profile":""'
    return INFO_START + profile + (',"provision":""}' if release >= "1.7" else "}")
