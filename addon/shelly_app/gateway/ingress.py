"""With Supervisor: only it may come in, and it says who somebody is; what they may do, `control` says."""

from pathlib import Path

from shelly_app.setup import Setup

from .syntax import EMPTY, block, mapping, quoted
from .upstream import absent, health, proxied, starting

_ROLE = "/-/role"
_ROLES = ("Admin", "Editor", "Viewer")
_ENTRY = "/api/hassio_ingress/"
"""How all paths begin below which Home Assistant shows apps."""
_REMEMBERED_S = 30
"""How long an answer of `control` counts."""
_NEVER_SENT = 499
"""The one status that nginx keeps for itself."""

# Supervisor's proof of who somebody is must be the only one: no cookie or token of another Grafana on the same host,
# and no `Origin`, which Grafana would compare with a host name that it cannot know.
_DROPPED = ("Cookie", "Origin", "Authorization")


def servers(setup: Setup, folder: Path, pages: Path, *, grafana: bool) -> tuple[str, ...]:
    """Return the server and, before it, the variables that it uses; `grafana` tells whether there is one."""
    return (*(_variables(setup, folder) if grafana else ()), _server(setup, pages, grafana=grafana))


def _variables(setup: Setup, folder: Path) -> tuple[str, ...]:
    """Return where roles are remembered, and what is made of the headers."""
    name, shown, host, path = (
        f"$http_{header}"
        for header in ("x_remote_user_name", "x_remote_user_display_name", "x_forwarded_host", "x_ingress_path")
    )
    return (
        f"proxy_cache_path {quoted(folder / 'roles')} keys_zone=roles:1m max_size=4m inactive={_REMEMBERED_S}s;",
        mapping("$told_role", "$role", setup.options.boards.role, {role: role for role in _ROLES}),
        mapping(name, "$user", name, {EMPTY: "$http_x_remote_user_id"}),
        mapping(shown, "$user_display_name", shown, {EMPTY: "$user"}),
        # The first one, where each proxy on the way has added its own.
        mapping(host, "$host_of_browser", "$http_host", {'"~^(?<first>[^, ]+)"': "$first"}),
        mapping(path, "$ingress_path", quoted(setup.home.ingress_entry), {f'"~^{_ENTRY}[\\w-]+$"': path}),
    )


def _server(setup: Setup, pages: Path, *, grafana: bool) -> str:
    layout = setup.layout
    content = (*_role_of_user(), *_to_grafana(setup)) if grafana else absent(pages)
    return block(
        "server",
        f"listen {layout.host}:{layout.ports.gateway};",
        health(),
        block(
            "location /",
            # `allow` and `deny` would be asked only after these, and the wrong peer be told about the missing user.
            f"if ($remote_addr != {layout.ingress_peer}) {{ return 403; }}",
            'if ($http_x_remote_user_id = "") { return 401; }',
            *content,
        ),
        *((_question(layout.ports.control), _no_answer(), starting(pages)) if grafana else ()),
    )


def _role_of_user() -> tuple[str, ...]:
    # As sent, not as received from `control`: headers of an answer that was not taken are never sent.
    return (f"auth_request {_ROLE};", "auth_request_set $told_role $sent_http_x_role;")


def _to_grafana(setup: Setup) -> tuple[str, ...]:
    headers = {
        "Host": "$host_of_browser",
        "X-WEBAUTH-USER": "$user",
        "X-WEBAUTH-NAME": "$user_display_name",
        "X-WEBAUTH-ROLE": "$role",
        **dict.fromkeys(_DROPPED, ""),
    }
    return (
        *proxied(setup.layout.ports.grafana, headers),
        "proxy_hide_header Set-Cookie;",
        # Wherever Grafana sends somebody, it is below the path that the browser sees, on the host that it sees.
        # The parts have names, because the look at `$ingress_path` has numbered ones of its own.
        f'proxy_redirect "~^(?:https?://[^/]+)?(?<below>{_ENTRY}.*)$" $below;',
        'proxy_redirect "~^(?:https?://[^/]+)?(?<beside>/.*)$" $ingress_path$beside;',
    )


def _question(port: int) -> str:
    unexpected = " ".join(str(status) for status in range(300, 600) if status != _NEVER_SENT)
    return block(
        f"location = {_ROLE}",
        "internal;",
        # One line for each request of a page would bury what `control` says about itself.
        "error_log stderr crit;",
        f"proxy_pass http://127.0.0.1:{port}/role;",
        "proxy_pass_request_headers off;",
        "proxy_pass_request_body off;",
        'proxy_set_header Content-Length "";',
        "proxy_set_header X-Remote-User-Id $http_x_remote_user_id;",
        "proxy_connect_timeout 1s;",
        "proxy_read_timeout 2s;",
        "proxy_cache roles;",
        "proxy_cache_key $http_x_remote_user_id;",
        f"proxy_cache_valid 204 {_REMEMBERED_S}s;",
        "proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;",
        "proxy_intercept_errors on;",
        f"error_page {unexpected} = @role_unknown;",
    )


def _no_answer() -> str:
    """Return the place that lets people in without a role, so that they get the one from the options."""
    return block("location @role_unknown", "return 204;")
