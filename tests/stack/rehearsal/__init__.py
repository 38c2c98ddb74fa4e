"""The app on a Debian trixie root of its own: real s6, real servers, a stand-in for s6-rc; needs root, no Docker."""
