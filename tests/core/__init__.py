"""The core alone: no Home Assistant, no mocks, no event loop except for the client and the HTTP link."""
